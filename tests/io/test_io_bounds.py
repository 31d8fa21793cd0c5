"""What is refused before anything is read: sizes, names, pipes, files of another kind."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from jaxseg import data, io, memory
from jaxseg.config import Source
from jaxseg.errors import InputError, ResourceError
from jaxseg.io.bounds import LARGEST_RATIO

EMPTY = np.zeros((4096, 5000), np.uint16)
PIXELS = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "lzma"])
def test_nearly_empty_labels_are_sound(tmp_path: Path, compression: str) -> None:
    """Codecs make a thousandth and less of zeros."""
    tifffile.imwrite(tmp_path / "a.tif", EMPTY, compression=compression, rowsperstrip=4096)
    assert io.open_labels(tmp_path / "a.tif", ndim=2).shape == EMPTY.shape


def test_an_empty_png_is_sound(tmp_path: Path) -> None:
    empty = np.zeros((5000, 5000), np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(empty, level=9))
    assert io.open_labels(tmp_path / "a.png", ndim=2).shape == empty.shape


@pytest.mark.parametrize("codec", ["zlib", "lzw", "lzma"])
def test_no_codec_exceeds_its_ratio(codec: str) -> None:
    zeros = bytes(2**22)
    encode = getattr(imagecodecs, f"{codec}_encode")
    name = {"zlib": "deflate"}.get(codec, codec)
    assert len(zeros) / len(encode(zeros)) <= LARGEST_RATIO[name]


def sparse(path: Path) -> Path:
    array = zarr.create_array(path, shape=(10**4,) * 3, chunks=(64,) * 3, dtype="u1")
    array[:64, :64, :256] = 1
    return path


def test_a_nearly_empty_store_larger_than_the_memory(tmp_path: Path) -> None:
    """10^12 voxels in four chunks: a box is read, a run through all of them is not begun."""
    path = sparse(tmp_path / "a.zarr")
    volume = io.open_image(path, ndim=3)
    assert volume.read((0, 0, 250), (2, 2, 258)).sum() == 24
    source = Source(raw=str(path), labels=str(path / "../b.zarr"))
    sparse(tmp_path / "b.zarr")
    samples, problems = data.open_samples(source, ndim=3)
    assert samples == ()
    assert len(problems) == 2
    for problem in problems:
        assert "claims to unpack to 931.3 GiB" in str(problem)
        assert len(str(problem).splitlines()) == 3
    with pytest.raises(ResourceError, match=r"931\.3 GiB"):
        volume.array()


def test_a_store_that_is_full_is_read_whatever_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(9000, 9000), chunks=(900,) * 2, dtype="u1"
    )
    array[:900] = rng.integers(0, 9, (900, 9000), np.uint8)
    monkeypatch.setattr(memory, "available", lambda: 2**24)
    io.check_whole(io.open_image(tmp_path / "a.zarr", ndim=2))


@pytest.mark.parametrize("kind", ["zarr", "tiff", "png"])
def test_a_chunk_larger_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / {"zarr": "a.zarr", "tiff": "a.tif", "png": "a.png"}[kind]
    pixels = np.zeros((8200, 8200), np.uint8)
    if kind == "zarr":
        zarr.create_array(path, shape=(20, 20), chunks=(10**5, 10**5), dtype="u1")
    elif kind == "tiff":
        tifffile.imwrite(path, pixels, compression="zstd", rowsperstrip=9000)
    else:
        path.write_bytes(imagecodecs.png_encode(pixels, level=1))
    monkeypatch.setattr(memory, "available", lambda: 2**27)
    with pytest.raises(InputError, match=r"one chunk of the file claims to unpack to \d"):
        io.open_image(path, ndim=2)


# --- what is no file ------------------------------------------------------------------------


def test_pipes_sockets_and_devices(tmp_path: Path) -> None:
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(tmp_path / "s.h5"))
        for name, kind in (
            ("pipe.tif", "a pipe"),
            ("device.png", "a device"),
            ("s.h5", "a socket"),
        ):
            for call in (io.list_images, lambda path: io.open_image(path, ndim=2)):
                with pytest.raises(InputError, match=f"{kind}, not a file"):
                    call(tmp_path / name)
    with pytest.raises(InputError, match="not a file"):
        io.list_images(tmp_path)


@pytest.mark.parametrize("kind", ["ngff", "zarr-2", "n5", "precomputed"])
def test_a_pipe_in_the_place_of_a_chunk_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path, labels = tmp_path / "a.zarr", np.ones((64, 64), np.uint16)
    if kind == "ngff":
        io.write_labels_zarr(path, labels, spacing=(1.0, 1.0))
    elif kind == "zarr-2":
        zarr.create_array(str(path), data=labels, chunks=(32, 32), zarr_format=2)
    else:
        path = chunked(tmp_path, kind)
    files = [file for file in path.rglob("*") if file.is_file() and file.stat().st_size]
    chunk = max(files, key=lambda file: (file.suffix != ".json", file.name != "info", file.name))
    chunk.unlink()
    os.mkfifo(chunk)
    if kind == "ngff":
        # In a store of ours it is known to be lost before it is read.
        with pytest.raises(InputError, match="1 of 1 chunks are missing"):
            io.open_labels(path, ndim=2)
        opened = io.open_for_writing
    else:
        opened = lambda place: io.open_labels(place, ndim=2)  # noqa: E731
    with pytest.raises(InputError, match="a pipe, not a file"):
        opened(path)[...]


def chunked(folder: Path, kind: str) -> Path:
    """A label image in a format that TensorStore reads."""
    import tensorstore as ts

    path = folder / f"a.{kind}"
    spec = {"driver": kind, "kvstore": {"driver": "file", "path": f"{path}/"}}
    if kind == "n5":
        layout = {"dimensions": [64, 64], "blockSize": [32, 32], "dataType": "uint16"}
        spec["metadata"] = {**layout, "compression": {"type": "gzip"}}
        ts.open(spec, create=True).result()[...] = 1
        return path
    spec |= {
        "driver": "neuroglancer_precomputed",
        "multiscale_metadata": {"data_type": "uint16", "num_channels": 1, "type": "segmentation"},
        "scale_metadata": {
            "size": [64, 64, 1],
            "chunk_size": [32, 32, 1],
            "encoding": "raw",
            "resolution": [1, 1, 1],
        },
    }
    ts.open(spec, create=True).result()[...] = 1
    return path


@pytest.mark.parametrize("name", ["x" * 252 + ".tif", "ä" * 126 + ".tif", "a\0.tif"])
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    for call in (io.list_images, lambda path: io.open_image(path, ndim=2), io.pair_files):
        with pytest.raises(InputError, match=r"name that no file can have|zero byte"):
            call(tmp_path / name)


def test_a_name_too_long_for_results_is_found_at_the_start(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / f"{'y' * 240}.tif", PIXELS)
    with pytest.raises(InputError, match=r"too long.*\n.*found 240"):
        io.pair_files(tmp_path)


# --- another kind than the name says ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.tif", imagecodecs.png_encode(PIXELS), r"a PNG image\n.*rename it to a\.png"),
        ("a.png", imagecodecs.jpeg8_encode(PIXELS), r"a JPEG image\n.*rename it to a\.jpg"),
        ("a.jpg", b"II*\0" + bytes(100), "a TIFF image"),
        ("a.h5", imagecodecs.png_encode(PIXELS), "a PNG image"),
        ("a.tif", b"\x89HDF\r\n\x1a\n" + bytes(100), "a HDF5 image"),
        ("a.tif", b"version https://git-lfs.github.com/spec/v1\noid", "was not downloaded"),
        ("a.png", b"<!DOCTYPE html><html>", "a page of a website"),
        ("a.tif", b"PK\x03\x04" + bytes(100), "a zip archive"),
        ("a.zarr", b"PK\x03\x04" + bytes(100), "a zip archive"),
        ("a.tif", b"BM" + bytes(100), "a BMP image"),
        ("a.tif", b"\x1f\x8b" + bytes(100), "compressed with gzip"),
    ],
)
def test_files_are_called_what_they_are(
    tmp_path: Path, name: str, content: bytes, found: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"another kind than its name(?s:.)*{found}"):
        io.open_image(tmp_path / name, ndim=2)


def test_a_file_without_an_ending_is_what_it_holds(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    (tmp_path / "a.tif").rename(tmp_path / "a")
    np.testing.assert_array_equal(io.open_labels(tmp_path / "a", ndim=2).array(), PIXELS)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.h5", "a.zarr"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="an empty file"):
        io.open_image(tmp_path / name, ndim=2)


# --- errors end -------------------------------------------------------------------------------


def test_threads_that_meet_damaged_chunks_at_once_do_not_wait_for_one_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.zarr"
    io.write_labels_zarr(path, np.ones((64, 64), np.uint16), spacing=(1.0, 1.0))
    for chunk in (path / "0" / "c").rglob("*"):
        if chunk.is_file():
            content = bytearray(chunk.read_bytes())
            content[len(content) // 2] ^= 4
            chunk.write_bytes(content)
    array, errors = io.open_for_writing(path), []
    meeting = threading.Barrier(4)

    def read() -> None:
        for _ in range(20):
            meeting.wait(timeout=30)
            try:
                array[:]
            except InputError as error:
                errors.append(error)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert len(errors) == 80
