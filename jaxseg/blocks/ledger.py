"""What is done: one folder per stage and volume, with a marker for every finished block.

```
ledger.json           stage, grid, the values that decide the result, and their hash
*.npy, known.*        what the stage knows of the whole volume; ledger.json has their hashes
data.zarr             what the blocks wrote, until it is complete and moves to its final name
tables/<layer>/<number>.safetensors.zst   arrays of a block
done/<layer>/<number>.json      written after all of the block's data: their hash, counts
failed/<number>.txt   why a block could not be done
```
The folder appears whole, with its empty stores, and then only grows. What is there decides what is
done; no process needs to remember it or tell another one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxseg import io
from jaxseg.blocks.grid import BlockGrid
from jaxseg.config.load import differing, digest
from jaxseg.errors import ConfigError, InputError
from jaxseg.io.bounds import open_plain
from jaxseg.io.trash import dated

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Ledger:
    """One stage of one volume.

    Parameters
    ----------
    folder : see the module
    stage : name of the stage
    grid : the blocks
    values : all that decides the result, as flat plain data
    target : final place of the data, empty if they stay
    """

    folder: Path
    stage: str
    grid: BlockGrid
    values: Mapping[str, Any]
    target: str = ""

    @functools.cached_property
    def digest(self) -> str:
        """Hash of all that decides the result."""
        return digest([self.stage, self.grid.to_plain(), dict(self.values)])

    @property
    def data(self) -> Path:
        """Where the data are now."""
        moved = self.target and self.final.exists()
        return self.final if moved else self.folder / "data.zarr"

    @property
    def final(self) -> Path:
        """Where complete data are; relative to the folder, so that the whole can be moved."""
        return Path(os.path.normpath(self.folder / self.target))

    def table(self, number: int) -> Path:
        """The arrays of a block."""
        return self.folder / "tables" / self._name(number, "safetensors.zst")

    def marker(self, number: int) -> Path:
        """What says that a block is done."""
        return self.folder / "done" / self._name(number, "json")

    def failure(self, number: int) -> Path:
        """What says why a block could not be done."""
        return self.folder / "failed" / f"{number}.txt"

    def _name(self, number: int, kind: str) -> Path:
        # One folder per layer: few file systems like a hundred thousand files in one.
        return Path(str(self.grid[number].index[0])) / f"{number}.{kind}"


def open_ledger(
    folder: Path,
    stage: str,
    grid: BlockGrid,
    values: Mapping[str, Any],
    *,
    target: Path | None = None,
    fill: Callable[[Path], None] = lambda folder: None,
) -> Ledger:
    """Begin a stage, or go on with it.

    Parameters
    ----------
    folder : of the stage and volume
    stage, grid, values : see :class:`Ledger`
    target : where the data go when they are complete
    fill : makes the empty stores of a new stage in the folder that it is given

    Returns
    -------
    Ledger

    Raises
    ------
    ConfigError : the stage was begun with other values; they are named. Or it begins, and there
        are data of another run at its target
    """
    values = json.loads(json.dumps(dict(values)))
    place = os.path.relpath(target, folder) if target else ""
    ledger = Ledger(folder, stage, grid, values, place)
    # Asked in this order, since another job may begin and end the stage in between.
    taken = target is not None and target.exists()
    if not (folder / "ledger.json").exists():
        if taken:
            raise ConfigError(
                f"results that are not of this {stage} lie here",
                where=target,
                fix="move them away, or give another --run",
            )
        with io.new_folder(folder) as partial:
            fill(partial)
            files = {file.name: _hash_of_file(file) for file in partial.iterdir() if file.is_file()}
            io.write_sealed(partial / "ledger.json", _document(ledger) | {"files": files})
    found = read_ledger(folder)
    changed = differing(_all_values(found), _all_values(ledger))
    if changed:
        raise ConfigError(
            f"{stage} was begun here with other values of {', '.join(changed[:6])}",
            where=folder,
            expected=_all_values(found).get(changed[0]),
            found=_all_values(ledger).get(changed[0]),
            fix="give another --run, or --overwrite, which moves the old results to _trash",
        )
    return found


def _all_values(ledger: Ledger) -> dict[str, Any]:
    """What must not change, by the names that a user knows."""
    grid = {f"grid.{name}": value for name, value in ledger.grid.to_plain().items()}
    return {**grid, **ledger.values}


def _document(ledger: Ledger) -> dict[str, Any]:
    return {
        "stage": ledger.stage,
        "grid": ledger.grid.to_plain(),
        "values": dict(ledger.values),
        "digest": ledger.digest,
        "target": ledger.target,
    }


def read_ledger(folder: Path) -> Ledger:
    """A stage that was begun.

    Raises
    ------
    InputError : no ledger, or one that was changed
    """
    found = io.read_sealed(folder / "ledger.json", "ledger", fix=_afresh(folder))
    try:
        grid = BlockGrid.from_plain(found["grid"])
        ledger = Ledger(folder, found["stage"], grid, found["values"], found["target"])
        same = ledger.digest == found["digest"]
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise InputError("not a readable ledger", where=folder, found=repr(error)) from error
    if not same:
        raise InputError("the ledger was changed by hand", where=folder / "ledger.json")
    return ledger


def _afresh(folder: Path) -> str:
    return f"move {folder} away and run the same command again: its blocks are done anew"


def known_names(ledger: Ledger) -> list[str]:
    """The files that a stage was begun with, whether they are still there or not."""
    return sorted(io.read_sealed(ledger.folder / "ledger.json", "ledger").get("files", {}))


def known_file(ledger: Ledger, name: str) -> Path:
    """A file that a stage was begun with, compared with its hash.

    Raises
    ------
    InputError : missing, or not what was written
    """
    path = ledger.folder / name
    found = io.read_sealed(ledger.folder / "ledger.json", "ledger").get("files", {})
    try:
        same = _hash_of_file(path) == found.get(name)
    except (OSError, InputError):
        same = False
    if not same:
        raise InputError(
            f"what {ledger.stage} knows of the volume is missing or damaged",
            where=path,
            fix=_afresh(ledger.folder),
        )
    return path


def _hash_of_file(path: Path) -> str:
    with open_plain(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]


def ledgers(out: Path) -> Iterator[Ledger]:
    """All ledgers in and below a folder, in the order of their paths.

    Raises
    ------
    InputError : one that cannot be read
    """
    yield from map(read_ledger, ledger_folders(out))


def ledger_folders(out: Path) -> Iterator[Path]:
    """The folders of all ledgers in and below a folder, whether they can be read or not."""
    for folder, inner, files in os.walk(out):
        # The stores hold very many files, and none of these.
        inner[:] = sorted(name for name in inner if not _is_content(Path(folder, name)))
        if "ledger.json" in files:
            inner.clear()
            yield Path(folder)


def set_aside(folder: Path) -> Path:
    """Move a ledger away whose stage cannot be mended block by block; where it is then."""
    target = dated(folder.parent / "_trash", f"{folder.name}.")
    target.parent.mkdir(exist_ok=True)
    os.rename(folder, target)
    return target


def known_faults(ledger: Ledger) -> list[str]:
    """What is wrong with a stage as a whole: its data are gone, or what it was begun with."""
    wrong = []
    for name in known_names(ledger):
        try:
            known_file(ledger, name)
        except InputError as error:
            wrong.append(f"{name}: {error.what}")
    needs_data = any((ledger.folder / name).exists() for name in ("data.zarr", "tables"))
    if ledger.target and not needs_data and not ledger.final.exists():
        wrong.append(f"its data are gone from {ledger.final}")
    return wrong


def _is_content(folder: Path) -> bool:
    """Whether a folder is no ledger of an image and holds none, whatever images are called."""
    content = folder.suffix in (".zarr", ".partial") or folder.name in ("_trash", "manifests")
    return content and not (folder / "ledger.json").exists()


def mark(ledger: Ledger, number: int, record: Record) -> None:
    """Record a finished block, after its data are on disk."""
    io.write_sealed(ledger.marker(number), {**record, "config": ledger.digest}, shared=True)
    ledger.failure(number).unlink(missing_ok=True)


def finished(ledger: Ledger) -> set[int]:
    """Numbers of the blocks that are done."""
    done = ledger.folder / "done"
    layers = [layer for layer in done.iterdir() if layer.is_dir()] if done.is_dir() else []
    names = (name for layer in layers for name in os.listdir(layer) if name.endswith(".json"))
    return {int(name.removesuffix(".json")) for name in names}


def failed(ledger: Ledger) -> list[int]:
    """Numbers of the blocks that could not be done, ascending."""
    folder = ledger.folder / "failed"
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(int(name.removesuffix(".txt")) for name in names if name.endswith(".txt"))


def undo(ledger: Ledger, number: int) -> None:
    """Take back that a block is done: the next run of its stage does it again."""
    with contextlib.suppress(FileNotFoundError):
        ledger.marker(number).unlink()


class BlockDamaged(InputError):
    """A block of ours that is not what was written; its marker is gone, so it is done again."""


def damaged_block(ledger: Ledger, number: int, reason: str) -> BlockDamaged:
    """Take back that a block is done, and say so."""
    undo(ledger, number)
    return BlockDamaged(
        f"block {number} of {ledger.stage} {reason}; it counts as not done from now on",
        where=ledger.folder,
        fix=f"run the same command again, {ledger.stage} included: the block is done anew",
    )


def record_of(ledger: Ledger, number: int) -> Record:
    """The marker of a block.

    Raises
    ------
    BlockDamaged : damaged, or of another configuration
    """
    try:
        found = io.read_sealed(ledger.marker(number), "marker")
    except InputError as error:
        raise damaged_block(ledger, number, "has a damaged marker") from error
    if found.get("config") != ledger.digest:
        raise damaged_block(ledger, number, "has a marker of another configuration")
    return found


def require(ledger: Ledger) -> None:
    """Refuse to go on before all blocks are done.

    Raises
    ------
    ConfigError : some are missing; the first are named
    """
    done = finished(ledger)
    missing = [number for number in range(len(ledger.grid)) if number not in done]
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(ledger.grid)} blocks are missing",
            where=ledger.folder,
            expected=f"{ledger.stage} of all blocks",
            found=f"not done: {ranges(missing)}",
            fix=f"run {ledger.stage} for them first",
        )


def tidy(ledger: Ledger) -> None:
    """Remove what attempts that died left of single blocks, as soon as all are done.

    A job that still does a block a second time may lose what it is writing; it finds the marker of
    the first time and goes on.
    """
    if len(finished(ledger)) == len(ledger.grid):
        for name in ("data.zarr", "tables", "done", "failed"):
            io.sweep(ledger.folder / name, untouched=0, stores=True)


def ranges(numbers: list[int], most: int = 8) -> str:
    """Ascending numbers as text, runs of them put together.

    >>> ranges([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    parts = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    more = len(parts) - most
    return ", ".join(parts[:most]) + (f" and {more} ranges more" if more > 0 else "")
