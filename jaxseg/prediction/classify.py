"""The class of a voxel instead of its planes, found on the device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.prediction.stream import Forward


def classified(forward: Forward, *, threshold: float = 0.5, dtype: str = "uint8") -> Forward:
    """A function that gives one integer per voxel where ``forward`` gives a plane per class.

    Of K planes of four bytes each a single byte per voxel is left to leave the device. Classes
    cannot be blended, so tiles must not overlap.

    Parameters
    ----------
    forward : (N, *S, C) to probabilities (N, *S, K); K = 1 for two classes
    threshold : for two classes, the probability above which a voxel is of class 1
    dtype : unsigned; its largest value marks voxels whose probabilities are not finite

    Returns
    -------
    (N, *S, C) to (N, *S, 1); of equal probabilities the first class

    >>> found = classified(lambda tiles: tiles)(jnp.array([[[[0.2, 0.7], [0.5, jnp.nan]]]]))
    >>> found[..., 0].tolist(), found.dtype.name
    ([[[1, 255]]], 'uint8')
    """
    unknown = jnp.iinfo(dtype).max

    @jax.jit
    def pick(planes: jax.Array) -> jax.Array:
        if planes.shape[-1] == 1:
            found = (planes > threshold).astype(dtype)
        else:
            found = planes.argmax(axis=-1, keepdims=True).astype(dtype)
        finite = jnp.isfinite(planes).all(axis=-1, keepdims=True)
        return jnp.where(finite, found, jnp.asarray(unknown, dtype))

    def classes(tiles: Any) -> jax.Array:
        return pick(forward(tiles))

    return classes
