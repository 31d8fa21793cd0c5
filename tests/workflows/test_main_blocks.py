"""Runs by blocks from the command line: the same planes and objects as in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import tifffile
from support.blockwise import canonical
from support.entered import by_hand
from support.small_runs import command, write, write_planes
from support.synthetic_objects import touching_balls

from jaxseg import data, io
from jaxseg.channels import encode
from jaxseg.cli import app
from jaxseg.cli.options import parse
from jaxseg.config import Config, Watershed, ch
from jaxseg.config.load import load
from jaxseg.decoding import watershed
from jaxseg.errors import JaxsegWarning
from jaxseg.main import main
from jaxseg.measurements import measure
from jaxseg.prediction import Tiling, predict
from jaxseg.runs import manifest as runs
from jaxseg.runs.executor import run_by_blocks
from jaxseg.runs.layout import Work
from jaxseg.runs.needs import Plan
from jaxseg.stages.predicting import streamed

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]

SHAPE = (20, 28, 30)
CHANNELS = (ch("F"), ch("C"), ch("Db"))
BLOCKS = ["--blocks.size", "8", "16", "16", "--blocks.halo", "12", "12", "12"]


# Fits no block.
TILING = Tiling((10, 12, 14), (2, 2, 2), (2, 3, 2), (2, 1, 2), 2)


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    """The command line for one test image."""
    write(tmp_path / "data", SHAPE)
    for kind in ("raw", "labels"):
        (tmp_path / "data/test" / kind / "im5.tif").unlink()
    return command(tmp_path)


@pytest.fixture
def predicted(project: list[str], tmp_path: Path) -> tuple[Path, list[str]]:
    """A run by blocks with planes that show objects, and its command line."""
    truth = touching_balls(np.random.default_rng(0), SHAPE, count=9, radii=(3, 5))
    planes = np.asarray(encode(truth, CHANNELS))
    results = tmp_path / "out/discs/results/discs_1"
    write_planes(results, "im4", planes)
    return results, [*project, *BLOCKS]


def opened(config: Config) -> data.Sample:
    """The test image."""
    found = data.open_samples(config.data.test, ndim=3, normalize=config.normalize)
    return found.samples[0]


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
    assert app.main(["status", str(results)]) == 0
    assert app.main(["verify", str(results)]) == 0
    assert capsys.readouterr().out.count("12 of 12 finished blocks are whole") == 5


@pytest.mark.parametrize("sides", [("8", "16", "16"), SHAPE])
def test_what_is_judged_at_merging_is_judged_anew(sides, predicted) -> None:
    """Pieces stay, with other sizes and shapes asked for, also where one block holds all."""
    results, args = predicted
    args = [*args, "--blocks.size", *map(str, sides), "--phases", "instance_merging"]
    assert main([*args, "instance_creation"]) == 0
    pieces = state(results / "blocks/instance_creation")
    sizes = np.bincount(labels(results).ravel())[1:]
    for more in ({"min_size": int(np.median(sizes))}, {"convex": "both"}, {"min_mean": 0.9}):
        options = [word for name, value in more.items() for word in (name, value)]
        options[0] = "--watershed." + options[0].replace("_", "-")
        assert main([*args, *map(str, options), "--overwrite"]) == 0
        wanted = watershed(planes(results), CHANNELS, options=Watershed(**more))
        assert np.array_equal(canonical(labels(results)), canonical(wanted))
    assert state(results / "blocks/instance_creation") == pieces


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
    by_hand(results)
    assert main([*project, "--phases", "decode"]) == 0
    assert main([*args, "--phases", "decode"]) == 2
    assert "by blocks or in memory, not both" in capsys.readouterr().err
    assert main([*args, "--phases", "decode", "--overwrite"]) == 0
    assert main([*project, "--phases", "decode"]) == 2
    assert "by blocks or in memory, not both" in capsys.readouterr().err


def test_planes_by_blocks_are_decoded_whole(predicted, capsys) -> None:
    """In memory, with everything that blocks do not give."""
    results, args = predicted
    by_hand(results)
    whole = [*args, "--blocks.decode", "whole", "--phases", "decode"]
    assert main([*whole, "evaluate"]) == 0
    found = tifffile.imread(results / "per_image_instances/im4.tif")
    assert np.array_equal(found, watershed(planes(results), CHANNELS))
    assert (results / "test_results_metrics.csv").exists()
    assert (results / "per_image_instances/im4_full_stats.csv").exists()
    assert not (results / "blocks").exists()
    assert main([*args, "--phases", "decode"]) == 2
    assert "by blocks or in memory, not both" in capsys.readouterr().err


def test_planes_are_reused_as_they_are(predicted, tmp_path: Path) -> None:
    results, args = predicted
    before = state(results / "per_image")
    reusing = [*args, "--predict.reuse", "--phases", "predict", "decode"]
    assert main([*reusing, "--predict.batch", "7"]) == 0
    assert labels(results).max() > 4
    assert state(results / "per_image") == before
    assert not (results / "manifests/predict.json").exists()


def test_planes_that_are_not_there_are_missed_before_anything_is_done(
    predicted, tmp_path: Path, capsys
) -> None:
    results, args = predicted
    for phases in (["instance_creation"], ["decode"], ["predict", "--predict.reuse"]):
        assert main([*args, "--run", "2", "--phases", *phases]) == 2
        assert "this image was not predicted" in capsys.readouterr().err
    assert not results.with_name("discs_2").exists()
    for name in ("raw", "labels"):
        image = tmp_path / f"data/test/{name}/im4.tif"
        tifffile.imwrite(image, tifffile.imread(image)[1:], imagej=True, metadata={"axes": "ZYX"})
    assert main([*args, "--phases", "decode"]) == 2
    err = capsys.readouterr().err
    assert "planes of another image" in err
    assert "expected (19, 28, 30, 3); found (20, 28, 30, 3)" in err


def jobs_of_a_prediction(project: list[str], forward, names: tuple[str, ...]):
    """A function that predicts the part of run 2 that its options name."""

    def job(*part: str, prepare=lambda block: block) -> bool:
        config = parse([*BLOCKS, "--run", "2", "--phases", "predict", *part], load(project[1]))
        work = Work(config, runs.open_run(config), opened(config))
        stage = streamed(work, forward, TILING, prepare=prepare, values={"digest": "1"})
        assert stage.output is not None
        stage = replace(stage, output=replace(stage.output, channels=names))
        return run_by_blocks([Plan(work, (stage,))], "predict")

    return job


@pytest.mark.filterwarnings("ignore:.*reach the end of their block")
def test_the_documented_jobs(project, tmp_path: Path, capsys, monkeypatch) -> None:
    """Two jobs that predict and create their parts, and one that merges."""

    def forward(tiles: np.ndarray) -> np.ndarray:
        inside = (np.asarray(tiles) > 250).astype(np.float32)
        return np.concatenate([inside, 0 * inside, inside], axis=-1)

    predict_job = jobs_of_a_prediction(project, forward, ("F", "C", "Db"))
    args = [*project, *BLOCKS, "--run", "2", "--phases"]
    creation = [*args, "instance_creation"]
    lower, upper = ["--blocks.z_end", "9"], ["--blocks.z_start", "9"]
    assert not predict_job(*lower)
    assert main([*creation, *lower]) == 75
    assert "other jobs have not predicted all their blocks yet" in capsys.readouterr().err
    assert main([*creation, *lower, "--blocks.wait", "0.001"]) == 75
    # While the first job waits, the second one ends.
    monkeypatch.setattr("jaxseg.runs.needs.time.sleep", lambda _: predict_job(*upper))
    assert main([*creation, *lower, "--blocks.wait", "60"]) == 0
    merging = [*args, "instance_merging"]
    assert main([*merging]) == 2
    assert main([*merging, "--blocks.wait", "0.001"]) == 75
    assert "other jobs have not created all their blocks yet" in capsys.readouterr().err
    assert main([*creation, *upper]) == 0
    assert main(merging) == 0
    results = tmp_path / "out/discs/results/discs_2"
    assert np.array_equal(labels(results), canonical(watershed(planes(results), CHANNELS)))


def test_planes_by_blocks_are_those_of_the_whole(project, tmp_path: Path) -> None:
    """In two jobs, the first of which is interrupted, with tiles that fit no block."""

    def forward(tiles):
        near = (jnp.roll(tiles, 1, axis) + jnp.roll(tiles, -1, axis) for axis in (1, 2, 3))
        return jnp.concatenate([tiles, sum(near)], axis=-1)

    job = jobs_of_a_prediction(project, forward, ("a", "b"))
    results = tmp_path / "out/discs/results/discs_2"
    folder = results / "blocks/predict/im4"

    def broken(block: np.ndarray) -> np.ndarray:
        if any(folder.glob("done/**/*.json")):
            raise KeyboardInterrupt
        return block

    with pytest.raises(KeyboardInterrupt):
        job("--blocks.z_end", "9", prepare=broken)
    done = state(folder / "done")
    assert 0 < len(done) < 8
    assert not job("--blocks.z_end", "9")
    assert not (results / "per_image").exists()
    assert job("--blocks.z_start", "9")
    assert done.items() <= state(folder / "done").items()
    image = opened(parse(BLOCKS, load(project[1]))).image
    assert np.array_equal(planes(results), predict(forward, image, **TILING._asdict()))
    assert app.main(["verify", str(results)]) == 0


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
    args = command(tmp_path, channels="(ch('S', classes=2),)", task="semantic")
    results, rng = tmp_path / "out/discs/results/discs_1", np.random.default_rng(0)
    values = {name: rng.random((*SHAPE, 1), np.float32) for name in ("im4", "im5")}
    for name, value in values.items():
        write_planes(results, name, value)
    by_hand(results)
    args += [*BLOCKS, "--phases", "decode"]
    for shard in ("1/2", "0/2"):
        assert main([*args, "--blocks.shard", shard]) == 0
    for name, value in values.items():
        found = io.open_labels(results / f"per_image_binarized/{name}.zarr", ndim=3).array()
        assert np.array_equal(found, value[..., 0] > 0.5)
    assert main([*args, "evaluate"]) == 0


def test_a_part_beyond_the_end_of_every_image(project, capsys) -> None:
    options = ["--blocks.z_start", "20", "--phases", "predict"]
    assert main([*project, *BLOCKS, *options]) == 2
    assert "no image reaches so far" in capsys.readouterr().err


def test_contours_alone_are_refused(tmp_path: Path, capsys) -> None:
    write(tmp_path / "data", SHAPE)
    args = command(tmp_path, channels="(ch('C'),)")
    assert main([*args, *BLOCKS]) == 2
    assert "contours alone" in capsys.readouterr().err
