"""The score of an object ranks true ones before false ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import mannwhitneyu
from support.synthetic_objects import touching_balls

from jaxseg.channels import encode
from jaxseg.config import ch
from jaxseg.decoding import agreement, certainty
from jaxseg.errors import ConfigError


def auroc(scores: np.ndarray, true: np.ndarray) -> float:
    """Probability that a true object scores above a false one."""
    pairs = np.count_nonzero(true) * np.count_nonzero(~true)
    return mannwhitneyu(scores[true], scores[~true]).statistic / pairs


def mistaken(truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which some are two objects in one, halves, or noise; which ids are true."""
    labels, kept = truth.copy(), set(range(1, truth.max() + 1))
    for one in range(1, truth.max() + 1, 4):
        around = ndimage.binary_dilation(truth == one) & (truth != one) & (truth > 0)
        others = sorted(set(truth[around].tolist()) & kept)
        if others and one in kept:
            labels[truth == others[0]] = one
            kept -= {one, others[0]}
    for one in list(kept)[::4]:
        rows = np.nonzero(truth == one)[0]
        half = (truth == one) & (np.indices(truth.shape)[0] > np.median(rows))
        labels[half] = labels.max() + 1
        kept.discard(one)
    free = np.argwhere(labels == 0)
    for place in free[rng.permutation(len(free))[:4]]:
        low = tuple(slice(max(at - 3, 0), at + 4) for at in place)
        labels[low] = np.where(labels[low] == 0, labels.max() + 1, labels[low])
    ids = np.unique(labels)[1:]
    return labels, np.isin(ids, list(kept))


@pytest.mark.parametrize("name", ["F C Db", "F C", "F H V", "A", "Db R", "D"])
def test_true_objects_rank_before_false_ones(name: str, rng: np.random.Generator) -> None:
    truth = touching_balls(rng, (120, 120), count=30, radii=(6, 9))
    channels = tuple(map(ch, name.split()))
    planes = np.asarray(encode(truth, channels), np.float32)
    planes = ndimage.gaussian_filter(planes, (1.0, 1.0, 0))
    planes = planes + rng.normal(0, 0.2, planes.shape)
    labels, true = mistaken(truth, rng)
    scores = certainty(labels, agreement(labels, planes, channels))
    assert len(scores) == len(true)
    assert 5 < np.count_nonzero(true) < len(true) - 5
    print(name, auroc(scores, true))
    assert auroc(scores, true) > 0.7
    assert 0 <= scores.min() < scores.max() <= 1


def test_true_planes_agree_and_spread_takes_off() -> None:
    truth = np.kron([[1, 0], [0, 2]], np.ones((6, 6), int))
    channels = (ch("F"), ch("C"), ch("Db", norm=False), ch("S", classes=3))
    planes = np.asarray(encode(truth, channels, classes=truth), np.float32)
    assert agreement(truth, planes, channels).min() == 1
    spread = np.full(planes.shape, 0.2)
    assert certainty(truth, agreement(truth, planes, channels, spread=spread)).max() < 0.95


def test_channels_without_planes_of_objects_say_nothing() -> None:
    planes = np.zeros((4, 4, 5))
    assert agreement(np.ones((4, 4), int), planes, (ch("E"),)).min() == 1
    with pytest.raises(ConfigError):
        agreement(np.ones((4, 4), int), planes, (ch("F"),))
    assert certainty(np.zeros((4, 4), int), np.ones((4, 4))).size == 0
