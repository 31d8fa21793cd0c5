"""Flows to the centre of every object, and objects out of flows."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import real_images
from support.recovery import recovered
from support.synthetic_objects import touching_balls

from jaxseg import targets
from jaxseg.channels import encode
from jaxseg.config import Channel, Config, FlowTracking, Watershed, ch
from jaxseg.decoding import decode, decoder_of, flow, flow_steps, watershed
from jaxseg.decoding.flow import sinks, tracked
from jaxseg.errors import ConfigError
from jaxseg.labels.objects import drop_small
from jaxseg.tasks.checking import check

SHAPES = {2: (72, 64), 3: (18, 36, 28)}
FLOWS = ("Gv", "Gh", "Gz")


def sets(ndim: int, max_distance: int = 16) -> dict[str, tuple[Channel, ...]]:
    vectors = tuple(ch(name, max_distance=max_distance) for name in FLOWS[:ndim])
    return {
        "F": (ch("F"), *vectors),
        "Db": (*vectors, ch("Db", norm=False)),
        "turned": (*vectors[::-1], ch("F")),
    }


@functools.cache
def truth_of(ndim: int, kind: str) -> np.ndarray:
    if kind == "balls":
        return touching_balls(np.random.default_rng(0), SHAPES[ndim], count=8, radii=(4, 7))
    labels = np.zeros(SHAPES[ndim], np.int32)
    # A C around a bar, and a long thin rod along a corner: neither convex nor round.
    labels[..., 4:34, 4:24] = 1
    labels[..., 11:27, 11:24] = 0
    labels[..., 14:24, 13:24] = 2
    labels[..., 2:35, 24:27] = 3
    labels[..., 2:4, 4:27] = 3
    return labels


# --------------------------------------------------------------------------------- targets


def plain_flow(labels: np.ndarray, turns: int) -> np.ndarray:
    """The definition, voxel by voxel, for a unit spacing in 2D."""
    found = np.zeros((2, *labels.shape))
    for label in np.unique(labels[labels > 0]):
        inside = {tuple(place) for place in np.argwhere(labels == label)}
        centroid = np.mean(list(inside), axis=0)
        away = {place: float(((np.array(place) - centroid) ** 2).sum()) for place in inside}
        heat = dict.fromkeys(inside, 0.0)
        around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        for _ in range(turns):
            warm = {p: heat[p] + (away[p] <= min(away.values()) + 0.0137) for p in inside}
            heat = {
                p: (
                    warm[p]
                    + sum(warm.get((p[0] + i, p[1] + j), 0.0) / (i * i + j * j) for i, j in around)
                )
                / 7
                for p in inside
            }
        for y, x in inside:
            parts = [heat.get((y + i, x + j), 0.0) / (i * i + j * j) for i, j in around]
            slope = np.array(parts) @ np.array(around)
            if np.linalg.norm(slope) > 1e-2 * max(parts):
                found[:, y, x] = slope / np.linalg.norm(slope)
    return found


def test_the_flow_is_its_definition() -> None:
    labels = np.zeros((14, 16), np.int32)
    labels[1:6, 1:8] = 1
    labels[6:9, 2:15] = 2
    labels[2, 10] = 3
    labels[9:13, 4:6] = labels[11:13, 6:10] = 4
    found = [targets.flow(labels, axis=axis, max_distance=12) for axis in (-2, -1)]
    expected = plain_flow(labels, 24)
    sure = np.hypot(*expected) > 0
    assert sure.sum() > 0.9 * (labels > 0).sum()
    np.testing.assert_allclose(np.stack(found)[:, sure], expected[:, sure], atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_flows_are_unit_vectors_inside_objects_only(ndim: int) -> None:
    truth = truth_of(ndim, "balls")
    planes = np.asarray(encode(truth, sets(ndim)["F"]))[..., 1:]
    length = np.linalg.norm(planes, axis=-1)
    assert not length[truth == 0].any()
    whole = np.isclose(length, 1, atol=1e-5)
    assert (whole | (length == 0)).all()
    # Only a few voxels about each centre have no direction.
    assert (length[truth > 0] == 0).sum() <= 2**ndim * truth.max()


def test_what_the_heat_does_not_reach_has_no_flow() -> None:
    labels = np.ones((1, 41), np.int32)
    short, far = (np.asarray(targets.flow(labels, axis=-1, max_distance=r))[0] for r in (5, 41))
    assert far.tolist() == [1.0] * 20 + [0.0] + [-1.0] * 20
    assert np.array_equal(short[10:31], far[10:31])
    assert not short[:9].any()
    parts = np.array([[1, 1, 1, 1, 0, 1, 1]])
    assert np.asarray(targets.flow(parts, axis=-1)).tolist()[0][5:] == [0.0, 0.0]


def test_long_thin_objects_keep_their_flow() -> None:
    labels = np.zeros((3, 121), np.int32)
    labels[1] = 1
    found = np.asarray(targets.flow(labels, axis=-1, max_distance=128))[1]
    assert found.tolist() == [1.0] * 60 + [0.0] + [-1.0] * 60


def test_the_flow_follows_the_spacing() -> None:
    labels = np.zeros((9, 17), np.int32)
    labels[:, 4:13] = 1
    tall = [np.asarray(targets.flow(labels, axis=a, spacing=(2.0, 1.0))) for a in (-2, -1)]
    # Of a corner as far along both axes in voxels, the way is twice as long along y.
    assert abs(tall[0][1, 5]) > abs(tall[1][1, 5]) > 0


def test_targets_in_jit_need_only_static_sizes() -> None:
    labels = truth_of(2, "balls")
    run = jax.jit(lambda ids: targets.flow(ids, axis=-1, max_label=8, max_distance=16))
    expected = targets.flow(labels, axis=-1, max_distance=16)
    np.testing.assert_allclose(run(jnp.asarray(labels)), expected, atol=1e-5)


def test_targets_can_be_spread_over_devices() -> None:
    labels = np.stack([truth_of(2, "balls"), truth_of(2, "shapes")])
    one = functools.partial(targets.flow, axis=-1, max_label=8, max_distance=16)
    mesh = jax.make_mesh((2,), ("data",))
    spec = jax.sharding.PartitionSpec("data")
    run = jax.jit(jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=spec, out_specs=spec))
    expected = np.stack([one(image) for image in labels])
    spread = jax.device_put(labels, jax.sharding.NamedSharding(mesh, spec))
    np.testing.assert_allclose(run(spread), expected, atol=1e-5)


# -------------------------------------------------------------------------------- decoding


CASES = [(ndim, kind, "F") for ndim in (2, 3) for kind in ("balls", "shapes")]
CASES += [(2, "balls", "Db"), (2, "balls", "turned")]


@pytest.mark.parametrize(("ndim", "kind", "name"), CASES)
def test_objects_come_back(ndim: int, kind: str, name: str) -> None:
    truth, channels = (
        truth_of(ndim, kind),
        sets(ndim, max_distance=16 if kind == "balls" else 48)[name],
    )
    assert decoder_of(channels) == "flow"
    labels = decode(np.asarray(encode(truth, channels)), channels)
    assert recovered(truth, labels) >= 0.95
    assert labels.max() == truth.max()


@pytest.mark.parametrize("ndim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_objects_come_back_with_another_spacing(ndim: int) -> None:
    truth, channels, spacing = truth_of(ndim, "balls"), sets(ndim)["F"], (2.0, 0.5, 0.5)[:ndim]
    planes = np.asarray(encode(truth, channels, spacing=spacing))
    assert recovered(truth, flow(planes, channels, spacing=spacing)) >= 0.95


def test_noisy_flows_still_give_the_objects(rng: np.random.Generator) -> None:
    truth, channels = truth_of(2, "balls"), sets(2)["F"]
    planes = np.asarray(encode(truth, channels))
    found = flow(planes + rng.normal(0, 0.2, planes.shape), channels)
    assert recovered(truth, found) >= 0.85


@pytest.mark.parametrize("ndim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_noise_nothing_and_everything(ndim: int, rng: np.random.Generator) -> None:
    channels = sets(ndim, max_distance=48)["F"]
    shape = SHAPES[ndim]
    for planes in (np.zeros((*shape, ndim + 1)), rng.normal(0.5, 0.002, (*shape, ndim + 1))):
        found = flow(planes, channels)
        assert (found.max(), found.dtype) == (0, np.uint16)
    one = np.ones(shape, int)
    assert (flow(np.asarray(encode(one, channels)), channels) == 1).all()


def test_options_act() -> None:
    truth, channels = truth_of(2, "balls"), sets(2)["F"]
    planes = np.asarray(encode(truth, channels))
    steps = flow_steps(planes, channels, options=FlowTracking(threshold=(2.0,)))
    assert not steps.mask.any()
    assert flow(planes, channels, options=FlowTracking(min_size=10_000)).max() == 0
    assert flow(planes, channels, options=FlowTracking(min_sink=10_000)).max() == 0
    assert recovered(truth, flow(planes, channels, options=FlowTracking(steps=1))) < 0.5
    whole = flow_steps(planes, channels)
    assert whole.seeds.max() == whole.labels.max() == 8
    assert -whole.surface.sum() == whole.mask.sum()


def test_tracked_voxels_stay_in_the_image() -> None:
    vectors = np.ones((2, 6, 7))
    ends = tracked(vectors, np.ones((6, 7), bool), spacing=(1.0, 1.0), steps=20)
    assert {tuple(end) for end in np.stack(ends, axis=-1).tolist()} == {(5, 6)}


def test_sinks_that_touch_are_one() -> None:
    hits = np.zeros((9, 9), int)
    hits[2, 2:4] = 20
    hits[7, 7] = 12
    hits[7, 1] = 5
    found = sinks(hits, min_sink=10)
    assert found.max() == 2
    assert found[2, 2] == found[2, 3] > 0 == found[7, 1]


def test_what_is_missing_is_named() -> None:
    both = (ch("F"), ch("Gv"))
    with pytest.raises(ConfigError, match="needs other channels"):
        decode(np.zeros((4, 4, 2)), both, decoder="flow")
    with pytest.raises(ConfigError, match="too few components"):
        flow(np.zeros((4, 4, 4, 3)), (ch("F"), ch("Gv"), ch("Gh")))
    with pytest.raises(ConfigError, match="objects from background"):
        flow(np.zeros((4, 4, 2)), (ch("Gv"), ch("Gh")))
    with pytest.raises(ConfigError, match="found Gv"):
        watershed(np.zeros((4, 4, 2)), both, options=Watershed())
    config = Config(
        ndim=3, channels=(ch("Gv"), ch("Gh", max_distance=9)), flow=FlowTracking(steps=0)
    )
    text = "\n".join(map(str, check(config)))
    for part in ("belong together", "add ch('F')", "different options", "flow.steps"):
        assert part in text


# ----------------------------------------------------------------------------- real labels


@pytest.mark.parametrize("name", real_images.NAMES)
def test_real_objects_come_back(name: str) -> None:
    truth = drop_small(real_images.labels(name), 10)
    channels = sets(truth.ndim, max_distance=200)["F"]
    assert recovered(truth, decode(np.asarray(encode(truth, channels)), channels)) >= 0.95
