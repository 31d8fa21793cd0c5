"""A new file format is one object, given where images are opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxseg import data, io
from jaxseg.config import Source
from jaxseg.errors import ConfigError, InputError

PIXELS = np.arange(12.0).reshape(3, 4)


def open_table(path: Path, inner: str) -> io.Stored:
    """A text file with a number for every pixel; ``a.txt/2`` leaves out two rows."""
    return io.Stored(np.loadtxt(path)[int(inner or 0) :], "YX", {"Y": 0.5, "X": 0.25})


TABLE = io.Format("table", (".pixels.txt", ".txt"), open_table, inside=True)


def test_a_format_of_the_user(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.pixels.txt", PIXELS)
    image = io.open_image(tmp_path / "a.pixels.txt", ndim=2, formats=(TABLE,))
    np.testing.assert_array_equal(image.array()[..., 0], PIXELS)
    assert (image.spacing, image.name) == ((0.5, 0.25), "a")
    labels = io.open_labels(tmp_path / "a.pixels.txt/2", ndim=2, formats=(TABLE,))
    np.testing.assert_array_equal(labels.array(), PIXELS[2:])
    (sample,), problems = data.open_samples(Source(raw=str(tmp_path)), ndim=2, formats=(TABLE,))
    assert (sample.name, problems) == ("a", ())


def test_a_configuration_names_a_format() -> None:
    assert io.format_named(f"{__name__}:TABLE") is TABLE
    for wrong in (f"{__name__}:PIXELS", f"{__name__}:none", "no_such_module:TABLE", "TABLE", ""):
        with pytest.raises(ConfigError, match=r"data\.formats(?s:.)*module:NAME"):
            io.format_named(wrong)


def test_without_it_the_file_is_none(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.txt", PIXELS)
    with pytest.raises(InputError, match="no format that is read here"):
        io.open_image(tmp_path / "a.txt", ndim=2)
    with pytest.raises(InputError, match="no image here"):
        io.list_images(tmp_path)


def test_a_format_of_the_user_may_take_the_place_of_one_of_ours(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PIXELS)
    with pytest.raises(InputError, match="not read here"):
        io.list_images(tmp_path)
    array = io.Format("NumPy", (".npy",), lambda path, _: io.Stored(np.load(path), "YX"))
    assert io.list_images(tmp_path, (array,)) == (tmp_path / "a.npy",)
    assert io.open_image(tmp_path / "a.npy", ndim=2, formats=(array,)).shape == (3, 4, 1)


def test_a_format_whose_images_are_folders(tmp_path: Path) -> None:
    """Every slice a file of its own."""
    folder = tmp_path / "a.slices"
    folder.mkdir()
    for number in range(3):
        np.savetxt(folder / f"{number}.txt", PIXELS + number)
    slices = io.Format(
        "slices",
        (".slices",),
        lambda path, _: io.Stored(np.stack([*map(np.loadtxt, sorted(path.iterdir()))]), "ZYX"),
        root=lambda path: path if path.suffix == ".slices" else None,
    )
    assert io.list_images(tmp_path, (slices,)) == (folder,)
    image = io.open_image(folder, ndim=3, formats=(slices,))
    np.testing.assert_array_equal(image.array()[..., 0], PIXELS + np.arange(3)[:, None, None])


@pytest.mark.parametrize("row", io.FORMATS, ids=lambda row: row.name)
def test_rows(row: io.Format) -> None:
    """Endings are found by, longer ones first, and no two formats share one."""
    for at, ending in enumerate(row.endings):
        assert ending == ending.lower()
        assert ending.startswith(".")
        assert io.stem_of(f"a.b{ending}") == "a.b"
        assert not any(ending.endswith(other) for other in row.endings[:at])
    others = [ending for other in io.FORMATS if other is not row for ending in other.endings]
    assert not set(others) & set(row.endings)
    assert bool(row.starts) != row.is_folder
