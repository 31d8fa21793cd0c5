"""How far along an axis the voxels are that a network's output depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence

Shape = tuple[int, ...]


def kernels(kernel: int, isotropic: Sequence[bool], levels: int, ndim: int) -> tuple[Shape, ...]:
    """Size of the convolution kernel at each level, (z)yx.

    >>> kernels(3, (False, True), 2, 3)
    ((1, 3, 3), (3, 3, 3))
    """
    whole = isotropic or (True,) * levels
    return tuple(((kernel if z else 1), kernel, kernel)[-ndim:] for z in whole)


def u_shape(
    down: Sequence[Shape], up: Sequence[Shape], strides: Sequence[Shape], *, linear: bool
) -> Shape:
    """Receptive radius of an encoder and a decoder with skip connections, for each axis.

    Parameters
    ----------
    down : voxels that the encoder's block at each level looks around itself, the bottleneck last
    up : the same for the decoder's block at each level but the last
    strides : reduction from each level to the next
    linear : whether the decoder interpolates

    >>> u_shape([(2,), (2,)], [(2,)], [(2,)], linear=False)
    (9,)
    """

    def along(axis: int) -> int:
        below, above, step = (tuple(level[axis] for level in part) for part in (down, up, strides))
        return radius(below, above, step, linear)

    return tuple(along(axis) for axis in range(len(down[0])))


def radius(down: Shape, up: Shape, strides: Shape, linear: bool) -> int:
    """Farthest input voxel that an output voxel depends on, along one axis.

    Follows the interval of voxels that one output voxel needs, from the output down to the
    bottleneck and up to the input, for every position of the voxel within the total stride.
    """
    farthest = 0
    for start in range(math.prod(strides)):
        low = high = start
        for around, step in zip(up, strides, strict=True):
            low, high = low - around, high + around
            if linear and step > 1:
                low, high = low - 1, high + 1
            low, high = low // step, high // step
        low, high = low - down[-1], high + down[-1]
        for around, step in reversed(list(zip(down, strides, strict=False))):
            low, high = low * step - around, high * step + step - 1 + around
        farthest = max(farthest, start - low, high - start)
    return farthest


def around(kernel: Shape, times: int = 1) -> Shape:
    """Voxels on each side that some convolutions in a row see."""
    return tuple(times * (size // 2) for size in kernel)


def plus(*reaches: Shape) -> Shape:
    """The reach of blocks in a row."""
    return tuple(map(sum, zip(*reaches, strict=True)))
