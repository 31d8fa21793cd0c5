"""Objects that are joined and parted by their shapes alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from support.synthetic_objects import clustered_balls, same_partition, touching_balls

from jaxseg.channels import encode
from jaxseg.config import FlowTracking, Watershed, ch
from jaxseg.decoding import decode, decoder_problems, more_convex, solidity, tune
from jaxseg.metrics import matching

SHAPES = {2: (90, 100), 3: (40, 44, 48)}
RADII = {2: (6, 11), 3: (5, 8)}


def balls(seed: int, ndim: int, count: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return touching_balls(rng, SHAPES[ndim], count=count, radii=RADII[ndim])


def halves(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every object cut in two by a plane through its middle."""
    cut = labels.copy()
    for one in range(1, int(labels.max()) + 1):
        places = np.argwhere(labels == one)
        side = (places - places.mean(axis=0)) @ rng.normal(size=labels.ndim) > 0
        cut[tuple(places[side].T)] = one + int(labels.max())
    return cut


@given(seed=st.integers(0, 10**6), ndim=st.sampled_from([2, 3]), share=st.floats(0.01, 0.9))
def test_solidity_is_that_of_the_hull_of_all_corners(seed: int, ndim: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 8, ndim)) < share
    mask[tuple(rng.integers(0, mask.shape))] = True
    sides = np.array(list(itertools.product((0, 1), repeat=ndim)))
    corners = (np.argwhere(mask)[:, None] + sides).reshape(-1, ndim)
    assert np.isclose(solidity(mask), mask.sum() / ConvexHull(corners).volume)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), ndim=st.sampled_from([2, 3]))
def test_convex_objects_stay_as_they_are(seed: int, ndim: int) -> None:
    truth = balls(seed, ndim)
    assert same_partition(more_convex(truth), truth)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), ndim=st.sampled_from([2, 3]))
def test_halves_are_joined_again(seed: int, ndim: int) -> None:
    truth = balls(seed, ndim)
    cut = halves(truth, np.random.default_rng(seed))
    assert matching(truth, cut, thresholds=(0.9,))[0].f1 == 0
    # Halves of two discs in contact may look like one.
    assert matching(truth, more_convex(cut, "join"), thresholds=(0.9,))[0].f1 > 0.6
    assert same_partition(more_convex(cut, "part"), cut)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_clumps_are_parted(seed: int, ndim: int) -> None:
    rng, count = np.random.default_rng(seed), 2 if ndim == 2 else 4
    truth = clustered_balls(rng, SHAPES[ndim], count=count, radii=RADII[ndim])
    clumps = (truth > 0).astype(int)
    parted = more_convex(clumps, "part")
    assert matching(truth, parted, thresholds=(0.7,))[0].f1 == 1
    assert np.array_equal(parted > 0, clumps > 0)
    assert np.array_equal(more_convex(clumps, "join"), clumps)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), how=st.sampled_from(["join", "part", "both"]))
def test_nothing_depends_on_ids(seed: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    labels = halves(balls(seed, 2), rng)
    others = np.concatenate([[0], rng.permutation(np.arange(1, int(labels.max()) + 1)) * 7])[labels]
    found = more_convex(labels, how)  # type: ignore[arg-type]
    assert np.array_equal(found, more_convex(others, how))  # type: ignore[arg-type]
    ids, first = np.unique(found, return_index=True)
    assert np.array_equal(ids[ids > 0], np.argsort(np.argsort(first[ids > 0])) + 1)


def test_flat_voxels_are_taken_for_flat() -> None:
    """Waists are found in µm: a clump that looks long in voxels is parted where it is narrow."""
    spacing = (3.0, 1.0, 1.0)
    truth = clustered_balls(
        np.random.default_rng(2), (20, 44, 60), count=3, radii=(9, 12), spacing=spacing
    )
    parted = more_convex(truth > 0, "part", spacing=spacing)
    assert matching(truth, parted, thresholds=(0.7,))[0].f1 == 1


@pytest.mark.parametrize(
    "labels", [np.zeros((5, 6), int), np.ones((3, 4), int), np.eye(9, dtype=int)]
)
def test_nothing_to_do(labels: np.ndarray) -> None:
    assert np.array_equal(more_convex(labels), labels)


@pytest.mark.parametrize(
    ("names", "options"),
    [("F", Watershed(convex="both")), ("F Gv Gh", FlowTracking(convex="both"))],
)
def test_decoders_take_it(names: str, options: Watershed | FlowTracking) -> None:
    """The planes show one object where there are two."""
    truth = clustered_balls(np.random.default_rng(0), (70, 70), count=2)
    channels = tuple(map(ch, names.split()))
    planes = np.asarray(encode((truth > 0).astype(np.int32), channels))
    assert matching(truth, decode(planes, channels, options=options))[0].f1 == 1
    assert decode(planes, channels).max() == 1


def test_tuning_finds_it() -> None:
    truth = clustered_balls(np.random.default_rng(0), (70, 70), count=2)
    planes = (truth > 0).astype(np.float32)[..., None]
    assert tune([planes], [truth], (ch("F"),)).options == {"convex": "both"}
    assert not tune([planes], [(truth > 0).astype(int)], (ch("F"),)).options


def test_slices_on_their_own_have_no_shape() -> None:
    found = decoder_problems(
        (ch("F"),), ndim=3, options=Watershed(by_slices=True, convex="join"), decoder="watershed"
    )
    assert [problem.where for problem in found] == ["watershed.convex"]
