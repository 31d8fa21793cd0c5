"""Agglomeration of a volume by blocks, for tests: the stages one after another in a folder."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import blocks, decoding
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Agglomeration, Channel
from support import blockwise


def agglomerated(
    folder: Path,
    grid: BlockGrid,
    planes: np.ndarray,
    channels: tuple[Channel, ...],
    options: Agglomeration | None = None,
    *,
    spacing: tuple[float, ...] | None = None,
    numbers: Iterable[int] | None = None,
) -> np.ndarray:
    """All stages; blocks in the order of ``numbers``, if that is given."""
    options, ndim = options or Agglomeration(), planes.ndim - 1
    grid = blocks.with_reach(grid, decoding.fragment_reach(channels, ndim, spacing))
    order = list(range(len(grid)) if numbers is None else numbers)

    def read(box: Any) -> np.ndarray:
        return planes[box.slices]

    def run(ledger: Ledger, make: Any) -> Ledger:
        if len(blocks.finished(ledger)) < len(ledger.grid):
            blocks.run_blocks(ledger, order, make(ledger))
        return ledger

    find = finder(grid, planes, channels, options, spacing)
    created = run(
        blocks.open_creation(folder / "creation", grid, {}),
        lambda one: blocks.fragments_work(one, read, find, background=options.fill_holes),
    )
    compared = run(
        blocks.open_contacts(folder / "contacts", created, {}),
        lambda one: blocks.contacts_work(one, created, compare=blocks.shared_voxels),
    )
    unit = (1.0,) * ndim
    numbered = run(
        blocks.open_labels(
            folder / "fragments",
            created,
            compared,
            {},
            target=None,
            spacing=unit,
            stage="fragments",
        ),
        lambda one: blocks.labels_work(one, created),
    )
    offsets = decoding.near_offsets(channels, ndim, spacing)
    edges = functools.partial(decoding.affinity_edges, channels=channels, spacing=spacing)
    graph = run(
        blocks.open_graph(folder / "graph", created, numbered, {}),
        lambda one: blocks.graph_work(
            one,
            numbered,
            read,
            lambda part: edges(part)[0],
            offsets,
            histogram=options.score == "quantile",
        ),
    )
    ledger = run(
        blocks.open_joined(
            folder / "labels",
            graph,
            {},
            target=folder / "final" / "labels.zarr",
            spacing=unit,
            join=decoding.join_options(options, ndim),
            min_size=options.min_size,
        ),
        lambda one: blocks.joined_work(one, numbered),
    )
    blocks.publish(ledger)
    return blockwise.labels_of(ledger)


def finder(
    grid: BlockGrid,
    planes: np.ndarray,
    channels: tuple[Channel, ...],
    options: Agglomeration,
    spacing: tuple[float, ...] | None,
) -> Any:
    """Planes of a block to pointers, with the thresholds of the volume."""

    def parts() -> Any:
        for block in grid:
            yield planes[block.read.slices], block.core.relative_to(block.read.start).slices

    chosen = decoding.mask_plan(
        channels, ndim=planes.ndim - 1, spacing=spacing, threshold=options.threshold
    )
    final = decoding.settled(chosen, decoding.settle(chosen, parts))
    return functools.partial(
        decoding.fragment_ascents,
        channels=channels,
        criteria=None if final is None else final.growth,
        spacing=spacing,
        options=options,
    )
