"""Objects after merging, by blocks: measured, refined, removed as in a whole image."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from support.entered import by_hand
from support.own_rows import without_tips
from support.postprocessing_project import POST, RAW, Project
from support.stages import by_blocks
from support.synthetic_objects import cells

from jaxseg import io
from jaxseg.blocks import BlockGrid
from jaxseg.blocks.stage import Output, Stage
from jaxseg.cli import app
from jaxseg.config import (
    Blocks,
    Condition,
    Evaluate,
    Median,
    PostProcess,
    Refine,
    Repair,
    Reshape,
    Voronoi,
    Watershed,
    ch,
)
from jaxseg.errors import ConfigError, Interrupted, ResourceError
from jaxseg.labels.refine import refine
from jaxseg.labels.repair import repair_large
from jaxseg.runs import manifest as runs
from jaxseg.stages.changes import Operation, changed, like, operated
from jaxseg.stages.operations import refine_kind
from jaxseg.stages.repair import repaired
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.workflows import run_phase

pytestmark = pytest.mark.full

# ------------------------------------------------------------- one operation, many block sizes


def holed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Touching objects with holes, some of which hold other objects or lie at the border."""
    labels = cells(rng, shape, count=9)
    holes = cells(rng, shape, count=40)
    labels[holes % 5 == 1] = 0
    labels[rng.random(shape) < 0.02] = 0
    labels[rng.random(shape) < 0.005] = 77
    return labels.astype(np.uint16)


def drawn(labels: np.ndarray, grid: BlockGrid) -> Stage:
    """The stage that wrote some labels."""
    ones = (1.0,) * labels.ndim

    def change(box: Any, results: Any, known: Any) -> np.ndarray:
        return labels[box.slices]

    nothing = Stage(name="nothing", phase="drawn", grid=grid)
    found = changed(
        nothing, grid, change, name="drawn", output=Output(spacing=ones, dtype=labels.dtype)
    )
    return replace(found, needs=())


def refined(folder: Path, labels: np.ndarray, size: tuple[int, ...], one: Refine) -> np.ndarray:
    """What an operation makes of labels in blocks of a size."""
    ones = (1.0,) * labels.ndim
    grid = BlockGrid(labels.shape, size, *[(1,) * labels.ndim] * 2)
    operation = Operation(lambda part: refine(part, [one]), refine_kind(one, ones), {})
    before = drawn(labels, grid)
    stage = operated(before, operation, grid, name="changed", output=like(before, ones))
    return by_blocks(folder, stage).array[...]


OPERATIONS = (
    Refine("fill_holes"),
    Refine("dilation", (1,)),
    Refine("dilation", (2.7,)),
    Refine("erosion", (1,)),
    Refine("erosion", (1.6,)),
    Refine("clear_border"),
    Refine("clear_border", z_faces=False),
    Refine("remove_small_objects", (60,)),
    Refine("remove_large_objects", (60,)),
    Refine("remove_big_objects", (60.0,)),
)
SIZES = {2: ((7, 9), (5, 40), (31, 37)), 3: ((4, 7, 9), (9, 5, 30), (9, 20, 23))}


@pytest.mark.parametrize("one", OPERATIONS, ids=str)
@pytest.mark.parametrize("ndim", [2, 3])
def test_operations_are_those_of_the_whole(
    tmp_path: Path, rng: np.random.Generator, ndim: int, one: Refine
) -> None:
    shape = (9, 20, 23)[-ndim:] if ndim == 3 else (31, 37)
    for number, size in enumerate(SIZES[ndim]):
        labels = holed(rng, shape)
        whole = refine(labels, [one])
        assert not np.array_equal(whole, labels)
        assert np.array_equal(refined(tmp_path / str(number), labels, size, one), whole)


@pytest.mark.parametrize("radii", [(0, 2), (3, 1), (1.5, 2.5)])
def test_radii_per_axis(tmp_path: Path, rng: np.random.Generator, radii: tuple[float, ...]) -> None:
    labels = holed(rng, (30, 33))
    for name in ("dilation", "erosion"):
        one = Refine(name, radii)
        found = refined(tmp_path / name, labels, (7, 8), one)
        assert np.array_equal(found, refine(labels, [one]))


def test_an_object_that_fills_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.zeros((30, 31), np.uint16)
    labels[2, :], labels[9:12, 9:12] = 5, 7
    monkeypatch.setattr("jaxseg.stages.extents.MOST_VOXELS", 120)
    with pytest.raises(ResourceError, match=r"object 5 is needed, which reaches from \[2, 0\]"):
        refined(tmp_path, labels, (8, 8), Refine("fill_holes"))


@pytest.mark.parametrize("shape", [(24, 27), (7, 14, 15)])
def test_repair_is_that_of_the_whole(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    """Its stages on drawn labels, as they are run on merged objects."""
    changed = 0
    for number in range(2):
        labels = cells(rng, shape, count=30)
        labels[rng.random(shape) < 0.05] = 0
        options = Repair(size=45, contact=rng.uniform(0.1, 0.5), contained=rng.uniform(0.1, 0.9))
        whole = repair_large(
            labels, options.size, contact=options.contact, contained=options.contained
        )
        for size in ((5, 9, 11)[-labels.ndim :], labels.shape):
            grid = BlockGrid(labels.shape, size, *[(1,) * labels.ndim] * 2)
            before = drawn(labels.astype(np.uint16), grid)
            output = like(before, (1.0,) * labels.ndim)
            stage = repaired(before, options, grid, before, "after", output=output)
            found = by_blocks(tmp_path / f"{number}{size}", stage).array[...]
            assert np.array_equal(found, whole)
        changed += not np.array_equal(whole, refine(labels, [Refine("fill_holes")]))
    assert changed


# ---------------------------------------------------------------------------- whole runs


EVERYTHING: dict[str, Any] = {
    "median": (Median("xy", 3),),
    "z_filtering": 3,
    "refine": (Refine("erosion", (1,)), Refine("fill_holes"), Refine("dilation", (0.5,), unit="um"),
               Refine("remove_small_objects", (25,)), Refine("clear_border", z_faces=False)),
    "own": (Reshape("tips", without_tips, margin=(0, 0, 1)), Reshape("all", without_tips)),
    "repair": Repair(size=150, contact=0.2),
    "properties": ("solidity", "centroid_weighted", "euler_number"),
    "voronoi": Voronoi(mode="objects"),
    "remove": ((Condition("npixels", "lt", 60.0),), (Condition("solidity", "lt", 0.3),)),
}  # fmt: skip
# Larger than any object, so that blocks decode what the whole image decodes.
BLOCKS = Blocks(size=(8, 25, 20), halo=(8, 16, 16), tiff=True)


class BlockProject(Project):
    """The same project in memory and by blocks."""

    def __init__(self, root: Path, *, classes: bool = False, task: str = "instances") -> None:
        super().__init__(root, 3, task)
        if classes:
            channels = (*self.config.channels, ch("S", classes=4))
            self.config = replace(self.config, channels=channels)
            for name, truth in self.truth.items():
                both = np.stack([truth, np.where(truth > 0, truth % 3 + 1, 0)], axis=1)
                path = root / "labels" / f"{name}.tif"
                tifffile.imwrite(path, both.astype(np.uint16), metadata={"axes": "ZCYX"})

    def planes(self, name: str) -> np.ndarray:
        planes = super().planes(name)
        if len(self.config.channels) < 3:
            return planes
        truth = self.truth[name]
        noise = np.random.default_rng(5).random((*truth.shape, 4)).astype(np.float32)
        noise[np.arange(4) == truth[..., None] % 3 + 1] += 0.3
        return np.concatenate([planes, noise], axis=-1)

    def by_blocks(self, name: str, *shards: str, size: Blocks = BLOCKS, **options: Any) -> Path:
        """The folder of results of some jobs, each of which may have to wait for the others."""
        semantic = self.config.task == "semantic"
        phases = ("decode",) if semantic else ("instance_creation", "instance_merging")
        for shard in shards or ("",):
            config = replace(
                self.config, run=name, postprocess=PostProcess(**options),
                phases=(*phases, "evaluate"),
                blocks=replace(size, shard=shard), evaluate=Evaluate(coloured=(0.5,)),
            )  # fmt: skip
            assert not check(config)
            run = runs.open_run(config)
            samples, problems = open_data(config)
            assert not problems
            samples = {"test": samples["test"][:1]}
            path = run.planes(samples["test"][0].name)
            if not path.exists():
                planes = self.planes("one")
                by_hand(run.results)
                with io.create_planes(path, shape=planes.shape, chunks=planes.shape,
                                      spacing=self.spacing) as stored:  # fmt: skip
                    stored[...] = planes
            for phase in (*phases, "evaluate"):
                run_phase(config, run, samples, phase)
        return run.results


def same_objects(results: Path, whole: Path, folder: str) -> dict[int, int]:
    """Whether images of objects are the same up to their ids; the ids of the one by the other."""
    found, wanted = (io.open_labels(one / folder / "one.tif", ndim=3).array()
                     for one in (results, whole))  # fmt: skip
    ids = np.unique(np.stack([found.ravel(), wanted.ravel()]), axis=1).T.tolist()
    assert len({one for one, _ in ids}) == len({other for _, other in ids}) == len(ids)
    return dict(ids)


def same_tables(results: Path, whole: Path, name: str, ids: dict[int, int]) -> None:
    found, wanted = (pd.read_csv(one / name) for one in (results, whole))
    found["label"] = [ids[label] for label in found.label]
    found = found.sort_values("label").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("classes", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_run_by_blocks_writes_what_one_in_memory_writes(
    tmp_path: Path, classes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    project = BlockProject(tmp_path, classes=classes)
    project.write("masks", "one", (np.indices(project.truth["one"].shape)[2] < 33).astype(np.uint8))
    options = EVERYTHING | {"masks": str(tmp_path / "masks/one.tif")}
    whole = project.run("whole", compare=True, **options)
    results = project.by_blocks("blocks", **options)
    ids = same_objects(results, whole, RAW)
    assert len(ids) > 5
    after = same_objects(results, whole, POST)
    assert after.items() < ids.items()
    assert len(after) > 2
    same_tables(results, whole, f"{RAW}/one_full_stats.csv", ids)
    same_tables(results, whole, f"{POST}/one_full_stats.csv", ids)
    same_tables(results, whole, f"{POST}/one_filtered_stats.csv", ids)
    names = ["test_results_metrics.csv", "summary.json", "overlays/one_post-proc.png",
             "instance_associations/one_post-proc_th_0.5.tif"]  # fmt: skip
    if classes:
        names += [*(f"{folder}/one_classes.tif" for folder in (RAW, POST)), "class_metrics.csv"]
    for name in names:
        assert (results / name).read_bytes() == (whole / name).read_bytes()
    capsys.readouterr()
    for command in ("verify", "status"):
        # The planes were put there by hand: only that is left to do.
        app.main([command, str(results)])
        left = capsys.readouterr().out
        assert "damaged" not in left
        assert "one was never begun" not in left
        assert "is missing" not in left


def test_removal_alone_in_masks_with_automatic_thresholds(tmp_path: Path) -> None:
    project = BlockProject(tmp_path)
    truth, rng = project.truth["one"], np.random.default_rng(3)
    project.write("masks", "one", (np.indices(truth.shape)[1] > 9).astype(np.uint8))
    noisy = np.clip(project.planes("one") + rng.normal(0, 0.2, (*truth.shape, 2)), 0, 1)
    project.planes = lambda name: noisy.astype(np.float32)  # type: ignore[method-assign]
    watershed = Watershed(
        check_files=False, seeds=("F", "C"), seed_thresholds=("auto", "auto"),
        growth_morphology=(("dilate", 1), ("erode", 1)),
    )  # fmt: skip
    project.config = replace(project.config, watershed=watershed)
    remove = ((Condition("npixels", "lt", 100.0),),)
    options = {"remove": remove, "masks": str(tmp_path / "masks/one.tif")}
    whole, results = project.run("whole", **options), project.by_blocks("blocks", **options)
    ids = same_objects(results, whole, RAW)
    assert 0 < len(same_objects(results, whole, POST)) < len(ids)
    for name in (RAW, POST):
        same_tables(results, whole, f"{name}/one_full_stats.csv", ids)
    same_tables(results, whole, f"{POST}/one_filtered_stats.csv", ids)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_does_the_same(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the cluster extra is not installed")
    project, options = BlockProject(tmp_path, classes=True), EVERYTHING
    whole = project.by_blocks("threads", **options)
    results = project.by_blocks("cluster", size=replace(BLOCKS, scheduler="local:2"), **options)
    for path in [*whole.glob("per_image_*/*.tif"), *whole.glob("per_image_*/*.csv")]:
        assert (results / path.relative_to(whole)).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_jobs_share_what_is_done_to_objects(tmp_path: Path) -> None:
    project, options = BlockProject(tmp_path, classes=True), EVERYTHING
    whole = project.by_blocks("single", **options)
    waits = 0
    for shard in itertools.cycle(("1/2", "0/2")):
        try:
            results = project.by_blocks("shared", shard, **options)
        except (ConfigError, Interrupted):
            waits += 1
            continue
        if (results / "summary.json").exists():
            break
    assert waits > 3
    for path in [*whole.glob("per_image_*/*.tif"), *whole.glob("per_image_*/*.csv")]:
        assert (results / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_classes_of_filtered_planes_in_masks(tmp_path: Path) -> None:
    project = BlockProject(tmp_path, task="semantic")
    project.write("masks", "one", (np.indices(project.truth["one"].shape)[1] > 9).astype(np.uint8))
    masks = str(tmp_path / "masks/one.tif")
    options = {"z_filtering": 5, "median": (Median("xy", 3),), "masks": masks}
    whole = project.run("whole", compare=True, **options)
    results = project.by_blocks("blocks", **options)
    for name in ("per_image_binarized/one.tif", f"{POST}/one.tif"):
        assert np.array_equal(*(tifffile.imread(one / name) for one in (whole, results)))
    for name in ("test_results_metrics.csv", "overlays/one_post-proc.png"):
        assert (results / name).read_bytes() == (whole / name).read_bytes()


def test_noise_is_told_before_it_is_filtered(tmp_path: Path) -> None:
    project = BlockProject(tmp_path)
    noise = np.random.default_rng(0).random((*project.truth["one"].shape, 2)).astype(np.float32)
    project.planes = lambda name: noise  # type: ignore[method-assign]
    results = project.by_blocks("noise", **EVERYTHING)
    assert not io.open_labels(results / POST / "one.zarr", ndim=3).array().any()
    assert pd.read_csv(results / POST / "one_filtered_stats.csv").empty
