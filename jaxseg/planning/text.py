"""A plan as text for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.memory import readable as size
from jaxseg.models.recipes import default_recipe, describe
from jaxseg.planning import BlocksPlan, NetworkPlan, Plan
from jaxseg.planning.compiled import Costs
from jaxseg.planning.prediction import PredictionPlan
from jaxseg.planning.training import TrainingPlan
from jaxseg.runtime import devices_in_words

# Longer tables of layers say less than their total.
MOST_MODULES = 40
# Python and the libraries; and these with the compiled functions themselves, as measured.
LIBRARIES, PROGRAM = 3 * 2**27, 2**30
# Compiling a network for the first time took up to this much more.
COMPILING = 3 * 2**28


def duration(seconds: float) -> str:
    """A time as a person reads it.

    >>> duration(0.25), duration(300), duration(10000), duration(10**6)
    ('0.25 s', '5 min', '2.8 h', '11.6 days')
    """
    for unit, name in ((86400, "days"), (3600, "h")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.2g} s"


def sides(numbers: Sequence[int]) -> str:
    """Lengths along each axis.

    >>> sides((32, 64, 64))
    '32 x 64 x 64'
    """
    return " x ".join(map(str, numbers))


def lines(plan: Plan, config: Config) -> Iterator[str]:
    """The lines to print."""
    yield "This is a dry run: nothing of the run is computed, and nothing is written to its folder."
    yield ""
    if plan.network:
        yield from _network(plan.network, config)
    else:
        yield "NETWORK  out of a file, which does not say what memory it needs"
        yield ""
    if plan.training:
        yield from _training(plan.training)
    if plan.prediction:
        yield from _prediction(plan.prediction)
    for blocks in plan.blocks:
        yield from _blocks(blocks, plan.phases)
    yield from _disk(plan)


def _network(plan: NetworkPlan, config: Config) -> Iterator[str]:
    yield f"NETWORK  {plan.name}, {plan.parameters:,} parameters ({size(4 * plan.parameters)});"
    yield f"  {len(plan.planes)} planes: {' '.join(plan.planes)}; for a patch {sides(config.patch)}"
    yield f"  device {devices_in_words()}"
    yield f"  arithmetic {describe(default_recipe())}"
    if plan.modules <= MOST_MODULES:
        yield from (f"  {line}" for line in plan.table.splitlines())
    yield ""


def _training(plan: TrainingPlan) -> Iterator[str]:
    yield f"TRAINING  {_images(plan.images)}"
    yield f"  validation     {_images(plan.validation)}"
    yield f"  step           batch {plan.step.batch} x patch {sides(plan.patch)}"
    yield from _memory(plan.step, "--train.batch", beside=plan.cached)
    if plan.cached:
        yield f"  images held    {size(plan.cached)} of memory (--data.cache-gib)"
    steps = f"{plan.epochs} epochs of {plan.steps} steps"
    if math.isnan(plan.step.seconds):
        yield f"  time           not measured; {steps}"
    else:
        cut = 0 < 60 * plan.minutes < plan.seconds
        limit = f", cut to {plan.minutes:g} min by --train.minutes" if cut else ""
        yield f"  time           about {duration(plan.seconds)}{limit}, without validation:"
        yield f"                 {steps}, one step measured: {duration(plan.step.seconds)}"
    yield ""


def _prediction(plan: PredictionPlan) -> Iterator[str]:
    yield f"PREDICTION  {_images(plan.images)}"
    for tiling, count in plan.tilings[:3]:
        yield (
            f"  tiles          {sides(tiling.tile)} with halo {sides(tiling.halo)}, overlap"
            f" {sides(tiling.overlap)}, {tiling.batch} per call: {_count(count, 'image')}"
        )
    if len(plan.tilings) > 3:
        yield f"                 and {len(plan.tilings) - 3} other sizes for the other images"
    if plan.guessed:
        yield "                 the halo is a guess until the training has measured it"
    yield from _memory(plan.forward, "--predict.batch", beside=plan.host)
    yield f"  on the host    {size(plan.host)} for tiles and planes on their way, at most"
    calls = f"{_count(plan.tiles, 'tile')} in {_count(plan.calls, 'call')}"
    calls += f", {plan.orientations} orientations" if plan.orientations > 1 else ""
    yield f"  computed       {plan.seen:.2f} voxels for every voxel of the planes"
    if math.isnan(plan.forward.seconds):
        yield f"  time           not measured; {calls}"
    else:
        yield f"  time           about {duration(plan.seconds)}, without reading and writing:"
        yield f"                 {calls}, one call measured: {duration(plan.forward.seconds)}"
    yield ""


def _memory(costs: Costs, option: str, *, beside: int) -> Iterator[str]:
    """The lines about the memory of a compiled function."""
    need, count = costs.need, costs.devices
    where = "on each device" if count > 1 else "on the device"
    parts = f"{size(need.arguments)} arguments, {size(need.temporaries)} temporaries,"
    parts += f" {size(need.outputs)} results" + (f", {size(need.code)} code" if need.code else "")
    yield f"  memory         {size(need.total)} {where} by XLA: {parts}"
    if costs.backend == "cpu":
        whole, free = count * costs.held + beside + PROGRAM, count * costs.limit
        there = f"{count} CPU devices" if count > 1 else "a CPU device"
        yield f"                 {there}: about {size(whole)} in all, {size(free)} are free;"
        yield f"                 up to {size(COMPILING)} more while it is compiled the first time"
    else:
        yield f"                 {costs.backend} devices of {size(costs.limit)}"
    if not costs.most:
        yield f"  WARNING        not even one sample per device fits ({costs.basis})"
        return
    yield f"  largest batch  {option} {costs.most} ({costs.basis})"
    if costs.most < costs.batch:
        yield f"  WARNING        the batch of {costs.batch} does not fit"


def _blocks(plan: BlocksPlan, phases: Sequence[str]) -> Iterator[str]:
    grid, own = plan.grid, plan.own
    yield f"BLOCKS  {plan.image}: {_count(len(grid), 'block')}, {sides(grid.count)} of them"
    yield f"  block          {sides(grid.block)} with halo {sides(grid.halo)}"
    if len(own) < len(grid):
        yield f"  this job       {_count(len(own), 'block')}, numbers {own.start} to {own.stop - 1}"
    if "instance_creation" in phases:
        yield f"  objects        about {size(plan.creation + LIBRARIES)} of memory; time not known"
    if "instance_merging" in phases:
        yield f"  merging        about {size(plan.merging + LIBRARIES)} of memory"
    yield ""


def _disk(plan: Plan) -> Iterator[str]:
    whole, least = (sum(getattr(s, name) for s in plan.stores) for name in ("bytes", "least"))
    files, (free, left) = sum(store.files for store in plan.stores), plan.free
    yield f"DISK  {plan.folder}"
    if not whole:
        yield "  nothing is left to be written"
        return
    for store in plan.stores:
        yield f"  {store.what:<18} {size(store.bytes):>10} {store.files:>12,} files and folders"
    yield (
        f"  together           {size(whole):>10} before compression, {size(free)} are free;"
        f" at least {size(least)} must be"
    )
    if least > free:
        yield "  WARNING        the run will be refused: free some space, or --out on another disk"
    elif whole > free:
        yield "  WARNING        this fits only if the labels compress as well as labels usually do"
    if 0 <= left < files:
        yield f"  WARNING        the disk has room for {left:,} files only"


def _images(samples: Sequence[Sample]) -> str:
    """How many images there are, and of which sizes and types."""
    found = sorted({sample.image.spatial_shape for sample in samples})
    types = sorted({str(np.dtype(sample.image.dtype)) for sample in samples})
    channels = sorted({sample.image.channels for sample in samples})
    extent = sides(found[0]) + (f" to {sides(found[-1])}" if len(found) > 1 else "")
    kinds = f"{' and '.join(types)}, {_count(channels[0], 'channel')}"
    return f"{_count(len(samples), 'image')} of {extent}, {kinds}"


def _count(number: int, word: str) -> str:
    """A number of things.

    >>> _count(1, "image"), _count(2000, "tile")
    ('1 image', '2,000 tiles')
    """
    return f"{number:,} {word}" + ("" if number == 1 else "s")
