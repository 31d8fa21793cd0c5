"""Points as a task: from tables or labels to tables, pictures and scores; blocks as the whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from support.small_runs import write_planes

from jaxseg.config import (
    Blocks,
    Config,
    Data,
    Detection,
    Evaluate,
    Grow,
    PostProcess,
    Preprocess,
    Refine,
    SemanticOutput,
    Source,
    ch,
)
from jaxseg.errors import JaxsegError, Problems
from jaxseg.geometry import Box
from jaxseg.labels.balls import balls
from jaxseg.main import main
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import run_of
from jaxseg.tasks import checked
from jaxseg.tasks.checking import check
from jaxseg.tasks.point_truth import points_of
from jaxseg.workflows import evaluate, process

SHAPE, RADIUS = (40, 52), 3.0
pytestmark = pytest.mark.usefixtures("quick_compilation")


def points(seed: int) -> np.ndarray:
    """Places on a grid that was shaken, no two nearer than five voxels."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(4, 38, 9), np.arange(4, 50, 9), indexing="ij"), -1)
    return grid.reshape(-1, 2) + rng.integers(-2, 3, (grid.size // 2, 2))


def project(root: Path, *, tables: bool = True, **options) -> Config:
    """Two images with their points, and planes that show them."""
    for seed in (1, 2):
        places, name = points(seed), f"im{seed}"
        labels = balls(places, Box((0, 0), SHAPE), radius=RADIUS)
        for folder in ("raw", "truth"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        image = (1000 * (labels > 0) + seed).astype(np.uint16)
        tifffile.imwrite(root / "raw" / f"{name}.tif", image, metadata={"axes": "YX"})
        if tables:
            frame = pd.DataFrame(places, columns=["axis-0", "axis-1"])
            frame.to_csv(root / "truth" / f"{name}.csv", index=False)
        else:
            # Squares, whose centroids are the points.
            squares = np.zeros(SHAPE, np.uint16)
            for number, (y, x) in enumerate(places, start=1):
                squares[y - 1 : y + 2, x - 1 : x + 2] = number
            tifffile.imwrite(root / "truth" / f"{name}.tif", squares, metadata={"axes": "YX"})
    source = Source(raw=str(root / "raw"), labels=str(root / "truth"))
    return Config(
        name="points", task="detection", ndim=2, channels=(ch("Db"),), out=str(root / "out"),
        patch=(16, 16), data=Data(test=source, train=source), phases=("decode", "evaluate"),
        detection=Detection(**{"radius": RADIUS, "min_distance": 1.5} | options),
    )  # fmt: skip


def decoded(config: Config) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores, and the points of the first image, of true planes."""
    run = runs.open_run(config)
    for seed in (1, 2):
        labels = balls(points(seed), Box((0, 0), SHAPE), radius=RADIUS)
        plane = np.zeros(SHAPE, np.float32)
        for number, place in enumerate(points(seed), start=1):
            inside = np.argwhere(labels == number)
            plane[tuple(inside.T)] = 1 - np.linalg.norm(inside - place, axis=1) / 5
        write_planes(run.results, f"im{seed}", plane[..., None])
    samples = checked(config)
    runs.claim(run, "predict", config, "")
    process(config, run, samples)
    evaluate(config, run, samples)
    return pd.read_csv(run.metrics), pd.read_csv(run.results / "per_image_points" / "im1.csv")


@pytest.mark.parametrize("tables", [True, False])
def test_true_planes_give_all_points(tmp_path: Path, tables: bool) -> None:
    config = project(tmp_path, tables=tables)
    scores, found = decoded(config)
    assert (scores["3 um f1"] == 1).all()
    assert (scores["3 um mean_distance"] < 0.1).all()
    assert list(found.columns)[:5] == ["index", "axis-0", "axis-1", "y_um", "x_um"]
    run = run_of(config)
    assert run.overlay("im1").exists()
    associations = pd.read_csv(
        run.point_associations("im1").with_name("im1_within_3um_gt_assoc.csv")
    )
    assert (associations.tag == "TP").all()


def test_any_blocks_find_the_same_points(tmp_path: Path) -> None:
    whole = decoded(project(tmp_path / "whole", exclude_border=3.0))[1]
    for number, size in enumerate(((16, 16), (24, 20))):
        config = project(tmp_path / str(number), exclude_border=3.0)
        blocks = config.blocks.__class__(size=size)
        config = config.__class__(**{**vars(config), "blocks": blocks})
        pd.testing.assert_frame_equal(decoded(config)[1], whole)


def with_classes(root: Path, **options) -> Config:
    """The project with every second point of class 2, and names of the classes."""
    base = project(root, **options)
    for seed in (1, 2):
        path = root / "truth" / f"im{seed}.csv"
        frame = pd.read_csv(path)
        frame["class"] = 1 + np.arange(len(frame)) % 2
        frame.to_csv(path, index=False)
    return replace(
        base,
        channels=(ch("Db"), ch("S", classes=3)),
        semantic=SemanticOutput(names=("nothing", "odd", "even")),
        evaluate=Evaluate(border_crop=(6, 6)),
    )


def decoded_classes(config: Config) -> pd.DataFrame:
    """The points of the first image, of true planes of which one class is wrong."""
    run = runs.open_run(config)
    for seed in (1, 2):
        labels = balls(points(seed), Box((0, 0), SHAPE), radius=RADIUS)
        planes = np.zeros((*SHAPE, 4), np.float32)
        planes[..., 1:] = (0.4, 0.3, 0.3)
        for number, place in enumerate(points(seed), start=1):
            inside = tuple(np.argwhere(labels == number).T)
            planes[(*inside, 0)] = 1 - np.linalg.norm(np.transpose(inside) - place, axis=1) / 5
            kind = 1 + (number - 1) % 2 if (seed, number) != (1, 9) else 2
            planes[(*inside, 1 + kind)] = 0.9
        write_planes(run.results, f"im{seed}", planes)
    samples = checked(config)
    runs.claim(run, "predict", config, "")
    process(config, run, samples)
    evaluate(config, run, samples)
    return pd.read_csv(run.results / "per_image_points" / "im1.csv")


@pytest.mark.slow
def test_points_have_classes_names_and_scores_of_their_own(tmp_path: Path) -> None:
    config = with_classes(tmp_path, threshold=("auto", 0.6), remove_close=(2.0, 3.0))
    found, run = decoded_classes(config), run_of(config)
    assert set(found.class_name) == {"odd", "even"}
    scores = pd.read_csv(run.class_metrics(""))
    assert list(scores["class"])[-2:] == ["odd", "even"]
    total = scores[scores.file == "all points"].set_index("class")
    assert total.loc["odd", "3 um fn"] == total.loc["even", "3 um fp"] == 1
    assert total.loc["odd", "3 um fp"] == total.loc["even", "3 um fn"] == 0
    every = pd.read_csv(run.metrics).set_index("file")
    counted = every.loc["all points", "3 um tp"]
    assert every.loc["all points", "3 um class accuracy"] == pytest.approx(1 - 1 / counted)
    associations = pd.read_csv(
        run.point_associations("im1").with_name("im1_within_3um_gt_assoc.csv")
    )
    assert set(associations.tag) == {"TP", "NC"}
    assert (associations.tag == "TP").sum() == every.loc["im1", "3 um tp"] < len(associations)
    together = pd.read_csv(run.all_points)
    assert len(together[together.file == "im1"]) == len(found)
    blocks = replace(config, blocks=Blocks(size=(16, 24)), out=str(tmp_path / "blocks"))
    pd.testing.assert_frame_equal(decoded_classes(blocks), found)


@pytest.mark.slow
def test_objects_grow_from_points_alike_in_blocks(tmp_path: Path) -> None:
    grow = Grow(enable=True, seed_radius=1.0, max_radius=4.0, check_files=True)
    config = with_classes(tmp_path, grow=grow)
    config = replace(config, postprocess=PostProcess(refine=(Refine("dilation", (1,)),)))
    found, run = decoded_classes(config), run_of(config)
    labels = tifffile.imread(run.results / "per_image_instances" / "im1.tif")
    assert len(np.unique(labels)) - 1 == len(found)
    own = labels[tuple(np.rint(found[["axis-0", "axis-1"]].to_numpy()).astype(int).T)]
    np.testing.assert_array_equal(own, found["index"] + 1)
    bright = tifffile.imread(tmp_path / "raw" / "im1.tif") > 500
    np.testing.assert_array_equal(labels > 0, bright)
    stats = pd.read_csv(run.results / "per_image_instances" / "im1_full_stats.csv")
    wrong = stats["class"].to_numpy() != found["class"].to_numpy()
    assert not wrong.any()
    grown = tifffile.imread(run.results / "per_image_post_processing" / "im1.tif")
    assert (grown > 0).sum() > (labels > 0).sum()
    assert (run.results / "grown" / "im1" / "seed_map.tif").exists()
    blocks = replace(config, blocks=Blocks(size=(16, 24)), out=str(tmp_path / "blocks"))
    decoded_classes(blocks)
    for folder, array in (("per_image_instances", labels), ("per_image_post_processing", grown)):
        other = zarr.open(run_of(blocks).results / folder / "im1.zarr", mode="r")
        other = other["0"] if isinstance(other, zarr.Group) else other
        np.testing.assert_array_equal(np.asarray(other), array)


def test_a_plane_without_objects_gives_no_points_by_itself(tmp_path: Path) -> None:
    config = project(tmp_path, threshold="auto")
    run = runs.open_run(config)
    noise = np.random.default_rng(0).normal(0.02, 0.01, (*SHAPE, 1)).astype(np.float32)
    for name in ("im1", "im2"):
        write_planes(run.results, name, noise)
    samples = checked(config)
    runs.claim(run, "predict", config, "")
    process(config, run, samples)
    evaluate(config, run, samples)
    scores = pd.read_csv(run.metrics)
    assert (scores["3 um fp"] == 0).all()
    assert (scores["3 um fn"] > 0).all()


def test_tables_are_found_by_their_order_where_names_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = project(tmp_path)
    for old, new in (("im1", "first"), ("im2", "second one")):
        (tmp_path / "truth" / f"{old}.csv").rename(tmp_path / "truth" / f"{new}.csv")
    with pytest.raises(Problems, match="no table of points"):
        checked(config)
    ordered = replace(config.data, pair="name_or_order")
    samples = checked(replace(config, data=ordered, phases=("predict",)))
    assert "im1  first" in capsys.readouterr().out
    for seed, sample in enumerate(samples["test"], start=1):
        np.testing.assert_array_equal(points_of(sample).places, points(seed))


def test_balls_have_the_classes_of_their_points(tmp_path: Path) -> None:
    config = replace(with_classes(tmp_path), phases=("train",))
    for sample in checked(config)["train"]:
        labels, classes = sample.labels.array(), sample.classes.array()
        np.testing.assert_array_equal(labels > 0, classes > 0)
        own = points_of(sample).classes
        np.testing.assert_array_equal(classes[labels > 0], own[labels[labels > 0] - 1])
    wrong = replace(config, channels=(ch("Db"), ch("S", classes=3)))
    frame = pd.read_csv(tmp_path / "truth" / "im1.csv")
    frame.assign(**{"class": 3}).to_csv(tmp_path / "truth" / "im1.csv", index=False)
    with pytest.raises(JaxsegError, match="no class"):
        checked(wrong)


def test_points_without_class_and_moved_images_are_refused(tmp_path: Path) -> None:
    config = replace(project(tmp_path), channels=(ch("Db"), ch("S", classes=3)))
    with pytest.raises(Problems, match="points without a class"):
        checked(config)
    wrong = replace(config, preprocess=Preprocess(resize=(20, 20)),
                    detection=Detection(threshold=(0.1, 0.2, 0.3)))  # fmt: skip
    assert {one.where for one in check(wrong)} >= {"preprocess.resize", "detection.threshold"}
    grow = replace(config, detection=Detection(grow=Grow(enable=True, image_channel=1)))
    with pytest.raises(Problems, match="no such channel"):
        checked(grow)
    several = replace(config, channels=(ch("A"),))
    with pytest.raises(JaxsegError, match="one number per voxel"):
        checked(several)


def test_what_is_wrong_is_told_before_anything_runs(tmp_path: Path) -> None:
    config = project(tmp_path)
    (tmp_path / "truth" / "im2.csv").rename(tmp_path / "truth" / "other.csv")
    (tmp_path / "truth" / "im1.csv").write_text("axis-0,axis-1\n1,99\n")
    with pytest.raises(Problems) as caught:
        checked(config)
    text = str(caught.value)
    assert "no table of points for the image 'im2'" in text
    assert "outside the image" in text
    classes = Config(task="detection", channels=(ch("Db"), ch("S")), phases=("decode",))
    assert [one.where for one in check(classes) if one.where == "channels"]


@pytest.mark.slow
def test_a_training_finds_spots(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part, seeds in (("train", range(4)), ("test", range(4, 6))):
        for seed in seeds:
            places = points(seed)
            square = [
                np.square(np.indices(SHAPE) - place[:, None, None]).sum(0) for place in places
            ]
            image = sum(rng.uniform(0.4, 1) * np.exp(-one / 4.5) for one in square) + rng.normal(
                0, 0.06, SHAPE
            )
            for folder in ("raw", "points"):
                (tmp_path / part / folder).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(
                tmp_path / part / "raw" / f"{seed}.tif",
                (1000 + 1000 * image).astype(np.uint16),
                metadata={"axes": "YX"},
            )
            frame = pd.DataFrame(places, columns=["axis-0", "axis-1"])
            frame.to_csv(tmp_path / part / "points" / f"{seed}.csv", index=False)
    command = ["--config", "configs/detection2d.py", "--out", str(tmp_path / "out")]
    for part in ("train", "test"):
        command += [f"--data.{part}.raw", str(tmp_path / part / "raw")]
        command += [f"--data.{part}.labels", str(tmp_path / part / "points")]
    command += ["--train.minutes", "0", "--train.epochs", "6", "--patch", "32", "32"]
    assert main([*command, "--model.features", "8", "16"]) == 0
    scores = pd.read_csv(
        tmp_path / "out" / "detection2d" / "results" / "detection2d_1" / "test_results_metrics.csv"
    )
    assert scores["3 um f1"].iloc[-1] > 0.85
