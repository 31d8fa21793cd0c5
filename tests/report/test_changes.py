"""Pictures of patches before and after random changes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jaxseg import channels, report
from jaxseg.augment import AUGMENTATIONS, random_augment
from jaxseg.config import Augment, Chance, ch
from jaxseg.data import Batch

OFF = Augment().without(*AUGMENTATIONS)


def batches(shape: tuple[int, ...], both: bool = False) -> Any:
    for number in itertools.count():
        rng = np.random.default_rng(number)
        labels = np.kron(rng.integers(-1, 3, (2, *shape)), np.ones((1, *(4,) * len(shape)), int))
        image = rng.uniform(size=(*labels.shape, 1)).astype(np.float32)
        names = (f"im{number}a", f"im{number}b")
        labels = labels.astype(np.int32)
        truth = {"objects": labels} | ({"classes": labels % 2} if both else {})
        yield Batch(image, truth, names, np.zeros((2, len(shape)), np.int64))


def targets(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    return channels.encode(np.maximum(truth["objects"], 0), (ch("F"), ch("C")))


@pytest.mark.parametrize(("shape", "both"), [((3, 3), False), ((2, 3, 3), True)])
def test_pairs_of_pictures(shape: tuple[int, ...], both: bool) -> None:
    settings = replace(OFF, flip_x=Chance(probability=1.0))
    found = list(
        report.examples(
            batches(shape, both),
            functools.partial(random_augment, settings=settings),
            targets,
            count=3,
            seed=0,
            names=("F", "C"),
        )
    )
    assert [one.name for one in found] == ["000_im0a", "001_im0b", "002_im1a"]
    for one in found:
        assert one.before.shape == one.after.shape
        assert one.before.dtype == np.uint8
        assert (one.before != one.after).any()
    # Every panel is the mirror image of its twin.
    columns = 5 if both else 4
    gap, line = 12, 26
    top = gap + 2 * line
    side = (found[0].before.shape[1] - gap) // columns - gap
    for number in range(columns):
        left = gap + number * (side + gap)
        one, other = (
            picture[top : top + side, left : left + side]
            for picture in (found[0].before, found[0].after)
        )
        np.testing.assert_array_equal(one[:, ::-1], other)


def test_nothing_to_show_asks_for_no_patch() -> None:
    assert not list(report.examples((), lambda *given: given[1:], lambda x: x, count=0, seed=0))


@pytest.mark.parametrize("shape", [(12, 12), (4, 12, 12)])
def test_predicted_planes_beside_the_true_ones(shape: tuple[int, ...]) -> None:
    image, truth = np.zeros((*shape, 1), np.float32), {"objects": np.ones(shape, np.int32)}
    true = np.random.default_rng(0).uniform(size=(*shape, 2)).astype(np.float32)
    found = report.compared(image, truth, true, true, names=("F", "C"))
    gap, top = 12, 12 + 2 * 26
    side = (found.shape[1] - gap) // 6 - gap
    panels = [found[top : top + side, gap + n * (side + gap) :][:, :side] for n in range(6)]
    assert (panels[2] == panels[3]).all()
    assert (panels[4] == panels[5]).all()
    assert (panels[2] != panels[4]).any()
    wider = report.compared(image, truth, true, np.concatenate([true, true], -1))
    assert wider.shape[1] == found.shape[1]
