"""How each stage of the instances does one block, wherever it runs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid
from jaxseg.config import Config
from jaxseg.config.load import from_plain, to_plain
from jaxseg.config.rules.decoding import joins_fragments
from jaxseg.data import Sample, prefetch
from jaxseg.decoding import (
    Levels,
    Part,
    Plan,
    decoder_of,
    growth_mask,
    of_instances,
    plan,
    planes_of_instances,
    run_decoder,
    settle,
    settled,
    watershed_by_plan,
)
from jaxseg.geometry import Box
from jaxseg.labels.masks import morph
from jaxseg.progress import progress
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows import agglomeration
from jaxseg.workflows.blocks import ledger_of, own_blocks, read_planes, run_stage
from jaxseg.workflows.comparing import POST, compared
from jaxseg.workflows.inputs import open_data
from jaxseg.workflows.object_stages import object_stages
from jaxseg.workflows.planes import smooth_planes
from jaxseg.workflows.prediction import planes_path
from jaxseg.workflows.regions import open_region

Array = np.ndarray


def run_here_or_there(config: Config, run: Run, sample: Sample, stage: str) -> None:
    """Do this job's blocks of a stage that was begun, in threads or on a cluster."""
    ledger, title = ledger_of(run, stage, sample), f"{stage} of {sample.name}"
    if blocks.finished(ledger).issuperset(own_blocks(config, ledger.grid)):
        return
    if stage == "instance_creation":
        # Found once here, not by every process of a cluster.
        levels_of(config, run, sample)
    if not config.blocks.scheduler:
        run_stage(config, ledger, _work(config, run, sample, stage), title)
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
    return _work(config, runs.open_run(config), sample, stage)


def _creation(config: Config, run: Run, sample: Sample) -> blocks.Work:
    planes, ledger = _reader(config, run, sample), ledger_of(run, "instance_creation", sample)
    levels, region = levels_of(config, run, sample), open_region(config, sample)
    if joins_fragments(config) and levels is not None:
        return agglomeration.find_fragments(config, sample, ledger, planes, levels)
    decoder = _decoder(config, sample, levels)

    def read(box: Box) -> tuple[Array, Array | None]:
        inside = None if region is None else region.read(box.start, box.stop) > 0
        return planes(box), inside

    return blocks.creation_work(ledger, read, lambda both: decoder(*both))


def _contacts(config: Config, run: Run, sample: Sample) -> blocks.Work:
    created = ledger_of(run, "instance_creation", sample)
    ledger, threshold = ledger_of(run, "contacts", sample), config.blocks.merge_threshold
    if joins_fragments(config):
        return blocks.contacts_work(ledger, created, compare=blocks.shared_voxels)
    return blocks.contacts_work(ledger, created, threshold=threshold)


def _graph(config: Config, run: Run, sample: Sample) -> blocks.Work:
    return agglomeration.gather_contacts(config, run, sample, _reader(config, run, sample))


def _labels(config: Config, run: Run, sample: Sample) -> blocks.Work:
    if joins_fragments(config):
        return agglomeration.write_objects(run, sample)
    created = ledger_of(run, "instance_creation", sample)
    return blocks.labels_work(ledger_of(run, "instance_merging", sample), created)


def _overlaps(mark: str, config: Config, run: Run, sample: Sample) -> blocks.Work:
    images = compared(config, run, sample, mark)
    return blocks.tally_work(ledger_of(run, f"overlaps{mark}", sample), images.read)


WORK: Mapping[str, Callable[[Config, Run, Sample], blocks.Work]] = MappingProxyType(
    {
        "instance_creation": _creation,
        "contacts": _contacts,
        agglomeration.FRAGMENTS: agglomeration.number_fragments,
        agglomeration.GRAPH: _graph,
        "instance_merging": _labels,
        "overlaps": functools.partial(_overlaps, ""),
        f"overlaps{POST}": functools.partial(_overlaps, POST),
    }
)


def _work(config: Config, run: Run, sample: Sample, stage: str) -> blocks.Work:
    """The work of a stage by its name."""
    objects = {name: one.work for group in object_stages(config) for name, one in group.items()}
    return {**WORK, **objects}[stage](config, run, sample)


# -------------------------------------------------------------------------------- decoding


def _reader(
    config: Config, run: Run, sample: Sample, *, smooth: bool = True
) -> Callable[[Box], Array]:
    """How to read the planes of instances, after median filters or without them."""
    source = io.open_image(planes_path(run, sample), ndim=config.ndim)
    read = smooth_planes(config, source) if smooth else functools.partial(read_planes, source)
    return lambda box: planes_of_instances(read(box), config.channels)


def levels_of(config: Config, run: Run, sample: Sample) -> Levels | None:
    """The thresholds of the volume, found by whoever asks first; None for other decoders."""
    chosen = _plan_of(config, sample)
    if chosen is None:
        return None
    ledger = ledger_of(run, "instance_creation", sample)
    file = ledger.folder / "levels.json"
    if not file.exists():
        with progress("thresholds of the volume") as advance:

            def parts(smooth: bool = True) -> Iterator[Part]:
                read = _reader(config, run, sample, smooth=smooth)
                return _parts(ledger.grid, read, advance)

            # Filtered noise looks like objects: whether planes show any is told before.
            raw = functools.partial(parts, smooth=False)
            judged = bool(config.postprocess.filters) and not joins_fragments(config)
            noise = judged and not _show_objects(chosen, raw)
            reshape = functools.partial(_growing, config, sample, ledger.grid)
            levels = Levels(None, ()) if noise else settle(chosen, parts, reshape=reshape)
            io.write_sealed(file, levels._asdict(), shared=True)
    fix = f"remove {file} and run the same command again"
    return Levels(**io.read_sealed(file, "record of thresholds", fix=fix))


def _plan_of(config: Config, sample: Sample) -> Plan | None:
    """The plan whose thresholds are found in the volume; None for decoders without one."""
    if joins_fragments(config):
        return agglomeration.fragment_plan(config, sample)
    if decoder_of(config.channels, config.decoder) != "watershed":
        return None
    kept, spacing = of_instances(config.channels), sample.image.spacing
    return plan(kept, ndim=config.ndim, spacing=spacing, options=config.watershed)


def _growing(config: Config, sample: Sample, grid: BlockGrid, mask: Array, number: int) -> Array:
    """Where objects of a block may grow, as in :func:`jaxseg.decoding.watershed_by_plan`."""
    options, region = config.watershed, open_region(config, sample)
    mask = morph(
        mask,
        options.growth_morphology,
        spacing=sample.image.spacing,
        by_slices=options.by_slices,
    )
    if region is None:
        return mask
    box = grid[number].read
    return mask & (region.read(box.start, box.stop) > 0)


def _show_objects(chosen: Plan, parts: Callable[[], Iterator[Part]]) -> bool:
    """Whether the watershed finds any place for objects."""
    final = settled(chosen, settle(chosen, parts))
    if final is None:
        return False
    with contextlib.closing(parts()) as found:  # type: ignore[type-var]
        return any(growth_mask(planes, final.growth)[core].any() for planes, core in found)


def _decoder(
    config: Config, sample: Sample, levels: Levels | None
) -> Callable[[Array, Array | None], Array]:
    """What makes labels out of the planes of a block, and of where objects may be."""
    kept, spacing = of_instances(config.channels), sample.image.spacing
    if levels is None:
        name = decoder_of(config.channels, config.decoder)
        options = getattr(config, name)
        return lambda planes, within: (
            run_decoder(
                planes, kept, spacing=spacing, decoder=name, options=options, within=within
            ).labels
        )
    # An object may be cut by the end of a block: its size is known after merging only.
    watershed = dataclasses.replace(config.watershed, min_size=1)
    chosen = plan(kept, ndim=config.ndim, spacing=spacing, options=watershed)
    final = settled(chosen, levels)
    if final is None:
        return lambda planes, within: np.zeros(planes.shape[:-1], np.uint16)
    return lambda planes, within: (
        watershed_by_plan(planes, final, watershed, spacing=spacing, within=within).labels
    )


def _parts(
    grid: BlockGrid, planes: Callable[[Box], Array], advance: Callable[[int, int], None]
) -> Iterator[Part]:
    """The planes of every block with its halo, read ahead."""

    def read(number: int) -> Part:
        block = grid[number]
        return planes(block.read), block.core.relative_to(block.read.start).slices

    for number, part in enumerate(prefetch(read, range(len(grid)), depth=2), start=1):
        advance(number, len(grid))
        yield part
