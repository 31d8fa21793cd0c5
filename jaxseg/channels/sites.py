"""The rows of synaptic sites: where they are, and the way to the partner."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import jax.numpy as jnp

from jaxseg import losses, targets
from jaxseg.channels.links import binary_cross_entropy, compared, identity, sigmoid
from jaxseg.channels.sources import single
from jaxseg.channels.spec import ChannelSpec
from jaxseg.config.channel_options import Partner, Site
from jaxseg.symmetry import Component


def site(side: Literal["pre", "post"]) -> ChannelSpec:
    """The row of the sites of one side."""
    return ChannelSpec(
        options=Site,
        target=single(targets.site_closeness, options=("shape",), side=side),
        link=sigmoid,
        loss=binary_cross_entropy,
        binary=True,
    )


def partner(axis: int, *, ndims: tuple[int, ...] = (2, 3)) -> ChannelSpec:
    """The row of one component of the way to the partner; it counts where a partner is seen."""

    def target(labels: Any, *, spacing: Any, options: Partner, max_label: Any, **_: Any) -> Any:
        offsets, known = targets.partner_offset(
            labels, axis=axis, spacing=spacing, max_label=max_label, unit=options.unit
        )
        return offsets[..., None], jnp.asarray(known)[..., None]

    return ChannelSpec(
        options=Partner,
        ndims=ndims,
        target=target,
        link=identity,
        loss=compared(losses.absolute_error, identity),
        symmetry=lambda ndim, options: Component(axis, "partner"),
    )


SITES: Mapping[str, ChannelSpec] = MappingProxyType(
    {
        "F_pre": site("pre"),
        "F_post": site("post"),
        "H_pre": partner(-1),
        "V_pre": partner(-2),
        "Z_pre": partner(-3, ndims=(3,)),
    }
)
