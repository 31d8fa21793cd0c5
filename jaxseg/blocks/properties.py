"""Further measurements by blocks: each object is measured whole, by the block it begins in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.blocks.engine import Work
from jaxseg.blocks.ledger import Ledger, open_ledger, record_of, require
from jaxseg.blocks.objects import Extents, box_of_objects, extents
from jaxseg.blocks.store import known_of, open_data, read_table, write_known, write_table
from jaxseg.geometry import Box
from jaxseg.labels.numbering import numbered
from jaxseg.measure import extra_column_names, extra_columns

STAGE = "properties"
CENTRE, LOCAL = "centroid_weighted", "centroid_weighted_local"


def open_properties(
    folder: Path, labels: Ledger, measured: Ledger, values: Mapping[str, Any]
) -> Ledger:
    """Begin to measure, or go on with it.

    Parameters
    ----------
    folder : of this stage
    labels : the stage that wrote the objects
    measured : the stage that says where they are
    values : all that decides the result

    Raises
    ------
    ConfigError : blocks of the measurements are missing; they are named
    """
    require(measured)

    def fill(partial: Path) -> None:
        write_known(partial, extents(measured)._asdict())

    values = {**values, "labels": labels.digest}
    return open_ledger(folder, STAGE, labels.grid, values, fill=fill)


def properties_work(
    ledger: Ledger,
    labels: Ledger,
    image: Callable[[Box], np.ndarray],
    names: Sequence[str],
    *,
    spacing: Sequence[float],
) -> Work:
    """The function that measures the objects that begin in one block.

    Parameters
    ----------
    ledger : of :func:`open_properties`
    labels : the stage that wrote the objects
    image : reads a box, (*box.shape, C)
    names : of the measurements, see :func:`jaxseg.measure.extra_columns`
    spacing : µm per voxel, (z)yx
    """
    source, where = open_data(labels), Extents(**known_of(ledger))
    # Where an object lies in its box does not depend on what is read; where it lies does.
    asked = [LOCAL if name == CENTRE else name for name in names]
    asked = list(dict.fromkeys(asked))

    def work(number: int) -> dict[str, Any]:
        core = ledger.grid[number].core
        begins = np.all((where.low >= core.start) & (where.low < core.stop), axis=1)
        own = Extents(*(column[begins] for column in where))
        if not len(own.ids):
            return {"objects": 0}
        box = box_of_objects(own, core, ledger.grid.shape)
        found = source[box.slices]
        numbers, ids = numbered(np.where(np.isin(found, own.ids), found, 0))
        columns = extra_columns(numbers, asked, spacing=spacing, intensity=image(box))
        order = np.argsort(ids[1:])
        columns = {name: values[order] for name, values in columns.items()}
        if CENTRE in names:
            for name in [name for name in columns if name.startswith(f"{LOCAL}-")]:
                rest = name.removeprefix(LOCAL)
                axis = int(rest.split("-")[1])
                columns[CENTRE + rest] = columns[name] + own.low[:, axis] * spacing[axis]
        arrays = {"ids": own.ids, **columns}
        return {"objects": len(own.ids), "tables": write_table(ledger, number, arrays)}

    return work


def properties(ledger: Ledger, names: Sequence[str], *, channels: int) -> dict[str, np.ndarray]:
    """The columns of further measurements, a row per object by ascending id.

    Raises
    ------
    ConfigError : blocks are missing; they are named
    """
    require(ledger)
    wanted = extra_column_names(len(ledger.grid.shape), names, channels=channels)
    parts = list(_parts(ledger))
    ids = np.concatenate([np.zeros(0, np.uint16), *(part["ids"] for part in parts)])
    order = np.argsort(ids)
    return {
        name: np.concatenate([np.zeros(0), *(part[name] for part in parts)])[order]
        for name in wanted
    }


def _parts(ledger: Ledger) -> Iterator[dict[str, np.ndarray]]:
    for number in range(len(ledger.grid)):
        if record_of(ledger, number)["objects"]:
            yield read_table(ledger, number)
