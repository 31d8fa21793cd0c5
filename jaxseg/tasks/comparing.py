"""What an evaluation reads: true and decoded labels, voxel by voxel, in any part of an image.

All scores follow from how many voxels have which pair of labels, so that an image is read part by
part, once, and never held as a whole: by slabs here, or by blocks that several jobs share.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxseg import io
from jaxseg.blocks.stage import Arrays, Results, Stage, Step
from jaxseg.data import Sample
from jaxseg.errors import InputError
from jaxseg.geometry import Box
from jaxseg.labels.crop import inner
from jaxseg.labels.tally import Tally
from jaxseg.labels.unknown import cleared, hidden_objects
from jaxseg.runs.layout import Work
from jaxseg.runs.needs import not_made
from jaxseg.runs.results import Found
from jaxseg.stages.counting import counted, tallied
from jaxseg.stages.shown import Shown
from jaxseg.volume import Volume

EVALUATE = "evaluate"


class Counted(NamedTuple):
    """Combinations of labels that occur in an image, see :class:`jaxseg.labels.tally.Tally`.

    Parameters
    ----------
    truth, labels : (rows,) ids or classes
    inside : (rows,) bool, whether they count or lie at the border
    classes : (rows,) of the decoded and of the true objects, or none
    voxels : (rows,) int64
    """

    truth: np.ndarray
    labels: np.ndarray
    inside: np.ndarray
    classes: tuple[np.ndarray, ...]
    voxels: np.ndarray

    @classmethod
    def of(cls, found: Tally) -> Counted:
        """By name."""
        truth, labels, inside, *classes = found.columns
        return cls(truth, labels, inside, tuple(classes), found.voxels)

    def without_border(self) -> Counted:
        """The rows that count."""
        rows = self.inside
        classes = tuple(column[rows] for column in self.classes)
        return Counted(
            self.truth[rows], self.labels[rows], self.inside[rows], classes, self.voxels[rows]
        )


def overlaps(work: Work, shown: Shown) -> Stage:
    """The stage that counts which true and decoded labels share voxels.

    Raises
    ------
    ConfigError : the border leaves nothing of the image
    """
    truth = work.sample.labels
    classes = shown.classes if work.sample.classes is not None else None

    def read(box: Box, results: Results, known: Arrays) -> list[np.ndarray]:
        return read_both(work, shown, results, box)

    return counted(
        f"overlaps{shown.mark}",
        work.grid,
        read,
        phase=EVALUATE,
        needs=(shown.result, *([classes] if classes else [])),
        values={"border_crop": work.config.evaluate.border_crop},
        reads={"truth": truth.path} if truth else {},
        done="compared",
    )


def inside_of(work: Work) -> tuple[slice, ...]:
    """The index of what counts, without a border."""
    whole = tuple(slice(0, n) for n in work.shape)
    return inner(work.shape, work.config.evaluate.border_crop) or whole


def read_both(work: Work, shown: Shown, results: Results, box: Box) -> list[np.ndarray]:
    """What the images say of a box: the columns of :class:`Counted`, each (*box.shape)."""
    labels = results[shown.result].array[box.slices]
    truth = np.zeros_like(labels)
    if work.sample.labels is not None:
        truth = work.sample.labels.read(box.start, box.stop)
    within = [
        (np.arange(first, last) >= side.start) & (np.arange(first, last) < side.stop)
        for first, last, side in zip(box.start, box.stop, inside_of(work), strict=True)
    ]
    inside = functools.reduce(np.logical_and.outer, within)
    columns = [truth, labels, np.broadcast_to(inside, labels.shape)]
    if work.sample.classes is not None and shown.classes is not None:
        columns.append(results[shown.classes].array[box.slices])
        columns.append(work.sample.classes.read(box.start, box.stop))
    return columns


@dataclass(frozen=True)
class Compared:
    """What is known of an image once all its voxels are counted.

    Parameters
    ----------
    work, shown, results : which image, which of its results, and where to read them
    every, inner : all combinations of labels, and those that count; voxels that nobody looked at
        and objects hidden by them are background
    hidden : ids of such objects
    """

    work: Work
    shown: Shown
    results: Results
    every: Counted
    inner: Counted
    hidden: np.ndarray

    @property
    def sample(self) -> Sample:
        """The image."""
        return self.work.sample

    @property
    def mark(self) -> str:
        """Part of the names of files about it."""
        return self.shown.mark

    @property
    def name(self) -> str:
        """Of the files about it."""
        return self.work.name + self.mark

    @functools.cached_property
    def labels(self) -> Volume:
        """What was decoded."""
        return open_result(self.work, self.shown.result)

    def cleared(self, truth: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A part of both images without what is not known."""
        return cleared(truth, labels, truth == self.work.config.data.ignore, self.hidden)

    def read(self, box: Box) -> list[np.ndarray]:
        """See :func:`read_both`."""
        return read_both(self.work, self.shown, self.results, box)


def compared(work: Work, shown: Shown, stage: Stage, results: Found) -> Compared:
    """What was counted of an image.

    Parameters
    ----------
    work, shown, results : which image, which of its results, and where to read them
    stage : of :func:`overlaps`
    """
    rows, ignore = Counted.of(tallied(results[stage], stage)), work.config.data.ignore
    unknown = rows.truth == ignore
    hidden = hidden_objects(rows.labels, unknown, voxels=rows.voxels)
    truth, labels = cleared(rows.truth, rows.labels, unknown, hidden)
    rows = rows._replace(truth=truth, labels=labels)
    return Compared(work, shown, results, rows, rows.without_border(), hidden)


def open_result(work: Work, stage: Step) -> Volume:
    """Published labels.

    Raises
    ------
    ConfigError : they are not there
    InputError : they are of another size than the truth
    """
    assert isinstance(stage, Stage)
    target = stage.output.target if stage.output else None
    if target is None or not target.exists():
        raise not_made(work, stage, fix="--phases decode evaluate")
    opened = io.open_image if stage.output and stage.output.channels else io.open_labels
    labels, truth = opened(target, ndim=work.config.ndim), work.sample.labels
    if truth is not None and truth.spatial_shape != labels.spatial_shape:
        raise InputError(
            "true and decoded labels differ in size",
            where=target,
            expected=truth.spatial_shape,
            found=labels.spatial_shape,
        )
    return labels


def compared_files(work: Work, shown: Sequence[Shown]) -> dict[str, str]:
    """All files that are compared and drawn, by names that a user understands.

    Raises
    ------
    ConfigError, InputError : results are missing, or of another size than the truth
    """
    sample, name = work.sample, work.name
    files: dict[str, str] = {}
    for one in sample.parts or (sample,):
        files[f"image {one.name}"] = one.image.path
        files |= {f"labels {one.name}": one.labels.path} if one.labels else {}
    results = {f"objects {name}{one.mark}": open_result(work, one.result) for one in shown}
    return files | {name: volume.path for name, volume in results.items()}
