"""Pairing of sites against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseg.channels import columns
from jaxseg.config import Synapses, ch
from jaxseg.decoding.synapses import aims_of, pair_sites
from jaxseg.geometry import Box

SHAPE, SPACING = (9, 20, 20), (2.0, 0.5, 0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 12), st.floats(0, 8))
def test_the_nearest_site_within_the_distance_is_the_partner(
    seed: int, pres: int, posts: int, limit: float
) -> None:
    rng = np.random.default_rng(seed)
    pre, aims = (rng.uniform(0, 1, (count, 3)) * SHAPE for count in (pres, posts))
    found = pair_sites(pre, np.ones(pres), aims, np.ones(posts), shape=SHAPE, spacing=SPACING,
                       options=Synapses(pair_distance=limit))  # fmt: skip
    for row, aim in enumerate(aims):
        away = np.linalg.norm((pre - aim) * SPACING, axis=1)
        near = len(pre) and (not limit or away.min() <= limit)
        assert found.partner[row] == (away.argmin() if near else -1)
    assert not found.created.any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 6), st.integers(0, 12))
def test_created_sites_are_apart_and_everyone_has_a_partner(
    seed: int, pres: int, posts: int
) -> None:
    rng = np.random.default_rng(seed)
    pre = rng.uniform(0, 1, (pres, 3)) * SHAPE
    aims = rng.uniform(-0.1, 1.1, (posts, 3)) * SHAPE
    scores = np.sort(rng.random(posts))[::-1]
    options = Synapses(pair_distance=2.0, missing="create")
    found = pair_sites(pre, np.ones(pres), aims, scores, shape=SHAPE, spacing=SPACING,
                       options=options, min_distance=1.0)  # fmt: skip
    assert (found.partner >= 0).all()
    assert found.created.sum() == len(found.pre) - pres
    made, inside = found.pre[found.created], np.clip(aims, 0, np.array(SHAPE) - 1)
    assert ((made >= 0) & (made <= np.array(SHAPE) - 1)).all()
    for number, place in enumerate(made):
        mine = np.flatnonzero(found.partner == pres + number)
        # The surest of a group is where the site is, and the others point near it.
        np.testing.assert_array_equal(place, inside[mine[0]])
        away = np.linalg.norm((inside[mine] - place) * SPACING, axis=1)
        assert (away <= 2.0 * (1 + 1e-6)).all()
        others = np.linalg.norm((np.delete(made, number, 0) - place) * SPACING, axis=1)
        assert (others > 2.0 * (1 - 1e-6)).all()


def test_sites_point_by_the_vector_of_their_voxel() -> None:
    channels = (ch("F_post"), ch("H_pre", unit=0.5), ch("V_pre", unit=0.5), ch("Z_pre", unit=0.5))
    planes = np.zeros((5, 6, 7, 4), np.float32)
    planes[2, 3, 4, 1:] = 4, -2, 8
    posts = np.array([[3.4, 7.0, 12.5]])
    found = aims_of(
        planes, Box((1, 4, 9), (6, 10, 16)), posts, SHAPE, columns=columns(channels, 3), unit=0.5,
        spacing=SPACING,
    )  # fmt: skip
    assert found.tolist() == [[3 + 2, 7 - 2, 13 + 4]]
    alone = aims_of(planes, Box((1, 4, 9), (6, 10, 16)), posts, SHAPE,
                    columns=columns((ch("F_post"),), 3), unit=1.0, spacing=SPACING)  # fmt: skip
    assert alone is posts
