"""Every stage by blocks of a small drawn image, for tests that break it and run it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks import Block, BlockGrid, Ledger
from jaxseg.blocks.stage import Arrays, Made, Output, Results, Stage
from jaxseg.config import Blocks, Config
from jaxseg.data import Sample
from jaxseg.normalize import Stats
from jaxseg.prediction import Tiling
from jaxseg.runs.executor import run_by_blocks
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.needs import Plan
from jaxseg.stages.changes import Operation, WholeObjects, changed, like, operated, renamed, without
from jaxseg.stages.counting import counted, tallied
from jaxseg.stages.extents import extents
from jaxseg.stages.measuring import measurement_table, measurements
from jaxseg.stages.predicting import streamed
from jaxseg.volume import Volume
from support import blockwise
from support.stages import by_blocks

GRID = BlockGrid((12, 14), (6, 7), (4, 4), (2, 2))
# Of the prediction: several layers of blocks, and tiles that fit no block.
WIDE = Config(ndim=2, blocks=Blocks(size=(6, 7), halo=(4, 4), band=2))
TILING = Tiling((8, 10), (1, 1), (2, 2), (1, 1), 2)
# Seconds that a block or a call of the network takes, as a real one does.
PAUSE = [0.0]


def labels(shape: tuple[int, ...] = GRID.shape) -> np.ndarray:
    """Rectangles of 3 by 4, one voxel apart."""
    found = np.zeros(shape, np.int64)
    for number, (y, x) in enumerate(np.ndindex((shape[0] + 1) // 4, (shape[1] + 1) // 5)):
        found[4 * y : 4 * y + 3, 5 * x : 5 * x + 4] = number + 1
    return found


def decode(box: np.ndarray) -> np.ndarray:
    """The planes are labels; a network and a watershed take longer."""
    time.sleep(PAUSE[0])
    return box


def sample() -> Sample:
    """An image of noise, without labels."""
    values = np.random.default_rng(0).random((24, 28, 1), np.float32)
    return Sample(Volume(values, "yxc", (1.0, 1.0), "im"), {}, Stats((), ()), "im", None)  # type: ignore[arg-type]


def forward(tiles: np.ndarray) -> np.ndarray:
    """In place of a network: the tiles, and the sum about every voxel."""
    time.sleep(PAUSE[0])
    near = [np.roll(tiles, step, axis) for axis in (1, 2) for step in (-1, 0, 1)]
    return np.concatenate([tiles, sum(near)], axis=-1)


def predict(
    folder: Path, config: Config = WIDE, forward: Callable[[np.ndarray], np.ndarray] = forward
) -> bool:
    """Prediction of the blocks of a job; whether that completed it."""
    work = Work(config, Run(folder, "run"), sample())
    stage = streamed(work, forward, TILING, prepare=lambda block: block, values={"digest": "1"})
    output = Output(spacing=(1.0, 1.0), dtype="float32", target=folder / "final" / "im.zarr",
                    channels=("a", "b"))  # fmt: skip
    return run_by_blocks([Plan(work, (replace(stage, output=output),))], "predict")


def drawn(name: str, *needs: Stage, target: Path | None = None, **options: Any) -> Stage:
    """A stage that writes what ``decode`` makes of the drawn labels."""

    def work(block: Block, results: Results, known: Arrays) -> Made:
        return Made(decode(labels()[block.core.slices]))

    output = Output(spacing=(1.0, 1.0), dtype=np.uint8, target=target)
    return Stage(name=name, phase="drawn", grid=GRID, needs=needs, work=work, output=output,
                 **options)  # fmt: skip


def classes(folder: Path) -> None:
    """The class of every voxel."""
    by_blocks(folder, drawn("classes", target=folder / "final" / "im.zarr", values={"a": 1}))


def instances(folder: Path) -> None:
    """The objects."""
    blockwise.instances(folder, GRID, labels(), decode)


def image() -> Volume:
    """Ones, which take as long to read as a block to decode."""

    class Slow:
        shape, dtype = (*GRID.shape, 1), np.float32

        def __getitem__(self, index: Any) -> np.ndarray:
            return decode(np.ones(self.shape, np.float32)[index])

    return Volume(Slow(), "yxc", (1.0, 1.0), "im")


def merged(folder: Path) -> tuple[Ledger, Stage]:
    """The objects, and the stage that wrote them."""
    found = blockwise.merge(folder, blockwise.create(folder, GRID, labels(), decode))
    return found, drawn(found.stage)


def measurements_of_objects(folder: Path) -> None:
    """The objects, their measurements as a table, and their labels once more as TIFF."""
    final = folder / "final"
    ledger, stage = merged(folder)
    where = measurements(stage, image(), GRID)
    found = by_blocks(folder, where, given=ledger)
    if not (final / "table.csv").exists():
        io.write_csv(final / "table.csv", measurement_table(found, where, image()))
    if not (final / "labels.tif").exists():
        found_labels = blockwise.labels_of(ledger)
        io.write_labels_tiff(final / "labels.tif", found_labels, spacing=(1.0, 1.0), shared=True)


def objects(folder: Path) -> None:
    """The objects measured, changed, the first removed, and counted."""
    ledger, stage = merged(folder)
    where = measurements(stage, image(), GRID)
    fill = Operation(decode, WholeObjects(), {})
    filled = operated(stage, fill, GRID, where, name="filled", output=like(stage, (1.0, 1.0)))

    def first(results: Results) -> Arrays:
        found = extents(results[where], where)
        return {"table": without(found.ids, found.ids[:1])}

    target = folder / "final" / "objects.zarr"
    removed = changed(filled, GRID, renamed(filled), name="removed", needs=(where,),
                      summarise=first, output=like(filled, (1.0, 1.0), target=target))  # fmt: skip
    counts = counted("counted", GRID, lambda box, results, known: [
        results[removed].array[box.slices]], phase="drawn", needs=(removed,))  # fmt: skip
    found = tallied(by_blocks(folder, counts, given=ledger), counts)
    io.write_arrays(folder / "final" / "counts", {"voxels": found.voxels})


STAGES: Mapping[str, Callable[[Path], object]] = {
    "predict": predict,
    "classes": classes,
    "instances": instances,
    "measurements": measurements_of_objects,
    "objects": objects,
}


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files below a folder that are under their final names."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = ((path, str(path.relative_to(folder))) for path in files)
    return {name: path.read_bytes() for path, name in names if ".partial" not in name}


def check_published(folder: Path, expected: Mapping[str, bytes]) -> None:
    """What is under a final name is complete and what it should be, however the run ended."""
    final = folder / "final"
    published = {path.name for path in final.iterdir()} if final.is_dir() else set()
    wanted = {name: data for name, data in expected.items() if name.split("/")[0] in published}
    assert contents(final) == wanted


def markers(folder: Path) -> dict[str, int]:
    """When every block was marked."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("done/*/*.json")}
