"""Synapses with known partners: drawn as an image, and written in the layout of CREMI."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import zarr

from jaxseg.channels import true_planes
from jaxseg.config import Channel
from jaxseg.io.synapses import SynapseTable
from jaxseg.tasks.synapse_truth import DrawnSites

# Size of a voxel, zyx, nm.
RESOLUTION = (40.0, 8.0, 8.0)
SPACING = tuple(size / 1000 for size in RESOLUTION)


class Layout(NamedTuple):
    """Names in a container."""

    raw: str = "volumes/raw"
    ids: str = "annotations/ids"
    types: str = "annotations/types"
    locations: str = "annotations/locations"
    partners: str = "annotations/presynaptic_site/partners"


USUAL = Layout()


def synapses(shape: tuple[int, ...], seed: int, count: int = 12) -> SynapseTable:
    """Presynaptic sites 190 nm apart, each with up to three postsynaptic ones about 90 nm away."""
    rng, size = np.random.default_rng(seed), np.array(RESOLUTION[-len(shape) :])
    pre: list[np.ndarray] = []
    post: list[np.ndarray] = []
    partner: list[int] = []

    def apart(place: np.ndarray, others: list[np.ndarray], least: float) -> bool:
        inside = (place >= 1).all() and (place < np.array(shape) - 1).all()
        return inside and all(np.linalg.norm((place - one) * size) >= least for one in others)

    for _ in range(50 * count):
        place = rng.integers(0, shape).astype(float)
        if len(pre) < count and apart(place, pre, 190):
            pre.append(place)
    for number, place in enumerate(pre):
        wanted = rng.integers(1, 4)
        for _ in range(60):
            way = rng.normal(size=len(shape))
            there = np.rint(place + 90 * way / np.linalg.norm(way) / size)
            if wanted and apart(there, post, 75):
                post.append(there)
                partner.append(number)
                wanted -= 1
    ids = rng.permutation(1000)[: len(pre) + len(post)].astype(np.int64)
    order = rng.permutation(len(post))
    return SynapseTable(np.array(pre), ids[: len(pre)], np.array(post)[order],
                        ids[len(pre) :][order], np.array(partner)[order])  # fmt: skip


def image_of(table: SynapseTable, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Dark spots at presynaptic sites, bright ones at postsynaptic sites, and a shaft between."""
    rng, size = np.random.default_rng(seed), np.array(RESOLUTION[-len(shape) :])
    grid = np.stack(np.indices(shape), -1)
    image = rng.normal(0, 6, shape)

    def spot(place: np.ndarray, width: float) -> np.ndarray:
        return np.exp(-0.5 * np.square((grid - place) * size / width).sum(-1))

    for place in table.pre:
        image -= 90 * spot(place, 32)
    for place, row in zip(table.post, table.partner, strict=True):
        image += 90 * spot(place, 24)
        for share in (0.4, 0.6) if row >= 0 else ():
            image += 30 * spot(place + share * (table.pre[row] - place), 16)
    return np.clip(image + 128, 0, 255).astype(np.uint8)


def planes_of(
    table: SynapseTable,
    shape: tuple[int, ...],
    channels: tuple[Channel, ...],
    radius: float | tuple[float, ...],
) -> np.ndarray:
    """What a perfect network predicts."""
    radii = radius if isinstance(radius, tuple) else (radius,) * len(shape)
    drawn = DrawnSites(table, (*shape, 4), radii, SPACING[-len(shape) :])[...]
    spacing = SPACING[-len(shape) :]
    return np.array(true_planes({"sites": drawn}, channels, ndim=len(shape), spacing=spacing))


def write_container(
    path: Path,
    image: np.ndarray,
    table: SynapseTable,
    *,
    offset: tuple[float, ...] = (0.0, 0.0, 0.0),
    layout: Layout = USUAL,
    **changed: np.ndarray | None,
) -> None:
    """Image and annotations in one container; arrays can be given in place of the right ones."""
    size = np.array(RESOLUTION)
    places = np.concatenate([table.pre, table.post])
    # Anywhere in the voxel.
    within = np.random.default_rng(0).uniform(0, 0.95, places.shape)
    pairs = table.pairs
    arrays = {
        layout.raw: image,
        layout.ids: np.concatenate([table.pre_ids, table.post_ids]).astype(np.uint64),
        layout.types: np.array(
            ["presynaptic_site"] * len(table.pre) + ["postsynaptic_site"] * len(table.post)
        ),
        layout.locations: (places + within) * size - np.array(offset),
        layout.partners: np.stack(
            [table.pre_ids[pairs[:, 0]], table.post_ids[pairs[:, 1]]], axis=1
        ).astype(np.uint64),
    }
    named = {getattr(layout, name): array for name, array in changed.items()}
    arrays = {name: array for name, array in (arrays | named).items() if array is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zarr":
        root = zarr.open_group(path, mode="w", zarr_format=2)
        for name, array in arrays.items():
            array = array.astype("S") if array.dtype.kind == "U" else array
            root.create_array(name, data=array)
        root[layout.raw].attrs["resolution"] = RESOLUTION
        root["annotations"].attrs["offset"] = offset
        return
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            texts = array.dtype.kind == "U"
            kind = h5py.string_dtype() if texts else array.dtype
            file.create_dataset(name, data=array.astype(object) if texts else array, dtype=kind)
        file[layout.raw].attrs["resolution"] = RESOLUTION
        file["annotations"].attrs["offset"] = offset


def write_tables(folder: Path, name: str, table: SynapseTable) -> None:
    """The same as two CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    axes = [f"axis-{axis}" for axis in range(table.pre.shape[1])]
    pre = pd.DataFrame(table.pre, columns=axes)
    pre.insert(0, "id", table.pre_ids)
    post = pd.DataFrame(table.post, columns=axes)
    post.insert(0, "id", table.post_ids)
    partner = np.append(table.pre_ids, -1)[table.partner]
    post["partner"] = pd.Series(partner, dtype="Int64").where(table.partner >= 0)
    pre.to_csv(folder / f"{name}_pre.csv", index=False)
    post.to_csv(folder / f"{name}_post.csv", index=False)
