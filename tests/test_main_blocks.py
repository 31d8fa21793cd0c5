"""Runs by blocks from the command line: the same planes and objects as in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
import tifffile
from blockwise import canonical
from test_main import CONFIG, write

from jaxseg import io, status, verify
from jaxseg.main import main

SHAPE = (20, 28, 30)
# A network that learned little makes objects of any size: only a halo as large as the image holds
# them all.
BLOCKS = ["--blocks.size", "8", "16", "16", "--blocks.halo", "20", "28", "30"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """A run in memory, and the command line of others with its network."""
    jax.config.update("jax_disable_most_optimizations", True)
    root = tmp_path_factory.mktemp("blocks")
    write(root / "data", SHAPE)
    for kind in ("raw", "labels"):
        (root / "data/test" / kind / "im5.tif").unlink()
    text = CONFIG.format(
        ndim=3,
        channels="(ch('F'), ch('C'), ch('Db'))",
        task="instances",
        patch=(8, 16, 16),
        out=str(root / "out"),
        root=str(root / "data"),
    )
    (root / "config.py").write_text(text.replace("epochs=2", "epochs=3"))
    args = ["--config", str(root / "config.py")]
    assert main(args) == 0
    network = ["--predict.checkpoint", str(root / "out/discs/checkpoints/discs_1")]
    yield root / "out/discs/results", [*args, *network, *BLOCKS]
    jax.config.update("jax_disable_most_optimizations", False)


def planes(results: Path, name: str) -> np.ndarray:
    return io.open_image(results / "per_image" / f"{name}.zarr", ndim=3).array()


def labels(results: Path, name: str) -> np.ndarray:
    return io.open_labels(results / "per_image_instances" / f"{name}.zarr", ndim=3).array()


def state(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_by_blocks_equals_one_in_memory(trained, capsys) -> None:
    results, args = trained
    run = [*args, "--run", "2", "--blocks.tiff", "--phases", "predict", "decode", "evaluate"]
    assert main(run) == 0
    for name in ("im4",):
        assert np.array_equal(planes(results / "discs_2", name), planes(results / "discs_1", name))
        found = labels(results / "discs_2", name)
        assert np.array_equal(found, canonical(labels(results / "discs_1", name)))
        exported = tifffile.imread(results / "discs_2/per_image_instances" / f"{name}.tif")
        assert np.array_equal(exported, found)
    assert (results / "discs_2/test_results_metrics.csv").exists()
    before = state(results / "discs_2")
    assert main([arg for arg in run if arg != "evaluate"]) == 0
    assert state(results / "discs_2") == before
    assert status.main([str(results / "discs_2")]) == 0
    assert verify.main([str(results / "discs_2")]) == 0
    assert "12 of 12 finished blocks are whole" in capsys.readouterr().out


def test_several_jobs_in_any_order_equal_one(trained, capsys) -> None:
    results, args = trained
    args = [*args, "--run", "3"]
    for job in (["--blocks.z_start", "11"], ["--blocks.z_end", "11"]):
        assert main([*args, "--phases", "instance_creation"]) == 2
        assert "not predicted, or not by all jobs" in capsys.readouterr().err
        assert main([*args, "--phases", "predict", *job]) == 0
    creation = [*args, "--phases", "instance_creation"]
    assert main([*creation, "--blocks.shard", "2/3"]) == 0
    merging = [*args, "--phases", "instance_merging"]
    assert main(merging) == 2
    assert "8 of 12 blocks are missing" in capsys.readouterr().err
    assert main([*creation, "--blocks.shard", "0/3"]) == 0
    assert main([*creation, "--blocks.shard", "1/3"]) == 0
    assert main([*merging, "--blocks.shard", "1/2"]) == 75
    assert "other jobs have not compared" in capsys.readouterr().err
    for shard in ("0/2", "1/2"):
        assert main([*merging, "--blocks.shard", shard]) == 0
    for name in ("im4",):
        assert np.array_equal(planes(results / "discs_3", name), planes(results / "discs_1", name))
        assert np.array_equal(
            labels(results / "discs_3", name), canonical(labels(results / "discs_1", name))
        )


def test_other_values_are_refused_phase_by_phase(trained, capsys) -> None:
    args = [*trained[1], "--run", "4"]
    assert main([*args, "--phases", "predict", "instance_creation"]) == 0
    assert main([*args, "--phases", "instance_creation", "--watershed.min_seed", "3"]) == 2
    assert "differs in watershed.min_seed" in capsys.readouterr().err
    # What merging alone reads may change without doing the rest again.
    assert main([*args, "--phases", "instance_creation", "--watershed.min_size", "3"]) == 0
    halo = ["--blocks.halo", "8", "12", "12"]
    assert main([*args, "--phases", "instance_creation", *halo]) == 2
    assert "blocks.halo" in capsys.readouterr().err
    assert main([*args, "--phases", "instance_creation", "--blocks.size"]) == 2
    assert "blocks.size" in capsys.readouterr().err


def test_memory_and_blocks_do_not_mix(trained, capsys) -> None:
    _, args = trained
    assert main([*args, "--run", "1", "--phases", "instance_creation"]) == 2
    assert "by blocks or in memory, not both" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--blocks.shard", "3/3"], "i/n with i from 0"),
        (["--blocks.z_start", "5", "--blocks.z_end", "5"], "an empty range"),
        (["--blocks.z_start", "-2"], "at least 0, or -1"),
        (["--blocks.z_end", "0"], "at least 1, or -1"),
        (["--blocks.merge_threshold", "1"], "at least 0 and below 1"),
        (["--blocks.shard", "0/2", "--phases", "train", "predict"], "only a part of the work"),
        (["--blocks.shard", "0/2", "--phases", "decode"], "only a part of the work"),
        (["--blocks.size", "8", "8"], "3 values"),
        (["--blocks.band", "0"], "at least 1"),
        (["--phases", "decode", "instance_merging"], "decode is instance_creation"),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(trained, capsys, options, message) -> None:
    assert main([*trained[1], "--run", "5", *options]) == 2
    assert message in capsys.readouterr().err


def test_contours_alone_are_refused(tmp_path: Path, capsys) -> None:
    write(tmp_path / "data", SHAPE)
    text = CONFIG.format(
        ndim=3,
        channels="(ch('C'),)",
        task="instances",
        patch=(8, 16, 16),
        out=str(tmp_path / "out"),
        root=str(tmp_path / "data"),
    )
    (tmp_path / "config.py").write_text(text)
    assert main(["--config", str(tmp_path / "config.py"), *BLOCKS]) == 2
    assert "contours alone" in capsys.readouterr().err
