"""The best result that a representation allows: labels to true planes and back.

What a decoder cannot recover from perfect planes, no training will bring back. So the scores of
this round trip are a ceiling, and the objects it loses tell what to change before training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.channels import encode
from jaxseg.config import Channel, ch
from jaxseg.decoding import DECODERS, decode, decoder_of
from jaxseg.labels import difficulties, overlap
from jaxseg.labels.overlap import Overlap
from jaxseg.metrics import Matching, aggregate, matching
from jaxseg.metrics.assignment import matched

# Overlaps at which the average precision is taken, as in the COCO and DSB 2018 challenges.
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
# Representations to compare, those that are learnt most easily first.
CANDIDATES: tuple[tuple[str, ...], ...] = (
    ("F", "C", "Db"),
    ("F", "C"),
    ("F", "Db"),
    ("F", "D"),
    ("F", "P"),
    ("F", "Dc"),
    ("F", "H", "V"),
    ("F", "Gv", "Gh"),
    ("Db", "R"),
    ("A",),
    ("E",),
)
# What the vectors among them have in 3D besides.
DEPTH: Mapping[str, str] = {"V": "Z", "Gh": "Gz"}
# Representations whose average precisions differ by less are equally good: training costs more.
TIE = 0.03


class Ceiling(NamedTuple):
    """What is left of the objects of one or several label images.

    Parameters
    ----------
    scores : of all objects together, one Matching per threshold of ``THRESHOLDS``
    mean_iou : mean over the true objects of the IoU with the object that overlaps most
    lost : true objects without a match at IoU 0.5, counted by reason: ``in pieces``, not connected
        through faces; ``tiny``, fewer than 10 voxels; ``thin``, nowhere deeper than 1.5 voxels;
        ``touching`` another object; ``other``
    """

    scores: tuple[Matching, ...]
    mean_iou: float
    lost: Mapping[str, int]

    @property
    def average_precision(self) -> float:
        """Mean over the thresholds of ``tp / (tp + fp + fn)``."""
        return float(np.mean([one.accuracy for one in self.scores]))


Decoder = Callable[..., np.ndarray]


def ceiling(
    images: Sequence[np.ndarray],
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    decoder: Decoder = decode,
) -> Ceiling:
    """Encode labels, decode the true planes, and compare.

    Parameters
    ----------
    images : label images, each (*S) non-negative integers
    channels : the representation
    spacing : size of a voxel, (z)yx, µm; None = 1
    decoder : (planes, channels, spacing=...) -> labels

    Returns
    -------
    Ceiling; without any object its scores are nan

    Raises
    ------
    ConfigError, InputError : as for :func:`jaxseg.encode` and :func:`jaxseg.decode`

    >>> labels = np.zeros((12, 24), np.uint16)
    >>> labels[2:10, 2:10], labels[2:10, 12:20], labels[11, 23] = 1, 2, 3
    >>> found = ceiling([labels], (ch("F"), ch("C")))
    >>> found.scores[0].tp, dict(found.lost)
    (3, {})
    """
    scores, best, lost = [], [], Counter[str]()
    for labels in images:
        planes = np.asarray(encode(labels, channels, spacing=spacing))
        decoded = decoder(planes, channels, spacing=spacing)
        scores.append(matching(labels, decoded, thresholds=THRESHOLDS))
        table = overlap(labels, decoded)
        best.append(_best_iou(table))
        lost += Counter(difficulties(labels, _unmatched(table)))
    pooled = tuple(one.matching for one in aggregate(scores, by_image=False))
    every = np.concatenate(best) if best else np.zeros(0)
    return Ceiling(pooled, float(every.mean()) if every.size else float("nan"), lost)


def candidates(ndim: int) -> tuple[tuple[Channel, ...], ...]:
    """The representations to compare in this dimension, with the options they have by default.

    Those whose decoder needs a package that is not installed are left out.
    """
    depths = DEPTH if ndim == 3 else {}
    lists = ((*names, *(depths[name] for name in names if name in depths)) for names in CANDIDATES)
    sets = (tuple(map(ch, names)) for names in lists)
    return tuple(channels for channels in sets if not DECODERS[decoder_of(channels)].missing())


def recommended(found: Sequence[Ceiling]) -> int:
    """Index of the first ceiling that is as good as the best one; without objects, 0."""
    scores = np.nan_to_num([one.average_precision for one in found])
    return int(np.flatnonzero(scores >= scores.max() - TIE)[0])


def _best_iou(table: Overlap) -> np.ndarray:
    """For every true object, the largest IoU with any object."""
    best = np.zeros(len(table.true_ids))
    np.maximum.at(best, table.rows, table.iou)
    return best


def _unmatched(table: Overlap) -> np.ndarray:
    """Ids of the true objects without a match at IoU 0.5."""
    found = np.zeros(len(table.true_ids), bool)
    found[table.rows[matched(table, 0.5)]] = True
    return table.true_ids[~found]
