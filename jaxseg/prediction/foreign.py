"""Prediction with a network out of a file: what must fit before anything is computed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxseg import channels as table
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, InputError, JaxsegError, raise_all
from jaxseg.interop.bioimageio.scaling import disagreement, stats_for
from jaxseg.interop.foreign import Foreign, open_foreign
from jaxseg.normalize import Stats
from jaxseg.prediction.sight import Sight


class Predictor(NamedTuple):
    """A network ready to predict."""

    forward: Callable[[Any], Any]
    """(N, *S, C) scaled to values of the channels (N, *S, K)."""
    stats: Callable[[Sample], Stats]
    """The scaling of an image."""
    sight: Sight
    digest: str
    """Of its weights."""
    trained: Config | None = None
    """What it was trained with, as far as that is known."""


def foreign_predictor(config: Config, samples: Sequence[Sample]) -> Predictor:
    """The network of a package or an ONNX file.

    Raises
    ------
    JaxsegError : all that does not fit the configuration and the images
    """
    foreign = open_foreign(config.model, config.ndim)  # type: ignore[arg-type]
    raise_all(_problems(config, foreign, samples))
    about, scaling = foreign.about, foreign.about.scaling

    def forward(tiles: Any) -> Any:
        planes = foreign.forward(tiles)
        return (
            planes
            if about.links == "applied"
            else table.activate(jnp.asarray(planes), config.channels)
        )

    tile, stride, least = _tile(config, foreign)
    # Where the file says nothing of its reach, tiles are blended as if it had no end.
    halo = (tile or config.patch) if about.halo is None else about.halo
    return Predictor(
        forward,
        lambda sample: stats_for(scaling, sample.stats) if scaling else sample.stats,
        Sight(halo, stride, tile, least, context=about.context),
        foreign.digest,
        foreign.trained,
    )


def _problems(config: Config, foreign: Foreign, samples: Sequence[Sample]) -> Iterator[JaxsegError]:
    about, names = foreign.about, table.columns(config.channels, config.ndim).names
    if about.planes is not None and about.planes != len(names):
        yield ConfigError(
            "the network gives another number of planes than the channels have",
            where=foreign.file,
            expected=f"{len(names)}, {', '.join(names[:8])}",
            found=about.planes,
            fix="give the channels that the network was trained for",
        )
    for sample in samples:
        if about.channels is not None and about.channels != sample.image.channels:
            yield InputError(
                "an image with another number of channels than the network takes",
                where=sample.image.path,
                expected=about.channels,
                found=sample.image.channels,
            )
        wanted = about.scaling.dtype if about.scaling else ""
        if wanted and sample.image.dtype != np.dtype(wanted):
            yield InputError(
                "an image of another type than the network takes",
                where=sample.image.path,
                expected=wanted,
                found=sample.image.dtype,
            )
    if about.scaling is None and config.normalize.scope == "dataset":
        yield ConfigError(
            "the file has no statistics of its training images",
            where="normalize.scope",
            expected="image",
            found="dataset",
        )
    elif about.scaling is not None:
        wrong = disagreement(about.scaling, config.normalize, foreign.file)
        yield from [wrong] if wrong else []


def _tile(
    config: Config, foreign: Foreign
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Tile, stride and smallest tile."""
    wanted, sizes, ones = config.predict.tile, foreign.about.sizes, (1,) * config.ndim
    if sizes is None:
        if not wanted:
            raise ConfigError(
                "the file does not say which sizes the network takes",
                where=foreign.file,
                fix="--predict.tile, the size of a tile",
            )
        return wanted, ones, ones
    steps, least = tuple(step for _, step in sizes), tuple(smallest for smallest, _ in sizes)
    for size, smallest, step in zip(wanted, least, steps, strict=bool(wanted)):
        if size != smallest and (not step or size < smallest or (size - smallest) % step):
            raise ConfigError(
                "a tile that the network does not take",
                where="predict.tile",
                expected=" x ".join(f"{s} + n * {k}" if k else f"{s}" for s, k in sizes),
                found=wanted,
            )
    if all(step and smallest % step == 0 for smallest, step in sizes):
        return wanted, steps, least
    reach = functools.partial(_reaching, steps=steps, least=least)
    return wanted or reach(config.patch), ones, ones


def _reaching(
    patch: Sequence[int], *, steps: Sequence[int], least: Sequence[int]
) -> tuple[int, ...]:
    """The smallest sizes that the network takes and that hold a patch.

    >>> _reaching((64, 64), steps=(16, 0), least=(25, 48))
    (73, 48)
    """
    return tuple(
        smallest + -(-max(0, size - smallest) // step) * step if step else smallest
        for size, step, smallest in zip(patch, steps, least, strict=True)
    )
