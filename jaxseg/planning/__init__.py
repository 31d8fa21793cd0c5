"""A run before it is made: what it needs of memory, disk and time. Nothing is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxseg import channels as table
from jaxseg import models
from jaxseg.blocks import BlockGrid
from jaxseg.config import Config, Package
from jaxseg.data import Sample
from jaxseg.geometry import Context
from jaxseg.models import Model
from jaxseg.network import network
from jaxseg.planning.prediction import PredictionPlan, plan_prediction
from jaxseg.planning.space import Store, free_space, space_needed
from jaxseg.planning.training import TrainingPlan, plan_training
from jaxseg.prediction.predictor import predictor_of
from jaxseg.runs import manifest as runs
from jaxseg.runs.division import division_of_planes
from jaxseg.runs.executor import own_blocks
from jaxseg.stages.contacts import ends_bytes
from jaxseg.tasks import checked, phases_of
from jaxseg.tasks.training import origins_of

# Bytes that decoding holds for every voxel of a block and its halo beside the planes, as measured
# with the watershed of F, C and Db; and that comparing, writing and measuring hold for one of a
# block.
DECODING, MEASURING = 40, 32
# Blocks whose ends are held while neighbours are compared.
ENDS_HELD = 64


class NetworkPlan(NamedTuple):
    """The network, layer by layer."""

    name: str
    planes: tuple[str, ...]
    parameters: int
    modules: int
    table: str
    """Modules, the shapes of their results for one patch, and their parameters."""


class BlocksPlan(NamedTuple):
    """The blocks of one image."""

    image: str
    grid: BlockGrid
    own: range
    """Of this job."""
    creation: int
    """Bytes at most while objects are made."""
    merging: int
    """Bytes at most while neighbours are compared."""


class Plan(NamedTuple):
    """Everything about a run that is known before it."""

    phases: tuple[str, ...]
    network: NetworkPlan | None
    """None for a network out of a file."""
    training: TrainingPlan | None
    prediction: PredictionPlan | None
    blocks: tuple[BlocksPlan, ...]
    stores: tuple[Store, ...]
    folder: Path
    free: tuple[int, int]
    """Bytes and files that the file system of the folder still takes."""


def plan_run(config: Config) -> Plan:
    """Check everything that a run checks, and find what it would need.

    Parameters
    ----------
    config : of the run

    Returns
    -------
    Plan, plain data; nothing was written

    Raises
    ------
    JaxsegError : as the run itself
    """
    samples, run, phases = checked(config), runs.run_of(config), phases_of(config)
    images = samples.get("test", ()) or samples.get("train", ())
    context: Context = ()
    if "train" in phases:
        runs.differs(run, "train", config, origins_of(config, samples)[1])
    elif "predict" in phases:
        predictor = predictor_of(config, run.checkpoints, samples["test"])
        context = predictor.sight.context
        runs.differs(run, "predict", config, {"weights": predictor.digest})
    training = plan_training(config, samples) if "train" in phases else None
    layers = prediction = None
    # Of a network out of a file, XLA knows nothing.
    if not isinstance(config.model, Package):
        model = network(config, dtype=config.predict.precision)
        layers = plan_network(config, model, images[0].image.channels if images else 1)
        if "predict" in phases:
            prediction = plan_prediction(config, model, samples["test"], context)
    return Plan(
        phases,
        layers,
        training,
        prediction,
        plan_blocks(config, samples.get("test", ())) if config.blocks.size else (),
        space_needed(config, run, samples, phases),
        run.results,
        free_space(run.results),
    )


def plan_network(config: Config, model: Model, channels: int) -> NetworkPlan:
    """The layers of a network for one patch, found without computing it."""
    image = jax.ShapeDtypeStruct((1, *config.patch, channels), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    found = jax.eval_shape(model.outputs, variables, image) if model.outputs else {}
    shapes = {name: jax.tree.leaves(value)[0].shape[1:] for name, value in found.items()}
    return NetworkPlan(
        config.model.architecture,
        tuple(table.columns(config.channels, config.ndim).names),
        models.count_parameters(variables),
        len(variables["params"]),
        models.summary(variables, shapes),
    )


def plan_blocks(config: Config, samples: Sequence[Sample]) -> tuple[BlocksPlan, ...]:
    """How every image is cut, and what the stages of instances hold."""
    planes = table.columns(config.channels, config.ndim).total
    found = []
    for sample in samples:
        grid = division_of_planes(config).grid(sample.image.spatial_shape)
        read = math.prod(
            min(size, side + min(count - 1, 2) * halo)
            for size, side, count, halo in zip(
                grid.shape, grid.block, grid.count, grid.halo, strict=True
            )
        )
        one = read * (4 * planes + DECODING)
        ends = ends_bytes(grid) // len(grid) * min(len(grid), ENDS_HELD)
        found.append(
            BlocksPlan(
                sample.name,
                grid,
                own_blocks(config, grid),
                config.blocks.workers * one,
                ends + config.blocks.workers * MEASURING * math.prod(grid.block),
            )
        )
    return tuple(found)
