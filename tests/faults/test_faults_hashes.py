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
from support.block_ledgers import GRID, labels_of
from support.stages import by_blocks

from jaxseg import blocks, io
from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Output, Results, Stage
from jaxseg.blocks.store import KNOWN, Mended
from jaxseg.errors import InputError, JaxsegError
from jaxseg.stages.joining import compared, label_type, labelled
from jaxseg.stages.pieces import CREATION, created

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


def objects(folder: Path, planes: np.ndarray) -> Stage:
    """The objects of labels that stand for planes: found by blocks, compared, and numbered."""

    def find(block: Block, results: Results, known: Arrays) -> Made:
        return Made(planes[block.read.slices])

    found = created(GRID, find, values={"seed": 0})
    output = Output(spacing=(1.0, 1.0), dtype=label_type, target=folder / "final" / "labels.zarr")
    return labelled(
        found, compared(found, values={}), output=output, values={"min_size": 1}, min_size=1
    )


def labels_by_blocks(folder: Path, planes: np.ndarray) -> np.ndarray:
    return io.open_labels(by_blocks(folder, objects(folder, planes)).ledger.data, ndim=2).array()


def small_files(folder: Path) -> list[Path]:
    """All that a stage writes beside its voxels."""
    found = [path for path in folder.rglob("*") if path.is_file() and ".zarr" not in str(path)]
    return sorted(path for path in found if "final" not in path.parts)


@pytest.mark.parametrize(("every", "flips"), [(9, 1), pytest.param(1, 8, marks=pytest.mark.slow)])
def test_flipped_bits_of_what_a_stage_reads(
    every: int, flips: int, tmp_path: Path, no_sync: None, rng
) -> None:
    """Merging never gives other labels: it is right, or says what is damaged and then mends it."""
    planes, folder = labels_of(rng), tmp_path / "made"
    whole = labels_by_blocks(tmp_path / "whole", planes)
    by_blocks(folder, objects(folder, planes).needs[0])
    told, files = 0, small_files(folder)[::every]
    for path in files:
        good = path.read_bytes()
        for _ in range(flips):
            at = int(rng.integers(8 * len(good)))
            bad = bytearray(good)
            bad[at // 8] ^= 1 << at % 8
            path.write_bytes(bad)
            for _attempt in range(3):
                try:
                    found = labels_by_blocks(folder, planes)
                except JaxsegError:
                    told += 1
                    if path.name == "ledger.json":
                        path.write_bytes(good)
                    continue
                assert np.array_equal(found, whole)
                break
            else:
                pytest.fail(f"{path.name} was not mended in 3 runs")
            for stage in small_folders(folder):
                shutil.rmtree(stage)
    assert told >= len(files) * flips // 2


def small_folders(folder: Path) -> list[Path]:
    """All that was made after the objects of every block."""
    return [path for path in folder.iterdir() if path.name != CREATION]


def test_damaged_voxels_are_made_again(tmp_path: Path, rng) -> None:
    planes = labels_of(rng)
    ledger = by_blocks(tmp_path, objects(tmp_path, planes).needs[0]).ledger
    chunk = ledger.data / "0" / "c" / "1" / "2"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(content)
    with pytest.raises(blocks.BlocksFailed, match=f"blocks 5 of {ledger.stage} are damaged"):
        labels_by_blocks(tmp_path, planes)
    assert 5 not in blocks.finished(ledger)
    whole = labels_by_blocks(tmp_path, planes)
    assert np.array_equal(whole, labels_by_blocks(tmp_path / "whole", planes))


def test_damaged_voxels_that_were_published_are_made_again(tmp_path: Path, rng) -> None:
    planes = labels_of(rng)
    whole = labels_by_blocks(tmp_path, planes)
    ledger = by_blocks(tmp_path, objects(tmp_path, planes)).ledger
    chunk = ledger.final / "0" / "c" / "2" / "1"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"?")
    volume = Mended(io.open_labels(ledger.final, ndim=2).data, ledger)
    assert np.array_equal(volume[:16, 16:], whole[:16, 16:])
    with pytest.raises(blocks.BlockDamaged, match="blocks 7 of"):
        volume[10:, :12]
    assert blocks.finished(ledger) == set(range(9)) - {7}
    assert np.array_equal(labels_by_blocks(tmp_path, planes), whole)


def test_what_is_known_of_the_volume_is_compared(tmp_path: Path, rng) -> None:
    ledger = by_blocks(tmp_path, objects(tmp_path, labels_of(rng))).ledger
    path = ledger.folder / f"{KNOWN}ids.npy"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="knows of the volume is missing or damaged"):
        blocks.known_of(ledger)
    path.unlink()
    with pytest.raises(InputError, match="knows of the volume is missing or damaged"):
        blocks.known_of(ledger)


def test_a_seal_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    io.write_sealed(tmp_path / "a.json", {"b": [1, (2.5, None)], "a": {"x": np.int64(3)}})
    document = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(dict(reversed(document.items()))))
    assert io.read_sealed(tmp_path / "a.json", "document") == {"a": {"x": 3}, "b": [1, [2.5, None]]}
