"""The size of a voxel: what the user says, else what the file says, and never a silent guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from jaxseg import io
from jaxseg.errors import ConfigError, InputError, JaxsegWarning

VOLUME = np.zeros((3, 4, 5), np.uint8)
AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
BAD = [0.0, -1.5, float("inf"), float("nan"), "wide"]


def write_ome(path: Path, array: np.ndarray, **size: object) -> Path:
    metadata = {f"PhysicalSize{axis}": value for axis, value in size.items()}
    axes = "ZYX"[-array.ndim :]
    tifffile.imwrite(path, array, ome=True, metadata={"axes": axes, **metadata})
    return path


def write_imagej(path: Path, array: np.ndarray, size: Any, **metadata: object) -> Path:
    resolution = size if isinstance(size[0], tuple) else (1 / size[1], 1 / size[0])
    axes = "ZYX"[-array.ndim :]
    tifffile.imwrite(
        path, array, imagej=True, resolution=resolution, metadata={"axes": axes, **metadata}
    )
    return path


def write_ngff(path: Path, transforms: Any, *, axes: Any = AXES, common: Any = ()) -> Path:
    dataset = {"path": "0", "coordinateTransformations": transforms}
    image = {"axes": axes, "datasets": [dataset], "coordinateTransformations": list(common)}
    root = zarr.create_group(path, zarr_format=2, attributes={"multiscales": [image]})
    lead = len(axes) - 3
    root.create_array("0", data=VOLUME.reshape((1,) * lead + VOLUME.shape))
    return path


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("kind", ["ome", "ngff"])
def test_the_user_wins_over_whatever_the_file_says(tmp_path: Path, kind: str, value: Any) -> None:
    if kind == "ome":
        path = write_ome(tmp_path / "a.tif", VOLUME, X=0.5, Y=0.5, Z=value)
    else:
        path = write_ngff(tmp_path / "a.zarr", [{"type": "scale", "scale": [1.0, 0.5, 0.5]}])
        text = json.dumps([value, 0.5, 0.5]).replace("Infinity", "1e999").replace("NaN", '"NaN"')
        attributes = path / ".zattrs"
        compact = json.dumps(json.loads(attributes.read_text()))
        attributes.write_text(compact.replace("[1.0, 0.5, 0.5]", text))
    with pytest.raises(InputError, match=r"--data\.spacing"):
        io.open_image(path, ndim=3)
    opened = io.open_image(path, ndim=3, spacing=(2, 0.4, 0.3))
    assert (opened.spacing, opened.unit) == ((2.0, 0.4, 0.3), "µm")
    assert io.open_labels(path, ndim=3, spacing=(2, 0.4, 0.3)).spacing == (2.0, 0.4, 0.3)


@pytest.mark.parametrize("value", [0.0, -1.5])
def test_axes_that_are_not_used_do_not_matter(tmp_path: Path, value: float) -> None:
    path = write_imagej(tmp_path / "a.tif", VOLUME[0], (0.25, 0.5), unit="um", spacing=value)
    assert io.open_image(path, ndim=2).spacing == (0.25, 0.5)
    path = write_ome(tmp_path / "b.tif", VOLUME[0], X=0.5, Y=0.25, Z=value)
    assert io.open_image(path, ndim=2).spacing == (0.25, 0.5)


def test_an_infinite_resolution(tmp_path: Path) -> None:
    path = write_imagej(tmp_path / "a.tif", VOLUME[0], ((0, 1), (0, 1)), unit="um")
    with pytest.raises(InputError, match="along Y is not a positive number"):
        io.open_image(path, ndim=2)
    assert io.open_image(path, ndim=2, spacing=(1, 1)).spacing == (1.0, 1.0)


@pytest.mark.parametrize(
    ("units", "size", "spacing", "expected"),
    [
        ({"unit": "nm", "zunit": "um"}, (165.0, 165.0), 0.5, (0.5, 0.165, 0.165)),
        ({"unit": "um", "zunit": "nm"}, (0.1, 0.1), 500.0, (0.5, 0.1, 0.1)),
        ({"unit": "um", "yunit": "nm"}, (250.0, 0.5), 2.0, (2.0, 0.25, 0.5)),
        ({"unit": "nm"}, (16.5, 16.5), 25.0, (0.025, 0.0165, 0.0165)),
    ],
)
def test_imagej_has_a_unit_for_each_axis(
    tmp_path: Path, units: Any, size: Any, spacing: float, expected: Any
) -> None:
    path = write_imagej(tmp_path / "a.tif", VOLUME, size, spacing=spacing, **units)
    assert io.open_image(path, ndim=3).spacing == pytest.approx(expected)


def test_a_size_along_some_axes_only_is_said(tmp_path: Path) -> None:
    paths = {
        "Z": write_ome(tmp_path / "a.tif", VOLUME, X=0.1, Y=0.1),
        "Y": write_imagej(tmp_path / "b.tif", VOLUME, (1, 0.1), unit="um", yunit="pixel"),
    }
    for axis, path in paths.items():
        with pytest.warns(JaxsegWarning, match=rf"no voxel size along .*{axis}; 1 µm is used"):
            io.open_image(path, ndim=3)
        assert io.open_image(path, ndim=3, spacing=(3, 2, 1)).spacing == (3.0, 2.0, 1.0)


@pytest.mark.parametrize("where", ["dataset", "image"])
def test_a_scale_of_the_axes_of_space_is_understood(tmp_path: Path, where: str) -> None:
    scale = [{"type": "scale", "scale": [0.5, 0.2, 0.1]}]
    ones = [{"type": "scale", "scale": [1, 1, 1, 1]}]
    axes = [{"name": "c", "type": "channel"}, *AXES]
    path = write_ngff(
        tmp_path / "a.zarr",
        scale if where == "dataset" else ones,
        common=scale if where == "image" else (),
        axes=axes,
    )
    assert io.open_image(path, ndim=3).spacing == (0.5, 0.2, 0.1)


@pytest.mark.parametrize("scale", [{"scale": [0.5, 0.2]}, {"path": "scales"}, {"scale": "x"}, {}])
def test_a_scale_that_cannot_be_understood_is_refused(tmp_path: Path, scale: Any) -> None:
    path = write_ngff(tmp_path / "a.zarr", [{"type": "scale", **scale}])
    with pytest.raises(InputError, match=r"gives its scale by numbers(?s:.)*--data\.spacing"):
        io.open_image(path, ndim=3)
    assert io.open_image(path, ndim=3, spacing=(3, 2, 1)).spacing == (3.0, 2.0, 1.0)


def test_the_finest_level_is_read_wherever_it_is_listed(tmp_path: Path) -> None:
    datasets = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1, size, size]}]}
        for path, size in (("coarse", 0.4), ("fine", 0.2))
    ]
    root = zarr.create_group(
        tmp_path / "a.zarr", attributes={"multiscales": [{"axes": AXES, "datasets": datasets}]}
    )
    root.create_array("coarse", data=VOLUME[:, ::2, ::2])
    root.create_array("fine", data=VOLUME)
    opened = io.open_image(tmp_path / "a.zarr", ndim=3)
    assert (opened.spatial_shape, opened.spacing) == (VOLUME.shape, (1.0, 0.2, 0.2))


def test_where_an_image_begins(tmp_path: Path) -> None:
    scale = {"type": "scale", "scale": [2, 0.5, 0.5]}
    move = {"type": "translation", "translation": [10, 4, 0]}
    nm = [{**axis, "unit": "nanometer"} for axis in AXES]
    assert io.open_image(write_ngff(tmp_path / "a.zarr", [scale]), ndim=3).origin == (0, 0, 0)
    path = write_ngff(tmp_path / "b.zarr", [scale, move], axes=nm)
    assert io.open_image(path, ndim=3).origin == (0.01, 0.004, 0.0)


@pytest.mark.parametrize(
    "spacing",
    [(1.0,), (1.0, 1.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (float("inf"), 1.0)],
)
def test_a_spacing_that_is_none_is_refused_everywhere(tmp_path: Path, spacing: Any) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VOLUME[0])
    labels = np.ones((4, 5), np.uint16)
    for call in (
        lambda: io.open_image(path, ndim=2, spacing=spacing),
        lambda: io.open_labels(path, ndim=2, spacing=spacing),
        lambda: io.write_labels_tiff(tmp_path / "b.tif", labels, spacing=spacing),
        lambda: io.write_labels_zarr(tmp_path / "b.zarr", labels, spacing=spacing),
    ):
        with pytest.raises(ConfigError, match="not the size of a voxel"):
            call()
    assert [item.name for item in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("ndim", [0, 1, 4, -2])
def test_dimensions_that_no_image_has(tmp_path: Path, ndim: int) -> None:
    with pytest.raises(ConfigError, match="2 or 3"):
        io.open_image(tmp_path / "a.tif", ndim=ndim)


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e12, 1e300])
def test_a_size_that_no_voxel_has_is_refused(tmp_path: Path, size: float) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path,
        np.ones((4, 5), np.uint8),
        metadata={"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": 1.0},
    )
    with pytest.raises(InputError, match=r"no length in an image|not a positive number"):
        io.open_image(path, ndim=2)
    with pytest.raises(ConfigError, match="not the size of a voxel"):
        io.open_image(path, ndim=2, spacing=(1.0, size))
    assert io.open_image(path, ndim=2, spacing=(1.0, 2.0)).spacing == (1.0, 2.0)
