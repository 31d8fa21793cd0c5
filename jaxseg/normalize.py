"""Intensity scaling: statistics are fitted once, stored, and applied the same way ever after.

``fit`` streams over one volume or several, so that nothing need fit in memory. All methods are one
affine map per channel, ``(x - offset) * scale``. Values are clipped only where that is asked for:
otherwise what is brighter than the upper percentile stays brighter than 1, and stays
distinguishable. A channel that has only one value becomes zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxseg.errors import ConfigError, InputError, JaxsegWarning
from jaxseg.volume import Readable, Volume, chunks_of

Method = Literal["percentile", "zscore", "range", "dtype", "none"]
# Largest values of the types that images of floating point usually come from.
FLOAT_MAXIMA = (1.0, 255.0, 65535.0)
BINS = 2**16
# Up to this size the voxels are read once and kept for all passes.
HELD_BYTES = 2**28


class Stats(NamedTuple):
    """The affine map ``(x - offset) * scale`` of every channel, as plain numbers for JSON."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...] = ()
    """Smaller values become this one before the map; empty = nothing is clipped."""
    high: tuple[float, ...] = ()
    """Larger values become this one before the map; empty = nothing is clipped."""


class Moments(NamedTuple):
    """What one pass over the voxels gives, (C,) each but the first."""

    voxels: int
    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray


def fit(
    volumes: Volume | Sequence[Volume],
    *,
    method: Method = "percentile",
    percentiles: tuple[float, float] = (1.0, 99.8),
    clip: Sequence[float] = (),
    mean: Sequence[float] = (),
    deviation: Sequence[float] = (),
) -> Stats:
    """Statistics of one volume, or of several together.

    Parameters
    ----------
    volumes : (*S, C) with the same number of channels
    method : ``percentile`` maps the two percentiles to 0 and 1; ``zscore`` gives mean 0 and
        standard deviation 1; ``range`` maps the smallest and the largest value to 0 and 1;
        ``dtype`` divides by the largest value of the integer type, and floating point by the first
        of 1, 255 and 65535 that no value exceeds; ``none`` changes nothing
    percentiles : exact for every type of up to 32 bit, interpolated as ``numpy.percentile`` does;
        64-bit floating point is rounded to 32 bit first
    clip : two percentiles beyond which values are clipped before anything else is measured and
        before they are scaled; empty = none
    mean, deviation : for ``zscore``, numbers to use in place of measured ones, one for all
        channels or one for each; empty = measured

    Returns
    -------
    Stats

    Raises
    ------
    InputError : NaN or infinity in an image; ``dtype`` for images of several types, or of floating
        point with larger values; channels that differ, or another number of them than of means
    ConfigError : percentiles that are not ascending and from 0 to 100

    Warns
    -----
    JaxsegWarning : a channel with one value only, or one so sparse that the percentiles coincide

    >>> image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    >>> fit(Volume(image, "yxc", (1.0, 1.0)), method="dtype")
    Stats(offset=(0.0,), scale=(0.00392156862745098,), low=(), high=())
    """
    volumes = (volumes,) if isinstance(volumes, Volume) else tuple(volumes)
    _check_channels(volumes)
    names = ", ".join(volume.path or volume.name for volume in volumes[:3])
    if sum(volume.nbytes for volume in volumes) <= HELD_BYTES:
        volumes = tuple(volume.in_memory() for volume in volumes)
    channels = volumes[0].channels
    moments, dtypes = measure_moments(volumes), {volume.dtype for volume in volumes}
    if clip:
        _check_percentiles(clip, "clip")
        bounds = measure_percentiles(volumes, clip)
        volumes = tuple(replace(one, data=_Clipped(one.data, *bounds)) for one in volumes)
        moments = measure_moments(volumes)
        low, high = (tuple(map(float, bound)) for bound in bounds)
    else:
        low = high = ()
    if method == "none":
        return Stats((0.0,) * channels, (1.0,) * channels, low, high)
    if method == "dtype":
        return Stats(
            (0.0,) * channels, (_by_dtype(volumes, dtypes, moments),) * channels, low, high
        )
    if method == "zscore":
        centre = _given(mean, moments.mean, names)
        width = _given(deviation, moments.deviation, names)
        return _stats(centre, width, names)._replace(low=low, high=high)
    if method == "range":
        found = _stats(moments.low, moments.high - moments.low, names)
    else:
        found = _by_percentiles(volumes, percentiles, moments, names)
    return found._replace(low=low, high=high)


def _given(numbers: Sequence[float], measured: np.ndarray, names: str) -> np.ndarray:
    """Numbers for every channel: those that are given, else those that were measured."""
    if len(numbers) not in (0, 1, len(measured)):
        raise InputError(
            "the image has another number of channels than numbers are given for",
            file=names,
            expected=f"1 or {len(measured)} numbers",
            found=len(numbers),
        )
    return np.broadcast_to(np.asarray(numbers, float), measured.shape) if numbers else measured


def _check_percentiles(percentiles: Sequence[float], where: str) -> None:
    """Two percentiles, the lower first."""
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise ConfigError("percentiles must ascend, from 0 to 100", file=where, found=percentiles)


def _by_percentiles(
    volumes: Sequence[Volume], percentiles: tuple[float, float], moments: Moments, names: str
) -> Stats:
    """The map of two percentiles to 0 and 1."""
    _check_percentiles(percentiles, "percentiles")
    low, high = measure_percentiles(volumes, percentiles)
    sparse = (low == high) & (moments.low < moments.high)
    if sparse.any():
        warnings.warn(
            f"{names}: percentiles {percentiles} coincide in channel {np.flatnonzero(sparse)}; "
            "it is scaled by its smallest and largest value",
            JaxsegWarning,
            stacklevel=3,
        )
    low, high = np.where(sparse, moments.low, low), np.where(sparse, moments.high, high)
    return _stats(low, high - low, names)


def apply(image: np.ndarray, stats: Stats) -> np.ndarray:
    """Scaled intensities.

    Parameters
    ----------
    image : (*S, C), any real type; S may be empty
    stats : of C channels

    Returns
    -------
    (*S, C) float32

    >>> apply(np.array([[10], [20]], np.uint8), Stats((10.0,), (0.1,))).ravel()
    array([0., 1.], dtype=float32)
    """
    image = np.asarray(image)
    if image.shape[-1] != len(stats.offset):
        raise InputError(
            "the image has another number of channels than the statistics",
            expected=len(stats.offset),
            found=image.shape[-1],
        )
    # 32-bit integers and float64 would lose their small differences in float32.
    wide = image.dtype.itemsize > 4 or (image.dtype.itemsize == 4 and image.dtype.kind != "f")
    kind = np.float64 if wide else np.float32
    values = image.astype(kind)
    if stats.low:
        values = np.clip(values, np.asarray(stats.low, kind), np.asarray(stats.high, kind))
    scaled = (values - np.asarray(stats.offset, kind)) * np.asarray(stats.scale, kind)
    return scaled.astype(np.float32, copy=False)


def measure_moments(volumes: Sequence[Volume]) -> Moments:
    """Mean, standard deviation and range of each channel, streamed (Chan et al., 1983).

    Raises
    ------
    InputError : NaN or infinity, with the file and how many
    """
    channels = volumes[0].channels
    count, mean, square = 0, np.zeros(channels), np.zeros(channels)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    for volume in volumes:
        bad = 0
        for values in _blocks(volume):
            bad += _count_bad(values)
            if bad:
                continue  # only count on, for the message
            part = values.astype(np.float64)
            n, centre = len(part), part.mean(0)
            delta = centre - mean
            square += ((part - centre) ** 2).sum(0) + delta**2 * (count * n / (count + n))
            count, mean = count + n, mean + delta * (n / (count + n))
            low, high = np.minimum(low, part.min(0)), np.maximum(high, part.max(0))
        if bad:
            raise InputError(
                f"{bad} values are NaN or infinite",
                file=volume.path or volume.name,
                expected="finite intensities",
                fix="replace them, for example by 0, and save the image again",
            )
    return Moments(count, mean, np.sqrt(square / max(count, 1)), low, high)


def measure_percentiles(volumes: Sequence[Volume], percentiles: Sequence[float]) -> np.ndarray:
    """Percentiles of each channel, (len(percentiles), C), streamed and exact.

    Values are counted by the upper 16 bits of a key that sorts like them; a second pass counts
    the lower 16 bits of those that share the upper bits of the values sought.
    """
    channels = volumes[0].channels
    total = sum(volume.voxels for volume in volumes)
    places = np.asarray(percentiles) / 100 * (total - 1)
    ranks = np.stack([np.floor(places), np.ceil(places)]).astype(np.int64)
    kinds = {volume.dtype.kind for volume in volumes}
    kind = kinds.pop() if len(kinds) == 1 else "f"
    upper = _histograms(volumes, kind, [(channel, None) for channel in range(channels)])
    # Upper half, and rank among the values that share it, of every value sought.
    found = [_locate(upper[channel, None], ranks) for channel in range(channels)]
    wanted = {
        (channel, int(half)) for channel in range(channels) for half in found[channel][0].flat
    }
    lower = _histograms(volumes, kind, sorted(wanted))
    result = np.empty((*ranks.shape, channels))
    for channel, (halves, rests) in enumerate(found):
        for at in np.ndindex(ranks.shape):
            half = int(halves[at])
            low = _locate(lower[channel, half], rests[at])[0]
            result[(*at, channel)] = _from_key(half * BINS + int(low), kind)
    weight = (places - ranks[0])[:, None]
    return result[0] * (1 - weight) + result[1] * weight


def _blocks(volume: Volume) -> Iterator[np.ndarray]:
    """The voxels of a volume, (n, C) at a time."""
    for start, stop in volume.slabs():
        yield volume.read(start, stop).reshape(-1, volume.channels)


def _count_bad(values: np.ndarray) -> int:
    """Number of values that are NaN or infinite, or become so in float32."""
    if values.dtype.kind != "f":
        return 0
    with np.errstate(over="ignore"):
        return int(values.size - np.isfinite(values.astype(np.float32)).sum())


def _key(values: np.ndarray, kind: str) -> np.ndarray:
    """Values as uint32 that sort the same way; ``kind`` is u, i or f as in NumPy.

    The bits of positive floating-point numbers sort like integers; those of negative ones sort
    backwards, so they are inverted.
    """
    if kind == "u":
        return values.astype(np.uint32)
    if kind == "i":
        return (values.astype(np.int64) + 2**31).astype(np.uint32)
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # + 0 makes -0 equal 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(2**31))


def _from_key(key: int, kind: str) -> float:
    """The value of a key."""
    if kind == "u":
        return float(key)
    if kind == "i":
        return float(key - 2**31)
    bits = np.uint32(key & (2**31 - 1)) if key >> 31 else ~np.uint32(key)
    return float(bits.view(np.float32))


def _histograms(
    volumes: Sequence[Volume], kind: str, wanted: Sequence[tuple[int, int | None]]
) -> dict[tuple[int, int | None], np.ndarray]:
    """Counts per channel of the upper half of the keys, or of the lower half under an upper one."""
    counts = {item: np.zeros(BINS, np.int64) for item in wanted}
    for volume in volumes:
        for values in _blocks(volume):
            keys = _key(values, kind)
            upper, lower = keys >> 16, keys & (BINS - 1)
            for channel, half in wanted:
                chosen = (
                    upper[:, channel] if half is None else lower[upper[:, channel] == half, channel]
                )
                counts[channel, half] += np.bincount(chosen, minlength=BINS)
    return counts


def _locate(counts: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bin in which the value of a rank lies, and its rank within the bin."""
    ends = np.cumsum(counts)
    bins = np.searchsorted(ends, rank, side="right")
    return bins, rank - (ends[bins] - counts[bins])


def _stats(offset: np.ndarray, width: np.ndarray, names: str) -> Stats:
    """The affine map from an offset and the width that becomes 1; zeros for a constant channel."""
    constant = ~(width > np.finfo(np.float32).tiny)
    if constant.any():
        warnings.warn(
            f"{names}: constant image, channel {np.flatnonzero(constant)} becomes zero",
            JaxsegWarning,
            stacklevel=3,
        )
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, width))
    return Stats(tuple(map(float, offset)), tuple(map(float, scale)))


def _by_dtype(volumes: Sequence[Volume], dtypes: set[np.dtype], moments: Moments) -> float:
    """The reciprocal of the largest value of the type."""
    if len(dtypes) == 1 and (dtype := next(iter(dtypes))).kind != "f":
        return 1 / np.iinfo(dtype).max
    largest = float(moments.high.max())
    fitting = [bound for bound in FLOAT_MAXIMA if largest <= bound]
    if any(dtype.kind != "f" for dtype in dtypes) or not fitting:
        raise InputError(
            "normalize.method dtype needs images of one type, and floating point up to 65535",
            file=volumes[0].path or volumes[0].name,
            found=f"{', '.join(sorted(map(str, dtypes)))}, largest value {largest:g}",
            fix="--normalize.method percentile",
        )
    return 1 / fitting[0]


class _Clipped:
    """An array (*S, C) whose values are clipped channel by channel when they are read."""

    def __init__(self, source: Readable, low: np.ndarray, high: np.ndarray) -> None:
        self.source, self.low, self.high = source, low, high
        self.shape, self.dtype = source.shape, np.dtype(np.float64)
        self.chunks = chunks_of(source)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.clip(np.asarray(self.source[index], np.float64), self.low, self.high)


def _check_channels(volumes: Sequence[Volume]) -> None:
    """All volumes must have the same number of channels."""
    for volume in volumes:
        if volume.channels != volumes[0].channels:
            raise InputError(
                "images differ in their number of channels",
                file=volume.path or volume.name,
                expected=f"{volumes[0].channels}, as {volumes[0].name} has",
                found=volume.channels,
            )
