"""Losses of spatial embeddings: every voxel points to the centre of its object.

After Neven et al. (2019) and Lalit et al. (2022), EmbedSeg. Everything is computed for all objects
of all samples: sums per object as segment sums; what compares an object with the whole image, in
chunks of objects, so that memory does not grow with their number and absent ones cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.losses.lovasz import lovasz_hinge

# The kernel falls as exp(-exp(SHARPNESS * sigma) * distance ** 2).
SHARPNESS = 10.0
# Of SHARPNESS * sigma; beyond it a kernel is wider than any image or narrower than any voxel.
WIDEST, NARROWEST = -40.0, 40.0
# Voxels of images that are compared with objects at the same time.
AT_ONCE = 2**19

Ratio = tuple[jax.Array, jax.Array]


class Embedding(NamedTuple):
    """Predicted values of N samples of P voxels in d dimensions.

    Parameters
    ----------
    places : (N, P, d) float32, where every voxel points
    sigma : (N, P, d) float32, how narrow the kernel of its object is, see :func:`narrowness`
    seediness : (N, P) float32
    """

    places: jax.Array
    sigma: jax.Array
    seediness: jax.Array


class Objects(NamedTuple):
    """True objects of N samples.

    Parameters
    ----------
    labels : (N, P) int32, below R
    centres : (N, R, d) float32; row 0, the background, is not used
    counts : (N, P) bool, the voxels that count
    """

    labels: jax.Array
    centres: jax.Array
    counts: jax.Array


def narrowness(sigma: Any) -> Any:
    """Factor of the squared distances in the kernel, along every axis.

    Parameters
    ----------
    sigma : (...) float, NumPy or JAX

    Returns
    -------
    (...) of the same type, above 0 and finite

    >>> narrowness(np.array([0.0, -0.1, 0.2])).round(3).tolist()
    [1.0, 0.368, 7.389]
    """
    xp = np if isinstance(sigma, np.ndarray) else jnp
    return xp.exp(xp.clip(SHARPNESS * sigma, WIDEST, NARROWEST))


def kernel(places: jax.Array, centres: jax.Array, narrow: jax.Array) -> jax.Array:
    """How surely a place belongs to a centre: 1 at the centre, 0 far away.

    Parameters
    ----------
    places, centres, narrow : (..., d) float, or of shapes that broadcast

    Returns
    -------
    (...) float

    >>> kernel(jnp.array([[3.0, 0.0], [3.0, 1.0]]), jnp.array([3.0, 0.0]), jnp.ones(2)) > 0.5
    Array([ True, False], dtype=bool)
    """
    return jnp.exp(-(narrow * jnp.square(places - centres)).sum(axis=-1))


def embedding_losses(
    predicted: Embedding, true: Objects, *, foreground_weight: float = 10.0
) -> dict[str, Ratio]:
    """The three terms of the loss of EmbedSeg.

    Parameters
    ----------
    predicted : of the network
    true : objects
    foreground_weight : of voxels of objects in the term of the seediness

    Returns
    -------
    numerators and denominators (N,), to be added up over samples before they are divided.
    ``instance``: Lovász hinge of ``2 kernel - 1`` over the whole image, sum over objects;
    ``variance``: mean squared difference of sigma from its mean in the object, sum over objects;
    ``seed``: squared difference of the seediness from the kernel, from 0 in the background, sum
    over voxels. A sample without objects has 0 in the first two and their denominators
    """
    labels, counts, number, rows = _known(true)
    samples = jnp.arange(len(labels))[:, None]
    sizes = _per_object(number, labels, rows)
    mean = _per_object(predicted.sigma, labels, rows) / jnp.maximum(sizes, 1)[..., None]
    narrow = narrowness(mean)
    own = kernel(predicted.places, true.centres[samples, labels], narrow[samples, labels])
    inside = labels > 0
    spread = jnp.square(predicted.sigma - lax.stop_gradient(mean)[samples, labels]).mean(axis=-1)
    share = jnp.where(inside, 1 / jnp.maximum(sizes, 1)[samples, labels], 0)
    wanted = jnp.where(inside, lax.stop_gradient(own), 0)
    weight = jnp.where(inside, foreground_weight, counts.astype(jnp.float32))
    present = sizes[:, 1:] > 0

    def hinge(near: jax.Array, target: jax.Array, known: jax.Array, _: jax.Array) -> jax.Array:
        return lovasz_hinge(2 * near - 1, target, known)

    compared = _over_objects(hinge, predicted, true._replace(labels=labels), narrow, sizes)
    found = present.sum(axis=1, dtype=jnp.float32)
    seed = (weight * jnp.square(predicted.seediness - wanted)).sum(axis=1)
    return {
        "instance": (compared, found),
        "variance": ((share * spread).sum(axis=1), found),
        "seed": (seed, counts.sum(axis=1, dtype=jnp.float32)),
    }


def embedding_overlap(predicted: Embedding, true: Objects) -> Ratio:
    """IoU of every object with the voxels that its kernel and the seediness, both above 0.5, give.

    Parameters
    ----------
    predicted, true : as for :func:`embedding_losses`

    Returns
    -------
    (N,) sum over objects, and their number
    """
    labels, _, number, rows = _known(true)
    sizes = _per_object(number, labels, rows)
    mean = _per_object(predicted.sigma, labels, rows) / jnp.maximum(sizes, 1)[..., None]

    def iou(near: jax.Array, target: jax.Array, known: jax.Array, seed: jax.Array) -> jax.Array:
        inside = (near > 0.5) & (seed > 0.5) & known
        both = (inside & target).sum(axis=-1, dtype=near.dtype)
        either = (inside | target).sum(axis=-1, dtype=near.dtype)
        return both / jnp.maximum(either, 1)

    compared = _over_objects(iou, predicted, true._replace(labels=labels), narrowness(mean), sizes)
    return compared, (sizes[:, 1:] > 0).sum(axis=1, dtype=jnp.float32)


def _known(true: Objects) -> tuple[jax.Array, jax.Array, jax.Array, int]:
    """Labels without the voxels that do not count; 1 for every voxel; number of rows."""
    labels = jnp.where(true.counts, true.labels, 0)
    return labels, true.counts, jnp.ones(labels.shape, jnp.float32), true.centres.shape[1]


def _per_object(values: jax.Array, labels: jax.Array, rows: int) -> jax.Array:
    """Sums over the voxels of every object: (N, P, ...) to (N, R, ...)."""
    return jax.vmap(lambda v, ids: jax.ops.segment_sum(v, ids, num_segments=rows))(values, labels)


def _over_objects(
    function: Callable[..., jax.Array],
    predicted: Embedding,
    true: Objects,
    narrow: jax.Array,
    sizes: jax.Array,
) -> jax.Array:
    """Per sample, the sum over its objects of a function of object and whole image.

    Parameters
    ----------
    function : (kernel, target, counts, seediness), (chunk, P) each, to (chunk,)
    """
    samples, rows = sizes.shape
    chunk = max(1, min(AT_ONCE // predicted.seediness.shape[1], samples * rows))
    present = (sizes > 0).at[:, 0].set(False).ravel()
    # The objects that are there come first; chunks of others are passed over.
    pairs = jnp.argsort(~present, stable=True)
    pairs = jnp.pad(pairs, (0, -len(pairs) % chunk)).reshape(-1, chunk)
    centres, narrow = (table.reshape(samples * rows, -1) for table in (true.centres, narrow))

    @jax.checkpoint
    def compare(pair: jax.Array) -> jax.Array:
        sample = pair // rows
        near = kernel(predicted.places[sample], centres[pair][:, None], narrow[pair][:, None])
        target = true.labels[sample] == (pair % rows)[:, None]
        return function(near, target, true.counts[sample], predicted.seediness[sample])

    def none(pair: jax.Array) -> jax.Array:
        # Zeros made from the tables are as much spread over devices as what is compared.
        return jnp.where(present[pair], 0, 0).astype(predicted.places.dtype)

    def of_chunk(pair: jax.Array) -> jax.Array:
        return lax.cond(present[pair[0]], compare, none, pair)

    first = jnp.arange(pairs.size).reshape(pairs.shape) < present.sum()
    values = jnp.where(first, lax.map(of_chunk, pairs), 0)
    return jax.ops.segment_sum(values.ravel(), pairs.ravel() // rows, num_segments=samples)
