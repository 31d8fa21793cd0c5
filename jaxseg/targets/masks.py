"""Targets that say of every voxel whether it belongs to an object."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.targets.footprint import Radius, closed, dilated, eroded, radii
from jaxseg.targets.ids import compact


def foreground(labels: Any, *, dilation: Radius = 0, erosion: Radius = 0) -> jax.Array:
    """1 inside any object, 0 in the background.

    Parameters
    ----------
    labels : (*S) int
    dilation : every object grows by an ellipsoid of this radius, in voxels, one or one per axis
    erosion : then every object, by itself, shrinks by one, so that touching objects part

    Returns
    -------
    (*S) float32

    >>> foreground(jnp.array([0, 1, 2])).tolist()
    [0.0, 1.0, 1.0]
    >>> foreground(jnp.array([0, 1, 1, 2, 2, 2]), erosion=1).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    """
    labels = compact(labels)
    grow, shrink = radii(dilation, labels.ndim), radii(erosion, labels.ndim)
    if any(grow) and any(shrink):
        inside = closed(jnp.asarray(labels), grow=grow, shrink=shrink)
    else:
        inside = dilated(eroded(labels, radius=shrink) > 0, radius=grow)
    return jnp.asarray(inside).astype(jnp.float32)


def background(labels: Any, *, dilation: Radius = 0, erosion: Radius = 0) -> jax.Array:
    """1 in the background, 0 inside objects.

    Parameters
    ----------
    labels : (*S) int
    dilation : the background grows by an ellipsoid of this radius, in voxels, one or one per axis,
        also between objects: every object shrinks by itself
    erosion : then it shrinks: objects grow

    Returns
    -------
    (*S) float32

    >>> background(jnp.array([0, 1, 1, 2, 2, 2]), dilation=1).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    inside = eroded(compact(labels), radius=dilation) > 0
    return (~dilated(inside, radius=erosion)).astype(jnp.float32)
