"""Affinities by blocks from the command line: the objects of the whole, in any number of jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.made_affinities import affinities
from support.small_runs import command, write, write_planes
from support.synthetic_objects import touching_balls

from jaxseg import io
from jaxseg.channels import encode
from jaxseg.cli import app
from jaxseg.cli.options import parse
from jaxseg.config import Agglomeration, ch
from jaxseg.decoding import agglomeration
from jaxseg.labels.repair import repair_large
from jaxseg.main import main
from jaxseg.prediction.median import median_filter
from jaxseg.tasks.checking import check

pytestmark = pytest.mark.full

SHAPE = (20, 28, 30)
BLOCKS = ["--blocks.size", "8", "16", "16"]
CREATION, MERGING = (["--phases", f"instance_{name}"] for name in ("creation", "merging"))


@pytest.fixture
def predicted(tmp_path: Path) -> tuple[Path, list[str]]:
    """A run by blocks with planes of leaking affinities, and its command line."""
    write(tmp_path / "data", SHAPE)
    for kind in ("raw", "labels"):
        (tmp_path / "data/test" / kind / "im5.tif").unlink()
    args = command(tmp_path, channels="(ch('A'),)")
    truth = touching_balls(np.random.default_rng(0), SHAPE, count=9, radii=(3, 5))
    planes = np.asarray(encode(truth, (ch("A"),))) * affinities(0, SHAPE, 3, 1.0)
    results = tmp_path / "out/discs/results/discs_1"
    write_planes(results, "im4", planes)
    return results, [*args, *BLOCKS]


def whole(results: Path, options: Agglomeration | None = None) -> np.ndarray:
    planes = io.open_image(results / "per_image/im4.zarr", ndim=3).array()
    return agglomeration(planes, (ch("A"),), options=options)


def labels(results: Path) -> np.ndarray:
    return io.open_labels(results / "per_image_instances/im4.zarr", ndim=3).array()


def test_objects_by_blocks_are_those_of_the_whole(predicted, capsys) -> None:
    results, args = predicted
    assert main([*args, *CREATION, "instance_merging"]) == 0
    found, expected = labels(results), whole(results)
    assert expected.max() > 4
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert (results / "per_image_instances/im4_full_stats.csv").exists()
    assert main([*args, *CREATION, "instance_merging"]) == 0
    assert app.main(["status", str(results)]) == 0
    assert app.main(["verify", str(results)]) == 0
    assert capsys.readouterr().out.count("12 of 12 finished blocks are whole") == 6
    tables = results / "blocks/region_graph/im4/tables"
    table = next(path for path in tables.rglob("*") if path.is_file())
    table.write_bytes(table.read_bytes()[:-5] + b"12345")
    assert app.main(["verify", str(results)]) == 5


@pytest.mark.slow
def test_several_jobs_equal_one_and_join_anew_without_new_fragments(predicted, capsys) -> None:
    results, args = predicted
    for shard in ("1/2", "0/2"):
        assert main([*args, *CREATION, "--blocks.shard", shard]) == 0
    for shard, word in zip(
        ("0/2", "1/2", "0/2", "1/2"), ("compared", "numbered", "asked", "written"), strict=True
    ):
        assert main([*args, *MERGING, "--blocks.shard", shard]) == 75
        assert f"have not {word}" in capsys.readouterr().err
    assert main([*args, *MERGING, "--blocks.shard", "0/2"]) == 0
    assert np.array_equal(labels(results), whole(results))
    options = Agglomeration(merge=0.3, score="mean", min_size=5)
    more = ["--agglomeration.merge", "0.3", "--agglomeration.score", "mean"]
    more += ["--agglomeration.min_size", "5"]
    assert main([*args, *CREATION, *more]) == 0
    assert main([*args, *MERGING, *more]) == 2
    assert "agglomeration.merge" in capsys.readouterr().err
    assert main([*args, *MERGING, *more, "--overwrite"]) == 0
    assert np.array_equal(labels(results), whole(results, options))
    assert main([*args, *CREATION, "--agglomeration.inside", "0.6"]) == 2


def test_waterz_is_refused_by_blocks(predicted, capsys) -> None:
    args = [*predicted[1], "--agglomeration.engine", "waterz", "--phases"]
    assert main([*args, "instance_creation"]) == 2
    assert "images in memory only" in capsys.readouterr().err
    assert not check(parse([*args, "decode", "--blocks.decode", "whole"]))


def test_slurm_submits_every_step(predicted, capsys) -> None:
    args = [*predicted[1], "--phases", "decode"]
    assert app.main(["slurm", *args, "--shards", "3"]) == 0
    assert capsys.readouterr().out.count("--job-name=instance_merging") == 5


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same(predicted) -> None:
    pytest.importorskip("distributed")
    results, args = predicted
    assert main([*args, "--phases", "decode", "--blocks.scheduler", "local:2"]) == 0
    assert np.array_equal(labels(results), whole(results))


def test_filtered_affinities_and_refined_objects(predicted) -> None:
    results, args = predicted
    more = ["--postprocess.z_filtering", "3", "--postprocess.repair.size", "100"]
    assert main([*args, *CREATION, "instance_merging", *more]) == 0
    planes = io.open_image(results / "per_image/im4.zarr", ndim=3).array()
    expected = agglomeration(median_filter(planes, "z", 3), (ch("A"),))
    assert not np.array_equal(expected, whole(results))
    assert np.array_equal(labels(results), expected)
    after = io.open_labels(results / "per_image_post_processing/im4.zarr", ndim=3).array()
    assert np.array_equal(after, repair_large(expected, 100))
