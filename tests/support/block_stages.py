"""Every stage by blocks of a small drawn image, for tests that break it and run it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxseg.workflows.blocks import predict_by_blocks

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Blocks, Config
from jaxseg.data import Sample
from jaxseg.normalize import Stats
from jaxseg.prediction import Tiling
from jaxseg.runs.manifest import Run
from jaxseg.volume import Volume
from support import blockwise

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
    return Sample(Volume(values, "yxc", (1.0, 1.0), "im"), None, Stats((), ()), "im", None)  # type: ignore[arg-type]


def forward(tiles: np.ndarray) -> np.ndarray:
    """In place of a network: the tiles, and the sum about every voxel."""
    time.sleep(PAUSE[0])
    near = [np.roll(tiles, step, axis) for axis in (1, 2) for step in (-1, 0, 1)]
    return np.concatenate([tiles, sum(near)], axis=-1)


def predict(
    folder: Path, config: Config = WIDE, forward: Callable[[np.ndarray], np.ndarray] = forward
) -> bool:
    """Prediction of the blocks of a job; whether that completed it."""
    return predict_by_blocks(
        config,
        Run(folder, "run"),
        sample(),
        forward,
        TILING,
        prepare=lambda block: block,
        values={"digest": "1"},
        target=folder / "final" / "im.zarr",
        names=("a", "b"),
    )


def classes(folder: Path) -> None:
    """The class of every voxel."""
    ledger = blocks.open_classes(
        folder / "classes", GRID, {"a": 1}, target=folder / "final" / "im.zarr", spacing=(1.0, 1.0)
    )
    if len(blocks.finished(ledger)) < len(GRID):
        work = blocks.classes_work(ledger, lambda box: decode(labels()[box.slices]))
        blocks.run_blocks(ledger, range(len(GRID)), work)
    blocks.publish(ledger)


def instances(folder: Path) -> None:
    """The objects."""
    blockwise.instances(folder, GRID, labels(), decode)


def measurements(folder: Path) -> None:
    """The objects, their measurements as a table, and their labels once more as TIFF."""
    final, found = folder / "final", blockwise.create(folder, GRID, labels(), decode)
    merged: Ledger = blockwise.merge(folder, found)
    ledger = blocks.open_measurements(folder / "measurements", merged, {"a": 1})
    source, ones = labels(), np.ones((*GRID.shape, 1), np.float32)
    work = blocks.measuring_work(
        ledger,
        lambda box: decode(source[box.slices]),
        lambda box: ones[box.slices],
        spacing=(1.0, 1.0),
    )
    blocks.run_blocks(ledger, range(len(GRID)), work)
    if not (final / "table.csv").exists():
        table = blocks.measurements(ledger, channels=1, spacing=(1.0, 1.0))
        io.write_csv(final / "table.csv", table)
    if not (final / "labels.tif").exists():
        found_labels = blockwise.labels_of(merged)
        io.write_labels_tiff(final / "labels.tif", found_labels, spacing=(1.0, 1.0), shared=True)


def objects(folder: Path) -> None:
    """The objects measured, changed, the first removed, and counted."""
    every, spacing = range(len(GRID)), (1.0, 1.0)
    merged = blockwise.merge(folder, blockwise.create(folder, GRID, labels(), decode))
    nothing = np.ones((*GRID.shape, 1), np.float32)
    where = blocks.open_measurements(folder / "measurements", merged, {})
    measure = blocks.measuring_work(
        where, lambda box: labels()[box.slices], lambda box: nothing[box.slices], spacing=spacing
    )
    blocks.run_blocks(where, every, measure)
    filled = blocks.open_objects(
        folder / "filled", "filled", merged, {}, lambda: blocks.extents(where)._asdict(),
        spacing=spacing,
    )  # fmt: skip
    known = blocks.Extents(**blocks.known_of(filled))
    fill = blocks.around_objects(blocks.open_data(merged), known, decode)
    blocks.run_blocks(filled, every, blocks.objects_work(filled, fill))
    table = np.arange(len(known.ids) + 1, dtype=np.uint16)
    table[1] = 0
    ledger = blocks.open_objects(
        folder / "removed", "removed", filled, {}, lambda: {"table": table}, spacing=spacing,
        target=folder / "final" / "objects.zarr",
    )  # fmt: skip
    if len(blocks.finished(ledger)) < len(GRID):
        rename = blocks.renamed(blocks.open_data(filled), blocks.known_of(ledger)["table"])
        blocks.run_blocks(ledger, every, blocks.objects_work(ledger, rename))
    blocks.publish(ledger)
    counted = blocks.open_tallies(folder / "counted", "counted", GRID, {})
    source = blocks.open_data(ledger)
    blocks.run_blocks(counted, every, blocks.tally_work(counted, lambda box: [source[box.slices]]))
    found = blocks.tallied(counted)
    io.write_arrays(folder / "final" / "counts", {"voxels": found.voxels})


STAGES: Mapping[str, Callable[[Path], object]] = {
    "predict": predict,
    "classes": classes,
    "instances": instances,
    "measurements": measurements,
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
