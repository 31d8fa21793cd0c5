"""One phantom in many formats, axis orders and types: read back the same, or asked about."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr
from support import real_images

from jaxseg import io
from jaxseg.errors import ConfigError, InputError, JaxsegWarning
from jaxseg.io.tiff import EncodedTiff, MappedTiff, open_tiff
from jaxseg.io.units import to_micrometers

SIZES = {"z": 4, "c": 2, "y": 20, "x": 30}
DTYPES = ("uint8", "uint16", "int16", "uint32", "float16", "float32", "float64")
CODING: dict[str, dict[str, Any]] = {
    "raw": {},
    "big": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "zlib": {"compression": "zlib"},
    "lzw": {"compression": "lzw", "predictor": True},
    "tiled": {"tile": (16, 16), "compression": "zlib"},
}


def phantom(axes: str, dtype: str) -> np.ndarray:
    """An array in the order of ``axes`` whose values tell where they belong."""
    full = np.arange(np.prod(list(SIZES.values()))) % 251
    full = full.reshape(tuple(SIZES.values()))
    index = tuple(slice(None) if axis in axes else 0 for axis in SIZES)
    kept = [axis for axis in SIZES if axis in axes]
    return full[index].transpose([kept.index(axis) for axis in axes]).astype(dtype)


def canonical(axes: str, array: np.ndarray) -> np.ndarray:
    """The same as (z)yxc."""
    wanted = [axis for axis in "zyxc" if axis in axes]
    array = array.transpose([axes.index(axis) for axis in wanted])
    return array if "c" in axes else array[..., None]


@pytest.mark.parametrize("coding", CODING)
@pytest.mark.parametrize("axes", ["yx", "zyx", "cyx", "yxc", "zcyx", "czyx", "zyxc", "xyz"])
def test_tiff_with_declared_axes(tmp_path: Path, axes: str, coding: str) -> None:
    for dtype in DTYPES if coding != "lzw" else DTYPES[:4]:
        array = phantom(axes, dtype)
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", **CODING[coding])
        ndim = 3 if "z" in axes else 2
        volume = io.open_image(tmp_path / "a.tif", ndim=ndim, axes=axes.upper())
        expected = canonical(axes, array)
        assert volume.dtype == expected.dtype
        np.testing.assert_array_equal(volume.array(), expected)
        box = tuple(slice(1, size - 1) for size in volume.spatial_shape)
        part = volume.read([b.start for b in box], [b.stop for b in box])
        np.testing.assert_array_equal(part, expected[box])


@pytest.mark.parametrize("axes", ["cyx", "yxc", "zcyx", "czyx", "zyxc"])
def test_tiff_without_names_is_asked_about(tmp_path: Path, axes: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", phantom(axes, "uint8"), photometric="minisblack")
    with pytest.raises(InputError, match=r"--data\.axes|--ndim"):
        io.open_image(tmp_path / "a.tif", ndim=3 if "z" in axes else 2)


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
@pytest.mark.parametrize("axes", ["yx", "zyx", "cyx", "zcyx"])
def test_tiff_with_named_axes(tmp_path: Path, kind: str, axes: str) -> None:
    array = phantom(axes, "uint16")
    options = {} if kind == "shaped" else {kind: True}
    options |= {"photometric": "minisblack", "metadata": {"axes": axes.upper()}}
    for extra in ({}, {"compression": "zlib"}):
        tifffile.imwrite(tmp_path / "a.tif", array, **options, **extra)
        volume = io.open_image(tmp_path / "a.tif", ndim=3 if "z" in axes else 2)
        np.testing.assert_array_equal(volume.array(), canonical(axes, array))
        assert volume.axes == ("zyxc" if "z" in axes else "yxc")


def test_rgb_and_rgba(tmp_path: Path) -> None:
    for channels in (3, 4):
        array = np.random.default_rng(0).integers(0, 255, (20, 30, channels), np.uint8)
        tifffile.imwrite(tmp_path / "rgb.tif", array, photometric="rgb", metadata=None)
        volume = io.open_image(tmp_path / "rgb.tif", ndim=2)
        np.testing.assert_array_equal(volume.array(), array)


@pytest.mark.parametrize("spacing", [(0.3, 0.065, 0.07), (0.1, 0.125)])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 5])
def test_written_images_come_back(
    tmp_path: Path, spacing: tuple[float, ...], channels: int
) -> None:
    shape = (4, 17, 19)[-len(spacing) :] + ((channels,) if channels else ())
    for dtype in (*DTYPES, "int8", "int32", "bool"):
        image = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
        io.write_image_tiff(tmp_path / "a.tif", image, spacing=spacing)
        volume = io.open_image(tmp_path / "a.tif", ndim=len(spacing))
        np.testing.assert_array_equal(volume.array(), image if channels else image[..., None])
        assert (volume.spacing, volume.unit) == (spacing, "µm")


@pytest.mark.parametrize("spacing", [(2.0, 0.5, 0.25), (0.1, 0.2)])
@pytest.mark.parametrize("largest", [0, 7, 65535, 65536, 2**24 + 1, 2**32 - 1, 2**40, 2**64 - 1])
def test_written_labels_come_back(tmp_path: Path, spacing: tuple[float, ...], largest: int) -> None:
    labels = np.zeros((3, 10, 11)[-len(spacing) :], np.uint64)
    labels[..., 2:5, 3:6] = largest
    smallest = next(kind for kind in ("u2", "u4", "u8") if largest <= np.iinfo(kind).max)
    io.write_labels_zarr(
        tmp_path / "a.ome.zarr", labels, spacing=spacing, chunks=(2, 4, 5)[-len(spacing) :]
    )
    written = [tmp_path / "a.ome.zarr"]
    if largest < 2**32:
        io.write_labels_tiff(tmp_path / "a.tif", labels, spacing=spacing)
        written.append(tmp_path / "a.tif")
    else:
        with pytest.raises(ConfigError, match="Zarr"):
            io.write_labels_tiff(tmp_path / "a.tif", labels, spacing=spacing)
    for path in written:
        volume = io.open_labels(path, ndim=len(spacing))
        np.testing.assert_array_equal(volume.array(), labels)
        assert volume.dtype == np.dtype(smallest)
        assert volume.spacing == spacing


def test_label_tiff_opens_in_imagej_with_its_scale(tmp_path: Path) -> None:
    io.write_labels_tiff(tmp_path / "a.tif", np.ones((3, 5, 6), np.int64), spacing=(2.0, 0.5, 0.25))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_imagej
        assert file.imagej_metadata["spacing"] == 2.0
        assert file.imagej_metadata["unit"] == "um"
        assert file.pages[0].tags["XResolution"].value == (4, 1)


@pytest.mark.parametrize("labels", [np.zeros((4, 4)), np.array([[-1, 2]])])
def test_labels_are_never_cast(tmp_path: Path, labels: np.ndarray) -> None:
    for write in (io.write_labels_tiff, io.write_labels_zarr):
        with pytest.raises(ValueError, match="labels must"):
            write(tmp_path / "a", labels, spacing=(1.0, 1.0))
    assert not list(tmp_path.iterdir())


def test_a_volume_can_be_written(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((9, 12, 13, 2), np.float32)
    zarr.create_array(tmp_path / "a.zarr", data=image, chunks=(4, 8, 8, 2))
    volume = io.open_image(tmp_path / "a.zarr", ndim=3, axes="ZYXC")
    io.write_image_tiff(tmp_path / "a.tif", volume, spacing=volume.spacing)
    np.testing.assert_array_equal(io.open_image(tmp_path / "a.tif", ndim=3).array(), image)


# --- Zarr -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["yx", "zyx", "cyx", "czyx", "zyxc"])
def test_plain_zarr(tmp_path: Path, axes: str, version: Any) -> None:
    array = phantom(axes, "uint16")
    path = tmp_path / "a.zarr"
    target = zarr.create_array(
        path, shape=array.shape, chunks=(3,) * array.ndim, dtype=array.dtype, zarr_format=version
    )
    target[...] = array
    ndim = 3 if "z" in axes else 2
    volume = io.open_image(path, ndim=ndim, axes=axes.upper())
    np.testing.assert_array_equal(volume.array(), canonical(axes, array))
    if "c" in axes:
        with pytest.raises(InputError, match=r"--data\.axes"):
            io.open_image(path, ndim=ndim)
    else:
        np.testing.assert_array_equal(io.open_image(path, ndim=ndim).array()[..., 0], array)


@pytest.mark.parametrize("version", [2, 3])
def test_named_dimensions(tmp_path: Path, version: Any) -> None:
    array = phantom("xcyz", "uint8")
    names = (
        {"dimension_names": list("xcyz")}
        if version == 3
        else {"attributes": {"_ARRAY_DIMENSIONS": list("xcyz")}}
    )
    target = zarr.create_array(
        tmp_path / "a.zarr", shape=array.shape, dtype="u1", zarr_format=version, **names
    )
    target[...] = array
    volume = io.open_image(tmp_path / "a.zarr", ndim=3)
    np.testing.assert_array_equal(volume.array(), canonical("xcyz", array))


@pytest.mark.parametrize("version", [2, 3])
def test_ngff_of_other_writers(tmp_path: Path, version: Any) -> None:
    """0.4 and 0.5, two levels, a time axis of one, nanometres, and a scale for all levels."""
    array = phantom("czyx", "uint16")
    image = {
        "axes": [
            {"name": "t", "type": "time"},
            {"name": "c", "type": "channel"},
            {"name": "z", "type": "space", "unit": "nanometer"},
            {"name": "y", "type": "space", "unit": "nanometer"},
            {"name": "x", "type": "space", "unit": "micrometer"},
        ],
        "datasets": [
            {
                "path": f"s{level}",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1, 1, 40, 4 * 2**level, 2**level]}
                ],
            }
            for level in range(2)
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 2, 2]}],
    }
    ome = {"multiscales": [image], "version": "0.5"}
    attributes = {"ome": ome} if version == 3 else ome
    root = zarr.create_group(tmp_path / "a.ome.zarr", zarr_format=version, attributes=attributes)
    root.create_array("s0", data=array[None])
    root.create_array("s1", data=array[None, :, :, ::2, ::2])
    volume = io.open_image(tmp_path / "a.ome.zarr", ndim=3)
    np.testing.assert_array_equal(volume.array(), canonical("czyx", array))
    assert volume.spacing == (0.08, 0.008, 2.0)
    given = io.open_image(tmp_path / "a.ome.zarr", ndim=3, spacing=(3, 2, 1))
    assert given.spacing == (3.0, 2.0, 1.0)


@pytest.mark.parametrize("spacing", [(2.0, 0.5, 0.25), (0.5, 0.25)])
def test_planes(tmp_path: Path, spacing: tuple[float, ...]) -> None:
    shape = (*(10, 21, 23)[-len(spacing) :], 3)
    planes = np.random.default_rng(0).random(shape, np.float32)
    chunks = (*(4, 8, 8)[-len(spacing) :], 3)
    path = tmp_path / "a.ome.zarr"
    with io.create_planes(
        path, shape=shape, chunks=chunks, spacing=spacing, channel_names=["F", "C", "Db"]
    ) as out:
        assert not path.exists()
        assert (out.shape, out.dtype, out.chunks) == (shape, np.float32, chunks)
        corners = itertools.product(
            *(range(0, n, c) for n, c in zip(shape[:-1], chunks[:-1], strict=True))
        )
        for corner in corners:
            box = tuple(slice(at, at + c) for at, c in zip(corner, chunks[:-1], strict=True))
            out[box] = planes[box]
        np.testing.assert_array_equal(out[2:5], planes[2:5])
    yaozarrs.validate_zarr_store(path)
    volume = io.open_image(path, ndim=len(spacing))
    np.testing.assert_array_equal(volume.array(), planes)
    assert volume.spacing == spacing
    ome = yaozarrs.open_group(path).ome_metadata()
    assert [channel.label for channel in ome.omero.channels] == ["F", "C", "Db"]
    stored = zarr.open_array(path / "0", mode="r")
    assert stored.shape == (3, *shape[:-1])


def test_label_store_is_valid_ngff(tmp_path: Path) -> None:
    io.write_labels_zarr(tmp_path / "a.zarr", np.ones((3, 4), np.uint8), spacing=(1.0, 2.0))
    yaozarrs.validate_zarr_store(tmp_path / "a.zarr")


def test_a_group_needs_one_array(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr")
    root.create_array("raw", data=np.ones((4, 5), np.uint8))
    assert io.open_image(tmp_path / "a.zarr", ndim=2).shape == (4, 5, 1)
    root.create_array("other", data=np.ones((4, 5), np.uint8))
    with pytest.raises(InputError, match="other, raw"):
        io.open_image(tmp_path / "a.zarr", ndim=2)
    assert io.open_image(tmp_path / "a.zarr" / "raw", ndim=2).shape == (4, 5, 1)


# --- what an image or a label image is made of ------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "uint64", "complex64"])
def test_images_of_other_types_are_refused(tmp_path: Path, dtype: str) -> None:
    zarr.save_array(tmp_path / "a.zarr", np.ones((4, 5), dtype))
    with pytest.raises(InputError, match="no intensity"):
        io.open_image(tmp_path / "a.zarr", ndim=2)


@pytest.mark.parametrize(("dtype", "largest"), [("f2", 2**11), ("f4", 2**24), ("f8", 2**53)])
def test_whole_numbers_in_floating_point_are_labels(
    tmp_path: Path, dtype: str, largest: int
) -> None:
    """ImageJ has no other type for more than 65,535 objects; beyond 2**24 ids would be merged."""
    ids = np.array([[0, 1, 2], [7, largest - 1, largest]], np.uint64)
    tifffile.imwrite(tmp_path / "a.tif", ids.astype(dtype))
    labels = io.open_labels(tmp_path / "a.tif", ndim=2)
    assert labels.dtype == (np.uint64 if dtype == "f8" else np.uint32)
    np.testing.assert_array_equal(labels.array(), ids)
    np.testing.assert_array_equal(labels.read((1, 0), (2, 2)), ids[1:, :2])
    for wrong in (0.5, -1, np.nan, np.inf, 2.0 * largest):
        bad = ids.astype(dtype)
        bad[1, 1] = wrong
        tifffile.imwrite(tmp_path / "a.tif", bad)
        with pytest.raises(InputError, match="not all whole numbers"):
            io.open_labels(tmp_path / "a.tif", ndim=2)


def test_negative_labels_are_refused(tmp_path: Path) -> None:
    labels = np.zeros((4, 5), np.int32)
    tifffile.imwrite(tmp_path / "a.tif", labels)
    assert io.open_labels(tmp_path / "a.tif", ndim=2).dtype == np.int32
    labels[3, 4] = -7
    tifffile.imwrite(tmp_path / "a.tif", labels)
    with pytest.raises(InputError, match=r"negative.*\n.*found -7"):
        io.open_labels(tmp_path / "a.tif", ndim=2)


def test_bool_labels_are_zero_and_one(tmp_path: Path) -> None:
    mask = np.eye(9, dtype=bool)
    tifffile.imwrite(tmp_path / "a.tif", mask)
    volume = io.open_labels(tmp_path / "a.tif", ndim=2)
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume.array(), mask)


# --- voxel size -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("micron", (2.0, 0.25, 0.5)),
        ("nm", (0.002, 0.00025, 0.0005)),
        ("\\u00B5m", (2.0, 0.25, 0.5)),
    ],
)
def test_imagej_scale(tmp_path: Path, unit: str, expected: tuple[float, ...]) -> None:
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": unit}
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((3, 4, 5), np.uint8),
        imagej=True,
        resolution=(2, 4),
        metadata=metadata,
    )
    assert io.open_image(tmp_path / "a.tif", ndim=3).spacing == expected


def test_a_scale_in_pixels_is_not_used_silently(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "spacing": 2.0}
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((3, 4, 5), np.uint8), imagej=True, metadata=metadata
    )
    with pytest.warns(JaxsegWarning, match=r"--data\.spacing"):
        volume = io.open_image(tmp_path / "a.tif", ndim=3)
    assert (volume.spacing, volume.unit) == ((1.0, 1.0, 1.0), "voxel")


def test_ome_scale_in_any_unit(tmp_path: Path) -> None:
    """A size that is known along some axes only is not completed silently."""
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeX": 100.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeZ": 0.5,
    }
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4, 5), np.uint8), ome=True, metadata=metadata)
    with pytest.warns(JaxsegWarning, match="no voxel size along Y"):
        assert io.open_image(tmp_path / "a.tif", ndim=3).spacing == (0.5, 1.0, 0.1)


def test_dots_per_inch_are_no_voxel_size(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 5), np.uint8), resolution=(72, 72), resolutionunit=2
    )
    assert io.open_image(tmp_path / "a.tif", ndim=2).spacing == (1.0, 1.0)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_an_impossible_voxel_size(tmp_path: Path, value: float) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": value}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), ome=True, metadata=metadata)
    with pytest.raises(InputError, match=r"--data\.spacing"):
        io.open_image(tmp_path / "a.tif", ndim=2)


def test_units() -> None:
    assert to_micrometers("nanometres") == 1e-3
    assert to_micrometers("Å") == 1e-4
    assert to_micrometers("furlong") is None


# --- reading stays lazy -----------------------------------------------------------------------


def test_uncompressed_is_mapped_and_compressed_is_decoded_in_parts(tmp_path: Path) -> None:
    stack = np.zeros((6, 64, 64), np.uint16)
    tifffile.imwrite(tmp_path / "raw.tif", stack)
    tifffile.imwrite(tmp_path / "zlib.tif", stack, compression="zlib", tile=(32, 32))
    assert isinstance(open_tiff(tmp_path / "raw.tif").source, MappedTiff)
    source = open_tiff(tmp_path / "zlib.tif").source
    assert isinstance(source, EncodedTiff)
    assert source.chunks == (1, 32, 32)
    assert source.handle.closed


@pytest.mark.parametrize("name", real_images.NAMES)
def test_the_real_images(name: str) -> None:
    labels = real_images.labels(name)
    image = io.open_image(real_images.path(name, "raw"), ndim=labels.ndim)
    expected = tifffile.imread(real_images.path(name, "raw"))
    np.testing.assert_array_equal(image.array().squeeze(), expected)
    opened = io.open_labels(real_images.path(name), ndim=labels.ndim)
    np.testing.assert_array_equal(opened.array(), labels)


@pytest.mark.parametrize("shape", [(9, 11), (4, 9, 11)])
def test_pictures_in_colours_come_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    io.write_rgb_tiff(tmp_path / "a.tif", picture, spacing=(2.0, 0.5, 0.5)[-len(shape) :])
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.RGB
        assert np.array_equal(file.asarray(), picture)
