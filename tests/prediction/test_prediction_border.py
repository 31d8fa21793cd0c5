"""What a network sees beyond an image: as NumPy pads it, tile by tile or in one piece."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg import prediction
from jaxseg.geometry import Box
from jaxseg.prediction.border import BORDERS, face_medians
from jaxseg.prediction.stream import read_beyond
from jaxseg.volume import Volume


def volume(shape: tuple[int, ...]) -> Volume:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 99, (*shape, 2)).astype(np.uint8)
    return Volume(array, "zyx"[-len(shape) :] + "c", (1.0,) * len(shape), "a")


def padded(image: Volume, width: int, kind: str) -> np.ndarray:
    """The image with a margin on all sides; the last axis decides where several are left."""
    array, ndim = image.array(), image.ndim_spatial
    mode: Any = "reflect" if kind in ("none", "reflect") else "edge"
    found = np.pad(array.astype(np.float32), [(width, width)] * ndim + [(0, 0)], mode=mode)
    if kind == "median":
        for axis in range(ndim):
            view, faces = np.moveaxis(found, axis, 0), np.moveaxis(array, axis, 0)
            view[:width] = np.median(faces[0].reshape(-1, 2), axis=0)
            view[-width:] = np.median(faces[-1].reshape(-1, 2), axis=0)
    return found


@pytest.mark.parametrize("kind", sorted(BORDERS))
@given(st.data(), st.integers(2, 3))
def test_any_box_is_that_of_the_padded_image(kind: str, source: st.DataObject, ndim: int) -> None:
    shape, width = (6, 5, 7)[-ndim:], 4
    image = volume(shape)
    whole = padded(image, width, kind)
    low = [source.draw(st.integers(-width, size + width - 1)) for size in shape]
    high = [
        source.draw(st.integers(at + 1, size + width)) for at, size in zip(low, shape, strict=True)
    ]
    border = BORDERS[kind](image, lambda values: values.astype(np.float32))
    found = read_beyond(image, Box(tuple(low), tuple(high)), border=border)
    cut = tuple(slice(a + width, b + width) for a, b in zip(low, high, strict=True))
    np.testing.assert_array_equal(found, whole[cut])


@pytest.mark.parametrize("kind", sorted(BORDERS))
def test_tiles_see_what_the_whole_sees(kind: str) -> None:
    """The mean around every voxel."""
    image = volume((20, 26))
    border = BORDERS[kind](image, lambda values: values.astype(np.float32) / 2)
    whole = padded(image, 2, kind) / 2

    def blurred(tiles: Any) -> Any:
        wide = jnp.pad(tiles, [(0, 0), (2, 2), (2, 2), (0, 0)])
        size = tiles.shape[1:3]
        shifts = [wide[:, y : y + size[0], x : x + size[1]] for y in range(5) for x in range(5)]
        return sum(shifts) / 25

    found = prediction.predict(
        blurred,
        image,
        tile=(12, 12),
        halo=2,
        overlap=2,
        prepare=lambda values: values / 2,
        border=border,
    )
    np.testing.assert_allclose(found, blurred(whole[None])[0, 2:-2, 2:-2], rtol=1e-5)
    np.testing.assert_array_equal(image.array(), volume((20, 26)).array())


def test_medians_of_faces() -> None:
    image = volume((4, 5, 6))
    array, found = image.array(), face_medians(image)
    np.testing.assert_array_equal(found[0, 1], np.median(array[-1].reshape(-1, 2), 0))
    np.testing.assert_array_equal(found[2, 0], np.median(array[:, :, 0].reshape(-1, 2), 0))
