"""Tiles that are left out are predicted as 0, whole or by blocks."""

from __future__ import annotations

import numpy as np

from jaxseg import data, prediction
from jaxseg.config import SampleCondition
from jaxseg.geometry import Box
from jaxseg.normalize import Stats, apply
from jaxseg.prediction.blank import blank_planes, blanking


def test_dark_tiles_are_blank() -> None:
    image = np.full((32, 48, 1), 10, np.uint8)
    image[:, :16] = 0
    image[3, 3] = 1
    stats = Stats((0.0,), (0.1,))
    left_out = data.tile_filter(((SampleCondition("max", "lt", 5.0),),))
    forward = blank_planes(lambda tiles: tiles * 0 + 1)
    prepare = blanking(lambda tile: apply(tile, stats), left_out)
    options = {"tile": (16, 16), "halo": (0, 0), "overlap": (0, 0), "batch": 3}

    def predicted(region: Box | None = None) -> np.ndarray:
        out = np.full((32, 48, 1), -1, np.float32)
        prediction.predict(forward, image, out, prepare=prepare, region=region, **options)
        return out

    whole = predicted()
    assert not whole[:, :16].any()
    np.testing.assert_array_equal(whole[:, 16:], 1)
    again = predicted(Box((16, 0), (32, 48)))
    np.testing.assert_array_equal(again[16:], whole[16:])


def test_scaled_intensities_and_conditions_on_labels() -> None:
    tile = np.full((4, 4, 1), 10, np.uint8)
    bright = ((SampleCondition("mean", "ge", 5.0),),)
    assert data.tile_filter(bright)(tile)
    assert not data.tile_filter(bright, stats=Stats((0.0,), (0.1,)))(tile)
    assert not data.tile_filter(((SampleCondition("foreground", "lt", 2.0),),))(tile)
