"""What a training does when the device has too little memory: smaller parts of a batch in turn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from jaxseg.errors import ResourceError
from jaxseg.memory import halved


def parts_of(share: int, wanted: int) -> int:
    """As many parts as wanted, as far as a device's share of the batch divides.

    >>> parts_of(4, 2), parts_of(2, 4)
    (2, 2)
    """
    return math.gcd(share, wanted)


def more_parts(share: int, parts: int) -> int:
    """The next number of parts, at least twice as many; 0 when a part is one sample already.

    Parameters
    ----------
    share : samples of the batch on each device
    parts : into which it is divided now

    >>> [more_parts(6, parts) for parts in (1, 2, 6)]
    [2, 6, 0]
    """
    return next((n for n in range(2 * parts, share + 1) if share % n == 0), 0)


def divide_further(
    share: int, parts: int, *, patch: Sequence[int], stride: Sequence[int], batch_norm: bool
) -> int:
    """The number of parts to go on with after the memory of the device was exhausted.

    Parameters
    ----------
    share, parts : as for :func:`more_parts`
    patch : size of a sample, (z)yx, for the message; empty = unknown
    stride : of the network
    batch_norm : whether the result depends on the samples of a part together

    Raises
    ------
    ResourceError : one sample alone does not fit

    Warns
    -----
    RuntimeWarning : of the number
    """
    found = more_parts(share, parts)
    if not found:
        raise _too_large(tuple(patch), tuple(stride))
    what = f"the device ran out of memory: its {share} samples of a batch are computed in {found}"
    what += f" parts of {share // found}, one after another"
    if batch_norm:
        what += "; batch normalisation sees one part at a time"
    warnings.warn(what, RuntimeWarning, stacklevel=2)
    return found


def _too_large(patch: tuple[int, ...], stride: tuple[int, ...]) -> ResourceError:
    """One sample alone is too much for the device."""
    smaller = halved(patch, stride) if patch else patch
    if smaller == patch:
        fix = "smaller patches or a smaller network"
    else:
        fix = f"a smaller patch, such as --patch {' '.join(map(str, smaller))}"
    return ResourceError(
        "one training patch alone does not fit the memory of the device",
        found=f"patch {patch}" if patch else "",
        fix=fix,
    )
