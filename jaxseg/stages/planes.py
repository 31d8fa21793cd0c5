"""What objects and classes are decoded from: predicted planes, filtered or not, and masks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import channels as table
from jaxseg import io
from jaxseg.blocks.stage import Output, Results, Stage, View
from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.data import Sample, Stacked
from jaxseg.errors import InputError
from jaxseg.geometry import Box
from jaxseg.prediction.median import median_filters
from jaxseg.runs.division import division_of_planes
from jaxseg.runs.layout import Work
from jaxseg.volume import Readable, Volume

PREDICT = "predict"


def stored_planes(config: Config) -> tuple[tuple[str, ...], str]:
    """Names and element type of the planes that a prediction writes.

    >>> from jaxseg.config import Predict, ch
    >>> stored_planes(
    ...     Config(
    ...         task="semantic", channels=(ch("S", classes=3),), predict=Predict(classes_only=True)
    ...     )
    ... )
    (('class',), 'uint8')
    """
    if config.predict.classes_only:
        # The largest value marks voxels whose planes are not finite.
        options = config.channels[0].options
        assert isinstance(options, Semantic)  # the configuration was checked
        return ("class",), np.min_scalar_type(options.classes).name
    return table.columns(config.channels, config.ndim).names, config.predict.dtype


def predicted(work: Work, **options: Any) -> Stage:
    """The stage that predicts the planes of an image.

    Parameters
    ----------
    work : which image
    options : ``stream`` and ``values`` of the stage, where it is to be done and not only read
    """
    names, dtype = stored_planes(work.config)
    chunks = options.pop("chunks", ())
    output = Output(
        spacing=work.spacing, dtype=dtype, target=work.planes, channels=names, chunks=chunks,
        what="planes", word="predicted",
    )  # fmt: skip
    grid = division_of_planes(work.config).grid(work.shape)
    return Stage(name=PREDICT, phase=PREDICT, grid=grid, output=output, done="predicted", **options)


def planes_of(work: Work, predicted: Stage) -> View:
    """The planes as they were predicted, (*S, K) float32."""

    def read(box: Box, results: Results) -> np.ndarray:
        return results[predicted].array[box.slices].astype(np.float32, copy=False)

    return View(name="planes", shape=work.shape, read=read, needs=(predicted,))


def made_of(work: Work) -> View:
    """The planes that results are made of: as predicted, and of a stack those of all its images."""
    if not work.sample.parts:
        return planes_of(work, predicted(work))
    paths = {f"planes of {one.name}": work.run.planes(one.name) for one in work.sample.parts}

    @functools.cache
    def stack() -> Stacked:
        return Stacked(tuple(io.open_image(path, ndim=2).data for path in paths.values()))

    def read(box: Box, results: Results) -> np.ndarray:
        return stack()[box.slices].astype(np.float32, copy=False)

    return View(name="planes", shape=work.shape, read=read, reads=lambda: paths)


def filtered_planes(work: Work, planes: View) -> View:
    """The planes after all median filters: a box is read with as much around it as they look at."""
    filters = work.config.postprocess.filters
    if not filters:
        return planes
    margin = [
        sum(one.size // 2 for one in filters if axis in one.axes)
        for axis in "zyx"[-work.config.ndim :]
    ]

    def read(box: Box, results: Results) -> np.ndarray:
        wide = box.grown(margin, work.shape)
        found = median_filters(results[planes].array[wide.slices], filters)
        return found[box.relative_to(wide.start).slices]

    return View(name="filtered planes", shape=work.shape, read=read, needs=(planes,))


def planes_as_tiff(work: Work) -> None:
    """Write the planes that were predicted as TIFF beside their store, if that is asked for."""
    target = work.planes.with_suffix(".tif")
    if work.config.predict.tiff and not target.exists():
        planes = io.open_image(work.planes, ndim=work.config.ndim)
        io.write_image_tiff(target, planes.data, spacing=work.spacing)


# ------------------------------------------------------------------------------------- masks


def region_of(work: Work) -> View | None:
    """Where results may be, (*S) bool; None = everywhere."""
    if not work.config.postprocess.masks:
        return None

    names = [one.name for one in work.sample.parts or (work.sample,)]

    @functools.cache
    def paths() -> dict[str, Path]:
        found = [region_path(work.config, name) for name in names]
        return {f"region{number or ''}": path for number, path in enumerate(found) if path}

    @functools.cache
    def region() -> Readable:
        found = [open_region(work.config, path, work.sample) for path in paths().values()]
        masks = tuple(volume.data for volume in found)
        return Stacked(masks) if work.sample.parts else masks[0]

    def read(box: Box, results: Results) -> np.ndarray:
        return region()[box.slices] > 0

    return View(name="region", shape=work.shape, read=read, dtype=bool, reads=paths)


def region_path(config: Config, name: str) -> Path | None:
    """The mask of an image, by the stem of its name; a single file is the mask of every image.

    Returns
    -------
    path, or None where no masks are given

    Raises
    ------
    InputError : no mask, or several, of this name
    """
    if not config.postprocess.masks:
        return None
    root = Path(config.postprocess.masks)
    paths = io.list_images(root)
    if paths == (root,):
        return root
    found = [path for path in paths if io.image_name(path) == name]
    if len(found) != 1:
        raise InputError(
            f"not one mask for the image {name!r}",
            where=root,
            found=", ".join(path.name for path in found) or "none",
            fix="give every mask the name of its image",
        )
    return found[0]


def open_region(config: Config, path: Path, sample: Sample) -> Volume:
    """A mask of an image, or of a plane of a stack, read lazily."""
    ndim = 2 if sample.parts else config.ndim
    return io.open_labels(path, ndim=ndim, axes=config.data.label_axes)
