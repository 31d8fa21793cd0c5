"""Small batches and meshes for a training step."""

from __future__ import annotations

import jax
import numpy as np

from jaxseg.checkpoint import flatten


def mesh_of(devices: int):
    return jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])


def arrays(tree):
    return [np.asarray(leaf) for leaf in jax.device_get(flatten(tree)).values()]
