"""Muon: steps whose kernels are orthogonal matrices, so that every direction is learned alike.

After Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/, with the step length of Liu
et al. (2025), https://arxiv.org/abs/2502.16982, for which a learning rate of Adam suits. optax has
it, too, but multiplies the whole matrix in every iteration; for kernels of convolutions, nine or
more times as high as wide, a CPU then takes as long as for the rest of a training step. Here only
the square of the matrix changes, and the matrix is multiplied once: the same numbers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

# Coefficients of the polynomial of Newton and Schulz and how often it is applied, of the source.
A, B, C = 3.4445, -4.775, 2.0315
ITERATIONS = 5
MOMENTUM = 0.95
# Root mean square of the numbers of a step before the learning rate, as Adam's often is.
SIZE = 0.2


class Momentum(NamedTuple):
    """State of Muon."""

    mean: Any


def scale_by_muon() -> optax.GradientTransformation:
    """Directions of kernels: their momentum as orthogonal matrices; all leaves must be kernels.

    A kernel is a matrix from all that it reads to all that it writes: its last axis against all
    others.
    """

    def init(params: Any) -> Momentum:
        return Momentum(jax.tree.map(jnp.zeros_like, params))

    def update(updates: Any, state: Momentum, params: Any = None) -> tuple[Any, Momentum]:
        del params
        mean = optax.tree.update_moment(updates, state.mean, MOMENTUM, 1)
        # Nesterov's: one more step of the average in the direction of the gradient.
        ahead = optax.tree.update_moment(updates, mean, MOMENTUM, 1)
        return jax.tree.map(_direction, ahead), Momentum(mean)

    return optax.GradientTransformation(init, update)


def orthogonal(matrix: jax.Array) -> jax.Array:
    """A matrix of the same singular vectors whose singular values are near 1, from 0.7 to 1.2.

    Those that are below a thousandth of the root of the sum of their squares stay smaller.

    Parameters
    ----------
    matrix : (m, n) float

    Returns
    -------
    (m, n) float

    >>> import numpy as np
    >>> found = orthogonal(jnp.array([[3.0, 0.0], [0.0, 0.5], [0.0, 0.0]]))
    >>> bool(np.all(abs(np.linalg.svd(found)[1] - 1) < 0.35))
    True
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    wide = matrix / (jnp.linalg.norm(matrix) + 1e-8)
    # X goes to P X with P = A + B X X^T + C (X X^T)^2, and so X X^T, with which P commutes, to
    # P X X^T P: as long as X is not asked for, small square matrices are all that is multiplied.
    # Squares of singular values need all the digits of float32, which a GPU would not compute with.
    with jax.default_matmul_precision("highest"):
        square, one = wide @ wide.T, jnp.eye(len(wide), dtype=wide.dtype)
        factor = one
        for _ in range(ITERATIONS):
            polynomial = A * one + B * square + C * (square @ square)
            factor, square = polynomial @ factor, polynomial @ square @ polynomial
        return factor @ wide


def roles(params: Any) -> Any:
    """Of every parameter ``kernel`` where Muon suits it, or ``other``.

    What acts on each channel alone is no matrix: biases, norms and kernels that are depthwise. The
    answers of a head are no directions of one space, and grow too slowly by steps of one size.

    >>> leaf = jax.ShapeDtypeStruct
    >>> roles({"conv": {"kernel": leaf((3, 3, 8, 8), float), "bias": leaf((8,), float)}})
    {'conv': {'bias': 'other', 'kernel': 'kernel'}}
    """

    def kind(path: Any, leaf: Any) -> str:
        names = [str(getattr(part, "key", part)) for part in path]
        alone = leaf.ndim < 2 or leaf.shape[-2] == 1 or any("depthwise" in name for name in names)
        ends = any(name.startswith("head") for name in names)
        return "kernel" if names[-1] == "kernel" and not alone and not ends else "other"

    return jax.tree_util.tree_map_with_path(kind, params)


def _direction(kernel: jax.Array) -> jax.Array:
    rows, columns = math.prod(kernel.shape[:-1]), kernel.shape[-1]
    length = SIZE * math.sqrt(max(rows, columns))
    return length * orthogonal(kernel.reshape(rows, columns)).reshape(kernel.shape)
