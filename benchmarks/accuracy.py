r"""Accuracy per minute: systems x data sets x seeds under the same minutes, as one table.

    python benchmarks/accuracy.py --data DATA --sets dsb2018_nuclei usiigaci_cells \
        --systems inst2d stardist2d flow2d --seeds 0 1 2 --minutes 15 --out out/accuracy

A data set is a folder with ``train/raw``, ``train/label``, ``test/raw`` and ``test/label``. A
system is the name of one of our configurations, or ``NAME=COMMAND`` for another program, whose
command is given ``{train}`` and ``{test}`` (folders with ``raw`` and ``label``), ``{minutes}``,
``{seed}`` and ``{out}``, a folder for label images named like the test images, as TIFF:

    --systems inst2d "stardist=ENV/bin/python run_stardist.py {train} {test} {minutes} {seed} {out}"

``--classes 5`` compares class images, such as those of ``sem2d``, in place of objects: the IoU of
every class over all images, and its mean with and without class 0.

``--folds 4`` never looks at the test folders: a quarter of the training images, which a seed
chooses, takes their place; defaults are chosen by that. Every score is that of all objects of a
data set together. What is finished is in ``accuracy.json`` and is not done again, so that a run of
hours can be stopped; ``accuracy.md`` is written anew after every run. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tifffile

from jaxseg import io
from jaxseg.metrics import aggregate, class_counts, iou, matching

ROOT = Path(__file__).resolve().parents[1]
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
OBJECT_SCORES = ("F1 .5", "F1 .75", "F1 .5-.95", "PQ .5")
CLASS_SCORES = ("mean IoU", "without 0")


@dataclasses.dataclass(frozen=True)
class Case:
    """One training and test: a data set, a system, a seed."""

    data: str
    system: str
    command: str
    seed: int
    minutes: float
    folds: int
    options: str
    """Of our command line, beside those that every run has."""
    classes: int = 0
    """Of class images; 0 = objects are compared."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        words = (self.data, self.system, self.seed, f"{self.minutes:g}", self.folds, self.options)
        compared = f" classes {self.classes}" if self.classes else ""
        return " ".join(map(str, words)).strip() + compared


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Everything that was asked for, seeds last, so that every system has one result early."""
    for seed in options.seeds:
        for data in options.sets:
            for text in options.systems:
                name, _, command = text.partition("=")
                ours = "" if command else options.options
                yield Case(data, name, command, seed, options.minutes, options.folds, ours,
                           options.classes)  # fmt: skip


def divided(source: Path, place: Path, case: Case) -> tuple[Path, Path]:
    """Folders to train on and to test on; for folds both are links to the training images."""
    if not case.folds:
        return source / "train", source / "test"
    pairs = io.pair_files(source / "train" / "raw", source / "train" / "label")
    order = np.random.default_rng(case.seed).permutation(len(pairs))
    held = set(order[: max(1, len(pairs) // case.folds)].tolist())
    for number, pair in enumerate(pairs):
        assert pair.labels is not None
        part = place / ("test" if number in held else "train")
        for kind, file in (("raw", pair.raw), ("label", pair.labels)):
            link = part / kind / Path(file).name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(Path(file).resolve())
    return place / "train", place / "test"


def command_of(case: Case, train: Path, test: Path, place: Path) -> list[str]:
    """The command line of a system; ours are the configurations of this repository."""
    if case.command:
        given = {"train": train, "test": test, "out": place / "labels"}
        text = case.command.format(minutes=case.minutes, seed=case.seed, **given)
        return shlex.split(text)
    return [
        sys.executable, "-m", "jaxseg.main", "--config", str(ROOT / f"configs/{case.system}.py"),
        "--name", "run", "--out", str(place), "--seed", str(case.seed),
        "--train.minutes", str(case.minutes), "--overwrite",
        "--data.train.raw", str(train / "raw"), "--data.train.labels", str(train / "label"),
        "--data.test.raw", str(test / "raw"), "--data.test.labels", str(test / "label"),
        *case.options.split(),
    ]  # fmt: skip


def scored(labels: Path, truth: Path) -> dict[str, float]:
    """Scores of all images together; an image without a result counts as missed."""
    found = []
    for file in sorted(truth.iterdir()):
        true = true_labels(file)
        found.append(matching(true, result_for(file, labels, true), thresholds=THRESHOLDS))
    pooled = [one.matching for one in aggregate(found, by_image=False)]
    f1 = [one.f1 for one in pooled]
    values = (f1[0], f1[THRESHOLDS.index(0.75)], float(np.mean(f1)), pooled[0].panoptic_quality)
    return dict(zip(OBJECT_SCORES, values, strict=True))


def class_scores(labels: Path, truth: Path, classes: int) -> dict[str, float]:
    """IoU of the classes of all images together; an image without a result is class 0."""
    whole = None
    for file in sorted(truth.iterdir()):
        true = true_labels(file)
        counts = class_counts(true, result_for(file, labels, true), classes=classes)
        whole = counts if whole is None else whole.plus(counts)
    if whole is None:
        raise RuntimeError(f"no images in {truth}")
    values = iou(whole)
    means = (float(np.nanmean(values)), float(np.nanmean(values[1:])))
    each = {f"IoU {number}": float(value) for number, value in enumerate(values)}
    return dict(zip(CLASS_SCORES, means, strict=True)) | each


def result_for(file: Path, labels: Path, true: np.ndarray) -> np.ndarray:
    """What a system made of a test image; background where it made nothing."""
    made = next(iter(sorted(labels.glob(f"{io.stem_of(file.name)}.tif*"))), None)
    return io.open_labels(made, ndim=true.ndim).array() if made else np.zeros_like(true)


def true_labels(file: Path) -> np.ndarray:
    """A TIFF of labels; of objects classes may stand beside in a second channel."""
    with tifffile.TiffFile(file) as tiff:
        axes, array = tiff.series[0].axes, tiff.asarray()
    return array.take(0, axis=axes.index("C")) if "C" in axes else array


def run(case: Case, data: Path, out: Path) -> dict[str, object]:
    """Train, predict, and compare; the row of the table.

    Raises
    ------
    RuntimeError : the system failed; its output is in ``log.txt``
    """
    place = out / case.key.replace(" ", "_").replace("/", "_")
    place.mkdir(parents=True, exist_ok=True)
    train, test = divided(data / case.data, place / "images", case)
    begun, log = time.monotonic(), place / "log.txt"
    with log.open("w") as file:
        done = subprocess.run(
            command_of(case, train, test, place), stdout=file, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{case.key} ended with {done.returncode}, see {log}")
    kind = "binarized" if case.classes else "instances"
    ours = place / f"run/results/run_1/per_image_{kind}"
    made = place / "labels" if case.command else ours
    row = dataclasses.asdict(case) | {"seconds": time.monotonic() - begun}
    if case.classes:
        return row | class_scores(made, test / "label", case.classes)
    return row | scored(made, test / "label")


def table(rows: list[dict], machine: dict[str, str], scores: tuple[str, ...]) -> str:
    """The means over seeds as Markdown, the best of a data set in bold."""
    lines = [
        "# Accuracy per minute",
        "",
        ", ".join(f"{name} {value}" for name, value in machine.items()),
        "",
        f"| data | images | system | minutes | seeds | {' | '.join(scores)} | all, min |",
        "|" + "---|" * (6 + len(scores)),
    ]
    groups: dict[tuple, list[dict]] = {}
    for row in (row for row in rows if scores[0] in row):
        system = f"{row['system']} {row['options']}".strip()
        group = (row["data"], row["folds"], row["minutes"], system)
        groups.setdefault(group, []).append(row)
    means = {
        group: [float(np.mean([row[name] for row in found])) for name in scores]
        for group, found in groups.items()
    }
    for (data, folds, minutes, system), found in sorted(groups.items()):
        rivals = [value for group, value in means.items() if group[:3] == (data, folds, minutes)]
        cells = [
            f"**{value:.3f}**" if value >= max(column) else f"{value:.3f}"
            for value, column in zip(
                means[data, folds, minutes, system], zip(*rivals, strict=True), strict=True
            )
        ]
        images = f"1/{folds} of train" if folds else "test"
        spent = np.mean([row["seconds"] for row in found]) / 60
        lines.append(
            f"| {data} | {images} | {system} | {minutes:g} | {len(found)} | {' | '.join(cells)} |"
            f" {spent:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Do what is not done yet; the exit code is 1 if a system failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--systems", nargs="+", default=["inst2d"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--classes", type=int, default=0, help="compare class images of so many")
    parser.add_argument("--options", default="", help="more of our own command line")
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file, failed = options.out / "accuracy.json", False
    stored = json.loads(file.read_text()) if file.exists() else {"rows": {}}
    stored["machine"] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "jaxseg": version("jaxseg"),
    }
    for case in cases(options):
        if case.key in stored["rows"]:
            continue
        try:
            stored["rows"][case.key] = run(case, options.data, options.out)
        except RuntimeError as error:
            failed = True
            print(error, file=sys.stderr)
            continue
        io.write_json(file, stored)
        scores = CLASS_SCORES if case.classes else OBJECT_SCORES
        text = table(list(stored["rows"].values()), stored["machine"], scores)
        (options.out / f"accuracy{'_classes' * bool(case.classes)}.md").write_text(text)
        print(case.key, {name: round(stored["rows"][case.key][name], 3) for name in scores})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
