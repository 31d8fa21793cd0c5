"""Tuning finds better options on soft planes, keeps what is as good, and ends in time."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from support.synthetic_objects import clustered_balls, touching_balls

import jaxseg as js
from jaxseg.channels import columns, encode
from jaxseg.config import Agglomeration, EmbedSeg, FlowTracking, Mutex, StarDist, Watershed, ch
from jaxseg.config.decoders import KINDS
from jaxseg.config.load import to_plain
from jaxseg.config.option import section
from jaxseg.decoding import (
    DECODERS,
    Decoded,
    decoder_of,
    run_decoder,
    to_json,
    tune,
    with_tuned,
)
from jaxseg.decoding.table import DecoderSpec
from jaxseg.errors import ConfigError, InputError
from jaxseg.tasks.checking import check

pytestmark = pytest.mark.full

# Options that are far off, by decoder, and channels for it.
WRONG: dict[str, tuple[str, Any]] = {
    "watershed": ("F C Db", Watershed(min_seed=9, check_files=False)),
    "stardist": ("Db R", StarDist(min_size=2)),
    "embedseg": ("E", EmbedSeg(min_free=0.4)),
    "agglomeration": ("A", Agglomeration(fill_holes=False)),
    "mutex": ("A", Mutex(stride=2)),
    "flow": ("F Gv Gh", FlowTracking(steps=60)),
}


def soft(name: str, decoder: str = "") -> tuple[np.ndarray, np.ndarray, tuple]:
    """Weak and blurred planes, their labels and channels."""
    truth = clustered_balls(np.random.default_rng(0), (64, 64), count=7, radii=(7, 10))
    channels = tuple(map(ch, name.split()))
    planes = np.array(encode(truth, channels), np.float32)
    if decoder == "agglomeration":
        # Its defaults are for affinities that are learnt too high.
        return 0.75 * planes, truth, channels
    if decoder == "mutex":
        # Boundaries are rare, so that affinities are learnt too high.
        return planes.any(axis=-1, keepdims=True) * (0.65 + 0.35 * planes), truth, channels
    weak = {"E": slice(-1, None), "Db R": slice(1)}.get(name, slice(None))
    blurred = ndimage.gaussian_filter(planes[..., weak], (1.0, 1.0, 0))
    planes[..., weak] = (0.6 if name == "E" else 0.45) * blurred
    return planes, truth, channels


@pytest.mark.parametrize("decoder", WRONG)
def test_every_decoder_is_tuned(decoder: str) -> None:
    pytest.importorskip({"stardist": "stardist", "mutex": "mwatershed"}.get(decoder, "numpy"))
    name, options = WRONG[decoder]
    planes, truth, channels = soft(name, decoder)
    found = tune([planes], [truth], channels, decoder=decoder, options=options)
    assert found.complete
    assert found.decoder == decoder
    assert found.after > max(found.before, 0.5)
    assert found.options
    assert set(found.options) <= set(DECODERS[decoder].tunes(channels, 2))
    best = with_tuned(options, json.loads(json.dumps(to_json(found)))["options"])
    labels = run_decoder(planes, channels, decoder=decoder, options=best).labels
    assert js.metrics.matching(truth, labels)[0].f1 == pytest.approx(
        max(trial.f1_50 for trial in found.trials if trial.f1 == found.after)
    )


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_knobs_are_legal_and_begin_with_the_default(decoder: str, ndim: int) -> None:
    names = WRONG[decoder][0].split() + (["Gz"] if decoder == "flow" and ndim == 3 else [])
    for option, values in DECODERS[decoder].tunes(tuple(map(ch, names)), ndim).items():
        default = getattr(KINDS[decoder](), option)
        assert default in (values[0], ()), option
        assert len(set(values)) == len(values)


def test_true_planes_change_nothing() -> None:
    truth = touching_balls(np.random.default_rng(1), (60, 60), count=6)
    channels = (ch("F"), ch("C"), ch("Db"))
    found = tune([np.asarray(encode(truth, channels))], [truth], channels)
    assert not found.options
    assert found.before == found.after == 1


def test_what_is_given_by_hand_is_neither_tried_nor_replaced() -> None:
    planes, truth, channels = soft("F C Db")
    given = Watershed(growth_thresholds=(0.2,))
    found = tune([planes], [truth], channels, options=given)
    assert "growth_thresholds" not in {trial.option for trial in found.trials}
    stored = {"growth_thresholds": [0.3], "seed_height": 0.1}
    assert with_tuned(given, stored) == Watershed(growth_thresholds=(0.2,), seed_height=0.1)
    with pytest.raises(ConfigError, match="no such options"):
        with_tuned(given, {"merge": 0.5})


def test_no_trial_begins_after_the_time() -> None:
    planes, truth, channels = soft("F C")
    seconds = itertools.count(0, 20)
    found = tune([planes], [truth], channels, minutes=1.0, clock=lambda: float(next(seconds)))
    assert not found.complete
    assert 1 <= len(found.trials) <= 4
    assert len(tune([planes], [truth], channels, minutes=0).trials) == 1


def test_images_and_truths_belong_together() -> None:
    planes, truth, channels = soft("F C")
    with pytest.raises(InputError):
        tune([planes], [truth, truth], channels)
    with pytest.raises(ConfigError):
        tune([planes], [truth], channels, decoder="mutex")
    blank = np.zeros((8, 8, 2))
    assert tune([blank], [np.zeros((8, 8), int)], channels).after == 0


# ------------------------------------------------------------------------- a row of one's own


@section
class Cut:
    """Everything above a level, by hand."""

    level: float = 0.5


def _cut(planes, channels, *, spacing, options, within) -> Decoded:
    inside = planes[..., columns(channels, planes.ndim - 1)["F"].start] > options.level
    return Decoded(ndimage.label(inside)[0].astype(np.uint16))


CUT = DecoderSpec(
    name="cut",
    options=Cut(),
    needs=frozenset({"F"}),
    run=_cut,
    tunes=lambda channels, ndim: {"level": (0.5, 0.2)},
)


def test_groups_count_alike_however_many_images_they_have() -> None:
    truth = np.kron([[1, 0, 2]], np.ones((4, 4), int))
    # Four images are as the default likes them; the other one needs a lower threshold.
    planes = [np.stack([level * (truth > 0), 0.0 * truth], axis=-1) for level in (0.35, *[0.9] * 4)]
    channels, none = (ch("F"), ch("C")), 0 * truth
    start = tune(planes, [truth] * 5, channels, minutes=0)
    apart = tune(planes, [truth] * 5, channels, minutes=0, groups=[0, 1, 1, 1, 1])
    # Together 8 of 10 objects are found without a false one, apart none of 2 and 8 of 8.
    assert (round(start.before, 6), apart.before) == (round(16 / 18, 6), 0.5)
    # A group without objects counts for nothing.
    found = tune([*planes, planes[1]], [*[truth] * 5, none], channels, minutes=0,
                 groups=[0, 1, 1, 1, 1, 2])  # fmt: skip
    assert found.before == apart.before
    with pytest.raises(InputError, match="a group for each image"):
        tune(planes, [truth] * 5, channels, groups=[0])


def test_a_decoder_from_outside_is_a_row_like_any_other() -> None:
    planes, truth, channels = np.eye(3)[..., None] * 0.4, np.diag([1, 2, 3]), (ch("F"),)
    assert js.decode(planes, channels, decoder=CUT).max() == 0
    assert js.decode(planes, channels, decoder=CUT, options=Cut(level=0.3)).max() == 3
    assert dict(tune([planes], [truth], channels, decoder=CUT).options) == {"level": 0.2}
    assert decoder_of(channels, f"{__name__}:CUT") == "cut"
    with pytest.raises(ConfigError, match="needs other channels"):
        js.decode(planes, (ch("Db"),), decoder=CUT)
    config = js.Config(channels=channels, decoder=CUT, phases=("decode",))
    assert json.loads(json.dumps(to_plain(config)))["decoder"] == f"{__name__}:CUT"
    assert not check(config)
    for bad in ("cut", 5):
        assert check(js.Config(channels=channels, decoder=bad, phases=("decode",)))
    for wrong in ("cut", f"{__name__}:ch", f"{__name__}:NONE", "no_module:CUT"):
        with pytest.raises(ConfigError, match=r"decoder|nothing is found"):
            js.decode(planes, channels, decoder=wrong)
