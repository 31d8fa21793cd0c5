"""Array functions between planes and objects, against brute force and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import find_boundaries, watershed
from support.synthetic_objects import cells, touching_balls

from jaxseg.decoding.affinities.affinity_map import loosest_edge, tightest_edge
from jaxseg.decoding.thresholds import is_noise, otsu
from jaxseg.decoding.watershed.enclosed import enclosed
from jaxseg.decoding.watershed.flood import flood, flood_slices
from jaxseg.decoding.watershed.offset_map import offset_boundary
from jaxseg.decoding.watershed.seeds import label_seeds
from jaxseg.labels.objects import compact, fill_holes

SHAPES = {2: (48, 56), 3: (14, 24, 22)}
MODES = ("thick", "inner", "outer")


def random_flood(seed: int, ndim: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A surface without equal values, seeds and a mask with several parts."""
    rng = np.random.default_rng(seed)
    shape = SHAPES[ndim]
    surface = rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.float32)
    mask = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) > 0
    blobs = ndimage.gaussian_filter(rng.normal(size=shape), 1) > share
    return surface, label_seeds(blobs), mask


@given(st.integers(0, 10_000), st.sampled_from([2, 3]), st.sampled_from([0.05, 0.15, 0.25]))
def test_flood_equals_skimage(seed: int, ndim: int, share: float) -> None:
    surface, seeds, mask = random_flood(seed, ndim, share)
    found = flood(surface, seeds, mask, workers=3)
    expected = watershed(surface, seeds, mask=mask) if seeds[mask].any() else np.zeros_like(seeds)
    assert np.array_equal(found, expected)
    turned = (np.asfortranarray(array) for array in (surface, seeds, mask))
    assert np.array_equal(flood(*turned), expected)


def test_flood_splits_a_plateau_in_the_middle() -> None:
    seeds = np.zeros((5, 40), np.int32)
    seeds[:, :3], seeds[:, -3:] = 1, 2
    found = flood(np.zeros(seeds.shape), seeds, np.ones(seeds.shape, bool))
    assert np.abs((found == 1).sum(axis=1) - 20).max() <= 1


def test_flood_does_not_change_its_arguments() -> None:
    surface, seeds, mask = random_flood(1, 2, 0.15)
    for array in (surface, seeds, mask):
        array.flags.writeable = False
    flood(surface, seeds, mask)


def test_slices_are_flooded_on_their_own() -> None:
    seeds = np.zeros((2, 1, 4), np.int32)
    seeds[0, 0, 0] = 7
    found = flood_slices(np.zeros(seeds.shape), seeds, np.ones(seeds.shape, bool))
    assert found[0].tolist() == [[7] * 4]
    assert not found[1].any()


@given(st.integers(0, 10_000), st.sampled_from([2, 3]))
def test_holes_are_filled_as_scipy_does_for_one_object(seed: int, ndim: int) -> None:
    rng = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(rng.normal(size=SHAPES[ndim]), 1) > -0.05
    found = fill_holes(mask.astype(np.uint16) * 300)
    assert found.dtype == np.uint16
    assert np.array_equal(found > 0, ndimage.binary_fill_holes(mask))


def test_only_holes_of_a_single_object_are_filled() -> None:
    labels = np.zeros((9, 18), np.int64)
    labels[1:8, 1:8] = 2**40
    labels[3:6, 3:6] = 0
    labels[4, 4] = 5
    labels[1:8, 10:13], labels[1:8, 15:18] = 7, 8
    labels[[1, 7], 13:15] = 7
    found = fill_holes(labels)
    assert (found[1:8, 1:8] != 0).sum() == 41, "a hole with another object in it stays"
    assert not found[3, 13:15].any(), "between two objects"
    single = np.where(labels == 5, 0, labels)
    assert (fill_holes(single)[1:8, 1:8] == 2**40).all()


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_nothing_and_everything_have_no_holes(shape: tuple[int, ...]) -> None:
    for value in (0, 1):
        labels = np.full(shape, value, np.uint8)
        assert np.array_equal(fill_holes(labels), labels)


def test_small_seeds_go_unless_nothing_else_is_left() -> None:
    mask = np.zeros((3, 20), bool)
    mask[:, 0:4], mask[1, 6:8] = True, True
    mask[1, 12], mask[1, 15:17] = True, True
    within = np.zeros_like(mask)
    within[:, :10], within[:, 11:18] = True, True
    assert label_seeds(mask, min_seed=5).max() == 1
    kept = label_seeds(mask, min_seed=5, within=within)
    assert kept.max() == 2
    assert kept[1, 15] == 2, "the larger of the two small ones"


def test_compact_uses_the_smallest_type() -> None:
    few = compact(np.array([[0, 9, 70000]]))
    many = compact(np.arange(70000)[None])
    assert (few.dtype, few.tolist()) == (np.uint16, [[0, 1, 2]])
    assert (many.dtype, many.max()) == (np.uint32, 69999)


@pytest.mark.parametrize("level", [0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("ndim", [2, 3])
def test_narrow_noise_is_noise(ndim: int, level: float, rng: np.random.Generator) -> None:
    plane = rng.normal(level, 0.002, SHAPES[ndim]).astype(np.float32)
    assert is_noise(plane, level)
    assert otsu(plane) is None


@given(st.integers(0, 10_000), st.floats(0.2, 0.8))
def test_white_noise_is_noise_at_any_threshold(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    assert is_noise(rng.random((32, 32)), threshold)
    assert is_noise(rng.normal(0.5, 0.3, (32, 32)), threshold)


@given(st.integers(0, 10_000))
def test_objects_are_no_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = touching_balls(rng, (48, 48), count=4, radii=(2, 6))
    plane = 0.25 + 0.5 * ndimage.gaussian_filter((labels > 0).astype(float), 1)
    noisy = plane + rng.normal(0, 0.05, plane.shape)
    assert not is_noise(noisy, 0.5)
    assert 0.3 < (otsu(noisy) or 0) < 0.7


def test_single_voxels_and_full_images_are_no_noise() -> None:
    dots = np.zeros((30, 30))
    dots[::9, ::9] = 1
    assert not is_noise(dots, 0.5)
    assert not is_noise(np.ones((8, 8)), 0.5)
    assert not is_noise(np.zeros((8, 8)), 0.5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_edges_are_reduced_over_both_ends(ndim: int, rng: np.random.Generator) -> None:
    offsets = [(0,) * (ndim - 1) + (1,), (1,) * (ndim - 1) + (-1,), (1,) + (0,) * (ndim - 1)]
    shape = (4, 5, 6)[-ndim:]
    columns = rng.random((*shape, 3)).astype(np.float32)
    ends: dict[tuple[int, ...], list[float]] = {place: [] for place in np.ndindex(shape)}
    for column, offset in enumerate(offsets):
        for place in np.ndindex(shape):
            partner = tuple(np.subtract(place, offset))
            if partner in ends:
                ends[place].append(columns[(*place, column)])
                ends[partner].append(columns[(*place, column)])
    for function, reduce in ((tightest_edge, min), (loosest_edge, max)):
        found = function(columns, offsets)
        assert all(found[place] == reduce(values) for place, values in ends.items())


def test_a_voxel_without_edges_is_tied_to_nothing() -> None:
    assert tightest_edge(np.ones((1, 1, 1)), [(0, 5)]).tolist() == [[0]]


@pytest.mark.parametrize("size", [0.3, 1.0, 50.0])
def test_boundaries_of_offsets_do_not_depend_on_their_size(size: float) -> None:
    line = np.array([0, 0, -1, -0.5, 0, 0.5, 1, -1, 0, 1, 0, 0]) * size
    found = offset_boundary({1: line[None]}, line[None] == line, soft=0.0, jump=2 * size)
    assert found[0, [6, 7]].tolist() == [1, 1], "between the objects"
    assert found[0, 4] == 0, "at the centre"
    assert found[0, [2, 9]].min() > 0.4, "towards the background"


def test_a_jump_on_one_side_of_two_centres_is_a_boundary() -> None:
    line = np.concatenate([np.arange(-9, 0), np.arange(-2, 12)]).astype(float)[None]
    found = offset_boundary({1: line}, np.ones(line.shape, bool), soft=0.2, jump=3.0)
    assert found[0, [8, 9]].min() >= 0.5
    assert np.delete(found[0], [8, 9]).max() == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_contours_enclose_their_objects(ndim: int, mode: str, rng: np.random.Generator) -> None:
    labels = touching_balls(rng, (40,) * ndim, count=3, radii=(5, 8))
    found = enclosed(find_boundaries(labels, mode=mode), mode=mode)
    assert (found & (labels > 0)).sum() / (found | (labels > 0)).sum() > 0.9


def test_an_image_without_contours_or_full_of_them_has_no_objects() -> None:
    for value in (False, True):
        assert not enclosed(np.full((9, 9), value), mode="thick").any()


def test_cells_cut_by_the_border_are_objects(rng: np.random.Generator) -> None:
    labels = cells(rng, (60, 60), count=25)
    labels = ndimage.grey_dilation(labels, 9)
    found = enclosed(find_boundaries(labels, mode="inner"), mode="inner")
    assert found.mean() > 0.9
