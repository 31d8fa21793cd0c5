"""Axes come from names or from a declaration; what could be read in two ways is refused."""

from __future__ import annotations

import itertools

import pytest

from jaxseg.errors import InputError
from jaxseg.io.axes import axis_order
from jaxseg.volume import NEW


@pytest.mark.parametrize(
    ("shape", "letters", "ndim", "expected"),
    [
        ((7, 8), "YX", 2, (0, 1, NEW)),
        ((7, 8, 3), "YXS", 2, (0, 1, 2)),
        ((2, 7, 8), "CYX", 2, (1, 2, 0)),
        ((5, 7, 8), "ZYX", 3, (0, 1, 2, NEW)),
        ((5, 7, 8), "?YX", 3, (0, 1, 2, NEW)),  # pages of a plain TIFF
        ((5, 7, 8), "IYX", 3, (0, 1, 2, NEW)),
        ((1, 1, 1), "XYX", 3, (0, 1, 2, NEW)),
        ((5, 7, 8), "???", 3, (0, 1, 2, NEW)),  # a plain Zarr array
        ((7, 8), "??", 2, (0, 1, NEW)),
        ((1, 7, 8), "???", 2, (1, 2, NEW)),
        ((1, 7, 8), "QYX", 2, (1, 2, NEW)),
        ((1, 5, 2, 7, 8, 1), "TZCYXS", 3, (1, 3, 4, 2)),
        ((1, 1, 1, 7, 8, 1), "TZCYXS", 3, (1, 3, 4, 2)),  # one plane is a volume too
        ((1, 1, 1, 7, 8, 1), "TZCYXS", 2, (3, 4, 2)),
        ((8, 7, 5), "XYZ", 3, (2, 1, 0, NEW)),
    ],
)
def test_known(shape: tuple[int, ...], letters: str, ndim: int, expected: tuple[int, ...]) -> None:
    assert axis_order(shape, letters, ndim=ndim) == expected


@pytest.mark.parametrize(
    ("shape", "letters", "ndim", "says"),
    [
        ((5, 7, 8), "?YX", 2, "CYX (5 channels, 7 rows, 8 columns) or YXC"),
        ((3, 5, 7, 8), "QSYX", 3, "CZYX (3 channels, 5 planes"),
        ((5, 7, 8, 3), "QYXS", 3, "the axes are not known"),
        ((2, 5, 7, 8), "????", 3, "--data.axes"),
        ((1, 5, 7, 8), "????", 3, "not known"),
        ((5, 7, 8), "TYX", 3, "a time series of 5 frames"),
        ((5, 7, 8), "ZYX", 2, "--ndim 3"),
        ((7, 8), "YX", 3, "no z axis"),
        ((7,), "X", 2, "not known"),
    ],
)
def test_refused(shape: tuple[int, ...], letters: str, ndim: int, says: str) -> None:
    with pytest.raises(InputError) as caught:
        axis_order(shape, letters, ndim=ndim)
    assert says in str(caught.value)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "letters", "declared", "ndim", "expected"),
    [
        ((5, 7, 8), "?YX", "CYX", 2, (1, 2, 0)),
        ((5, 7, 8), "TYX", "zyx", 3, (0, 1, 2, NEW)),
        ((1, 5, 1, 7, 8, 1), "TZCYXS", "CYX", 2, (3, 4, 1)),  # declared wins over metadata
        ((1, 1, 1, 7, 8, 1), "TZCYXS", "ZYX", 3, (1, 3, 4, 2)),
        ((1, 5, 1, 7, 8), "?????", "TZCYX", 3, (1, 3, 4, 2)),
        ((2, 5, 7, 8), "????", "CZYX", 3, (1, 2, 3, 0)),
        ((5, 7, 8, 3), "QYXS", "ZYXS", 3, (0, 1, 2, 3)),
    ],
)
def test_declared(
    shape: tuple[int, ...], letters: str, declared: str, ndim: int, expected: tuple[int, ...]
) -> None:
    assert axis_order(shape, letters, ndim=ndim, declared=declared) == expected


@pytest.mark.parametrize("declared", ["YXZ?", "ZZYX", "CZ", "TCZYXQ", "YX"])
def test_illegal_declaration(declared: str) -> None:
    with pytest.raises(InputError, match=r"--data\.axes"):
        axis_order((5, 7, 8), "?YX", ndim=3, declared=declared)


@pytest.mark.parametrize(("channels", "says"), [(2, "instance and class"), (3, "colours")])
def test_labels_have_no_channels(channels: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        axis_order((7, 8, channels), "YXC", ndim=2, channels=False)
    assert axis_order((7, 8, 1), "YXC", ndim=2, channels=False) == (0, 1)


def test_sizes_never_decide() -> None:
    """The same letters give the same axes whatever the sizes, or are refused for all of them."""
    for sizes in itertools.permutations((2, 30, 500)):
        assert axis_order(sizes, "?YX", ndim=3) == (0, 1, 2, NEW)
        with pytest.raises(InputError):
            axis_order(sizes, "?YX", ndim=2)
