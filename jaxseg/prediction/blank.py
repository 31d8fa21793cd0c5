"""Tiles that are left out of a prediction: their planes are 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

Prepare = Callable[[np.ndarray], np.ndarray]


def blanking(prepare: Prepare, left_out: Callable[[np.ndarray], bool]) -> Prepare:
    """A preparation of tiles that marks those that are left out by NaN.

    Parameters
    ----------
    prepare : callable
        (*S, C) intensities to (*S, C) float32.
    left_out : callable
        (*S, C) intensities to whether the tile is left out.

    Returns
    -------
    callable
        Like ``prepare``.

    Examples
    --------
    >>> prepare = blanking(lambda tile: tile / 2, lambda tile: tile.max() < 3)
    >>> prepare(np.array([[2.0]])), prepare(np.array([[4.0]]))
    (array([[nan]]), array([[2.]]))
    """

    def prepared(tile: np.ndarray) -> np.ndarray:
        ready = prepare(tile)
        return np.full_like(ready, np.nan) if left_out(tile) else ready

    return prepared


def blank_planes(forward: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A network that answers 0 for tiles that are marked by NaN.

    Parameters
    ----------
    forward : callable
        (N, *S, C) to (N, *S, K).

    Returns
    -------
    callable
        Like ``forward``.

    Examples
    --------
    >>> forward = blank_planes(lambda tiles: tiles + 1)
    >>> forward(jnp.array([[[1.0]], [[jnp.nan]]])).ravel().tolist()
    [2.0, 0.0]
    """

    def answered(tiles: Any) -> Any:
        tiles = jnp.asarray(tiles)
        axes = tuple(range(1, tiles.ndim))
        blank = jnp.isnan(tiles).any(axis=axes, keepdims=True)
        planes = forward(jnp.where(blank, 0, tiles))
        # Classes have no axis of channels.
        blank = blank.reshape(len(tiles), *[1] * (planes.ndim - 1))
        return jnp.where(blank, jnp.zeros((), planes.dtype), planes)

    return answered
