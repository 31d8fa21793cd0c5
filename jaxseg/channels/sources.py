"""Where the true values of a channel come from: target functions and the options that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg import targets
from jaxseg.channels.spec import Target
from jaxseg.config.channels import Affinity, Radial, Semantic
from jaxseg.errors import ConfigError

# What every target function that measures something needs to know beside the labels.
MEASURES = ("spacing", "max_distance", "max_label")


def single(
    function: Callable[..., jax.Array],
    *,
    context: Sequence[str] = (),
    options: Sequence[str] = (),
    **fixed: Any,
) -> Target:
    """One column, known everywhere, from a function of the labels.

    Parameters
    ----------
    function : labels (*S) to (*S)
    context : which of spacing, reach, objects and classes it takes
    options : which options of the channel it takes
    **fixed : its other arguments

    Returns
    -------
    the target of a row of the table
    """

    def target(labels: Any, *, options: Any, **known: Any) -> tuple[jax.Array, None]:
        taken = {name: known[name] for name in context}
        taken |= {name: getattr(options, name) for name in names}
        return function(labels, **taken, **fixed)[..., None], None

    names = tuple(options)
    return target


def affinity_offsets(options: Affinity, ndim: int) -> targets.Offsets:
    """The offsets of the columns of A: the half neighbourhood, then the offsets given.

    Parameters
    ----------
    options : of the channel A
    ndim : 2 or 3

    Returns
    -------
    offsets in voxels, (z)yx; direct neighbours if the options name none

    Raises
    ------
    ConfigError : an offset of the wrong length, all zero, or there twice

    >>> affinity_offsets(Affinity(neighborhood=4, offsets=((0, 9),)), 2)
    ((0, 1), (1, 0), (0, 9))
    """
    listed = options.offsets
    if options.neighborhood or not listed:
        listed = (*targets.half_neighborhood(ndim, options.neighborhood), *listed)
    seen: set[tuple[int, ...]] = set()
    for offset in listed:
        if len(offset) != ndim or not any(offset):
            expected = f"{ndim} numbers, not all zero"
            raise ConfigError("illegal offset of channel A", expected=expected, found=offset)
        if offset in seen:
            raise ConfigError("an offset of channel A or its opposite is there twice", found=offset)
        seen |= {offset, tuple(-step for step in offset)}
    return listed


def affinities(labels: Any, *, options: Affinity, **_: Any) -> tuple[jax.Array, jax.Array]:
    """A: unknown where the partner is outside."""
    offsets = affinity_offsets(options, labels.ndim)
    inside = targets.partner_inside(labels.shape, offsets=offsets)
    if options.widen:
        labels = targets.set_apart(jnp.asarray(labels), width=options.widen)
    return targets.affinities(labels, offsets=offsets), inside


def class_planes(
    labels: Any, *, options: Semantic, classes: Any, **_: Any
) -> tuple[jax.Array, jax.Array]:
    """S: of the class image if there is one beside the labels, else the labels are the classes."""
    values = labels if classes is None else classes
    return targets.class_planes(values, number=options.classes, ignore=options.ignore)


def radial(labels: Any, *, spacing: Any, options: Radial, **_: Any) -> tuple[Any, None]:
    """R: to the end; ``max_distance`` is about the depth of objects and bounds no ray."""
    return targets.radial_distances(
        labels, spacing=spacing, nrays=options.nrays, norm=options.norm
    ), None
