"""From planes, true or predicted, to objects or classes.

``decode`` picks the decoder that the channels call for; each can be called by its own name, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jaxseg.config import Channel
from jaxseg.decoding.classes import classes
from jaxseg.decoding.plan import Criterion, Plan, plan, plan_problems
from jaxseg.decoding.settle import Levels, settle, settle_problems, settled
from jaxseg.decoding.watershed import Steps, watershed, watershed_by_plan, watershed_steps

__all__ = [
    "DECODERS",
    "Criterion",
    "Levels",
    "Plan",
    "Steps",
    "classes",
    "decode",
    "plan",
    "plan_problems",
    "settle",
    "settle_problems",
    "settled",
    "watershed",
    "watershed_by_plan",
    "watershed_steps",
]

# The first whose channels are all there decodes; a new decoder is a row and a function
# (planes, channels, spacing) -> labels.
DECODERS: tuple[tuple[frozenset[str], Callable[..., np.ndarray]], ...] = (
    (frozenset({"S"}), lambda planes, channels, spacing: classes(planes, channels)),
    (frozenset(), lambda planes, channels, spacing: watershed(planes, channels, spacing=spacing)),
)


def decode(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
) -> np.ndarray:
    """Objects, or classes for the channel S, with the decoder and settings that suit the channels.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1; the same as for the true planes

    Returns
    -------
    (*S) labels 1..N, uint16 or uint32, or (*S) uint8 classes; 0 = background

    Raises
    ------
    ConfigError : planes that are not those of the channels

    >>> from jaxseg.config import ch
    >>> decode(np.array([[0.9, 0.1, 0.8]])[..., None], (ch("F"),)).tolist()
    [[1, 0, 2]]
    """
    names = {channel.name for channel in channels}
    run = next(run for needed, run in DECODERS if needed <= names)
    return run(planes, channels, spacing)
