"""What an evaluation reads: true and decoded labels, voxel by voxel, in any part of an image.

All scores follow from how many voxels have which pair of labels, so that an image is read part by
part, once, and never held as a whole: by slabs here, or by blocks that several jobs share.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxseg import io
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, InputError
from jaxseg.geometry import Box
from jaxseg.labels.crop import inner
from jaxseg.labels.tally import Tally
from jaxseg.runs.manifest import Run
from jaxseg.volume import Volume
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.object_classes import classes_path
from jaxseg.workflows.postprocessing import post_path

# Mark of the files that are about objects after post-processing.
POST = "_post-proc"


class Compared(NamedTuple):
    """The images of a comparison, read lazily.

    Parameters
    ----------
    labels : (*S) decoded objects or classes
    truth : (*S) true ones; None = not known
    classes : of the decoded and of the true objects; None = not known
    inside : the index of what counts, without a border
    """

    labels: Volume
    truth: Volume | None
    classes: tuple[Volume, Volume] | None
    inside: tuple[slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels, (z)yx."""
        return self.labels.spatial_shape

    def read(self, box: Box) -> list[np.ndarray]:
        """What the images say of a box: the columns of :class:`Counted`, each (*box.shape)."""
        labels = self.labels.read(box.start, box.stop)
        truth = np.zeros_like(labels)
        if self.truth is not None:
            truth = self.truth.read(box.start, box.stop)
        within = [
            (np.arange(first, last) >= side.start) & (np.arange(first, last) < side.stop)
            for first, last, side in zip(box.start, box.stop, self.inside, strict=True)
        ]
        inside = functools.reduce(np.logical_and.outer, within)
        classes = [one.read(box.start, box.stop) for one in self.classes or ()]
        return [truth, labels, np.broadcast_to(inside, labels.shape), *classes]


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


def compared(config: Config, run: Run, sample: Sample, mark: str) -> Compared:
    """Open what is compared of an image.

    Parameters
    ----------
    config, run, sample : which image
    mark : empty, or :data:`POST` for what post-processing made of it

    Raises
    ------
    ConfigError : the image was not decoded, or the border leaves nothing of it
    """
    path = post_path(config, run, sample) if mark else None
    path = path or labels_path(config, run, sample)
    labels, classes = _opened(config, path), None
    if sample.classes is not None:
        classes = _opened(config, classes_path(path)), sample.classes
    if sample.labels is not None and sample.labels.spatial_shape != labels.spatial_shape:
        raise InputError(
            "true and decoded labels differ in size",
            file=path,
            expected=sample.labels.spatial_shape,
            found=labels.spatial_shape,
        )
    whole = tuple(slice(0, n) for n in labels.spatial_shape)
    border = inner(labels.spatial_shape, config.evaluate.border_crop)
    return Compared(labels, sample.labels, classes, border or whole)


def marks(config: Config, run: Run, sample: Sample) -> Sequence[str]:
    """The marks of what is compared of an image."""
    return ("", POST) if post_path(config, run, sample) is not None else ("",)


def _opened(config: Config, path: Path) -> Volume:
    """Labels that the decoding phase wrote."""
    if not path.exists():
        raise ConfigError("this image was not decoded", file=path, fix="--phases decode evaluate")
    return io.open_labels(path, ndim=config.ndim)
