"""Networks as pairs of pure functions, ``init`` and ``apply``.

Only this package knows Flax; everything else sees :class:`Model`, so that another library for
modules would change this package alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax

from jaxseg.config import UNet
from jaxseg.models import unet
from jaxseg.models.model import Model
from jaxseg.models.recipes import RecipeName, default_recipe

__all__ = ["Model", "build", "count_parameters"]

BUILDERS: Mapping[type, Callable[..., Model]] = MappingProxyType({UNet: unet.build})


def build(
    config: UNet,
    heads: tuple[int, ...] | int,
    ndim: int,
    *,
    dtype: str = "float32",
    recipe: RecipeName | None = None,
) -> Model:
    """The network that a configuration describes.

    Parameters
    ----------
    config : options of an architecture; its type chooses the architecture
    heads : number of output channels, or of those of each head; logits hold one head after another
    ndim : number of spatial axes, 2 or 3
    dtype : element type of the arithmetic, float32 or bfloat16; parameters, statistics and logits
        are float32
    recipe : how convolutions are computed, "cpu" or "plain"; None = as the default backend likes.
        Both give the same numbers out of the same parameters

    Returns
    -------
    Model

    >>> import jax, jax.numpy as jnp
    >>> model = build(UNet(features=(4, 8)), 2, ndim=2)
    >>> image = jnp.zeros((1, 8, 8, 1))
    >>> variables = model.init(jax.random.key(0), image)
    >>> model.apply(variables, image).shape, model.halo, model.stride
    ((1, 8, 8, 2), (9, 9), (2, 2))
    """
    heads = (heads,) if isinstance(heads, int) else tuple(heads)
    return BUILDERS[type(config)](
        config, heads, ndim, dtype=dtype, recipe=recipe or default_recipe()
    )


def count_parameters(variables: Mapping[str, object]) -> int:
    """Number of trained values."""
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
