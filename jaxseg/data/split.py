"""Holding out a part of the training images for validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.data.label_index import LabelIndex
from jaxseg.data.samples import Sample
from jaxseg.errors import InputError

# Voxels left out between the two parts of one image: up to a patch, but at most this share of it.
GAP_SHARE = 0.1


def split(
    samples: Sequence[Sample], *, fraction: float, seed: int, patch: Sequence[int]
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Samples to train on and samples to validate on; no voxel is in both.

    Several images are divided by image, at random. One image is cut across its longest axis: one
    end is for validation, the one with more objects, and between the two parts a gap is left out,
    so that hardly any object is on both sides. Intensity statistics stay those of the whole image.

    Parameters
    ----------
    samples : at least one
    fraction : share for validation, between 0 and 1; at least one image or slice
    seed : of the choice of images
    patch : size of a training patch, (z)yx

    Returns
    -------
    (training samples, validation samples)

    Raises
    ------
    InputError : one image that is a single voxel long
    """
    if len(samples) == 1:
        return _split_one(samples[0], fraction, patch)
    held = min(max(round(fraction * len(samples)), 1), len(samples) - 1)
    order = np.random.default_rng([seed % 2**63, len(samples)]).permutation(len(samples))
    chosen = set(order[:held].tolist())
    train = tuple(sample for at, sample in enumerate(samples) if at not in chosen)
    return train, tuple(samples[at] for at in sorted(chosen))


def k_fold(
    samples: Sequence[Sample], *, folds: int, fold: int, seed: int
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Samples to train on and samples to validate on, of one of k ways to divide them.

    The images are put in a random order and cut into parts of equal size, give or take one image.
    Every image is for validation in exactly one of the folds.

    Parameters
    ----------
    samples : sequence of Sample
        At least as many as folds.
    folds : int
        Number of parts, at least 2.
    fold : int
        The part that is for validation, from 1 to ``folds``.
    seed : int
        Of the order.

    Returns
    -------
    (training samples, validation samples)

    Raises
    ------
    InputError
        Fewer images than folds.
    """
    if len(samples) < folds:
        raise InputError(
            "too few training images for cross-validation",
            where=samples[0].image.path,
            expected=f"at least {folds}, one for each fold",
            found=len(samples),
            fix="lower data.cross_val.folds",
        )
    order = np.random.default_rng([seed % 2**63, len(samples)]).permutation(len(samples))
    chosen = set(np.array_split(order, folds)[fold - 1].tolist())
    train = tuple(sample for at, sample in enumerate(samples) if at not in chosen)
    return train, tuple(sample for at, sample in enumerate(samples) if at in chosen)


def describe_split(train: Sequence[Sample], val: Sequence[Sample]) -> str:
    """One line that says what is trained and validated on."""
    listed = ", ".join(sample.name for sample in val[:8]) + (", ..." if len(val) > 8 else "")
    if len(train) == 1:
        return f"training on {train[0].name}, validation on {listed}"
    return f"training on {len(train)} images, validation on {len(val)}: {listed}"


def _split_one(
    sample: Sample, fraction: float, patch: Sequence[int]
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Cut one image across its longest axis."""
    shape = sample.image.spatial_shape
    axis = int(np.argmax(shape))
    length = shape[axis]
    if length < 2:
        raise InputError(
            "the only training image cannot be divided",
            where=sample.image.path,
            found=shape,
            fix="give validation images with --data.val.raw and --data.val.labels",
        )
    held = min(max(round(fraction * length), 1), length - 1)
    gap = min(patch[axis], int(GAP_SHARE * length), length - held - 1)
    first, last = _part(sample, axis, 0, held), _part(sample, axis, length - held, length)
    if len(first.index.ids) > len(last.index.ids):
        return (_part(sample, axis, held + gap, length),), (first,)
    return (_part(sample, axis, 0, length - held - gap),), (last,)


def _part(sample: Sample, axis: int, low: int, high: int) -> Sample:
    """A sample of a slab of an image."""
    shape = sample.image.spatial_shape
    start = tuple(low if at == axis else 0 for at in range(len(shape)))
    stop = tuple(high if at == axis else size for at, size in enumerate(shape))
    letter = sample.image.axes[axis]
    return sample.with_truth(
        lambda volume: volume.crop(start, stop),
        image=sample.image.crop(start, stop),
        name=f"{sample.name}[{letter} {low}:{high}]",
        index=_index_of_part(sample.index, axis, low, high),
    )


def _index_of_part(index: LabelIndex, axis: int, low: int, high: int) -> LabelIndex:
    """The objects that have an indexed voxel in a slab, in its coordinates."""
    place = index.points[:, axis]
    kept = (low <= place) & (place < high)
    ids = np.repeat(index.ids, np.diff(index.first))[kept]
    points = index.points[kept]
    points[:, axis] -= low
    unique, first, left = np.unique(ids, return_index=True, return_counts=True)
    # As many of its voxels as of its points.
    number = np.searchsorted(index.ids, unique)
    share = left / np.diff(index.first)[number]
    voxels = np.maximum(np.rint(index.sizes[number] * share), 1).astype(np.int64)
    return LabelIndex(unique, np.append(first, len(ids)), points, voxels)
