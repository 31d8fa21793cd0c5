"""Pairs are made by name, one to one; anything left over is an error that shows the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxseg.config import Source
from jaxseg.data.pairing import paired
from jaxseg.errors import InputError
from jaxseg.io import list_images, pair_files, stem_of, write_labels_zarr


def folders(root: Path, images: str, labels: str) -> tuple[Path, Path]:
    """Two folders of empty files, named by words."""
    for folder, names in (("raw", images), ("labels", labels)):
        (root / folder).mkdir()
        for name in names.split():
            (root / folder / name).write_bytes(b"")
    return root / "raw", root / "labels"


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("a.tif b.tif", "b.tif a.tif"),
        ("a.tif b.tiff", "a.ome.tif b.tif"),
        ("im1.tif im2.tif im10.tif", "im10.tif im2.tif im1.tif"),
        ("a.TIF", "a.tif"),
        ("a.tif b.tif", "a.png b.h5"),
        ("a.b.tif", "a.b.tif"),
        ("a.tif .hidden.tif notes.txt a.tif.partial", "a.tif Thumbs.db"),
    ],
)
def test_pairs_by_stem(tmp_path: Path, images: str, labels: str) -> None:
    pairs = pair_files(*folders(tmp_path, images, labels))
    assert len(pairs) == sum(
        name.lower().endswith(("tif", "tiff")) and name[0] != "." for name in images.split()
    )
    for pair in pairs:
        assert pair.labels is not None
        assert pair.stem == stem_of(pair.raw.name) == stem_of(pair.labels.name)
    assert [pair.stem for pair in pairs] == sorted(pair.stem for pair in pairs)


DAMAGED = [
    ("a.tif b.tif", "a.tif"),
    ("a.tif", "a.tif b.tif"),
    ("a.tif b.tif c.tif", "a.tif c.tif d.tif"),
    ("a.tif b.tif", "a.tif B.tif"),  # on any file system: names are compared exactly
    ("a.tif", "a_mask.tif"),
    ("im1.tif im2.tif", "im01.tif im02.tif"),
    ("a.tif a.tiff", "a.tif"),
    ("a.tif", "a.tif a.ome.tif"),
    ("a.tif", "b.tif"),
    ("a.tif", ".a.tif"),
    ("a.tif", "a.tif.partial"),
    ("a.tif", "a.gif"),
    ("a.tif b.gif", "a.tif"),
    ("a.tif b.png", "a.tif"),
    ("", "a.tif"),
    ("a.tif", ""),
    ("notes.txt", "a.tif"),
    ("a.tif", "a.txt"),
    ("a .tif", "a.tif"),
    ("a.tif b.tif c.tif", "b.tif c.tif a.tif d.tif"),
    ("x1.tif x2.tif x3.tif", "x2.tif x3.tif x4.tif"),
]


@pytest.mark.parametrize(("images", "labels"), DAMAGED)
def test_damaged_folders(tmp_path: Path, images: str, labels: str) -> None:
    with pytest.raises(InputError):
        pair_files(*folders(tmp_path, images, labels))


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("training-0001.tif training-0002.tif",
         "training_groundtruth-0002.tif training_groundtruth-0001.tif"),
        ("a_raw.tif b_raw.png", "b_mask.tif a_mask.tif"),
        ("t1.tif t2.tif t10.tif", "seg_t10.tif seg_t1.tif seg_t2.tif"),
    ],
)  # fmt: skip
def test_pairs_by_what_varies(tmp_path: Path, images: str, labels: str) -> None:
    pairs = pair_files(*folders(tmp_path, images, labels))
    stems = [stem_of(name) for name in images.split()]
    assert [pair.stem for pair in pairs] == sorted(stems)
    for pair in pairs:
        assert pair.labels is not None
        number = "".join(filter(str.isdigit, pair.stem)) or pair.stem[0]
        assert number in pair.labels.name.replace("mask", "")


def test_pairs_by_order_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, labels = folders(tmp_path, "im2.tif im10.tif im1.tif", "b.tif c.tif a.tif")
    source = Source(raw=str(raw), labels=str(labels))
    with pytest.raises(InputError):
        paired(source)
    assert not capsys.readouterr().out
    for rule in ("order", "name_or_order"):
        found = {pair.stem: pair.labels for pair in paired(source, rule)}
        assert found == {"im1": labels / "a.tif", "im2": labels / "b.tif", "im10": labels / "c.tif"}
        assert "im10  im10.tif  c.tif" in capsys.readouterr().out
    (labels / "d.tif").write_bytes(b"")
    with pytest.raises(InputError, match="not as many labels"):
        paired(source, "name_or_order")
    same = Source(raw=str(raw), labels="")
    assert [pair.labels for pair in paired(same, "order")] == [None] * 3


def test_the_table_shows_leftovers(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        pair_files(*folders(tmp_path, "a.tif b.tif c.tif", "a.tif c.tif c.tiff"))
    text = str(caught.value)
    assert "2 of 3 names" in text
    assert "b     b.tif  -" in text
    assert "c     c.tif  c.tif + c.tiff" in text
    assert "a.tif" not in text


def test_without_labels(tmp_path: Path) -> None:
    raw, _ = folders(tmp_path, "b.tif a.tif", "x.tif")
    assert [(pair.stem, pair.labels) for pair in pair_files(raw)] == [("a", None), ("b", None)]
    (raw / "a.tiff").write_bytes(b"")
    with pytest.raises(InputError, match="same name 'a'"):
        pair_files(raw)


def test_two_files_are_a_pair(tmp_path: Path) -> None:
    raw, labels = folders(tmp_path, "image.tif", "mask.tif")
    pair = pair_files(raw / "image.tif", labels / "mask.tif")[0]
    assert (pair.stem, pair.labels) == ("image", labels / "mask.tif")


def test_zarr_folders_are_images(tmp_path: Path) -> None:
    for name in ("a.ome.zarr", "plain"):
        write_labels_zarr(tmp_path / "raw" / name, np.ones((3, 3), np.uint8), spacing=(1.0, 1.0))
    assert [path.name for path in list_images(tmp_path / "raw")] == ["a.ome.zarr", "plain"]
    assert pair_files(tmp_path / "raw" / "plain")[0].stem == "plain"


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        pair_files(tmp_path / "nothing")


def test_stems() -> None:
    assert stem_of("a.ome.tiff") == "a"
    assert stem_of("a.tif.tif") == "a.tif"
    assert stem_of("plain") == "plain"
