"""A run before it is made: what it says it needs, and that it leaves nothing behind."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tifffile
from support.small_runs import command, write

from jaxseg import blocks, memory
from jaxseg.blocks import BlockGrid, BlockSink
from jaxseg.channels import columns
from jaxseg.cli.options import parse
from jaxseg.config import Config
from jaxseg.config.load import load
from jaxseg.main import main
from jaxseg.memory import Need
from jaxseg.network import network
from jaxseg.normalize import Stats
from jaxseg.planning import text
from jaxseg.planning.compiled import Costs, _seconds, costs
from jaxseg.planning.space import Store, refuse_without_space, space_needed
from jaxseg.prediction import predict
from jaxseg.prediction.foreign import Predictor
from jaxseg.prediction.sight import sight_of
from jaxseg.runs.layout import Work
from jaxseg.runs.manifest import run_of
from jaxseg.stages.contacts import ends_bytes
from jaxseg.stages.planes import predicted
from jaxseg.tasks import checked, phases_of

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]

BLOCKS = ["--blocks.size", "8", "16", "16", "--blocks.halo", "4", "4", "4"]


def written(root: Path, shape: tuple[int, ...], patch: tuple[int, ...]) -> list[str]:
    """The command line for three small images to learn from and two to predict."""
    write(root / "data", shape)
    return command(root, ndim=len(shape), patch=patch)


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    """The command line for small volumes."""
    return written(tmp_path, (20, 28, 30), (8, 16, 16))


# ---- the command line --------------------------------------------------------------------------


TOLD = {
    "train": (
        "batch 4 x patch 16 x 16",
        "2 epochs of 2 steps, one step measured",
        "from batches 4 and 8, by a straight line",
    ),
    "predict": ("8 x 8 x 8 ", "4 orientations", "im4: 9 blocks, 3 x 3 of them", "planes"),
    "decode": ("pieces of objects", "are free"),
}


@pytest.mark.parametrize(
    "phases", [("predict", "decode"), pytest.param(tuple(TOLD), marks=pytest.mark.slow)]
)
def test_a_dry_run_tells_everything_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    phases: tuple[str, ...],
) -> None:
    args = [*written(tmp_path, (48, 40), (16, 16)), "--blocks.size", "16", "16"]
    monkeypatch.setattr("jaxseg.planning.compiled.QUICK_SECONDS", 0)
    monkeypatch.setattr("jaxseg.planning.predictor_of", limited(8, 0))
    assert main([*args, "--phases", *phases, "--predict.tta", "flips", "--dry-run"]) == 0
    assert not (tmp_path / "out").exists()
    said = capsys.readouterr().out
    assert all(part in said for phase in phases for part in TOLD[phase])
    assert "WARNING" not in said


def test_mistakes_are_those_of_the_run(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/train/labels/im2.tif").unlink()
    assert main([*project, "--patch", "8", "16", "17", "--dry-run"]) == 2
    message = capsys.readouterr().err
    assert "im2" in message
    assert "patch" in message
    (tmp_path / "data/train/labels/im2.tif").touch()
    assert main([*project, "--phases", "predict", "--dry-run"]) == 5
    assert "no trained network" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ---- compiled functions ------------------------------------------------------------------------


def test_memory_that_runs_out_after_all_is_no_error() -> None:
    def call(compiled: Any) -> None:
        raise jax.errors.JaxRuntimeError(message)

    message = "RESOURCE_EXHAUSTED: out of memory"
    assert math.isnan(_seconds(call, None))
    message = "INTERNAL: broken"
    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        _seconds(call, None)


def compiled_costs(batch: int, devices: int) -> tuple[Costs, list[Any]]:
    """Of a function that holds 64 KiB for every sample."""
    mesh, calls = jax.make_mesh((devices,), ("data",)), []
    split = jax.NamedSharding(mesh, jax.P("data"))

    def lower(size: int) -> Any:
        shape = jax.ShapeDtypeStruct((size, 64, 128), jnp.float32, sharding=split)
        return jax.jit(lambda x: x @ x.mT).lower(shape)

    return costs(lower, calls.append, batch=batch, mesh=mesh), calls


@pytest.mark.parametrize(("batch", "devices"), [(1, 1), (6, 2), (2, 2)])
def test_the_largest_batch_fits_and_one_more_does_not(
    monkeypatch: pytest.MonkeyPatch, batch: int, devices: int
) -> None:
    monkeypatch.setattr(memory, "limit_of", lambda _: 10 * 2**18)
    found, calls = compiled_costs(batch, devices)
    # A sample is 32 KiB of input and 16 KiB of output.
    assert found.most == devices * (10 * 2**18 // (48 * 2**10))
    assert found.basis.endswith("compiled")
    assert len(calls) == 2
    assert found.seconds >= 0


def test_what_does_not_fit_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limit_of", lambda _: 100)
    found, calls = compiled_costs(4, 1)
    assert not calls
    assert math.isnan(found.seconds)
    assert found.most == 0
    assert "not even one sample per device" in "\n".join(text._memory(found, "--b", beside=0))


def test_a_batch_that_is_too_large_is_warned_of() -> None:
    need = Need(2**20, 2**20, 2**30, 0)
    found = Costs(8, 1, "gpu", need, need.total, 2**29, 2, "a straight line", math.nan)
    said = "\n".join(text._memory(found, "--train.batch", beside=0))
    assert "the batch of 8 does not fit" in said
    assert "--train.batch 2" in said
    assert "gpu devices of 512 MiB" in said


# ---- the disk ----------------------------------------------------------------------------------


def stored(folder: Path) -> tuple[int, int]:
    """Bytes of all files, and the number of files and folders."""
    every = list(folder.rglob("*"))
    return sum(path.stat().st_size for path in every if path.is_file()), len(every)


def test_planes_take_the_room_that_was_told(
    project: list[str], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Random planes, which cannot be compressed."""
    config = parse([*BLOCKS, "--phases", "predict"], load(project[1]))
    samples = {"test": checked(config)["test"][:1]}
    run, shape = run_of(config), samples["test"][0].image.spatial_shape
    (told,) = space_needed(config, run, samples, phases_of(config))
    folder = run.results / "blocks/predict/im4"
    names = columns(config.channels, 3).names
    ledger = blocks.open_stage(predicted(Work(config, run, samples["test"][0])), folder, {})
    image = rng.random((*shape, len(names)), np.float32)
    predict(lambda tiles: tiles, image, BlockSink(ledger, range(8)), tile=(8, 8, 8))
    (rest,) = space_needed(config, run, samples, phases_of(config))
    assert rest.bytes == pytest.approx(told.bytes / 3, abs=1)
    predict(lambda tiles: tiles, image, BlockSink(ledger, range(8, 12)), tile=(8, 8, 8))
    size, files = stored(folder)
    assert told.bytes == pytest.approx(size, rel=0.2)
    assert told.files == pytest.approx(files, rel=0.5)
    assert told.least == told.bytes
    assert space_needed(config, run, samples, phases_of(config))[0].bytes == 0


def test_the_ends_of_blocks_are_counted() -> None:
    grid = BlockGrid((20, 30, 31), (10, 10, 10), (4, 4, 4), (2, 3, 2))
    every = sum(
        4 * grid.slab(block, axis, side).size
        for block in grid
        for axis in range(3)
        for side in (-1, 1)
        if 0 <= block.index[axis] + side < grid.count[axis]
    )
    assert ends_bytes(grid) == pytest.approx(every, rel=0.1)


def full(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))


def test_a_run_that_the_disk_cannot_hold_is_refused_before_it_begins(
    project: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    full(monkeypatch, 2**18)
    assert main([*project, *BLOCKS]) == 4
    message = capsys.readouterr().err
    assert re.search(r"expected at least \d\d\d KiB free; found 256 KiB", message)
    assert len(message.splitlines()) == 3
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_labels_need_less_than_their_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    full(monkeypatch, 2**20)
    refuse_without_space([Store("labels", 2**22, 3, packs=True)], tmp_path)
    with pytest.raises(Exception, match="will not fit"):
        refuse_without_space([Store("planes", 2**22, 3, packs=False)], tmp_path)


# ---- a device that is too small ----------------------------------------------------------------


class Limited:
    """A network without parameters on a device that holds so many tiles, from some call on."""

    def __init__(self, room: int, calls: int) -> None:
        self.room, self.calls = room, calls

    def __call__(self, tiles: Any) -> Any:
        self.calls -= 1
        if self.calls < 0 and len(tiles) > self.room:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
        inside = jax.nn.sigmoid(20 * tiles - 10)
        return jnp.concatenate([inside, 0.01 * inside, inside], axis=-1)


def limited(room: int, calls: int) -> Callable[..., Predictor]:
    """What finds such a network."""

    def predictor(config: Config, run: Any, samples: Any) -> Predictor:
        model = network(config, dtype="float32")
        stats = Stats((100.0,), (0.01,))
        sight = sight_of(model, 1)
        return Predictor(Limited(room, calls), lambda sample: stats, sight, "digest")

    return predictor


@pytest.mark.slow
def test_a_device_that_is_too_small_changes_no_object(
    project: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the call at which its memory runs out; at last it refuses with a tile to try."""
    tiles = ["--predict.tile", "8", "16", "16", "--predict.halo", "2", "4", "4"]
    args = [*project, *tiles, "--predict.batch", "8", "--phases", "predict", "decode"]

    def labels(run: str, room: int, calls: int) -> np.ndarray:
        monkeypatch.setattr("jaxseg.workflows.predictor_of", limited(room, calls))
        assert main([*args, "--run", run]) == 0
        results = tmp_path / f"out/discs/results/discs_{run}"
        return tifffile.imread(results / "per_image_instances/im4.tif")

    whole = labels("whole", 8, 0)
    assert whole.max() > 0
    for calls in (0, 3):
        with pytest.warns(RuntimeWarning, match="4 instead of 8 tiles per call"):
            assert np.array_equal(labels(f"call{calls}", 4, calls), whole)
    monkeypatch.setattr("jaxseg.workflows.predictor_of", limited(0, 1))
    with pytest.warns(RuntimeWarning, match="tiles per call"):
        assert main([*args, "--run", "none"]) == 4
    message = capsys.readouterr().err
    assert "a smaller tile, such as" in message
    assert "Traceback" not in message
