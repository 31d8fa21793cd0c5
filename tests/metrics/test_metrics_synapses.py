"""Pairs are right where both ends stand for those of one true pair; against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseg.metrics.points import match_points
from jaxseg.metrics.synapses import match_pairs


def pairs_of(rng: np.random.Generator, pres: int, posts: int) -> np.ndarray:
    """Every postsynaptic site has one partner or none."""
    if not pres:
        return np.zeros((0, 2), int)
    partner = rng.integers(-1, pres, posts)
    rows = np.flatnonzero(partner >= 0)
    return np.stack([partner[rows], rows], axis=1)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), *(st.integers(0, 8) for _ in range(4)))
def test_against_brute_force(
    seed: int, pres: int, posts: int, found_pres: int, found_posts: int
) -> None:
    rng = np.random.default_rng(seed)
    true = [rng.uniform(0, 6, (count, 2)) for count in (pres, posts)]
    made = [rng.uniform(0, 6, (count, 2)) for count in (found_pres, found_posts)]
    pre, post = (match_points(a, b, tolerance=2) for a, b in zip(true, made, strict=True))
    truth, found = pairs_of(rng, pres, posts), pairs_of(rng, found_pres, found_posts)
    score = match_pairs(truth, found, pre=pre, post=post)
    right = set()
    for row, (i, j) in enumerate(truth.tolist()):
        for other, (k, m) in enumerate(found.tolist()):
            if [i, k] in pre.pairs.tolist() and [j, m] in post.pairs.tolist():
                right.add((row, other))
    assert set(map(tuple, score.pairs.tolist())) == right
    assert (score.tp, score.fp, score.fn) == (
        len(right), len(found) - len(right), len(truth) - len(right),
    )  # fmt: skip
    for (row, other), distance in zip(score.pairs.tolist(), score.distances, strict=True):
        ends = [np.linalg.norm(true[side][truth[row, side]] - made[side][found[other, side]])
                for side in (0, 1)]  # fmt: skip
        np.testing.assert_allclose(distance, max(ends))
