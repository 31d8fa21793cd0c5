"""Targets of synaptic sites: exact vectors, unknown where no partner is seen."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.made_synapses import SPACING, synapses

from jaxseg import symmetry
from jaxseg.targets import LEVELS, Sites, partner_offset, site_closeness
from jaxseg.tasks.synapse_truth import DrawnSites

SHAPE, RADIUS = (12, 48, 56), 0.05
TABLE = synapses(SHAPE, seed=5, count=6)
DRAWN = DrawnSites(TABLE, (*SHAPE, 4), (RADIUS,) * 3, SPACING)


def test_any_box_is_drawn_as_in_the_whole() -> None:
    whole = DRAWN[...]
    assert whole.dtype == np.int32
    for box in (np.s_[2:9, 10:40, 3:50], np.s_[:, :, 20:21, 1:3], np.s_[4, ..., 2]):
        np.testing.assert_array_equal(DRAWN[box], whole[box])


def test_closeness_is_one_at_sites_and_falls_to_the_border_of_balls() -> None:
    near = np.asarray(site_closeness(Sites.of(DRAWN[...]), side="post"))
    grid = np.stack(np.indices(SHAPE), -1)
    away = (grid[..., None, :] - TABLE.post) * SPACING
    distance = np.linalg.norm(away, axis=-1).min(-1)
    expected = np.where(
        distance <= RADIUS * (1 + 1e-9), np.maximum(1 - distance / RADIUS, 1 / LEVELS), 0
    )
    np.testing.assert_allclose(near, expected, atol=0.5 / LEVELS + 1e-6)
    ball = np.asarray(site_closeness(Sites.of(DRAWN[...]), side="post", shape="ball"))
    np.testing.assert_array_equal(ball, expected > 0)


@pytest.mark.parametrize("axis", [-1, -2, -3])
def test_vectors_lead_to_the_partner(axis: int) -> None:
    planes = DRAWN[...]
    offsets, known = map(np.asarray, partner_offset(
        Sites.of(jnp.asarray(planes)), axis=axis, spacing=SPACING, max_label=99, unit=0.1
    ))  # fmt: skip
    np.testing.assert_array_equal(known, planes[..., 1] > 0)
    for place, row in zip(TABLE.post.astype(int), TABLE.partner, strict=True):
        # A core that the border of the image cuts has its middle further inside.
        wanted = (TABLE.pre[row] - place)[axis] * SPACING[axis] / 0.1
        assert offsets[tuple(place)] == pytest.approx(wanted, abs=0.5 * RADIUS / 3 / 0.1)
    assert (offsets[~known] == 0).all()


def test_a_partner_that_is_not_seen_is_not_known() -> None:
    post = jnp.zeros((9, 9), int).at[2, 2].set(4).at[6, 6].set(1)
    core = jnp.zeros((9, 9), int).at[6, 2].set(1)
    offsets, known = partner_offset(Sites(core, post, post, core), axis=-1, max_label=4)
    assert np.argwhere(np.asarray(known)).tolist() == [[6, 6]]
    assert float(offsets[6, 6]) == -4


def test_a_core_that_a_mirror_shows_twice_is_not_known() -> None:
    core = jnp.zeros((40, 40), int).at[3:6, 3:6].set(1).at[30:33, 3:6].set(1)
    post = jnp.zeros((40, 40), int).at[10, 3].set(1)
    _, known = partner_offset(Sites(core, post, post, core), axis=-2, max_label=1)
    assert not np.asarray(known).any()


def test_vectors_of_a_turned_patch_are_turned_vectors() -> None:
    planes = DRAWN[...]

    def vector(turned: np.ndarray) -> np.ndarray:
        sites = Sites.of(jnp.asarray(turned))
        parts = [partner_offset(sites, axis=axis, max_label=99)[0] for axis in (-3, -2, -1)]
        return np.stack(jax.device_get(parts), -1)

    for way in symmetry.orientations(3):
        expected = symmetry.turn(vector(planes), way)[..., list(way.axes)]
        expected = expected * np.where(way.flips, -1, 1)
        found = vector(np.ascontiguousarray(symmetry.turn(planes, way)))
        np.testing.assert_allclose(found, expected, atol=1e-4)
