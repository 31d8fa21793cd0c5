"""The tuning phase: better options of the decoder, found on the validation images."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np
from rich.console import Console

from jaxseg import hosts, io, normalize, report, tta
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
from jaxseg.tasks.inputs import Samples
from jaxseg.tasks.table import task_of
from jaxseg.tasks.training import divide

TUNE = "tune"


def tune_decoder(config: Config, run: Run, samples: Samples) -> None:
    """Search the options of the decoder on validation images and keep them beside the checkpoint.

    Nothing is done for decoders whose options are not worth it, and for other tasks than instances.
    """
    if not tunes(config):
        return
    row, options, _ = chosen_decoder(config)
    val = tuple(samples.get("val") or divide(config, samples)[1])
    predictor = predictor_of(config, run.checkpoints, val)
    state = runs.training_inputs(samples) | runs.reference_inputs(config, "train", "val")
    runs.claim(run, TUNE, config, {"weights": predictor.digest} | state)
    if run.tuned.exists():
        runs.end(run, TUNE)
        return
    pairs = list(_predicted(config, predictor, val))
    if not any(truth.any() for _, truth in pairs):
        print("no object in the validation images: the decoder is not tuned", flush=True)
        runs.end(run, TUNE)
        return
    spacing = val[0].image.spacing
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
            on_trial=lambda trial: advance(number := next(tried), number),
        )
    if hosts.is_first():
        io.write_json(run.tuned, to_json(found))
        report.show_tuning(found, Console(width=None if Console().is_terminal else 120))
        runs.end(run, TUNE)


def tunes(config: Config) -> bool:
    """Whether there is something to tune: options of a decoder of instances that are worth it."""
    if not task_of(config).decodes:
        return False
    return bool(chosen_decoder(config).row.tunes(config.channels, config.ndim))


def _predicted(
    config: Config, predictor: Predictor, val: tuple[Sample, ...]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Planes and labels of validation images, the middle of one that is too large."""
    left = config.tune.voxels
    for sample in val:
        if sample.labels is None or not left:
            continue
        shape = sample.image.spatial_shape
        share = min(1.0, left / sample.image.voxels) ** (1 / len(shape))
        sizes = [max(1, int(size * share)) for size in shape]
        start = tuple((whole - size) // 2 for whole, size in zip(shape, sizes, strict=True))
        stop = tuple(first + size for first, size in zip(start, sizes, strict=True))
        left = max(0, left - int(np.prod(sizes)))
        forward = tta.averaged(
            predictor.forward,
            config.channels,
            ndim=config.ndim,
            spacing=sample.image.spacing,
            group=config.predict.tta,
        )
        scale = functools.partial(normalize.apply, stats=predictor.stats(sample))
        part = sample.image.crop(start, stop)
        with progress(f"predict {sample.name}") as advance:
            planes = predict(
                forward,
                part,
                **tiling_of(config, predictor.sight, tuple(sizes))._asdict(),
                prepare=scale,
                border=BORDERS[config.predict.border](part, scale),
                on_progress=advance,
            )
        yield planes, sample.labels.read(start, stop)
