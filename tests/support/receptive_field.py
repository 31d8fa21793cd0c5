"""How far a network sees, by its gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.models import Model


def farthest_seen(model: Model) -> int:
    """The greatest distance along x at which a voxel changes a logit, in 2D, for every phase."""
    reach, step = model.halo[1], model.stride[1]
    size = 2 * step * (-(-(reach + step) // step))
    image = jnp.asarray(np.random.default_rng(0).normal(size=(1, step, size, 1)), jnp.float32)
    variables = model.init(jax.random.key(0), image)
    own = jax.jit(jax.grad(lambda image, x: model.apply(variables, image)[0, 0, x, 0]))
    farthest = 0
    for start in (0, step - 1):
        place = size // 2 + start
        seen = np.flatnonzero(np.abs(own(image, place)).sum((0, 1, 3)))
        farthest = max(farthest, place - seen.min(), seen.max() - place)
    return farthest
