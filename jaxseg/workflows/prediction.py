"""The prediction phase: test images through the trained network into ``per_image``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxseg import channels as table
from jaxseg import checkpoint, data, io, normalize, tta
from jaxseg.config import Config, Package
from jaxseg.config.load import differing, digest, from_plain, select
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, raise_all
from jaxseg.normalize import Stats
from jaxseg.prediction import (
    Tiling,
    choose_tile,
    chunk_shape,
    classified,
    make_forward,
    predict,
)
from jaxseg.progress import progress
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import predict_by_blocks
from jaxseg.workflows.classes import stored_planes
from jaxseg.workflows.foreign import Predictor, Sight, foreign_predictor
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.network import network

# What a network was trained with; a later prediction must not differ in it.
LEARNED = ("task", "ndim", "channels", "model", "normalize")


def planes_path(run: Run, sample: Sample) -> Path:
    """Where the predicted planes of an image are."""
    return run.planes(sample.name)


def predict_images(config: Config, run: Run, samples: Samples) -> None:
    """Predict the planes of every test image; images that are done already are passed over."""
    predictor = predictor_of(config, run, samples["test"])
    claimed = runs.claim(run, "predict", config, {"weights": predictor.digest})
    names, dtype = stored_planes(config)
    for sample in samples["test"]:
        path = planes_path(run, sample)
        state: dict[str, Any] = {
            "digest": claimed,
            "input": runs.input_version(sample.image.path),
        }
        if config.predict.classes_only:
            state["semantic.threshold"] = config.semantic.threshold
        if runs.is_done(run, "predict", sample.name, state, [path]):
            continue
        turned = tta.averaged(
            predictor.forward,
            config.channels,
            ndim=config.ndim,
            spacing=sample.image.spacing,
            group=config.predict.tta,
        )
        if config.predict.classes_only:
            turned = classified(turned, threshold=config.semantic.threshold, dtype=dtype)
        prepare = functools.partial(normalize.apply, stats=predictor.stats(sample))
        if not config.blocks.size:
            _predict_one(config, predictor, turned, prepare, sample, path)
        elif not predict_by_blocks(
            config,
            run,
            sample,
            turned,
            tiling_of(config, predictor.sight, sample.image.spatial_shape),
            prepare=prepare,
            values=state,
            target=path,
            names=names,
            dtype=dtype,
        ):
            continue
        runs.mark_done(run, "predict", sample.name, state)


def predictor_of(config: Config, run: Run, samples: Sequence[Sample]) -> Predictor:
    """The network that a configuration names: a trained one of ours, or one out of a file.

    Raises
    ------
    InputError, ConfigError : there is none, or it is not for this configuration or these images
    """
    if isinstance(config.model, Package):
        foreign = foreign_predictor(config, samples)
        if foreign.trained:
            fields = [field for field in LEARNED if field != "model"]
            _refuse_another_network(config, foreign.trained, Path(config.model.path), fields)
        return foreign
    folder = Path(config.predict.checkpoint) if config.predict.checkpoint else run.checkpoints
    found = checkpoint.best(folder)
    variables, meta = checkpoint.nested(found.arrays), found.meta
    _refuse_another_network(config, from_plain(meta["config"]), folder, LEARNED)
    stats = Stats(*map(tuple, meta["stats"]))
    raise_all(data.channel_problems(samples, stats))
    model = network(config, dtype=config.predict.precision)
    mesh = jax.make_mesh((jax.device_count(),), ("data",))
    link = functools.partial(table.activate, channels=config.channels)
    forward = make_forward(model, variables, link, mesh=mesh)
    joint = config.normalize.scope == "dataset"
    return Predictor(
        forward,
        lambda sample: stats if joint else sample.stats,
        Sight(model.halo, model.stride),
        digest([found.identity, stats]),
    )


def _predict_one(
    config: Config,
    predictor: Predictor,
    forward: Callable,
    prepare: Callable[[np.ndarray], np.ndarray],
    sample: Sample,
    path: Path,
) -> None:
    """Stream the planes of one image into an OME-Zarr of its own."""
    tiling = tiling_of(config, predictor.sight, sample.image.spatial_shape)
    shape, (names, dtype) = sample.image.spatial_shape, stored_planes(config)
    chunks = chunk_shape(tiling.grid(shape))
    with (
        progress(f"predict {sample.name}") as advance,
        io.create_planes(
            path,
            shape=(*shape, len(names)),
            chunks=(*chunks, len(names)),
            dtype=dtype,
            spacing=sample.image.spacing,
            channel_names=names,
        ) as planes,
    ):
        predict(
            forward,
            sample.image,
            planes,
            **tiling._asdict(),
            prepare=prepare,
            on_progress=advance,
        )


def tiling_of(config: Config, sight: Sight, shape: tuple[int, ...]) -> Tiling:
    """How to cut an image of so many voxels."""
    choose = functools.partial(
        choose_tile,
        shape,
        sight.tile or config.patch,
        reach=sight.halo,
        stride=sight.stride,
        batch=config.predict.batch,
        devices=jax.device_count(),
        halo=config.predict.halo,
        overlap=(0,) * config.ndim if config.predict.classes_only else config.predict.overlap,
    )
    tiling = choose(tile=sight.tile or config.predict.tile)
    # Without a smallest size there is nothing to compare.
    if any(n < least for n, least in zip(tiling.tile, sight.least, strict=False)):
        return choose(tile=tuple(map(max, tiling.tile, sight.least)))
    return tiling


def _refuse_another_network(
    config: Config, trained: Config, folder: Path, fields: Sequence[str]
) -> None:
    """Refuse a network that was trained for something else than the configuration describes."""
    now, then = select(config, fields), select(trained, fields)
    changed = differing(then, now)
    if changed:
        raise ConfigError(
            f"the network was trained with other values of {', '.join(changed[:4])}",
            file=folder,
            expected=then.get(changed[0]),
            found=now.get(changed[0]),
            fix="use the configuration saved beside its results",
        )
