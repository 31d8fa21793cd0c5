"""From planes, true or predicted, to objects or classes.

``decode`` picks the decoder that the channels call for; each can be called by its own name, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxseg.config import Channel
from jaxseg.decoding.agglomeration import agglomeration, agglomeration_steps
from jaxseg.decoding.classes import classes
from jaxseg.decoding.flow import flow, flow_steps
from jaxseg.decoding.mutex import mutex, mutex_steps
from jaxseg.decoding.plan import Criterion, Plan, plan, plan_problems
from jaxseg.decoding.table import DECODERS, DecoderSpec, decoder_of, decoder_problems
from jaxseg.decoding.watershed import Steps, watershed, watershed_steps

__all__ = [
    "DECODERS",
    "Criterion",
    "DecoderSpec",
    "Plan",
    "Steps",
    "agglomeration",
    "agglomeration_steps",
    "classes",
    "decode",
    "decoder_of",
    "decoder_problems",
    "flow",
    "flow_steps",
    "mutex",
    "mutex_steps",
    "plan",
    "plan_problems",
    "watershed",
    "watershed_steps",
]


def decode(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    decoder: str = "auto",
    options: Any = None,
) -> np.ndarray:
    """Objects, or classes for the channel S, with the decoder and settings that suit the channels.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1; the same as for the true planes
    decoder : a row of :data:`DECODERS`; auto = the one that suits the channels
    options : of that decoder; None = its defaults

    Returns
    -------
    (*S) labels 1..N, uint16 or uint32, or (*S) uint8 classes; 0 = background

    Raises
    ------
    ConfigError : planes that are not those of the channels, or a decoder that needs others

    >>> from jaxseg.config import ch
    >>> decode(np.array([[0.9, 0.1, 0.8]])[..., None], (ch("F"),)).tolist()
    [[1, 0, 2]]
    """
    run = DECODERS[decoder_of(channels, decoder)].steps
    return run(planes, channels, spacing=spacing, options=options).labels
