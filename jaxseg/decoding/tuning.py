"""Options of a decoder that give the best objects on images whose objects are known.

A network that was trained briefly draws softer planes than the truth, and every data set has its
own. So the few options that matter, which the decoder's row names, are tried one after the other on
the planes of images with labels.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseg.config import Channel
from jaxseg.decoding.knobs import with_true_sizes
from jaxseg.decoding.table import DecoderSpec, decoder_problems, of_instances, row_of, run_decoder
from jaxseg.errors import ConfigError, InputError
from jaxseg.metrics import aggregate, matching

# Overlaps whose F1 are averaged.
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(9))
# A value must be better than the default by what one object counts, or the default stays: few
# objects tell little. Within these bounds, however many there are.
GAIN_OBJECTS, LEAST_GAIN, MOST_GAIN = 1, 0.002, 0.05
# Every option is tried so often, since the best value of one depends on the others.
ROUNDS = 2


class Trial(NamedTuple):
    """One row of the table: a decoding of all images.

    Parameters
    ----------
    option, value : what was tried, the other options at the best that was known; "" for the start
    f1 : mean of the F1 at ``THRESHOLDS``, all objects together
    f1_50, f1_75 : at an overlap of 0.5 and 0.75
    """

    option: str
    value: Any
    f1: float
    f1_50: float
    f1_75: float


class Tuned(NamedTuple):
    """What was found.

    Parameters
    ----------
    decoder : its name
    options : by name, those that differ from what was given
    before, after : mean F1 with the given options and with these
    trials : in the order in which they were made
    complete : whether there was time for all
    """

    decoder: str
    options: Mapping[str, Any]
    before: float
    after: float
    trials: tuple[Trial, ...]
    complete: bool


def tune(
    planes: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    decoder: str | DecoderSpec = "auto",
    options: Any = None,
    minutes: float = 5.0,
    ignore: int = -1,
    groups: Sequence[int] = (),
    clock: Callable[[], float] = time.monotonic,
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Tuned:
    """Search the options of a decoder that matter for the best mean F1 on known objects.

    One option after the other is set to each of its values, and the best one stays; then once more
    from the beginning. Of values that are as good, up to what ``GAIN_OBJECTS`` count, the one
    nearest to the default is taken, so that a flat optimum changes nothing. What was given by hand
    is not tried.

    Parameters
    ----------
    planes : of every image (*S, K) float, values of the channels, not logits
    truths : the true objects of every image, (*S) non-negative integers
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1
    decoder : as for :func:`jaxseg.decoding.row_of`
    options : of that decoder; what differs from its defaults is kept; None = the defaults
    minutes : no trial begins later than that; the first one, of the options as given, always runs
    ignore : value of the truth where nobody looked: no object counts there; -1 = none
    groups : of each image, the number of its group, such as validation images 0 and training images
        1; scores are means over groups, however many objects each has; empty = one group
    clock : seconds that pass
    on_trial : told every trial after it was made

    Returns
    -------
    Tuned

    Raises
    ------
    ConfigError : channels that the decoder cannot use
    InputError : no image, or not as many planes as truths

    >>> from jaxseg.config import ch
    >>> truth = np.kron([[1, 0, 2]], np.ones((4, 4), int))
    >>> planes = np.stack([0.4 * (truth > 0), 0.0 * truth], axis=-1)
    >>> found = tune([planes], [truth], (ch("F"), ch("C")))
    >>> found.before, found.after, dict(found.options)
    (0.0, 1.0, {'growth_thresholds': (0.3,)})
    """
    if len(planes) != len(truths) or not planes:
        raise InputError(
            "tuning needs planes and labels of the same images",
            expected="at least one image",
            found=f"{len(planes)} planes, {len(truths)} labels",
        )
    row, ndim = row_of(channels, decoder), planes[0].ndim - 1
    start = row.options if options is None else options
    if problems := decoder_problems(channels, ndim=ndim, decoder=row, options=start):
        raise problems[0]
    sets = _sets(groups or [0] * len(truths), truths)
    begun = clock()
    known: dict[Any, float] = {}
    trials: list[Trial] = []

    def tried(chosen: Any, option: str, value: Any) -> float:
        if chosen not in known:
            scores = scores_of(
                planes, truths, channels, spacing=spacing, row=row, options=chosen, ignore=ignore,
                sets=sets,
            )  # fmt: skip
            trial = Trial(option, value, *scores)
            trials.append(trial)
            on_trial(trial)
            known[chosen] = trial.f1
        return known[chosen]

    gain = _gain(truths, sets)
    best, complete = start, True
    before = after = tried(start, "", None)
    for option, values in _plan(row, start, channels, truths):
        found: list[tuple[float, Any]] = []
        for value in values:
            if clock() - begun > 60 * minutes:
                complete = False
                break
            chosen = dataclasses.replace(best, **{option: value})
            if not decoder_problems(channels, ndim=ndim, decoder=row, options=chosen):
                found.append((tried(chosen, option, value), value))
        top = max((score for score, _ in found), default=after)
        if top > after + gain:
            value = next(value for score, value in found if score > top - gain)
            best = dataclasses.replace(best, **{option: value})
            after = known[best]
    return Tuned(row.name, changed(best, start), before, after, tuple(trials), complete)


def _sets(groups: Sequence[int], truths: Sequence[np.ndarray]) -> list[list[int]]:
    """The numbers of the images of every group that has objects; all in one if none has."""
    if len(groups) != len(truths):
        raise InputError("tuning needs a group for each image", expected=len(truths),
                         found=len(groups))  # fmt: skip
    sets = [[at for at, one in enumerate(groups) if one == group] for group in sorted(set(groups))]
    return [one for one in sets if any(truths[at].any() for at in one)] or [[*range(len(truths))]]


def _gain(truths: Sequence[np.ndarray], sets: Sequence[Sequence[int]]) -> float:
    """How much better a value must be: by an object of the group where one counts most."""
    objects = [sum(np.unique(truths[at][truths[at] > 0]).size for at in one) for one in sets]
    fewest = max(min(objects), 1) * len(sets)
    return min(max(GAIN_OBJECTS / fewest, LEAST_GAIN), MOST_GAIN)


def _plan(
    row: DecoderSpec, start: Any, channels: Sequence[Channel], truths: Sequence[np.ndarray]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Options to try, each with its values, those near the default first."""
    usual = {
        option: values
        for option, values in row.tunes(of_instances(channels), truths[0].ndim).items()
        if getattr(start, option) == getattr(row.options, option)
    }
    knobs = with_true_sizes(usual, truths)
    for _ in range(ROUNDS if len(knobs) > 1 else 1):
        yield from knobs.items()


def scores_of(
    planes: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None,
    row: DecoderSpec,
    options: Any,
    ignore: int = -1,
    sets: Sequence[Sequence[int]] = (),
) -> tuple[float, float, float]:
    """Mean F1, and the F1 at 0.5 and 0.75, of images together; 0 without any object.

    Of several sets of images, given by their numbers, the means.
    """
    counts = []
    for one, truth in zip(planes, truths, strict=True):
        labels = run_decoder(one, channels, spacing=spacing, decoder=row, options=options).labels
        if ignore >= 0:
            seen = truth != ignore
            truth, labels = np.where(seen, truth, 0), np.where(seen, labels, 0)
        counts.append(matching(truth, labels, thresholds=THRESHOLDS))
    f1 = np.mean([_f1([counts[at] for at in one]) for one in sets or [range(len(counts))]], axis=0)
    return float(f1.mean()), float(f1[0]), float(f1[THRESHOLDS.index(0.75)])


def _f1(counts: Sequence[Any]) -> np.ndarray:
    """F1 of images together, by threshold."""
    return np.nan_to_num([score.matching.f1 for score in aggregate(counts, by_image=False)])


def changed(options: Any, default: Any) -> dict[str, Any]:
    """Fields of a dataclass whose values differ from those of another."""
    names = (field.name for field in dataclasses.fields(options))
    return {
        name: getattr(options, name)
        for name in names
        if getattr(options, name) != getattr(default, name)
    }


def with_tuned(options: Any, found: Mapping[str, Any]) -> Any:
    """Options with what tuning found, except for what was given by hand.

    Parameters
    ----------
    options : of a decoder
    found : values by name, e.g. of a file, lists in place of tuples

    Returns
    -------
    options of the same type

    Raises
    ------
    ConfigError : an option that the decoder does not have

    >>> from jaxseg.config import StarDist
    >>> with_tuned(StarDist(nms_threshold=0.2), {"nms_threshold": 0.5, "prob_threshold": 0.6})
    StarDist(prob_threshold=0.6, nms_threshold=0.2, candidates='maxima', min_size=1)
    """
    default = type(options)()
    unknown = [name for name in found if not hasattr(default, name)]
    if unknown:
        raise ConfigError(
            "the decoder has no such options", found=" ".join(unknown), fix="tune it again"
        )
    taken = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if getattr(options, name) == getattr(default, name)
    }
    return dataclasses.replace(options, **taken)


def to_json(found: Tuned) -> dict[str, Any]:
    """What is stored beside a checkpoint; :func:`with_tuned` takes its ``options``."""
    plain = found._asdict()
    plain["trials"] = [trial._asdict() for trial in found.trials]
    plain["options"] = dict(found.options)
    return plain
