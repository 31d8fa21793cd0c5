"""N5, precomputed and levels: the same voxels, axes and sizes as were written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
import zarr

from jaxseg import io
from jaxseg.errors import InputError, JaxsegWarning
from jaxseg.runs.fingerprint import fingerprint

STACK = np.random.default_rng(0).integers(0, 60000, (7, 20, 33), np.uint16)  # zyx
COLOURS = np.random.default_rng(1).integers(0, 255, (7, 20, 33, 3), np.uint8)  # zyxc
IDS = STACK.astype(np.uint64) + 2**60


def write_n5(path: Path, array: np.ndarray, **attributes: Any) -> Path:
    """An array, slowest axis first, as N5 with more attributes."""
    metadata = {
        "dimensions": array.shape[::-1],
        "blockSize": [8] * array.ndim,
        "dataType": array.dtype.name,
        "compression": {"type": "gzip"},
    }
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{path}/"}, "metadata": metadata}
    ts.open(spec, create=True).result().write(array.T).result()
    add(path / "attributes.json", attributes)
    return path


def add(path: Path, more: dict[str, Any]) -> None:
    """More entries of a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | more))


def write_precomputed(path: Path, array: np.ndarray, *, scales: int = 1) -> Path:
    """A volume zyxc as precomputed, away from 0, with coarser scales of every second voxel."""
    for number in range(scales):
        level = array[:, :: 2**number, :: 2**number]
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{path}/"},
            "multiscale_metadata": {
                "type": "image",
                "data_type": array.dtype.name,
                "num_channels": array.shape[-1],
            },
            "scale_metadata": {
                "key": f"s{number}",
                "size": level.shape[2::-1],
                "encoding": "raw",
                "chunk_size": [8, 16, 4],
                "resolution": [4 * 2**number, 5 * 2**number, 40],
                "voxel_offset": [100, 20, 3],
            },
        }
        ts.open(spec, create=True).result().write(level.transpose(2, 1, 0, 3)).result()
    return path


def check(path: Path, expected: np.ndarray, spacing: tuple[float, ...], **options: Any) -> None:
    """The whole and a box are read as written."""
    volume = io.open_image(path, ndim=3, **options)
    expected = expected if expected.ndim == 4 else expected[..., None]
    np.testing.assert_array_equal(volume.array(), expected)
    np.testing.assert_array_equal(volume.read((1, 3, 5), (6, 9, 22)), expected[1:6, 3:9, 5:22])
    assert volume.spacing == pytest.approx(spacing)
    assert volume.name == io.image_name(path)


# --- N5 ---------------------------------------------------------------------------------------

N5_SIZES = {
    "pixelResolution": {"pixelResolution": {"dimensions": [4, 5, 40], "unit": "nm"}},
    "resolution": {"resolution": [0.004, 0.005, 0.04], "units": ["um", "um", "um"]},
    "levels": {
        "resolution": [2, 2.5, 40],
        "units": "nm",
        "downsamplingFactors": [2, 2, 1],
    },
    "transform": {
        "transform": {"axes": ["z", "y", "x"], "scale": [40, 5, 4], "units": ["nm"] * 3},
        "pixelResolution": {"dimensions": [1, 1, 1], "unit": "nm"},
    },
    "axes": {"axes": ["x", "y", "z"], "resolution": [4, 5, 40], "units": ["nm"] * 3},
}


@pytest.mark.parametrize("said", N5_SIZES)
def test_n5(tmp_path: Path, said: str) -> None:
    write_n5(tmp_path / "a.n5/volumes/raw", STACK, **N5_SIZES[said])
    for path in (tmp_path / "a.n5", tmp_path / "a.n5/volumes", tmp_path / "a.n5/volumes/raw"):
        check(path, STACK, (0.04, 0.005, 0.004))
    given = io.open_image(tmp_path / "a.n5", ndim=3, axes="XYZ")
    np.testing.assert_array_equal(given.array()[..., 0], STACK.transpose(2, 1, 0))


def test_sizes_follow_declared_axes(tmp_path: Path) -> None:
    """Without names the size belongs to the axis of the file, whatever the user calls it."""
    write_n5(tmp_path / "a.n5", STACK, resolution=[4, 5, 40], units="nm")
    volume = io.open_image(tmp_path / "a.n5", ndim=3, axes="XYZ")
    assert volume.spacing == pytest.approx((0.004, 0.005, 0.04))


def test_n5_of_several_scales_and_datasets(tmp_path: Path) -> None:
    write_n5(tmp_path / "a.n5/raw/s0", STACK)
    write_n5(tmp_path / "a.n5/raw/s1", STACK[:, ::2, ::2], downsamplingFactors=[2, 2, 1])
    add(tmp_path / "a.n5/raw/attributes.json", {"resolution": [4, 5, 40], "units": ["nm"] * 3})
    check(tmp_path / "a.n5", STACK, (0.04, 0.005, 0.004))
    coarse = io.open_image(tmp_path / "a.n5/raw/s1", ndim=3)
    assert coarse.spacing == pytest.approx((0.04, 0.01, 0.008))
    write_n5(tmp_path / "a.n5/labels/ids", IDS)
    with pytest.raises(InputError, match=r"labels/ids, raw/s0"):
        io.open_image(tmp_path / "a.n5", ndim=3)
    labels = io.open_labels(tmp_path / "a.n5/labels", ndim=3)
    assert labels.dtype == np.uint64
    np.testing.assert_array_equal(labels.array(), IDS)


@pytest.mark.parametrize("axes", [None, ["z", "y", "x", "c"]])
def test_n5_axes_are_never_guessed(tmp_path: Path, axes: list[str] | None) -> None:
    write_n5(tmp_path / "a.n5", COLOURS, **({"axes": axes} if axes else {}))
    with pytest.raises(InputError, match=r"ZYXC \(7 planes, 20 rows, 33 columns, 3 channels"):
        io.open_image(tmp_path / "a.n5", ndim=3)
    check(tmp_path / "a.n5", COLOURS, (1, 1, 1), axes="ZYXC")


@pytest.mark.parametrize("axes", ["ZYX", "XYZ"])
def test_contradicting_axes_of_n5_are_asked_about(tmp_path: Path, axes: str) -> None:
    write_n5(tmp_path / "a.n5", STACK, axes=["z", "y", "x"])
    with pytest.raises(InputError, match=r"ZYX \(7 planes.* or XYZ \(7 columns"):
        io.open_image(tmp_path / "a.n5", ndim=3)
    assert io.open_image(tmp_path / "a.n5", ndim=3, axes=axes).spatial_shape[1] == 20


def test_n5_of_the_first_version(tmp_path: Path) -> None:
    path = write_n5(tmp_path / "a.n5", STACK)
    document = json.loads((path / "attributes.json").read_text())
    document["compressionType"] = document.pop("compression")["type"]
    (path / "attributes.json").write_text(json.dumps(document))
    check(path, STACK, (1, 1, 1))
    del document["compressionType"]
    (path / "attributes.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="damaged"):
        io.open_image(path, ndim=3)


def test_several_labels_per_voxel_are_refused(tmp_path: Path) -> None:
    write_n5(tmp_path / "a.n5", IDS, isLabelMultiset=True)
    with pytest.raises(InputError, match="one label per voxel"):
        io.open_labels(tmp_path / "a.n5", ndim=3)


def test_a_size_without_unit_is_not_used_silently(tmp_path: Path) -> None:
    write_n5(tmp_path / "a.n5", STACK, resolution=[4, 5, 40])
    with pytest.warns(JaxsegWarning, match="not given"):
        volume = io.open_image(tmp_path / "a.n5", ndim=3)
    assert volume.unit == "voxel"


# --- precomputed ------------------------------------------------------------------------------


def test_precomputed(tmp_path: Path) -> None:
    path = write_precomputed(tmp_path / "a.precomputed", COLOURS, scales=2)
    check(path, COLOURS, (0.04, 0.005, 0.004))
    check(path / "s0", COLOURS, (0.04, 0.005, 0.004))
    coarse = io.open_image(path / "s1", ndim=3)
    np.testing.assert_array_equal(coarse.array(), COLOURS[:, ::2, ::2])
    assert coarse.spacing == pytest.approx((0.04, 0.01, 0.008))
    assert coarse.name == "a"
    with pytest.raises(InputError, match="no such part"):
        io.open_image(path / "s7", ndim=3)


def test_precomputed_labels(tmp_path: Path) -> None:
    path = write_precomputed(tmp_path / "plain", IDS[..., None])
    labels = io.open_labels(path, ndim=3)
    np.testing.assert_array_equal(labels.array(), IDS)
    assert io.list_images(tmp_path) == (path,)
    assert io.list_images(path) == (path,)


@pytest.mark.parametrize("key", ["../secret", "/etc"])
def test_a_scale_outside_the_volume(tmp_path: Path, key: str) -> None:
    path = write_precomputed(tmp_path / "a", COLOURS)
    shutil.copytree(path / "s0", tmp_path / "secret")
    document = json.loads((path / "info").read_text())
    document["scales"][0]["key"] = key
    (path / "info").write_text(json.dumps(document))
    with pytest.raises(InputError, match="outside"):
        io.open_image(path, ndim=3)


# --- damage -----------------------------------------------------------------------------------

BAD = [b"", b"{", b"[]", b'{"scales": [], "dimensions": []}', b'{"scales": [3], "dimensions": 7}']


@pytest.mark.parametrize("content", BAD)
@pytest.mark.parametrize("kind", ["n5", "precomputed"])
def test_malformed_metadata(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / f"a.{kind}"
    (write_n5 if kind == "n5" else write_precomputed)(path, COLOURS)
    (path / ("attributes.json" if kind == "n5" else "info")).write_bytes(content)
    with pytest.raises(InputError):
        io.open_image(path, ndim=3, axes="ZYXC")


def test_a_damaged_block_names_the_store(tmp_path: Path) -> None:
    path = write_n5(tmp_path / "a.n5", STACK)
    block = path / "0/0/0"
    block.write_bytes(block.read_bytes()[:30])
    volume = io.open_image(path, ndim=3)
    with pytest.raises(InputError, match=r"a\.n5"):
        volume.array()


def test_boxes_of_a_huge_declared_size_are_read(tmp_path: Path) -> None:
    path = write_n5(tmp_path / "a.n5", STACK)
    add(path / "attributes.json", {"dimensions": [10**6, 10**6, 10**6]})
    volume = io.open_image(path, ndim=3)
    assert volume.spatial_shape == (10**6,) * 3
    np.testing.assert_array_equal(volume.read((0, 0, 0), (7, 8, 8))[..., 0], STACK[:, :8, :8])


# --- levels of OME-Zarr -----------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of two levels with a label image of two levels in its group."""
    path = tmp_path / "a.ome.zarr"
    root = zarr.create_group(path, zarr_format=3)
    ids = IDS.astype(np.uint32)
    for group, array in ((root, STACK), (root.create_group("labels/nuclei"), ids)):
        datasets = []
        for number in range(2):
            group.create_array(f"s{number}", data=array[:, :: 2**number, :: 2**number])
            scale = {"type": "scale", "scale": [2, 0.5 * 2**number, 0.25 * 2**number]}
            datasets.append({"path": f"s{number}", "coordinateTransformations": [scale]})
        axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
        ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
        group.attrs["ome"] = ome
    return path


def test_levels_and_labels_inside_an_image(image: Path) -> None:
    check(image, STACK, (2, 0.5, 0.25))
    check(image / "s0", STACK, (2, 0.5, 0.25))
    coarse = io.open_image(image / "s1", ndim=3)
    np.testing.assert_array_equal(coarse.array()[..., 0], STACK[:, ::2, ::2])
    assert coarse.spacing == (2, 1, 0.5)
    labels = io.open_labels(image / "labels/nuclei/s1", ndim=3)
    assert labels.spacing == (2, 1, 0.5)
    np.testing.assert_array_equal(labels.array(), IDS.astype(np.uint32)[:, ::2, ::2])
    pair = io.pair_files(image / "s1", image / "labels/nuclei")[0]
    assert (pair.stem, pair.raw, pair.labels) == ("a", image / "s1", image / "labels/nuclei")
    with pytest.raises(InputError, match="no such part"):
        io.open_image(image / "s9", ndim=3)


def test_an_image_beside_its_metadata(tmp_path: Path) -> None:
    """As bioformats2raw writes it: images by number, and a group of metadata."""
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    root.create_group("OME")
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    scale = {"type": "scale", "scale": [2, 0.5, 0.25]}
    multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    image = root.create_group("0", attributes={"multiscales": [multiscale]})
    image.create_array("0", data=STACK)
    check(tmp_path / "a.zarr", STACK, (2, 0.5, 0.25))
    check(tmp_path / "a.zarr/0/0", STACK, (2, 0.5, 0.25))


def test_levels_of_all_images_of_a_folder(image: Path) -> None:
    shutil.copytree(image, image.with_name("b.ome.zarr"))
    pairs = io.pair_files(image.parent / "*.zarr/s1", image.parent / "*.zarr/labels/nuclei/s1")
    assert [pair.stem for pair in pairs] == ["a", "b"]
    assert [io.open_image(pair.raw, ndim=3).spacing for pair in pairs] == [(2, 1, 0.5)] * 2
    for pattern in ("*.n5/s1", "*.zarr/raw*"):
        with pytest.raises(InputError, match="no image fits"):
            io.list_images(image.parent / pattern)
    shutil.rmtree(image)
    shutil.copytree(image.with_name("b.ome.zarr"), image.parent / "more/a.ome.zarr")
    with pytest.raises(InputError, match=r"a +- +a\.ome\.zarr/labels") as caught:
        io.pair_files(image.parent / "*.zarr/s1", image.parent / "more/*.zarr/labels/nuclei")
    assert "b.ome.zarr/s1  -" in str(caught.value)


def test_our_own_levels_are_read(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "a.zarr"
    io.write_labels_zarr(path, rng.integers(0, 9, (300, 600)), spacing=(0.5, 0.25))
    level = io.open_labels(path / "1", ndim=2)
    assert level.spacing == (0.5, 0.5)
    assert level.shape == (300, 300)
    (path / "1/c/0/0").unlink()
    with pytest.raises(InputError, match="chunks are missing"):
        io.open_labels(path / "1", ndim=2)


# --- what belongs together --------------------------------------------------------------------


def test_a_folder_of_many_formats(tmp_path: Path) -> None:
    io.write_png(tmp_path / "raw/a.png", STACK[0])
    write_n5(tmp_path / "raw/b.n5", STACK[0])
    io.write_image_tiff(tmp_path / "raw/c.tif", STACK[0], spacing=(1, 1))
    write_precomputed(tmp_path / "raw/d.precomputed", STACK[:1, ..., None])
    for stem in "abcd":
        io.write_labels_zarr(tmp_path / f"labels/{stem}.zarr", IDS[0], spacing=(1, 1))
    pairs = io.pair_files(tmp_path / "raw", tmp_path / "labels")
    assert [pair.stem for pair in pairs] == list("abcd")
    for pair in pairs:
        np.testing.assert_array_equal(
            io.open_image(pair.raw, ndim=2).array()[..., 0], STACK[0], err_msg=pair.stem
        )


def test_attributes_of_other_programs_make_no_store(tmp_path: Path) -> None:
    io.write_png(tmp_path / "a.png", STACK[0])
    (tmp_path / "attributes.json").write_text('{"who": "me"}')
    (tmp_path / "info").write_text("about these images")
    assert io.list_images(tmp_path) == (tmp_path / "a.png",)
    assert io.container_of(tmp_path / "a.png") == tmp_path / "a.png"


def test_versions_of_what_lies_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"123")
    found = fingerprint(tmp_path / "a.h5/volumes/raw")
    assert found["bytes"] == 3
    assert found["inside"] == "volumes/raw"
    assert found != fingerprint(tmp_path / "a.h5/volumes/other")
