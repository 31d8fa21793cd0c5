"""Planes out of a network: tiles stream through it, into one array or block by block."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxseg import data, normalize
from jaxseg.blocks.stage import Stage
from jaxseg.geometry import Box
from jaxseg.prediction import BORDERS, MIRRORED, Border, chunk_shape, classified, predict
from jaxseg.prediction.blank import blank_planes, blanking
from jaxseg.prediction.foreign import Predictor
from jaxseg.prediction.predictor import tiling_of
from jaxseg.prediction.tiling import Tiling
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Work
from jaxseg.stages.orientations import oriented
from jaxseg.stages.planes import predicted, stored_planes


def prediction(work: Work, predictor: Predictor, digest: str) -> Stage:
    """The stage that predicts an image.

    Parameters
    ----------
    work : which image
    predictor : the network
    digest : of all that decides the planes
    """
    config, sample = work.config, work.sample
    forward = oriented(config, predictor, work.spacing)
    if config.predict.classes_only:
        dtype = stored_planes(config)[1]
        forward = classified(forward, threshold=config.semantic.threshold, dtype=dtype)
    stats, left_out = predictor.stats(sample), config.data.filter
    prepare: Callable[[Any], Any] = functools.partial(normalize.apply, stats=stats)
    border = BORDERS[config.predict.border](sample.image, prepare)
    if left_out.by == "patch" and left_out.test:
        known = stats if left_out.normalized else None
        prepare = blanking(prepare, data.tile_filter(left_out.test, stats=known))
        forward = blank_planes(forward)
    return streamed(
        work,
        forward,
        tiling_of(config, predictor.sight, work.shape),
        prepare=prepare,
        border=border,
        values=prediction_state(work, digest),
    )


def prediction_state(work: Work, digest: str) -> dict[str, Any]:
    """All that decides the planes of an image, the tiles not counted."""
    state: dict[str, Any] = {"digest": digest, "input": runs.input_version(work.sample.image.path)}
    if work.config.predict.classes_only:
        state["semantic.threshold"] = work.config.semantic.threshold
    return state


def streamed(
    work: Work,
    forward: Callable[[Any], Any],
    tiling: Tiling,
    *,
    prepare: Callable[[Any], Any],
    border: Border = MIRRORED,
    values: dict[str, Any],
) -> Stage:
    """The stage that streams an image through a function.

    Parameters
    ----------
    work : which image
    forward, tiling, prepare, border : as for :func:`jaxseg.prediction.predict`
    values : all that decides the planes, the tiles not counted
    """

    def stream(box: Box, sink: Any, advance: Callable[[int, int], None]) -> None:
        predict(
            forward,
            work.sample.image,
            sink,
            **tiling._asdict(),
            region=box,
            prepare=prepare,
            border=border,
            on_progress=advance,
        )

    sizes = {f"tiling.{name}": value for name, value in tiling._asdict().items()}
    chunks = chunk_shape(tiling.grid(work.shape))
    return predicted(work, stream=stream, values={**values, **sizes}, chunks=chunks)
