"""From planes, true or predicted, to objects or classes.

``decode`` picks the decoder that the channels call for; each can be called by its own name, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxseg.config import Channel
from jaxseg.decoding.affinities.agglomeration import (
    affinity_edges,
    agglomeration,
    agglomeration_steps,
    fragment_ascents,
    fragment_reach,
    join_options,
    near_offsets,
)
from jaxseg.decoding.affinities.mutex import mutex, mutex_steps
from jaxseg.decoding.certainty import agreement, certainty, certainty_of, graded
from jaxseg.decoding.classes import class_type, class_votes, classes, object_classes
from jaxseg.decoding.convexity import more_convex, solidity
from jaxseg.decoding.embedseg import embedseg
from jaxseg.decoding.flow import flow, flow_steps
from jaxseg.decoding.judging import COUNTED, LATER, drop_unsure, judged
from jaxseg.decoding.mask import mask_plan, without_flow
from jaxseg.decoding.stardist import (
    Shapes,
    package_problems,
    shapes,
    stardist,
    stardist_problems,
)
from jaxseg.decoding.table import (
    DECODERS,
    Decoded,
    DecoderSpec,
    decoder_of,
    decoder_problems,
    of_instances,
    planes_of_instances,
    row_of,
    run_decoder,
)
from jaxseg.decoding.tuning import Trial, Tuned, to_json, tune, with_tuned
from jaxseg.decoding.watershed.decode import (
    Steps,
    watershed,
    watershed_by_plan,
    watershed_steps,
)
from jaxseg.decoding.watershed.fit_thresholds import (
    Levels,
    Part,
    settle,
    settled,
)
from jaxseg.decoding.watershed.growth import foreground_plane, growth_mask, tells_objects
from jaxseg.decoding.watershed.plan import Criterion, Plan, block_problems, plan, plan_problems

__all__ = [
    "COUNTED",
    "DECODERS",
    "LATER",
    "Criterion",
    "Decoded",
    "DecoderSpec",
    "Levels",
    "Part",
    "Plan",
    "Shapes",
    "Steps",
    "Trial",
    "Tuned",
    "affinity_edges",
    "agglomeration",
    "agglomeration_steps",
    "agreement",
    "block_problems",
    "certainty",
    "certainty_of",
    "class_type",
    "class_votes",
    "classes",
    "decode",
    "decoder_of",
    "decoder_problems",
    "drop_unsure",
    "embedseg",
    "flow",
    "flow_steps",
    "foreground_plane",
    "fragment_ascents",
    "fragment_reach",
    "graded",
    "growth_mask",
    "join_options",
    "judged",
    "mask_plan",
    "more_convex",
    "mutex",
    "mutex_steps",
    "near_offsets",
    "object_classes",
    "of_instances",
    "package_problems",
    "plan",
    "plan_problems",
    "planes_of_instances",
    "row_of",
    "run_decoder",
    "settle",
    "settled",
    "shapes",
    "solidity",
    "stardist",
    "stardist_problems",
    "tells_objects",
    "to_json",
    "tune",
    "watershed",
    "watershed_by_plan",
    "watershed_steps",
    "with_tuned",
    "without_flow",
]


def decode(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    decoder: str | DecoderSpec = "auto",
    options: Any = None,
) -> np.ndarray:
    """Objects, or classes for S alone, with the decoder and settings that suit the channels.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1; the same as for the true planes
    decoder : a name in ``DECODERS``, a row of your own, or auto: the one that the channels call for
    options : of that decoder, see :mod:`jaxseg.config.decoders`; None = its defaults

    Returns
    -------
    (*S) labels 1..N, uint16 or uint32, or (*S) uint8 classes; 0 = background

    Raises
    ------
    ConfigError : planes that are not those of the channels, or channels that the decoder cannot use

    >>> from jaxseg.config import ch
    >>> decode(np.array([[0.9, 0.1, 0.8]])[..., None], (ch("F"),)).tolist()
    [[1, 0, 2]]
    """
    if [channel.name for channel in channels] == ["S"]:
        return classes(planes, channels)
    return run_decoder(planes, channels, spacing=spacing, decoder=decoder, options=options).labels
