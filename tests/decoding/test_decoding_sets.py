"""Every legal set of channels gives back touching objects; the others are named here or refused."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import ndimage
from support.synthetic_objects import clustered_balls

from jaxseg.channels import columns, encode
from jaxseg.config import Channel, ch
from jaxseg.decoding import decode, plan, plan_problems
from jaxseg.errors import ConfigError
from jaxseg.metrics import matching

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]

Channels = tuple[Channel, ...]
SHAPES = {2: (72, 64), 3: (34, 36, 32)}
# By name, channels that are used together; other than the default options.
SPECIAL = {
    "HVZ": lambda ndim: tuple(ch(name) for name in ("H", "V", "Z")[:ndim]),
    "Psk": lambda ndim: (ch("P", type="skeleton"),),
    "Pmain": lambda ndim: (ch("P", type="skeleton", skeleton_mode="main", dilation=0),),
    "P0": lambda ndim: (ch("P", dilation=0),),
    "Dcsk": lambda ndim: (ch("Dc", type="skeleton"),),
    "Dcum": lambda ndim: (ch("Dc", norm=False),),
    "Dn1": lambda ndim: (ch("Dn", closing_size=0, decline_power=1.0),),
}
# What the documentation of the channels names.
NAMED = (
    "C",
    "F C",
    "F P",
    "F D",
    "F Dc",
    "F Db",
    "F Dn",
    "F HVZ",
    "Db HVZ",
    "Dc HVZ",
    "D HVZ",
    "F C M",
    "F C Db",
    "F C Dc",
    "F C D",
    "A",
    "Dc",
    "Db",
    "B C",
    "F T",
    "D",
    "B P",
    "F C HVZ",
    "F C Db Dn",
)
SINGLE = ("F", "B", "P", "C", "T", "Db", "Dc", "Dn", "D", "HVZ", "A")
MORE = ("F Psk", "F Pmain", "F P0", "F Dcsk", "F Dcum", "F Dn1", "C Dcum", "HVZ P0")
# They say where objects are, not where one ends and the next one begins.
NOT_SEPARATING = ("F", "B", "F B")
# Normalised Db is 0 in the outermost voxels as in the background: where voxels are long, which of
# them are of an object is a guess, unless one of these says it.
BETTER_MASKS = {"F", "B", "D"}
# They do not say how far objects reach.
WITHOUT_EXTENT = ("P", "T", "Dn", "Dcum", "P T", "P Dn", "T Dn", "P Dcum", "Dn Dcum")


def channels_of(name: str, ndim: int) -> Channels:
    return SPECIAL[name](ndim) if name in SPECIAL else (ch(name),)


@functools.cache
def truth(ndim: int, spacing: tuple[float, ...] | None) -> np.ndarray:
    shape = SHAPES[ndim] if spacing is None else {2: (44, 112), 3: (22, 52, 48)}[ndim]
    radii = (6, 9) if ndim == 2 or spacing is None else (5, 8)
    rng = np.random.default_rng(1)
    labels = clustered_balls(rng, shape, count=7, radii=radii, spacing=spacing)
    assert ndimage.label(labels > 0)[1] == 1
    return labels


@functools.cache
def planes_of(name: str, ndim: int, spacing: tuple[float, ...] | None) -> np.ndarray:
    return np.asarray(encode(truth(ndim, spacing), channels_of(name, ndim), spacing=spacing))


def shuffled(
    names: Sequence[str], ndim: int, spacing: tuple[float, ...] | None
) -> tuple[np.ndarray, Channels]:
    """Planes and channels of a set in some order."""
    rng = np.random.default_rng(len("".join(names)))
    parts = [
        (channel, planes_of(name, ndim, spacing)[..., own])
        for name in names
        for channel, own in zip(
            channels_of(name, ndim), columns(channels_of(name, ndim), ndim).values(), strict=True
        )
    ]
    order = rng.permutation(len(parts))
    channels = tuple(parts[i][0] for i in order)
    return np.concatenate([parts[i][1] for i in order], axis=-1), channels


def recovered(names: Sequence[str], ndim: int, spacing: tuple[float, ...] | None) -> float:
    """Mean IoU of the true objects, 0 where there are others beside them."""
    planes, channels = shuffled(names, ndim, spacing)
    labels = decode(planes, channels, spacing=spacing)
    found = truth(ndim, spacing)
    if labels.max() != found.max() and names[0] != "C":
        return 0.0
    return matching(found, labels, thresholds=(1e-9,))[0].mean_true_score


def pairs() -> list[str]:
    every = (" ".join(pair) for pair in itertools.combinations(SINGLE, 2))
    return [pair for pair in every if pair not in (*NOT_SEPARATING, *WITHOUT_EXTENT)]


@pytest.mark.parametrize("name", [*dict.fromkeys((*NAMED, *pairs(), *MORE))])
def test_touching_discs_come_back(name: str) -> None:
    assert recovered(name.split(), 2, None) >= 0.95


@pytest.mark.parametrize("name", ["F P", "F T", "F Dc", "F Dn", "B C", "Dc"])
def test_touching_balls_come_back(name: str) -> None:
    assert recovered(name.split(), 3, None) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", [*dict.fromkeys((*NAMED, *pairs(), *MORE))])
@pytest.mark.parametrize("ndim", [2, 3])
def test_touching_balls_come_back_whatever_the_shape_of_voxels(ndim: int, name: str) -> None:
    if ndim == 3 and name == "F Dcsk":
        pytest.skip("skeletons of balls of few slices branch into their neighbours")
    least = 0.9 if ndim == 3 and "Db" in name and not set(name.split()) & BETTER_MASKS else 0.95
    assert recovered(name.split(), ndim, (1.0, 0.5, 0.5)[:ndim]) >= least


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_all_named_sets_in_3d(name: str) -> None:
    assert recovered(name.split(), 3, None) >= 0.95


def test_any_three_channels() -> None:
    for names in itertools.combinations(SINGLE, 3):
        channels = sum((channels_of(name, 2) for name in names), ())
        if not plan_problems(channels, ndim=2):
            assert recovered(names, 2, None) >= 0.95, names


@pytest.mark.parametrize("name", NOT_SEPARATING)
def test_what_cannot_separate_still_finds_separate_objects(name: str) -> None:
    labels = np.zeros((30, 40), int)
    labels[3:12, 4:14], labels[15:26, 20:33] = 1, 2
    channels = tuple(ch(one) for one in name.split())
    found = decode(encode(labels, channels), channels)
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("name", WITHOUT_EXTENT)
def test_what_does_not_bound_objects_is_refused_before_any_compute(name: str) -> None:
    channels = sum((channels_of(one, 2) for one in name.split()), ())
    assert plan_problems(channels, ndim=2)
    with pytest.raises(ConfigError, match="F B C Db Dc D H V A"):
        plan(channels, ndim=2)


@pytest.mark.parametrize("name", [*NAMED, *MORE])
def test_noise_has_no_objects(name: str) -> None:
    rng = np.random.default_rng(0)
    channels = sum((channels_of(one, 2) for one in name.split()), ())
    places = columns(channels, 2)
    for level, spread in ((0.01, 0.002), (0.5, 0.002), (0.0, 0.02), (0.5, 0.3)):
        noise = rng.normal(level, spread, (*SHAPES[2], places.total)).clip(0, 1)
        if "B" in places:
            # That there is no background says that there is an object.
            noise[..., places["B"]] = 1 - noise[..., places["B"]]
        assert decode(noise.astype(np.float32), channels).max() == 0


def test_marks_decide_alone_and_may_be_small() -> None:
    found = plan((ch("F"), ch("C"), ch("P")), ndim=2)
    assert str(found) == "growth: F (0.5); seeds: P (0.5); surface: C"
    assert found.min_seed(10) == 3
    assert plan((ch("F"), ch("P", dilation=0)), ndim=2).min_seed(10) == 1
    assert plan((ch("F"), ch("C")), ndim=2).min_seed(10) == 10
