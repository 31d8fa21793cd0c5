"""Affinities by blocks: fragments, their contacts, and the objects they are joined to.

The stages take the place of those of other decoders: ``instance_creation`` and ``contacts`` find
fragments, ``fragments`` numbers them, ``region_graph`` gathers what they share, and
``instance_merging`` writes the objects. The result is that of the image in memory, bit for bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import blocks
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.decoding import (
    Levels,
    Plan,
    affinity_edges,
    fragment_ascents,
    fragment_reach,
    join_options,
    mask_plan,
    near_offsets,
    of_instances,
    settled,
)
from jaxseg.geometry import Box
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import stage_folder

FRAGMENTS, GRAPH = "fragments", "region_graph"
# Reads the planes of affinities in a box.
ReadPlanes = Callable[[Box], np.ndarray]


def fragment_plan(config: Config, sample: Sample) -> Plan:
    """Where fragments may lie; its thresholds are settled for the volume."""
    return mask_plan(
        of_instances(config.channels),
        ndim=config.ndim,
        spacing=sample.image.spacing,
        threshold=config.agglomeration.threshold,
    )


def fragment_grid(config: Config, sample: Sample, grid: BlockGrid) -> BlockGrid:
    """The blocks with the halo that fragments need, whatever other decoders are given."""
    reach = fragment_reach(of_instances(config.channels), config.ndim, sample.image.spacing)
    return blocks.with_reach(grid, reach)


def find_fragments(
    config: Config, sample: Sample, ledger: Ledger, read: ReadPlanes, levels: Levels
) -> blocks.Work:
    """The work of ``instance_creation``."""
    chosen = settled(fragment_plan(config, sample), levels)
    find = functools.partial(
        fragment_ascents,
        channels=of_instances(config.channels),
        criteria=None if chosen is None else chosen.growth,
        spacing=sample.image.spacing,
        options=config.agglomeration,
    )
    background = config.agglomeration.fill_holes
    return blocks.fragments_work(ledger, read, find, background=background)


def number_fragments(config: Config, run: Run, sample: Sample) -> blocks.Work:
    """The work of ``fragments``."""
    return blocks.labels_work(
        _ledger(run, FRAGMENTS, sample), _ledger(run, "instance_creation", sample)
    )


def gather_contacts(config: Config, run: Run, sample: Sample, read: ReadPlanes) -> blocks.Work:
    """The work of ``region_graph``."""
    spacing = sample.image.spacing

    def edges(planes: np.ndarray) -> np.ndarray:
        return affinity_edges(planes, of_instances(config.channels), spacing=spacing)[0]

    return blocks.graph_work(
        _ledger(run, GRAPH, sample),
        _ledger(run, FRAGMENTS, sample),
        read,
        edges,
        near_offsets(of_instances(config.channels), config.ndim, spacing),
        histogram=config.agglomeration.score == "quantile",
    )


def write_objects(run: Run, sample: Sample) -> blocks.Work:
    """The work of ``instance_merging``."""
    return blocks.joined_work(
        _ledger(run, "instance_merging", sample), _ledger(run, FRAGMENTS, sample)
    )


def open_fragments(run: Run, sample: Sample, values: Mapping[str, Any]) -> Ledger:
    """Number the fragments of the volume."""
    return blocks.open_labels(
        stage_folder(run, FRAGMENTS, sample),
        _ledger(run, "instance_creation", sample),
        _ledger(run, "contacts", sample),
        values,
        target=None,
        spacing=sample.image.spacing,
        stage=FRAGMENTS,
    )


def open_contacts_of_fragments(run: Run, sample: Sample, values: Mapping[str, Any]) -> Ledger:
    """Begin to gather what fragments share."""
    return blocks.open_graph(
        stage_folder(run, GRAPH, sample),
        _ledger(run, "instance_creation", sample),
        _ledger(run, FRAGMENTS, sample),
        values,
    )


def open_objects(
    config: Config, run: Run, sample: Sample, values: Mapping[str, Any], target: Path
) -> Ledger:
    """Join the fragments of the volume."""
    return blocks.open_joined(
        stage_folder(run, "instance_merging", sample),
        _ledger(run, GRAPH, sample),
        values,
        target=target,
        spacing=sample.image.spacing,
        join=join_options(config.agglomeration, config.ndim),
        min_size=config.agglomeration.min_size,
    )


def _ledger(run: Run, stage: str, sample: Sample) -> Ledger:
    return blocks.read_ledger(stage_folder(run, stage, sample))
