"""Samples whose voxels are held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jaxseg.data.samples import Sample


def cached(samples: Sequence[Sample], gib: float) -> tuple[Sample, ...]:
    """The same samples, with as many in memory as fit the budget, the smallest first."""
    left = gib * 2**30
    held = {}
    for at in sorted(range(len(samples)), key=lambda at: _nbytes(samples[at])):
        left -= _nbytes(samples[at])
        if left < 0:
            break
        sample = samples[at]
        labels = sample.labels.in_memory() if sample.labels else None
        classes = sample.classes.in_memory() if sample.classes else None
        image = sample.image.in_memory()
        held[at] = replace(sample, image=image, labels=labels, classes=classes)
    return tuple(held.get(at, sample) for at, sample in enumerate(samples))


def _nbytes(sample: Sample) -> int:
    """Memory that a sample takes when it is read."""
    parts = (sample.image, sample.labels, sample.classes)
    return sum(volume.nbytes for volume in parts if volume)
