"""Any channel that is high inside objects may be the surface that is flooded."""

from __future__ import annotations

import numpy as np
import pytest
from support.synthetic_objects import touching_balls

from jaxseg.channels import encode
from jaxseg.config import Watershed, ch
from jaxseg.decoding import decode
from jaxseg.metrics import matching


@pytest.mark.parametrize(
    ("channels", "surface"),
    [((ch("F"), ch("P")), "P"), ((ch("F"), ch("C"), ch("M")), "M"), ((ch("F"), ch("C")), "F")],
    ids=["P", "M", "F"],
)
def test_a_surface_is_not_flooded_upside_down(channels: tuple, surface: str) -> None:
    rng = np.random.default_rng(3)
    truth = touching_balls(rng, (70, 80), count=9, radii=(7, 9))
    planes = np.asarray(encode(truth, channels))
    found = decode(planes, channels, options=Watershed(surface=(surface,)))
    assert matching(truth, found, thresholds=(0.5,))[0].f1 == 1.0
