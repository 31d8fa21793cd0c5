"""Random arrays, and functions that are equal with their gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def normal(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def equal_with_gradients(first, second, *arguments):
    weight = normal(*jax.eval_shape(first, *arguments).shape, seed=9)
    positions = tuple(range(len(arguments)))
    results = [
        jax.jit(jax.value_and_grad(lambda *given, f=f: (f(*given) * weight).sum(), positions))(
            *arguments
        )
        for f in (first, second)
    ]
    np.testing.assert_allclose(first(*arguments), second(*arguments), rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
