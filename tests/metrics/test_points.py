"""Points against true ones: the best of all assignments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from jaxseg.metrics.points import match_points


def best(truth: np.ndarray, found: np.ndarray, tolerance: float) -> tuple[int, float]:
    """Most pairs, and among those the least sum of distances, by trying all."""
    few, many = (truth, found) if len(truth) <= len(found) else (found, truth)
    chosen = (0, 0.0)
    for order in itertools.permutations(range(len(many)), len(few)):
        distances = np.linalg.norm(few - many[list(order)], axis=1)
        near = distances[distances <= tolerance]
        chosen = max(chosen, (len(near), -near.sum()))
    return chosen[0], -chosen[1]


@settings(max_examples=60)
@given(seed=st.integers(0, 100_000), counts=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_the_assignment_is_the_best_of_all(seed: int, counts: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    truth, found = (rng.uniform(0, 6, (count, 2)) for count in counts)
    result = match_points(truth, found, tolerance=2.0)
    pairs, total = best(truth, found, 2.0)
    assert result.tp == pairs
    assert result.distances.sum() == pytest.approx(total)
    assert (result.tp + result.fp, result.tp + result.fn) == (counts[1], counts[0])


def test_physical_units_decide() -> None:
    truth, found = np.array([[5.0, 5.0, 5.0]]), np.array([[6.0, 5.0, 5.0]])
    near = match_points(truth, found, tolerance=1.5, spacing=(1.0, 1.0, 1.0))
    far = match_points(truth, found, tolerance=1.5, spacing=(2.0, 1.0, 1.0))
    assert (near.tp, far.tp) == (1, 0)


def test_nothing_to_find_has_no_score() -> None:
    nothing = np.zeros((0, 3))
    assert np.isnan(match_points(nothing, nothing, tolerance=1.0).f1)
    assert match_points(nothing, np.ones((2, 3)), tolerance=1.0)[1:4] == (0, 2, 0)


def test_all_points_that_reach_one_another_are_matched_as_by_a_dense_table() -> None:
    rng = np.random.default_rng(5)
    truth, found = rng.uniform(0, 20, (150, 2)), rng.uniform(0, 20, (140, 2))
    distances = np.linalg.norm(truth[:, None] - found, axis=-1)
    cost = np.where(distances <= 2.5, distances, 1e3)
    rows, columns = linear_sum_assignment(cost)
    near = distances[rows, columns] <= 2.5
    result = match_points(truth, found, tolerance=2.5)
    assert result.tp == near.sum() > 120
    assert result.distances.sum() == pytest.approx(cost[rows, columns][near].sum())


@pytest.mark.slow
def test_a_million_points_are_matched() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1000, (10**6, 3))
    found = truth[rng.permutation(len(truth))] + rng.normal(0, 0.2, truth.shape)
    result = match_points(truth, found, tolerance=2.0)
    assert result.f1 > 0.99
