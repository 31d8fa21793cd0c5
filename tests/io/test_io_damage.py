"""Files that are cut short, damaged or hostile are refused by name, with nothing made of them."""

from __future__ import annotations

import json
import logging
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from zarr.codecs import ZstdCodec

from jaxseg import io
from jaxseg.errors import InputError

FORMATS: dict[str, dict[str, Any]] = {
    "plain": {},
    "plain-zlib": {"compression": "zlib"},
    "bare": {"metadata": None},
    "bare-zlib": {"metadata": None, "compression": "zlib"},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "imagej-zlib": {"imagej": True, "compression": "zlib", "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "ome-zlib": {"ome": True, "compression": "zlib", "metadata": {"axes": "ZYX"}},
    "big": {"bigtiff": True},
    "tiled": {"tile": (16, 16)},
    "lzw": {"compression": "lzw"},
}
STACK = np.random.default_rng(0).integers(0, 60000, (12, 40, 50), np.uint16)


def read_all(path: Path) -> np.ndarray:
    return io.open_image(path, ndim=3).array()


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_tiff(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, STACK, **FORMATS[kind])
    np.testing.assert_array_equal(read_all(whole)[..., 0], STACK)
    content, cut = whole.read_bytes(), tmp_path / "cut.tif"
    for length in (0, 3, 7, *(int(len(content) * part) for part in (0.02, 0.3, 0.6, 0.95))):
        cut.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut\.tif"):
            read_all(cut)
    # The last byte may belong to a tag of the last page that nobody needs.
    cut.write_bytes(content[:-1])
    try:
        np.testing.assert_array_equal(read_all(cut)[..., 0], STACK)
    except InputError as error:
        assert "cut.tif" in str(error)  # noqa: PT017


def test_tiff_damage_is_found_with_logging_off(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(logging.getLogger("tifffile"), "level", logging.CRITICAL)
    tifffile.imwrite(tmp_path / "a.tif", STACK, ome=True, metadata={"axes": "ZYX"})
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_all(tmp_path / "a.tif")


@pytest.mark.filterwarnings("ignore::jaxseg.errors.JaxsegWarning")
def test_mutated_tiff_never_leaves_a_traceback(tmp_path: Path) -> None:
    """Only InputError, or an image of the declared shape, whatever byte changes."""
    rng = np.random.default_rng(1)
    for kind in ("plain", "imagej-zlib", "ome-zlib", "tiled"):
        tifffile.imwrite(tmp_path / "whole.tif", STACK[:5], **FORMATS[kind])
        content = (tmp_path / "whole.tif").read_bytes()
        refused = 0
        for _ in range(60):
            damaged = bytearray(content)
            for _ in range(3):
                # Half of the changes in the header and tags, where they hurt.
                limit = 600 if rng.random() < 0.5 else len(damaged)
                damaged[int(rng.integers(limit))] = int(rng.integers(256))
            (tmp_path / "bad.tif").write_bytes(damaged)
            try:
                read_all(tmp_path / "bad.tif")
            except InputError:
                refused += 1
        assert refused > 5


def test_damaged_strip_names_the_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, compression="zlib")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        middle = file.pages[5].dataoffsets[0] + 1000
    content[middle : middle + 500] = bytes(500)
    (tmp_path / "a.tif").write_bytes(content)
    volume = io.open_image(tmp_path / "a.tif", ndim=3)
    assert volume.read((0, 0, 0), (5, 40, 50)).any()
    with pytest.raises(InputError, match=r"a\.tif"):
        volume.array()


def test_a_small_file_that_claims_gigabytes(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((64, 64), np.uint8), compression="zlib", metadata=None
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages[0].tags[tag].overwrite(60000)
    with pytest.raises(InputError, match="claims to unpack to"):
        io.open_image(tmp_path / "a.tif", ndim=2)


def test_an_empty_label_image_is_no_bomb(tmp_path: Path) -> None:
    io.write_labels_tiff(tmp_path / "a.tif", np.zeros((6000, 7000), np.uint16), spacing=(1.0, 1.0))
    assert io.open_labels(tmp_path / "a.tif", ndim=2).shape == (6000, 7000)


def test_a_list_of_pages_in_a_circle(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[:2], metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 2
        at, first = file.pages.next_page_offset, file.pages[0].offset
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[at : at + 4] = struct.pack("<I", first)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError):
        read_all(tmp_path / "a.tif")


def test_several_images_in_one_file(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((20, 30), np.uint8))
        file.write(np.zeros((10, 15), np.uint8))
    with pytest.raises(InputError, match="2 images"):
        io.open_image(tmp_path / "a.tif", ndim=2)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        io.open_image(tmp_path / name, ndim=2)


def test_text_called_tiff(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("not an image")
    with pytest.raises(InputError, match="damaged"):
        io.open_image(tmp_path / "a.tif", ndim=2)


def test_a_folder_that_is_no_zarr(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Zarr"):
        io.open_image(tmp_path, ndim=2)


# --- Zarr -----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    io.write_labels_zarr(
        tmp_path / "a.zarr", np.arange(400).reshape(20, 20), spacing=(1.0, 1.0), chunks=(8, 8)
    )
    return tmp_path / "a.zarr"


def test_a_flipped_bit(store: Path) -> None:
    for chunk in sorted((store / "0" / "c").rglob("*")):
        if chunk.is_file():
            content = bytearray(chunk.read_bytes())
            content[len(content) // 2] ^= 1
            chunk.write_bytes(content)
            break
    volume = io.open_labels(store, ndim=2)
    with pytest.raises(InputError, match="checksum"):
        volume.array()


def test_a_missing_chunk_of_our_own(store: Path) -> None:
    (store / "0" / "c" / "1" / "1").unlink()
    with pytest.raises(InputError, match="1 of 9 chunks are missing"):
        io.open_labels(store, ndim=2)


def test_a_missing_chunk_of_others_is_background(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(20, 20), chunks=(10, 10), dtype="u1")
    array[:10, :10] = 1
    assert io.open_labels(tmp_path / "a.zarr", ndim=2).array().sum() == 100


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"attributes": 3}', b"\xff\xfe"])
def test_malformed_metadata(store: Path, content: bytes) -> None:
    (store / "zarr.json").write_bytes(content)
    with pytest.raises(InputError):
        io.open_labels(store, ndim=2)


@pytest.mark.parametrize("level", ["../secret", "/etc", "0/../../secret"])
def test_a_level_outside_the_store(store: Path, level: str) -> None:
    shutil.copytree(store / "0", store.parent / "secret")
    document = json.loads((store / "zarr.json").read_text())
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = level
    (store / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="outside"):
        io.open_labels(store, ndim=2)


@pytest.mark.parametrize(
    "change",
    [
        {"filters": [{"id": "pickle"}]},
        {"filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]},
        {"compressor": {"id": "pickle"}},
        {"dtype": "|O"},
    ],
)
def test_arrays_of_python_objects(tmp_path: Path, change: dict[str, Any]) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 4), dtype="u1", zarr_format=2)
    path = tmp_path / "a.zarr" / ".zarray"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match="Python objects"):
        io.open_labels(tmp_path / "a.zarr", ndim=2)


def test_one_damaged_chunk_of_many_is_reported_once(tmp_path: Path, capfd: Any) -> None:
    """The reads that Zarr leaves running after an error are waited for."""
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(64, 64), chunks=(2, 2), dtype="u2", compressors=[ZstdCodec()]
    )
    array[...] = np.arange(64 * 64).reshape(64, 64)
    (tmp_path / "a.zarr" / "c" / "9" / "9").write_bytes(b"nothing")
    with pytest.raises(InputError):
        io.open_labels(tmp_path / "a.zarr", ndim=2).array()
    assert capfd.readouterr().err == ""
