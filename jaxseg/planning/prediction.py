"""What a prediction will need: on the device, on the host, and in time."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg import blocks, tta
from jaxseg import channels as table
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.geometry import Box, Context, TileGrid
from jaxseg.models import Model
from jaxseg.planning.compiled import Costs, costs, everywhere, spread
from jaxseg.prediction import Tiling, compiled_forward
from jaxseg.prediction.blend import blend_bytes, stripes
from jaxseg.prediction.predictor import tiling_of
from jaxseg.prediction.sight import sight_of
from jaxseg.runs.division import division_of_planes
from jaxseg.runs.executor import own_blocks
from jaxseg.stages.planes import stored_planes

# Batches of tiles that are read ahead, handed over, or being answered at a time.
TILES_HELD, ANSWERS_HELD = 7, 4
# Calls that prediction hands to the device before it waits for the first.
IN_FLIGHT = 2
# Of predict(), for blending.
BUDGET_BYTES = 2**29


class PredictionPlan(NamedTuple):
    """Images, their tiles, and the cost of a call of the network."""

    images: tuple[Sample, ...]
    tilings: tuple[tuple[Tiling, int], ...]
    """Every way to cut an image, the largest tiles first, and how many images are cut so."""
    tiles: int
    """Of all images, for this job's blocks."""
    calls: int
    """Of the network."""
    seen: float
    """Voxels that the network computes for every voxel of the planes, in one orientation."""
    orientations: int
    """That are averaged."""
    host: int
    """Bytes on the host at most beside those of the device."""
    forward: Costs
    """Of the largest tiles."""
    guessed: bool = False
    """No training has measured yet how far the halo must go."""

    @property
    def seconds(self) -> float:
        """Of all calls, if all tiles were of the largest size."""
        return self.calls * self.forward.seconds


def plan_prediction(
    config: Config, model: Model, samples: Sequence[Sample], context: Context = ()
) -> PredictionPlan:
    """Compile the network for the largest tiles, and call it twice.

    Parameters
    ----------
    config : of the run
    model : its network
    samples : images to predict
    context : what the trained network needs to see, where that was measured
    """
    sight = sight_of(model, samples[0].image.channels, context)
    ways = [tiling_of(config, sight, sample.image.spatial_shape) for sample in samples]
    counted = sorted(
        Counter(ways).items(), key=lambda item: -math.prod(item[0].tile) * item[0].batch
    )
    spacing = samples[0].image.spacing
    turns = tta.turns_used(
        config.channels,
        ndim=config.ndim,
        isotropic=spacing[-1] == spacing[-2],
        group=config.predict.tta,
    )
    planes = len(stored_planes(config)[0])
    tiles, calls, host, seen, made = 0, 0, 0, 0, 0
    for sample, tiling in zip(samples, ways, strict=True):
        parts = _parts(config, tiling, sample, planes)
        numbers = [math.prod(len(r) for r in grid.ranges(box)) for grid, box in parts]
        tiles += sum(numbers)
        seen += sum(numbers) * math.prod(tiling.tile)
        made += sum(box.size for _, box in parts)
        calls += -(-sum(numbers) // tiling.batch) * len(turns)
        host = max(host, _host_bytes(config, tiling, sample, planes, parts, len(turns)))
    found = _forward(config, model, counted[0][0], samples[0].image.channels)
    return PredictionPlan(
        tuple(samples),
        tuple(counted),
        tiles,
        calls,
        seen / max(made, 1),
        len(turns),
        host,
        found,
        guessed=not (context or config.predict.halo)
        and any(0 < h < r for way in ways for h, r in zip(way.halo, sight.halo, strict=True)),
    )


def _parts(
    config: Config, tiling: Tiling, sample: Sample, planes: int
) -> list[tuple[TileGrid, Box]]:
    """The boxes of an image that are blended one after another."""
    shape = sample.image.spatial_shape
    grid = tiling.grid(shape)
    boxes = [Box((0,) * len(shape), shape)]
    if config.blocks.size:
        cut = division_of_planes(config).grid(shape)
        boxes = [box for box, _ in blocks.regions(cut, own_blocks(config, cut), planes)]
    return [
        (grid, part)
        for box in boxes
        for part in stripes(grid, box, planes, budget_bytes=BUDGET_BYTES)
    ]


def _host_bytes(
    config: Config,
    tiling: Tiling,
    sample: Sample,
    planes: int,
    parts: Sequence[tuple[TileGrid, Box]],
    turns: int,
) -> int:
    """Tiles on their way, the running mean, and blocks that wait to be full."""
    one = 4 * tiling.batch * math.prod(tiling.tile)
    moving = TILES_HELD * one * sample.image.channels + ANSWERS_HELD * one * planes
    moving += one * planes * turns if turns > 1 else 0
    blending = max(
        (blend_bytes(grid, [len(r) for r in grid.ranges(box)], planes) for grid, box in parts),
        default=0,
    )
    return moving + blending + _waiting(config, sample, planes)


def _waiting(config: Config, sample: Sample, planes: int) -> int:
    """Bytes of the blocks of a layer that are not full yet, of the widest region."""
    if not config.blocks.size:
        return 0
    grid = division_of_planes(config).grid(sample.image.spatial_shape)
    boxes = blocks.regions(grid, own_blocks(config, grid), planes)
    across = max((math.prod(box.shape[1:]) for box, _ in boxes), default=0)
    one = planes * np.dtype(stored_planes(config)[1]).itemsize
    layer = one * across * grid.block[0]
    block = one * math.prod(grid.block)
    return layer + 2 * block


def _forward(config: Config, model: Model, tiling: Tiling, channels: int) -> Costs:
    """The network with random parameters on tiles of zeros: neither changes the cost."""
    mesh = jax.make_mesh((jax.device_count(),), ("data",))
    link = functools.partial(table.activate, channels=config.channels)
    function: Any = compiled_forward(model, link, mesh)
    image = jax.ShapeDtypeStruct((1, *model.stride, channels), jnp.float32)
    draw = functools.partial(model.init, image=image)
    variables = jax.eval_shape(draw, jax.random.key(0))

    def tiles(batch: int) -> Any:
        shape = (batch, *tiling.tile, channels)
        return spread(jax.ShapeDtypeStruct(shape, jnp.float32), mesh)

    def lower(batch: int) -> Any:
        return function.lower(everywhere(variables, mesh), tiles(batch))

    def call(compiled: Any) -> None:
        given = everywhere(variables, mesh), tiles(tiling.batch)
        zeros = jax.tree.map(
            lambda leaf: jax.device_put(np.zeros(leaf.shape, leaf.dtype), leaf.sharding), given
        )
        jax.block_until_ready(compiled(*zeros))

    return costs(lower, call, batch=tiling.batch, mesh=mesh, in_flight=IN_FLIGHT)
