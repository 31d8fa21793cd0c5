"""Random numbers from ranges, and a random stream for every name."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp


def named_key(key: jax.Array, name: str) -> jax.Array:
    """A key that follows from another one and a name, so that other names do not change it.

    Parameters
    ----------
    key : jax.Array
        Key of the sample.
    name : str
        Any text.

    Returns
    -------
    jax.Array
        Key of the named stream.

    Examples
    --------
    >>> key = jax.random.key(0)
    >>> bool(named_key(key, "zoom") == named_key(key, "zoom"))
    True
    """
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return jax.random.fold_in(key, int.from_bytes(digest))


def pair(limit: float | Sequence[float], low: float) -> tuple[float, float]:
    """Lowest and highest value; a single number is the highest, and then ``low`` the lowest.

    >>> pair(0.5, -0.5), pair((0.1, 0.2), 0.0)
    ((-0.5, 0.5), (0.1, 0.2))
    """
    if isinstance(limit, (int, float)):
        return low, float(limit)
    first, last = limit
    return float(first), float(last)


def symmetric(limit: float | Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value; a single number stands for minus to plus this.

    >>> symmetric(0.5)
    (-0.5, 0.5)
    """
    return pair(limit, -limit if isinstance(limit, (int, float)) else 0.0)


def reciprocal(limit: float | Sequence[float]) -> tuple[float, float]:
    """Smallest and largest factor; a single number stands for its reciprocal to itself.

    >>> reciprocal(2.0)
    (0.5, 2.0)
    """
    return pair(limit, 1 / limit if isinstance(limit, (int, float)) else 1.0)


def uniform(
    key: jax.Array,
    limits: Sequence[float],
    shape: Sequence[int] = (),
    dtype: jnp.dtype | type = jnp.float32,
) -> jax.Array:
    """Numbers between two limits, all equally likely.

    >>> float(uniform(jax.random.key(0), (2.0, 2.0)))
    2.0
    """
    low, high = limits
    return jax.random.uniform(key, tuple(shape), dtype, minval=low, maxval=high)


def log_uniform(
    key: jax.Array,
    limits: Sequence[float],
    shape: Sequence[int] = (),
    dtype: jnp.dtype | type = jnp.float32,
) -> jax.Array:
    """Numbers between two positive limits, of which the logarithm is uniform.

    >>> round(float(log_uniform(jax.random.key(0), (2.0, 2.0))), 6)
    2.0
    """
    low, high = limits
    return jnp.exp(uniform(key, (math.log(low), math.log(high)), shape, dtype))


def integer(key: jax.Array, limits: Sequence[int]) -> jax.Array:
    """A whole number between two limits, both included.

    >>> int(integer(jax.random.key(0), (3, 3)))
    3
    """
    low, high = limits
    return jax.random.randint(key, (), low, high + 1)


def coin(key: jax.Array, probability: float) -> jax.Array | bool:
    """Whether something happens; nothing is drawn where it always does.

    >>> coin(jax.random.key(0), 1.0)
    True
    """
    return True if probability >= 1 else jax.random.bernoulli(key, probability)
