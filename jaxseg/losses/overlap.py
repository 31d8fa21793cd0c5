"""Losses of whole samples: how far two masks overlap."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def soft_dice(
    values: jax.Array, target: jax.Array, mask: jax.Array, *, smooth: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """One minus the soft Dice coefficient (Milletari et al. 2016), summed over columns.

    Parameters
    ----------
    values : (N, *S, k) probabilities
    target : (N, *S, k) in [0, 1]
    mask : (N, *S, k) bool, the voxels that count
    smooth : added above and below, so that a small class has a bounded gradient

    Returns
    -------
    loss : (N,) sum of ``1 - dice`` over the columns that the sample has: where a class does not
        occur, overlap says nothing
    columns : (N,) number of those columns

    >>> target = jnp.array([[[1.0, 0.0], [1.0, 0.0]]])
    >>> [float(part[0]) for part in soft_dice(target, target, target >= 0)]
    [0.0, 1.0]
    """
    space = tuple(range(1, target.ndim - 1))
    values, target = jnp.where(mask, values, 0), jnp.where(mask, target, 0)
    shared = (values * target).sum(axis=space)
    true = target.sum(axis=space)
    dice = (2 * shared + smooth) / (values.sum(axis=space) + true + smooth)
    present = true > 0
    return jnp.where(present, 1 - dice, 0).sum(axis=-1), present.sum(axis=-1, dtype=dice.dtype)


def tversky(
    values: jax.Array,
    target: jax.Array,
    mask: jax.Array,
    *,
    false_positives: float,
    false_negatives: float,
    smooth: float = 0.5,
) -> tuple[jax.Array, jax.Array]:
    """One minus the Tversky index (Salehi et al. 2017), summed over columns.

    With 0.5 for both weights it is :func:`soft_dice`; a larger weight of false negatives finds
    more of what is rare, at the price of false positives.

    Parameters
    ----------
    values : (N, *S, k) probabilities
    target : (N, *S, k) in [0, 1]
    mask : (N, *S, k) bool, the voxels that count
    false_positives, false_negatives : weights of the two kinds of mistakes, above 0
    smooth : added above and below, so that a small class has a bounded gradient

    Returns
    -------
    loss : (N,) sum of ``1 - index`` over the columns that the sample has
    columns : (N,) number of those columns

    >>> target = jnp.array([[[1.0], [1.0], [0.0], [0.0]]])
    >>> values = jnp.array([[[1.0], [0.0], [0.0], [0.0]]])
    >>> [round(float(tversky(values, target, target >= 0, false_positives=1 - weight,
    ...                      false_negatives=weight)[0][0]), 3) for weight in (0.5, 0.9)]
    [0.25, 0.375]
    """
    space = tuple(range(1, target.ndim - 1))
    values, target = jnp.where(mask, values, 0), jnp.where(mask, target, 0)
    shared = (values * target).sum(axis=space)
    true = target.sum(axis=space)
    wrong = false_positives * (values.sum(axis=space) - shared) + false_negatives * (true - shared)
    index = (shared + smooth) / (shared + wrong + smooth)
    present = true > 0
    return jnp.where(present, 1 - index, 0).sum(axis=-1), present.sum(axis=-1, dtype=index.dtype)
