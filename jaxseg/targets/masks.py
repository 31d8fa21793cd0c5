"""Targets that say of every voxel whether it belongs to an object."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.targets.ids import compact


def foreground(labels: Any) -> jax.Array:
    """1 inside any object, 0 in the background.

    Parameters
    ----------
    labels : (*S) int

    Returns
    -------
    (*S) float32

    >>> foreground(jnp.array([0, 1, 2])).tolist()
    [0.0, 1.0, 1.0]
    """
    return (jnp.asarray(compact(labels)) > 0).astype(jnp.float32)
