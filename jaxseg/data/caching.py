"""Samples whose voxels are held in memory."""

from __future__ import annotations

from collections.abc import Sequence

from jaxseg.data.samples import Sample
from jaxseg.volume import Volume


def cached(samples: Sequence[Sample], gib: float) -> tuple[Sample, ...]:
    """The same samples, with as many in memory as fit the budget, the smallest first."""
    left = gib * 2**30
    held = {}
    for at in sorted(range(len(samples)), key=lambda at: _nbytes(samples[at])):
        left -= _nbytes(samples[at])
        if left < 0:
            break
        sample = samples[at]
        held[at] = sample.with_truth(Volume.in_memory, image=sample.image.in_memory())
    return tuple(held.get(at, sample) for at, sample in enumerate(samples))


def _nbytes(sample: Sample) -> int:
    """Memory that a sample takes when it is read."""
    return sum(volume.nbytes for volume in (sample.image, *sample.truth.values()))
