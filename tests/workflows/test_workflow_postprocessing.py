"""Post-processing within the decoding phase: every option acts, raw results stay as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from support.postprocessing_project import NAMES, POST, RAW, SHAPES, Project

from jaxseg.cli.options import parse
from jaxseg.config import (
    Condition,
    Config,
    Data,
    Median,
    PostProcess,
    Refine,
    Repair,
    Source,
    Voronoi,
    ch,
)
from jaxseg.errors import Problems
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.workflows import run as run_workflow

pytestmark = pytest.mark.full

REMOVED = ((Condition("area", "lt", 8.0),),)


@pytest.fixture(params=[2, 3])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return Project(tmp_path, request.param)


def read(results: Path, folder: str, name: str = "one") -> np.ndarray:
    return tifffile.imread(results / folder / f"{name}.tif")


def test_without_options_nothing_is_added(project: Project) -> None:
    results = project.run("plain", compare=True)
    assert not (results / POST).exists()
    table = pd.read_csv(results / "test_results_metrics.csv")
    assert not [name for name in table.columns if "post" in name]


def test_objects_get_a_folder_of_their_own(project: Project) -> None:
    plain = project.run("plain", names=NAMES)
    size = 0.0625 * (60 if project.ndim == 2 else 80)
    conditions = ((Condition("area", "lt", size),),)
    results = project.run(
        "all",
        names=NAMES,
        compare=True,
        refine=(Refine("erosion", (1,)), Refine("fill_holes")),
        properties=("euler_number",),
        remove=conditions,
    )
    for name in NAMES:
        raw, after = read(results, RAW, name), read(results, POST, name)
        assert np.array_equal(raw, read(plain, RAW, name))
        assert np.array_equal(after[after > 0], raw[after > 0]), "ids stay"
        judged = pd.read_csv(results / POST / f"{name}_full_stats.csv")
        kept = pd.read_csv(results / POST / f"{name}_filtered_stats.csv")
        assert {"Removed", "Correct"} == set(judged.comment)
        assert set(judged.conditions) == {"Satisfied", "No satisfied"}
        assert kept.label.tolist() == np.unique(after[after > 0]).tolist()
        assert kept.label.tolist() == judged.label[judged.comment == "Correct"].tolist()
        assert set(kept.euler_number) == {1.0}
        before = pd.read_csv(results / RAW / f"{name}_full_stats.csv")
        assert "comment" not in before.columns, "others than those that were judged"
    table = pd.read_csv(results / "test_results_metrics.csv")
    assert (table["0.5 TH f1"] == 1).all()
    assert (table["0.5 TH (post) n_pred"] < table["0.5 TH n_pred"]).all()
    folder = results / "instance_associations"
    for mark in ("", "_post-proc"):
        assert (folder / f"one{mark}_th_0.3_gt_assoc.csv").is_file()
        assert (folder / f"one{mark}_th_0.75_fp.csv").is_file()
        colours = tifffile.imread(folder / f"one{mark}_th_0.5.tif")
        assert colours.shape == (*project.truth["one"].shape, 3)
        assert (results / "overlays" / f"one{mark}.png").is_file()
    assert colours[..., 0].any(), "a removed object is a missed one"


def test_removal_alone_is_in_the_table_of_decoded_objects(project: Project) -> None:
    results = project.run("remove", remove=REMOVED)
    before = pd.read_csv(results / RAW / "one_full_stats.csv")
    assert before.equals(pd.read_csv(results / POST / "one_full_stats.csv"))
    assert {"comment", "conditions"} <= set(before.columns)
    after = read(results, POST)
    assert set(np.unique(after[after > 0])) == set(before.label[before.comment == "Correct"])


def test_repair_and_tessellation_act(project: Project) -> None:
    results = project.run(
        "more", repair=Repair(size=1, contact=0.01, contained=0.01),
        voronoi=Voronoi(mode="objects", islands=True),
    )  # fmt: skip
    raw, after = read(results, RAW), read(results, POST)
    assert after.max() > 0
    assert len(np.unique(after)) < len(np.unique(raw)), "neighbours were merged"
    for mode in ("objects", "centroids"):
        full = project.run(mode, voronoi=Voronoi(mode=mode, channel="F", threshold=-1.0))
        assert (read(full, POST) > 0).all(), "the mask is the whole image"
        narrow = project.run(f"{mode}C", voronoi=Voronoi(mode=mode, threshold="auto"))
        assert np.array_equal(read(narrow, POST) > 0, project.truth["one"] > 0)


def test_masks_confine_seeds_growth_and_results(project: Project) -> None:
    for name in NAMES:
        mask = np.zeros(SHAPES[project.ndim], np.uint8)
        mask[..., :25] = 1
        project.write("masks", name, mask)
    masks = str(project.root / "masks")
    results = project.run("mask", names=NAMES, masks=masks, refine=(Refine("dilation", (3,)),))
    for folder in (RAW, POST):
        found = read(results, folder)
        assert found[..., 24].any()
        assert not found[..., 25:].any()
    single = project.run("single", names=NAMES, masks=str(project.root / "masks/one.tif"))
    assert np.array_equal(read(single, RAW, "two"), read(results, RAW, "two"))


def test_a_mask_that_does_not_fit_is_named(project: Project) -> None:
    project.write("masks", "one", np.ones((5,) * project.ndim, np.uint8))
    options = PostProcess(masks=str(project.root / "masks"))
    _, problems = open_data(replace(project.config, postprocess=options))
    texts = "\n".join(map(str, problems))
    assert len(problems) == 2
    assert "differ in size" in texts
    assert "'two'" in texts
    options = PostProcess(masks=str(project.root / "nowhere"))
    _, problems = open_data(replace(project.config, postprocess=options))
    assert len(problems) == 1


def test_what_does_not_suit_the_images_is_named(project: Project) -> None:
    options = PostProcess(remove=((Condition("intensity_mean-1", "lt", 3.0),),))
    config = replace(project.config, postprocess=options)
    assert not check(config), "the number of channels is not known yet"
    _, problems = open_data(config)
    assert "intensity_mean" in str(problems[0])


def test_every_mistake_is_told_once_and_with_the_others(tmp_path: Path) -> None:
    project = Project(tmp_path, 2)
    project.write("masks", "one", np.ones((5, 5), np.uint8))
    options = PostProcess(
        masks=str(tmp_path / "masks"),
        properties=("solidty", "perimeter_crofton", "moments_hu"),
        remove=((Condition("npixel", "lt", 3.0), Condition("intensity_min-2", "lt", 3.0)),),
    )
    config = replace(
        project.config, data=replace(project.config.data, spacing=(1.0, 2.0)), postprocess=options
    )
    with pytest.raises(Problems) as caught:
        run_workflow(config)
    texts = [str(problem) for problem in caught.value.problems]
    named = ("solidty", "'npixel'", "differ in size", "'two'", "perimeter_crofton needs voxels",
             "moments_hu needs voxels", "intensity_min-2")  # fmt: skip
    for name in named:
        assert len([text for text in texts if name in text]) == 1, name
    assert len(texts) == len(named)


def test_filters_act_on_planes(project: Project) -> None:
    plain = project.run("plain")
    filters: dict[str, Any] = {"median": (Median("xy", 7),)}
    if project.ndim == 3:
        filters = {"median": (Median("zx", 3),), "z_filtering": 3, "yz_filtering": 3}
    results = project.run("median", **filters)
    assert not np.array_equal(read(plain, RAW), read(results, RAW))
    assert not (results / POST).exists()


def test_classes_before_and_after(tmp_path: Path) -> None:
    project = Project(tmp_path, 3, "semantic")
    results = project.run("classes", z_filtering=5, compare=True)
    raw, after = read(results, "per_image_binarized"), read(results, POST)
    assert np.array_equal(raw, project.truth["one"])
    assert not np.array_equal(raw, after)
    table = pd.read_csv(results / "test_results_metrics.csv")
    assert (table["mean iou"] == 1).all()
    assert (table["(post) mean iou"] < 1).all()
    assert not (results / "per_image_instances").exists()


EVERYTHING: dict[str, Any] = {
    "median": (Median("xy", 3),),
    "refine": tuple(Refine(name, value) for name, value in (
        ("dilation", (2,)), ("erosion", (1,)), ("fill_holes", ()), ("clear_border", ()),
        ("remove_small_objects", (3,)), ("remove_large_objects", (900,)))),
    "repair": Repair(size=5),
    "voronoi": Voronoi(mode="objects"),
    "properties": ("solidity", "inertia_tensor_eigvals", "centroid_weighted"),
    "remove": ((Condition("npixels", "lt", 5.0), Condition("solidity", "lt", 0.3)),),
}  # fmt: skip


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("shape", [(40, 44), (1, 40, 44), (9, 40, 44)], ids=str)
def test_no_and_one_object_and_volumes_of_one_slice(
    tmp_path: Path, shape: tuple[int, ...], count: int
) -> None:
    project = Project(tmp_path, len(shape))
    labels = np.zeros(shape, np.uint16)
    labels[(..., slice(12, 20), slice(9, 21))] = count
    if shape[0] == 9:
        labels[[0, 1, 2, -3, -2, -1]] = 0
    project.write("raw", "one", np.random.default_rng(0).random(shape).astype(np.float32))
    project.write("labels", "one", labels)
    project.truth["one"] = labels
    results = project.run("all", compare=True, **EVERYTHING)
    after = read(results, POST)
    assert len(np.unique(after)) == 1 + count
    kept = pd.read_csv(results / POST / "one_filtered_stats.csv")
    assert len(kept) == count
    assert {"solidity", "inertia_tensor_eigvals-1", "centroid_weighted-0"} <= set(kept.columns)
    table = pd.read_csv(results / "test_results_metrics.csv")
    assert table["0.5 TH (post) tp"].tolist() == [count] * 3


def test_noise_becomes_no_object(tmp_path: Path) -> None:
    project = Project(tmp_path, 2)
    noise = np.random.default_rng(0).random((*SHAPES[2], 2)).astype(np.float32)
    project.planes = lambda name: noise  # type: ignore[method-assign]
    assert not read(project.run("noise", **EVERYTHING), POST).any()


def test_values_of_operations_change_on_the_command_line() -> None:
    base = Config(postprocess=PostProcess(**EVERYTHING))
    args = ["--postprocess.refine.0.value", "3", "4", "--postprocess.refine.0.unit", "um",
            "--postprocess.remove.0.0.value", "7", "--postprocess.voronoi.threshold", "auto",
            "--postprocess.z-filtering", "3"]  # fmt: skip
    changed = parse(args, base).postprocess
    assert changed.refine[0] == Refine("dilation", (3.0, 4.0), unit="um")
    assert changed.remove[0][0].value == 7
    assert changed.voronoi.threshold == "auto"
    assert changed.filters == (Median("xy", 3), Median("z", 3))


# ---------------------------------------------------------------------------- mistakes

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"median": (Median("xy", 4),)}, "odd"),
    ({"median": (Median("zy", 3),)}, "three dimensions"),
    ({"z_filtering": 3}, "three dimensions"),
    ({"median": (Median("yx", 0),)}, "odd"),
    ({"refine": (Refine("dilation"),)}, "one radius"),
    ({"refine": (Refine("erosion", (0, 0)),)}, "not all 0"),
    ({"refine": (Refine("erosion", (1, 2, 3)),)}, "one radius"),
    ({"refine": (Refine("fill_holes", (1,)),)}, "no value"),
    ({"refine": (Refine("remove_big_objects", (-1,)),)}, "at least 0"),
    ({"refine": (Refine("fill_holes", unit="um"),)}, "unit"),
    ({"refine": (Refine("clear_border", z_faces=False),)}, "only for clear_border in 3D"),
    ({"repair": Repair(size=-1)}, "at least 0"),
    ({"repair": Repair(size=9, contact=0.0)}, "at most 1"),
    ({"voronoi": Voronoi(islands=True)}, "not asked for"),
    ({"voronoi": Voronoi(mode="objects", channel="B")}, "among the channels"),
    ({"voronoi": Voronoi(mode="objects", threshold=float("nan"))}, "finite number"),
    ({"properties": ("solidty",)}, "did you mean 'solidity'"),
    ({"properties": ("area",)}, "measured anyway"),
    ({"properties": ("extent", "extent")}, "twice"),
    ({"remove": ((Condition("sphericity", "lt", 1.0),),)}, "3D only"),
    ({"remove": ((Condition("npixel", "lt", 1.0),),)}, "did you mean 'npixels'"),
    ({"remove": ((Condition("extent", "lt", 1.0),),)}, "add it to postprocess.properties"),
    ({"remove": ((Condition("area", "lt", float("nan")),),)}, "finite number"),
    ({"remove": ((),)}, "remove everything"),
]


@pytest.mark.parametrize(("options", "named"), WRONG, ids=lambda value: str(value)[:40])
def test_every_mistake_is_named(options: dict[str, Any], named: str) -> None:
    source = Source(raw="raw", labels="labels")
    config = Config(
        channels=(ch("F"), ch("C")), data=Data(test=source), phases=("decode",),
        postprocess=PostProcess(**options),
    )  # fmt: skip
    texts = [str(problem) for problem in check(config)]
    assert len(texts) == 1, texts
    assert named in texts[0]
    assert all(len(text.splitlines()) <= 3 for text in texts)


def test_what_only_3d_has() -> None:
    source = Source(raw="raw", labels="labels")
    config = Config(
        ndim=3, channels=(ch("F"), ch("C")), data=Data(test=source), phases=("decode",),
        patch=(16, 16, 16),
        postprocess=PostProcess(
            median=(Median("zy", 3),), z_filtering=5, yz_filtering=3,
            refine=(Refine("dilation", (0, 1, 1)), Refine("clear_border", z_faces=False)),
            properties=("inertia_tensor_eigvals", "moments_weighted"),
            remove=((Condition("area", "gt", 5.0), Condition("area", "lt", 9.0)),
                    (Condition("perimeter", "gt", 2.0), Condition("sphericity", "lt", 0.2)),
                    (Condition("inertia_tensor_eigvals-2", "lt", 0.2),
                     Condition("moments_weighted-0-0-1-1", "lt", 0.2))),
        ),
    )  # fmt: skip
    assert not check(config)
    wrong = PostProcess(
        properties=("eccentricity",), remove=((Condition("circularity", "lt", 1.0),),)
    )
    texts = "\n".join(str(problem) for problem in check(replace(config, postprocess=wrong)))
    assert "not measured in 3D" in texts
    assert "2D only" in texts


def test_a_semantic_task_has_no_objects() -> None:
    options = PostProcess(refine=(Refine("fill_holes"),), repair=Repair(size=3), remove=REMOVED)
    config = Config(
        task="semantic", channels=(ch("S"),), data=Data(test=Source(raw="raw")),
        phases=("decode",), postprocess=options,
    )  # fmt: skip
    assert len([p for p in check(config) if "no objects" in str(p)]) == 3
