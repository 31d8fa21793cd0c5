"""TIFF, PNG, JPEG and HDF5 as other programs write them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from jaxseg import data, io
from jaxseg.config import Source
from jaxseg.errors import InputError
from jaxseg.io.pictures import PNG_SIGNATURE

IDS = np.zeros((30, 40), np.uint8)
IDS[2:9, 3:12], IDS[15:25, 20:35] = 1, 2
STACK = np.random.default_rng(0).integers(0, 99, (4, 30, 40), np.uint8)


# --- TIFF -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("description", "tags"),
    [
        ("pixel 0.3 µm, Université".encode("latin-1"), []),
        ("細胞 画像".encode("shift_jis"), []),
        (b"Time-Used = \x03(:.):\x8d,", []),
        ("ok", [(315, 2, 0, "张伟".encode("gbk"), True)]),
        ("ok", [(306, 2, 0, "29.02.2024 nachmittags", True)]),
        ("ok", [(34665, 4, 1, 4_000_000_000, True)]),  # EXIF that leads out of the file
        ("ok", [(51123, 2, 0, b"\xff\xfe{broken", True)]),
    ],
)
def test_texts_are_not_judged(tmp_path: Path, description: Any, tags: Any) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IDS, description=description, metadata=None, extratags=tags)
    np.testing.assert_array_equal(io.open_labels(path, ndim=2).array(), IDS)


def test_a_damaged_text_that_tells_the_axes_is_judged(tmp_path: Path) -> None:
    """Without it a hyperstack of ImageJ would be read as its first plane."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    content = path.read_bytes()
    at = content.index(b"images=")
    path.write_bytes(content[:at] + b"\x8d\x81" + content[at + 2 :])
    with pytest.raises(InputError):
        io.open_image(path, ndim=3)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiles_that_are_not_there_are_zeros(tmp_path: Path, compression: str | None) -> None:
    path, pixels = tmp_path / "a.tif", np.full((64, 64), 7, np.uint8)
    tifffile.imwrite(path, pixels, tile=(32, 32), compression=compression, metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("TileOffsets", "TileByteCounts"):
            tag = file.pages[0].tags[name]
            tag.overwrite([0, *tag.value[1:]])
    pixels[:32, :32] = 0
    np.testing.assert_array_equal(io.open_labels(path, ndim=2).array(), pixels)


@pytest.mark.parametrize("tag", ["TileOffsets", "TileByteCounts"])
def test_half_a_tile_that_is_not_there_is_damage(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((64, 64), np.uint8), tile=(32, 32), metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        values = file.pages[0].tags[tag]
        values.overwrite([0, *values.value[1:]])
    with pytest.raises(InputError, match="0 are readable"):
        io.open_labels(path, ndim=2)


def test_a_thumbnail_beside_the_image(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(IDS, metadata=None)
        file.write(IDS[:11, :9], metadata=None)
    with pytest.raises(
        InputError, match=r"2 images(?s:.)*series=0 YX \(30, 40\)(?s:.)*a\.tif#series=0"
    ):
        io.open_labels(path, ndim=2)
    chosen = io.open_labels(f"{path}#series=0", ndim=2)
    np.testing.assert_array_equal(chosen.array(), IDS)
    assert (chosen.name, io.open_labels(f"{path}#series=1", ndim=2).shape) == ("a", (11, 9))
    with pytest.raises(InputError, match="no image 2"):
        io.open_labels(f"{path}#series=2", ndim=2)
    found = io.pair_files(f"{tmp_path}/*.tif#series=0")
    assert [(pair.stem, pair.raw.name) for pair in found] == [("a", "a.tif#series=0")]


def ome(planes: int, uuid: str, file: str, parts: int = 1) -> str:
    """An OME text of planes in one or several files."""
    data = "".join(
        f'<TiffData FirstZ="{at * planes // parts}" IFD="0" PlaneCount="{planes // parts}">'
        f'<UUID FileName="{file if at == 0 else f"other{at}.ome.tif"}">{uuid}{at}</UUID></TiffData>'
        for at in range(parts)
    )
    return (
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}0">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="40" '
        f'SizeY="30" SizeZ="{planes}" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" '
        f'SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (ome(8, "urn:uuid:a", "first.ome.tif", parts=2), "several files, such as other1.ome.tif"),
        (ome(9, "urn:uuid:a", "a.ome.tif"), "tells of 9 planes, the file has 4"),
        (ome(10**9, "urn:uuid:a", "a.ome.tif"), "tells of 1000000000 planes"),
        (ome(4, "urn:uuid:a", "a.ome.tif").replace("<Image", "<Image <"), "cannot be read"),
    ],
)
def test_an_ome_text_that_does_not_fit_the_file(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, STACK, description=text, metadata=None, photometric="minisblack")
    with pytest.raises(InputError, match=rf"{what}(?s:.)*a\.ome\.tif#series=0"):
        io.open_image(path, ndim=3)
    pixels = io.open_image(f"{path}#series=0", ndim=3).array()[..., 0]
    np.testing.assert_array_equal(pixels, STACK)


def test_a_renamed_file_of_its_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new.ome.tif"
    text = ome(4, "urn:uuid:a", "old.ome.tif")
    tifffile.imwrite(path, STACK, description=text, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(io.open_image(path, ndim=3).array()[..., 0], STACK)


# --- PNG ------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    head = struct.pack(">I", len(content)) + kind
    return head + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: Any, depth: int, kind: int, extra: bytes = b"") -> bytes:
    """A PNG of 30 rows and 40 columns."""
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    head = struct.pack(">IIBBBBB", 40, 30, depth, kind, 0, 0, 0)
    ends = chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return PNG_SIGNATURE + chunk(b"IHDR", head) + extra + ends


RAMP = chunk(b"PLTE", bytes(np.repeat(np.arange(256), 3).astype(np.uint8)))
COLOURS = chunk(b"PLTE", bytes([0, 0, 0, 255, 0, 0, 0, 0, 255]))
RGB = np.dstack([IDS] * 3)
PNGS = {
    "palette": png(IDS, 8, 3, COLOURS),
    "ramp": png(IDS, 8, 3, RAMP),
    "transparent palette": png(IDS, 8, 3, COLOURS + chunk(b"tRNS", b"\0")),
    "palette of 2 bit": png(
        [row[::4] << 6 | row[1::4] << 4 | row[2::4] << 2 | row[3::4] for row in IDS], 2, 3, COLOURS
    ),
    "4 bit": png([row[::2] << 4 | row[1::2] for row in IDS], 4, 0),
    "transparent grey": png(IDS, 8, 0, chunk(b"tRNS", struct.pack(">H", 0))),
    "16 bit": png(IDS.astype(">u2").view(np.uint8).reshape(30, -1), 16, 0),
    "grey and alpha": png(np.dstack([IDS, IDS + 200]).reshape(30, -1), 8, 4),
}


@pytest.mark.parametrize("kind", PNGS)
def test_png_labels_are_the_values_that_are_stored(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.png").write_bytes(PNGS[kind])
    labels = io.open_labels(tmp_path / "a.png", ndim=2)
    np.testing.assert_array_equal(labels.array(), IDS)
    np.testing.assert_array_equal(labels.read((3, 3), (9, 22)), IDS[3:9, 3:22])


def test_one_bit_is_0_and_1(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(np.packbits(IDS > 0, axis=1), 1, 0))
    np.testing.assert_array_equal(io.open_labels(tmp_path / "a.png", ndim=2).array(), IDS > 0)


def test_a_palette_opened_as_an_image_has_its_colours(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNGS["palette"])
    image = io.open_image(tmp_path / "a.png", ndim=2)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    np.testing.assert_array_equal(image.array(), colours[IDS])
    np.testing.assert_array_equal(image[3:9, 3:22, 1:], colours[IDS[3:9, 3:22], 1:])
    (tmp_path / "a.png").write_bytes(PNGS["ramp"])
    np.testing.assert_array_equal(io.open_image(tmp_path / "a.png", ndim=2).array()[..., 0], IDS)


@pytest.mark.parametrize("extra", [b"", chunk(b"tRNS", struct.pack(">HHH", 0, 0, 0))])
def test_a_transparent_colour_adds_no_channel(tmp_path: Path, extra: bytes) -> None:
    (tmp_path / "a.png").write_bytes(png(RGB.reshape(30, -1), 8, 2, extra))
    image = io.open_image(tmp_path / "a.png", ndim=2)
    np.testing.assert_array_equal(image.array(), RGB)
    assert not image.alpha


def test_opacity_beside_colours_is_named_and_left_out(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, IDS + 250])
    io.write_png(tmp_path / "a.png", RGB)
    io.write_png(tmp_path / "b.png", rgba)
    tifffile.imwrite(tmp_path / "c.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    source = Source(raw=str(tmp_path))
    _, problems = data.open_samples(source, ndim=2)
    assert len(problems) == 2
    for problem in problems:
        assert "found 4, of which the last is opacity" in str(problem)
        assert "--data.image_channels 0 1 2" in str(problem)
    samples, problems = data.open_samples(source, ndim=2, channels=(0, 1, 2))
    assert problems == ()
    for sample in samples:
        np.testing.assert_array_equal(sample.image.array(), RGB)


def test_channels_are_chosen_in_any_order(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (5, 4, 30, 40), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZCYX", "spacing": 1.0})
    image = io.open_image(path, ndim=3, channels=(3, 1))
    np.testing.assert_array_equal(image.array(), np.moveaxis(pixels[:, [3, 1]], 1, -1))
    np.testing.assert_array_equal(image[1:3, ..., 1], pixels[1:3, 1])
    for wrong in ((4,), (-1,), (1, 1)):
        with pytest.raises(InputError, match=r"expected 0 to 3(?s:.)*--data\.image_channels"):
            io.open_image(path, ndim=3, channels=wrong)


# --- JPEG -----------------------------------------------------------------------------------


def test_bytes_behind_the_end_of_a_jpeg(tmp_path: Path) -> None:
    content = imagecodecs.jpeg8_encode(IDS * 100)
    (tmp_path / "a.jpg").write_bytes(content)
    pixels = io.open_image(tmp_path / "a.jpg", ndim=2).array()
    for behind in (bytes(5000), b"\xff\xd9" * 3, content, b"\xff"):
        (tmp_path / "b.jpg").write_bytes(content + behind)
        np.testing.assert_array_equal(io.open_image(tmp_path / "b.jpg", ndim=2).array(), pixels)
    for cut in (content[:-2], content[:-2] + bytes(5000)):
        (tmp_path / "b.jpg").write_bytes(cut)
        with pytest.raises(InputError, match="end is missing"):
            io.open_image(tmp_path / "b.jpg", ndim=2)


def test_a_jpeg_with_a_thumbnail_in_front(tmp_path: Path) -> None:
    """The end of the thumbnail is not that of the picture."""
    content, small = imagecodecs.jpeg8_encode(IDS * 100), imagecodecs.jpeg8_encode(IDS[:8, :8])
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(small)) + small
    (tmp_path / "a.jpg").write_bytes(content[:2] + segment + content[2:])
    assert io.open_image(tmp_path / "a.jpg", ndim=2).shape == (30, 40, 1)
    (tmp_path / "a.jpg").write_bytes(content[:2] + segment + content[2 : len(content) // 2])
    with pytest.raises(InputError, match="end is missing"):
        io.open_image(tmp_path / "a.jpg", ndim=2)
