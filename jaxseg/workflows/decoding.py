"""The decoding phase: predicted planes to instances, or to classes, with their measurements."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxseg import io
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.decoding import decoder_of, run_decoder
from jaxseg.errors import ConfigError
from jaxseg.geometry import Box
from jaxseg.progress import progress
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import classes_by_blocks, read_planes, stage_folder
from jaxseg.workflows.classes import classes_of
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.object_classes import write_classes
from jaxseg.workflows.planes import smooth_planes
from jaxseg.workflows.postprocessing import (
    confined,
    filtered,
    measured,
    post_path,
    write_post_processed,
)
from jaxseg.workflows.prediction import planes_path
from jaxseg.workflows.readiness import await_planes
from jaxseg.workflows.regions import open_region, region_of, region_version

FOLDERS = {"instances": "per_image_instances", "semantic": "per_image_binarized"}


def labels_path(config: Config, run: Run, sample: Sample) -> Path:
    """Where the decoded labels of an image are; by blocks they are stored in chunks."""
    suffix = ".zarr" if config.blocks.decodes else ".tif"
    return run.results / FOLDERS[config.task] / f"{sample.name}{suffix}"


def decode_images(config: Config, run: Run, samples: Samples) -> None:
    """Decode every test image; images that are done already are passed over.

    Raises
    ------
    ConfigError : an image that is not predicted, or was decoded by blocks
    Interrupted : other jobs have not predicted all their blocks yet
    """
    upstream = runs.claimed(run, "predict")
    if not upstream:
        raise ConfigError(
            "nothing was predicted yet", file=run.results, fix="--phases predict decode evaluate"
        )
    runs.refuse_other_way(run, ("instance_creation", "instance_merging"), config)
    await_planes(config, run, samples["test"])
    digest = runs.claim(run, "decode", config, upstream)
    with progress("decode") as advance:
        for number, sample in enumerate(samples["test"], start=1):
            _decode_one(config, run, sample, digest)
            advance(number, len(samples["test"]))


def _decode_one(config: Config, run: Run, sample: Sample, digest: str) -> None:
    """Read the planes of one image and write what they show."""
    source, path = planes_path(run, sample), labels_path(config, run, sample)
    if config.blocks.decodes:
        _classes_by_blocks(config, run, sample, digest)
        return
    if (stage_folder(run, "decode", sample) / "ledger.json").exists():
        raise ConfigError(
            "classes made by blocks lie here", file=path.parent, fix="--run ANOTHER_NAME"
        )
    state = {"digest": digest, "input": runs.fingerprint(source)}
    state |= region_version(config, sample)
    after = post_path(config, run, sample)
    outputs = [path, *([after] if after else [])]
    if runs.is_done(run, "decode", sample.name, state, outputs):
        return
    with runs.redone_if_damaged(run, "predict", sample.name):
        values = io.open_image(source, ndim=config.ndim).array().astype(np.float32, copy=False)
    write = _write_classes if config.task == "semantic" else _write_instances
    write(config, run, sample, values, path)
    runs.mark_done(run, "decode", sample.name, state, outputs)


def _classes_by_blocks(config: Config, run: Run, sample: Sample, digest: str) -> None:
    """Write the class of every voxel of this job's blocks, before and after post-processing."""
    planes = io.open_image(planes_path(run, sample), ndim=config.ndim)
    after, region = post_path(config, run, sample), open_region(config, sample)
    values = {"decode": digest} | region_version(config, sample)
    smooth = smooth_planes(config, planes)

    find = functools.partial(classes_of, config)

    def plain(box: Box) -> np.ndarray:
        return find(read_planes(planes, box))

    def processed(box: Box) -> np.ndarray:
        inside = None if region is None else region.read(box.start, box.stop) > 0
        return confined(find(smooth(box)), inside)

    write = functools.partial(classes_by_blocks, config, run, sample, planes, values)
    write(labels_path(config, run, sample), stage="decode", find=plain)
    if after is not None:
        write(after, stage="decode_post-proc", find=processed)


def _write_classes(
    config: Config, run: Run, sample: Sample, planes: np.ndarray, path: Path
) -> None:
    """Write the class of every voxel."""
    spacing = sample.image.spacing
    found = classes_of(config, planes)
    io.write_labels_zarr(path.with_suffix(".zarr"), found, spacing=spacing)
    io.write_labels_tiff(path, found, spacing=spacing)
    after = post_path(config, run, sample)
    if after is None:
        return
    smooth = filtered(config, planes, spacing=spacing)
    found = classes_of(config, smooth)
    found = confined(found, region_of(config, sample))
    io.write_labels_zarr(after.with_suffix(".zarr"), found, spacing=spacing)
    io.write_labels_tiff(after, found, spacing=spacing)


def _write_instances(
    config: Config, run: Run, sample: Sample, planes: np.ndarray, path: Path
) -> None:
    """Write the objects, their measurements and the steps that led to them."""
    spacing, region = sample.image.spacing, region_of(config, sample)
    planes = filtered(config, planes, spacing=spacing)
    name = decoder_of(config.channels, config.decoder)
    labels, steps = run_decoder(
        planes,
        config.channels,
        spacing=spacing,
        decoder=name,
        options=getattr(config, name),
        within=region,
    )
    for step, image in steps.items():
        _write_step(run.results / name / sample.name / f"{step}.tif", image, spacing)
    table = measured(config, sample, labels, planes, judged=not config.postprocess.reshapes)
    write_classes(config, path, labels, table, spacing=spacing)
    io.write_csv(path.with_name(f"{sample.name}_full_stats.csv"), table)
    after = post_path(config, run, sample)
    if after is not None:
        write_post_processed(config, sample, labels, planes, after, table=table, region=region)
    io.write_labels_zarr(path.with_suffix(".zarr"), labels, spacing=spacing)
    io.write_labels_tiff(path, labels, spacing=spacing)


def _write_step(path: Path, image: np.ndarray, spacing: Sequence[float]) -> None:
    """A picture of one step, labels or values."""
    if image.dtype.kind == "f":
        io.write_image_tiff(path, image[..., None], spacing=spacing)
    else:
        io.write_labels_tiff(path, image, spacing=spacing)
