"""Opening a data set finds everything that is wrong with it, at once, and never raises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from jaxseg import data, io
from jaxseg.config import Normalize, Source
from jaxseg.data.label_index import POINTS
from jaxseg.errors import JaxsegWarning
from jaxseg.normalize import fit
from jaxseg.volume import Volume


def write(root: Path, stem: str, image: np.ndarray, labels: np.ndarray | None) -> Source:
    """Add an image and its labels to a data set."""
    for name in ("raw", "labels"):
        (root / name).mkdir(exist_ok=True)
    tifffile.imwrite(root / "raw" / f"{stem}.tif", image, photometric="minisblack")
    if labels is not None:
        tifffile.imwrite(root / "labels" / f"{stem}.tif", labels)
    return Source(raw=str(root / "raw"), labels=str(root / "labels"))


def good(seed: int = 0, shape: tuple[int, int] = (20, 30)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 200, shape, np.uint8), np.repeat(
        rng.integers(0, 4, (shape[0], 1)), shape[1], 1
    ).astype(np.uint16)


def test_a_sound_data_set(tmp_path: Path) -> None:
    for seed, stem in enumerate("ab"):
        source = write(tmp_path, stem, *good(seed))
    samples, problems = data.open_samples(source, ndim=2, spacing=(0.5, 0.25))
    assert problems == ()
    assert [sample.name for sample in samples] == ["a", "b"]
    for seed, sample in enumerate(samples):
        image, labels = good(seed)
        np.testing.assert_array_equal(sample.image.array()[..., 0], image)
        assert sample.labels is not None
        np.testing.assert_array_equal(sample.labels.array(), labels)
        assert sample.image.spacing == sample.labels.spacing == (0.5, 0.25)
        assert sample.stats == fit(sample.image)
        assert sample.voxels == 600
        np.testing.assert_array_equal(sample.index.ids, np.unique(labels)[np.unique(labels) > 0])


def test_all_problems_are_found_together(tmp_path: Path) -> None:
    image, labels = good()
    source = write(tmp_path, "good", image, labels)
    write(tmp_path, "size", image, labels[:10])
    nan = image.astype(np.float32)
    nan[3, 3:5] = np.nan
    write(tmp_path, "nan", nan, labels)
    write(tmp_path, "float", image, labels + np.float32(0.5))
    write(tmp_path, "negative", image, labels.astype(np.int16) - 9)
    write(tmp_path, "stack", np.stack([image] * 4), labels)
    write(tmp_path, "both", nan, labels - 0.25)
    write(tmp_path, "cut", image, labels)
    cut = tmp_path / "raw" / "cut.tif"
    cut.write_bytes(cut.read_bytes()[:300])
    samples, problems = data.open_samples(source, ndim=2)
    assert [sample.name for sample in samples] == ["good"]
    text = "\n".join(map(str, problems))
    assert len(problems) == 8
    for part in (
        "size.tif: image and labels differ",
        "nan.tif: 2 values are NaN",
        "float.tif: labels in float32 that are not all whole",
        "negative.tif: negative labels",
        "stack.tif: the axes are not known",
        "both.tif: labels in float64",
        "both.tif: 2 values",
        "cut.tif: the file is damaged",
    ):
        assert part in text
    assert all(len(str(problem).splitlines()) <= 3 for problem in problems)


def test_pairing_and_missing_folders_are_problems_too(tmp_path: Path) -> None:
    samples, problems = data.open_samples(Source(raw=str(tmp_path / "none")), ndim=2)
    assert (samples, len(problems)) == ((), 1)
    source = write(tmp_path, "a", *good())
    write(tmp_path, "b", good()[0], None)
    samples, problems = data.open_samples(source, ndim=2)
    assert "1 of 2 names" in str(problems[0])


def test_channel_counts_must_agree(tmp_path: Path) -> None:
    image, labels = good()
    source = write(tmp_path, "a", image, labels)
    tifffile.imwrite(tmp_path / "raw" / "b.tif", np.stack([image] * 3, -1), photometric="rgb")
    tifffile.imwrite(tmp_path / "labels" / "b.tif", labels)
    samples, problems = data.open_samples(source, ndim=2)
    assert len(samples) == 2
    assert "b.tif: another number of channels" in str(problems[0])
    stats = fit(samples[1].image)
    problems = data.open_samples(source, ndim=2, stats=stats).problems
    assert "a.tif: another number of channels" in str(problems[0])


def test_without_labels(tmp_path: Path) -> None:
    source = write(tmp_path, "a", *good())
    (sample,), _ = data.open_samples(Source(raw=source.raw), ndim=2)
    assert sample.labels is None
    assert len(sample.index.ids) == 0


def test_data_set_statistics(tmp_path: Path) -> None:
    bright = (good(1)[0] // 2 + 100, good(1)[1])
    write(tmp_path, "a", *good())
    source = write(tmp_path, "b", *bright)
    samples, _ = data.open_samples(source, ndim=2, normalize=Normalize(scope="dataset"))
    assert samples[0].stats == samples[1].stats == fit([sample.image for sample in samples])
    given = data.open_samples(source, ndim=2, stats=samples[0].stats).samples
    assert given[1].stats == samples[0].stats


def test_given_statistics_do_not_skip_the_check(tmp_path: Path) -> None:
    source = write(tmp_path, "a", np.full((5, 5), np.nan, np.float32), good()[1][:5, :5])
    stats = fit(Volume(np.ones((2, 2, 1), np.uint8), "yxc", (1.0, 1.0)), method="none")
    assert "25 values" in str(data.open_samples(source, ndim=2, stats=stats).problems[0])


def test_a_different_voxel_size_of_the_labels_is_told(tmp_path: Path) -> None:
    image, labels = good()
    io.write_image_tiff(tmp_path / "i.tif", image, spacing=(0.5, 0.5))
    io.write_labels_tiff(tmp_path / "l.tif", labels, spacing=(0.4, 0.5))
    source = Source(raw=str(tmp_path / "i.tif"), labels=str(tmp_path / "l.tif"))
    with pytest.warns(JaxsegWarning, match="voxel size"):
        (sample,), _ = data.open_samples(source, ndim=2)
    assert sample.labels is not None
    assert sample.labels.spacing == (0.5, 0.5)


def test_class_values(tmp_path: Path) -> None:
    image, labels = good()
    labels[0, :3] = 255
    source = write(tmp_path, "a", image, labels)
    samples = data.open_samples(source, ndim=2).samples
    assert data.class_problems(samples, classes=256) == []
    assert "found 3, 255" in str(data.class_problems(samples, classes=3)[0])
    samples = data.open_samples(source, ndim=2, ignore=255).samples
    assert data.class_problems(samples, classes=4) == []


def test_cache_takes_the_small_ones(tmp_path: Path) -> None:
    for seed, (stem, side) in enumerate({"a": 200, "b": 20, "c": 30}.items()):
        source = write(tmp_path, stem, *good(seed, (side, side)))
    samples = data.open_samples(source, ndim=2).samples
    held = data.cached(samples, 10_000 / 2**30)
    assert [isinstance(sample.image.data, np.ndarray) for sample in held] == [False, True, True]
    assert data.cached(samples, 0)[1].image is samples[1].image
    for before, after in zip(samples, held, strict=True):
        np.testing.assert_array_equal(before.image.array(), after.image.array())


# --- where the objects are --------------------------------------------------------------------


@given(st.integers(0, 100), st.sampled_from([np.uint8, np.int32, np.uint64]))
def test_index_points_lie_in_their_objects(seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 7, 100], (9, 8, 7)).astype(dtype)
    if dtype is np.uint64:
        labels[labels == 100] = 2**63 + 5
    index = data.index_labels(Volume(labels, "zyx", (1.0,) * 3))
    np.testing.assert_array_equal(index.ids, np.unique(labels[labels > 0]))
    for number, name in enumerate(index.ids):
        points = index.points[index.first[number] : index.first[number + 1]]
        # All are kept when there are few.
        assert len(points) == (labels == name).sum()
        assert (labels[tuple(points.T)] == name).all()


def test_index_is_bounded_fair_and_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.ones((400, 500), np.int32)
    labels[:5] = 2
    labels[399, 499] = 3
    volume = Volume(labels, "yx", (1.0, 1.0))
    monkeypatch.setattr(Volume.slabs, "__defaults__", (20_000,))
    index = data.index_labels(volume)
    assert len(index.points) <= POINTS
    np.testing.assert_array_equal(index.ids, [1, 2, 3])
    np.testing.assert_array_equal(np.diff(index.first)[1:], [2500, 1])
    rows = index.points[: index.first[1], 0]
    assert abs(rows.mean() - 202) < 5  # from all slabs alike
    np.testing.assert_array_equal(index.points, data.index_labels(volume).points)


def test_index_of_nothing() -> None:
    index = data.index_labels(Volume(np.zeros((5, 5), np.uint8), "yx", (1.0, 1.0)))
    assert len(index.ids) == 0
    assert index.first.tolist() == [0]
    only = data.index_labels(Volume(np.full((5, 5), 9, np.uint8), "yx", (1.0, 1.0)), ignore=9)
    assert len(only.ids) == 0
