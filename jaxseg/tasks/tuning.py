"""The tuning phase: better options of the decoder, found on images with labels."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console

from jaxseg import hosts, io, normalize, report
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.decoding import to_json, tune
from jaxseg.prediction import predict
from jaxseg.prediction.border import BORDERS
from jaxseg.prediction.foreign import Predictor
from jaxseg.prediction.predictor import predictor_of, tiling_of
from jaxseg.progress import progress
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Run
from jaxseg.stages.chosen import chosen_decoder
from jaxseg.stages.orientations import oriented
from jaxseg.tasks.inputs import Samples
from jaxseg.tasks.table import task_of
from jaxseg.tasks.training import divide
from jaxseg.volume import Volume

TUNE = "tune"


class Part(NamedTuple):
    """A part of an image with labels."""

    sample: Sample
    image: Volume
    labels: Volume
    group: int
    """0 = of the validation images, 1 = of the training images."""


def tune_decoder(config: Config, run: Run, samples: Samples) -> None:
    """Search the options of the decoder on images with labels and keep them beside the checkpoint.

    Nothing is done for decoders whose options are not worth it, and for other tasks than instances.
    """
    if not tunes(config):
        return
    row, options, _ = chosen_decoder(config)
    learn, val = divide(config, {"train": (), **samples})
    parts = _parts(config, val, learn)
    predictor = predictor_of(config, run.checkpoints, tuple(part.sample for part in parts))
    state = runs.training_inputs(samples) | runs.reference_inputs(config, "train", "val")
    runs.claim(run, TUNE, config, {"weights": predictor.digest} | state)
    if run.tuned.exists():
        runs.end(run, TUNE)
        return
    pairs = list(_predicted(config, predictor, parts))
    if not any(truth.any() for _, truth in pairs):
        print("no object in the images to tune with: the decoder is not tuned", flush=True)
        runs.end(run, TUNE)
        return
    spacing = parts[0].image.spacing
    with progress("tune") as advance:
        tried = itertools.count(1)
        found = tune(
            [planes for planes, _ in pairs],
            [truth for _, truth in pairs],
            config.channels,
            spacing=spacing,
            decoder=row,
            options=options,
            minutes=config.tune.minutes,
            ignore=config.data.ignore,
            groups=[part.group for part in parts],
            on_trial=lambda trial: advance(number := next(tried), number),
        )
    if hosts.is_first():
        io.write_json(run.tuned, to_json(found))
        report.show_tuning(found, Console(width=None if Console().is_terminal else 120))
        runs.end(run, TUNE)


def tunes(config: Config) -> bool:
    """Whether there is something to tune: options of a decoder of instances that are worth it."""
    return bool(tuned_options(config))


def tuned_options(config: Config) -> Collection[str]:
    """The options that tuning tries; none for other tasks than instances."""
    if not task_of(config).decodes:
        return ()
    return chosen_decoder(config).row.tunes(config.channels, config.ndim).keys()


def shares(sizes: Sequence[int], total: int, *, least: int = 1) -> dict[int, int]:
    """How many voxels to take of each of several images, alike as far as they have them.

    Parameters
    ----------
    sizes : voxels of every image
    total : of all together, at most
    least : of an image that has so many; where that is too much for all, evenly chosen images

    Returns
    -------
    number of an image to its voxels, in the order of the images

    >>> shares([100, 10, 300], 150)
    {0: 70, 1: 10, 2: 70}
    >>> shares([50, 50, 50, 50], 100, least=50)
    {0: 50, 2: 50}
    >>> shares([50], 0)
    {}
    """
    most = min(len(sizes), max(1, total // least))
    chosen = [number * len(sizes) // most for number in range(most)]
    taken = {}
    for done, number in enumerate(sorted(chosen, key=lambda number: sizes[number])):
        taken[number] = min(sizes[number], total // (most - done))
        total -= taken[number]
    return {number: taken[number] for number in chosen if taken[number]}


def _parts(config: Config, val: Sequence[Sample], learn: Sequence[Sample]) -> list[Part]:
    """What is decoded: validation images, and of the voxels that these leave training images.

    A few validation images say little: what suits them may suit no others. There are more training
    images, but their planes are better than those of new ones and lack the specks. So both count
    alike. The rest of a single image has nothing that its validation part does not show.
    """
    least, left, parts = math.prod(2 * side for side in config.patch), config.tune.voxels, []
    more = config.tune.training_images and len(learn) > 1
    for group, samples in enumerate((val, learn if more else ())):
        known = [
            Part(one, one.image, one.labels, group) for one in samples if one.labels is not None
        ]
        taken = shares([one.image.voxels for one in known], left, least=least)
        parts += [_middle(known[number], voxels) for number, voxels in taken.items()]
        left -= sum(taken.values())
    return parts


def _middle(whole: Part, voxels: int) -> Part:
    """The middle of an image, of the same shape, with at most so many voxels."""
    shape = whole.image.spatial_shape
    share = min(1.0, voxels / whole.image.voxels) ** (1 / len(shape))
    sizes = [max(1, int(size * share)) for size in shape]
    return whole._replace(image=whole.image.middle(sizes), labels=whole.labels.middle(sizes))


def _predicted(
    config: Config, predictor: Predictor, parts: Sequence[Part]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Planes and labels of parts of images."""
    with progress("predict parts of images to tune with") as advance:
        for number, (sample, image, labels, _) in enumerate(parts, start=1):
            scale = functools.partial(normalize.apply, stats=predictor.stats(sample))
            planes = predict(
                oriented(config, predictor, image.spacing),
                image,
                **tiling_of(config, predictor.sight, image.spatial_shape)._asdict(),
                prepare=scale,
                border=BORDERS[config.predict.border](image, scale),
            )
            advance(number, len(parts))
            yield planes, labels.array()
