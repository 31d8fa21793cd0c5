"""Configurations of earlier versions are still read."""

from __future__ import annotations

from jaxseg.config import Config, Rotate, Zoom, ch
from jaxseg.config.load import from_plain, to_plain
from jaxseg.tasks.checking import check

# As version 0.1 saved it.
CHANGES = {
    "flips": True, "rot90": False, "rotate": 180.0, "zoom": 1.25, "brightness": 0.1,
    "contrast": 0.2, "gamma": 1.25, "noise": 0.05, "blur": 0.0,
}  # fmt: skip


def test_random_changes_of_version_0_1_mean_what_they_meant() -> None:
    saved = to_plain(Config(channels=(ch("F"),), phases=("decode",))) | {"augment": CHANGES}
    config = from_plain(saved)
    assert not check(config)
    augment = config.augment
    assert augment.rotate == Rotate(probability=1.0, degrees=(-180.0, 180.0))
    assert augment.zoom == Zoom(probability=1.0, factor=(0.8, 1.25))
    assert augment.flip_x.probability == 0.5
    assert (augment.rot90.probability, augment.blur.probability) == (0.0, 0.0)
    assert augment.noise.limit == (0.0, 0.05)
