"""Names for what is moved out of the way: when that was, and never one that is taken."""

from __future__ import annotations

import itertools
import time
from pathlib import Path


def dated(folder: Path, prefix: str = "") -> Path:
    """A path in a folder that does not exist, named by the time.

    Parameters
    ----------
    folder : where it is
    prefix : what its name begins with

    Returns
    -------
    Path : with a number after the time where something was moved within the same second
    """
    name = prefix + time.strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in map(folder.joinpath, names) if not path.exists())
