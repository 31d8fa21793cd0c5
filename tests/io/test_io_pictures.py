"""PNG and JPEG: the pixels that were written, or a refusal."""

from __future__ import annotations

import re
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from jaxseg import io
from jaxseg.errors import InputError, JaxsegWarning

STACK = np.random.default_rng(0).integers(0, 60000, (2, 20, 33), np.uint16)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png(tmp_path: Path, dtype: str, channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 33, channels)).astype(dtype) * 255
    io.write_png(tmp_path / "a.png", picture.squeeze())
    volume = io.open_image(tmp_path / "a.png", ndim=2)
    np.testing.assert_array_equal(volume.array(), picture)
    assert volume.unit == "voxel"
    if channels == 1:
        labels = io.open_labels(tmp_path / "a.png", ndim=2)
        np.testing.assert_array_equal(labels.array(), picture[..., 0])
    else:
        with pytest.raises(InputError, match="perhaps colours"):
            io.open_labels(tmp_path / "a.png", ndim=2)
    io.write_png(tmp_path / "a.png", picture[::-1].squeeze())
    again = io.open_image(tmp_path / "a.png", ndim=2)
    np.testing.assert_array_equal(again.array(), picture[::-1])


@pytest.mark.parametrize("kind", ["png", "png-alpha", "tif", "tif-planes"])
def test_labels_in_equal_colours_are_one_channel(tmp_path: Path, kind: str) -> None:
    labels = np.random.default_rng(0).integers(0, 9, (20, 33)).astype(np.uint8)
    path, picture = tmp_path / f"a.{kind[:3]}", np.stack([labels] * 3, -1)
    if kind == "tif-planes":
        tifffile.imwrite(path, picture.transpose(2, 0, 1), photometric="rgb", planarconfig=2)
    elif kind == "tif":
        tifffile.imwrite(path, picture, photometric="rgb", compression="zlib")
    else:
        opacity = np.full((20, 33, int(kind == "png-alpha")), 255, np.uint8)
        io.write_png(path, np.concatenate([picture, opacity], -1))
    with pytest.warns(JaxsegWarning, match="all grey; one of its channels is used"):
        found = io.open_labels(path, ndim=2)
    np.testing.assert_array_equal(found.array(), labels)
    assert io.open_image(path, ndim=2).channels == 3 + (kind == "png-alpha")


def test_colours_can_be_numbered_as_the_message_says(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 2, (20, 33, 3)).astype(np.uint8) * 255
    io.write_png(tmp_path / "a.png", image)
    with pytest.raises(InputError) as caught:
        io.open_labels(tmp_path / "a.png", ndim=2)
    said = re.search(r"np\.unique\(.*?\)\[1\]", str(caught.value))
    assert said is not None
    numbers = eval(said[0], {"np": np, "image": image}).reshape(image.shape[:2])
    assert len(np.unique(numbers)) == 8
    assert len(np.unique(np.dstack([image, numbers]).reshape(-1, 4), axis=0)) == 8


@pytest.mark.parametrize(("at", "value"), [(25, 3), (25, 4), (24, 4), (24, 1), (25, 9), (24, 3)])
def test_png_whose_header_was_changed(tmp_path: Path, at: int, value: int) -> None:
    content = bytearray(imagecodecs.png_encode(np.zeros((20, 33), np.uint8)))
    content[at] = value
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        io.open_image(tmp_path / "a.png", ndim=2).array()


def test_damaged_png(tmp_path: Path) -> None:
    content = imagecodecs.png_encode(STACK[0])
    for length in (0, 20, 40, len(content) // 2, len(content) - 20):
        (tmp_path / "a.png").write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a\.png"):
            io.open_image(tmp_path / "a.png", ndim=2).array()
    huge = content[:16] + (60000).to_bytes(4, "big") * 2 + content[24:]
    (tmp_path / "a.png").write_bytes(huge)
    with pytest.raises(InputError, match="claims to unpack"):
        io.open_image(tmp_path / "a.png", ndim=2)


def test_mutated_pictures_never_leave_a_traceback(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    picture = np.tile(np.arange(33, dtype=np.uint8), (20, 1))
    for path, encode in ("a.png", imagecodecs.png_encode), ("a.jpg", imagecodecs.jpeg8_encode):
        content, refused = encode(picture), 0
        for _ in range(200):
            bad = bytearray(content)
            for at in rng.integers(len(bad), size=2):
                bad[at] = rng.integers(256)
            (tmp_path / path).write_bytes(bad)
            try:
                io.open_image(tmp_path / path, ndim=2).array()
            except InputError:
                refused += 1
        assert refused > 50


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_for_images_only(tmp_path: Path, channels: int) -> None:
    rows = np.linspace(0, 255, 40, dtype=np.uint8)[:, None, None]
    picture = np.tile(rows, (1, 50, channels))
    content = imagecodecs.jpeg8_encode(picture.squeeze(), level=98)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    volume = io.open_image(path, ndim=2)
    assert volume.shape == picture.shape
    assert abs(volume.array().astype(int) - picture).max() < 6
    assert io.list_images(tmp_path) == (path,)
    with pytest.raises(InputError, match="compression changes values"):
        io.open_labels(path, ndim=2)
    for length in (0, 2, 30, len(content) // 2, len(content) - 2):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a\.jpg"):
            io.open_image(path, ndim=2).array()
    path.write_bytes(content.replace(b"\x00\x28\x00\x32", b"\xff\x00\xff\x00", 1))
    with pytest.raises(InputError, match="claims to unpack"):
        io.open_image(path, ndim=2)


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(b"")
    for path in (tmp_path, tmp_path / "a.bmp"):
        with pytest.raises(InputError, match="format that is not read here"):
            io.open_image(io.list_images(path)[0], ndim=2)
