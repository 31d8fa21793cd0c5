"""Objects that are dropped for the foreground in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.synthetic_objects import touching_balls

from jaxseg.channels import encode
from jaxseg.config import FlowTracking, Watershed, ch
from jaxseg.decoding import decoder_problems, drop_unsure, flow, row_of, tune, watershed
from jaxseg.metrics import matching

CHANNELS = (ch("F"), ch("C"), ch("Db"))


@given(seed=st.integers(0, 10**6), least=st.floats(0.05, 0.95))
def test_means_are_those_of_each_object(seed: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    labels, plane = rng.integers(0, 6, (7, 8)), rng.integers(0, 201, (7, 8)) / 200
    rows = int(rng.integers(1, 7))
    parts = [((slice(0, rows),), plane[:rows]), ((slice(rows, None),), plane[rows:])]
    found = drop_unsure(labels, parts, least)
    for one in np.unique(labels[labels > 0]):
        assert (found[labels == one] > 0).all() == (plane[labels == one].mean() >= least)
    assert not found[labels == 0].any()
    assert np.array_equal(np.unique(found[found > 0]), np.arange(1, found.max() + 1))


def all_objects() -> np.ndarray:
    return touching_balls(np.random.default_rng(0), (90, 100), count=15)


def unsure_planes() -> tuple[np.ndarray, np.ndarray]:
    """True objects, and planes in which every third one is a faint false one beside them."""
    labels = all_objects()
    planes = np.array(encode(labels, CHANNELS), np.float32)
    faint = (labels > 0) & (labels % 3 == 0)
    planes[faint, 0] *= 0.6
    return np.where(faint, 0, labels), planes


def test_faint_objects_are_dropped() -> None:
    truth, planes = unsure_planes()
    found = watershed(planes, CHANNELS, options=Watershed(min_mean=0.7))
    assert np.array_equal(found > 0, truth > 0)
    assert watershed(planes, CHANNELS).max() == 15


def test_a_background_tells_them_as_well() -> None:
    """What is little background is much of an object."""
    truth, planes = unsure_planes()
    planes[..., 0] = 1 - planes[..., 0]
    channels = (ch("B"), *CHANNELS[1:])
    assert np.array_equal(
        watershed(planes, channels, options=Watershed(min_mean=0.7)) > 0, truth > 0
    )
    assert watershed(planes, channels).max() == 15


def test_so_does_the_mask_beside_flows() -> None:
    truth, planes = unsure_planes()
    channels = tuple(map(ch, ("F", "Gv", "Gh")))
    flows = np.asarray(encode(all_objects(), channels), np.float32)[..., 1:]
    planes = np.concatenate([planes[..., :1], flows], axis=-1)
    found = flow(planes, channels, options=FlowTracking(min_mean=0.7))
    assert flow(planes, channels).max() == 15
    assert matching(truth, found)[0].f1 == 1


def test_tuning_finds_them() -> None:
    """Where a higher threshold of the mask, which would do as well, is not to be had."""
    truth, planes = unsure_planes()
    found = tune([planes], [truth], CHANNELS, options=Watershed(growth_thresholds=(0.4,)))
    assert found.options == {"min_mean": 0.65}
    assert found.before < found.after == 1


@pytest.mark.parametrize("names", ["C Db", "Db", "H V"])
def test_without_a_foreground_there_is_no_mean(names: str) -> None:
    channels = tuple(map(ch, names.split()))
    found = decoder_problems(channels, ndim=2, options=Watershed(min_mean=0.5), decoder="watershed")
    assert [problem.where for problem in found] == ["watershed.min_mean"]
    assert not decoder_problems(CHANNELS, ndim=2, options=Watershed(min_mean=0.5))


def test_nor_beside_flows() -> None:
    channels = tuple(map(ch, ("C", "Gv", "Gh")))
    found = decoder_problems(channels, ndim=2, options=FlowTracking(min_mean=0.5), decoder="flow")
    assert [problem.where for problem in found] == ["flow.min_mean"]


@pytest.mark.parametrize(("ndim", "names"), [(2, "F C Db"), (3, "B C Db"), (3, "F Gz Gv Gh")])
def test_it_is_tuned(ndim: int, names: str) -> None:
    channels = tuple(map(ch, names.split()))
    assert len(row_of(channels).tunes(channels, ndim)["min_mean"]) > 2
