"""Intensity scaling: statistics are fitted once, stored, and applied the same way ever after.

``fit`` streams over one volume or several, so that nothing need fit in memory. All methods are one
affine map per channel, ``(x - offset) * scale``. Values are clipped only where that is asked for:
otherwise what is brighter than the upper percentile stays brighter than 1, and stays
distinguishable. A channel that has only one value becomes zero. Where patches are scaled by
themselves, the map is measured in each array that is scaled, see :func:`fit_each`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxseg.errors import ConfigError, InputError, JaxsegWarning
from jaxseg.percentiles import measure_percentiles, voxels_of
from jaxseg.volume import Readable, Volume, chunks_of

Method = Literal["percentile", "zscore", "range", "dtype", "none"]
# Largest values of the types that images of floating point usually come from.
FLOAT_MAXIMA = (1.0, 255.0, 65535.0)
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
    own: tuple[str | float, ...] = ()
    """In place of the map: the method by which every array is scaled by itself, and for percentile
    the two of them; empty = the map."""
    clip: tuple[float, ...] = ()
    """With ``own``, percentiles of every array beyond which its values are clipped first."""


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
    clip_low: Sequence[float] = (),
    clip_high: Sequence[float] = (),
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
    clip_low, clip_high : the same as values, one for all channels or one for each, in place of
        percentiles; empty = none
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
    Stats(offset=(0.0,), scale=(0.00392156862745098,), low=(), high=(), own=(), clip=())
    """
    volumes = (volumes,) if isinstance(volumes, Volume) else tuple(volumes)
    _check_channels(volumes)
    names = ", ".join(volume.path or volume.name for volume in volumes[:3])
    if sum(volume.nbytes for volume in volumes) <= HELD_BYTES:
        volumes = tuple(volume.in_memory() for volume in volumes)
    channels = volumes[0].channels
    moments, dtypes = measure_moments(volumes), {volume.dtype for volume in volumes}
    if clip or clip_low:
        if clip:
            _check_percentiles(clip, "clip")
            bounds = measure_percentiles(volumes, clip)
        else:
            given = (_given(values, moments.low, names) for values in (clip_low, clip_high))
            bounds = np.stack(list(given))
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


def fit_each(
    volume: Volume,
    *,
    method: Method,
    percentiles: tuple[float, float] = (1.0, 99.8),
    clip: Sequence[float] = (),
    clip_low: Sequence[float] = (),
    clip_high: Sequence[float] = (),
) -> Stats:
    """A scaling of every array, such as a patch, by what is measured in it alone.

    Parameters
    ----------
    volume : (*S, C), which is only checked
    method : percentile, zscore or range
    percentiles, clip, clip_low, clip_high : as for :func:`fit`

    Returns
    -------
    Stats for :func:`apply`

    Raises
    ------
    InputError : NaN or infinity in the image, or another number of channels than of values

    >>> stats = fit_each(Volume(np.zeros((2, 2, 1)), "yxc", (1.0, 1.0)), method="range")
    >>> apply(np.array([[10], [20]], np.uint8), stats).ravel().tolist()
    [0.0, 1.0]
    """
    moments, channels = measure_moments([volume]), volume.channels
    name = volume.path or volume.name
    low, high = (
        tuple(_given(values, moments.low, name).tolist()) if values else ()
        for values in (clip_low, clip_high)
    )
    own = (method, *percentiles) if method == "percentile" else (method,)
    return Stats((0.0,) * channels, (1.0,) * channels, low, high, own, tuple(clip))


def _own_map(values: np.ndarray, stats: Stats) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clipped values (*S, C), and their own offset and scale, (C,) each."""
    rows = values.reshape(-1, values.shape[-1])
    if stats.clip:
        values = np.clip(values, *np.percentile(rows, stats.clip, axis=0))
        rows = values.reshape(rows.shape)
    method, *percentiles = stats.own
    lowest, highest = rows.min(0), rows.max(0)
    if method == "zscore":
        offset, width = rows.mean(0), rows.std(0)
    else:
        ends = list(map(float, percentiles))
        low, high = np.percentile(rows, ends, axis=0) if ends else (lowest, highest)
        flat = low == high
        offset = np.where(flat, lowest, low)
        width = np.where(flat, highest, high) - offset
    known = width > np.finfo(np.float32).tiny
    scale = np.where(known, 1 / np.where(known, width, 1), 0)
    return values, offset.astype(values.dtype), scale.astype(values.dtype)


def _given(numbers: Sequence[float], measured: np.ndarray, names: str) -> np.ndarray:
    """Numbers for every channel: those that are given, else those that were measured."""
    if len(numbers) not in (0, 1, len(measured)):
        raise InputError(
            "the image has another number of channels than numbers are given for",
            where=names,
            expected=f"1 or {len(measured)} numbers",
            found=len(numbers),
        )
    return np.broadcast_to(np.asarray(numbers, float), measured.shape) if numbers else measured


def _check_percentiles(percentiles: Sequence[float], where: str) -> None:
    """Two percentiles, the lower first."""
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise ConfigError("percentiles must ascend, from 0 to 100", where=where, found=percentiles)


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
    stats : of C channels; those of :func:`fit_each` are measured in this image

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
    offset: np.ndarray = np.asarray(stats.offset, kind)
    scale: np.ndarray = np.asarray(stats.scale, kind)
    if stats.own:
        values, offset, scale = _own_map(values, stats)
    scaled = (values - offset) * scale
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
        for values in voxels_of(volume):
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
                where=volume.path or volume.name,
                expected="finite intensities",
                fix="replace them, for example by 0, and save the image again",
            )
    return Moments(count, mean, np.sqrt(square / max(count, 1)), low, high)


def _count_bad(values: np.ndarray) -> int:
    """Number of values that are NaN or infinite, or become so in float32."""
    if values.dtype.kind != "f":
        return 0
    with np.errstate(over="ignore"):
        return int(values.size - np.isfinite(values.astype(np.float32)).sum())


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
            where=volumes[0].path or volumes[0].name,
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
                where=volume.path or volume.name,
                expected=f"{volumes[0].channels}, as {volumes[0].name} has",
                found=volume.channels,
            )
