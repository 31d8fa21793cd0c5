"""Synaptic sites: how near a voxel is to one, and the way from there to the partner.

Sites are drawn as numbers that move with the image as labels do, so that what is learned is
computed after a patch was turned and zoomed: a vector needs no turning of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.targets.ids import compact, segments

# Closeness is drawn as whole numbers up to this one.
LEVELS = 255
# A core that reaches further than so many of its radii is seen twice, as in a mirror: its middle is
# no site.
SPREAD = 2.0


class Sites(NamedTuple):
    """What is drawn of pre- and postsynaptic sites, (*S) int each.

    Parameters
    ----------
    pre, post : how near the nearest site is, from 1 at the border of its ball to :data:`LEVELS`; 0
        outside of the balls
    partner : in balls around postsynaptic sites the number of the presynaptic site
    core : in small balls around presynaptic sites their numbers; their middles are the sites
    """

    pre: Any
    post: Any
    partner: Any
    core: Any

    @classmethod
    def of(cls, planes: Any) -> Sites:
        """Sites out of one array of planes, (*S, 4)."""
        return cls(*(planes[..., plane] for plane in range(len(cls._fields))))


def sites_of(truth: Any) -> Sites:
    """Sites as they are; of a label image every object is a site that is its own partner."""
    if isinstance(truth, Sites):
        return truth
    labels = compact(truth)
    near = LEVELS * (labels > 0)
    return Sites(near, near, labels, labels)


def site_closeness(
    labels: Any, *, side: Literal["pre", "post"], shape: Literal["cone", "ball"] = "cone"
) -> jax.Array:
    """Values in the balls around sites of one side.

    Parameters
    ----------
    labels : Sites, or (*S) int
        See :func:`sites_of`.
    side : {"pre", "post"}
        Which sites.
    shape : {"cone", "ball"}
        cone: 1 at the site and less towards the border of the ball; ball: 1 everywhere in it.

    Returns
    -------
    jax.Array
        (*S) float32; 0 outside of the balls.

    Examples
    --------
    >>> site_closeness(jnp.array([0, 2, 2]), side="pre").tolist()
    [0.0, 1.0, 1.0]
    """
    near = jnp.asarray(getattr(sites_of(labels), side), jnp.float32)
    return (near > 0).astype(jnp.float32) if shape == "ball" else near / LEVELS


def partner_offset(
    labels: Any,
    *,
    axis: int,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    unit: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The way along one axis from voxels of postsynaptic sites to the presynaptic partner.

    Parameters
    ----------
    labels : Sites, or (*S) int
        See :func:`sites_of`.
    axis : int
        Along which, counted from the last: -1 is x.
    spacing : sequence of float, optional
        Size of a voxel, (z)yx, µm; None = 1.
    max_label : int, optional
        A number that no label exceeds, needed inside jit.
    unit : float
        Length that has the value 1.

    Returns
    -------
    offsets : jax.Array
        (*S) float32, positive where the partner is further along the axis.
    known : jax.Array
        (*S) bool, where there is a postsynaptic site whose partner can be seen.

    Examples
    --------
    >>> post, core = jnp.array([0, 1, 0, 0]), jnp.array([0, 0, 0, 1])
    >>> offsets, known = partner_offset(Sites(core, post, post, core), axis=-1, max_label=1)
    >>> offsets.tolist(), known.tolist()
    ([0.0, 2.0, 0.0, 0.0], [False, True, False, False])
    """
    sites = sites_of(labels)
    rows = segments(sites.core, max_label)
    sizes = tuple(map(float, spacing or (1.0,) * sites.core.ndim))
    return _partner_offset(sites.partner, sites.core, axis % len(sizes), sizes, rows, unit)


@functools.partial(jax.jit, static_argnames=("axis", "sizes", "rows", "unit"))
def _partner_offset(
    partner: jax.Array, core: jax.Array, axis: int, sizes: tuple[float, ...], rows: int, unit: float
) -> tuple[jax.Array, jax.Array]:
    ids = core.ravel()

    def total(values: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(values.ravel(), ids, num_segments=rows)

    count = total(jnp.ones(core.shape, jnp.float32))
    spread, middles = jnp.zeros(rows), []
    for each, (size, length) in enumerate(zip(sizes, core.shape, strict=True)):
        # Seen from the middle of the image, sums stay small and rounding with them.
        place = (lax.broadcasted_iota(jnp.float32, core.shape, each) - (length - 1) / 2) * size
        middle = total(place) / jnp.maximum(count, 1)
        spread += total((place - middle[core]) ** 2) / jnp.maximum(count, 1)
        middles.append((place, middle))
    volume = count * math.prod(sizes)
    radius = (
        (volume * 3 / (4 * math.pi)) ** (1 / 3) if len(sizes) == 3 else (volume / math.pi) ** 0.5
    )
    seen = (count > 0) & (jnp.arange(rows) > 0) & (jnp.sqrt(spread) <= SPREAD * radius)
    place, middle = middles[axis]
    # A site without a partner has a number that no core has.
    known = (partner > 0) & seen[jnp.clip(partner, 0, rows - 1)] & (partner < rows)
    return jnp.where(known, (middle[jnp.clip(partner, 0, rows - 1)] - place) / unit, 0), known
