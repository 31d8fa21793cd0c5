"""Samples: an image, its labels, how to scale it, and where its objects are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import fastremap
import numpy as np

from jaxseg.config import Normalize, Source
from jaxseg.config.option import checked
from jaxseg.config.preprocess import Preprocess
from jaxseg.config.schema import PairRule
from jaxseg.data.components import split_components
from jaxseg.data.label_index import LabelIndex, index_labels
from jaxseg.data.pairing import misfits, paired
from jaxseg.data.preprocess import preprocessed, resized
from jaxseg.data.truth import CLASSES, OBJECTS, Part, Truth
from jaxseg.errors import InputError, JaxsegError
from jaxseg.io import (
    Format,
    Pair,
    check_whole,
    open_image,
    open_labelled_classes,
    open_labels,
)
from jaxseg.normalize import Stats, fit, fit_each, measure_moments
from jaxseg.volume import Volume, checked_spacing

Result = TypeVar("Result")

# In place of statistics that are fitted only when all images are open.
UNFITTED = Stats((), ())


@dataclass(frozen=True)
class Sample:
    """One image with everything that training and prediction need of it.

    Parameters
    ----------
    image : (*S, C)
    truth : what is known of it, array by array, (*S) or with a last axis; none without labels
    stats : scaling of the intensities
    name : stem of the file, and the part of it if only a part is meant
    index : where the objects are; empty without labels
    original : the image as it is in its file, where ``image`` was resampled
    parts : the images that this is a stack of, see :func:`jaxseg.data.stack_of`
    """

    image: Volume
    truth: Mapping[Part, Volume]
    stats: Stats
    name: str
    index: LabelIndex
    original: Volume | None = None
    parts: tuple[Sample, ...] = ()

    @property
    def labels(self) -> Volume | None:
        """The first array of the truth, which says where objects are; None without labels."""
        return next(iter(self.truth.values()), None)

    @property
    def classes(self) -> Volume | None:
        """(*S) class of every voxel beside the objects, if the truth has both."""
        return self.truth.get(CLASSES) if len(self.truth) > 1 else None

    def with_truth(self, change: Callable[[Volume], Volume | None], **others: Any) -> Sample:
        """The sample with every array of the truth changed; those that become None are gone.

        Parameters
        ----------
        change : of an array
        others : new values of other fields
        """
        changed = {part: change(volume) for part, volume in self.truth.items()}
        return replace(self, truth={part: one for part, one in changed.items() if one}, **others)

    @cached_property
    def class_values(self) -> np.ndarray:
        """The different classes beside the labels, read through once; none without them."""
        return np.zeros(0, np.int64) if self.classes is None else values_of(self.classes)

    @cached_property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.image.voxels


class _Request(NamedTuple):
    """How to open the files of a source; see :func:`open_samples`."""

    ndim: int
    axes: str
    label_axes: str
    spacing: tuple[float, ...]
    normalize: Normalize
    stats: Stats | None
    ignore: int
    channels: tuple[int, ...]
    rgb: bool
    sizes: Mapping[str, tuple[float, ...]]
    components: bool
    formats: tuple[Format, ...]
    steps: Preprocess
    reference: np.ndarray | None
    truth: Truth


class Opened(NamedTuple):
    """The samples that are sound, and what is wrong with the others."""

    samples: tuple[Sample, ...]
    problems: tuple[JaxsegError, ...]


def open_samples(
    source: Source,
    *,
    ndim: int,
    axes: str = "",
    label_axes: str = "",
    spacing: Sequence[float] = (),
    normalize: Normalize | None = None,
    stats: Stats | None = None,
    ignore: int = -1,
    channels: Sequence[int] = (),
    rgb: bool = False,
    sizes: Mapping[str, Sequence[float]] | None = None,
    components: bool = False,
    formats: Sequence[Format] = (),
    pair: PairRule = "name",
    preprocess: Preprocess | None = None,
    reference: np.ndarray | None = None,
    truth: Truth = (OBJECTS,),
) -> Opened:
    """Open all images of a source and their labels, and check all of them.

    Every image and every label image is read through once, so that a damaged file is found now
    and not after hours of training.

    Parameters
    ----------
    source : folders of images and labels; without labels the samples have none
    ndim : spatial dimensions
    axes, label_axes : of the files; empty = from their metadata
    spacing : µm per voxel, (z)yx; empty = from the metadata of the images
    normalize : how to fit the scaling; None = the default of the configuration
    stats : a scaling to use in place of fitting one, such as that of the training images
    ignore : a label value that is no object or class; -1 = none
    channels : numbers of the channels of the images to use; empty = all
    rgb : of images of one channel this one three times
    sizes : names of files to µm per voxel, (z)yx, of images that ``spacing`` does not cover
    components : make an object of every connected part of the labels
    formats : more file formats than those of the table
    pair : how labels are found, see :func:`jaxseg.data.pairing.paired`
    preprocess : what is done to the images first; None = nothing
    reference : (N, C) intensities to match, see :func:`jaxseg.data.preprocess.reference_of`
    truth : arrays that the label files hold: one, or objects and classes as two channels

    Returns
    -------
    Opened(samples, problems); nothing is raised for wrong data
    """
    problems: list[JaxsegError] = []
    if len(spacing):
        _attempt(problems, lambda: checked_spacing(spacing, ndim, where="--data.spacing"))
    if problems:
        return Opened((), tuple(problems))
    pairs = _attempt(problems, lambda: paired(source, pair, formats)) or ()
    normalize = checked(normalize, Normalize)
    joint = stats is None and normalize.scope == "dataset"
    known = UNFITTED if joint else stats
    request = _Request(
        ndim=ndim,
        axes=axes,
        label_axes=label_axes,
        spacing=tuple(spacing),
        normalize=normalize,
        stats=known,
        ignore=ignore,
        channels=tuple(channels),
        rgb=rgb,
        sizes={name: tuple(size) for name, size in (sizes or {}).items()},
        components=components,
        formats=tuple(formats),
        steps=preprocess or Preprocess(),
        reference=reference,
        truth=truth,
    )
    found = [_open_pair(pair, request, problems) for pair in pairs]
    samples = [sample for sample in found if sample is not None]
    problems += channel_problems(samples, stats)
    if joint and samples and not problems:
        fitted = _fit([sample.image for sample in samples], normalize)
        samples = [replace(sample, stats=fitted) for sample in samples]
    return Opened(tuple(samples), tuple(problems))


def channel_problems(samples: Sequence[Sample], stats: Stats | None = None) -> list[JaxsegError]:
    """Images whose number of channels differs from the first one, or from given statistics."""
    if not samples:
        return []
    wanted = len(stats.offset) if stats else samples[0].image.channels
    like = "the training images" if stats else samples[0].image.path
    return [
        InputError(
            "another number of channels",
            where=sample.image.path,
            expected=f"{wanted}, as {like}",
            found=_counted(sample.image),
            fix=_channel_advice(sample.image, wanted),
        )
        for sample in samples
        if sample.image.channels != wanted
    ]


def _counted(image: Volume) -> str:
    """The number of channels of an image, and what the last of them is."""
    return f"{image.channels}{', of which the last is opacity' if image.alpha else ''}"


def _channel_advice(image: Volume, wanted: int) -> str:
    """What to do about an image of another number of channels."""
    if image.channels > wanted:
        numbers = " ".join(map(str, range(wanted)))
        return f"if the first {wanted} are the same in all images: --data.image_channels {numbers}"
    return "give the axes with --data.axes if they are wrong, else move the image away"


def class_problems(
    samples: Sequence[Sample], *, classes: int, ignore: int = -1
) -> list[JaxsegError]:
    """Label images with values that are no class.

    Classes beside instances are read through; else the index names them, from which the value to
    ignore was left out on opening.

    Parameters
    ----------
    samples : sequence of Sample
        Opened images with their labels.
    classes : int
        Number of classes; legal values are 0 to ``classes - 1``.
    ignore : int
        Value of unannotated voxels; -1 = none.

    Returns
    -------
    list of JaxsegError
        One per label image with other values.
    """
    problems: list[JaxsegError] = []
    for sample in samples:
        found = sample.index.ids if sample.classes is None else sample.class_values
        foreign = [int(value) for value in found if value >= classes and value != ignore]
        if foreign and sample.labels:
            # Where nothing else is labelled, to ignore the value would be to ignore the labels.
            others = any(0 < value < classes for value in found)
            listed = ", ".join(map(str, foreign[:6])) + (", ..." if len(foreign) > 6 else "")
            problems.append(
                InputError(
                    "label values that are no class",
                    where=sample.labels.path,
                    expected=f"0 to {classes - 1}",
                    found=listed,
                    fix="number the classes from 0, or set the number of classes of channel S"
                    + (", or its ignore value" if others else ""),
                )
            )
    return problems


def values_of(volume: Volume) -> np.ndarray:
    """The different values of an image."""
    parts = [fastremap.unique(volume.read(start, stop)) for start, stop in volume.slabs()]
    return np.unique(np.concatenate(parts))


def _open_pair(pair: Pair, request: _Request, problems: list[JaxsegError]) -> Sample | None:
    """Open one image and its labels; None, and more problems, if anything is wrong."""
    before = len(problems)
    image = _attempt(problems, lambda: _open_image(pair.raw, request))
    truth, index = _open_labels(pair, request, image, problems)
    raw, steps = image, request.steps
    if raw is not None and steps.any and len(problems) == before:
        reference = request.reference
        image = _attempt(problems, lambda: preprocessed(raw, steps, reference=reference))
    stats = _attempt(problems, lambda: _stats_of(image, request)) if image else None
    if len(problems) > before or image is None or stats is None:
        return None
    original = raw if steps.resize else None
    return Sample(image, truth, stats, pair.stem, index, original)


def _open_image(path: os.PathLike[str], request: _Request) -> Volume:
    """Open an image that can be read through."""
    image = open_image(
        path,
        ndim=request.ndim,
        axes=request.axes,
        spacing=request.spacing or request.sizes.get(os.path.basename(path), ()),
        channels=request.channels,
        rgb=request.rgb,
        formats=request.formats,
    )
    check_whole(image)
    return image


def _open_labels(
    pair: Pair, request: _Request, image: Volume | None, problems: list[JaxsegError]
) -> tuple[dict[Part, Volume], LabelIndex]:
    """Open the truth of an image, and look for the objects."""
    path, nothing = pair.labels, empty_index(request.ndim)
    if path is None:
        return {}, nothing
    truth = _attempt(problems, lambda: _open_truth(path, request))
    if truth is None:
        return {}, nothing
    first = request.truth[0]
    if image is not None:
        problems += misfits(image, truth[first])
        spacing, unit = image.spacing, image.unit
        truth = {part: replace(one, spacing=spacing, unit=unit) for part, one in truth.items()}
    truth = {part: resized(volume, request.steps.resize) for part, volume in truth.items()}
    if first.measured:
        return truth, nothing
    index = _attempt(problems, lambda: index_labels(truth[first], ignore=request.ignore))
    return truth, index or nothing


def _open_truth(path: os.PathLike[str], request: _Request) -> dict[Part, Volume]:
    """Open a label image that can be read through, and what stands beside it in the same file."""
    first, *others = request.truth
    open_file: Any = open_labelled_classes if others else open_labels
    open_file = open_image if first.measured else open_file
    opened = open_file(
        path,
        ndim=request.ndim,
        axes=request.label_axes,
        spacing=request.spacing,
        formats=request.formats,
    )
    labels, *rest = opened if isinstance(opened, tuple) else (opened,)
    check_whole(labels)
    if request.components:
        labels = split_components(labels, ignore=request.ignore)
    return dict(zip(request.truth, (labels, *rest), strict=True))


def empty_index(ndim: int) -> LabelIndex:
    """The index of an image without objects."""
    return LabelIndex(np.zeros(0, np.uint64), np.zeros(1, np.int64), np.zeros((0, ndim), np.int64))


def _stats_of(image: Volume, request: _Request) -> Stats:
    """Statistics of one image; given ones are kept, and the image only checked."""
    if request.stats is None:
        return _fit([image], request.normalize)
    measure_moments([image])
    return request.stats


def _fit(images: Sequence[Volume], normalize: Normalize) -> Stats:
    """Fit as configured."""
    options: dict[str, Any] = {
        name: getattr(normalize, name)
        for name in ("method", "percentiles", "clip", "clip_low", "clip_high")
    }
    if normalize.scope == "patch":
        return fit_each(images[0], **options)
    return fit(images, **options, mean=normalize.mean, deviation=normalize.deviation)


def _attempt(problems: list[JaxsegError], function: Callable[[], Result]) -> Result | None:
    """What a function returns; None if it raises a problem, which is added to the list."""
    try:
        return function()
    except JaxsegError as problem:
        problems.append(problem)
        return None
