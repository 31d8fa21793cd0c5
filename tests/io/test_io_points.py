"""Tables of points: the documents' columns, napari's, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxseg.errors import InputError
from jaxseg.io import write_csv
from jaxseg.io.points import point_frame, read_points

SHAPE = (20, 30)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_documented_and_napari_columns(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.csv", "axis-0,axis-1,class\n3,4.5,1\n19,29,2\n")
    found = read_points(plain, SHAPE)
    np.testing.assert_array_equal(found.places, [[3, 4.5], [19, 29]])
    assert found.classes.tolist() == [1, 2]
    napari = write(tmp_path / "b.csv", "index, axis-0, axis-1\n0, 1.0, 2.0\n")
    assert read_points(napari, SHAPE).places.tolist() == [[1.0, 2.0]]
    assert read_points(write(tmp_path / "c.csv", "axis-0,axis-1\n"), SHAPE).places.shape == (0, 2)
    um = write(tmp_path / "d.csv", "axis-0,axis-1\n1.0,2.0\n")
    found = read_points(um, SHAPE, spacing=(0.5, 0.25), units="um")
    assert found.places.tolist() == [[2.0, 8.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("y,x\n1,2\n", "columns of points"),
        ("axis-0,axis-1,axis-2\n1,2,3\n", "columns of points"),
        ("axis-0,axis-1\n1,two\n", "line 2"),
        ("axis-0,axis-1\n1,nan\n", "not a number"),
        ("axis-0,axis-1\n1,2\n1,40\n", "line 3"),
        ("axis-0,axis-1\n1,2\n1,2\n", "more than once"),
        ("axis-0,axis-1,class\n1,2,0.5\n", "whole numbers"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_points(write(tmp_path / "a.csv", text), SHAPE)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    places = np.array([[1.25, 2.5], [7.0, 8.0]])
    frame = point_frame(places, np.array([0.9, 0.8]), np.array([0, 1]), spacing=(0.5, 2.0))
    assert frame["y_um"].tolist() == [0.625, 3.5]
    write_csv(tmp_path / "out.csv", frame)
    found = read_points(tmp_path / "out.csv", SHAPE)
    np.testing.assert_array_equal(found.places, places)
    assert found.classes.tolist() == [0, 1]
