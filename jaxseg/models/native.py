"""The compiled kernels of the recipe ``native``: found, loaded and registered on first use.

They are built when the package is installed where there is a compiler; where there is none, nothing
is missed but speed. ``native/`` has their source.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import ConfigError

MODULE = "jaxseg.models._native"
KINDS = ("conv", "depthwise", "spread")
# Activations that some kernels compute at the same time, by the number that they know.
ACTIVATIONS = {"elu": 0, "relu": 1, "none": 2}
HANDLERS = (
    *(f"jaxseg_{kind}{part}" for kind in KINDS for part in ("", "_of_image", "_of_kernel")),
    "jaxseg_conv_activated",
    "jaxseg_spread_activated",
    "jaxseg_moments",
    "jaxseg_norm",
    "jaxseg_norm_sums",
    "jaxseg_norm_back",
    "jaxseg_add",
    "jaxseg_add_back",
)


@functools.cache
def missing() -> str:
    """Why the kernels cannot be used; empty if they can. Loads and registers them."""
    if jax.default_backend() != "cpu":
        return f"they are for the CPU and JAX computes on {jax.default_backend()}"
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        return "they were not built: reinstall jaxseg where a C++ compiler is installed"
    try:
        library = ctypes.CDLL(spec.origin)
        for name in HANDLERS:
            capsule = jax.ffi.pycapsule(getattr(library, name))
            jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    except (OSError, AttributeError, RuntimeError, ValueError) as error:
        return f"{spec.origin} cannot be loaded: {error}"
    return ""


def call(name: str, results: Any, *operands: jax.Array, **attributes: int) -> Any:
    """One kernel.

    Parameters
    ----------
    name : of the handler
    results : the shape of the result, or a tuple of shapes; all float32
    operands : float32 arrays; the results differ between devices as the first one does
    attributes : whole numbers that the handler takes beside the threads

    Returns
    -------
    the result, or a tuple of them
    """
    if reason := missing():
        raise ConfigError("the compiled kernels cannot be used", where=name, found=reason)
    first = operands[0]
    many = isinstance(results, tuple) and bool(results) and isinstance(results[0], tuple)
    shapes = [_result(shape, first) for shape in (results if many else (results,))]
    kernel = jax.ffi.ffi_call(name, tuple(shapes) if many else shapes[0], vmap_method="sequential")
    numbers = {key: np.int64(value) for key, value in attributes.items()}
    return kernel(*operands, threads=np.int64(threads(first)), **numbers)


def _result(shape: tuple[int, ...], like: jax.Array) -> jax.ShapeDtypeStruct:
    """A result that varies over the mesh axes that an operand varies over."""
    kind = jax.typeof(like)
    mesh = kind.sharding.mesh
    sharding = None
    if not mesh.empty:
        sharding = jax.NamedSharding(mesh, jax.P(*(None,) * len(shape)))
    return jax.ShapeDtypeStruct(
        shape, jnp.float32, sharding=sharding, manual_axis_type=kind.manual_axis_type
    )


def threads(operand: jax.Array) -> int:
    """Threads of one kernel: the cores of the process, shared among the devices of the mesh."""
    mesh = jax.typeof(operand).sharding.mesh
    devices = 1 if mesh.empty else mesh.size
    return max(1, cores() // devices)


def cores() -> int:
    """Cores that the process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
