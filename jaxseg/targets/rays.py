"""Distances from every voxel to the end of its object, along many directions.

After Schmidt et al. (2018), StarDist, and Weigert et al. (2020), StarDist-3D. Directions are spread
evenly in physical space, so that voxels longer along one axis do not crowd them, and a distance is
exact: to the face where the ray leaves the object, not to a sample on the ray.

The voxels that a ray passes through, and where it enters them (Amanatides and Woo 1987), are the
same wherever it starts: one after the other, all voxels are compared with the ones a fixed offset
away. On the device, as part of a larger program, these are whole shifted arrays; NumPy arrays, of
which objects cover a part, are read at the voxels of objects only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy import ndimage

from jaxseg.targets.ids import compact

# What an option of 0 rays stands for.
RAYS = {2: 32, 3: 96}
GOLDEN = (1 + math.sqrt(5)) / 2
# Decimals kept of directions, so that those that mirror each other do so exactly.
DIGITS = 12
# Faces that a ray crosses at places closer than this, in voxels, it crosses together, at an edge.
TOGETHER = 1e-6
# Finest voxels that are the unit of normalised distances.
UNIT_VOXELS = 10.0
# Voxels on a ray per turn of the loop: one pass over memory serves several of them.
UNROLL = 8
# Voxels of objects that are followed together on the host.
TOGETHER_ON_HOST = 2**16


def ray_directions(ndim: int, nrays: int = 0) -> np.ndarray:
    """Unit vectors of the rays, in physical space.

    Parameters
    ----------
    ndim : 2: at angles ``2 pi k / nrays``, from +x towards +y; 3: on a golden spiral from +z to -z,
        ``z = 1 - (2 k + 1) / nrays``, ``k / golden ratio`` turns from +x towards +y
    nrays : number of rays; 0 = 32 in 2D, 96 in 3D

    Returns
    -------
    (nrays, ndim) float64, (z)yx

    >>> ray_directions(2, 4).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]
    """
    number = np.arange(nrays or RAYS[ndim])
    if ndim == 2:
        angle = 2 * np.pi * number / len(number)
        vectors = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    else:
        z = 1 - (2 * number + 1) / len(number)
        radius, angle = np.sqrt(1 - z * z), 2 * np.pi * (number / GOLDEN % 1)
        vectors = np.stack([z, radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    return vectors.round(DIGITS) + 0.0  # no negative zeros


def ray_unit(spacing: Sequence[float] | None) -> float:
    """The length, µm, that a normalised ray distance of 1 stands for: ten of the finest voxels.

    A fixed scale, unlike the largest distance of an image, is known where nothing is but a
    prediction.

    >>> ray_unit((2.0, 0.5))
    5.0
    """
    return UNIT_VOXELS * (min(spacing) if spacing is not None else 1.0)


def radial_distances(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    nrays: int = 0,
    norm: bool = False,
) -> jax.Array | np.ndarray:
    """Distance from the centre of every voxel of an object to where its rays leave the object.

    The end of the object is the first face of a voxel on the ray behind which there is another
    label, or nothing: the border of the image ends every ray.

    Parameters
    ----------
    labels : (*S) int, two or three axes
    spacing : size of a voxel along each axis, µm; None = 1
    nrays : see :func:`ray_directions`
    norm : in units of :func:`ray_unit`, else µm

    Returns
    -------
    (*S, nrays) float32, NumPy or JAX as the labels; 0 in the background

    >>> labels = np.array([[0, 1, 1, 1, 0]])
    >>> radial_distances(labels, spacing=(1.0, 2.0), nrays=4)[0, 1].tolist()
    [5.0, 0.5, 1.0, 0.5]
    """
    labels = compact(labels)
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    scale = np.float32(1 / ray_unit(sizes) if norm else 1)
    follow = _on_host if isinstance(labels, np.ndarray) else _on_device
    return follow(labels, sizes, nrays, _reach(labels)) * scale


def _reach(labels: Any) -> tuple[int, ...]:
    """Voxels along each axis that no ray inside an object exceeds."""
    longest = tuple(n - 1 for n in labels.shape)
    if not isinstance(labels, np.ndarray):
        return longest
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    extents = [[part.stop - part.start - 1 for part in box] for box in boxes]
    widest = np.max(extents, axis=0, initial=1) if extents else [1] * labels.ndim
    # Powers of two: images with objects of similar sizes share one compilation.
    return tuple(
        min(1 << int(n).bit_length(), limit) for n, limit in zip(widest, longest, strict=True)
    )


class _Rays(NamedTuple):
    """The voxels that every ray passes through after the first, in their order."""

    offsets: np.ndarray
    """(nrays, T, ndim) int32, from the start; 0 once the reach is exceeded."""
    within: np.ndarray
    """(nrays, T) bool, where it is not exceeded."""
    entry: np.ndarray
    """(nrays, T + 1) float32, distance at which the ray enters them, µm."""


@functools.cache
def _rays(spacing: tuple[float, ...], nrays: int, reach: tuple[int, ...]) -> _Rays:
    speeds = ray_directions(len(spacing), nrays) / np.array(spacing)
    paths = [_path(speed, min(spacing), reach) for speed in speeds]
    # The last voxel of each path is out of reach: only its distance counts.
    turns = max(1, -(-max(len(places) - 1 for places, _ in paths) // UNROLL))
    offsets = np.zeros((len(paths), turns * UNROLL + 1, len(spacing)), np.int32)
    entry = np.zeros(offsets.shape[:2], np.float32)
    for row, (places, distances) in enumerate(paths):
        offsets[row, : len(places)], entry[row, : len(places)] = places, distances
    within = (np.abs(offsets) <= reach).all(axis=-1) & (entry > 0)
    return _Rays(np.where(within[..., None], offsets, 0)[:, :-1], within[:, :-1], entry)


def _path(
    speed: np.ndarray, finest: float, reach: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that a ray passes through until it is out of reach, and distances at their entry."""
    axes = [axis for axis in range(len(speed)) if speed[axis]]
    faces = [np.arange(reach[axis] + 1) + 0.5 for axis in axes]
    distance = np.concatenate([f / abs(speed[a]) for a, f in zip(axes, faces, strict=True)])
    steps = np.zeros((len(distance), len(speed)), np.int32)
    owner = np.repeat(axes, [len(f) for f in faces])
    steps[np.arange(len(owner)), owner] = np.sign(speed[owner])
    order = np.argsort(distance, kind="stable")
    distance, places = distance[order], steps[order].cumsum(axis=0)
    # Of faces crossed together, the voxel behind all of them.
    last = np.diff(distance, append=np.inf) > TOGETHER * finest
    distance, places = distance[last], places[last]
    left = np.flatnonzero((np.abs(places) > reach).any(axis=1))[0]
    return places[: left + 1], distance[: left + 1]


def _on_host(
    labels: np.ndarray, spacing: tuple[float, ...], nrays: int, reach: tuple[int, ...]
) -> np.ndarray:
    rays = _rays(spacing, nrays, reach)
    around = np.pad(labels, [(r, r) for r in reach], constant_values=-1)
    flat = np.full(1 << (around.size - 1).bit_length(), -1, np.int32)
    flat[: around.size] = around.ravel()
    strides = np.cumprod([1, *around.shape[:0:-1]])[::-1]
    steps = (rays.offsets @ strides).astype(np.int32)
    starts = np.flatnonzero(around > 0).astype(np.int32)
    found = np.zeros((len(starts), len(rays.entry)), np.float32)
    known = jnp.asarray(flat), jnp.asarray(steps), jnp.asarray(rays.within), rays.entry
    for first in range(0, len(starts), TOGETHER_ON_HOST):
        some = starts[first : first + TOGETHER_ON_HOST]
        rows = np.pad(some, (0, TOGETHER_ON_HOST - len(some)), mode="edge")
        found[first : first + len(some)] = _gathered(rows, *known)[:, : len(some)].T
    planes = np.zeros((*labels.shape, len(rays.entry)), np.float32)
    planes[labels > 0] = found
    return planes


@jax.jit
def _gathered(
    starts: jax.Array, flat: jax.Array, steps: jax.Array, within: jax.Array, entry: jax.Array
) -> jax.Array:
    """Distances (nrays, P) from voxels (P,) of a flattened image, µm."""
    own = flat[starts]

    def along(ray: tuple[jax.Array, ...]) -> jax.Array:
        def met(step: jax.Array) -> jax.Array:
            return flat.at[starts + ray[0][step]].get(mode="promise_in_bounds")

        return _followed(own, met, *ray[1:])

    return lax.map(along, (steps, within, entry))


def _followed(
    own: jax.Array, met: Callable[[jax.Array], jax.Array], within: jax.Array, entry: jax.Array
) -> jax.Array:
    """Distances along one ray, in the shape of ``own``; 0 where that is background.

    Parameters
    ----------
    own : labels of the voxels where the ray starts
    met : number of a step to the labels that the ray meets there, in the shape of ``own``
    within : (T,) bool, the steps that there are
    entry : (T + 1,) distances at which the ray enters a voxel
    """

    def goes_on(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        step, passed = state
        return (step < len(within)) & (passed == step).any()

    def turned(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        step, passed = state
        for _ in range(UNROLL):
            stays = (passed == step) & (met(step) == own) & within[step]
            step += 1
            passed = jnp.where(stays, step.astype(jnp.int16), passed)
        return step, passed

    begin = jnp.where(own > 0, 0, -1).astype(jnp.int16)
    passed = lax.while_loop(goes_on, turned, (jnp.int32(0), begin))[1]
    return jnp.where(passed < 0, 0, entry[passed])


@functools.partial(jax.jit, static_argnames=("spacing", "nrays", "reach"))
def _on_device(
    labels: jax.Array, spacing: tuple[float, ...], nrays: int, reach: tuple[int, ...]
) -> jax.Array:
    rays = _rays(spacing, nrays, reach)

    # A batch is followed as one: mapped over a loop that stops early, every shift would become a
    # gather of single voxels.
    @jax.custom_batching.custom_vmap
    def distances(one: jax.Array) -> jax.Array:
        return _shifted(one[None], rays, reach)[0]

    @distances.def_vmap
    def _batched(size: int, batched: Any, several: jax.Array) -> tuple[jax.Array, bool]:
        return _shifted(several, rays, reach), True

    return distances(labels)


def _shifted(labels: jax.Array, rays: _Rays, reach: tuple[int, ...]) -> jax.Array:
    """Distances (N, *S, nrays) in labels (N, *S), µm."""
    outside = [(0, 0), *((r, r) for r in reach)]
    around = jnp.pad(labels, outside, constant_values=-1)
    corners = rays.offsets + np.array(reach, np.int32)

    def along(ray: tuple[jax.Array, ...]) -> jax.Array:
        def met(step: jax.Array) -> jax.Array:
            return lax.dynamic_slice(around, (0, *ray[0][step]), labels.shape)

        return _followed(labels, met, *ray[1:])

    return jnp.moveaxis(lax.map(along, (corners, rays.within, rays.entry)), 0, -1)
