"""True synapses of images: annotations in containers or tables, drawn as planes of numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.config import Config, Source
from jaxseg.config.detection import radius_in_um
from jaxseg.data import Sample
from jaxseg.data.label_index import LabelIndex
from jaxseg.data.samples import Opened
from jaxseg.data.truth import SITES
from jaxseg.errors import InputError, JaxsegError, JaxsegWarning
from jaxseg.geometry import Box
from jaxseg.io.annotations import image_attributes
from jaxseg.io.synapses import MICROMETERS, SIDES, SynapseTable, read_site_tables, read_synapses
from jaxseg.labels.balls import balls
from jaxseg.targets import LEVELS, Sites
from jaxseg.volume import Volume, parse_index

# Radius of a core, in radii of the balls: small, so that the middle of what a patch shows of one
# is near the site where the border cuts it.
CORE = 1 / 3
Place = Path | tuple[Path, Path]


@dataclass(frozen=True)
class DrawnSites:
    """Synaptic sites as planes, see :class:`jaxseg.targets.Sites`, drawn where they are read.

    Parameters
    ----------
    sites : of the image
    shape : voxels, (z)yx, and the number of planes
    radius : of the balls along every axis, (z)yx, µm
    spacing : size of a voxel, (z)yx, µm
    files : the sites are from
    """

    sites: SynapseTable
    shape: tuple[int, ...]
    radius: tuple[float, ...]
    spacing: tuple[float, ...]
    files: tuple[Path, ...] = ()
    dtype: Any = np.int32

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        *space, planes = parts
        box = Box(tuple(p.start for p in space), tuple(p.stop for p in space))
        drawn = Sites(
            pre=self._closeness("pre", box),
            post=self._closeness("post", box),
            partner=self._partners(box),
            core=self._balls("pre", box, CORE),
        )
        return np.stack(drawn[planes], axis=-1).squeeze(squeezed)

    def _balls(self, side: str, box: Box, part: float = 1.0) -> np.ndarray:
        """Numbers of the sites of a side, from 1, in balls of a part of the radius."""
        radii = [part * radius for radius in self.radius]
        return balls(getattr(self.sites, side), box, radius=radii, spacing=self.spacing)

    def _closeness(self, side: str, box: Box) -> np.ndarray:
        """How near the nearest site is, from 1 to LEVELS within its ball."""
        numbers, places = self._balls(side, box), getattr(self.sites, side)
        inside = np.nonzero(numbers)
        voxels = np.stack(inside, axis=-1) + np.asarray(box.start)
        # In radii; a site of no radius is its voxel alone.
        scale = np.divide(self.spacing, self.radius, out=np.zeros(len(self.radius)),
                          where=np.asarray(self.radius) > 0)  # fmt: skip
        away = (voxels - places[numbers[inside] - 1]) * scale
        near = 1 - np.linalg.norm(away, axis=1)
        numbers[inside] = np.maximum(np.rint(LEVELS * near), 1)
        return numbers

    def _partners(self, box: Box) -> np.ndarray:
        """Numbers of the presynaptic partners; beyond those of all sites where there is none."""
        numbers, partner = self._balls("post", box), self.sites.partner
        alone = len(self.sites.pre) + 1 + np.arange(len(partner))
        return np.append(0, np.where(partner >= 0, partner + 1, alone)).astype(np.int32)[numbers]


def open_synapses(config: Config, source: Source, opened: Callable[[Source], Opened]) -> Opened:
    """The images of a source with their sites.

    Parameters
    ----------
    config : of the run
    source : images, and a folder of containers of annotations, one of them, or tables
    opened : opens images
    """
    with warnings.catch_warnings():
        if not config.data.spacing:
            # The attribute resolution has no unit; the configuration says it.
            warnings.filterwarnings("ignore", ".*in the unknown unit 'not given'", JaxsegWarning)
        found = opened(replace(source, labels=""))
    samples, problems = [], list(found.problems)
    try:
        places = _places(source.labels)
    except JaxsegError as problem:
        return Opened((), (*problems, problem))
    for sample in found.samples:
        try:
            sample = _with_size(config, sample)
            samples.append(_with_sites(config, source, places, sample))
        except JaxsegError as problem:
            problems.append(problem)
    return Opened(tuple(samples), tuple(problems))


def _with_size(config: Config, sample: Sample) -> Sample:
    """An image whose voxels have the size that its attribute says, where nothing else does."""
    image = sample.image
    if config.data.spacing or image.unit == "µm":
        return sample
    said = image_attributes(image.path).resolution
    if said is None:
        return sample
    if len(said) != image.ndim_spatial or min(said) <= 0:
        raise InputError("not the size of a voxel", where=f"{image.path}: resolution",
                         expected=f"{image.ndim_spatial} positive numbers", found=said,
                         fix="give it in µm with --data.spacing")  # fmt: skip
    factor = MICROMETERS[config.synapses.units]
    spacing = tuple(float(f"{size * factor:.8g}") for size in said)
    return replace(sample, image=replace(image, spacing=spacing, unit="µm"))


def _places(labels: str) -> dict[str, Place]:
    """Where the sites of every image are, by its name: a container, or two tables.

    Raises
    ------
    InputError : nothing of either kind, both, or tables without the other one
    """
    if not labels:
        return {}
    root = Path(labels)
    tables = sorted(root.glob("*.csv")) if root.is_dir() else []
    if not tables:
        return {io.image_name(path): path for path in io.list_images(root)}
    others = [path for path in sorted(root.iterdir())
              if path not in tables and not path.name.startswith(".")]  # fmt: skip
    if others:
        raise InputError("tables of sites and other files lie in one folder", where=root,
                         found=others[0].name, fix="put them in folders of their own")  # fmt: skip
    by_side = {side: {path.stem.removesuffix(f"_{side}"): path for path in tables
                      if path.stem.endswith(f"_{side}")} for side in SIDES}  # fmt: skip
    single = by_side["pre"].keys() ^ by_side["post"].keys()
    strange = [path.name for path in tables if not path.stem.endswith(("_pre", "_post"))]
    if single or strange:
        names = strange or [path.name for side in SIDES for name, path in by_side[side].items()
                            if name in single]  # fmt: skip
        raise InputError("tables of sites are not two for every image", where=root,
                         expected="NAME_pre.csv and NAME_post.csv",
                         found=", ".join(names[:4]))  # fmt: skip
    return {name: (by_side["pre"][name], by_side["post"][name]) for name in sorted(by_side["pre"])}


def _with_sites(config: Config, source: Source, places: dict[str, Place], sample: Sample) -> Sample:
    if not places:
        return sample
    place = places.get(sample.name)
    if place is None and len(places) == 1 and not Path(source.labels).is_dir():
        place = next(iter(places.values()))
    if place is None:
        raise InputError(
            f"no annotated synapses for the image {sample.name!r}", where=source.labels,
            expected=f"{sample.name}.zarr, {sample.name}.h5, or tables {sample.name}_pre.csv and "
            f"{sample.name}_post.csv",
            found=", ".join(sorted(places)[:4]), fix="give them the name of the image",
        )  # fmt: skip
    image, options = sample.image, config.synapses
    shape, spacing = image.spatial_shape, image.spacing
    if isinstance(place, tuple):
        table = read_site_tables(*place, shape, spacing=spacing, units=config.detection.units)
        files: tuple[Path, ...] = place
        path = place[0].parent
    else:
        if image.unit != "µm":
            raise InputError(
                "the size of a voxel is not known, so locations cannot be placed", where=image.path,
                expected="an attribute resolution, or a size in the metadata",
                fix="--data.spacing Z Y X, in µm",
            )  # fmt: skip
        origin = image_attributes(image.path).offset or ()
        table = read_synapses(place, shape, spacing=spacing, origin=origin, options=options)
        files, path = (place,), place
    radius = radius_in_um(config.detection, spacing)
    drawn = DrawnSites(table, (*shape, len(Sites._fields)), radius, spacing, files)
    labels = Volume(drawn, "zyxc"[-len(shape) - 1 :], spacing, sample.name, str(path), image.unit)
    return replace(sample, truth={SITES: labels}, index=_index(table, shape))


def _index(table: SynapseTable, shape: tuple[int, ...]) -> LabelIndex:
    """Where training patches find sites: every one is an object of one voxel."""
    points = np.rint(np.concatenate([table.pre, table.post])).astype(np.int64)
    points = np.clip(points, 0, np.asarray(shape) - 1).reshape(-1, len(shape))
    count = len(points)
    return LabelIndex(np.arange(1, count + 1, dtype=np.uint64), np.arange(count + 1), points,
                      np.ones(count, np.int64))  # fmt: skip


def synapses_of(sample: Sample) -> SynapseTable | None:
    """The true synapses of an image; None where they are not known."""
    data = sample.labels.data if sample.labels is not None else None
    return data.sites if isinstance(data, DrawnSites) else None


def files_of(sample: Sample) -> dict[str, str]:
    """The files of an image and its truth, by names that a user understands."""
    files = {f"image {sample.name}": sample.image.path}
    data = sample.labels.data if sample.labels is not None else None
    sites = data.files if isinstance(data, DrawnSites) else ()
    named = zip(SIDES, sites, strict=False)
    return files | {f"synapses {sample.name} {side}": str(path) for side, path in named}
