"""A project whose objects are processed after decoding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from skimage.segmentation import find_boundaries

from jaxseg import io
from jaxseg.config import (
    Config,
    Data,
    Evaluate,
    PostProcess,
    Source,
    Watershed,
    ch,
)
from jaxseg.config.load import from_plain, to_plain
from jaxseg.runs import manifest as runs
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.workflows import evaluate, process
from support.entered import by_hand
from support.synthetic_objects import touching_balls

SHAPES = {2: (48, 52), 3: (14, 40, 36)}


NAMES = ("one", "two")


class Project:
    """Images, labels and perfect planes on disk, and what a configuration makes of them."""

    def __init__(self, root: Path, ndim: int, task: str = "instances") -> None:
        self.root, self.ndim = root, ndim
        self.spacing = (1.0, 0.25, 0.25)[-ndim:]
        channels = (ch("F"), ch("C")) if task == "instances" else (ch("S"),)
        source = Source(raw=str(root / "raw"), labels=str(root / "labels"))
        self.config = Config(
            name="post", task=task, ndim=ndim, channels=channels, out=str(root / "out"),
            patch=(16,) * ndim, data=Data(test=source, spacing=self.spacing),
            phases=("decode", "evaluate"), watershed=Watershed(check_files=False),
        )  # fmt: skip
        self.truth = {}
        for number, name in enumerate(NAMES):
            rng = np.random.default_rng(number)
            radii = (3, 9) if ndim == 2 else (2, 4)
            labels = touching_balls(rng, SHAPES[ndim], count=8, radii=radii).astype(np.uint16)
            labels = labels if task == "instances" else (labels > 0).astype(np.uint16)
            self.truth[name] = labels
            image = (200 * (labels > 0) + rng.normal(50, 5, labels.shape)).astype(np.float32)
            self.write("raw", name, image)
            self.write("labels", name, labels)

    def write(self, folder: str, name: str, array: np.ndarray) -> None:
        path = self.root / folder / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, array, metadata={"axes": "ZYX"[-array.ndim :]})

    def planes(self, name: str) -> np.ndarray:
        labels = self.truth[name]
        planes = [labels > 0]
        if self.config.task == "instances":
            planes.append(find_boundaries(labels, mode="inner"))
        return np.stack(planes, axis=-1).astype(np.float32)

    def run(
        self, run: str, *, names: tuple[str, ...] = ("one",), compare: bool = False, **options: Any
    ) -> Path:
        """Decode some images, and evaluate them, with these options; the folder of results."""
        coloured = Evaluate(coloured=(0.5,))
        config = replace(
            self.config, run=run, postprocess=PostProcess(**options), evaluate=coloured
        )
        assert not check(config)
        assert from_plain(json.loads(json.dumps(to_plain(config)))) == config
        folders = runs.open_run(config)
        samples, problems = open_data(config)
        assert not problems
        samples = {"test": tuple(one for one in samples["test"] if one.name in names)}
        for sample in samples["test"]:
            planes = self.planes(sample.name)
            with io.create_planes(
                folders.planes(sample.name), shape=planes.shape, chunks=planes.shape,
                dtype="float32", spacing=self.spacing,
                channel_names=tuple(map(str, range(planes.shape[-1]))),
            ) as stored:  # fmt: skip
                stored[...] = planes
        by_hand(folders.results)
        process(config, folders, samples)
        if compare:
            evaluate(config, folders, samples)
        return folders.results


RAW = "per_image_instances"


POST = "per_image_post_processing"
