"""Pairs are made by name, one to one; anything left over is an error that shows the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from jaxseg import io
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


# --- patterns, stores, and one folder for all ------------------------------------------------


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        tifffile.imwrite(folder / name, np.zeros((4, 5), np.uint8))
    return folder


def test_images_and_their_masks_in_one_folder(tmp_path: Path) -> None:
    folder = touch(tmp_path / "all", "a.tif", "a_masks.tif", "b.tif", "b_masks.tif")
    with pytest.raises(InputError, match=r"same files(?s:.)*'.*all/\*_masks\.tif'"):
        io.pair_files(folder, folder)
    expected = [("a", "a.tif", "a_masks.tif"), ("b", "b.tif", "b_masks.tif")]
    for raw in (folder, folder / "*.tif", folder / "?.tif"):
        pairs = io.pair_files(raw, folder / "*_masks.tif")
        assert [(pair.stem, pair.raw.name, pair.labels.name) for pair in pairs] == expected
    for stem in ("im0", "im1"):
        touch(tmp_path / "more", f"{stem}.tif", f"{stem}_masks.tif")
    pairs = io.pair_files(tmp_path / "more/im?.tif", tmp_path / "more/*_masks.tif")
    assert [(pair.stem, pair.labels.name) for pair in pairs] == [
        ("im0", "im0_masks.tif"),
        ("im1", "im1_masks.tif"),
    ]
    touch(folder, "c.tif")
    with pytest.raises(InputError, match=r"names are not one image and one label image"):
        io.pair_files(folder, folder / "*_masks.tif")


def test_the_same_folder_for_both(tmp_path: Path) -> None:
    folder = touch(tmp_path / "all", "a.tif", "b.tif")
    for other in (folder, tmp_path / "link", f"{folder}/../all"):
        if other == tmp_path / "link":
            other.symlink_to(folder)
        with pytest.raises(InputError, match="same files"):
            io.pair_files(folder, other)
    with pytest.raises(InputError, match="same files"):
        io.pair_files(folder / "a.tif", folder / "a.tif")


def test_what_a_pattern_stands_for_pairs(tmp_path: Path) -> None:
    raw = touch(tmp_path / "raw", "x1_ch0.tif", "x2_ch0.tif", "x1_ch1.tif")
    labels = touch(tmp_path / "labels", "seg-x1.tif", "seg-x2.tif")
    pairs = io.pair_files(raw / "*_ch0.tif", labels / "seg-*.tif")
    assert [(pair.stem, pair.labels.name) for pair in pairs] == [
        ("x1_ch0", "seg-x1.tif"),
        ("x2_ch0", "seg-x2.tif"),
    ]
    touch(labels, "seg-x3.tif")
    with pytest.raises(InputError, match=r"[35] of"):
        io.pair_files(raw / "*_ch0.tif", labels / "seg-*.tif")


def plate(path: Path) -> Path:
    """Two wells of two fields, each with a label image, as the specification lays them out."""
    root = zarr.create_group(path, zarr_format=2, attributes={"plate": {}})
    for row in "AB":
        for field in "01":
            image = root.require_group(f"{row}/1/{field}")
            axes = [{"name": name, "type": "space"} for name in "yx"]
            image.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
            image.create_array("0", data=np.zeros((8, 9), np.uint8))
            labels = image.create_group("labels/nuclei")
            labels.attrs["multiscales"] = image.attrs["multiscales"]
            labels.create_array("0", data=np.ones((8, 9), np.uint16))
    return path


def test_images_of_one_store_are_named_by_where_they_lie(tmp_path: Path) -> None:
    path = plate(tmp_path / "plate.zarr")
    wells = io.pair_files(path / "*/1/0")
    assert [pair.stem for pair in wells] == ["plate_A_1_0", "plate_B_1_0"]
    fields = io.pair_files(path / "*/*/*", path / "*/*/*/labels/nuclei")
    names = ["plate_A_1_0", "plate_A_1_1", "plate_B_1_0", "plate_B_1_1"]
    assert [pair.stem for pair in fields] == names
    for pair in fields:
        assert str(pair.labels) == f"{pair.raw}/labels/nuclei"
        assert io.open_labels(pair.labels, ndim=2).array().all()


def test_the_series_of_a_store(tmp_path: Path) -> None:
    """As bioformats2raw writes them, beside a group of metadata."""
    root = zarr.create_group(tmp_path / "bf.zarr", zarr_format=2)
    root.create_group("OME")
    for number in range(3):
        root.create_group(str(number)).create_array("0", data=np.zeros((8, 9), np.uint8))
    pairs = io.pair_files(tmp_path / "bf.zarr/*")
    assert [pair.stem for pair in pairs] == ["bf_0", "bf_1", "bf_2"]
    with pytest.raises(InputError, match=r"bf\.zarr/0, or a pattern for several: bf\.zarr/\*"):
        io.open_image(tmp_path / "bf.zarr", ndim=2)


def test_a_folder_called_like_a_store_is_a_folder(tmp_path: Path) -> None:
    for name in ("raw.zarr", "raw.h5", "raw.n5.d"):
        folder = tmp_path / "exp.h5" / name
        folder.mkdir(parents=True)
        for stem in "ab":
            io.write_labels_tiff(folder / f"{stem}.tif", np.ones((4, 5), int), spacing=(1.0, 1.0))
        assert [pair.stem for pair in io.pair_files(folder)] == ["a", "b"]
        assert io.open_labels(folder / "a.tif", ndim=2).array().all()
        io.write_labels_zarr(folder / "c.zarr", np.ones((4, 5), int), spacing=(1.0, 1.0))
        assert io.open_labels(folder / "c.zarr", ndim=2).array().all()
        assert [path.name for path in io.list_images(folder)] == ["a.tif", "b.tif", "c.zarr"]


def test_a_link_to_nothing_and_hidden_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "._a.tif").write_bytes(b"\0\5")
    with pytest.raises(InputError, match="found hidden files only"):
        io.list_images(tmp_path)
    (tmp_path / "a.tif").symlink_to(tmp_path / "gone.tif")
    with pytest.raises(InputError, match="a link that leads nowhere"):
        io.list_images(tmp_path)
