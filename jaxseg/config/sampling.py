"""Options of which patches a training sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxseg.config.postprocessing import Sign


@dataclass(frozen=True, kw_only=True)
class ProbabilityMap:
    """Centres of training patches drawn voxel by voxel: so likely an object, so likely not."""

    enable: bool = False
    """draw centres from the map, in place of data.foreground"""
    w_foreground: float = 0.94
    """weight of all voxels of objects of an image together; all are equally likely"""
    w_background: float = 0.06
    """weight of all other voxels of the image together"""
    save: bool = False
    """write the map of every training image to results/<run>/probability_map"""


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


@dataclass(frozen=True)
class SampleCondition:
    """A comparison of one property of an image or patch, e.g. ``("foreground", "lt", 0.1)``."""

    name: SampleProperty
    """foreground: share of voxels with a label; mean, min, max of the image; target_mean,
    target_min, target_max of the labels; diff: sum of the absolute differences of both;
    diff_by_min_max_ratio, diff_by_target_min_max_ratio: that times the range of the whole image, or
    of its labels"""
    sign: Sign
    """lt <, le <=, gt >, ge >="""
    value: float
    """what it is compared with"""


Groups = tuple[tuple[SampleCondition, ...], ...]


@dataclass(frozen=True, kw_only=True)
class SampleFilter:
    """Samples that are left out. A sample goes if all conditions of any group hold."""

    train: Groups = ()
    """groups for training images"""
    val: Groups = ()
    """groups for validation images"""
    test: Groups = ()
    """groups for test images"""
    by: Literal["image", "patch"] = "image"
    """leave out whole images, or patches of training and validation images; test images are left
    out as a whole"""
    normalized: bool = False
    """intensities are compared after normalisation instead of as they are in the file"""


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """The training images in k parts, one of which is for validation, in place of val_fraction."""

    folds: int = 0
    """number of parts; 0 = off"""
    fold: int = 1
    """the part that is for validation, from 1"""


@dataclass(frozen=True, kw_only=True)
class PatchGrid:
    """Every patch of a grid once per epoch, in random order, in place of random patches."""

    enable: bool = False
    """train on the patches of a grid"""
    overlap: tuple[float, ...] = ()
    """share of a patch that it has in common with the next one, at least, (z)yx; empty = 0"""
    padding: tuple[int, ...] = ()
    """voxels by which the grid reaches beyond the image, into its mirror image, (z)yx; less than
    half a patch; empty = 0"""
