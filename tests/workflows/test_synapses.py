"""Synapses as a task: annotations to planes and back, blocks as the whole, scores of pairs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.made_synapses import (
    SPACING,
    image_of,
    planes_of,
    synapses,
    write_container,
    write_tables,
)
from support.small_runs import write_planes

from jaxseg.config import Augment, Blocks, Config, Data, Detection, Source, Synapses, UNet, ch
from jaxseg.config.augmentations import CutMix
from jaxseg.config.detection import radius_in_um
from jaxseg.config.load import load
from jaxseg.errors import JaxsegError, Problems
from jaxseg.io.synapses import read_site_tables
from jaxseg.main import main
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import run_of
from jaxseg.tasks import checked
from jaxseg.tasks.checking import check
from jaxseg.workflows import evaluate, process

SHAPE, RADIUS = (14, 60, 64), 0.05
SITES, VECTORS = (ch("F_pre"), ch("F_post")), (ch("H_pre"), ch("V_pre"), ch("Z_pre"))
pytestmark = pytest.mark.usefixtures("quick_compilation")


def project(root: Path, *, tables: bool = False, channels=SITES + VECTORS, **more) -> Config:
    """Two images with their synapses, in containers or in tables."""
    for seed, name in enumerate("ab"):
        table = synapses(SHAPE, seed)
        image = image_of(table, SHAPE, seed)
        if tables:
            write_tables(root / "truth", name, table)
            (root / "raw").mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(root / "raw" / f"{name}.tif", image, metadata={"axes": "ZYX"})
        else:
            write_container(root / "all" / f"{name}.zarr", image, table, offset=(-40.0, 0.0, 8.0))
    source = Source(raw=f"{root}/all/*.zarr/volumes/raw", labels=f"{root}/all")
    if tables:
        source = Source(raw=f"{root}/raw", labels=f"{root}/truth")
    data = Data(train=source, test=source, spacing=SPACING if tables else ())
    own = {"synapses": Synapses(pair_distance=0.05), "phases": ("decode", "evaluate")} | more
    return Config(
        name="syn", task="synapses", ndim=3, channels=channels, out=str(root / "out"),
        patch=(8, 32, 32), data=data, model=UNet(features=(4, 8)),
        detection=Detection(radius=RADIUS, min_distance=0.05, tolerances=(0.03, 0.1)), **own,
    )  # fmt: skip


def decoded(config: Config, planes=None) -> pd.DataFrame:
    """The scores of planes, by default of true ones; tables of sites are in the run."""
    run, radius = runs.open_run(config), radius_in_um(config.detection, SPACING)
    for seed, name in enumerate("ab"):
        made = planes_of(synapses(SHAPE, seed), SHAPE, config.channels, radius)
        write_planes(run.results, name, made if planes is None else planes[name])
    samples = checked(config)
    runs.claim(run, "predict", config, "")
    process(config, run, samples)
    if "evaluate" not in config.phases:
        return pd.DataFrame()
    evaluate(config, run, samples)
    return pd.read_csv(run.metrics)


def found(config: Config, name: str) -> list[pd.DataFrame]:
    folder = run_of(config).results / "per_image_points"
    return [pd.read_csv(folder / f"{name}_{side}.csv") for side in ("pre", "post")]


@pytest.mark.parametrize("tables", [False, pytest.param(True, marks=pytest.mark.full)])
def test_true_planes_give_all_pairs(tmp_path: Path, tables: bool) -> None:
    config = project(tmp_path, tables=tables)
    scores = decoded(config)
    assert scores.file.tolist() == ["a", "b", "all synapses"]
    for kind in ("pre", "post", "pair"):
        assert (scores[f"0.03 um {kind} f1"] == 1).all(), kind
        assert (scores[f"0.03 um {kind} tp"] > 5).all()
    pre, post = found(config, "a")
    assert list(pre.columns[:8]) == ["index", "axis-0", "axis-1", "axis-2", "z_um", "y_um", "x_um",
                                     "probability"]  # fmt: skip
    assert pre.posts.sum() == len(post) == len(synapses(SHAPE, 0).post)
    run = run_of(config)
    assert run.overlay("a").exists()
    begin = run.point_associations("a")
    pairs = pd.read_csv(begin.with_name("a_within_0.1um_pair_gt_assoc.csv"))
    assert (pairs.tag == "TP").all()
    assert pd.read_csv(begin.with_name("a_within_0.1um_pair_fp.csv")).empty


@pytest.mark.full
def test_results_can_be_read_as_truth(tmp_path: Path) -> None:
    config = project(tmp_path)
    decoded(config)
    folder = run_of(config).results / "per_image_points"
    table = read_site_tables(folder / "a_pre.csv", folder / "a_post.csv", SHAPE)
    assert len(table.pairs) == len(synapses(SHAPE, 0).pairs)


@pytest.mark.full
def test_without_vectors_the_nearest_site_is_the_partner(tmp_path: Path) -> None:
    config = project(tmp_path, channels=SITES, synapses=Synapses(pair_distance=0.15))
    scores = decoded(config)
    assert (scores["0.03 um pair f1"] > 0.9).all()


@pytest.mark.full
def test_without_a_plane_of_presynaptic_sites_they_are_created(tmp_path: Path) -> None:
    config = project(tmp_path, channels=(ch("F_post"), *VECTORS),
                     synapses=Synapses(missing="create"))  # fmt: skip
    scores = decoded(config)
    assert (scores["0.03 um pair f1"] == 1).all()
    assert found(config, "a")[0].created.all()


@pytest.mark.full
def test_a_missing_site_is_no_partner_or_is_created(tmp_path: Path) -> None:
    planes = {name: planes_of(synapses(SHAPE, seed), SHAPE, SITES + VECTORS, RADIUS)
              for seed, name in enumerate("ab")}  # fmt: skip
    lost = synapses(SHAPE, 0).partner == 0
    z, y, x = synapses(SHAPE, 0).pre[0].astype(int)
    planes["a"][max(z - 1, 0) : z + 2, max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7, 0] = 0
    config = project(tmp_path / "left")
    scores = decoded(config, planes)
    assert (found(config, "a")[1].partner == -1).sum() == lost.sum() > 0
    assert scores["0.1 um pair fn"][0] == lost.sum()
    assert scores["0.1 um pre fn"][0] == 1
    own = Synapses(pair_distance=0.05, missing="create")
    config = project(tmp_path / "made", synapses=own)
    assert (decoded(config, planes)["0.1 um pair f1"] == 1).all()
    assert found(config, "a")[0].created.tolist() == [0] * (len(synapses(SHAPE, 0).pre) - 1) + [1]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, dict[str, np.ndarray]]:
    """Planes of noise of so few values that some peaks are equally high, and a project for them."""
    noise = np.random.default_rng(0).integers(0, 400, (2, *SHAPE, 5)) / 399
    config = project(tmp_path_factory.mktemp("blocks"), phases=("decode",))
    planes = dict(zip("ab", noise, strict=True))
    decoded(config, planes)
    return config, planes


@pytest.mark.full
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.tuples(*(st.sampled_from(sides) for sides in ([4, 8, 16], [24, 32, 64], [16, 28, 40]))))
def test_any_blocks_give_the_same_synapses(
    many: tuple[Config, dict[str, np.ndarray]], size: tuple[int, int, int]
) -> None:
    whole, planes = many
    name = "_".join(map(str, size))
    config = dataclasses.replace(whole, run=f"blocks_{name}", blocks=Blocks(size=size))
    decoded(config, planes)
    for image in "ab":
        for expected, made in zip(found(whole, image), found(config, image), strict=True):
            pd.testing.assert_frame_equal(made, expected)
    posts = found(whole, "a")[1]
    assert (posts.partner >= 0).sum() > 20
    assert posts.probability.duplicated().any()


@pytest.mark.full
def test_thresholds_are_found_and_close_sites_are_removed(tmp_path: Path) -> None:
    config = project(tmp_path / "auto")
    options = dataclasses.replace(config.detection, threshold=("auto", 0.5))
    scores = decoded(dataclasses.replace(config, detection=options))
    assert (scores["0.03 um pair f1"] == 1).all()
    config = project(tmp_path / "close")
    options = dataclasses.replace(config.detection, remove_close=(10.0, 0.0))
    decoded(dataclasses.replace(config, detection=options))
    pre, post = found(config, "a")
    assert len(pre) == 1
    assert len(post) == len(synapses(SHAPE, 0).post)


BIAPY = """
PROBLEM: {{TYPE: INSTANCE_SEG, NDIM: 3D, INSTANCE_SEG: {{TYPE: synapses}}}}
PROBLEM.INSTANCE_SEG.DATA_CHANNELS: [F_post, H, V, Z]
PROBLEM.INSTANCE_SEG.DATA_CHANNELS_EXTRA_OPTS: [{{F_post: {{dilation: [1, 4, 4]}}}}]
PROBLEM.INSTANCE_SEG.SYNAPSES: {{TH_TYPE: manual, MIN_TH_TO_BE_PEAK: 0.3}}
DATA.PATCH_SIZE: (8, 32, 32, 1)
DATA.TEST: {{PATH: {root}/all, LOAD_GT: True, INPUT_ZARR_MULTIPLE_DATA: True,
             INPUT_ZARR_MULTIPLE_DATA_RAW_PATH: volumes.raw}}
MODEL: {{ARCHITECTURE: unet, FEATURE_MAPS: [4, 8]}}
TEST: {{ENABLE: True, DET_TOLERANCE: [30]}}
PATHS.RESULT_DIR.PATH: {root}
"""


@pytest.mark.full
def test_a_file_of_biapy_runs(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "job.yaml").write_text(BIAPY.format(root=tmp_path))
    config = dataclasses.replace(load(tmp_path / "job.yaml"), out=str(tmp_path / "out"),
                                 phases=("decode", "evaluate"))  # fmt: skip
    assert [channel.name for channel in config.channels] == ["F_post", "H_pre", "V_pre", "Z_pre"]
    assert (decoded(config)["0.03 um pair f1"] == 1).all()


def test_what_is_wrong_is_told_before_anything_runs(tmp_path: Path) -> None:
    config = project(tmp_path)
    table = synapses(SHAPE, 0)
    outside = table._replace(pre=table.pre + np.array([99, 0, 0]))
    write_container(tmp_path / "all" / "a.zarr", image_of(table, SHAPE, 0), outside)
    (tmp_path / "truth").mkdir()
    (tmp_path / "all" / "a.zarr").rename(tmp_path / "truth" / "a.zarr")
    (tmp_path / "all" / "b.zarr").rename(tmp_path / "truth" / "b.zarr")
    write_container(tmp_path / "all" / "a.zarr", image_of(table, SHAPE, 0), table)
    write_container(tmp_path / "all" / "c.zarr", image_of(table, SHAPE, 0), table)
    source = Source(raw=f"{tmp_path}/all/*.zarr/volumes/raw", labels=f"{tmp_path}/truth")
    config = dataclasses.replace(config, data=Data(test=source), phases=("predict",))
    with pytest.raises(Problems) as caught:
        checked(config)
    assert "sites lie outside the image" in str(caught.value)
    assert "no annotated synapses for the image 'c'" in str(caught.value)
    write_tables(tmp_path / "tables", "a", table)
    (tmp_path / "tables" / "a_pre.csv").unlink()
    tables = dataclasses.replace(source, labels=f"{tmp_path}/tables")
    with pytest.raises(JaxsegError, match="not two for every image"):
        checked(dataclasses.replace(config, data=Data(test=tables)))


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"channels": (ch("F"), *SITES)}, "channels", "no synaptic sites"),
        ({"channels": (ch("F_pre"), *VECTORS)}, "channels", "postsynaptic"),
        ({"channels": (ch("F_post"),)}, "channels", "presynaptic"),
        ({"channels": (ch("F_post"), *VECTORS)}, "synapses.missing", "where vectors lead"),
        ({"channels": SITES, "synapses": Synapses(missing="create")}, "synapses.missing", "only v"),
        ({"channels": (*SITES, *VECTORS[:2])}, "channels", "belong together"),
        ({"channels": (*SITES, *VECTORS[:2], ch("Z_pre", unit=1))}, "channels", "different"),
        ({"task": "instances"}, "channels", "channels of synaptic sites"),
        ({"augment": Augment(cutmix=CutMix(probability=0.5))}, "augment.cutmix.probability", ""),
        ({"synapses": Synapses(ids="/ids")}, "synapses.ids", ""),
    ],
)  # fmt: skip
def test_rules(options: dict, field: str, words: str) -> None:
    sound = Config(task="synapses", ndim=3, patch=(16, 32, 32), channels=SITES + VECTORS,
                   phases=("decode",))  # fmt: skip
    assert not [one for one in check(sound) if one.where != "data.test.raw"]
    found = [one for one in check(dataclasses.replace(sound, **options)) if one.where == field]
    assert [one for one in found if words in str(one)]


@pytest.mark.slow
def test_one_epoch_from_the_command_line(tmp_path: Path) -> None:
    project(tmp_path)
    command = ["--config", "configs/synapses3d.py", "--out", str(tmp_path / "out")]
    for part in ("train", "test"):
        command += [f"--data.{part}.raw", f"{tmp_path}/all/*.zarr/volumes/raw"]
        command += [f"--data.{part}.labels", f"{tmp_path}/all"]
    command += ["--train.minutes", "0", "--train.epochs", "1", "--train.steps", "2"]
    command += ["--patch", "8", "32", "32", "--augment.show", "1", "--predict.tta", "none"]
    command += ["--model.features", "4", "8", "--model.z_down", "1"]
    assert main(command) == 0
    results = tmp_path / "out" / "synapses3d" / "results" / "synapses3d_1"
    scores = pd.read_csv(results / "test_results_metrics.csv")
    assert scores.file.tolist() == ["a", "b", "all synapses"]
    assert list((results / "aug").glob("*.png"))
    assert (results / "per_image_points" / "a_post.csv").exists()
