"""Mirror images and quarter turns: exact, and all of them together one movement."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

Bit = jax.Array | bool


class Turn(NamedTuple):
    """First y and x exchanged or not, then every axis mirrored or not.

    A Python ``False`` is known when the program is compiled, and costs nothing.
    """

    exchange: Bit
    """Whether y and x change places; only in patches where both are of equal length."""
    mirror: tuple[Bit, ...]
    """For every axis, (z)yx, whether it is mirrored."""

    def then(self, other: Turn) -> Turn:
        """Both turns, this one first."""
        *depth, y, x = self.mirror
        inner = (*depth, _choose(other.exchange, x, y), _choose(other.exchange, y, x))
        mirror = tuple(_differ(a, b) for a, b in zip(inner, other.mirror, strict=True))
        return Turn(_differ(self.exchange, other.exchange), mirror)

    def only_if(self, on: Bit) -> Turn:
        """The turn itself, or none."""
        return Turn(_both(self.exchange, on), tuple(_both(bit, on) for bit in self.mirror))


def quarter_turn(key: jax.Array, *, ndim: int, square: bool) -> Turn:
    """A turn by 90, 180 or 270 degrees in the yx plane, equally likely.

    Parameters
    ----------
    key : jax.Array
        Random key.
    ndim : int
        Spatial axes.
    square : bool
        Whether y and x are of equal length; otherwise the turn is by 180 degrees.

    Returns
    -------
    Turn

    Examples
    --------
    >>> quarter_turn(jax.random.key(0), ndim=2, square=False)
    Turn(exchange=False, mirror=(True, True))
    """
    depth = (False,) * (ndim - 2)
    if not square:
        return Turn(False, (*depth, True, True))
    times = jax.random.randint(key, (), 1, 4)
    return Turn(times != 2, (*depth, times != 3, times != 1))


def flip(key: jax.Array, *, ndim: int, square: bool, axis: int) -> Turn:
    """One axis mirrored; ``axis`` counts from the last one, -1 is x. Nothing is drawn.

    >>> flip(jax.random.key(0), ndim=3, square=True, axis=-1)
    Turn(exchange=False, mirror=(False, False, True))
    """
    return Turn(False, tuple(place == ndim + axis for place in range(ndim)))


def turned(array: jax.Array, turn: Turn) -> jax.Array:
    """An array after a turn.

    Parameters
    ----------
    array : jax.Array
        (*S, ...), y and x of equal length if they are exchanged.
    turn : Turn
        What to do.

    Returns
    -------
    jax.Array
        Of the same shape and type.

    Examples
    --------
    >>> turned(jnp.arange(4).reshape(2, 2), Turn(True, (True, False))).tolist()
    [[1, 3], [0, 2]]
    """
    ndim = len(turn.mirror)
    if turn.exchange is not False:
        swapped = jnp.swapaxes(array, ndim - 2, ndim - 1)
        array = swapped if turn.exchange is True else jnp.where(turn.exchange, swapped, array)
    for axis, bit in enumerate(turn.mirror):
        if bit is not False:
            flipped = jnp.flip(array, axis)
            array = flipped if bit is True else jnp.where(bit, flipped, array)
    return array


def random_orientation(
    key: jax.Array,
    image: jax.Array,
    labels: jax.Array,
    *,
    flips: bool = True,
    quarter_turns: bool = True,
) -> tuple[jax.Array, jax.Array]:
    """Image and labels mirrored and turned, voxel by voxel; all outcomes are equally likely.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C).
    labels : jax.Array
        (*S), or (*S, L) for several label images.
    flips : bool
        Mirror every axis or not.
    quarter_turns : bool
        Turn in the yx plane by multiples of 90°, of 180° if y and x differ in length.

    Returns
    -------
    image, labels : jax.Array
        Of the same shapes.
    """
    ndim = image.ndim - 1
    square = image.shape[ndim - 1] == image.shape[ndim - 2]
    exchange, *mirror = jax.random.bernoulli(key, shape=(1 + ndim,))
    exchange = exchange if quarter_turns and square else False
    if not flips:
        # A turn mirrors both axes, or one of them and exchanges the two.
        mirror = [False] * ndim if not quarter_turns else [*[False] * (ndim - 2), *mirror[-2:]]
        mirror[-2] = _differ(mirror[-1], exchange)
    turn = Turn(exchange, tuple(mirror))
    return turned(image, turn), turned(labels, turn)


def _both(one: Bit, other: Bit) -> Bit:
    if one is False or other is False:
        return False
    if other is True:
        return one
    return other if one is True else jnp.logical_and(one, other)


def _differ(one: Bit, other: Bit) -> Bit:
    if isinstance(one, bool) and isinstance(other, bool):
        return one != other
    if one is False:
        return other
    return one if other is False else jnp.logical_xor(one, other)


def _choose(condition: Bit, one: Bit, other: Bit) -> Bit:
    if isinstance(condition, bool):
        return one if condition else other
    return other if one is other else jnp.where(condition, one, other)
