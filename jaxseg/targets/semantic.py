"""The class of every voxel as planes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def class_planes(classes: Any, *, number: int, ignore: int = -1) -> tuple[jax.Array, jax.Array]:
    """One plane per class, 1 where the voxel has it; of two classes only the second.

    Parameters
    ----------
    classes : (*S) int, 0 .. number - 1
    number : of classes, background included
    ignore : a value that does not count; -1 = none

    Returns
    -------
    planes : (*S, number) float32, or (*S, 1) for two classes
    counts : (*S, number or 1) bool, False where the value is ``ignore`` or no class at all

    >>> planes, counts = class_planes(jnp.array([0, 2, 255]), number=3, ignore=255)
    >>> planes.tolist(), counts[:, 0].tolist()
    ([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], [True, True, False])
    """
    classes = jnp.asarray(classes)
    counts = (classes >= 0) & (classes < number) & (classes != ignore)
    planes = jax.nn.one_hot(jnp.where(counts, classes, -1), number, dtype=jnp.float32)
    if number == 2:
        planes = planes[..., 1:]
    return planes, jnp.broadcast_to(counts[..., None], planes.shape)
