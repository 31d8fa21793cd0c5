"""True points of images: tables of points, or the centroids of labels, drawn as balls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.config import Config, Source
from jaxseg.config.detection import radius_in_um
from jaxseg.config.schema import PairRule
from jaxseg.data import Sample
from jaxseg.data.label_index import index_labels
from jaxseg.data.samples import Opened
from jaxseg.data.truth import CLASSES, OBJECTS, parts_read
from jaxseg.errors import InputError, JaxsegError
from jaxseg.geometry import Box
from jaxseg.io.name_parts import match_by_order, match_names
from jaxseg.io.points import PointTable, read_points
from jaxseg.labels.balls import balls
from jaxseg.volume import Volume, parse_index

ENDING = ".csv"


@dataclass(frozen=True)
class Drawn:
    """Points as a label image of balls, or as one of their classes, drawn where it is read.

    Parameters
    ----------
    points : of the image
    shape : voxels, (z)yx
    radius : of the balls along every axis, (z)yx, µm
    spacing : size of a voxel, (z)yx, µm
    classes : draw the class of every point in place of its number
    """

    points: PointTable
    shape: tuple[int, ...]
    radius: tuple[float, ...]
    spacing: tuple[float, ...]
    classes: bool = False
    dtype: Any = np.int32

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        box = Box(tuple(p.start for p in parts), tuple(p.stop for p in parts))
        drawn = balls(self.points.places, box, radius=self.radius, spacing=self.spacing)
        if self.classes:
            drawn = np.concatenate([np.zeros(1, np.int32), self.points.classes])[drawn]
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
    if tables:
        names = [sample.name for sample in found.samples]
        tables, wrong = tables_of(names, tables, source.labels, config.data.pair)
        problems += wrong
    for sample in found.samples:
        problems += _missing_channel(config, sample)
        path = tables.get(sample.name)
        if path is None and (tables or sample.labels is None):
            samples += [] if source.labels else [sample]
            continue
        try:
            samples.append(_with_points(config, path, sample))
        except JaxsegError as problem:
            problems.append(problem)
    return Opened(tuple(samples), tuple(problems))


def _missing_channel(config: Config, sample: Sample) -> list[JaxsegError]:
    """An image without the channel in which objects grow."""
    options, count = config.detection.grow, sample.image.channels
    if not options.enable or options.image_channel < count:
        return []
    return [
        InputError(
            "no such channel",
            where=sample.image.path,
            expected=f"0 to {count - 1}",
            found=options.image_channel,
            fix="--detection.grow.image-channel 0",
        )
    ]


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
        raise InputError("tables of points and other files lie in one folder", where=root,
                         found=others[0].name, fix="put them in folders of their own")  # fmt: skip
    return {path.stem: path for path in tables}


def tables_of(
    names: Sequence[str], tables: Mapping[str, Path], labels: str, pair: PairRule
) -> tuple[dict[str, Path], list[JaxsegError]]:
    """The table of every image by name, and what is wrong.

    Parameters
    ----------
    names : of the images
    tables : by their own names
    labels : the folder, or one file
    pair : name: the same name, or one that differs by what all names of a folder share; order: the
        sorted lists; name_or_order: by order where the names do not fit
    """
    if Path(labels).is_file() and len(names) == 1:
        return {names[0]: next(iter(tables.values()))}, []
    stems, missing = list(tables), [name for name in names if name not in tables]
    alike = match_names(names, stems) if missing and pair != "order" else None
    if alike:
        return {name: tables[stems[at]] for name, at in zip(names, alike, strict=True)}, []
    if pair == "order" or (missing and pair == "name_or_order" and len(names) == len(tables)):
        if len(names) != len(tables):
            wrong = InputError("not as many tables of points as images", where=labels,
                               expected=len(names), found=len(tables))  # fmt: skip
            return {}, [wrong]
        order = match_by_order(names, stems)
        paired = {name: stems[at] for name, at in zip(names, order, strict=True)}
        print(f"{labels}: tables of points are paired by their order, not by names:")
        print("\n".join(f"    {name}  {paired[name]}" for name in paired), flush=True)
        return {name: tables[other] for name, other in paired.items()}, []
    problems: list[JaxsegError] = [
        InputError(
            f"no table of points for the image {name!r}",
            where=labels,
            expected=name + ENDING,
            found=", ".join(sorted(tables)[:4]),
            fix="give every table the name of its image",
        )
        for name in missing
    ]
    return {name: tables[name] for name in names if name in tables}, problems


def _with_points(config: Config, path: Path | None, sample: Sample) -> Sample:
    """The sample with balls around its points as labels, and their classes if they are learned."""
    image, options = sample.image, config.detection
    shape, spacing = image.spatial_shape, image.spacing
    if path is not None:
        table = read_points(path, shape, spacing=spacing, units=options.units, check=options.check)
    else:
        assert sample.labels is not None
        path = Path(sample.labels.path)
        table = centroids(sample.labels, sample.classes)
    parts = parts_read((OBJECTS, CLASSES), config.channels)
    if CLASSES in parts and len(table.classes) and not table.classes.all():
        raise InputError(
            "points without a class",
            where=path,
            expected="a column class with whole numbers from 1",
            found=f"{np.count_nonzero(table.classes == 0)} of {len(table.classes)} points",
            fix="add it, or do not learn the channel S",
        )
    drawn = Drawn(table, shape, radius_in_um(options, spacing), spacing)
    labels = Volume(drawn, "zyx"[-len(shape) :], spacing, str(path))
    truth = {part: replace(labels, data=replace(drawn, classes=part is CLASSES)) for part in parts}
    return replace(sample, truth=truth, index=index_labels(labels))


def centroids(labels: Volume, classes: Volume | None = None) -> PointTable:
    """The centroid of every object in the order of the ids, and its class; read by slabs.

    Parameters
    ----------
    labels : (*S) integers
    classes : (*S) class of every voxel; an object has the one of most of its voxels, of equally
        many the smallest. None = 0 for all

    >>> labels = Volume(np.array([[5, 5, 0], [0, 0, 7]]), "yx", (1.0, 1.0))
    >>> centroids(labels).places.tolist()
    [[0.0, 0.5], [1.0, 2.0]]
    """
    ndim = labels.ndim_spatial
    sums: dict[tuple[int, int], np.ndarray] = {}
    for start, stop in labels.slabs():
        block = labels.read(start, stop)
        where = np.nonzero(block)
        own = np.zeros(len(where[0]), np.int64)
        if classes is not None:
            own = classes.read(start, stop)[where].astype(np.int64)
        pairs, number = np.unique(np.stack([block[where], own], 1), axis=0, return_inverse=True)
        number, count = number.ravel(), len(pairs)
        columns = [np.bincount(number, minlength=count)]
        columns += [
            np.bincount(number, weights=axis + first, minlength=count)
            for axis, first in zip(where, start, strict=True)
        ]
        for pair, row in zip(pairs.tolist(), np.stack(columns, 1).astype(float), strict=True):
            sums[pair[0], pair[1]] = sums.get((pair[0], pair[1]), 0) + row
    ids = sorted({one for one, _ in sums})
    rows, numbers = np.zeros((len(ids), 1 + ndim)), np.zeros(len(ids), np.int32)
    most, places = np.zeros(len(ids)), {one: place for place, one in enumerate(ids)}
    for (one, kind), sums_of in sorted(sums.items(), key=lambda item: item[0]):
        place = places[one]
        rows[place] += sums_of
        if sums_of[0] > most[place]:
            most[place], numbers[place] = sums_of[0], kind
    return PointTable(rows[:, 1:] / rows[:, :1], numbers)


def points_of(sample: Sample) -> PointTable | None:
    """The true points of an image; None where they are not known."""
    data = sample.labels.data if sample.labels is not None else None
    return data.points if isinstance(data, Drawn) else None


def files_of(config: Config, sample: Sample) -> dict[str, str]:
    """The files of an image and its truth, by names that a user understands."""
    files = {f"image {sample.name}": sample.image.path}
    return files | ({f"points {sample.name}": sample.labels.path} if sample.labels else {})
