"""What is left out at random in training; every sample has a key of its own."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def fold(key: jax.Array | None, number: int) -> jax.Array:
    """Keys (N,) for one of several random decisions.

    Raises
    ------
    ValueError : no key, though something is random
    """
    if key is None:
        raise ValueError("training with dropout needs key, one per sample")
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(key, number)


def drop_channels(key: jax.Array, image: jax.Array, rate: float) -> jax.Array:
    """Whole channels set to 0 at random, the others scaled up (Tompson et al. 2015).

    Parameters
    ----------
    key : (N,) keys, one per sample, so that a sample's mask does not depend on its neighbours
    image : (N, *S, C)
    rate : probability of a channel to be dropped
    """
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, image.shape[-1:]))(key)
    factor = kept.astype(image.dtype) / jnp.asarray(1 - rate, image.dtype)
    return image * jnp.expand_dims(factor, tuple(range(1, image.ndim - 1)))


def drop_change(key: jax.Array, change: jax.Array, rate: float) -> jax.Array:
    """The change that a residual block makes, 0 for some samples (Huang et al. 2016).

    Parameters
    ----------
    key : (N,) keys, one per sample
    change : (N, *S, C)
    rate : probability of a sample to be left as it is; the others change more in return
    """
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate))(key)
    factor = kept.astype(change.dtype) / jnp.asarray(1 - rate, change.dtype)
    return change * jnp.expand_dims(factor, tuple(range(1, change.ndim)))
