"""What was written with a hash is compared when it is read, and a damaged block is done again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import blockwise
from support.block_ledgers import GRID, decode, labels_of

from jaxseg import blocks, io
from jaxseg.errors import InputError, JaxsegError

WRONG = [b"", b"{", b"[]", b'"text"', b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b"1" * 5000]


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_a_document_of_another_kind_is_a_message(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "a.json"
    place.write_bytes(content)
    with pytest.raises(InputError) as caught:
        io.read_sealed(place, "manifest")
    assert len(str(caught.value).splitlines()) <= 3


def test_a_pipe_in_the_place_of_a_document_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(InputError, match="not a file"):
        io.read_sealed(tmp_path / "a.json", "manifest")


@given(st.data())
@settings(max_examples=60)
def test_no_flipped_bit_of_arrays_is_read(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    place = tmp_path_factory.mktemp("arrays") / "a"
    io.write_arrays(place, {"a": np.arange(40), "b": np.ones((3, 2), np.float32)})
    content = bytearray(place.read_bytes())
    at = data.draw(st.integers(0, 8 * len(content) - 1))
    content[at // 8] ^= 1 << at % 8
    place.write_bytes(content)
    with pytest.raises(InputError):
        io.read_arrays(place)


def small_files(folder: Path) -> list[Path]:
    """All that a stage writes beside its voxels."""
    found = [path for path in folder.rglob("*") if path.is_file() and ".zarr" not in str(path)]
    return sorted(path for path in found if "final" not in path.parts)


@pytest.mark.parametrize(("every", "flips"), [(9, 1), pytest.param(1, 8, marks=pytest.mark.slow)])
def test_flipped_bits_of_what_a_stage_reads(
    every: int, flips: int, tmp_path: Path, no_sync: None, rng
) -> None:
    """Merging never gives other labels: it is right, or says what is damaged and then mends it."""
    labels = labels_of(rng)
    whole = blockwise.instances(tmp_path / "whole", GRID, labels, decode)
    blockwise.create(tmp_path / "made", GRID, labels, decode)
    told = 0
    files = small_files(tmp_path / "made")[::every]
    for path in files:
        good = path.read_bytes()
        for _ in range(flips):
            at = int(rng.integers(8 * len(good)))
            bad = bytearray(good)
            bad[at // 8] ^= 1 << at % 8
            path.write_bytes(bad)
            folder = tmp_path / "made"
            for _attempt in range(3):
                try:
                    found = blockwise.instances(folder, GRID, labels, decode)
                except JaxsegError:
                    told += 1
                    if path.name == "ledger.json":
                        path.write_bytes(good)
                    continue
                assert np.array_equal(found, whole)
                break
            else:
                pytest.fail(f"{path.name} was not mended in 3 runs")
            for stage in ("contacts", "labels", "final"):
                shutil.rmtree(folder / stage)
    assert told >= len(files) * flips // 2


def test_damaged_voxels_are_made_again(tmp_path: Path, rng) -> None:
    labels = labels_of(rng)
    created = blockwise.create(tmp_path, GRID, labels, decode)
    chunk = created.data / "0" / "c" / "1" / "2"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(content)
    with pytest.raises(blocks.BlocksFailed, match="blocks 5 of instance_creation are damaged"):
        blockwise.merge(tmp_path, created)
    assert 5 not in blocks.finished(created)
    whole = blockwise.instances(tmp_path, GRID, labels, decode)
    assert np.array_equal(whole, blockwise.canonical(labels))


def test_ids_of_the_volume_are_compared(tmp_path: Path, rng) -> None:
    blockwise.instances(tmp_path, GRID, labels_of(rng), decode)
    ledger = blocks.read_ledger(tmp_path / "labels")
    path = ledger.folder / "ids.npy"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="knows of the volume is missing or damaged"):
        blocks.known_file(ledger, "ids.npy")


def test_a_seal_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    io.write_sealed(tmp_path / "a.json", {"b": [1, (2.5, None)], "a": {"x": np.int64(3)}})
    document = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(dict(reversed(document.items()))))
    assert io.read_sealed(tmp_path / "a.json", "document") == {"a": {"x": 3}, "b": [1, [2.5, None]]}
