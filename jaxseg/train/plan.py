"""Fitting a run into a limit of minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Times(NamedTuple):
    """Seconds that the parts of one epoch took."""

    steps: Sequence[float]
    """Of each step, waiting for its batch included."""
    evaluations: Sequence[float]
    """Of each validation batch."""
    whole: float
    """Of the epoch from beginning to end, checkpoints included."""


def epoch_seconds(times: Times, steps: int, *, first: bool) -> float | None:
    """How long a whole epoch takes without compilation.

    Parameters
    ----------
    times : of one epoch, which a restart may have cut short
    steps : steps of a whole epoch
    first : whether it was the first of this process; its first step and first validation batch,
        which hold the compilation, then do not count

    Returns
    -------
    seconds, or None when nothing else was measured

    >>> epoch_seconds(Times([9.0, 1.0, 1.0], [5.0, 0.5], 17.0), steps=3, first=True)
    4.5
    """
    skipped = 1 if first else 0
    counted, evaluated = times.steps[skipped:], times.evaluations[skipped:]
    if not counted or not evaluated:
        return None
    rest = times.whole - sum(times.steps) - sum(times.evaluations)
    per_step, per_evaluation = sum(counted) / len(counted), sum(evaluated) / len(evaluated)
    return per_step * steps + per_evaluation * len(times.evaluations) + rest


def is_due(done: int, epochs: int) -> bool:
    """Whether a plan is made anew: when twice as many epochs are done as the last time, up to half.

    The first epochs are slower than the others, and other work beside comes and goes.

    >>> [done for done in range(1, 40) if is_due(done, 40)]
    [1, 2, 4, 8, 16]
    """
    return done & (done - 1) == 0 and 2 * done <= epochs


def recent_pace(seconds: Sequence[float]) -> float:
    """Seconds per epoch in the later half of those that are done.

    >>> recent_pace([50.0, 30.0, 20.0, 20.0])
    20.0
    """
    recent = seconds[len(seconds) // 2 :]
    return sum(recent) / len(recent)


def affordable_epochs(minutes: float, *, spent: float, pace: float, done: int, most: int) -> int:
    """How many epochs, those done included, a run can have within its limit.

    Parameters
    ----------
    minutes : limit of the whole run
    spent : seconds so far
    pace : seconds per epoch
    done : epochs so far
    most : epochs asked for

    >>> affordable_epochs(2.0, spent=30.0, pace=20.0, done=1, most=100)
    5
    """
    return min(most, done + max(0, int((60 * minutes - spent) / pace)))
