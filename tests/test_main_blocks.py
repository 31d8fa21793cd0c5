"""Runs by blocks from the command line: the same planes and objects as in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import tifffile
from blockwise import canonical
from synthetic_objects import touching_balls
from test_main import CONFIG, write

from jaxseg import data, io, runs, status, verify
from jaxseg.channels import encode
from jaxseg.config import ch
from jaxseg.config.load import load, parse
from jaxseg.decoding import watershed
from jaxseg.errors import JaxsegWarning
from jaxseg.main import main
from jaxseg.measurements import measure
from jaxseg.prediction import Tiling, predict
from jaxseg.workflows.blocks import predict_by_blocks

SHAPE = (20, 28, 30)
CHANNELS = (ch("F"), ch("C"), ch("Db"))
BLOCKS = ["--blocks.size", "8", "16", "16", "--blocks.halo", "12", "12", "12"]


@pytest.fixture(autouse=True)
def quick_compilation() -> Iterator[None]:
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    """The command line for one test image."""
    write(tmp_path / "data", SHAPE)
    for kind in ("raw", "labels"):
        (tmp_path / "data/test" / kind / "im5.tif").unlink()
    text = CONFIG.format(
        ndim=3,
        channels="(ch('F'), ch('C'), ch('Db'))",
        task="instances",
        patch=(8, 16, 16),
        out=str(tmp_path / "out"),
        root=str(tmp_path / "data"),
    )
    (tmp_path / "config.py").write_text(text)
    return ["--config", str(tmp_path / "config.py")]


@pytest.fixture
def predicted(project: list[str], tmp_path: Path) -> tuple[Path, list[str]]:
    """A run by blocks with planes that show objects, and its command line."""
    truth = touching_balls(np.random.default_rng(0), SHAPE, count=9, radii=(3, 5))
    planes = np.asarray(encode(truth, CHANNELS))
    results = tmp_path / "out/discs/results/discs_1"
    with io.create_planes(
        results / "per_image/im4.zarr",
        shape=planes.shape,
        chunks=(8, 8, 8, 3),
        spacing=(1.0, 1.0, 1.0),
    ) as store:
        store[...] = planes
    return results, [*project, *BLOCKS]


def planes(results: Path) -> np.ndarray:
    return io.open_image(results / "per_image/im4.zarr", ndim=3).array()


def labels(results: Path) -> np.ndarray:
    return io.open_labels(results / "per_image_instances/im4.zarr", ndim=3).array()


def state(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def test_instances_by_blocks_are_those_of_the_whole(predicted, tmp_path, capsys) -> None:
    results, args = predicted
    args = [*args, "--blocks.tiff", "--phases", "instance_creation", "instance_merging"]
    assert main([*args, "evaluate"]) == 0
    found = labels(results)
    assert found.max() > 4
    assert np.array_equal(found, canonical(watershed(planes(results), CHANNELS)))
    assert np.array_equal(tifffile.imread(results / "per_image_instances/im4.tif"), found)
    assert (results / "test_results_metrics.csv").exists()
    image = tifffile.imread(tmp_path / "data/test/raw/im4.tif")
    table = pd.read_csv(results / "per_image_instances/im4_full_stats.csv")
    pd.testing.assert_frame_equal(table, measure(found, intensity=image), check_dtype=False)
    before = state(results)
    assert main(args) == 0
    assert main([*args[:-2], "decode"]) == 0
    assert state(results) == before
    assert status.main([str(results)]) == 0
    assert verify.main([str(results)]) == 0
    assert capsys.readouterr().out.count("12 of 12 finished blocks are whole") == 5


def test_several_jobs_in_any_order_equal_one(predicted, capsys) -> None:
    results, args = predicted
    creation, merging = ([*args, "--phases", f"instance_{x}"] for x in ("creation", "merging"))
    assert main(merging) == 2
    assert "no instances were created yet" in capsys.readouterr().err
    assert main([*creation, "--blocks.shard", "2/3"]) == 0
    assert main(merging) == 2
    assert "8 of 12 blocks are missing" in capsys.readouterr().err
    assert main([*creation, "--blocks.z_start", "9"]) == 0
    assert main([*creation, "--blocks.z_end", "9"]) == 0
    assert main([*merging, "--blocks.shard", "1/2"]) == 75
    assert "other jobs have not compared" in capsys.readouterr().err
    assert main([*merging, "--blocks.shard", "0/2"]) == 75
    assert "other jobs have not written" in capsys.readouterr().err
    assert not (results / "per_image_instances").exists()
    assert main([*merging, "--blocks.shard", "1/2"]) == 0
    assert not list(results.rglob("*_full_stats.csv"))
    assert main([*merging, "--blocks.shard", "0/2"]) == 0
    assert list(results.rglob("*_full_stats.csv"))
    assert np.array_equal(labels(results), canonical(watershed(planes(results), CHANNELS)))


def test_a_halo_smaller_than_objects_is_warned_of(predicted) -> None:
    halo = ["--blocks.halo", "5", "5", "5"]
    with pytest.warns(JaxsegWarning, match=r"of \d+ pieces of objects reach the end"):
        assert main([*predicted[1], *halo, "--phases", "decode"]) == 0


def test_other_values_are_refused_phase_by_phase(predicted, capsys) -> None:
    creation = [*predicted[1], "--phases", "instance_creation"]
    assert main(creation) == 0
    assert main([*creation, "--watershed.min_seed", "3"]) == 2
    assert "differs in watershed.min_seed" in capsys.readouterr().err
    # What merging alone reads may change without doing the rest again.
    assert main([*creation, "--watershed.min_size", "3"]) == 0
    assert main([*creation, "--blocks.halo", "8", "8", "8"]) == 2
    assert "blocks.halo" in capsys.readouterr().err
    assert main([*creation, "--blocks.size"]) == 2
    assert "blocks.size" in capsys.readouterr().err
    assert main([*creation, "--watershed.min_seed", "3", "--overwrite"]) == 0


def test_memory_and_blocks_do_not_mix(predicted, project, capsys) -> None:
    results, args = predicted
    io.write_json(results / "manifests/predict.json", {"values": {}, "digest": "1"})
    assert main([*project, "--phases", "decode"]) == 0
    assert main([*args, "--phases", "decode"]) == 2
    assert "by blocks or in memory, not both" in capsys.readouterr().err
    assert main([*args, "--phases", "decode", "--overwrite"]) == 0
    assert main([*project, "--phases", "decode"]) == 2
    assert "by blocks or in memory, not both" in capsys.readouterr().err


def test_planes_by_blocks_are_those_of_the_whole(project, tmp_path: Path) -> None:
    """In two jobs, the first of which is interrupted, with tiles that fit no block."""
    args = [*BLOCKS, "--run", "2", "--phases", "predict"]
    config = parse(args, load(project[1]))
    run = runs.open_run(config)
    opened = data.open_samples(
        config.data.test, ndim=3, axes="", label_axes="", spacing=(), normalize=config.normalize
    )
    sample, tiling = opened.samples[0], Tiling((10, 12, 14), (2, 2, 2), (2, 3, 2), (2, 1, 2), 2)

    def forward(tiles):
        near = (jnp.roll(tiles, 1, axis) + jnp.roll(tiles, -1, axis) for axis in (1, 2, 3))
        return jnp.concatenate([tiles, sum(near)], axis=-1)

    def job(*part: str) -> bool:
        return predict_by_blocks(
            parse([*args, *part], load(project[1])),
            run,
            sample,
            forward,
            tiling,
            prepare=prepare,
            values={"digest": "1"},
            target=run.results / "per_image/im4.zarr",
            names=("a", "b"),
        )

    def broken(block: np.ndarray) -> np.ndarray:
        calls.append(block)
        if len(calls) == 40:
            raise KeyboardInterrupt
        return block

    calls: list[np.ndarray] = []
    prepare = broken
    with pytest.raises(KeyboardInterrupt):
        job("--blocks.z_end", "9")
    folder = run.results / "blocks/predict/im4"
    done = state(folder / "done")
    assert 0 < len(done) < 8
    prepare = lambda block: block  # noqa: E731
    assert not job("--blocks.z_end", "9")
    assert not (run.results / "per_image").exists()
    assert job("--blocks.z_start", "9")
    assert done.items() <= state(folder / "done").items()
    whole = predict(forward, sample.image, **tiling._asdict())
    assert np.array_equal(planes(run.results), whole)
    assert verify.main([str(run.results)]) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same(predicted) -> None:
    pytest.importorskip("distributed")
    results, args = predicted
    assert main([*args, "--phases", "decode", "--blocks.scheduler", "local:2"]) == 0
    assert np.array_equal(labels(results), canonical(watershed(planes(results), CHANNELS)))


@pytest.mark.slow
def test_a_run_by_blocks_equals_one_in_memory(project, tmp_path: Path) -> None:
    """A network that learned little makes large objects: the halo holds the whole image."""
    results = tmp_path / "out/discs/results"
    assert main(project) == 0
    network = ["--predict.checkpoint", str(tmp_path / "out/discs/checkpoints/discs_1")]
    halo = ["--blocks.halo", "20", "28", "30"]
    phases = ["--phases", "predict", "decode", "evaluate"]
    assert main([*project, *network, *BLOCKS, *halo, "--run", "2", *phases]) == 0
    assert np.array_equal(planes(results / "discs_2"), planes(results / "discs_1"))
    assert np.array_equal(labels(results / "discs_2"), canonical(labels(results / "discs_1")))


def test_classes_by_blocks(tmp_path: Path) -> None:
    write(tmp_path / "data", SHAPE, classes=True)
    text = CONFIG.format(
        ndim=3,
        channels="(ch('S', classes=2),)",
        task="semantic",
        patch=(8, 16, 16),
        out=str(tmp_path / "out"),
        root=str(tmp_path / "data"),
    )
    (tmp_path / "config.py").write_text(text)
    results, rng = tmp_path / "out/discs/results/discs_1", np.random.default_rng(0)
    values = {name: rng.random((*SHAPE, 1), np.float32) for name in ("im4", "im5")}
    for name, value in values.items():
        with io.create_planes(
            results / f"per_image/{name}.zarr",
            shape=value.shape,
            chunks=(8, 8, 8, 1),
            spacing=(1.0, 1.0, 1.0),
        ) as store:
            store[...] = value
    io.write_json(results / "manifests/predict.json", {"values": {}, "digest": "1"})
    args = ["--config", str(tmp_path / "config.py"), *BLOCKS, "--phases", "decode"]
    for shard in ("1/2", "0/2"):
        assert main([*args, "--blocks.shard", shard]) == 0
    for name, value in values.items():
        found = io.open_labels(results / f"per_image_binarized/{name}.zarr", ndim=3).array()
        assert np.array_equal(found, value[..., 0] > 0.5)
    assert main([*args, "evaluate"]) == 0


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
        (["--blocks.scheduler", "local:0"], "tcp://HOST:PORT or local:N"),
        (["--phases", "decode", "instance_merging"], "decode is instance_creation"),
        (["--postprocess.voronoi.mode", "objects"], "objects that fill a mask need the whole"),
        (["--blocks.no-measure", "--postprocess.repair.size", "9"], "need their measurements"),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(project, capsys, options, message) -> None:
    assert main([*project, *BLOCKS, *options]) == 2
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
