"""Channel E: offsets to the centre of the object, sigmas and seediness, learned together.

Columns are one offset per axis, (z)yx, one sigma per axis, and the seediness.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg import losses, targets
from jaxseg.config.channels import Embedding

Ratios = dict[str, tuple[jax.Array, jax.Array]]


def embedding_width(ndim: int, options: Embedding) -> int:
    """Two columns per axis and one more."""
    return 2 * ndim + 1


def embedding_names(name: str, ndim: int, options: Embedding) -> tuple[str, ...]:
    """What it is, and the axis: ``E_offset_y`` to ``E_seediness``."""
    axes = "zyx"[-ndim:]
    parts = [f"{name}_{part}_{axis}" for part in ("offset", "sigma") for axis in axes]
    return (*parts, f"{name}_seediness")


def embedding_link(logits: jax.Array, options: Embedding) -> jax.Array:
    """Offsets of no more than a unit, sigmas as they are, a probability."""
    ndim = logits.shape[-1] // 2
    offsets, sigmas, seed = jnp.split(logits, (ndim, 2 * ndim), axis=-1)
    return jnp.concatenate([jnp.tanh(offsets), sigmas, jax.nn.sigmoid(seed)], axis=-1)


def embedding_target(
    labels: Any, *, spacing: Any, max_distance: Any, max_label: Any, options: Embedding, **_: Any
) -> tuple[jax.Array, None]:
    """Planes that lead back to the objects: what the loss rewards most.

    Every voxel of an object points to its centre, its kernel is 0.5 at half the distance from
    the deepest voxel of the object to the outside, and its seediness is 1; in the background all
    is 0.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel, (z)yx, µm; None = 1
    max_distance : how far distances are followed along each axis, in voxels; None = to the end
    max_label : a number that no label exceeds, needed inside jit
    options : size of a unit and kind of centre

    Returns
    -------
    (*S, 2 d + 1) float32, and None: known everywhere
    """
    places, centres = _geometry(labels, spacing, max_label, options)
    depth = targets.other_label_distance(
        labels, spacing=spacing, max_distance=max_distance, background=False
    )
    unit = options.grid_size * (min(spacing) if spacing is not None else 1.0)
    return _perfect(labels, places, centres, jnp.asarray(depth) / unit), None


@jax.jit
def _perfect(
    labels: jax.Array, places: jax.Array, centres: jax.Array, depth: jax.Array
) -> jax.Array:
    deepest = jax.ops.segment_max(depth.ravel(), labels.ravel(), num_segments=len(centres))
    margin = jnp.maximum(deepest, 1e-6) / 2
    sigma = jnp.log(math.log(2) / jnp.square(margin)) / losses.SHARPNESS
    sigmas = jnp.broadcast_to(sigma[labels][..., None], places.shape)
    offsets = jnp.clip(centres[labels] - places, -1, 1)
    planes = jnp.concatenate([offsets, sigmas, jnp.ones((*labels.shape, 1))], axis=-1)
    return jnp.where((labels > 0)[..., None], planes, 0)


def _geometry(
    labels: Any, spacing: Sequence[float] | None, max_label: int | None, options: Embedding
) -> tuple[jax.Array, jax.Array]:
    """Places of the voxels (*S, d) and centres of the objects (R, d)."""
    step = targets.place_steps(spacing, ndim=labels.ndim, grid_size=options.grid_size)
    places = targets.voxel_places(labels.shape, step)
    centres = targets.object_centres(labels, places, max_label=max_label, center=options.center)
    return places, centres


# --------------------------------------------------------------------------- loss and metric


def embedding_loss(
    values: jax.Array,
    labels: jax.Array,
    counts: jax.Array,
    *,
    options: Embedding,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
) -> Ratios:
    """The terms of :func:`jaxseg.losses.embedding_losses` with their weights.

    Parameters
    ----------
    values : (N, *S, 2 d + 1) float, linked
    labels : (N, *S) int32
    counts : (N, *S) bool, the voxels that count
    options : weights, size of a unit and kind of centre
    spacing : size of a voxel, (z)yx, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit

    Returns
    -------
    numerators and denominators (N,) of instance, variance and seed
    """
    terms = losses.embedding_losses(
        *_flat(values, labels, counts, spacing, max_label, options),
        foreground_weight=options.foreground_weight,
    )
    weights = {
        "instance": options.instance_weight,
        "variance": options.variance_weight,
        "seed": options.seed_weight,
    }
    return {name: (weights[name] * top, bottom) for name, (top, bottom) in terms.items()}


def embedding_metric(
    values: jax.Array,
    labels: jax.Array,
    counts: jax.Array,
    *,
    options: Embedding,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
) -> Ratios:
    """The IoU of :func:`jaxseg.losses.embedding_overlap`; parameters of :func:`embedding_loss`."""
    return {
        "IoU": losses.embedding_overlap(*_flat(values, labels, counts, spacing, max_label, options))
    }


def _flat(
    values: jax.Array,
    labels: jax.Array,
    counts: jax.Array,
    spacing: Sequence[float] | None,
    max_label: int | None,
    options: Embedding,
) -> tuple[losses.Embedding, losses.Objects]:
    """Predicted embeddings and true objects, the voxels of a sample in one row."""
    number, ndim = len(labels), labels.ndim - 1
    geometry = functools.partial(_geometry, spacing=spacing, max_label=max_label, options=options)
    places, centres = jax.vmap(geometry)(labels)
    offsets, sigmas, seediness = jnp.split(values, (ndim, 2 * ndim), axis=-1)
    predicted = losses.Embedding(
        (places + offsets).reshape(number, -1, ndim),
        sigmas.reshape(number, -1, ndim),
        seediness.reshape(number, -1),
    )
    rows, known = (jnp.asarray(array).reshape(number, -1) for array in (labels, counts))
    true = losses.Objects(rows, centres, known)
    return predicted, true
