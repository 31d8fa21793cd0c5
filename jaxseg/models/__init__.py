"""Networks as pairs of pure functions, ``init`` and ``apply``.

Only this package knows Flax; everything else sees :class:`Model`, so that another library for
modules would change this package alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax.numpy as jnp

from jaxseg.config.architectures import Model as Architecture
from jaxseg.config.option import problems
from jaxseg.errors import raise_all
from jaxseg.models import (
    attention_unet,
    hrnet,
    multiresunet,
    resunet,
    resunet_plus_plus,
    resunet_se,
    seunet,
    stunet,
    unet,
    unetr,
    unext_v1,
    unext_v2,
)
from jaxseg.models.model import Model
from jaxseg.models.recipes import RecipeName, default_recipe
from jaxseg.models.style import Style
from jaxseg.models.summary import count_parameters, summary

__all__ = ["Model", "build", "count_parameters", "summary"]

BUILDERS: Mapping[str, Callable[..., Model]] = MappingProxyType(
    {
        "unet": unet.build,
        "resunet": resunet.build,
        "resunet++": resunet_plus_plus.build,
        "attention_unet": attention_unet.build,
        "multiresunet": multiresunet.build,
        "seunet": seunet.build,
        "resunet_se": resunet_se.build,
        "unetr": unetr.build,
        "unext_v1": unext_v1.build,
        "unext_v2": unext_v2.build,
        "hrnet": hrnet.build,
        "stunet": stunet.build,
    }
)


def build(
    config: Architecture,
    heads: tuple[int, ...] | int,
    ndim: int,
    *,
    dtype: str = "float32",
    recipe: RecipeName | None = None,
    remat: bool = False,
) -> Model:
    """The network that a configuration describes.

    Parameters
    ----------
    config : options of an architecture; its type chooses the architecture, or, of a network of your
        own, has a method ``build(heads, ndim, *, style, remat)`` that gives a :class:`Model`
    heads : number of output channels, or of those of each head; logits hold one head after another
    ndim : number of spatial axes, 2 or 3
    dtype : element type of the arithmetic, float32 or bfloat16; parameters, statistics and logits
        are float32
    recipe : how convolutions are computed, "cpu", "native" or "plain"; None = as suits the machine.
        All give the same numbers, but for rounding, out of the same parameters
    remat : in the backward pass compute again what lies inside a block, instead of keeping it: the
        same numbers; meant for GPUs, on a CPU XLA's memory did not shrink

    Returns
    -------
    Model

    >>> import jax, jax.numpy as jnp
    >>> from jaxseg.config import UNet
    >>> model = build(UNet(features=(4, 8)), 2, ndim=2)
    >>> image = jnp.zeros((1, 8, 8, 1))
    >>> variables = model.init(jax.random.key(0), image)
    >>> model.apply(variables, image).shape, model.halo, model.stride
    ((1, 8, 8, 2), (9, 9), (2, 2))
    """
    raise_all(problems(config, "model", Architecture))
    heads = (heads,) if isinstance(heads, int) else tuple(heads)
    style = Style(
        getattr(config, "norm", "none"),
        getattr(config, "activation", "gelu"),
        recipe or default_recipe(),
        jnp.dtype(dtype),
    )
    build_own = getattr(config, "build", None)
    if build_own is not None:
        return build_own(heads, ndim, style=style, remat=remat)
    return BUILDERS[config.architecture](config, heads, ndim, style=style, remat=remat)
