"""Label ids of any integer type as the compact int32 that the device works with."""

from __future__ import annotations

from typing import Any

import fastremap
import numpy as np

from jaxseg.errors import ConfigError, InputError

# Ids up to here are left as they are: tables with a row per id stay small.
SMALL = 2**16 - 1


def compact(labels: Any) -> Any:
    """Labels as int32, so that no id wraps on the device.

    Parameters
    ----------
    labels : (*S) integers of any type, NumPy; or a JAX array, which is returned as it is

    Returns
    -------
    (*S) int32; ids above 65535 are renumbered to 1..K, 0 stays 0

    Raises
    ------
    InputError : floating point or negative labels

    >>> compact(np.array([0, 2**40, 2**40 + 1]))
    array([0, 1, 2], dtype=int32)
    """
    if not isinstance(labels, np.ndarray):
        return labels
    if labels.dtype.kind not in "iub":
        raise InputError(
            "labels are not integers",
            found=labels.dtype,
            fix="save them as an integer type; ids must not be rounded",
        )
    if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise InputError("negative labels", found=labels.min(), expected="0 = background, ids > 0")
    if labels.dtype.itemsize > 2 and labels.max(initial=0) > SMALL:
        labels = fastremap.renumber(labels, in_place=False)[0]
    return labels.astype(np.int32, copy=False)


def segments(labels: Any, max_label: int | None) -> int:
    """Number of rows of a table with one row per id, background included.

    Parameters
    ----------
    labels : (*S) int32
    max_label : largest id, None = look

    Returns
    -------
    static int

    Raises
    ------
    ConfigError : ``max_label`` is needed because the labels are not known yet, inside jit
    """
    if max_label is not None:
        return max_label + 1
    if not isinstance(labels, np.ndarray):
        raise ConfigError(
            "the largest label must be known when the function is compiled",
            fix="give max_label=, a number that no label exceeds",
        )
    # A power of two: images with similar numbers of objects share one compilation.
    return 1 << int(labels.max(initial=0)).bit_length()
