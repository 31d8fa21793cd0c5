"""Sliding-window prediction: voxels per second, time outside the network, memory.

    python benchmarks/bench_predict.py [--rounds 3] [--side 224]
    python benchmarks/bench_predict.py --volume 64 512 512 [--tile 64 128 128]
    python benchmarks/bench_predict.py --volume 64 512 512 --precision bfloat16   # on a GPU

Each round runs, in turn and on the same data: the network alone on as many batches as the image
needs, our prediction from and into Zarr, and MONAI's sliding window with the same network, tile
and overlap on arrays in memory: around our network, and around the same network of BiaPy in
PyTorch, as MONAI's users run it, on the GPU if there is one (each skipped where its packages are
not installed). ``outside`` is the part of the time that the network alone does not explain;
``host CPU`` is the processor time of the same
prediction with a network that costs nothing, as a part of that of the prediction: it is the figure
to trust on a machine that others use. ``peak`` is the highest resident memory above the start.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

# As the command line does with compiled kernels: one device with all cores.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

import jax
import numpy as np
import peer_networks
import zarr

from jaxseg import models, runtime
from jaxseg.config import UNet
from jaxseg.geometry import TileGrid
from jaxseg.prediction import choose_tile, chunk_shape, make_forward, predict
from jaxseg.prediction.sight import sight_of

PLANES = 3
NETWORK = UNet(features=(16, 32, 64))
# What a volume is cut for, and the window of MONAI, which overlaps by an eighth.
PATCH, WINDOW = (32, 64, 64), (64, 128, 128)


class Case(NamedTuple):
    """One row: an image and how it is tiled."""

    name: str
    shape: tuple[int, ...]
    tile: tuple[int, ...]
    halo: tuple[int, ...]
    overlap: tuple[int, ...]
    batch: int
    window: tuple[int, ...] = ()
    """Of MONAI, where ours sees the image in one pass; it overlaps by an eighth there."""


class Cost(NamedTuple):
    """What a run took."""

    seconds: float
    cpu: float
    peak: float


def cases(side: int) -> tuple[Case, ...]:
    return (
        Case("2D at once", (5 * side,) * 2, (5 * side,) * 2, (0, 0), (0, 0), 1, (256, 256)),
        Case("2D", (5 * side, 5 * side), (256, 256), (32, 32), (16, 16), 4),
        Case("3D", (40, side, side), (32, 96, 96), (4, 8, 8), (4, 8, 8), 2),
        Case("3D no halo", (40, side, side), (32, 96, 96), (0, 0, 0), (8, 24, 24), 2),
    )


def volume_case(shape: tuple[int, ...], tile: tuple[int, ...]) -> Case:
    """A volume in these tiles, or as it is cut by default with a halo of the receptive radius."""
    if tile:
        return Case("volume", shape, tile, (0, 16, 16), (0, 16, 16), 4)
    model = models.build(NETWORK, PLANES, 3)
    sight = sight_of(model, 1, model.halo)
    tiling = choose_tile(
        shape,
        PATCH,
        reach=sight.halo,
        stride=sight.stride,
        max_voxels=sight.most,
        open_ends=True,
        context=sight.context,
    )
    return Case("volume", shape, tiling.tile, tiling.halo, tiling.overlap, 1, WINDOW)


def measured(function: Callable[[], Any]) -> Cost:
    """Time, processor time, and peak memory above the start in MB (0 where Linux does not say)."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
    before = resident(status)
    start, cpu = time.perf_counter(), time.process_time()
    function()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Cost(seconds, cpu, resident(status) - before)


def resident(status: Path) -> float:
    """Highest resident memory since the last reset, MB."""
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def monai_window(case: Case, image: np.ndarray, forward: Callable[[Any], Any]) -> Any:
    """MONAI's sliding window around the same network."""
    import torch
    from monai.inferers import sliding_window_inference

    def predictor(tiles: torch.Tensor) -> torch.Tensor:
        answer = forward(np.moveaxis(tiles.numpy(), 1, -1))
        return torch.from_numpy(np.moveaxis(np.asarray(answer), -1, 1).copy())

    tensor = torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32))
    window, batch, overlap = window_of(case)
    return sliding_window_inference(
        tensor, window, batch, predictor, overlap=overlap, mode="gaussian"
    )


def window_of(case: Case) -> tuple[tuple[int, ...], int, list[float]]:
    """Window, batch and overlap of MONAI, as a part of the window."""
    if case.window:
        return case.window, 4, [1 / 8] * len(case.window)
    overlap = [o / t for o, t in zip(case.overlap, case.tile, strict=True)]
    return case.tile, case.batch, overlap


def torch_window(case: Case, image: np.ndarray, precision: str) -> Callable[[], Any]:
    """MONAI's sliding window around the peer's network, all on one device but what it gives."""
    import torch
    from monai.inferers import sliding_window_inference

    place = "cuda" if torch.cuda.is_available() else "cpu"
    config = peer_networks.comparable(NETWORK)
    tile, batch, overlap = window_of(case)
    network = peer_networks.peer_network(config, (*tile, 1)).to(place).eval()

    def window() -> Any:
        tensor = torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32)).to(place)
        half = torch.autocast(place, torch.bfloat16, enabled=precision == "bfloat16")
        with torch.no_grad(), half:
            return sliding_window_inference(
                tensor, tile, batch, network, overlap=overlap, mode="gaussian"
            ).cpu()

    return window


def bench(case: Case, rounds: int, folder: Path, precision: str) -> None:
    ndim = len(case.shape)
    model = models.build(NETWORK, PLANES, ndim, dtype=precision)
    grid = TileGrid(case.shape, case.tile, case.halo, case.overlap, model.stride)
    devices = jax.device_count()
    mesh = jax.make_mesh((devices,), ("data",))
    batch = -(-case.batch // devices) * devices
    tiles = np.random.default_rng(0).random((batch, *case.tile, 1), np.float32)
    forward = make_forward(
        model, model.init(jax.random.key(0), tiles[:1]), jax.nn.sigmoid, mesh=mesh
    )
    free = np.asarray(forward(tiles))

    image = np.random.default_rng(0).integers(0, 256, (*case.shape, 1)).astype(np.uint8)
    source = zarr.create_array(folder / "image.zarr", data=image, chunks=(*grid.tile, 1))
    target = zarr.create_array(
        folder / "planes.zarr",
        shape=(*case.shape, PLANES),
        chunks=(*chunk_shape(grid), PLANES),
        dtype="float32",
    )
    options: dict[str, Any] = {
        "tile": case.tile,
        "halo": case.halo,
        "overlap": case.overlap,
        "stride": model.stride,
        "batch": batch,
        "prepare": lambda block: block * np.float32(1 / 255),
    }
    calls = -(-len(grid) // batch)
    sides: dict[str, Callable[[], Any]] = {
        "network": lambda: [jax.block_until_ready(forward(tiles)) for _ in range(calls)],
        "ours": lambda: predict(forward, source, target, **options),
        "free": lambda: predict(lambda _: free, source, target, **options),
    }
    if importlib.util.find_spec("monai"):
        sides["monai"] = lambda: monai_window(case, image, forward)
        if not peer_networks.missing():
            sides["torch"] = torch_window(case, image, precision)
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            costs[name].append(measured(side))
    report(case, grid, {name: typical(runs) for name, runs in costs.items()})


def typical(runs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(values) for values in zip(*runs, strict=True)))


def report(case: Case, grid: TileGrid, cost: dict[str, Cost]) -> None:
    ours, voxels = cost["ours"], int(np.prod(case.shape))
    seen = len(grid) * int(np.prod(case.tile)) / voxels
    print(
        f"{case.name:<11}{'×'.join(map(str, case.shape)):<13}{len(grid):>5}{seen:>6.2f}"
        f"{voxels / ours.seconds / 1e6:>10.3f}{1 - cost['network'].seconds / ours.seconds:>10.1%}"
        f"{cost['free'].cpu / ours.cpu:>10.1%}{ours.peak:>9.0f}",
        end="",
    )
    for name in ("monai", "torch"):
        if name in cost:
            theirs = cost[name]
            print(f"{voxels / theirs.seconds / 1e6:>10.3f}{theirs.seconds / ours.seconds:>8.2f}"
                  f"{theirs.peak:>9.0f}", end="")  # fmt: skip
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=224, help="length of the images in y and x")
    parser.add_argument("--volume", type=int, nargs=3, help="this image in place of all cases")
    parser.add_argument("--tile", type=int, nargs=3, default=(), help="of it; as by default")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    chosen = cases(options.side)
    if options.volume:
        chosen = (volume_case(tuple(options.volume), tuple(options.tile)),)
    runtime.keep_memory()
    where = f"{jax.device_count()} {jax.devices()[0].device_kind}"
    print(f"U-Net 16-32-64, {options.precision}, {PLANES} planes, {where}")
    print(
        f"{'case':<11}{'image':<13}{'tiles':>5}{'seen':>6}{'Mvoxel/s':>10}{'outside':>10}"
        f"{'host CPU':>10}{'peak MB':>9}{'MONAI':>10}{'ratio':>8}{'peak MB':>9}"
        f"{'+ torch':>10}{'ratio':>8}{'peak MB':>9}"
    )
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            bench(case, options.rounds, Path(folder), options.precision)


if __name__ == "__main__":
    main()
