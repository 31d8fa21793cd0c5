"""Random maps of the yx plane and along z; :mod:`jaxseg.augment.resample` applies them.

A map goes from the result to the patch: magnified twice, a voxel comes from half as far away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter1d

from jaxseg.augment import draw
from jaxseg.augment.resample import Affine, places, resampled

Limit = float | Sequence[float]


def random_rotation(key: jax.Array, *, shape: Sequence[int], degrees: Limit = 180.0) -> Affine:
    """Rotation about the centre of the yx plane.

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, (z)yx.
    degrees : float or pair
        Lowest and highest angle; a number stands for minus to plus this.

    Returns
    -------
    Affine
    """
    return rotation(draw.uniform(key, draw.symmetric(degrees)) * jnp.float32(math.pi / 180))


def rotation(angle: jax.Array) -> Affine:
    """Rotation by an angle, or by one for each plane, in radians."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return Affine(_matrix((cos, sin, 0.0), (-sin, cos, 0.0)))


def random_shear(key: jax.Array, *, shape: Sequence[int], degrees: Limit = 20.0) -> Affine:
    """Shear along y or along x, which are equally likely.

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, (z)yx.
    degrees : float or pair
        Lowest and highest angle; a number stands for minus to plus this.

    Returns
    -------
    Affine
    """
    angle_key, axis_key = jax.random.split(key)
    angle = draw.uniform(angle_key, draw.symmetric(degrees)) * jnp.float32(math.pi / 180)
    slope, along_y = jnp.tan(angle), jax.random.bernoulli(axis_key)
    return Affine(
        _matrix(
            (1.0, jnp.where(along_y, slope, 0.0), 0.0), (jnp.where(along_y, 0.0, slope), 1.0, 0.0)
        )
    )


def random_zoom(
    key: jax.Array, *, shape: Sequence[int], factor: Limit = 1.25, z: bool = False
) -> Affine:
    """Magnification about the centre.

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, (z)yx.
    factor : float or pair
        Smallest and largest factor, its logarithm is uniform; a number stands for its reciprocal
        to itself.
    z : bool
        Along z as well, by the same factor.

    Returns
    -------
    Affine
    """
    step = 1 / draw.log_uniform(key, draw.reciprocal(factor))
    depth = jnp.stack([step, jnp.zeros_like(step)]) if z and len(shape) == 3 else None
    return Affine(_matrix((step, 0.0, 0.0), (0.0, step, 0.0)), depth)


def random_shift(
    key: jax.Array, *, shape: Sequence[int], share: Limit = 0.1, z: bool = False
) -> Affine:
    """Displacement, drawn anew for each axis.

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, (z)yx.
    share : float or pair
        Lowest and highest displacement as a share of the side of the patch; a number stands for
        minus to plus this.
    z : bool
        Along z as well.

    Returns
    -------
    Affine
    """
    shares = draw.uniform(key, draw.symmetric(share), (3,))
    y, x = -shares[1] * shape[-2], -shares[2] * shape[-1]
    plane = _matrix((1.0, 0.0, y), (0.0, 1.0, x))
    if not z or len(shape) != 3:
        return Affine(plane)
    return Affine(plane, jnp.stack([jnp.float32(1), -shares[0] * shape[0]]))


def random_crop_scale(key: jax.Array, *, shape: Sequence[int], scale: Limit = (0.5, 1.0)) -> Affine:
    """A part of the yx plane, anywhere in it, enlarged to the whole.

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, (z)yx.
    scale : float or pair
        Smallest and largest side of the part as a share of the side of the patch; a number is the
        smallest, with 1 the largest.

    Returns
    -------
    Affine
    """
    size_key, place_key = jax.random.split(key)
    limits = (float(scale), 1.0) if isinstance(scale, (int, float)) else tuple(scale)
    side = draw.uniform(size_key, limits)
    # Voxel 0 of the result comes from the first voxel of the part, the last from its last.
    room = (1 - side) / 2 * jnp.array([shape[-2] - 1, shape[-1] - 1], jnp.float32)
    y, x = room * draw.uniform(place_key, (-1.0, 1.0), (2,))
    return Affine(_matrix((side, 0.0, y), (0.0, side, x)))


def random_misalignment(
    key: jax.Array,
    *,
    shape: Sequence[int],
    displacement: float = 16.0,
    rotate_ratio: float = 0.5,
) -> Affine:
    """One plane of a stack, or all from one on, displaced or rotated in yx.

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, zyx.
    displacement : float
        Largest displacement along y and x, in whole voxels.
    rotate_ratio : float
        Probability of a rotation instead; its angle moves a corner by at most ``displacement``.

    Returns
    -------
    Affine
        With one map for each plane.
    """
    depth, height, width = shape
    kind_key, place_key, slip_key, way_key, angle_key = jax.random.split(key, 5)
    planes, first = jnp.arange(depth), jax.random.randint(place_key, (), min(1, depth - 1), depth)
    moved = jnp.where(jax.random.bernoulli(slip_key), planes == first, planes >= first)
    y, x = jnp.round(draw.uniform(way_key, (-displacement, displacement), (2,)))
    largest = 2 * math.asin(min(1.0, displacement / max(1.0, math.hypot(height, width))))
    rotates = jax.random.bernoulli(kind_key, rotate_ratio)
    angle = jnp.where(rotates, draw.uniform(angle_key, (-largest, largest)), 0.0) * moved
    way = jnp.where(rotates, 0.0, jnp.stack([y, x])) * moved[:, None]
    return rotation(angle).then(Affine(_matrix((1.0, 0.0, way[:, 0]), (0.0, 1.0, way[:, 1]))))


def random_deformation(
    key: jax.Array, *, shape: Sequence[int], alpha: Limit = (12.0, 16.0), sigma: float = 4.0
) -> jax.Array:
    """A smooth field of displacements in the yx plane (Simard et al. 2003).

    Parameters
    ----------
    key : jax.Array
        Random key.
    shape : sequence of int
        Spatial shape of the patch, (z)yx.
    alpha : float or pair
        Lowest and highest factor of the smoothed noise; a number is both.
    sigma : float
        Standard deviation of the Gaussian, in voxels.

    Returns
    -------
    jax.Array
        (2, Y, X) displacements along y and x, in voxels.
    """
    noise_key, alpha_key = jax.random.split(key)
    noise = draw.uniform(noise_key, (-1.0, 1.0), (2, *shape[-2:]))
    limits = (float(alpha),) * 2 if isinstance(alpha, (int, float)) else tuple(alpha)
    # The field is small: two products with matrices compile faster than a filter of many taps.
    along_y, along_x = (
        gaussian_filter1d(np.eye(length, dtype=np.float32), sigma, axis=0, mode="mirror")
        for length in shape[-2:]
    )
    exact = jax.lax.Precision.HIGHEST
    smooth = jnp.einsum("ij,djk,lk->dil", along_y, noise, along_x, precision=exact)
    return smooth * draw.uniform(alpha_key, limits)


def random_rotation_zoom(
    key: jax.Array,
    image: jax.Array,
    labels: jax.Array,
    *,
    degrees: Limit = 0.0,
    zoom: Limit = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """Image and labels rotated and zoomed about the centre of the yx plane by one coordinate map.

    What comes in from outside is the mirror image at the border. An object may then appear twice
    under its id, as itself and as its mirror image.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float; linear interpolation.
    labels : jax.Array
        (*S) or (*S, L) int; nearest neighbour.
    degrees : float or pair
        Lowest and highest angle; a number stands for minus to plus this.
    zoom : float or pair
        Smallest and largest factor, its logarithm is uniform; a number stands for its reciprocal
        to itself.

    Returns
    -------
    image, labels : jax.Array
        Of the same shapes.
    """
    angle_key, zoom_key = jax.random.split(key)
    shape = image.shape[:-1]
    turn = random_rotation(angle_key, shape=shape, degrees=degrees)
    at = places(turn.then(random_zoom(zoom_key, shape=shape, factor=zoom)), None, shape, shape)
    return (
        resampled(image, at, ndim=len(shape), linear=True, border="reflect"),
        resampled(labels, at, ndim=len(shape), linear=False, border="reflect"),
    )


def _matrix(*rows: Sequence[jax.Array | float]) -> jax.Array:
    """Homogeneous (3, 3) from two rows, or (Z, 3, 3) where their numbers are (Z,)."""
    numbers = [jnp.asarray(number, jnp.float32) for row in rows for number in row]
    numbers += [jnp.float32(0), jnp.float32(0), jnp.float32(1)]
    whole = jnp.stack(jnp.broadcast_arrays(*numbers), axis=-1)
    return whole.reshape(*whole.shape[:-1], 3, 3)
