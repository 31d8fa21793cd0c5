"""Annotations of synapses: every layout gives the same table, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from support.made_synapses import (
    SPACING,
    Layout,
    synapses,
    write_container,
    write_tables,
)

from jaxseg.config import Synapses
from jaxseg.errors import JaxsegError
from jaxseg.io.annotations import image_attributes
from jaxseg.io.synapses import SynapseTable, read_site_tables, read_synapses

SHAPE = (12, 48, 56)
IMAGE = np.zeros(SHAPE, np.uint8)
TABLE = synapses(SHAPE, seed=3, count=6)


def by_id(table: SynapseTable) -> list[tuple[int, tuple[float, ...], int]]:
    """All sites with the ids of their partners, whatever their order."""
    partner = np.append(table.pre_ids, -1)[table.partner].tolist()
    rows = [(int(one), tuple(place), -2)
            for one, place in zip(table.pre_ids, table.pre.tolist(), strict=True)]  # fmt: skip
    posts = zip(table.post_ids.tolist(), map(tuple, table.post.tolist()), partner, strict=True)
    return sorted([*rows, *posts])


def read(path: Path, **options: str) -> SynapseTable:
    return read_synapses(path, SHAPE, spacing=SPACING, options=Synapses(**options))


@pytest.mark.parametrize("ending", ["zarr", "h5"])
@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (-400.0, 80.0, 16.0)])
def test_containers_and_tables_are_the_same(
    tmp_path: Path, ending: str, offset: tuple[float, ...]
) -> None:
    assert len(TABLE.pre) == 6
    assert len(TABLE.pairs) == len(TABLE.post) > 6
    path = tmp_path / f"a.{ending}"
    write_container(path, IMAGE, TABLE, offset=offset)
    assert by_id(read(path)) == by_id(TABLE)
    attributes = image_attributes(path / "volumes/raw")
    assert attributes == ((40.0, 8.0, 8.0), None)
    write_tables(tmp_path / "tables", "a", TABLE)
    found = read_site_tables(*(tmp_path / "tables" / f"a_{side}.csv" for side in ("pre", "post")),
                             SHAPE)  # fmt: skip
    assert by_id(found) == by_id(TABLE)


def test_names_and_units_may_differ_and_types_may_be_missing(tmp_path: Path) -> None:
    layout = Layout(ids="annotations/number", partners="annotations/pairs")
    micrometres = (np.concatenate([TABLE.pre, TABLE.post]) + 0.5) * SPACING
    write_container(tmp_path / "a.zarr", IMAGE, TABLE, layout=layout, types=None,
                    locations=micrometres)  # fmt: skip
    found = read(tmp_path / "a.zarr", ids="annotations/number", partners="annotations/pairs",
                 types="", units="um")  # fmt: skip
    assert by_id(found) == by_id(TABLE)


def test_sites_without_partners_are_sites(tmp_path: Path) -> None:
    alone = TABLE._replace(partner=np.where(np.arange(len(TABLE.post)) == 2, -1, TABLE.partner))
    write_container(tmp_path / "a.zarr", IMAGE, alone)
    assert by_id(read(tmp_path / "a.zarr")) == by_id(alone)
    write_tables(tmp_path, "a", alone)
    found = read_site_tables(tmp_path / "a_pre.csv", tmp_path / "a_post.csv", SHAPE)
    assert by_id(found) == by_id(alone)
    with pytest.raises(JaxsegError, match="sites of no pair") as caught:
        read(tmp_path / "a.zarr", types="")
    assert str(alone.post_ids[2]) in str(caught.value)


PAIRS = np.stack([TABLE.pre_ids[TABLE.partner], TABLE.post_ids], axis=1)
IDS = np.concatenate([TABLE.pre_ids, TABLE.post_ids])
PLACES = (np.concatenate([TABLE.pre, TABLE.post]) + 0.5) * (40, 8, 8)
TYPES = np.array(["presynaptic_site"] * 6 + ["postsynaptic_site"] * len(TABLE.post))


def changed(array: np.ndarray, row: int, value: object) -> np.ndarray:
    array = array.copy()
    array[row] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"partners": None}, "presynaptic_site/partners; found .* in /annotations"),
        ({"types": None}, "--synapses.types"),
        ({"types": changed(TYPES, 0, "presynapse")}, "unknown type(.|\n)*'presynapse'"),
        ({"types": changed(TYPES, 0, "postsynaptic_site")}, "are not presynaptic"),
        ({"ids": changed(IDS, 1, IDS[0])}, f"more than once(.|\n)*{IDS[0]}"),
        ({"ids": IDS.astype(float)}, "another type"),
        ({"ids": IDS[:-1]}, "not one entry for every id"),
        ({"locations": PLACES[:, :2]}, "another shape"),
        ({"locations": changed(PLACES, 3, np.nan)}, "no finite numbers"),
        ({"locations": changed(PLACES, 3, 1e6)}, f"1 of .* outside the image(.|\n)*{IDS[3]}"),
        ({"locations": changed(PLACES, 3, PLACES[4])}, "presynaptic sites in one voxel"),
        ({"partners": changed(PAIRS, 0, (5000, 5001))}, "no site(.|\n)*5000, 5001"),
        ({"partners": changed(PAIRS, 0, PAIRS[1])}, "pairs that are there more than once"),
        ({"partners": changed(PAIRS, 0, (PAIRS[0, 0], PAIRS[0, 0]))}, "not postsynaptic"),
        ({"partners": np.append(PAIRS, [[TABLE.pre_ids[TABLE.partner[0] - 1], PAIRS[0, 1]]], 0)},
         f"several presynaptic(.|\n)*{PAIRS[0, 1]}"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, arrays: dict, words: str) -> None:
    write_container(tmp_path / "a.zarr", IMAGE, TABLE, **arrays)
    with pytest.raises(JaxsegError, match=words) as caught:
        read(tmp_path / "a.zarr")
    assert "a.zarr" in str(caught.value)
    assert max(len(one.splitlines()) for one in str(caught.value).split(str(tmp_path))) <= 3


def test_several_problems_are_told_together(tmp_path: Path) -> None:
    write_container(tmp_path / "a.h5", IMAGE, TABLE, partners=None, ids=IDS[:, None])
    with pytest.raises(JaxsegError) as caught:
        read(tmp_path / "a.h5")
    assert "a dataset is missing" in str(caught.value)
    assert "another shape" in str(caught.value)


def test_annotations_in_another_file_are_refused(tmp_path: Path) -> None:
    write_container(tmp_path / "a.h5", IMAGE, TABLE)
    write_container(tmp_path / "b.h5", IMAGE, TABLE, ids=None)
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["annotations/ids"] = h5py.ExternalLink(str(tmp_path / "a.h5"), "/annotations/ids")
    with pytest.raises(JaxsegError, match="a link that leads out of the file"):
        read(tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("post", "id,axis-0,axis-1,axis-2\n7,1,1,1\n", "expected partner"),
        ("post", "id,axis-0,axis-1,axis-2,partner\n7,1,1,1,99999\n", "not among the presyn"),
        ("post", "id,axis-0,axis-1,axis-2,partner\n7,1,1,1,x\n", "'x' in line 2"),
        ("pre", "axis-0,axis-1,axis-2\n1,1,1\n", "expected id"),
        ("pre", "id,axis-0,axis-1,axis-2\n1,1,1,1\n1,2,2,2\n", "more than once"),
        ("pre", "id,axis-0,axis-1,axis-2\n1,1,1,99\n", "outside the image"),
    ],
)
def test_what_is_wrong_with_tables_is_named(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    write_tables(tmp_path, "a", TABLE)
    (tmp_path / f"a_{file}.csv").write_text(text)
    with pytest.raises(JaxsegError, match=words):
        read_site_tables(tmp_path / "a_pre.csv", tmp_path / "a_post.csv", SHAPE)


def test_large_ids_beside_empty_cells_stay_what_they_are(tmp_path: Path) -> None:
    large = 2**62 + 1
    (tmp_path / "a_pre.csv").write_text(f"id,axis-0,axis-1,axis-2\n{large},1,1,1\n")
    (tmp_path / "a_post.csv").write_text(
        f"id,axis-0,axis-1,axis-2,partner\n5,2,2,2,{large}\n6,3,3,3,\n"
    )
    found = read_site_tables(tmp_path / "a_pre.csv", tmp_path / "a_post.csv", SHAPE)
    assert found.pre_ids.tolist() == [large]
    assert found.partner.tolist() == [0, -1]
