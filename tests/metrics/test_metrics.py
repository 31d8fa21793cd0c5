"""Matching, associations, aggregation and voxel scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from support.synthetic_objects import cells

from jaxseg.errors import ConfigError, InputError
from jaxseg.labels import overlap, tally
from jaxseg.labels.crop import cropped
from jaxseg.labels.tally import merged
from jaxseg.metrics import (
    aggregate,
    associations,
    class_counts,
    dice,
    iou,
    iou_per_class,
    matching,
    matching_by_class,
)

THRESHOLDS = (0.1, 0.3, 0.5, 0.75, 0.9)


def squares() -> tuple[np.ndarray, np.ndarray]:
    """Two true squares; one found exactly, one displaced, and a spurious object."""
    truth, labels = np.zeros((48, 48), int), np.zeros((48, 48), int)
    truth[2:12, 2:12], truth[20:30, 20:30] = 5, 9
    labels[2:12, 2:12], labels[20:30, 26:36], labels[40:43, 40:44] = 3, 4, 8
    return truth, labels


def rectangles(rng: np.random.Generator, count: int) -> np.ndarray:
    """Overlapping rectangles, the later ones on top, with gaps between their ids."""
    labels = np.zeros((30, 30), np.int64)
    for _ in range(count):
        y, x, height, width = rng.integers(0, 28), rng.integers(0, 28), *rng.integers(1, 12, 2)
        labels[y : y + height, x : x + width] = rng.integers(1, 2**40)
    return labels


def dense_matching(truth: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[int, float]:
    """Number and sum of IoU of the matches, by a dense assignment."""
    rows, cols = (np.unique(image[image > 0]) for image in (truth, labels))
    scores = np.zeros((len(rows), len(cols)))
    for i, a in enumerate(rows):
        for j, b in enumerate(cols):
            scores[i, j] = ((truth == a) & (labels == b)).sum() / (
                (truth == a) | (labels == b)
            ).sum()
    smaller = max(min(scores.shape), 1)
    pairs = linear_sum_assignment(-((scores >= threshold) + scores / (2 * smaller)))
    found = scores[pairs][scores[pairs] >= threshold]
    return len(found), float(found.sum())


# --------------------------------------------------------------------------- matching


def test_known_values() -> None:
    for found in matching(*squares(), thresholds=(0.3, 0.5, 0.75)):
        assert (found.tp, found.fp, found.fn, found.n_true, found.n_pred) == (1, 2, 1, 2, 3)
        scores = found.precision, found.recall, found.accuracy, found.f1, found.panoptic_quality
        assert np.allclose(scores, (1 / 3, 0.5, 0.25, 0.4, 0.4))
        assert (found.mean_true_score, found.mean_matched_score) == (0.5, 1)


@given(st.integers(0, 10_000), st.integers(0, 9), st.integers(0, 9))
def test_equal_to_a_dense_assignment(seed: int, n_true: int, n_pred: int) -> None:
    rng = np.random.default_rng(seed)
    truth, labels = rectangles(rng, n_true), rectangles(rng, n_pred)
    for found in matching(truth, labels, thresholds=THRESHOLDS):
        tp, total = dense_matching(truth, labels, found.thresh)
        assert found.tp == tp
        if tp:
            assert found.mean_matched_score * tp == pytest.approx(total)


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 4]))
def test_equal_to_stardist(seed: int, shift: int) -> None:
    stardist = pytest.importorskip("stardist.matching")
    rng = np.random.default_rng(seed)
    truth = cells(rng, (40, 40), count=20)
    labels = np.roll(truth, shift, axis=seed % 2) * 3
    labels[:, :4] = 0
    for found in matching(truth, labels, thresholds=THRESHOLDS):
        expected = stardist.matching(truth, labels, thresh=found.thresh)._asdict()
        for name, value in found._asdict().items():
            assert value == pytest.approx(expected[name]), name


def test_exactly_at_the_threshold_is_a_match() -> None:
    truth, labels = np.array([[1, 1, 0]]), np.array([[1, 0, 0]])
    assert [m.tp for m in matching(truth, labels, thresholds=(0.5, 0.5 + 1e-9))] == [1, 0]


def test_two_halves_are_one_match() -> None:
    truth, labels = np.array([[1, 1, 1, 1]]), np.array([[1, 1, 2, 2]])
    found = matching(truth, labels, thresholds=(0.5,))[0]
    assert (found.tp, found.fp, found.fn) == (1, 1, 0)


def test_empty_images() -> None:
    empty, full = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    nothing = matching(empty, empty)[0]
    assert (nothing.tp, nothing.fp, nothing.fn) == (0, 0, 0)
    assert all(math.isnan(x) for x in (nothing.f1, nothing.accuracy, nothing.panoptic_quality))
    for pair in ((empty, full), (full, empty)):
        found = matching(*pair)[0]
        assert (found.f1, found.precision, found.recall, found.panoptic_quality) == (0, 0, 0, 0)


def test_ids_of_any_type_and_size() -> None:
    truth, labels = squares()
    expected = matching(truth, labels)
    huge = np.where(truth > 0, np.uint64(2**63) + truth.astype(np.uint64), np.uint64(0))
    for other in (truth.astype(np.uint8), truth.astype(np.int16), huge):
        assert matching(other, labels.astype(np.uint32)) == expected
    assert matching(truth > 5, truth > 5)[0].tp == 1


@pytest.mark.parametrize(
    ("truth", "labels"),
    [
        (np.zeros((3, 3), int), np.zeros((3, 4), int)),
        (np.zeros((3, 3)), np.zeros((3, 3), int)),
        (np.zeros((3, 3), int), np.full((3, 3), -1)),
    ],
)
def test_what_is_no_label_image_is_refused(truth: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(InputError):
        matching(truth, labels)
    with pytest.raises(InputError):
        class_counts(truth, labels, classes=2)


@pytest.mark.parametrize("factor", [1, 2**30])
def test_the_table_of_overlaps(factor: int, rng: np.random.Generator) -> None:
    truth, labels = (rng.integers(0, 6, (9, 8, 7)) * factor for _ in range(2))
    table = overlap(truth, labels)
    assert table.true_ids.tolist() == np.unique(truth)[1:].tolist()
    assert table.true_sizes.tolist() == [(truth == i).sum() for i in table.true_ids]
    assert table.labels_sizes.tolist() == [(labels == i).sum() for i in table.labels_ids]
    for row, col, shared in zip(table.rows, table.cols, table.shared, strict=True):
        both = (truth == table.true_ids[row]) & (labels == table.labels_ids[col])
        assert shared == both.sum()
    assert table.shared.sum() == ((truth > 0) & (labels > 0)).sum()


@pytest.mark.slow
def test_a_hundred_thousand_objects(rng: np.random.Generator) -> None:
    truth = cells(rng, (64, 512, 512), count=100_000)
    labels = np.roll(truth, (1, 1, 2), axis=(0, 1, 2))
    found = matching(truth, labels, thresholds=(0.3, 0.5, 0.75))
    assert found[0].n_true == 100_000
    assert found[0].tp > found[1].tp > found[2].tp


# ----------------------------------------------------------------------- associations


def test_every_true_object_has_a_row() -> None:
    found, wrong = associations(*squares(), threshold=0.5)
    assert found.values.tolist() == [[5, 3, 1.0, "TP"], [9, 4, 0.25, "FN"]]
    assert wrong.pred_id.tolist() == [4, 8]


def test_associations_without_a_match() -> None:
    truth, labels = squares()
    found, wrong = associations(truth, np.zeros_like(truth))
    assert found.values.tolist() == [[5, -1, 0.0, "FN"], [9, -1, 0.0, "FN"]]
    assert not len(wrong)
    found, wrong = associations(np.zeros_like(truth), labels)
    assert (len(found), wrong.pred_id.tolist()) == (0, [3, 4, 8])
    assert found.columns.tolist() == ["gt_id", "pred_id", "iou", "tag"]


@given(st.integers(0, 10_000))
def test_associations_agree_with_matching(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, labels = rectangles(rng, 7), rectangles(rng, 8)
    for counts in matching(truth, labels, thresholds=THRESHOLDS):
        found, wrong = associations(truth, labels, threshold=counts.thresh)
        tags = found.tag.value_counts()
        assert (tags.get("TP", 0), tags.get("FN", 0), len(wrong)) == (
            counts.tp,
            counts.fn,
            counts.fp,
        )
        assert found.pred_id[found.pred_id > 0].is_unique


# ------------------------------------------------------------------------ aggregation


def test_images_without_objects_do_not_pull_the_mean_down() -> None:
    truth, labels = squares()
    empty = np.zeros_like(truth)
    images = [matching(truth, truth), matching(truth, labels), matching(empty, empty)]
    mean, pooled = aggregate(images)[0], aggregate(images, by_image=False)[0]
    assert (mean.n_images, mean.n_used) == (3, 2)
    assert mean.matching.f1 == pytest.approx((1 + 0.4) / 2)
    assert (mean.matching.tp, mean.matching.fp, mean.matching.fn) == (3, 2, 1)
    assert pooled.matching.f1 == pytest.approx(6 / 9)
    assert pooled.matching.panoptic_quality == pytest.approx(3 / 4.5)


def test_pooling_equals_one_large_image(rng: np.random.Generator) -> None:
    pairs = [(cells(rng, (20, 20), count=6), cells(rng, (20, 20), count=7)) for _ in range(3)]
    shifted = [np.concatenate([image + 100 * (image > 0) * i for i, image in enumerate(part)])
               for part in zip(*pairs, strict=True)]  # fmt: skip
    whole = matching(*shifted, thresholds=(0.1, 0.3))
    images = [matching(*pair, thresholds=(0.1, 0.3)) for pair in pairs]
    for found, expected in zip(aggregate(images, by_image=False), whole, strict=True):
        assert found.matching == pytest.approx(expected)


def test_nothing_but_empty_images() -> None:
    empty = np.zeros((3, 3), int)
    found = aggregate([matching(empty, empty)])[0]
    assert math.isnan(found.matching.f1)
    assert (found.n_images, found.n_used) == (1, 0)
    assert aggregate([]) == ()


# ----------------------------------------------------------------------------- voxels


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_class_scores_by_definition(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    truth, labels = rng.integers(0, number, (2, 6, 7))
    truth[0, :3] = 200
    counted = truth != 200
    counts = class_counts(truth, labels, classes=number, ignore=200)
    for c in range(number):
        a, b = (truth == c) & counted, (labels == c) & counted
        if (a | b).any():
            assert iou(counts)[c] == pytest.approx((a & b).sum() / (a | b).sum())
            assert dice(counts)[c] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
        else:
            assert np.isnan(iou(counts)[c])
            assert np.isnan(dice(counts)[c])


def test_counts_of_images_are_summed(rng: np.random.Generator) -> None:
    truth, labels = rng.integers(0, 3, (2, 4, 5, 6))
    parts = [class_counts(t, p, classes=3) for t, p in zip(truth, labels, strict=True)]
    total = parts[0].plus(parts[1]).plus(parts[2]).plus(parts[3])
    assert np.array_equal(iou(total), iou_per_class(truth, labels, classes=3))


def test_the_foreground_as_two_classes() -> None:
    truth, labels = np.array([[0, 4, 4]]), np.array([[0, 0, 9]])
    assert iou_per_class(truth > 0, labels > 0, classes=2)[1] == 0.5


def test_a_value_that_is_no_class() -> None:
    with pytest.raises(InputError, match="no class"):
        class_counts(np.array([3]), np.array([0]), classes=3)


def test_border_crop() -> None:
    image = np.arange(30).reshape(5, 6)
    assert cropped(image, (1, 2)).tolist() == [[8, 9], [14, 15], [20, 21]]
    assert cropped(image, ()) is not None
    with pytest.raises(ConfigError):
        cropped(image, (1, 3))


# ------------------------------------------------------------------------ counted by parts


def test_tallies_of_parts_are_those_of_the_whole(rng: np.random.Generator) -> None:
    truth, labels = rectangles(rng, 9), rectangles(rng, 9).astype(np.uint64)
    inside = rng.random(truth.shape) < 0.9
    whole = tally(truth, labels, inside)
    images = (truth, labels, inside)
    parts = [
        tally(*(image[y : y + 7, x : x + 11] for image in images))
        for y in range(0, 30, 7)
        for x in range(0, 30, 11)
    ]
    found = merged(parts)
    assert whole.voxels.sum() == truth.size
    for one, other in zip(
        (*whole.columns, whole.voxels), (*found.columns, found.voxels), strict=True
    ):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def test_scores_of_tallies_are_those_of_images(rng: np.random.Generator) -> None:
    for _ in range(10):
        truth, labels = rectangles(rng, 9), rectangles(rng, 9)
        labels = np.where(rng.random(truth.shape) < 0.7, truth, labels)
        classes, others = (rng.integers(0, 3, truth.shape) for _ in range(2))
        counted = tally(truth, labels, classes, others)
        rows, cols, ours, theirs = counted.columns
        weights = {"voxels": counted.voxels}
        assert matching(rows, cols, thresholds=THRESHOLDS, **weights) == matching(
            truth, labels, thresholds=THRESHOLDS
        )
        for one, other in zip(
            associations(rows, cols, **weights), associations(truth, labels), strict=True
        ):
            assert one.equals(other)
        wanted = class_counts(classes, others, classes=3, ignore=2)
        found = class_counts(ours, theirs, classes=3, ignore=2, **weights)
        assert np.array_equal(found, wanted)
        options = {"number": 3, "thresholds": (0.3, 0.5)}
        by_class = matching_by_class(rows, cols, true_classes=ours, classes=theirs, **options,
                                     **weights)  # fmt: skip
        same = matching_by_class(truth, labels, true_classes=classes, classes=others, **options)
        assert by_class.per_class == same.per_class
        assert np.array_equal(by_class.confusion, same.confusion)
