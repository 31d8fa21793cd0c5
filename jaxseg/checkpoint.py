"""Checkpoints: arrays by Orbax, what describes them as JSON, and a hash of every array.

```
<directory>/last/<step>/   the whole state of the training; the two newest are kept
            best/<step>/   the variables of the network with the best validation
                 <step>/arrays/      written by Orbax
                        meta.json    plain data
                        hashes.json  BLAKE2b of every array, with type and shape, and every file
```
A checkpoint appears under its final name only when it is complete and on disk. Orbax reads a file
with a flipped bit without complaint, hence the hashes: a checkpoint that does not match them is
named and an older one is used. The files are compared before Orbax sees them, the arrays after.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from jaxseg import hosts
from jaxseg.errors import InputError, JaxsegWarning
from jaxseg.io import atomic_path
from jaxseg.io.atomic import remove

Tree = TypeVar("Tree")

LAST, BEST = "last", "best"
STEP = re.compile(r"\d{10}")
# End of the name of a folder that is being written or removed.
LEFTOVER = ".partial"
# Between the names of nested dictionaries in the name of an array.
SEPARATOR = "/"


class Checkpoint(NamedTuple):
    """One verified checkpoint in memory."""

    path: Path
    step: int
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]

    @property
    def identity(self) -> str:
        """A hash of all arrays: the same for the same numbers, wherever and whenever saved."""
        described = {name: describe(array) for name, array in self.arrays.items()}
        return _digest(json.dumps(described, sort_keys=True).encode())


class Damaged(Exception):
    """A checkpoint that is not what was written."""


def save(
    directory: str | Path, step: int, state: Any, meta: Mapping[str, Any], *, keep: int = 2
) -> Path:
    """Write a checkpoint, then remove older ones; on return it is on disk.

    Parameters
    ----------
    directory : folder of checkpoints, made when missing
    step : number of the checkpoint; one of the same number is replaced
    state : pytree of arrays; random keys are saved as their data
    meta : plain data for JSON, without NaN
    keep : number of newest checkpoints that stay

    Returns
    -------
    folder of the checkpoint

    Raises
    ------
    ResourceError : disk full or folder not writable
    """
    target = Path(directory) / f"{step:010d}"
    arrays = {name: np.asarray(leaf) for name, leaf in jax.device_get(flatten(state)).items()}
    text = json.dumps(meta, allow_nan=False)
    described = {name: describe(array) for name, array in arrays.items()}
    _sweep(target.parent)
    with atomic_path(target) as partial:
        _write_arrays(partial / "arrays", arrays)
        (partial / "meta.json").write_text(text)
        hashes = {"arrays": described, "files": _files(partial)}
        (partial / "hashes.json").write_text(json.dumps(hashes))
    for old in checkpoints(directory)[keep:]:
        # The name goes first, so that no half of a checkpoint is ever seen under it.
        os.replace(old, old.with_suffix(LEFTOVER))
    _sweep(target.parent)
    return target


def _sweep(directory: Path) -> None:
    """Remove what a run that died was writing or removing."""
    for leftover in directory.glob("*" + LEFTOVER):
        remove(leftover)


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    logger = logging.getLogger("absl")
    level = logger.level
    # Orbax logs a page of tracebacks for an error that it raises as well.
    logger.setLevel(logging.CRITICAL)
    try:
        with ocp.StandardCheckpointer(multiprocessing_options=_alone()) as writer:
            writer.save(path.absolute(), dict(arrays))
            writer.wait_until_finished()
    except ValueError as error:
        # TensorStore raises errors of the file system as ValueError with their number in the text.
        number = re.search(r"os_error_code='(\d+)'", str(error))
        if number is None:
            raise
        code = int(number.group(1))
        raise OSError(code, os.strerror(code), str(path)) from error
    finally:
        logger.setLevel(level)


def _alone() -> ocp.options.MultiprocessingOptions:
    """One process reads or writes, whatever others do."""
    if hosts.count() == 1:
        return ocp.options.MultiprocessingOptions()
    own = hosts.number()
    return ocp.options.MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process{own}"
    )


def checkpoints(directory: str | Path) -> list[Path]:
    """Folders named like a checkpoint with something in them, newest first."""
    root = Path(directory)
    found = [path for path in root.iterdir() if STEP.fullmatch(path.name)] if root.is_dir() else []
    return sorted((path for path in found if path.is_dir() and any(path.iterdir())), reverse=True)


def newest(directory: str | Path) -> Checkpoint | None:
    """The newest checkpoint whose arrays are what was written; warns of each that is not.

    Returns
    -------
    Checkpoint, or None when there is none
    """
    for path in checkpoints(directory):
        try:
            return read(path)
        except Damaged as error:
            message = f"{path}: damaged checkpoint, not used ({error})"
            warnings.warn(message, JaxsegWarning, stacklevel=2)
    return None


def newest_meta(directory: str | Path) -> dict[str, Any] | None:
    """What describes the newest checkpoint whose files are what was written.

    The arrays are not read; None when there is none.
    """
    for path in checkpoints(directory):
        with suppress(Damaged, OSError):
            _compare(_files(path), _hashes(path)[0])
            return _meta(path)
    return None


def latest_valid(directory: str | Path) -> Path | None:
    """Folder of the newest undamaged checkpoint; None when there is none."""
    found = newest(directory)
    return found.path if found else None


def read(path: Path) -> Checkpoint:
    """One checkpoint, every array compared with its hash.

    Raises
    ------
    Damaged : anything is missing or differs
    """
    files, described = _hashes(path)
    _compare(_files(path), files)
    try:
        with ocp.StandardCheckpointer(multiprocessing_options=_alone()) as reader:
            arrays = reader.restore((path / "arrays").absolute())
        found = {name: describe(array) for name, array in arrays.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        # The hashes were made of what cannot be read: by somebody else.
        raise Damaged(f"its arrays cannot be read ({type(error).__name__})") from error
    _compare(found, described)
    return Checkpoint(path, int(path.name), arrays, _meta(path))


def _hashes(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Those of the files and of the arrays of a checkpoint."""
    try:
        hashes = json.loads((path / "hashes.json").read_text())
        return dict(hashes["files"]), dict(hashes["arrays"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise Damaged("hashes.json cannot be read") from error


def _meta(path: Path) -> dict[str, Any]:
    """What describes a checkpoint."""
    try:
        meta = json.loads((path / "meta.json").read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged("meta.json cannot be read") from error
    if not isinstance(meta, dict):
        raise Damaged("meta.json holds no object")
    return meta


def _compare(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse anything that is missing, changed, or too many."""
    names = sorted(found.keys() | expected.keys())
    wrong = [name for name in names if found.get(name) != expected.get(name)]
    if wrong:
        raise Damaged(f"{wrong[0]} {'differs' if wrong[0] in found else 'is missing'}")


def _files(path: Path) -> dict[str, str]:
    """Hashes of all files of a checkpoint but the one that holds the hashes."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {
        str(file.relative_to(path)): _digest(file.read_bytes())
        for file in files
        if file != path / "hashes.json"
    }


def restore(directory: str | Path, like: Tree) -> tuple[Tree, dict[str, Any]] | None:
    """The state of the newest undamaged checkpoint.

    Parameters
    ----------
    directory : folder of checkpoints
    like : pytree of the same structure, shapes and types

    Returns
    -------
    (state, meta): NumPy arrays, and random keys, in the structure of ``like``; None when there is
    no checkpoint

    Raises
    ------
    InputError : the checkpoint belongs to another network or optimiser, or all are damaged
    """
    found = newest(directory)
    if found is None and checkpoints(directory):
        raise InputError(
            "every state of the training is damaged",
            where=directory,
            fix="copy it back, or begin anew with --overwrite, which moves it to _trash",
        )
    if found is None:
        return None
    expected = {name: _kind(leaf) for name, leaf in flatten(like).items()}
    kinds = {name: _kind(array) for name, array in found.arrays.items()}
    differing = sorted(
        name for name in expected.keys() | kinds.keys() if expected.get(name) != kinds.get(name)
    )
    if differing:
        raise InputError(
            f"not a checkpoint of this network and optimiser; they differ in {differing[0]}",
            where=found.path,
            expected=expected.get(differing[0], "no such array"),
            found=kinds.get(differing[0], "no such array"),
            fix="start a run of another name",
        )
    leaves, structure = jax.tree.flatten(like)
    arrays = [found.arrays[name] for name in flatten(like)]
    values = [_as_key(a, leaf) for a, leaf in zip(arrays, leaves, strict=True)]
    return jax.tree.unflatten(structure, values), found.meta


def load_best(directory: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables with the best validation, as nested dictionaries.

    Parameters
    ----------
    directory : folder of a run's checkpoints, the one that holds ``best``

    Returns
    -------
    (variables, meta)

    Raises
    ------
    InputError : there is no undamaged checkpoint
    """
    found = trained(directory)
    return nested(found.arrays), found.meta


def trained(directory: str | Path, *, which: str = BEST) -> Checkpoint:
    """A trained network: its variables alone.

    Parameters
    ----------
    directory : as for :func:`load_best`
    which : best on the validation images, or the last one, whose parameters are their average over
        the last steps where the training kept one

    Returns
    -------
    Checkpoint, with the arrays of the network

    Raises
    ------
    InputError : there is no undamaged checkpoint
    """
    place = Path(directory) / which
    found = newest(place)
    if found is None and checkpoints(place):
        raise InputError(
            "every trained network here is damaged", where=place, fix="copy it again, or train anew"
        )
    if found is None:
        raise InputError("no trained network here", where=place, fix="run the phase train first")
    return found if which == BEST else found._replace(arrays=_variables(found.arrays))


def _variables(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network among the arrays of the whole state of a training, by the names of its own."""
    ends = {"ema": "params", "batch_stats": "batch_stats"}
    if not any(name.startswith("ema" + SEPARATOR) for name in state):
        ends["params"] = "params"
    parts = {name: name.split(SEPARATOR, 1) for name in state}
    return {
        f"{ends[first]}{SEPARATOR}{rest[0]}": state[name]
        for name, (first, *rest) in parts.items()
        if first in ends
    }


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by name as nested dictionaries.

    >>> nested({"params/conv/bias": 1, "params/conv/kernel": 2})
    {'params': {'conv': {'bias': 1, 'kernel': 2}}}
    """
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *parents, last = name.split(SEPARATOR)
        inner = tree
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = array
    return tree


def flatten(state: Any) -> dict[str, jax.Array]:
    """Arrays of a pytree by name, in the order of its leaves; random keys as their data."""
    named = jax.tree_util.tree_flatten_with_path(state)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator=SEPARATOR): _data(leaf)
        for path, leaf in named
    }


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _data(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _as_key(array: np.ndarray, like: Any) -> Any:
    if not _is_key(like):
        return array
    return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))


def _kind(array: Any) -> str:
    return f"{array.dtype}{tuple(array.shape)}"


def describe(array: np.ndarray) -> list[str]:
    """Type and shape, and BLAKE2b of the bytes."""
    return [_kind(array), _digest(np.ascontiguousarray(array).tobytes())]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
