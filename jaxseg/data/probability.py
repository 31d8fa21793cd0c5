"""Centres of patches drawn voxel by voxel, so that objects are seen however rare they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxseg.config.option import checked
from jaxseg.config.sampling import ProbabilityMap
from jaxseg.data.samples import Sample
from jaxseg.io import write_image_tiff

# Voxels that are looked at to find one of the background.
TRIES = 64


def probability_map(labels: np.ndarray, options: ProbabilityMap, *, ignore: int = -1) -> np.ndarray:
    """How likely every voxel is the centre of a training patch.

    Parameters
    ----------
    labels : numpy.ndarray
        (*S) integers, 0 = background.
    options : ProbabilityMap
        Weights of objects and background.
    ignore : int
        A label value that counts as background; -1 = none.

    Returns
    -------
    numpy.ndarray
        (*S) float32 that adds up to 1; where one of the two is missing, the other has it all.

    Examples
    --------
    >>> weights = ProbabilityMap(w_foreground=3.0, w_background=1.0)
    >>> probability_map(np.array([[7, 0, 0, 7]]), weights).tolist()
    [[0.375, 0.125, 0.125, 0.375]]
    """
    checked(options, ProbabilityMap)
    objects = (labels != 0) & (labels != ignore)
    inside, total = int(objects.sum()), objects.size
    weights = [options.w_background * (inside < total), options.w_foreground * (inside > 0)]
    each = np.array(weights) / sum(weights) / np.maximum([total - inside, inside], 1)
    return each[objects.astype(np.int8)].astype(np.float32)


def mapped_start(
    rng: np.random.Generator, sample: Sample, patch: Sequence[int], options: ProbabilityMap
) -> tuple[int, ...]:
    """A corner for a patch whose centre is drawn from the probability map of its image.

    The map itself is not needed: first it is drawn whether the centre lies in an object, then the
    voxel. Near the border of the image the patch is moved inside.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers come from.
    sample : Sample
        With labels and index.
    patch : sequence of int
        Size of a patch, (z)yx.
    options : ProbabilityMap
        Weights of objects and background.

    Returns
    -------
    tuple of int
        (z)yx; negative along an axis on which the image is shorter than the patch.
    """
    shape, length = np.array(sample.image.spatial_shape), np.array(patch)
    index, total = sample.index, options.w_foreground + options.w_background
    if len(index.ids) and rng.random() * total < options.w_foreground:
        sizes = np.cumsum(index.sizes)
        number = np.searchsorted(sizes, rng.integers(sizes[-1]), side="right")
        point = index.points[rng.integers(index.first[number], index.first[number + 1])]
    else:
        point = _background(rng, sample, shape)
    start = np.clip(point - length // 2, 0, np.maximum(shape - length, 0))
    return tuple(np.where(shape < length, -((length - shape) // 2), start).tolist())


def save_probability_maps(
    folder: str | os.PathLike[str],
    samples: Sequence[Sample],
    options: ProbabilityMap,
    ignore: int = -1,
) -> None:
    """Write the map of every sample as TIFF, float32.

    Parameters
    ----------
    folder : path
        Where to; one file for every sample, named like it.
    samples : sequence of Sample
        With labels.
    options : ProbabilityMap
        Weights of objects and background.
    ignore : int
        A label value that counts as background; -1 = none.
    """
    for sample in samples:
        if sample.labels is not None:
            shape = sample.labels.spatial_shape
            whole = sample.labels.read((0,) * len(shape), shape)
            found = probability_map(whole, options, ignore=ignore)
            path = Path(folder) / f"{sample.name}.tif"
            write_image_tiff(path, found, spacing=sample.image.spacing)


def _background(rng: np.random.Generator, sample: Sample, shape: np.ndarray) -> np.ndarray:
    """A random voxel outside all objects, or any where none is found."""
    for _ in range(TRIES):
        point = rng.integers(0, shape)
        if sample.labels is None:
            break
        value = sample.labels.read(point.tolist(), (point + 1).tolist()).ravel()
        if not np.isin(value.astype(np.uint64), sample.index.ids)[0]:
            break
    return point
