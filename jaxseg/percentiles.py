"""Percentiles of volumes that do not fit memory, exact and in two passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jaxseg.volume import Volume

BINS = 2**16


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


def voxels_of(volume: Volume) -> Iterator[np.ndarray]:
    """The voxels of a volume, (n, C) at a time."""
    for start, stop in volume.slabs():
        yield volume.read(start, stop).reshape(-1, volume.channels)


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
        for values in voxels_of(volume):
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
