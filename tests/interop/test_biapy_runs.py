"""Public configuration files of BiaPy run to the end on small images in the documented tree."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from support.small_runs import discs

from jaxseg.cli.app import main
from jaxseg.config.yaml_file import read_yaml
from jaxseg.interop.biapy.translation import translate

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]

ROOTS = Path(__file__).resolve().parents
CASES = next((root / "shared" / "cases" / "yaml" for root in ROOTS
              if (root / "shared" / "cases" / "yaml").is_dir()), Path("nowhere"))  # fmt: skip
# Without a training they need weights that are not among the files.
FILES = [
    path
    for kind in ("semantic_segmentation", "instance_segmentation", "detection")
    for path in sorted((CASES / kind).glob("*.yaml"))
    if "LOAD_CHECKPOINT: true" not in path.read_text().replace("True", "true")
    and "SOURCE: bmz" not in path.read_text()
]


def write_tree(root: Path, ndim: int, *, task: str) -> None:
    """Images and labels with names that differ by what their folders share; masks of 0 and 255.

    Of points the tables have the names of the images.
    """
    shape = (40, 48) if ndim == 2 else (16, 40, 48)
    for part, name, seeds in (("train", "training", (1, 2, 3)), ("test", "testing", (4, 5))):
        for number, seed in enumerate(seeds, 1):
            image, labels = discs(shape, seed)
            if task == "detection":
                write_points(root / part / "label" / f"{name}-{number:04d}.csv", labels)
                write_image(root / part / "raw" / f"{name}-{number:04d}.tif", image)
                continue
            labels = (labels > 0).astype("uint8") * 255 if task == "semantic" else labels
            for folder, kind, array in (("raw", "", image), ("label", "_groundtruth", labels)):
                write_image(root / part / folder / f"{name}{kind}-{number:04d}.tif", array)


def write_image(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, metadata={"axes": "ZYX"[-array.ndim :]})


def write_points(path: Path, labels: np.ndarray) -> None:
    """The middles of objects, as the documents have them: whole numbers, after an index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    middles = np.rint([np.argwhere(labels == one).mean(0) for one in np.unique(labels)[1:]])
    columns = [f"axis-{axis}" for axis in range(labels.ndim)]
    pd.DataFrame(middles.astype(int), columns=columns).to_csv(path, index_label="index")


def with_paths(text: str, root: Path) -> str:
    """A file whose folders are those of a tree."""
    part, lines = "", []
    for line in text.splitlines():
        section = re.match(r"^(\s*)(\w+):\s*$", line)
        if section:
            part = section[2] if section[1] and section[2] in ("TRAIN", "VAL", "TEST") else part
        path = re.match(r"^(\s*)(PATH|GT_PATH|MASK_PATH):", line)
        if path:
            folder = "raw" if path[2] == "PATH" else "label"
            line = f"{path[1]}{path[2]}: {root}/{'test' if part == 'TEST' else 'train'}/{folder}"
        lines.append(line)
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*masks of 0 and 255")
@pytest.mark.parametrize("path", FILES or [None], ids=lambda path: path.stem if path else "none")
def test_a_public_file_runs_to_the_end(path: Path | None, tmp_path: Path) -> None:
    if path is None:
        pytest.skip("the public configuration files are not here")
    document = read_yaml(path)
    config = translate(document).config()
    write_tree(tmp_path, config.ndim, task=config.task)
    job = tmp_path / path.name
    job.write_text(with_paths(path.read_text(), tmp_path))
    # As deep as the network halves it.
    depth = "16" if config.task == "detection" else "8"
    size = ["32", "32"] if config.ndim == 2 else [depth, "32", "32"]
    halo = ["4", "4"] if config.ndim == 2 else ["1", "4", "4"]
    narrow = ["4"] * len(config.model.features)
    words = ["run", "--config", str(job), "--result_dir", str(tmp_path / "out"), "--name", "small"]
    words += ["--train.epochs", "1", "--train.steps", "1", "--train.batch", "2", "--patch", *size]
    words += ["--predict.tile", *size, "--predict.halo", *halo, "--model.features", *narrow]
    if config.task == "detection":
        # In one step nothing is learned that reaches a threshold.
        words += ["--detection.threshold", "0.01"]
    assert main(words) == 0
    results = tmp_path / "out" / "small" / "results" / "small_1"
    assert len(pd.read_csv(results / "train_logs" / "log.csv")) == 1
    if "predict" in config.phases:
        planes = {
            store.stem
            for store in (
                results / ("full_image" if config.predict.full_image else "per_image")
            ).glob("*.zarr")
        }
        assert planes == {"testing-0001", "testing-0002"}
    if "evaluate" in config.phases:
        assert len(pd.read_csv(results / "test_results_metrics.csv")) > 2
    if config.task == "detection":
        assert len(list((results / "per_image_points").glob("testing-*.csv"))) == 2
        assert set(pd.read_csv(results / "all_points.csv").file) <= planes


ZARR = """
PROBLEM: {TYPE: DETECTION, NDIM: 3D,
          DETECTION: {CENTRAL_POINT_DILATION: [1], CHECK_POINTS_CREATED: False}}
DATA:
  PATCH_SIZE: (20, 128, 128, 2)
  NORMALIZATION: {PERC_CLIP: True, PERC_LOWER: 0.1, PERC_UPPER: 99.5}
  TRAIN: {INPUT_IMG_AXES_ORDER: ZYXC, MINIMUM_FOREGROUND_PER: 0.000000000000001,
          PATH: ROOT/train/raw, GT_PATH: ROOT/train/label, IN_MEMORY: False}
  VAL: {FROM_TRAIN: True, IN_MEMORY: False, SPLIT_TRAIN: 0.1}
  TEST: {RESOLUTION: "(1,1,1)", PATH: ROOT/test/raw, GT_PATH: ROOT/test/label, IN_MEMORY: False,
         LOAD_GT: True, PADDING: "(4,32,32)"}
AUGMENTOR: {DA_PROB: 0.5, ENABLE: True, RANDOM_ROT: True, AFFINE_MODE: reflect, VFLIP: True,
            HFLIP: True, ZFLIP: True, BRIGHTNESS: True, BRIGHTNESS_FACTOR: "(-0.1, 0.1)",
            ELASTIC: True}
MODEL: {ARCHITECTURE: resunet, Z_DOWN: [1, 1, 1, 1], LOAD_CHECKPOINT: False}
LOSS: {CLASS_REBALANCE: True}
TRAIN: {ENABLE: True, OPTIMIZER: ADAMW, LR: 1.E-4, BATCH_SIZE: 2, EPOCHS: 1000, PATIENCE: 100,
        LR_SCHEDULER: {NAME: warmupcosine, MIN_LR: 5.E-6, WARMUP_COSINE_DECAY_EPOCHS: 30}}
TEST:
  ENABLE: True
  BY_CHUNKS: {FORMAT: Zarr, ENABLE: True, SAVE_OUT_TIF: False, INPUT_IMG_AXES_ORDER: ZYXC,
              WORKFLOW_PROCESS: {ENABLE: True, TYPE: chunk_by_chunk}}
  DET_TOLERANCE: [5]
  DET_MIN_TH_TO_BE_PEAK: [0.20]
  POST_PROCESSING: {REMOVE_CLOSE_POINTS: True, REMOVE_CLOSE_POINTS_RADIUS: [4.0]}
"""


@pytest.mark.slow
def test_points_of_zarr_volumes_by_chunks(tmp_path: Path) -> None:
    """Options such as those of the public tutorial for cells in Zarr volumes of two channels."""
    for part, seeds in (("train", (1, 2)), ("test", (3,))):
        for seed in seeds:
            image, labels = discs((16, 40, 48), seed)
            write_points(tmp_path / part / "label" / f"v{seed}.csv", labels)
            store = tmp_path / part / "raw" / f"v{seed}.zarr"
            zarr.save_array(store, np.stack([image, image[::-1]], axis=-1))
    job = tmp_path / "job.yaml"
    job.write_text(ZARR.replace("ROOT", str(tmp_path)))
    words = ["run", "--config", str(job), "--result_dir", str(tmp_path / "out"), "--name", "small"]
    words += ["--train.epochs", "1", "--train.steps", "1", "--train.warmup", "0"]
    words += ["--patch", "8", "32", "32", "--predict.tile", "8", "32", "32"]
    words += ["--predict.halo", "1", "4", "4", "--blocks.size", "8", "32", "32"]
    words += ["--detection.threshold", "0.01", "--model.features", "4", "4", "4", "4", "4"]
    assert main(words) == 0
    results = tmp_path / "out" / "small" / "results" / "small_1"
    assert list(pd.read_csv(results / "test_results_metrics.csv").file) == ["v3", "all points"]
    found = pd.read_csv(results / "per_image_points" / "v3.csv")
    places = found[["axis-0", "axis-1", "axis-2"]].to_numpy()
    close = np.linalg.norm(places[:, None] - places[None], axis=-1) <= 4
    assert close.sum() == len(places)
