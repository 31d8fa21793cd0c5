"""How a network sees space: its reach, its steps, and how much of it at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxseg.errors import InputError
from jaxseg.geometry import Context, context_of
from jaxseg.models import Model
from jaxseg.prediction.budget import most_voxels
from jaxseg.prediction.tiling import MOST_VOXELS

# Beside a checkpoint: what was measured with it.
CONTEXT = "context.json"


class Sight(NamedTuple):
    """How a network sees space."""

    halo: tuple[int, ...]
    """Its receptive radius."""
    stride: tuple[int, ...]
    tile: tuple[int, ...] = ()
    """The only size of a tile; empty = any multiple of the stride."""
    least: tuple[int, ...] = ()
    """Smallest size of a tile; empty = the stride."""
    most: int = MOST_VOXELS
    """Voxels of one call at most."""
    patches: bool = False
    """It learned from patches, beyond whose ends there was nothing."""
    context: Context = ()
    """What it needs to see around a voxel, where that was measured."""


def sight_of(model: Model, channels: int, context: Context = ()) -> Sight:
    """How one of our networks sees space, and how much of it at a time.

    Parameters
    ----------
    model : the network
    channels : of an image
    context : what it needs to see around a voxel, where that was measured
    """
    shape = (1, *(4 * step for step in model.stride), channels)
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    most = most_voxels(model.apply, variables, image)
    return Sight(model.halo, model.stride, most=most, patches=True, context=context)


def stored_context(folder: Path, ndim: int) -> Context:
    """What was measured with the network of a checkpoint, or nothing.

    Parameters
    ----------
    folder : of the checkpoint
    ndim : dimensions of its images

    Raises
    ------
    InputError : the file cannot be read
    """
    file = folder / CONTEXT
    if not file.is_file():
        return ()
    try:
        return context_of(json.loads(file.read_text())["context"], ndim)
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "remove the file, and a part of the training patch is taken instead"
        raise InputError(f"not a file of measured context: {error}", where=file, fix=fix) from error
