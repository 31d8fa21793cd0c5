"""What a network sees beyond the ends of an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from jaxseg.geometry import reflect_indices
from jaxseg.volume import Volume


class Border(NamedTuple):
    """How an image goes on beyond its ends.

    Parameters
    ----------
    indices : (start, stop, size) to the voxels of an axis that are seen there
    faces : (ndim, 2, C) float32 values in place of all that is beyond the first and the last voxel
        of an axis, the last axis first; None = the voxels
    """

    indices: Callable[[int, int, int], np.ndarray] = reflect_indices
    faces: np.ndarray | None = None

    def fill(self, block: np.ndarray, start: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
        """A block (*S, C) with the values of the faces where it is beyond the image.

        Parameters
        ----------
        block : of voxels, those beyond the image included
        start : its first voxel
        shape : of the image
        """
        if self.faces is None:
            return block
        for axis, (first, size) in enumerate(zip(start, shape, strict=True)):
            view = np.moveaxis(block, axis, 0)
            view[: max(-first, 0)] = self.faces[axis, 0]
            view[max(size - first, 0) :] = self.faces[axis, 1]
        return block


MIRRORED = Border()


def nearest_indices(start: int, stop: int, size: int) -> np.ndarray:
    """Indices of an axis whose first and last voxel are repeated for ever.

    >>> nearest_indices(-2, 5, 3)
    array([0, 0, 0, 1, 2, 2, 2])
    """
    return np.clip(np.arange(start, stop), 0, size - 1)


def face_medians(image: Volume) -> np.ndarray:
    """The median of every channel in the first and the last plane along each axis.

    Parameters
    ----------
    image : (*S, C), of which only these planes are read

    Returns
    -------
    (ndim, 2, C) float64

    >>> volume = Volume(np.arange(6.0).reshape(2, 3, 1), "yxc", (1.0, 1.0))
    >>> face_medians(volume)[..., 0].tolist()
    [[1.0, 4.0], [1.5, 3.5]]
    """
    shape, found = image.spatial_shape, []
    for axis, size in enumerate(shape):
        for at in (0, size - 1):
            start = [at if other == axis else 0 for other in range(len(shape))]
            stop = [at + 1 if other == axis else side for other, side in enumerate(shape)]
            plane = image.read(start, stop).reshape(-1, image.channels)
            found.append(np.median(plane, axis=0))
    return np.reshape(found, (len(shape), 2, image.channels))


def _reflect(image: Volume, scale: Callable[[np.ndarray], np.ndarray]) -> Border:
    del image, scale
    return MIRRORED


def _replicate(image: Volume, scale: Callable[[np.ndarray], np.ndarray]) -> Border:
    del image, scale
    return Border(nearest_indices)


def _median(image: Volume, scale: Callable[[np.ndarray], np.ndarray]) -> Border:
    return Border(nearest_indices, scale(face_medians(image)))


# By the option predict.border: (image, scaling of its intensities) to its border.
BORDERS: Mapping[str, Callable[[Volume, Callable[[np.ndarray], np.ndarray]], Border]] = (
    MappingProxyType(
        {"none": _reflect, "reflect": _reflect, "replicate": _replicate, "median": _median}
    )
)
