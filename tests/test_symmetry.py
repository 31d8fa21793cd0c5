"""Orientations form a group, and every kind of column follows them."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.symmetry import (
    Component,
    Corner,
    Edges,
    Orientation,
    Rays,
    Scalar,
    inverse,
    moves,
    orientations,
    turn,
    turn_vector,
)

GROUPS = [(ndim, group) for ndim in (2, 3) for group in ("none", "flips", "full")]
SHAPE = {2: (3, 3), 3: (2, 3, 3)}


def cube(ndim: int) -> np.ndarray:
    return np.arange(np.prod(SHAPE[ndim])).reshape(SHAPE[ndim])


@pytest.mark.parametrize(("ndim", "group"), GROUPS)
def test_orientations_are_a_group_that_begins_with_the_identity(ndim: int, group: str) -> None:
    ways = orientations(ndim, group)
    results = {turn(cube(ndim), way).tobytes() for way in ways}
    assert len(results) == len(ways)
    np.testing.assert_array_equal(turn(cube(ndim), ways[0]), cube(ndim))
    for first, second in itertools.product(ways, ways):
        assert turn(turn(cube(ndim), first), second).tobytes() in results


@pytest.mark.parametrize("ndim", [2, 3])
def test_inverse_undoes(ndim: int) -> None:
    array = np.arange(2 * np.prod(SHAPE[ndim]) * 3).reshape(2, *SHAPE[ndim], 3)
    for way in orientations(ndim):
        back = turn(turn(array, way, first=1), inverse(way), first=1)
        np.testing.assert_array_equal(back, array)
        assert inverse(inverse(way)) == way


@pytest.mark.parametrize("ndim", [2, 3])
def test_jax_and_numpy_agree(ndim: int) -> None:
    for way in orientations(ndim):
        expected = turn(cube(ndim), way)
        np.testing.assert_array_equal(turn(jnp.asarray(cube(ndim)), way), expected)


@pytest.mark.parametrize("ndim", [2, 3])
def test_vectors_turn_with_the_voxels_they_join(ndim: int) -> None:
    array = cube(ndim)
    start, end = (0,) * ndim, (1,) * (ndim - 1) + (2,)
    for way in orientations(ndim):
        turned = turn(array, way)
        places = [np.argwhere(turned == array[place])[0] for place in (start, end)]
        vector = np.array(end) - np.array(start)
        assert turn_vector(tuple(vector), way) == tuple(places[1] - places[0])


def test_what_is_not_there_cannot_be_had() -> None:
    exchange = Orientation((1, 0), (False, False))
    assert moves([("H", Component(-1, "centre"), 1)], exchange) is None
    assert moves([("A", Edges(((0, 3), (1, 0))), 2)], exchange) is None
    assert moves([("A", Edges(((0, 3), (3, 0))), 2)], exchange) is not None
    two = [("H", Component(-1, "centre"), 1), ("G", Component(-2, "other"), 1)]
    assert moves(two, exchange) is None


def test_columns_are_permuted() -> None:
    kinds = [
        ("F", Scalar(), 1),
        ("V", Component(-2, "centre"), 1),
        ("H", Component(-1, "centre"), 1),
        ("A", Edges(((0, 1), (1, -1), (1, 0), (1, 1))), 4),
        ("C", Corner(), 1),
    ]
    for way in orientations(2):
        found = moves(kinds, way)
        assert found is not None
        assert sorted(move.source for move in found) == list(range(8))


def test_an_opposite_pair_is_found_at_its_partner() -> None:
    mirror = Orientation((0, 1), (False, True))
    (move,) = moves([("A", Edges(((0, 2),)), 1)], mirror) or ()
    assert (move.source, move.sign, move.shift) == (0, 1, (0, 2))


def compass(number: int) -> Rays:
    angles = 2 * np.pi * np.arange(number) / number
    vectors = np.stack([np.sin(angles), np.cos(angles)], axis=-1).round(12) + 0.0
    return Rays(tuple(map(tuple, vectors.tolist())))


@pytest.mark.parametrize("number", [4, 8, 12, 32, 100])
def test_rays_change_places(number: int) -> None:
    kinds = [("F", Scalar(), 1), ("R", compass(number), number)]
    # How the number of a ray changes; y points down, and a turn takes +x to +y.
    expected = {
        Orientation((0, 1), (False, False)): lambda ray: ray,
        Orientation((0, 1), (True, False)): lambda ray: -ray,
        Orientation((0, 1), (False, True)): lambda ray: number // 2 - ray,
        Orientation((0, 1), (True, True)): lambda ray: ray + number // 2,
        Orientation((1, 0), (False, False)): lambda ray: number // 4 - ray,
        Orientation((1, 0), (False, True)): lambda ray: ray - number // 4,
    }
    for way in orientations(2):
        found = moves(kinds, way)
        assert found is not None
        assert sorted(move.source for move in found) == list(range(number + 1))
        if way in expected:
            sources = [move.source - 1 for move in found[1:]]
            assert sources == [expected[way](ray) % number for ray in range(number)]


def test_rays_that_a_turn_takes_to_none() -> None:
    def expressed(number: int) -> int:
        kinds = [("R", compass(number), number)]
        return sum(moves(kinds, way) is not None for way in orientations(2))

    assert [expressed(number) for number in (7, 6, 8)] == [2, 4, 8]
