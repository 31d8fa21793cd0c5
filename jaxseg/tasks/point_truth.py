"""True points of images: tables of points, or the centroids of labels, drawn as balls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.config import Config, Source
from jaxseg.data import Sample
from jaxseg.data.label_index import index_labels
from jaxseg.data.samples import Opened
from jaxseg.errors import InputError, JaxsegError
from jaxseg.geometry import Box
from jaxseg.io.points import PointTable, read_points
from jaxseg.labels.balls import balls
from jaxseg.volume import Volume, parse_index

ENDING = ".csv"


@dataclass(frozen=True)
class Drawn:
    """Points as a label image of balls, drawn where it is read.

    Parameters
    ----------
    points : of the image
    shape : voxels, (z)yx
    radius : of the balls, µm
    spacing : size of a voxel, (z)yx, µm
    """

    points: PointTable
    shape: tuple[int, ...]
    radius: float
    spacing: tuple[float, ...]
    dtype: Any = np.int32

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        box = Box(tuple(p.start for p in parts), tuple(p.stop for p in parts))
        drawn = balls(self.points.places, box, radius=self.radius, spacing=self.spacing)
        return drawn.squeeze(squeezed)


def open_points(config: Config, source: Source, opened: Callable[[Source], Opened]) -> Opened:
    """The images of a source, their labels balls around points.

    Parameters
    ----------
    config : of the run
    source : images, and tables of points with the names of the images, or labels
    opened : opens images and labels
    """
    tables = point_tables(source.labels)
    found = opened(replace(source, labels="") if tables else source)
    samples, problems = [], list(found.problems)
    for sample in found.samples:
        try:
            samples.append(_with_points(config, source, tables, sample))
        except JaxsegError as problem:
            problems.append(problem)
    return Opened(tuple(samples), tuple(problems))


def point_tables(labels: str) -> dict[str, Path]:
    """The tables of points of a source by name; none if its labels are images.

    Raises
    ------
    InputError : tables and other files lie in one folder
    """
    root = Path(labels)
    if not labels or not (root.is_dir() or root.suffix.lower() == ENDING):
        return {}
    files = sorted(path for path in (root.iterdir() if root.is_dir() else [root]) if path.is_file())
    tables = [path for path in files if path.suffix.lower() == ENDING]
    others = [path for path in files if path not in tables and not path.name.startswith(".")]
    if tables and others:
        raise InputError("tables of points and other files lie in one folder", file=root,
                         found=others[0].name, fix="put them in folders of their own")  # fmt: skip
    return {path.stem: path for path in tables}


def _with_points(config: Config, source: Source, tables: dict[str, Path], sample: Sample) -> Sample:
    shape, spacing = sample.image.spatial_shape, sample.image.spacing
    options = config.detection
    if tables:
        path = tables.get(sample.name)
        if path is None and len(tables) == 1 and Path(source.labels).is_file():
            path = next(iter(tables.values()))
        if path is None:
            raise InputError(
                f"no table of points for the image {sample.name!r}",
                file=source.labels,
                expected=sample.name + ENDING,
                found=", ".join(sorted(tables)[:4]),
                fix="give every table the name of its image",
            )
        table = read_points(path, shape, spacing=spacing, units=options.units)
    elif sample.labels is None:
        return sample
    else:
        path, places = Path(sample.labels.path), centroids(sample.labels)
        table = PointTable(places, np.zeros(len(places), np.int32))
    drawn = Drawn(table, shape, options.radius, spacing)
    labels = Volume(drawn, "zyx"[-len(shape) :], spacing, str(path))
    return replace(sample, labels=labels, index=index_labels(labels))


def centroids(labels: Volume) -> np.ndarray:
    """The centroid of every object, (n, ndim) in voxels, in the order of the ids; read by slabs.

    >>> centroids(Volume(np.array([[5, 5, 0], [0, 0, 7]]), "yx", (1.0, 1.0))).tolist()
    [[0.0, 0.5], [1.0, 2.0]]
    """
    sums: dict[int, np.ndarray] = {}
    for start, stop in labels.slabs():
        block = labels.read(start, stop)
        where = np.nonzero(block)
        ids, number = np.unique(block[where], return_inverse=True)
        columns = [np.bincount(number, minlength=len(ids))]
        columns += [
            np.bincount(number, weights=axis + first, minlength=len(ids))
            for axis, first in zip(where, start, strict=True)
        ]
        for one, row in zip(ids.tolist(), np.stack(columns, axis=1).astype(float), strict=True):
            sums[one] = sums.get(one, 0) + row
    rows = [sums[one] for one in sorted(sums)]
    table = np.array(rows).reshape(len(rows), 1 + labels.ndim_spatial)
    return table[:, 1:] / table[:, :1]


def points_of(sample: Sample) -> PointTable | None:
    """The true points of an image; None where they are not known."""
    data = sample.labels.data if sample.labels is not None else None
    return data.points if isinstance(data, Drawn) else None


def files_of(config: Config, sample: Sample) -> dict[str, str]:
    """The files of an image and its truth, by names that a user understands."""
    files = {f"image {sample.name}": sample.image.path}
    return files | ({f"points {sample.name}": sample.labels.path} if sample.labels else {})
