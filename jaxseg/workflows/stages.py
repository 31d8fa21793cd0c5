"""How each stage of the instances does one block, wherever it runs."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from jaxseg import blocks, io, runs
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Config
from jaxseg.config.decoder_check import joins_fragments
from jaxseg.config.load import from_plain, to_plain
from jaxseg.data import Sample, prefetch
from jaxseg.decoding import (
    Levels,
    Plan,
    decode,
    decoder_of,
    plan,
    settle,
    settled,
    watershed_by_plan,
)
from jaxseg.progress import progress
from jaxseg.runs import Run
from jaxseg.volume import Volume
from jaxseg.workflows import agglomeration
from jaxseg.workflows.blocks import own_blocks, read_planes, run_stage, stage_folder
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.inputs import open_data
from jaxseg.workflows.prediction import planes_path

Array = np.ndarray


def ledger_of(run: Run, stage: str, sample: Sample) -> Ledger:
    """The ledger of a stage that was begun."""
    return blocks.read_ledger(stage_folder(run, stage, sample))


def run_here_or_there(config: Config, run: Run, sample: Sample, stage: str) -> None:
    """Do this job's blocks of a stage that was begun, in threads or on a cluster."""
    ledger, title = ledger_of(run, stage, sample), f"{stage} of {sample.name}"
    if blocks.finished(ledger).issuperset(own_blocks(config, ledger.grid)):
        return
    if stage == "instance_creation":
        # Found once here, not by every process of a cluster.
        levels_of(config, run, sample)
    if not config.blocks.scheduler:
        run_stage(config, ledger, WORK[stage](config, run, sample), title)
        return
    plain = to_plain(dataclasses.replace(config, phases=("instance_creation",)))
    with progress(title) as advance:
        blocks.run_on_cluster(
            ledger,
            own_blocks(config, ledger.grid),
            work_of,
            (json.dumps(plain), stage, sample.name),
            address=config.blocks.scheduler,
            on_progress=advance,
        )


def work_of(text: str, stage: str, name: str) -> blocks.Work:
    """The work of a stage in another process, which knows nothing but the configuration.

    Parameters
    ----------
    text : the configuration as JSON
    stage, name : of the stage and the image
    """
    config = from_plain(json.loads(text))
    samples, _ = open_data(config)
    sample = next(sample for sample in samples["test"] if sample.name == name)
    return WORK[stage](config, runs.open_run(config), sample)


def _creation(config: Config, run: Run, sample: Sample) -> blocks.Work:
    source = _planes(config, run, sample)
    ledger = ledger_of(run, "instance_creation", sample)
    levels = levels_of(config, run, sample)
    if joins_fragments(config) and levels is not None:
        return agglomeration.find_fragments(config, sample, ledger, source, levels)
    decoder = _decoder(config, sample, levels)
    return blocks.creation_work(ledger, functools.partial(read_planes, source), decoder)


def _contacts(config: Config, run: Run, sample: Sample) -> blocks.Work:
    created = ledger_of(run, "instance_creation", sample)
    ledger, threshold = ledger_of(run, "contacts", sample), config.blocks.merge_threshold
    if joins_fragments(config):
        return blocks.contacts_work(ledger, created, compare=blocks.shared_voxels)
    return blocks.contacts_work(ledger, created, threshold=threshold)


def _graph(config: Config, run: Run, sample: Sample) -> blocks.Work:
    return agglomeration.gather_contacts(config, run, sample, _planes(config, run, sample))


def _labels(config: Config, run: Run, sample: Sample) -> blocks.Work:
    if joins_fragments(config):
        return agglomeration.write_objects(run, sample)
    created = ledger_of(run, "instance_creation", sample)
    return blocks.labels_work(ledger_of(run, "instance_merging", sample), created)


def _measurements(config: Config, run: Run, sample: Sample) -> blocks.Work:
    labels = io.open_labels(labels_path(config, run, sample), ndim=config.ndim)
    return blocks.measuring_work(
        ledger_of(run, "measurements", sample),
        lambda box: labels.read(box.start, box.stop),
        lambda box: sample.image.read(box.start, box.stop),
        spacing=sample.image.spacing,
    )


WORK: Mapping[str, Callable[[Config, Run, Sample], blocks.Work]] = MappingProxyType(
    {
        "instance_creation": _creation,
        "contacts": _contacts,
        agglomeration.FRAGMENTS: agglomeration.number_fragments,
        agglomeration.GRAPH: _graph,
        "instance_merging": _labels,
        "measurements": _measurements,
    }
)


# -------------------------------------------------------------------------------- decoding


def _planes(config: Config, run: Run, sample: Sample) -> Volume:
    return io.open_image(planes_path(run, sample), ndim=config.ndim)


def levels_of(config: Config, run: Run, sample: Sample) -> Levels | None:
    """The thresholds of the volume, found by whoever asks first; None for other decoders."""
    chosen = _plan_of(config, sample)
    if chosen is None:
        return None
    ledger = ledger_of(run, "instance_creation", sample)
    file = ledger.folder / "levels.json"
    if not file.exists():
        with progress("thresholds of the volume") as advance:
            source = _planes(config, run, sample)
            parts = functools.partial(_parts, ledger.grid, source, advance)
            io.write_json(file, settle(chosen, parts)._asdict(), shared=True)
    return Levels(**json.loads(file.read_text()))


def _plan_of(config: Config, sample: Sample) -> Plan | None:
    """The plan whose thresholds are found in the volume; None for decoders without one."""
    if joins_fragments(config):
        return agglomeration.fragment_plan(config, sample)
    if decoder_of(config.channels, config.decoder) != "watershed":
        return None
    spacing, options = sample.image.spacing, config.watershed
    return plan(config.channels, ndim=config.ndim, spacing=spacing, options=options)


def _decoder(config: Config, sample: Sample, levels: Levels | None) -> Callable[[Array], Array]:
    """What makes labels out of the planes of a block."""
    spacing = sample.image.spacing
    if levels is None:
        name = decoder_of(config.channels, config.decoder)
        return functools.partial(
            decode,
            channels=config.channels,
            spacing=spacing,
            decoder=name,
            options=getattr(config, name),
        )
    # An object may be cut by the end of a block: its size is known after merging only.
    options = dataclasses.replace(config.watershed, min_size=1)
    chosen = plan(config.channels, ndim=config.ndim, spacing=spacing, options=options)
    final = settled(chosen, levels)
    if final is None:
        return lambda planes: np.zeros(planes.shape[:-1], np.uint16)
    return lambda planes: watershed_by_plan(planes, final, options, spacing=spacing).labels


def _parts(
    grid: BlockGrid, source: Volume, advance: Callable[[int, int], None]
) -> Iterator[tuple[Array, tuple[slice, ...]]]:
    """The planes of every block with its halo, read ahead."""

    def read(number: int) -> tuple[Array, tuple[slice, ...]]:
        block = grid[number]
        return read_planes(source, block.read), block.core.relative_to(block.read.start).slices

    for number, part in enumerate(prefetch(read, range(len(grid)), depth=2), start=1):
        advance(number, len(grid))
        yield part
