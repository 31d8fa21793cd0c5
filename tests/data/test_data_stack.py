"""2D images as the planes of a stack."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg import data
from jaxseg.data.stack import Stacked
from jaxseg.data.truth import OBJECTS
from jaxseg.normalize import Stats
from jaxseg.volume import Volume


def sample(image: np.ndarray, name: str, labels: np.ndarray | None = None) -> data.Sample:
    volume = Volume(image, "yxc", (0.5, 0.25), name, f"/some/{name}.tif")
    truth = {}
    if labels is not None:
        truth[OBJECTS] = Volume(labels, "yx", (0.5, 0.25), name, f"/l/{name}.tif")
    return data.Sample(volume, truth, Stats((0.0,), (1.0,)), name, data.empty_index(2))


@given(st.data())
def test_a_stack_is_read_like_an_array(source: st.DataObject) -> None:
    arrays = [np.arange(12).reshape(4, 3) + 100 * number for number in range(5)]
    whole, index = np.stack(arrays), []
    for size in whole.shape[: source.draw(st.integers(1, 3))]:
        low = source.draw(st.integers(0, size))
        cut = slice(low, source.draw(st.integers(low, size)))
        index.append(source.draw(st.sampled_from([cut, min(low, size - 1), slice(None)])))
    found = Stacked(tuple(arrays))[tuple(index)]
    np.testing.assert_array_equal(found, whole[tuple(index)])
    assert found.dtype == whole.dtype


def test_ids_of_any_types_survive() -> None:
    arrays = (np.array([[2**63 + 1]], np.uint64), np.array([[7]], np.int64))
    assert Stacked(arrays)[:, 0, 0].tolist() == [2**63 + 1, 7]


def test_an_image_with_labels_in_three_dimensions() -> None:
    images = [np.full((4, 6, 2), number, np.uint8) for number in range(3)]
    labels = [np.full((4, 6), number, np.uint16) for number in range(3)]
    found = data.stack_of(
        [sample(*pair) for pair in zip(images, "abc", labels, strict=True)], spacing=2.0
    )
    assert (found.image.axes, found.image.spacing) == ("zyxc", (2.0, 0.5, 0.25))
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels.array(), np.stack(labels))
    np.testing.assert_array_equal(found.image.array(), np.stack(images))
    assert [part.name for part in found.parts] == ["a", "b", "c"]
    assert data.stack_of(found.parts).image.spacing == (0.5, 0.5, 0.25)
    # Where one image has no labels, there are none of the stack.
    assert data.stack_of([*found.parts, sample(images[0], "d")]).labels is None


@pytest.mark.parametrize(
    ("shape", "spacing", "words"),
    [((5, 6, 1), (0.5, 0.25), "another size"), ((4, 6, 1), (0.5, 0.3), "another voxel size")],
)
def test_other_sizes_are_no_stack(
    shape: tuple[int, ...], spacing: tuple[float, ...], words: str
) -> None:
    usual = sample(np.zeros((4, 6, 1)), "a")
    other = Volume(np.zeros(shape), "yxc", spacing, "b", "b.tif")
    odd = data.Sample(other, {}, Stats((0.0,), (1.0,)), "b", data.empty_index(2))
    (problem,) = data.stack_problems([usual, usual, odd])
    assert words in str(problem)
    assert "b.tif" in str(problem)
    assert data.stack_problems([usual, usual]) == []
