"""Copies of images and patches that are left out, to see whether the conditions are right."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxseg import data, io
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.runs.layout import Run
from jaxseg.tasks.inputs import Samples, left_out_of


class Example(NamedTuple):
    """Something that is left out: its name, (*S, C) intensities, and the size of a voxel in µm."""

    name: str
    image: np.ndarray
    spacing: tuple[float, ...]


def copy_left_out(config: Config, run: Run, part: str, samples: Samples) -> None:
    """Write what is left out of a part of the data as TIFF, as it is in the files.

    Parameters
    ----------
    config, run : of the run
    part : train, val or test
    samples : of the run
    """
    options = config.data.filter
    if not options.save or not getattr(options, part):
        return
    gone = _images(samples.get(left_out_of(part), ()))
    if options.by == "patch":
        gone = _patches(config, part, samples.get(part, ()))
    for one in itertools.islice(gone, options.save):
        path = run.results / "left_out" / part / f"{one.name}.tif"
        io.write_image_tiff(path, one.image, spacing=one.spacing)


def _images(samples: Sequence[Sample]) -> Iterator[Example]:
    for sample in samples:
        yield Example(sample.name, sample.image.array(), sample.image.spacing)


def _patches(config: Config, part: str, samples: Sequence[Sample]) -> Iterator[Example]:
    """Patches of a grid over the images; of test images as their tiles are judged."""
    patch = (config.predict.tile or config.patch) if part == "test" else config.patch
    judge = _judge(config, part, patch)
    for number, start in data.grid(samples, patch=patch):
        sample = samples[number]
        if judge(sample, start):
            corner = "_".join(map(str, start))
            image = data.read_patch(sample.image, start, patch)
            yield Example(f"{sample.name}_{corner}", image, sample.image.spacing)


def _judge(
    config: Config, part: str, patch: Sequence[int]
) -> Callable[[Sample, Sequence[int]], bool]:
    options = config.data.filter
    groups = getattr(options, part)
    if part != "test":
        return data.patch_filter(groups, patch=patch, normalized=options.normalized)

    def judge(sample: Sample, start: Sequence[int]) -> bool:
        stats = sample.stats if options.normalized else None
        tile = data.read_patch(sample.image, start, patch)
        return data.tile_filter(groups, stats=stats)(tile)

    return judge
