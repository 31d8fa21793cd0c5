"""Public configuration files of BiaPy run to the end on small images in the documented tree."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import tifffile
from support.small_runs import discs

from jaxseg.cli.app import main
from jaxseg.config.yaml_file import read_yaml
from jaxseg.interop.biapy.translation import translate

pytestmark = pytest.mark.full

ROOTS = Path(__file__).resolve().parents
CASES = next((root / "shared" / "cases" / "yaml" for root in ROOTS
              if (root / "shared" / "cases" / "yaml").is_dir()), Path("nowhere"))  # fmt: skip
# Without a training they need weights that are not among the files.
FILES = [
    path
    for kind in ("semantic_segmentation", "instance_segmentation")
    for path in sorted((CASES / kind).glob("*.yaml"))
    if "LOAD_CHECKPOINT: true" not in path.read_text().replace("True", "true")
    and "SOURCE: bmz" not in path.read_text()
]


def write_tree(root: Path, ndim: int, *, classes: bool) -> None:
    """Images and labels with names that differ by what their folders share; masks of 0 and 255."""
    shape = (40, 48) if ndim == 2 else (16, 40, 48)
    for part, name, seeds in (("train", "training", (1, 2, 3)), ("test", "testing", (4, 5))):
        for number, seed in enumerate(seeds, 1):
            image, labels = discs(shape, seed)
            labels = (labels > 0).astype("uint8") * 255 if classes else labels
            for folder, kind, array in (("raw", "", image), ("label", "_groundtruth", labels)):
                path = root / part / folder / f"{name}{kind}-{number:04d}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, array, metadata={"axes": "ZYX"[-ndim:]})


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
    write_tree(tmp_path, config.ndim, classes=config.task == "semantic")
    job = tmp_path / path.name
    job.write_text(with_paths(path.read_text(), tmp_path))
    size = ["32", "32"] if config.ndim == 2 else ["8", "32", "32"]
    halo = ["4", "4"] if config.ndim == 2 else ["1", "4", "4"]
    narrow = ["4"] * len(config.model.features)
    words = ["run", "--config", str(job), "--result_dir", str(tmp_path / "out"), "--name", "small"]
    words += ["--train.epochs", "1", "--train.steps", "1", "--train.batch", "2", "--patch", *size]
    words += ["--predict.tile", *size, "--predict.halo", *halo, "--model.features", *narrow]
    assert main(words) == 0
    results = tmp_path / "out" / "small" / "results" / "small_1"
    assert len(pd.read_csv(results / "train_logs" / "log.csv")) == 1
    if "predict" in config.phases:
        planes = {store.stem for store in (results / "per_image").glob("*.zarr")}
        assert planes == {"testing-0001", "testing-0002"}
    if "evaluate" in config.phases:
        assert len(pd.read_csv(results / "test_results_metrics.csv")) > 2
