"""Affinities to objects by joining fragments and by mutex watershed."""

from __future__ import annotations

import functools
import sys
from typing import Any

import cc3d
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support import real_images
from support.recovery import recovered
from support.synthetic_objects import cells, neurites, same_partition, touching_balls

from jaxseg import targets
from jaxseg.channels import encode
from jaxseg.config import Agglomeration, Config, Mutex, Watershed, ch
from jaxseg.config.rules.decoding import unused_options
from jaxseg.decoding import (
    DECODERS,
    agglomeration,
    agglomeration_steps,
    decode,
    decoder_of,
    mutex,
    watershed,
)
from jaxseg.decoding.affinities.affinity_map import loosest_edge, tightest_edge
from jaxseg.decoding.affinities.edges import contacts_of
from jaxseg.decoding.affinities.fragments import ascents, fragments_of
from jaxseg.decoding.affinities.joining import agglomerate
from jaxseg.errors import ConfigError, ResourceError
from jaxseg.labels.objects import drop_small
from jaxseg.metrics import matching
from jaxseg.tasks.checking import check

SHAPES = {2: (72, 64), 3: (34, 36, 32)}
FACES = {2: ((0, 1), (1, 0)), 3: ((0, 0, 1), (0, 1, 0), (1, 0, 0))}
FAR = {
    2: (ch("A", neighborhood=4, offsets=((0, 3), (3, 0), (0, 9), (9, 0))),),
    3: (ch("A", neighborhood=6, offsets=((0, 0, 3), (0, 3, 0), (3, 0, 0))),),
}
NEAR = (ch("A"),)


@functools.cache
def truth_of(ndim: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "balls":
        return touching_balls(rng, SHAPES[ndim], count=8)
    labels, shape = np.zeros(SHAPES[ndim], np.int32), SHAPES[ndim]
    # A C around a bar, both of which touch a block: neither convex nor round.
    labels[..., 4:44, 4:30] = 1
    labels[..., 12:36, 14:30] = 0
    labels[..., 18:30, 16:28] = 2
    labels[..., 44:, :] = 3 if shape[-2] > 44 else 0
    return labels


@functools.cache
def planes_of(ndim: int, kind: str, far: bool = False) -> np.ndarray:
    return np.asarray(encode(truth_of(ndim, kind), FAR[ndim] if far else NEAR))


def leaky(planes: np.ndarray, *, noise: float, seed: int = 0) -> np.ndarray:
    """Softened affinities whose errors are of several voxels, so that boundaries have gaps."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=planes.shape[:-1]), 3)
    soft = ndimage.gaussian_filter(planes, (*(0.5,) * (planes.ndim - 1), 0))
    soft = soft + noise * (smooth / smooth.std())[..., None] + rng.normal(0, 0.05, planes.shape)
    return np.clip(soft, 0, 1).astype(np.float32)


# --------------------------------------------------------------------------- agglomeration


def plain_agglomeration(
    fragments: np.ndarray, edge_of: dict[tuple[int, int], list[float]], threshold: float
) -> np.ndarray:
    """The definition: look at all contacts, join the one with the highest mean, begin again."""
    found, contacts = fragments.copy(), {key: list(values) for key, values in edge_of.items()}
    while contacts:
        best = max(contacts, key=lambda key: float(np.mean(contacts[key])))
        if np.mean(contacts[best]) < threshold:
            break
        keep, gone = best
        found[found == gone] = keep
        renamed: dict[tuple[int, int], list[float]] = {}
        for (one, other), values in contacts.items():
            pair = sorted({keep if one == gone else one, keep if other == gone else other})
            if len(pair) == 2:
                renamed.setdefault((pair[0], pair[1]), []).extend(values)
        contacts = renamed
    return found


@given(st.integers(0, 1000), st.sampled_from([0.3, 0.5, 0.7]), st.sampled_from([2, 3]))
def test_agglomeration_is_its_definition(seed: int, threshold: float, ndim: int) -> None:
    rng = np.random.default_rng(seed)
    shape = {2: (9, 10), 3: (4, 6, 6)}[ndim]
    fragments = cells(rng, shape, count=12)
    columns = rng.random((*shape, ndim))
    found = agglomerate(fragments, columns, FACES[ndim], threshold=threshold)
    contacts: dict[tuple[int, int], list[float]] = {}
    for place in np.ndindex(shape):
        for column, offset in enumerate(FACES[ndim]):
            other = tuple(np.subtract(place, offset))
            pair = sorted((int(fragments[place]), int(fragments[other]))) if min(other) >= 0 else []
            if pair and 0 < pair[0] < pair[1]:
                value = float(np.float32(columns[(*place, column)]))
                contacts.setdefault((pair[0], pair[1]), []).append(value)
    assert same_partition(found, plain_agglomeration(fragments, contacts, threshold))


def test_the_quantile_is_that_of_the_joined_contact() -> None:
    fragments = np.array([[1, 1, 1, 1], [2, 2, 2, 2]])
    columns = np.array([[0.0] * 4, [0.1, 0.6, 0.7, 0.9]])[..., None]
    for quantile, value in ((0.1, 0.1), (0.25, 0.6), (0.5, 0.7), (0.9, 0.9)):
        for threshold, objects in ((value - 0.01, 1), (value + 0.01, 2)):
            found = agglomerate(
                fragments, columns, [(1, 0)], threshold=threshold, quantile=quantile
            )
            assert len(np.unique(found)) == objects


def test_small_contacts_join_nothing_until_they_have_grown() -> None:
    fragments = np.array([[1, 1, 3], [2, 2, 3]])
    columns = np.ones((2, 3, 2))
    found = agglomerate(fragments, columns, FACES[2], min_contact=3)
    assert len(np.unique(found)) == 3
    found = agglomerate(fragments, columns, FACES[2], min_contact=2)
    assert len(np.unique(found)) == 1


def test_no_fragment_one_fragment_and_large_ids() -> None:
    columns = np.ones((4, 4, 2))
    for fragments in (np.zeros((4, 4), int), np.ones((4, 4), int)):
        assert np.array_equal(agglomerate(fragments, columns, FACES[2]), fragments)
        assert not len(contacts_of(fragments, columns, FACES[2]).pairs)
    fragments = np.full((4, 4), 70_000)
    fragments[2:] = 5
    assert len(np.unique(agglomerate(fragments, columns, FACES[2]))) == 1


def test_fragments_end_at_boundaries_and_cover_the_mask() -> None:
    truth, planes = truth_of(2, "balls"), planes_of(2, "balls")
    weakest = tightest_edge(planes, FACES[2])
    found = fragments_of(ascents(weakest > 0.5, truth > 0, planes, FACES[2]))
    assert np.array_equal(found > 0, truth > 0)
    pairs = np.unique(np.stack([found[truth > 0], truth[truth > 0]]), axis=1)
    assert len(pairs.T) == found.max() >= truth.max()
    lone = np.zeros((8, 8), bool)
    lone[1, 1] = lone[5, 3:6] = True
    nothing = np.zeros((8, 8, 2))
    alone = ascents(np.zeros_like(lone), lone, nothing, FACES[2])
    assert fragments_of(alone).max() == 2


# ----------------------------------------------------------------------- wider boundaries


@given(st.integers(0, 1000), st.integers(0, 2), st.sampled_from([2, 3]))
def test_objects_are_set_apart_by_squares(seed: int, width: int, ndim: int) -> None:
    rng = np.random.default_rng(seed)
    labels = cells(rng, {2: (9, 8), 3: (3, 7, 6)}[ndim], count=5)
    labels.flags.writeable = False
    size = (1,) * (ndim - 2) + (2 * width + 1,) * 2
    high = ndimage.maximum_filter(labels, size, mode="constant")
    low = ndimage.minimum_filter(np.where(labels > 0, labels, 99), size, mode="constant", cval=99)
    found = np.asarray(targets.set_apart(labels, width=width))
    assert np.array_equal(found, np.where((low < high) & (low < 99), 0, labels))


def test_wider_boundaries_of_affinities_leave_the_labels_alone() -> None:
    truth, channels = truth_of(3, "balls"), (ch("A", widen=1),)
    kept = truth.copy()
    planes = np.asarray(encode(truth, channels))
    assert np.array_equal(truth, kept)
    assert (planes <= planes_of(3, "balls")).all()
    assert planes.sum() < planes_of(3, "balls").sum()
    assert matching(truth, decode(planes, channels))[0].f1 == 1


# ------------------------------------------------------------------------------ round trip


@pytest.mark.parametrize("kind", ["balls", "shapes"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_objects_come_back(ndim: int, kind: str) -> None:
    truth, planes = truth_of(ndim, kind), planes_of(ndim, kind)
    for options in (None, Agglomeration(score="mean"), Agglomeration(quantile=0.5)):
        assert recovered(truth, agglomeration(planes, NEAR, options=options)) >= 0.95
    assert np.array_equal(decode(planes, NEAR), agglomeration(planes, NEAR))
    spacing = (2.0, 0.5, 0.5)[:ndim]
    assert recovered(truth, agglomeration(planes, NEAR, spacing=spacing)) >= 0.95


@pytest.mark.parametrize("kind", ["balls", "shapes"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_objects_come_back_by_mutex(ndim: int, kind: str) -> None:
    pytest.importorskip("mwatershed")
    truth = truth_of(ndim, kind)
    for far, channels in ((False, NEAR), (True, FAR[ndim])):
        planes = planes_of(ndim, kind, far)
        assert recovered(truth, mutex(planes, channels)) >= 0.95
    thin = Mutex(stride=2, far_repulsive=False)
    assert recovered(truth, mutex(planes, channels, options=thin)) >= 0.95


@pytest.mark.parametrize("decoder", ["agglomeration", "mutex"])
def test_noise_and_nothing_have_no_objects(decoder: str, rng: np.random.Generator) -> None:
    if decoder == "mutex":
        pytest.importorskip("mwatershed")
    shape = (*SHAPES[2], 6)
    for planes in (
        np.zeros(shape),
        rng.normal(0.01, 0.002, shape),
        rng.normal(0.5, 0.002, shape),
        rng.random(shape),
    ):
        found = decode(planes.astype(np.float32), FAR[2], decoder=decoder)
        assert (found.max(), found.dtype) == (0, np.uint16)
    everything = np.ones((24, 20), int)
    assert (decode(np.asarray(encode(everything, NEAR)), NEAR, decoder=decoder) == 1).all()


def test_leaks_do_not_join_objects_as_they_do_in_the_watershed() -> None:
    truth = cells(np.random.default_rng(3), (34, 40, 40), count=14)
    truth = drop_small(truth, 200)
    planes = leaky(np.asarray(encode(truth, NEAR)), noise=0.1)
    agglomerated = matching(truth, agglomeration(planes, NEAR))[0].f1
    by_thresholds = Watershed(seed_rule="thresholds")
    flooded = matching(truth, watershed(planes, NEAR, options=by_thresholds))[0].f1
    assert agglomerated >= 0.8
    assert agglomerated > flooded + 0.1


def test_options_act() -> None:
    planes = leaky(planes_of(2, "shapes"), noise=0.1)
    counts = [
        agglomeration(planes, NEAR, options=options).max()
        for options in (
            Agglomeration(),
            Agglomeration(merge=0.95),
            Agglomeration(min_contact=10_000),
            Agglomeration(min_size=10_000),
        )
    ]
    assert counts[1] > counts[0] > counts[3] == 0
    assert counts[2] > counts[0]
    steps = agglomeration_steps(planes, NEAR, options=Agglomeration(threshold=(0.9,)))
    assert np.array_equal(steps.mask, loosest_edge(planes, FACES[2]) > 0.9)
    assert np.array_equal(steps.seeds > 0, steps.mask)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", ["mean", "quantile"])
def test_waterz_gives_the_same_objects(score: Any, ndim: int) -> None:
    pytest.importorskip("waterz")
    planes = leaky(planes_of(ndim, "balls"), noise=0.05)
    options = [
        Agglomeration(engine=engine, score=score, min_contact=1, min_size=20)
        for engine in ("own", "waterz")
    ]
    ours, theirs = (agglomeration(planes, NEAR, options=one) for one in options)
    assert recovered(theirs, ours) >= 0.99


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    planes = planes_of(2, "balls")
    monkeypatch.setitem(sys.modules, "waterz", None)
    monkeypatch.setitem(sys.modules, "mwatershed", None)
    with pytest.raises(ResourceError, match=r"jaxseg\[affinities\]"):
        agglomeration(planes, NEAR, options=Agglomeration(engine="waterz"))
    with pytest.raises(ResourceError, match=r"jaxseg\[affinities\]"):
        mutex(planes, NEAR)
    with pytest.raises(ConfigError, match="needs affinities"):
        agglomeration(np.zeros((4, 4, 1)), (ch("F"),))
    with pytest.raises(ConfigError, match="no such decoder"):
        decoder_of(NEAR, "mutx")
    with pytest.raises(ConfigError, match="needs other channels"):
        decoder_of((ch("F"),), "mutex")


def test_waterz_needs_affinities_of_faces() -> None:
    pytest.importorskip("waterz")
    channels = (ch("A", offsets=((1, 1), (1, -1))),)
    planes = np.asarray(encode(truth_of(2, "balls"), channels))
    with pytest.raises(ConfigError, match="voxel before along every axis"):
        agglomeration(planes, channels, options=Agglomeration(engine="waterz"))


def test_the_configuration_is_checked() -> None:
    config = Config(
        channels=(ch("F"),),
        decoder="mutex",
        mutex=Mutex(near_bias=1.0, stride=0),
        agglomeration=Agglomeration(threshold=(0.1, 0.2), quantile=0.0, min_size=0),
    )
    text = "\n".join(str(problem) for problem in check(config))
    for part in ("decoder", "near_bias", "stride", "threshold", "quantile", "min_size"):
        assert part in text
    config = Config(channels=NEAR, agglomeration=Agglomeration(engine="waterz", min_contact=5))
    assert "contacts of any size" in "\n".join(map(str, check(config)))
    assert set(DECODERS) >= {"watershed", "agglomeration", "mutex"}


def test_options_of_a_decoder_that_does_not_run_are_refused() -> None:
    config = Config(channels=NEAR, watershed=Watershed(min_seed=3, check_files=False))
    (problem,) = unused_options(config, decoder_of(config.channels))
    assert "min_seed" in str(problem)
    assert "--decoder watershed" in str(problem)
    assert not list(unused_options(config, "watershed"))
    assert not list(unused_options(Config(channels=NEAR), "agglomeration"))


# ------------------------------------------------------------- neurites and real labels


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["agglomeration", "mutex"])
def test_neurites_come_back(decoder: str, rng: np.random.Generator) -> None:
    if decoder == "mutex":
        pytest.importorskip("mwatershed")
    # Direct neighbours cannot know that two separate parts are one object.
    truth = cc3d.connected_components(neurites(rng, (48, 96, 96), count=60), connectivity=6)
    channels = FAR[3] if decoder == "mutex" else NEAR
    found = decode(np.asarray(encode(truth, channels)), channels, decoder=decoder)
    assert recovered(drop_small(truth, 100), found) >= 0.95


@pytest.mark.slow
def test_neurites_survive_errors(rng: np.random.Generator) -> None:
    truth = drop_small(neurites(rng, (32, 96, 96), count=60), 100)
    planes = leaky(np.asarray(encode(truth, NEAR)), noise=0.1)
    options = Agglomeration(threshold=(0.3,), min_size=100)
    assert matching(truth, agglomeration(planes, NEAR, options=options))[0].f1 > 0.8


@pytest.mark.parametrize("decoder", ["agglomeration", "mutex"])
@pytest.mark.parametrize("name", real_images.NAMES)
def test_real_objects_come_back(name: str, decoder: str) -> None:
    if decoder == "mutex":
        pytest.importorskip("mwatershed")
    labels = real_images.labels(name)
    # The parts that the crop leaves connected.
    truth = cc3d.connected_components(labels, connectivity={2: 4, 3: 6}[labels.ndim])
    truth = drop_small(truth, 10)
    channels = FAR[truth.ndim] if decoder == "mutex" else NEAR
    found = decode(np.asarray(encode(truth, channels)), channels, decoder=decoder)
    assert recovered(truth, found) >= 0.95
