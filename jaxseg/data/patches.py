"""Batches of patches: a pure function of seed and step, and a fixed grid for validation."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.config.augmentations import CutMix
from jaxseg.config.sampling import ProbabilityMap
from jaxseg.data.mix import Mix, pasted_ids, random_box
from jaxseg.data.probability import mapped_start
from jaxseg.data.samples import Sample
from jaxseg.data.truth import Part
from jaxseg.geometry import reflect_indices
from jaxseg.normalize import apply
from jaxseg.volume import Volume

# Of the random stream of pasted boxes.
CUTMIX = 1
# Of the random order of a grid.
GRID = 2
# Patches that are drawn in place of one that is left out.
TRIES = 32
LeftOut = Callable[[Sample, Sequence[int]], bool]


class Batch(NamedTuple):
    """Patches of N places."""

    image: np.ndarray
    """(N, *patch, C) float32, scaled."""
    truth: dict[str, np.ndarray]
    """The arrays of the truth by name: objects (N, *patch) int32, ids 1..k of each patch by itself,
    -1 where unknown; classes (N, *patch) int32, as they are; sites (N, *patch, 4) int32; image
    (N, *patch, C) float32."""
    names: tuple[str, ...]
    """Sample of each patch."""
    starts: np.ndarray
    """(N, ndim) int64 corner in the sample; negative where the patch begins in the padding."""

    def truth_of(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of the truth of one patch, by name."""
        return {name: values[number] for name, values in self.truth.items()}


class Place(NamedTuple):
    """A patch: which sample, and where in it."""

    sample: int
    start: tuple[int, ...]


def batch(
    samples: Sequence[Sample],
    *,
    patch: Sequence[int],
    size: int,
    seed: int,
    step: int,
    foreground: float = 0.0,
    probability_map: ProbabilityMap | None = None,
    ignore: int = -1,
    cutmix: CutMix | None = None,
    left_out: LeftOut | None = None,
) -> Batch:
    """Random patches, the same for the same seed and step, whatever was drawn before.

    An image is drawn in proportion to its voxels, counting at least one patch, so that all voxels
    of a data set are equally likely. With probability ``foreground`` the patch is put so that a
    voxel of an object lies in its central half: the object is drawn first, all being equally
    likely, then the voxel; small objects and rare classes are so seen as often as large ones.
    An image smaller than the patch is mirrored at both ends, labels and all.

    Parameters
    ----------
    samples : with labels, and the same number of channels
    patch : size, (z)yx
    size : patches per batch
    seed, step : which batch
    foreground : probability of a patch at an object instead of anywhere
    probability_map : in place of ``foreground``, centres of patches are drawn from a map of the
        image, see :func:`jaxseg.data.probability_map`
    ignore : an id that becomes -1, unknown; -1 = none. Every patch has ids 1..k of its own, in the
        order of their first voxels; the parts of an object that it separates keep one id
    cutmix : how often a box of another random patch is pasted in, and how large; None = never
    left_out : ``(sample, start) -> bool``, whether another patch is drawn in place of this one, up
        to 32 times, see :func:`jaxseg.data.patch_filter`

    Returns
    -------
    Batch

    Raises
    ------
    InputError : a damaged file
    ValueError : a sample without labels, or a class beyond 32 bit
    """
    least = math.prod(patch)
    ends = np.cumsum([max(sample.voxels, least) for sample in samples])

    def random_place(rng: np.random.Generator) -> Place:
        chosen = int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))
        if probability_map is not None and probability_map.enable:
            return Place(chosen, mapped_start(rng, samples[chosen], patch, probability_map))
        return Place(chosen, random_start(rng, samples[chosen], patch, foreground))

    places, mixes = [], []
    for number in range(size):
        rng = np.random.default_rng([seed % 2**63, step, number])
        place = random_place(rng)
        for _ in range(TRIES if left_out is not None else 0):
            if left_out is None or not left_out(samples[place.sample], place.start):
                break
            place = random_place(rng)
        places.append(place)
        if cutmix is not None and cutmix.probability:
            # A stream of its own, so that the places stay what they are.
            rng = np.random.default_rng([seed % 2**63, step, number, CUTMIX])
            on = rng.random() < cutmix.probability
            mix = Mix(*random_place(rng), *random_box(rng, patch, cutmix))
            mixes.append(mix if on else None)
    return read_places(samples, places, patch=patch, ignore=ignore, mixes=mixes)


def grid(
    samples: Sequence[Sample],
    *,
    patch: Sequence[int],
    limit: int = 0,
    overlap: Sequence[float] = (),
    padding: Sequence[int] = (),
    left_out: LeftOut | None = None,
) -> tuple[Place, ...]:
    """Places that cover all samples with as few patches as possible, evenly spread.

    Parameters
    ----------
    samples, patch : as for :func:`batch`
    limit : take this many of them, evenly chosen; 0 = all
    overlap : least share of a patch, without its padding, that is in the next one, too, (z)yx
    padding : voxels by which the grid reaches beyond the image on each side, (z)yx, less than half
        a patch; a margin of a patch that another one shows without it
    left_out : ``(sample, start) -> bool``, patches that are passed over, unless it were all of them

    Returns
    -------
    tuple of Place
    """
    places = [
        Place(number, start)
        for number, sample in enumerate(samples)
        for start in itertools.product(
            *map(
                _even_starts,
                sample.image.spatial_shape,
                patch,
                overlap or (0.0,) * len(patch),
                padding or (0,) * len(patch),
            )
        )
    ]
    if left_out is not None:
        kept = [place for place in places if not left_out(samples[place.sample], place.start)]
        places = kept or places
    if 0 < limit < len(places):
        chosen = np.linspace(0, len(places) - 1, limit).round().astype(int)
        return tuple(places[at] for at in chosen)
    return tuple(places)


def grid_batch(
    samples: Sequence[Sample],
    places: Sequence[Place],
    *,
    patch: Sequence[int],
    size: int,
    index: int,
    ignore: int = -1,
) -> Batch:
    """Batch number ``index`` of the places of a grid; the last one is filled up from the first.

    Parameters
    ----------
    samples, patch, ignore : as for :func:`batch`
    places : from :func:`grid`
    size : patches per batch
    index : from 0 to ``ceil(len(places) / size) - 1``

    Returns
    -------
    Batch
    """
    chosen = [places[at % len(places)] for at in range(index * size, (index + 1) * size)]
    return read_places(samples, chosen, patch=patch, ignore=ignore)


def epoch_batch(
    samples: Sequence[Sample],
    places: Sequence[Place],
    *,
    patch: Sequence[int],
    size: int,
    seed: int,
    step: int,
    ignore: int = -1,
) -> Batch:
    """The patches of a grid in random order, another one in every pass.

    Parameters
    ----------
    samples, patch, size, ignore : as for :func:`batch`
    places : from :func:`grid`; a pass has ``ceil(len(places) / size)`` steps, the last one is
        filled up from the first
    seed, step : which batch, counted over all passes and epochs

    Returns
    -------
    Batch
    """
    number, index = divmod(step, math.ceil(len(places) / size))
    order = np.random.default_rng([seed % 2**63, number, GRID]).permutation(len(places))
    return grid_batch(
        samples,
        [places[at] for at in order],
        patch=patch,
        size=size,
        index=index,
        ignore=ignore,
    )


def read_places(
    samples: Sequence[Sample],
    places: Sequence[Place],
    *,
    patch: Sequence[int],
    ignore: int = -1,
    mixes: Sequence[Mix | None] = (),
) -> Batch:
    """Read patches from where they are, and boxes of others that are pasted into them."""
    images, truths = [], []
    for (number, start), mix in itertools.zip_longest(places, mixes):
        image, truth = _read(samples[number], start, patch, ignore)
        if mix is not None:
            box, other = _read_box(samples[mix.sample], mix, patch, ignore)
            image[mix.slices] = box
            truth = {part: _with_box(part, truth[part], other[part], mix) for part in truth}
        images.append(image)
        truths.append(truth)
    names = tuple(samples[place.sample].name for place in places)
    starts = np.array([place.start for place in places], np.int64)
    stacked = {part.name: np.stack([truth[part] for truth in truths]) for part in truths[0]}
    return Batch(np.stack(images), stacked, names, starts)


def _read(
    sample: Sample, start: Sequence[int], patch: Sequence[int], ignore: int
) -> tuple[np.ndarray, dict[Part, np.ndarray]]:
    """Scaled image and truth of a box of a sample."""
    if not sample.truth:
        raise ValueError(f"{sample.name} has no labels")
    scaled = functools.partial(apply, stats=sample.stats)
    image = read_patch(sample.image, start, patch, prepare=scaled)
    return image, {
        part: part.patch(read_patch(volume, start, patch), ignore)
        for part, volume in sample.truth.items()
    }


def _read_box(
    sample: Sample, mix: Mix, patch: Sequence[int], ignore: int
) -> tuple[np.ndarray, dict[Part, np.ndarray]]:
    """Scaled image and truth of the box of a patch."""
    start = [a + b for a, b in zip(mix.start, mix.low, strict=True)]
    ends = zip(start, mix.size, sample.image.spatial_shape, strict=True)
    inside = all(a >= 0 and a + length <= size for a, length, size in ends)
    if inside and not sample.stats.own:
        return _read(sample, start, mix.size, ignore)
    # Beyond the image the patch is a mirror image of all of it; it may be scaled as a whole, too.
    image, truth = _read(sample, mix.start, patch, ignore)
    return image[mix.slices], {part: values[mix.slices] for part, values in truth.items()}


def _with_box(part: Part, values: np.ndarray, box: np.ndarray, mix: Mix) -> np.ndarray:
    """An array of the truth of a patch with that of a box from elsewhere."""
    if part.ids:
        return pasted_ids(values, box, mix.slices)
    values = values.copy()
    values[mix.slices] = box
    return values


def read_patch(
    volume: Volume,
    start: Sequence[int],
    patch: Sequence[int],
    *,
    prepare: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """A box of a volume that is mirrored beyond its ends.

    Parameters
    ----------
    volume : Volume
        Image (*S, C) or labels (*S).
    start : sequence of int
        First voxel, (z)yx; may lie outside.
    patch : sequence of int
        Size of the box, (z)yx.
    prepare : callable, optional
        Applied to the part of the box that is inside, such as a normalisation.

    Returns
    -------
    numpy.ndarray
        (*patch, C) or (*patch).
    """
    shape = volume.spatial_shape
    stop = [at + length for at, length in zip(start, patch, strict=True)]
    low = [max(at, 0) for at in start]
    high = [min(at, size) for at, size in zip(stop, shape, strict=True)]
    block = volume.read(low, high)
    block = block if prepare is None else prepare(block)
    for axis, size in enumerate(shape):
        if block.shape[axis] < patch[axis]:
            mirrored = reflect_indices(start[axis], stop[axis], size)
            block = np.take(block, mirrored - low[axis], axis)
    return block


def random_start(
    rng: np.random.Generator, sample: Sample, patch: Sequence[int], foreground: float
) -> tuple[int, ...]:
    """A random corner for a patch, inside the sample where it is large enough."""
    shape, length = np.array(sample.image.spatial_shape), np.array(patch)
    room = np.maximum(shape - length, 0)
    index = sample.index
    if rng.random() < foreground and len(index.ids):
        number = rng.integers(len(index.ids))
        point = index.points[rng.integers(index.first[number], index.first[number + 1])]
        start = np.clip(point - rng.integers(length // 4, length - length // 4), 0, room)
    else:
        start = rng.integers(0, room + 1)
    start = np.where(shape < length, -((length - shape) // 2), start)
    return tuple(start.tolist())


def _even_starts(size: int, length: int, overlap: float = 0.0, padding: int = 0) -> list[int]:
    """Corners along one axis of the fewest patches that cover it, without their padding.

    >>> _even_starts(10, 4), _even_starts(10, 4, overlap=0.5), _even_starts(10, 6, padding=1)
    ([0, 3, 6], [0, 2, 4, 6], [-1, 2, 5])
    """
    if size <= length - 2 * padding:
        return [-((length - size) // 2)]
    step = max((length - 2 * padding) * (1 - overlap), 1)
    span = size + 2 * padding - length
    return (
        np.linspace(-padding, span - padding, math.ceil(span / step) + 1)
        .round()
        .astype(int)
        .tolist()
    )
