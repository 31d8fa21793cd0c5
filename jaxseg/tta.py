"""Test-time augmentation: the mean of the predictions for an image turned in several ways."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxseg.channels import kinds
from jaxseg.config import Channel
from jaxseg.errors import JaxsegWarning
from jaxseg.symmetry import (
    Group,
    Move,
    Orientation,
    Scalar,
    inverse,
    moves,
    orientations,
    turn,
)
from jaxseg.targets import shifted

Forward = Callable[[Any], jax.Array]
Mode = Literal["mean", "min", "max"]
Turn = tuple[Orientation, tuple[Move, ...]]


def averaged(
    forward: Forward,
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None = None,
    group: Group = "full",
    mode: Mode = "mean",
) -> Forward:
    """A function that predicts as ``forward`` does, averaged over turned images.

    Every prediction is turned back, and its columns with it: components of vectors change places
    and signs, affinities go to the column of the turned offset. An affinity that is only known at
    the other voxel of a pair is taken from there; in the strip along the border where that voxel
    is outside, the mean is over the orientations that do say it, the identity always among them.

    Parameters
    ----------
    forward : (N, *S, C) to values of the channels (N, *S, K)
    channels : in the order of the columns
    ndim : 2 or 3
    spacing : size of a voxel, (z)yx; where y and x differ they are not exchanged; None = equal
    group : none 1, flips 4 in 2D and 8 in 3D, full 8 and 16 orientations
    mode : min or max take the smallest or the largest value in place of the mean, of columns that
        only move with their voxels; components of vectors and affinities are always averaged

    Returns
    -------
    (N, *S, C) to (N, *S, K) float32, one call of ``forward`` per orientation; where an image is
    not square, half of the calls of ``full`` have y and x exchanged

    Warns
    -----
    JaxsegWarning : orientations that are left out, because the channels have no column for a
        turned one, or y and x differ in spacing
    """
    every = orientations(ndim, group)
    isotropic = spacing is None or spacing[-1] == spacing[-2]
    turns = turns_used(channels, ndim=ndim, isotropic=isotropic, group=group)
    if len(turns) < len(every):
        reason = "the channels" if isotropic else "the spacing of y and x"
        _warn(len(turns), len(every), reason)
    if len(turns) == 1:
        return forward

    def mean(image: Any) -> jax.Array:
        total, known = jnp.zeros(()), jnp.zeros(())
        for orientation, back in turns:
            values = forward(turn(image, orientation, first=1))
            restored, present = _restored(values, orientation, back)
            total, known = total + restored, known + present
        return total / known

    if mode == "mean":
        return mean
    extreme, start = (jnp.minimum, jnp.inf) if mode == "min" else (jnp.maximum, -jnp.inf)
    single = [
        isinstance(kind, Scalar) for _, kind, width in kinds(channels, ndim) for _ in range(width)
    ]

    def outermost(image: Any) -> jax.Array:
        total, known, found = jnp.zeros(()), jnp.zeros(()), jnp.full((), start)
        for orientation, back in turns:
            values = forward(turn(image, orientation, first=1))
            restored, present = _restored(values, orientation, back)
            total, known = total + restored, known + present
            found = extreme(found, restored)
        return jnp.where(jnp.asarray(single), found, total / known)

    return outermost


def turns_used(
    channels: Sequence[Channel], *, ndim: int, isotropic: bool, group: Group
) -> list[Turn]:
    """The orientations of a group that are averaged, and how columns move when turned back.

    Parameters
    ----------
    channels, ndim, group : as for :func:`averaged`
    isotropic : whether voxels have the same size along y and x

    Returns
    -------
    list of Turn
    """
    allowed = [way for way in orientations(ndim, group) if isotropic or not way.transposes]
    return [(way, back) for way in allowed if (back := _moves_back(channels, ndim, way))]


def _warn(used: int, every: int, reason: str) -> None:
    warnings.warn(
        f"test-time augmentation uses {used} of {every} orientations: {reason} cannot express"
        " the others",
        JaxsegWarning,
        stacklevel=3,
    )


def _moves_back(
    channels: Sequence[Channel], ndim: int, orientation: Orientation
) -> tuple[Move, ...] | None:
    """How the columns move when a turned prediction is turned back."""
    return moves(kinds(channels, ndim), inverse(orientation))


@functools.partial(jax.jit, static_argnames=("orientation", "back"))
def _restored(
    values: jax.Array, orientation: Orientation, back: tuple[Move, ...]
) -> tuple[jax.Array, jax.Array]:
    """A prediction for a turned image as one for the image, 0 where it does not say, and where.

    Returns
    -------
    values : (N, *S, K) float32
    present : (*S, K) float32, 1 where they are known
    """
    turned = turn(values.astype(jnp.float32), inverse(orientation), first=1)
    inside = jnp.ones(turned.shape[1:-1])
    columns, present = [], []
    for source, sign, shift in back:
        columns.append(shifted(sign * turned[..., source], (0, *shift)))
        present.append(shifted(inside, shift))
    return jnp.stack(columns, axis=-1), jnp.stack(present, axis=-1)
