"""Post-processing within the decoding phase; raw objects and classes stay as they were decoded.

Median filters and masks act on the planes before objects are decoded. What is done to objects is
written to a folder of its own, with the same ids, beside a table of all objects that says which
were removed for their measurements, and a table of those that stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from jaxseg import io
from jaxseg.channels import columns, has_both
from jaxseg.config import Config, Watershed, decoder_for
from jaxseg.config.properties import extra_names
from jaxseg.config.rules.postprocessing import MASKS, property_problems
from jaxseg.data import Sample
from jaxseg.decoding import object_classes, plan
from jaxseg.decoding.watershed.growth import growth_mask
from jaxseg.errors import JaxsegError
from jaxseg.labels.conditions import judge, remove_judged, survivors
from jaxseg.labels.objects import fill_holes
from jaxseg.labels.refine import refine
from jaxseg.labels.repair import repair_large
from jaxseg.labels.voronoi import voronoi as fill_mask
from jaxseg.measure import extra_problems, measure
from jaxseg.prediction.median import median_filters
from jaxseg.runs.manifest import Run
from jaxseg.workflows.object_classes import write_classes
from jaxseg.workflows.regions import region_problems


def post_path(config: Config, run: Run, sample: Sample) -> Path | None:
    """Where the post-processed labels of an image are; None where nothing is done to them."""
    options = config.postprocess
    on_classes = config.task == "semantic" and bool(options.filters or options.masks)
    if not (options.changes_objects or on_classes):
        return None
    suffix = ".zarr" if config.blocks.decodes else ".tif"
    return run.results / "per_image_post_processing" / f"{sample.name}{suffix}"


def filtered(config: Config, planes: np.ndarray, *, spacing: Sequence[float]) -> np.ndarray:
    """Planes after all median filters; noise stays as it is.

    Filtered noise looks like objects: whether planes show any is told before.

    Parameters
    ----------
    config : of the run
    planes : (*S, K) of all channels
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    (*S, K) of the same type
    """
    filters = config.postprocess.filters
    if not filters or (config.task == "instances" and _show_noise(config, planes, spacing)):
        return planes
    return median_filters(planes, filters)


def _show_noise(config: Config, planes: np.ndarray, spacing: Sequence[float]) -> bool:
    """Whether the watershed finds no place for objects; other decoders have no such test."""
    names = [channel.name for channel in config.channels]
    decoder = decoder_for(names) if config.decoder == "auto" else config.decoder
    if decoder != "watershed":
        return False
    chosen = plan(config.channels, ndim=config.ndim, spacing=spacing, options=config.watershed)
    return not growth_mask(planes, chosen.growth).any()


def confined(labels: np.ndarray, region: np.ndarray | None) -> np.ndarray:
    """Labels without what lies outside a region."""
    return labels if region is None else np.where(region, labels, 0)


def measured(
    config: Config, sample: Sample, labels: np.ndarray, planes: np.ndarray, *, judged: bool = True
) -> pd.DataFrame:
    """The table of measurements, and of classes, judged where objects are to be removed."""
    table = measure(
        labels,
        spacing=sample.image.spacing,
        intensity=sample.image.array(),
        extra=config.postprocess.properties,
    )
    if has_both(config.channels):
        table.insert(1, "class", object_classes(labels, planes, config.channels))
    groups = config.postprocess.remove if judged else ()
    return judge(table, groups) if groups else table


def reshaped(
    config: Config,
    labels: np.ndarray,
    planes: np.ndarray,
    *,
    spacing: Sequence[float],
    region: np.ndarray | None = None,
) -> np.ndarray:
    """Objects after refinement, repair and tessellation.

    Parameters
    ----------
    config : of the run
    labels : (*S) decoded objects
    planes : (*S, K) that they were decoded from
    spacing : size of a voxel, (z)yx, µm
    region : (*S) bool, where results may be; None = everywhere

    Returns
    -------
    (*S) labels of the same type and ids
    """
    repair, fill = config.postprocess.repair, config.postprocess.voronoi
    labels = refine(labels, config.postprocess.refine, spacing=spacing)
    if repair.size:
        labels = repair_large(
            labels, repair.size, contact=repair.contact, contained=repair.contained
        )
    labels = confined(labels, region)
    if fill.mode != "none":
        # Objects keep their voxels even where the channel does not show them.
        mask = voronoi_mask(config, planes, spacing=spacing) | (labels > 0)
        mask = mask if region is None else mask & region
        labels = fill_mask(labels, mask, spacing=spacing, mode=fill.mode, islands=fill.islands)
    return labels


def voronoi_mask(config: Config, planes: np.ndarray, *, spacing: Sequence[float]) -> np.ndarray:
    """Where one channel says that objects are, without holes.

    Parameters
    ----------
    config : of the run
    planes : (*S, K) of all channels
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    (*S) bool
    """
    options, ndim = config.postprocess.voronoi, config.ndim
    channels = {channel.name: channel for channel in config.channels}
    name = options.channel or next(name for name in MASKS if name in channels)
    own = planes[..., columns(config.channels, ndim)[name]]
    given = () if options.threshold == "rule" else (options.threshold,)
    chosen = plan(
        [channels[name]],
        ndim=ndim,
        spacing=spacing,
        options=Watershed(growth=(name,), growth_thresholds=given),
    )
    mask = growth_mask(own, chosen.growth)
    return fill_holes(mask.astype(np.uint8)) > 0


def write_post_processed(
    config: Config,
    sample: Sample,
    labels: np.ndarray,
    planes: np.ndarray,
    path: Path,
    *,
    table: pd.DataFrame,
    region: np.ndarray | None = None,
) -> None:
    """Post-process the objects of one image and write them with their tables.

    Parameters
    ----------
    config, sample : of the run and the image
    labels : (*S) decoded objects
    planes : (*S, K) that they were decoded from
    path : TIFF file to write; the Zarr and the tables lie beside it
    table : measurements of the decoded objects, judged if these are the ones to be judged
    region : (*S) bool, where results may be; None = everywhere
    """
    spacing = sample.image.spacing
    if config.postprocess.reshapes:
        labels = reshaped(config, labels, planes, spacing=spacing, region=region)
        table = measured(config, sample, labels, planes)
    io.write_csv(path.with_name(f"{sample.name}_full_stats.csv"), table)
    if config.postprocess.remove:
        kept = survivors(table)
        io.write_csv(path.with_name(f"{sample.name}_filtered_stats.csv"), kept)
        labels = remove_judged(labels, table)
    write_classes(config, path, labels, table, spacing=spacing)
    io.write_labels_zarr(path.with_suffix(".zarr"), labels, spacing=spacing)
    io.write_labels_tiff(path, labels, spacing=spacing)


def postprocessing_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """What of the post-processing does not suit the images, before any compute.

    Parameters
    ----------
    config : of the run; what is wrong whatever the images are is not told again
    samples : to be decoded
    """
    options, ndim = config.postprocess, config.ndim
    extra = [name for name in options.properties if name in extra_names(ndim)]
    names = {
        f"postprocess.remove.{number}.{index}.name": one.name
        for number, group in enumerate(options.remove)
        for index, one in enumerate(group)
        if not any(property_problems(one.name, "", ndim, extra=extra))
    }
    problems = region_problems(config, samples)
    for sample in samples:
        problems += extra_problems(extra, spacing=sample.image.spacing)
        for field, name in names.items():
            problems += property_problems(
                name, field, ndim, extra=extra, channels=sample.image.channels
            )
    return list({str(problem): problem for problem in problems}.values())
