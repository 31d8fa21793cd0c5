"""The project's own JSON documents: written with a hash of their content, compared when read."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxseg.errors import InputError
from jaxseg.io.artifacts import plain, write_json

SEAL = "seal"
# Bytes: no document of ours comes near it.
MOST = 2**28


def write_sealed(
    path: str | os.PathLike[str], document: Mapping[str, Any], *, shared: bool = False
) -> None:
    """Write a JSON object with a hash of its content.

    Parameters
    ----------
    path : str or path
        An existing file is replaced.
    document : mapping
        Plain data.
    shared : bool
        As for :func:`jaxseg.io.atomic_path`.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "a.json"
    >>> write_sealed(place, {"objects": 3})
    >>> read_sealed(place, "count")
    {'objects': 3}
    """
    content = plain(dict(document))
    write_json(path, {**content, SEAL: seal_of(content)}, shared=shared)


def read_sealed(path: str | os.PathLike[str], what: str, *, fix: str = "") -> dict[str, Any]:
    """The document of :func:`write_sealed`, exactly as it was written.

    Parameters
    ----------
    path : file
    what : it should be, for the message
    fix : what to do when it is not

    Returns
    -------
    the object, without its seal

    Raises
    ------
    InputError : missing, cut short, empty, of another type, or changed since
    """
    try:
        document = _loaded(Path(path))
    except (OSError, ValueError, RecursionError) as error:
        found = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise InputError(
            f"not a readable {what}", where=path, found=found or type(error).__name__, fix=fix
        ) from error
    if document.pop(SEAL, None) != seal_of(document):
        raise InputError(
            f"this {what} was changed or damaged after it was written", where=path, fix=fix
        )
    return document


def _loaded(path: Path) -> dict[str, Any]:
    """The JSON object of a file; a device or a pipe is never waited for."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("not a file")
    if about.st_size > MOST:
        raise ValueError(f"{about.st_size} bytes, more than {MOST}")
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        raise ValueError("an empty file")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"a {type(document).__name__}, not an object")
    return document


def seal_of(document: Mapping[str, Any]) -> str:
    """A hash of plain data, the same in any order of keys."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
