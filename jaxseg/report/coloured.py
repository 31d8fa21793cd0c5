"""Objects in three colours: what was found, made up and missed."""

from __future__ import annotations

import numpy as np

from jaxseg.report.verdict import Verdict, judged

FOUND, SPURIOUS, MISSED = (0, 255, 0), (0, 0, 255), (255, 0, 0)


def coloured(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    threshold: float = 0.5,
    verdict: Verdict | None = None,
) -> np.ndarray:
    """Every object filled with the colour of what became of it.

    Predicted objects that match a true one are green, other predicted ones blue; over them, true
    objects that nothing matches red.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers, any ids; 0 = background
    threshold : least IoU of a match
    verdict : of the images that these are a part of; None = these are the whole images

    Returns
    -------
    (*S, 3) uint8, RGB; background black

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative

    >>> coloured(np.array([[1, 1, 0, 2]]), np.array([[5, 5, 6, 0]]))[0].tolist()
    [[0, 255, 0], [0, 255, 0], [0, 0, 255], [255, 0, 0]]
    """
    verdict = verdict or judged(truth, labels, threshold=threshold)
    missed, spurious = np.isin(truth, verdict.missed), np.isin(labels, verdict.spurious)
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for where, colour in (
        ((labels > 0) & ~spurious, FOUND),
        (spurious, SPURIOUS),
        (missed, MISSED),
    ):
        picture[where] = colour
    return picture
