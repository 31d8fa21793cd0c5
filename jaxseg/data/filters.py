"""Samples that are left out because of their intensities or labels."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxseg.config.sampling import Groups
from jaxseg.data.patches import read_patch
from jaxseg.data.samples import Sample
from jaxseg.errors import InputError
from jaxseg.normalize import Stats, apply
from jaxseg.volume import Volume

SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True)
class Summary:
    """Sums and extremes of an image and its labels; those of two parts add up to the whole's."""

    voxels: int
    """Of the image, channels counted."""
    total: float
    """Sum of the intensities."""
    low: float
    high: float
    labelled: int
    """Voxels of the labels, all of them."""
    foreground: int
    """Voxels with a label."""
    target_total: float
    target_low: float
    target_high: float
    difference: float
    """Sum of the absolute differences between image and labels."""

    def __add__(self, other: Summary) -> Summary:
        """The summary of both parts together."""
        return Summary(
            self.voxels + other.voxels,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
            self.labelled + other.labelled,
            self.foreground + other.foreground,
            self.target_total + other.target_total,
            min(self.target_low, other.target_low),
            max(self.target_high, other.target_high),
            self.difference + other.difference,
        )


def summary(image: np.ndarray, labels: np.ndarray | None) -> Summary:
    """What the properties are made of.

    Parameters
    ----------
    image : numpy.ndarray
        (*S, C), any real type.
    labels : numpy.ndarray or None
        (*S); without labels their numbers are NaN.

    Returns
    -------
    Summary
    """
    wide = image.astype(np.float64)
    known = wide.size, wide.sum(), wide.min(), wide.max()
    if labels is None:
        return Summary(*known, 0, 0, np.nan, np.nan, np.nan, np.nan)
    truth = labels.astype(np.float64)
    return Summary(
        *known,
        truth.size,
        int((labels > 0).sum()),
        truth.sum(),
        truth.min(),
        truth.max(),
        float(np.abs(wide - truth[..., None]).sum()),
    )


# Of a part, and of the whole image that it belongs to.
PROPERTIES: Mapping[str, Callable[[Summary, Summary], float]] = {
    "foreground": lambda part, _: part.foreground / part.labelled if part.labelled else np.nan,
    "mean": lambda part, _: part.total / part.voxels,
    "min": lambda part, _: part.low,
    "max": lambda part, _: part.high,
    "target_mean": lambda part, _: part.target_total / part.labelled if part.labelled else np.nan,
    "target_min": lambda part, _: part.target_low,
    "target_max": lambda part, _: part.target_high,
    "diff": lambda part, _: part.difference,
    "diff_by_min_max_ratio": lambda part, whole: part.difference * (whole.high - whole.low),
    "diff_by_target_min_max_ratio": lambda part, whole: (
        part.difference * (whole.target_high - whole.target_low)
    ),
}


def is_left_out(part: Summary, whole: Summary, groups: Groups) -> bool:
    """Whether all conditions of any group hold; what is not known holds never.

    Parameters
    ----------
    part : Summary
        Of a patch, or of an image.
    whole : Summary
        Of the image that it belongs to.
    groups : tuple of tuples of SampleCondition
        Without conditions nothing is left out.

    Returns
    -------
    bool
    """
    return any(
        group
        and all(SIGNS[one.sign](PROPERTIES[one.name](part, whole), one.value) for one in group)
        for group in groups
    )


class Filtered(NamedTuple):
    """Samples that stay and samples that go."""

    kept: tuple[Sample, ...]
    left_out: tuple[Sample, ...]


def filter_samples(
    samples: Sequence[Sample], groups: Groups, *, normalized: bool = False
) -> Filtered:
    """Whole images that stay and that are left out, in their order.

    Parameters
    ----------
    samples : sequence of Sample
        Each is read through once, slab by slab.
    groups : tuple of tuples of SampleCondition
        A sample goes if all conditions of any group hold.
    normalized : bool
        Intensities are compared after normalisation.

    Returns
    -------
    Filtered

    Raises
    ------
    InputError
        Nothing stays.
    """
    if not groups or not samples:
        return Filtered(tuple(samples), ())
    gone = [
        is_left_out(whole, whole, groups)
        for whole in (whole_summary(sample, normalized=normalized) for sample in samples)
    ]
    pairs = list(zip(samples, gone, strict=True))
    kept = tuple(sample for sample, out in pairs if not out)
    if not kept:
        raise InputError(
            "data.filter leaves no image",
            where=samples[0].image.path,
            expected="at least one image",
            found=f"conditions that hold for all {len(samples)}",
            fix="other values in data.filter",
        )
    return Filtered(kept, tuple(sample for sample, out in pairs if out))


def whole_summary(sample: Sample, *, normalized: bool) -> Summary:
    """The summary of an image, read slab by slab.

    Parameters
    ----------
    sample : Sample
        With or without labels.
    normalized : bool
        Of the intensities after normalisation.

    Returns
    -------
    Summary
    """
    parts = [
        summary(apply(image, sample.stats) if normalized else image, labels)
        for image, labels in _slabs(sample.image, sample.labels)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _slabs(image: Volume, labels: Volume | None) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for start, stop in image.slabs():
        yield image.read(start, stop), None if labels is None else labels.read(start, stop)


def tile_filter(groups: Groups, *, stats: Stats | None = None) -> Callable[[np.ndarray], bool]:
    """A function that says which tiles of a prediction are left out.

    Only properties of the image are known there: conditions on labels never hold, and ranges are
    those of the tile.

    Parameters
    ----------
    groups : tuple of tuples of SampleCondition
        A tile goes if all conditions of any group hold.
    stats : Stats, optional
        Intensities are compared after this scaling; None = as they are in the file.

    Returns
    -------
    callable
        (*S, C) intensities -> bool.
    """

    def left_out(tile: np.ndarray) -> bool:
        part = summary(tile if stats is None else apply(tile, stats), None)
        return is_left_out(part, part, groups)

    return left_out


def patch_filter(
    groups: Groups, *, patch: Sequence[int], normalized: bool = False
) -> Callable[[Sample, Sequence[int]], bool]:
    """A function that says which patches are left out.

    Parameters
    ----------
    groups : tuple of tuples of SampleCondition
        A patch goes if all conditions of any group hold.
    patch : sequence of int
        Size of a patch, (z)yx.
    normalized : bool
        Intensities are compared after normalisation.

    Returns
    -------
    callable
        ``(sample, start) -> bool``; ranges of whole images are found when they are first needed.
    """
    wholes: dict[int, Summary] = {}
    ranges = {"diff_by_min_max_ratio", "diff_by_target_min_max_ratio"}
    needed = any(one.name in ranges for group in groups for one in group)

    def left_out(sample: Sample, start: Sequence[int]) -> bool:
        image = read_patch(sample.image, start, patch)
        image = apply(image, sample.stats) if normalized else image
        labels = None if sample.labels is None else read_patch(sample.labels, start, patch)
        part = summary(image, labels)
        if needed and id(sample) not in wholes:
            wholes[id(sample)] = whole_summary(sample, normalized=normalized)
        return is_left_out(part, wholes.get(id(sample), part), groups)

    return left_out
