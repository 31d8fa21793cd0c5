"""Classes: of every voxel by itself, so that blocks need no context."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Output, Results, Stage, View
from jaxseg.config import Config
from jaxseg.decoding import class_type, classes
from jaxseg.runs import manifest as runs
from jaxseg.runs.division import DECODE
from jaxseg.runs.layout import Work
from jaxseg.stages.objects import POST
from jaxseg.stages.operations import confined
from jaxseg.stages.planes import filtered_planes, made_of, region_of
from jaxseg.stages.shown import POST_MARK, Shown, Steps

FOLDER = "per_image_binarized"


def class_steps(work: Work) -> Steps:
    """The classes of an image, as they are predicted and of filtered planes in masks."""
    raw = made_of(work)
    steps = [_decoded(work, DECODE, raw, None, work.labels(FOLDER))]
    options = work.config.postprocess
    if options.filters or options.masks:
        planes, region = filtered_planes(work, raw), region_of(work)
        steps.append(_decoded(work, "decode_post-proc", planes, region, work.labels(POST)))
    marks = ("", POST_MARK)
    return Steps(tuple(steps), tuple(map(Shown, marks, steps)))


def _decoded(work: Work, name: str, planes: View, region: View | None, target: Path) -> Stage:
    """The stage that finds the class of every voxel."""
    config = work.config

    def find(block: Block, results: Results, known: Arrays) -> Made:
        box = block.core
        found = classes_of(config, results[planes].array[box.slices])
        return Made(confined(found, results[region].array[box.slices] if region else None))

    output = Output(spacing=work.spacing, dtype=class_type(config.channels), target=target,
                    what="classes")  # fmt: skip
    needs = (planes,) if region is None else (planes, region)
    return Stage(name=name, phase=DECODE, grid=work.grid, needs=needs, work=find,
                 values=runs.phase_values(DECODE, config), output=output,
                 done="decoded")  # fmt: skip


def classes_of(config: Config, planes: np.ndarray) -> np.ndarray:
    """The class of every voxel out of stored planes.

    Parameters
    ----------
    config : of the run
    planes : (*S, K) as :func:`jaxseg.stages.planes.stored_planes` says, as float32

    Returns
    -------
    (*S) uint8, or uint16 for more than 256 classes
    """
    if config.predict.classes_only:
        return planes[..., 0].astype(class_type(config.channels))
    return classes(planes, config.channels, threshold=config.semantic.threshold)
