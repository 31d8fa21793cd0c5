"""The network that a configuration names, ready to predict, and how it cuts images."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import jax

from jaxseg import channels as table
from jaxseg import checkpoint, data
from jaxseg.config import Config, Package
from jaxseg.config.load import differing, digest, select
from jaxseg.config.saved import from_checkpoint
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, raise_all
from jaxseg.geometry import round_up
from jaxseg.network import network
from jaxseg.normalize import Stats
from jaxseg.prediction.foreign import Predictor, foreign_predictor
from jaxseg.prediction.forward import make_forward
from jaxseg.prediction.sight import Sight, sight_of, stored_context
from jaxseg.prediction.tiling import Tiling, choose_tile
from jaxseg.resample import warn_of_sizes

# What a network was trained with; a later prediction must not differ in it.
LEARNED = ("task", "ndim", "channels", "model", "normalize", "preprocess")


def predictor_of(config: Config, checkpoints: Path, samples: Sequence[Sample]) -> Predictor:
    """The network that a configuration names: a trained one of ours, or one out of a file.

    Parameters
    ----------
    config : of the run
    checkpoints : its own, where it names no others
    samples : images to predict

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
    folder = Path(config.predict.checkpoint) if config.predict.checkpoint else checkpoints
    found = checkpoint.trained(folder, which=config.predict.weights)
    variables, meta = checkpoint.nested(found.arrays), found.meta
    _refuse_another_network(config, from_checkpoint(meta["config"], str(folder)), folder, LEARNED)
    stats = Stats(*map(tuple, meta["stats"]))
    raise_all(data.channel_problems(samples, stats))
    # Checkpoints of earlier versions do not tell the size.
    warn_of_sizes(meta.get("spacing", ()), [sample.image for sample in samples])
    model = network(config, dtype=config.predict.precision)
    # Of several processes, only the first predicts, after its training.
    own = jax.local_devices()
    mesh = jax.make_mesh((len(own),), ("data",), devices=own)
    link = functools.partial(table.activate, channels=config.channels)
    forward = make_forward(model, variables, link, mesh=mesh)
    joint = config.normalize.scope == "dataset"
    sight = sight_of(model, len(stats.offset), stored_context(folder, config.ndim))
    return Predictor(
        forward,
        lambda sample: stats if joint else sample.stats,
        sight,
        digest([found.identity, stats, *([sight.context] if sight.context else [])]),
    )


def tiling_of(config: Config, sight: Sight, shape: tuple[int, ...]) -> Tiling:
    """How to cut an image of so many voxels."""
    if config.predict.full_image:
        if sight.tile:
            raise ConfigError(
                "this network sees tiles of one size only",
                where="predict.full_image",
                found=sight.tile,
                fix="leave out predict.full_image",
            )
        whole = tuple(map(round_up, shape, sight.stride))
        none = (0,) * config.ndim
        return Tiling(whole, none, none, sight.stride, jax.device_count())
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
        max_voxels=sight.most,
        open_ends=sight.patches and config.predict.border == "none",
        context=sight.context,
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
            where=folder,
            expected=then.get(changed[0]),
            found=now.get(changed[0]),
            fix="use the configuration saved beside its results",
        )
