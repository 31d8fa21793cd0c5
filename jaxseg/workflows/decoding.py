"""The decoding phase: predicted planes to instances, or to classes, with their measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxseg import io, runs
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.decoding import classes, watershed_steps
from jaxseg.errors import ConfigError
from jaxseg.measurements import measure
from jaxseg.progress import progress
from jaxseg.runs import Run
from jaxseg.workflows.blocks import classes_by_blocks
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.prediction import planes_path

FOLDERS = {"instances": "per_image_instances", "semantic": "per_image_binarized"}


def labels_path(config: Config, run: Run, sample: Sample) -> Path:
    """Where the decoded labels of an image are; by blocks they are stored in chunks."""
    suffix = ".zarr" if config.blocks.size else ".tif"
    return run.results / FOLDERS[config.task] / f"{sample.name}{suffix}"


def decode_images(config: Config, run: Run, samples: Samples) -> None:
    """Decode every test image; images that are done already are passed over."""
    upstream = runs.claimed(run, "predict")
    if not upstream:
        raise ConfigError(
            "nothing was predicted yet", file=run.results, fix="--phases predict decode evaluate"
        )
    runs.refuse_other_way(run, ("instance_creation", "instance_merging"), config)
    digest = runs.claim(run, "decode", config, upstream)
    with progress("decode") as advance:
        for number, sample in enumerate(samples["test"], start=1):
            _decode_one(config, run, sample, digest)
            advance(number, len(samples["test"]))


def _decode_one(config: Config, run: Run, sample: Sample, digest: str) -> None:
    """Read the planes of one image and write what they show."""
    source, path = planes_path(run, sample), labels_path(config, run, sample)
    if not source.exists():
        raise ConfigError("this image was not predicted", file=source, fix="--phases predict")
    if config.blocks.size:
        planes = io.open_image(source, ndim=config.ndim)
        classes_by_blocks(config, run, sample, planes, {"decode": digest}, path)
        return
    state = {"digest": digest, "input": runs.fingerprint(source)}
    if runs.is_done(run, "decode", sample.name, state, [path]):
        return
    values = io.open_image(source, ndim=config.ndim).array().astype(np.float32, copy=False)
    write = _write_classes if config.task == "semantic" else _write_instances
    write(config, run, sample, values, path)
    runs.mark_done(run, "decode", sample.name, state)


def _write_classes(
    config: Config, run: Run, sample: Sample, planes: np.ndarray, path: Path
) -> None:
    """Write the class of every voxel."""
    spacing = sample.image.spacing
    found = classes(planes, config.channels, threshold=config.semantic.threshold)
    io.write_labels_zarr(path.with_suffix(".zarr"), found, spacing=spacing)
    io.write_labels_tiff(path, found, spacing=spacing)


def _write_instances(
    config: Config, run: Run, sample: Sample, planes: np.ndarray, path: Path
) -> None:
    """Write the objects, their measurements and the steps that led to them."""
    spacing = sample.image.spacing
    steps = watershed_steps(planes, config.channels, spacing=spacing, options=config.watershed)
    if config.watershed.check_files:
        folder = run.results / "watershed" / sample.name
        io.write_labels_tiff(folder / "seed_map.tif", steps.seeds, spacing=spacing)
        io.write_labels_tiff(folder / "semantic.tif", steps.mask.astype(np.uint8), spacing=spacing)
        surface = steps.surface.astype(np.float32)[..., None]
        io.write_image_tiff(folder / "foreground.tif", surface, spacing=spacing)
    table = measure(steps.labels, spacing=spacing, intensity=sample.image.array())
    io.write_csv(path.with_name(f"{sample.name}_full_stats.csv"), table)
    io.write_labels_zarr(path.with_suffix(".zarr"), steps.labels, spacing=spacing)
    io.write_labels_tiff(path, steps.labels, spacing=spacing)
