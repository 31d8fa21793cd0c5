"""Pictures show what they should in the right colours; tables have the documented columns."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from jaxseg.metrics import matching
from jaxseg.report import (
    beside,
    class_overlay,
    coloured,
    matching_table,
    overlay,
    show_classes,
    show_matching,
)
from jaxseg.report.classes import PALETTE
from jaxseg.report.overlay import FOUND, MISSED, SPURIOUS, TRUE, UNJUDGED
from jaxseg.report.panels import as_rgb, slice_indices


def objects(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Truth with a found and a missed object; prediction with a spurious one."""
    truth, labels = np.zeros(shape, int), np.zeros(shape, int)
    truth[..., 4:14, 4:14], truth[..., 20:28, 4:12] = 1, 2
    labels[..., 4:14, 5:14], labels[..., 4:12, 24:30] = 1, 2
    return truth, labels


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether a colour occurs above the legend."""
    return bool((picture[:-60] == colour).all(axis=-1).any())


@pytest.mark.parametrize("shape", [(40, 50), (7, 40, 50), (600, 40), (1, 33, 33)])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,)])
def test_outlines_have_their_colours(
    shape: tuple[int, ...], channels: tuple[int, ...], rng: np.random.Generator
) -> None:
    truth, labels = objects(shape)
    raw = rng.normal(size=(*shape, *channels)).astype(np.float32)
    picture = overlay(raw, labels, truth=truth, title="an image")
    assert picture.dtype == np.uint8
    assert picture.shape[-1] == 3
    assert all(has(picture, colour) for colour in (FOUND, SPURIOUS, MISSED, TRUE))
    assert has(overlay(raw, labels), UNJUDGED)
    assert not has(overlay(raw, labels), FOUND)


def test_an_exact_prediction_is_all_found() -> None:
    truth, _ = objects((40, 50))
    picture = overlay(np.zeros(truth.shape), truth, truth=truth)
    assert has(picture, FOUND)
    assert not has(picture, MISSED)
    assert not has(picture, SPURIOUS)


def test_empty_images_are_drawn() -> None:
    empty = np.zeros((30, 30), np.uint16)
    picture = overlay(np.zeros((30, 30, 1), np.uint8), empty, truth=empty)
    assert not has(picture, FOUND)


def test_arguments_stay_as_they_are() -> None:
    truth, labels = objects((40, 50))
    raw = np.zeros((40, 50, 3), np.uint8)
    for array in (truth, labels, raw):
        array.flags.writeable = False
    overlay(raw, labels, truth=truth)
    class_overlay(raw, labels, truth=truth, names=("a", "b", "c"))


def test_colours_of_classes(rng: np.random.Generator) -> None:
    truth = np.arange(4).repeat(10)[None].repeat(40, axis=0)
    labels, names = np.zeros_like(truth), ("background", "a", "b", "c")
    picture = class_overlay(rng.random(truth.shape), labels, truth=truth, names=names)
    assert all(has(picture, tuple(PALETTE[c])) for c in range(4))
    alone = class_overlay(rng.random(truth.shape), labels, names=names)
    assert not has(alone, tuple(PALETTE[1]))
    assert alone.shape[1] < picture.shape[1]


def test_more_classes_than_colours_and_values_to_ignore() -> None:
    truth = np.full((20, 20), 255)
    names = tuple(map(str, range(12)))
    picture = class_overlay(np.zeros((20, 20)), np.zeros((20, 20), int), truth=truth, names=names)
    assert has(picture, (128, 128, 128))


def test_grey_values_are_stretched(rng: np.random.Generator) -> None:
    image = rng.integers(1000, 1200, (50, 60)).astype(np.uint16)
    image[0, 0] = 65535
    found = as_rgb(image, 2)
    assert found.min() == 0
    assert np.median(found) > 80
    assert not as_rgb(np.full((5, 5), 7.0), 2).any()
    colours = rng.integers(0, 255, (5, 5, 3)).astype(np.uint8)
    assert np.array_equal(as_rgb(colours, 2), colours)


def test_slices_lie_within_the_volume() -> None:
    for depth in range(1, 30):
        found = slice_indices((depth, 9, 9))
        assert len(set(found)) == len(found) == min(depth, 4)
        assert max(found) < (depth,)


# ----------------------------------------------------------------------------- tables


def results() -> dict:
    truth, labels = objects((40, 50))
    empty = np.zeros_like(truth)
    pairs = {"a": (truth, labels), "b": (truth, truth), "empty": (empty, empty)}
    return {name: matching(*pair, thresholds=(0.5, 0.75)) for name, pair in pairs.items()}


def test_the_table_of_matching() -> None:
    table = matching_table(results())
    assert table.file.tolist() == ["a", "b", "empty", "mean of images", "all objects"]
    assert table.images.tolist() == [1, 1, 0, 2, 2]
    assert {"0.5 TH f1", "0.75 TH panoptic_quality", "0.5 TH tp"} <= set(table.columns)
    f1 = table.set_index("file")["0.5 TH f1"]
    assert f1["a"] == 0.5
    assert math.isnan(f1["empty"])
    assert f1["mean of images"] == pytest.approx(0.75)
    assert f1["all objects"] == pytest.approx(6 / 8)


def test_the_printed_table_is_plain_text_in_a_file() -> None:
    stream = io.StringIO()
    show_matching(matching_table(results()), (0.5, 0.75), Console(file=stream, width=80))
    text = stream.getvalue()
    assert "all objects" in text
    assert "0.750" in text
    assert "1 without any object" in text
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80


def test_the_table_of_classes_is_printed() -> None:
    stream = io.StringIO()
    rows = [{"file": "a", "mean iou": 0.25, "iou mito": math.nan}]
    show_classes(pd.DataFrame(rows), Console(file=stream, width=80))
    assert all(part in stream.getvalue() for part in ("iou mito", "0.250", "nan"))


def test_colours_of_objects() -> None:
    truth, labels = np.zeros((3, 12), np.uint64), np.zeros((3, 12), np.int64)
    truth[:, 0:3], truth[:, 5:8] = 2**63, 7
    labels[:, 0:3], labels[:, 7:11] = 2**40, 3
    picture = coloured(truth, labels, threshold=0.5)
    colours = ["".join("RGB"[c] for c in range(3) if pixel[c]) for pixel in picture[0]]
    assert colours == ["G"] * 3 + [""] * 2 + ["R"] * 3 + ["B"] * 3 + [""]
    assert not coloured(truth * np.uint64(0), labels * 0).any()


def test_before_and_after_side_by_side() -> None:
    full, empty = np.ones((4, 4), int), np.zeros((4, 4), int)
    one = matching_table({"a": matching(full, full), "b": matching(full, empty)})
    two = matching_table({"a": matching(full, full), "b": matching(full, full)})
    both = beside(one, two)
    assert both["file"].tolist() == one["file"].tolist()
    assert both["0.5 TH f1"].tolist() == [1, 0, 0.5, 2 / 3]
    assert both["0.5 TH (post) f1"].tolist() == [1, 1, 1, 1]
    assert len(both.columns) == 2 * len(one.columns) - 1
