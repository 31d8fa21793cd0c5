"""Objects out of flows: voxels that end at the same place are of one object."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy import ndimage

from jaxseg.channels import columns, spec_of
from jaxseg.config import Channel, FlowTracking
from jaxseg.config.option import checked
from jaxseg.decoding.judging import judged, mean_problems
from jaxseg.decoding.mask import check_columns, grown_in, mask_plan, without_flow
from jaxseg.decoding.watershed.decode import Steps
from jaxseg.decoding.watershed.growth import foreground_plane, growth_mask
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.labels.objects import compact, fill_holes
from jaxseg.symmetry import Component

# A peak is the place within so many voxels where most voxels end; the places around it that more
# than FEW voxels reach, in as many turns as GROW, belong to it.
APART, FEW, GROW = 2, 2, 5


def flow(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: FlowTracking | None = None,
) -> np.ndarray:
    """Objects from flows by tracking, after Stringer et al. (2021), Cellpose.

    Every voxel of the mask follows the interpolated flow in steps of its length. Where many voxels
    end is the centre of an object, and all voxels that end there are the object.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns: the components of a flow, and a channel that tells
        objects from background
    spacing : size of a voxel, (z)yx, µm; None = 1; the same as for the true planes
    options : steps and sizes

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects; 0 = background, ids 1..N

    Raises
    ------
    ConfigError : planes that are not those of the channels, a missing component, or nothing that
        tells objects from background
    """
    return flow_steps(planes, channels, spacing=spacing, options=options).labels


def flow_steps(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: FlowTracking | None = None,
) -> Steps:
    """The tracking with its steps: seeds are the centres, the surface minus the voxels that end.

    Parameters and errors as for :func:`flow`.

    Returns
    -------
    Steps
    """
    options = checked(options, FlowTracking)
    check_columns(planes, channels)
    places, moving = columns(channels, planes.ndim - 1), components(channels, planes.ndim - 1)
    others = without_flow(channels)
    if not others:
        raise ConfigError("flows do not tell objects from background", fix="add the channel F")
    still = np.concatenate([planes[..., places[channel.name]] for channel in others], axis=-1)
    growth = mask_plan(
        others, ndim=planes.ndim - 1, spacing=spacing, threshold=options.threshold
    ).growth
    mask = growth_mask(still, growth)
    vectors = [planes[..., places[moving[axis]].start] for axis in sorted(moving)]
    sizes = tuple(spacing) if spacing is not None else (1.0,) * mask.ndim
    ends = tracked(np.stack(vectors), mask, spacing=sizes, steps=options.steps)
    hits = np.zeros(mask.shape, np.int32)
    np.add.at(hits, ends, 1)
    seeds = sinks(hits, min_sink=options.min_sink)
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = seeds[ends]
    labels = fill_holes(labels) if options.fill_holes else labels
    foreground = [((slice(None),) * mask.ndim, foreground_plane(still, growth))]
    labels = judged(labels, options, spacing=spacing, foreground=foreground)
    return Steps(labels, seeds, -hits.astype(np.float32), mask)


def flow_problems(
    channels: Sequence[Channel], *, ndim: int, options: FlowTracking
) -> list[JaxsegError]:
    """What would stop the tracking, before anything is computed."""
    return list(mean_problems(options, "flow", grown_in(channels, ndim)))


def components(channels: Sequence[Channel], ndim: int) -> dict[int, str]:
    """For every axis the name of the channel that is the flow along it.

    Raises
    ------
    ConfigError : a component is missing
    """
    found = {}
    for channel in channels:
        kind: Any = spec_of(channel).symmetry(ndim, channel.options)
        if isinstance(kind, Component) and kind.family == "flow":
            found[kind.axis % ndim] = channel.name
    if len(found) < ndim:
        raise ConfigError(
            "the flow has too few components",
            expected=f"{ndim}, one per axis",
            found=" ".join(found.values()) or "none",
        )
    return found


def tracked(
    vectors: np.ndarray, mask: np.ndarray, *, spacing: Sequence[float], steps: int
) -> tuple[np.ndarray, ...]:
    """Where the voxels of a mask end that follow a flow.

    Parameters
    ----------
    vectors : (d, *S) float, in parts of the finest voxel, one component per axis, (z)yx
    mask : (*S) bool; outside it nothing flows
    spacing : size of a voxel, (z)yx, µm
    steps : Euler steps, each as long as the interpolated vector

    Returns
    -------
    d arrays (number of voxels in the mask,) int32, the voxels where they end
    """
    start = np.nonzero(mask)
    if not len(start[0]):
        return start
    scale = min(spacing) / np.asarray(spacing, np.float32).reshape(-1, *[1] * mask.ndim)
    field = np.where(mask, vectors, 0).astype(np.float32) * scale
    # Similar numbers of voxels share one compilation.
    room = 1 << (len(start[0]) - 1).bit_length()
    cells = np.zeros((mask.ndim, room), np.int32)
    cells[:, : len(start[0])] = start
    return tuple(np.asarray(_follow(field, cells, steps))[:, : len(start[0])])


@functools.partial(jax.jit, static_argnames="steps")
def _follow(field: jax.Array, cells: jax.Array, steps: int) -> jax.Array:
    """Where voxels (d, n) int32 end in a field (d, *S).

    A point is a voxel and a fraction of the way to the next one, so that rounding does not depend
    on where in the volume it is: a block ends where the whole does.
    """
    ndim = len(field)
    last = jnp.array(field.shape[1:], jnp.int32)[:, None] - 1

    def interpolated(cells: jax.Array, parts: jax.Array) -> jax.Array:
        total = jnp.zeros(parts.shape)
        for corner in itertools.product((0, 1), repeat=ndim):
            step = jnp.array(corner, jnp.int32)[:, None]
            weight = jnp.where(step == 1, parts, 1 - parts).prod(axis=0)
            total += weight * field[:, *jnp.minimum(cells + step, last)]
        return total

    def step(_: int, points: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        cells, parts = points
        parts = parts + interpolated(cells, parts)
        whole = jnp.floor(parts)
        cells, parts = cells + whole.astype(jnp.int32), parts - whole
        inside = (cells >= 0) & (cells < last)
        return jnp.clip(cells, 0, last), jnp.where(inside, parts, 0)

    cells, parts = lax.fori_loop(0, steps, step, (cells, jnp.zeros(cells.shape)))
    return cells + (parts >= 0.5)


def sinks(hits: np.ndarray, *, min_sink: int) -> np.ndarray:
    """The places where tracked voxels gather, numbered.

    Parameters
    ----------
    hits : (*S) int, how many voxels end at each voxel
    min_sink : the fewest voxels that end in a peak and the places around it

    Returns
    -------
    (*S) int32, 0 and 1..N; peaks that touch are one

    >>> sinks(np.array([[0, 9, 40, 7, 0, 0, 0, 3, 30]]), min_sink=10).tolist()
    [[0, 1, 1, 1, 0, 0, 0, 2, 2]]
    """
    highest = ndimage.maximum_filter(hits, size=2 * APART + 1, mode="constant")
    full = np.ones((3,) * hits.ndim, bool)
    found, _ = ndimage.label((hits == highest) & (hits > FEW), full)
    for _ in range(GROW):
        wider = ndimage.grey_dilation(found, footprint=full, mode="constant")
        found = np.where((found == 0) & (hits > FEW), wider, found)
    gathered = np.bincount(found.ravel(), hits.ravel(), minlength=1)
    return compact(found, gathered >= min_sink).astype(np.int32)
