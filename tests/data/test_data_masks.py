"""Labels that are not what a task needs are said before anything is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from jaxseg import data
from jaxseg.config import Source
from jaxseg.data import Sample
from jaxseg.errors import JaxsegWarning
from jaxseg.volume import Volume

OBJECTS = np.zeros((20, 30), np.uint8)
OBJECTS[2:8, 2:8], OBJECTS[12:18, 2:8], OBJECTS[8:11, 20:26] = 1, 2, 3


def source(root: Path, *labels: np.ndarray) -> Source:
    for name in ("raw", "labels"):
        (root / name).mkdir()
    image = np.random.default_rng(0).integers(0, 99, OBJECTS.shape, np.uint8)
    for number, array in enumerate(labels):
        tifffile.imwrite(root / "raw" / f"{number}.tif", image)
        tifffile.imwrite(root / "labels" / f"{number}.tif", array)
    return Source(raw=str(root / "raw"), labels=str(root / "labels"))


def opened(
    root: Path, *labels: np.ndarray, ignore: int = -1, **options: bool
) -> tuple[Sample, ...]:
    samples, problems = data.open_samples(source(root, *labels), ndim=2, ignore=ignore, **options)
    assert problems == ()
    return samples


@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_no_image_of_objects(tmp_path: Path, value: int) -> None:
    mask = ((OBJECTS > 0) * value).astype(np.uint8)
    samples = opened(tmp_path, np.zeros_like(mask), mask, mask)
    (problem,) = data.mask_problems(samples)
    assert f"found {value} for 3 separate ones" in str(problem)
    assert "--data.label_components" in str(problem)
    assert "1.tif" in str(problem)
    assert len(str(problem).splitlines()) == 3
    assert str(data.masks_in([sample.labels for sample in samples])[0]) == str(problem)


@pytest.mark.parametrize(
    "labels",
    [
        (OBJECTS,),
        (OBJECTS, (OBJECTS == 1).astype(np.uint8)),
        ((OBJECTS == 1).astype(np.uint8),),  # one object
        ((OBJECTS > 0) * np.uint8(7),),  # an id that no program writes for a mask
        (np.zeros_like(OBJECTS),),
    ],
)
def test_objects_are_no_mask(tmp_path: Path, labels: tuple[np.ndarray, ...]) -> None:
    assert data.mask_problems(opened(tmp_path, *labels)) == []


def test_an_image_is_no_image_of_objects(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 40, OBJECTS.shape, np.uint8)
    samples = opened(tmp_path, image, image)
    (problem,) = data.mask_problems(samples)
    assert "are an image, not objects" in str(problem)
    assert "swapped" in str(problem)
    assert "0.tif" in str(problem)
    assert len(str(problem).splitlines()) == 3
    assert str(data.masks_in([sample.labels for sample in samples])[0]) == str(problem)


def test_objects_of_single_voxels_and_in_two_pieces_are_no_image(tmp_path: Path) -> None:
    points = np.arange(600, dtype=np.uint16).reshape(20, 30)
    points[1::2], points[:, 1::2] = 0, 0
    halves = np.hstack([points[:, ::2], points[:, ::2]])
    assert data.mask_problems(opened(tmp_path, points, halves)) == []


def test_masks_become_objects(tmp_path: Path) -> None:
    mask = (OBJECTS > 0) * np.uint8(255)
    mask[0, -1] = mask[1, -2] = 255  # touch diagonally
    (sample,) = opened(tmp_path, mask, components=True)
    assert sample.labels is not None
    ids = sample.labels.array()
    assert len(np.unique(ids)) == 5
    assert ids[0, -1] == ids[1, -2]
    np.testing.assert_array_equal(ids > 0, mask > 0)
    np.testing.assert_array_equal(sample.index.ids, [1, 2, 3, 4])
    assert data.mask_problems((sample,)) == []


def test_what_nobody_looked_at_becomes_no_object(tmp_path: Path) -> None:
    mask = ((OBJECTS > 0) * 255).astype(np.uint8)
    mask[-1] = 2
    (sample,) = opened(tmp_path, mask, components=True, ignore=2)
    assert sample.labels is not None
    np.testing.assert_array_equal(sample.labels.array() == 2, mask == 2)
    np.testing.assert_array_equal(sample.index.ids, [1, 3, 4])


def test_255_means_1_where_it_is_the_only_class(tmp_path: Path) -> None:
    mask = ((OBJECTS > 0) * 255).astype(np.uint8)
    samples = opened(tmp_path, mask, np.zeros_like(mask))
    with pytest.warns(JaxsegWarning, match="0 and 255 are read as the classes 0 and 1"):
        read = data.zero_or_one(samples, classes=2, ignore=-1)
    assert read[0].labels is not None
    np.testing.assert_array_equal(read[0].labels.array(), OBJECTS > 0)
    np.testing.assert_array_equal(read[0].labels.read((3, 3), (9, 9)), OBJECTS[3:9, 3:9] > 0)
    assert data.class_problems(read, classes=2) == []
    assert data.zero_or_one(samples, classes=2, ignore=255) == samples


def test_255_beside_other_classes_is_refused_without_harmful_advice(tmp_path: Path) -> None:
    mask = ((OBJECTS > 0) * 255).astype(np.uint8)
    (tmp_path / "a").mkdir()
    samples = opened(tmp_path / "a", mask, (OBJECTS == 1).astype(np.uint8))
    assert data.zero_or_one(samples, classes=2, ignore=-1) == samples
    (problem,) = data.class_problems(samples, classes=2)
    assert "ignore" not in problem.fix
    mask[OBJECTS == 1] = 1
    (tmp_path / "b").mkdir()
    (problem,) = data.class_problems(opened(tmp_path / "b", mask), classes=2)
    assert "ignore" in problem.fix


def test_all_labels_are_empty(tmp_path: Path) -> None:
    empty = np.zeros_like(OBJECTS)
    (tmp_path / "a").mkdir()
    (problem,) = data.emptiness_problems(opened(tmp_path / "a", empty, empty))
    assert "all 2 label images are empty" in str(problem)
    (tmp_path / "b").mkdir()
    assert data.emptiness_problems(opened(tmp_path / "b", empty, OBJECTS)) == []


def test_classes_that_no_image_has(tmp_path: Path) -> None:
    samples = opened(tmp_path, OBJECTS, (OBJECTS == 1).astype(np.uint8))
    data.warn_of_absent(samples, classes=4)
    with pytest.warns(JaxsegWarning, match="no training image has class 4, 5:"):
        data.warn_of_absent(samples, classes=6)


def test_labels_that_begin_elsewhere(tmp_path: Path) -> None:
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    for name, place in (("raw", [0, 0]), ("labels", [0, 3.0])):
        moves = [
            {"type": "scale", "scale": [0.5, 0.5]},
            {"type": "translation", "translation": place},
        ]
        image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": moves}]}
        root = zarr.create_group(
            tmp_path / f"{name}.zarr", zarr_format=2, attributes={"multiscales": [image]}
        )
        root.create_array("0", data=OBJECTS)
    both = Source(raw=str(tmp_path / "raw.zarr"), labels=str(tmp_path / "labels.zarr"))
    with pytest.warns(JaxsegWarning, match=r"labels begin at \(0\.0, 3\.0\) µm, the image at"):
        samples, problems = data.open_samples(both, ndim=2)
    assert (len(samples), problems) == (1, ())


def test_ids_of_64_bit_stay_exact_without_background() -> None:
    base = 720575940623374841
    ids = np.array([base, base + 1, base + 2, 2**63 + 7], np.uint64)
    index = data.index_labels(Volume(np.repeat(ids[:, None], 8, 1), "yx", (1.0, 1.0)))
    np.testing.assert_array_equal(index.ids, ids)
