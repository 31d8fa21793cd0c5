"""Measurements against scikit-image, object by object."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import marching_cubes, mesh_surface_area, perimeter, regionprops_table
from support.synthetic_objects import cells

from jaxseg.config.properties import EXTRA, ISOTROPIC, extra_names, table_columns
from jaxseg.errors import ConfigError, InputError
from jaxseg.measurements import measure, perimeters, surface_areas

SHAPES = {2: (50, 60), 3: (12, 30, 28)}
SPACINGS = {2: (2.0, 0.5), 3: (2.0, 0.5, 0.7)}


@pytest.mark.parametrize("ndim", [2, 3])
def test_equal_to_skimage(ndim: int, rng: np.random.Generator) -> None:
    labels = cells(rng, SHAPES[ndim], count=30) * 7
    image = rng.normal(size=labels.shape)
    table = measure(labels, intensity=image)
    names = (
        "label",
        "area",
        "centroid",
        "bbox",
        "intensity_mean",
        "intensity_min",
        "intensity_max",
        "intensity_std",
    )
    expected = regionprops_table(labels, image, properties=names)
    expected["npixels"] = expected.pop("area")
    for name, values in expected.items():
        assert np.allclose(table[name], values), name


@pytest.mark.parametrize("ndim", [2, 3])
def test_physical_units(ndim: int, rng: np.random.Generator) -> None:
    labels, spacing = cells(rng, SHAPES[ndim], count=12), SPACINGS[ndim]
    table, voxels = measure(labels, spacing=spacing), measure(labels)
    size = "area" if ndim == 2 else "volume"
    assert np.allclose(table[size], voxels.npixels * np.prod(spacing))
    for axis, length in enumerate(spacing):
        assert np.allclose(table[f"centroid_um-{axis}"], voxels[f"centroid-{axis}"] * length)
    sides = [
        (voxels[f"bbox-{axis + ndim}"] - voxels[f"bbox-{axis}"]) * length
        for axis, length in enumerate(spacing)
    ]
    assert np.allclose(table.diameter, np.max(sides, axis=0))
    assert np.array_equal(table.diameter_voxels, voxels.diameter)


def test_a_disc_in_anisotropic_pixels() -> None:
    y, x = np.indices((25, 25)) - 12
    disc = (y**2 + x**2 <= 100).astype(np.uint8)
    table = measure(disc, spacing=(2, 3))
    assert table.npixels.tolist() == [317]
    assert table.area.tolist() == [1902]


def test_perimeters_are_those_of_skimage(rng: np.random.Generator) -> None:
    labels = cells(rng, SHAPES[2], count=30)
    found = perimeters(labels, spacing=(0.5, 0.5))
    for label in range(1, 31):
        mask = np.pad(labels == label, 1)
        assert found[label] == pytest.approx(perimeter(mask, neighborhood=4) / 2)


def test_perimeter_of_a_rectangle_in_anisotropic_pixels() -> None:
    labels = np.zeros((20, 20), int)
    labels[5:10, 3:14] = 1
    found = perimeters(labels, spacing=(3.0, 0.5))[1]
    assert found == pytest.approx(2 * (4 * 3.0 + 10 * 0.5), rel=0.01)


def test_surfaces_are_those_of_meshes(rng: np.random.Generator) -> None:
    labels = cells(rng, SHAPES[3], count=12)
    found = surface_areas(labels, spacing=SPACINGS[3])
    for label in range(1, 13):
        mask = np.pad(labels == label, 1).astype(np.float32)
        corners, faces, _, _ = marching_cubes(mask, 0.5, spacing=SPACINGS[3])
        assert found[label] == pytest.approx(mesh_surface_area(corners, faces), rel=1e-5)


def test_surfaces_do_not_depend_on_the_slabs(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = cells(rng, SHAPES[3], count=12)
    whole = surface_areas(labels)
    monkeypatch.setattr("jaxseg.measurements.surface.CELLS", 1)
    assert np.allclose(surface_areas(labels), whole)


def test_known_bodies() -> None:
    cube = np.zeros((9, 9, 9), int)
    cube[2:7, 2:7, 2:7] = 1
    ball = (np.square(np.indices((25, 25, 25)) - 12).sum(axis=0) <= 100).astype(int)
    one, other = measure(cube).iloc[0], measure(ball).iloc[0]
    assert one.surface_area == pytest.approx(131.67, abs=0.01)
    assert one.sphericity == pytest.approx(0.774, abs=0.001)
    assert (other.volume, other.diameter) == (4169, 21)
    assert other.surface_area == pytest.approx(1372.0, abs=0.1)
    touching = measure(np.ones((5, 5, 5), int)).iloc[0]
    assert touching.surface_area == pytest.approx(one.surface_area)


def test_round_and_long_objects() -> None:
    labels = np.zeros((60, 60), int)
    y, x = np.indices(labels.shape)
    labels[(y - 20) ** 2 + (x - 20) ** 2 <= 15**2] = 1
    labels[45:49, 5:55] = 2
    labels[55, 55] = 3
    table = measure(labels)
    assert table.circularity[0] == pytest.approx(1, abs=0.1)
    assert table.circularity[1] < 0.5
    assert table.circularity[2] == 0, "a single pixel has no perimeter"
    assert np.allclose(table.elongation[:2], 1 / table.circularity[:2])


@pytest.mark.parametrize("ndim", [2, 3])
def test_no_object_gives_the_same_columns(ndim: int) -> None:
    image = np.zeros((*SHAPES[ndim], 2))
    empty = measure(np.zeros(SHAPES[ndim], np.uint16), intensity=image)
    one = measure(np.ones(SHAPES[ndim], np.uint16), intensity=image)
    assert len(empty) == 0
    assert empty.columns.tolist() == one.columns.tolist()
    assert {"intensity_mean-0", "intensity_max-1"} <= set(one.columns)
    short = measure(np.zeros(SHAPES[ndim], np.uint16), shape=False)
    assert not {"perimeter", "surface_area"} & set(short.columns)


def test_ids_of_any_type_and_size() -> None:
    labels = np.zeros((6, 8), np.uint64)
    labels[:2, :2], labels[3:5, 3:6] = 2**63 + 5, 2**33
    table = measure(labels)
    assert table.label.tolist() == [2**33, 2**63 + 5]
    assert table.npixels.tolist() == [6, 4]
    assert measure(labels > 0).npixels.tolist() == [10]
    assert measure(np.arange(1, 5, dtype=np.uint8).reshape(2, 2)).label.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("channels", [0, 1, 2])
def test_columns_are_those_that_are_announced(ndim: int, channels: int) -> None:
    extra = [n for n in extra_names(ndim) if n not in ISOTROPIC]
    extra = [
        n for n in extra if channels or (not n.startswith("intensity") and "weighted" not in n)
    ]
    labels = np.zeros(SHAPES[ndim], np.uint8)
    image = np.zeros((*SHAPES[ndim], channels)) if channels else None
    for objects in (0, 1):
        labels[(slice(1, 4),) * ndim] = objects
        table = measure(labels, spacing=SPACINGS[ndim], intensity=image, extra=extra)
        announced = table_columns(ndim, channels=channels, extra=extra)
        assert table.columns.tolist() == announced
        assert len(table) == objects


@pytest.mark.parametrize("ndim", [2, 3])
def test_further_measurements_are_those_of_skimage(ndim: int, rng: np.random.Generator) -> None:
    labels, image = cells(rng, SHAPES[ndim], count=12), rng.random((*SHAPES[ndim], 2))
    names = [name for name in extra_names(ndim) if name not in ISOTROPIC]
    expected = regionprops_table(labels, image, properties=names, spacing=SPACINGS[ndim])
    table = measure(
        labels.astype(np.uint64) << np.uint64(40),
        spacing=SPACINGS[ndim],
        intensity=image,
        extra=names,
    )
    for name, values in expected.items():
        known = np.isfinite(values)
        assert np.allclose(table[name][known], values[known]), name
    if ndim == 2:
        crofton = measure(labels, spacing=(0.5, 0.5), extra=["perimeter_crofton", "moments_hu"])
        expected = regionprops_table(labels, properties=["perimeter_crofton", "moments_hu"])
        assert np.allclose(crofton["perimeter_crofton"], expected["perimeter_crofton"] / 2)
        assert np.allclose(crofton["moments_hu-6"], expected["moments_hu-6"])


def test_every_further_measurement_of_skimage_is_known() -> None:
    from skimage.measure._regionprops import COL_DTYPES

    tabular = {name for name, kind in COL_DTYPES.items() if kind is not object}
    measured = {name.split("-")[0] for name in table_columns(2)} | {"num_pixels"}
    assert set(EXTRA) == tabular - measured


def test_flat_objects_have_no_hull() -> None:
    labels = np.zeros((6, 6, 6), int)
    labels[1, 1:4, 1:4], labels[3:6, 3:6, 3:6], labels[4, 0, 0] = 1, 2, 3
    table = measure(labels, extra=["area_convex", "solidity"])
    assert np.isnan(table.area_convex).tolist() == [True, False, True]
    assert np.isnan(table.solidity).tolist() == [True, False, True]


def test_illegal_further_measurements_are_refused() -> None:
    square, cube = np.ones((4, 4), int), np.ones((4, 4, 4), int)
    with pytest.raises(ConfigError, match="did you mean 'solidity'"):
        measure(square, extra=["solidty"])
    with pytest.raises(ConfigError, match="3D"):
        measure(cube, extra=["eccentricity"])
    with pytest.raises(ConfigError, match="equal sides"):
        measure(square, spacing=(1, 2), extra=["perimeter_crofton"])
    with pytest.raises(ConfigError, match="image"):
        measure(square, extra=["intensity_median"])


def test_arguments_stay_as_they_are() -> None:
    labels = np.ones((5, 6), np.int32)
    labels.flags.writeable = False
    measure(labels, intensity=labels)


def test_bad_input_is_refused() -> None:
    labels = np.ones((4, 4), int)
    with pytest.raises(InputError, match="integers"):
        measure(labels.astype(float))
    with pytest.raises(InputError, match="negative"):
        measure(-labels)
    with pytest.raises(InputError, match="differ in size"):
        measure(labels, intensity=np.zeros((4, 5)))
    with pytest.raises(ConfigError, match="spacing"):
        measure(labels, spacing=(1.0, 1.0, 1.0))


@pytest.mark.parametrize("background", [True, False])
def test_ids_of_64_bit_stay_exact(background: bool) -> None:
    base = 720575940623374841
    ids = np.array([base, base + 1, base + 2, 2**63 + 7], np.uint64)
    labels = np.repeat(np.repeat(ids, 8).reshape(4, 8), 2, 0)
    if background:
        labels[:, 0] = 0
    for array in (labels, labels[None]):
        table = measure(array)
        assert table["label"].dtype == np.uint64
        assert table["label"].tolist() == ids.tolist()


@pytest.mark.parametrize("spacing", [(1.0,), (0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0)])
def test_a_spacing_that_is_none(spacing: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="not the size of a voxel"):
        measure(np.ones((4, 5), np.uint8), spacing=spacing)
