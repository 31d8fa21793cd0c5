"""Images that are predicted and decoded block by block: which blocks, and where they are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.decoding import class_type
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.geometry import Box
from jaxseg.prediction import Tiling, predict
from jaxseg.progress import progress
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.signals import interruptible
from jaxseg.volume import Volume

Array = np.ndarray


def grid_of(config: Config, shape: tuple[int, ...]) -> BlockGrid:
    """The blocks of an image of so many voxels: the one grid that all phases share."""
    size = config.blocks.size
    halo = config.blocks.halo or tuple(max(1, side // 4) for side in size)
    band = tuple(min(config.blocks.band, *sides) for sides in zip(halo, size, strict=True))
    return BlockGrid(tuple(shape), size, halo, band)


def own_blocks(config: Config, grid: BlockGrid) -> range:
    """Numbers of the blocks that this job does."""
    layers = grid.layers(config.blocks.z_start, config.blocks.z_end)
    return blocks.shard_of(layers, config.blocks.shard)


def range_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """A part of the work that holds nothing of any image."""
    start, ends = config.blocks.z_start, [sample.image.spatial_shape[0] for sample in samples]
    if not config.blocks.size or start < max(ends, default=start + 1):
        return []
    return [
        ConfigError(
            "no image reaches so far",
            file="blocks.z_start",
            expected=f"below {max(ends)}",
            found=start,
        )
    ]


def stage_folder(run: Run, stage: str, sample: Sample) -> Path:
    """Where the ledger of a stage of an image is."""
    return run.stage(stage, sample.name)


def ledger_of(run: Run, stage: str, sample: Sample) -> Ledger:
    """The ledger of a stage that was begun."""
    return blocks.read_ledger(stage_folder(run, stage, sample))


def run_stage(config: Config, ledger: Ledger, work: blocks.Work, title: str) -> None:
    """Do this job's blocks of a stage."""
    with progress(title) as advance:
        blocks.run_blocks(
            ledger,
            own_blocks(config, ledger.grid),
            work,
            workers=config.blocks.workers,
            on_progress=advance,
        )


def is_complete(ledger: Ledger) -> bool:
    """Whether all blocks of all jobs are done."""
    return len(blocks.finished(ledger)) == len(ledger.grid)


def publish(ledger: Ledger, sample: Sample) -> None:
    """Give complete data of an image their final name, with coarser levels."""
    with progress(f"levels of {sample.name}") as advance:
        blocks.publish(ledger, on_progress=advance)


def version_of(source: Volume) -> dict[str, Any]:
    """What tells one version of planes or labels in a store of ours from another."""
    kind = "planes" if source.axes.endswith("c") else "labels"
    return {kind: runs.input_version(source.path)}


def read_planes(source: Volume, box: Box) -> Array:
    """A box of the planes, (*box.shape, K) float32."""
    return source.read(box.start, box.stop).astype(np.float32, copy=False)


def predict_by_blocks(
    config: Config,
    run: Run,
    sample: Sample,
    forward: Callable[[Any], Any],
    tiling: Tiling,
    *,
    prepare: Callable[[Array], Array],
    values: Mapping[str, Any],
    target: Path,
    names: tuple[str, ...],
    dtype: str = "float32",
) -> bool:
    """Predict this job's blocks of an image; whether that completed it.

    Parameters
    ----------
    forward, tiling, prepare : as for :func:`jaxseg.prediction.predict`
    values : all that decides the planes, the tiles not counted
    target : where the planes are in the end
    names, dtype : of the planes, as they are stored
    """
    sizes = {f"tiling.{name}": value for name, value in tiling._asdict().items()}
    ledger = blocks.open_planes(
        stage_folder(run, "predict", sample),
        grid_of(config, sample.image.spatial_shape),
        {**values, **sizes},
        target=target,
        spacing=sample.image.spacing,
        channel_names=names,
        dtype=dtype,
    )
    done = blocks.finished(ledger)
    waiting = [number for number in own_blocks(config, ledger.grid) if number not in done]
    for box, numbers in blocks.regions(ledger.grid, waiting, len(names)):
        with progress(f"predict {sample.name}") as advance, interruptible() as asked:
            predict(
                forward,
                sample.image,
                blocks.BlockSink(ledger, numbers),
                **tiling._asdict(),
                region=box,
                prepare=prepare,
                on_progress=_until(asked, ledger, advance),
            )
    if waiting:
        blocks.tidy(ledger)
    if is_complete(ledger):
        publish(ledger, sample)
        return True
    return False


def _until(
    asked: Callable[[], bool], ledger: Ledger, advance: Callable[[int, int], None]
) -> Callable[[int, int], None]:
    """What counts the tiles until the process is asked to stop: full blocks are kept by then."""

    def count(done: int, total: int) -> None:
        advance(done, total)
        if asked():
            raise blocks.stopped(ledger)

    return count


def classes_by_blocks(
    config: Config,
    run: Run,
    sample: Sample,
    source: Volume,
    values: Mapping[str, Any],
    path: Path,
    *,
    stage: str,
    find: Callable[[Box], Array],
) -> None:
    """Write the class of every voxel of this job's blocks.

    Parameters
    ----------
    source : the planes
    values : all that decides the classes
    path : where they are in the end
    stage : name of the folder
    find : the classes of a box
    """
    ledger = blocks.open_classes(
        stage_folder(run, stage, sample),
        grid_of(config, source.spatial_shape),
        {**values, **version_of(source)},
        target=path,
        spacing=sample.image.spacing,
        dtype=class_type(config.channels),
    )
    if not is_complete(ledger):
        run_stage(config, ledger, blocks.classes_work(ledger, find), f"classes of {sample.name}")
    if not is_complete(ledger):
        return
    publish(ledger, sample)
    export(config, sample, path)


def export(config: Config, sample: Sample, path: Path) -> None:
    """Write complete labels as TIFF, too, beside them, where asked for and unless it is there."""
    tiff = path.with_suffix(".tif")
    if config.blocks.tiff and not tiff.exists():
        labels = io.open_labels(path, ndim=config.ndim)
        io.write_labels_tiff(tiff, labels, spacing=sample.image.spacing, shared=True)
