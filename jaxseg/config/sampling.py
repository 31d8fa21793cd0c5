"""Options of which patches a training sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jaxseg.config.limits import RATE, at_least, lengths
from jaxseg.config.option import option, section
from jaxseg.config.postprocessing import Sign
from jaxseg.errors import ConfigError


@section
class ProbabilityMap:
    """Centres of training patches drawn voxel by voxel: so likely an object, so likely not."""

    enable: bool = option(False)
    """Draw centres from the map, in place of data.foreground."""
    w_foreground: float = option(0.94, at_least(0))
    """Weight of all voxels of objects of an image together; all are equally likely."""
    w_background: float = option(0.06, at_least(0))
    """Weight of all other voxels of the image together; not both can be 0."""
    save: bool = option(False, read_by=())
    """Write the map of every training image to results/<run>/probability_map, and where the first
    patches lie: a square with its centre in the image (mark_x) and in its labels (mark_y)."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """No weight at all."""
        if not self.w_foreground + self.w_background:
            yield ConfigError(
                "no voxel has a weight",
                where=f"{where}.w_foreground",
                expected="above 0 for one of w_foreground and w_background",
                found=0,
            )


SampleProperty = Literal[
    "foreground",
    "mean",
    "min",
    "max",
    "target_mean",
    "target_min",
    "target_max",
    "diff",
    "diff_by_min_max_ratio",
    "diff_by_target_min_max_ratio",
]


@section(kw_only=False)
class SampleCondition:
    """A comparison of one property of an image or patch, e.g. ``("foreground", "lt", 0.1)``."""

    name: SampleProperty
    """foreground: share of voxels with a label; mean, min, max of the image; target_mean,
    target_min, target_max of the labels; diff: sum of the absolute differences of both;
    diff_by_min_max_ratio, diff_by_target_min_max_ratio: that times the range of the whole image, or
    of its labels."""
    sign: Sign
    """lt <, le <=, gt >, ge >=."""
    value: float
    """What it is compared with."""


Groups = tuple[tuple[SampleCondition, ...], ...]


@section
class SampleFilter:
    """Samples that are left out. A sample goes if all conditions of any group hold."""

    train: Groups = option(())
    """Groups for training images."""
    val: Groups = option(())
    """Groups for validation images."""
    test: Groups = option(())
    """Groups for test images."""
    by: Literal["image", "patch"] = option("image")
    """Leave out whole images, or patches; tiles of test images that are left out are predicted as
    0, by the properties of the image alone."""
    normalized: bool = option(False)
    """Intensities are compared after normalisation instead of as they are in the file."""
    save: int = option(0, at_least(0), read_by=())
    """Copy so many of the images, or of the patches of a grid, that are left out of each part to
    results/<run>/left_out, as TIFF."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Copies of nothing."""
        if self.save and not (self.train or self.val or self.test):
            yield ConfigError(
                "nothing is left out that could be copied",
                where=f"{where}.save",
                expected="conditions for train, val or test",
                found=self.save,
            )


@section
class CrossValidation:
    """The training images in k parts, one of which is for validation, in place of val_fraction."""

    folds: int = option(0, at_least(2).or_(0))
    """Number of parts; 0 = off."""
    fold: int = option(1, at_least(1))
    """The part that is for validation, from 1."""
    as_test: bool = option(False)
    """Predict and evaluate the images of that part, in place of data.test."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """A part that is none of them, and images of no part."""
        if self.as_test and not self.folds:
            yield ConfigError(
                "without folds there is no part to predict",
                where=f"{where}.as_test",
                expected="folds of at least 2",
                found=self.folds,
            )
        if self.folds and self.fold > self.folds:
            yield ConfigError(
                "there is no such part",
                where=f"{where}.fold",
                expected=f"1 to {self.folds}",
                found=self.fold,
            )


@section
class PatchGrid:
    """Every patch of a grid once per epoch, in random order, in place of random patches."""

    enable: bool = option(False)
    """Train on the patches of a grid."""
    overlap: tuple[float, ...] = option((), lengths(0, 2, 3), RATE)
    """Share of a patch that it has in common with the next one, at least, (z)yx; empty = 0."""
    padding: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Voxels by which the grid reaches beyond the image, into its mirror image, (z)yx; less than
    half a patch; empty = 0."""
