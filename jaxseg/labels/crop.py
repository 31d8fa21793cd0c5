"""The inner part of an image, where objects are not cut by its border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.errors import ConfigError


def cropped(image: np.ndarray, border: Sequence[int]) -> np.ndarray:
    """An image without its outermost voxels.

    Parameters
    ----------
    image : (*S, ...)
    border : voxels to cut from either side of every spatial axis; empty = none

    Returns
    -------
    a view of the image

    Raises
    ------
    ConfigError : nothing would be left

    >>> cropped(np.arange(6), (2,))
    array([2, 3])
    """
    return image[inner(image.shape, border)]


def inner(shape: Sequence[int], border: Sequence[int]) -> tuple[slice, ...]:
    """The index of what is left of an image of some shape; see :func:`cropped`."""
    if any(2 * cut >= n for n, cut in zip(shape, border, strict=False)):
        raise ConfigError(
            "the border leaves nothing of the image",
            where="evaluate.border_crop",
            expected=f"less than half of {tuple(shape[: len(border)])}",
            found=tuple(border),
        )
    return tuple(slice(cut, n - cut) for n, cut in zip(shape, border, strict=False))
