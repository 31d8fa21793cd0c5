"""Tensors of BiaPy 3.7.1 as our parameters: names, order of axes, and nothing left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxseg.errors import InputError
from jaxseg.interop.biapy.names import peer_place

# Tensors without a meaning for inference: a counter, and UNETR's positions, which are all 0.
COUNTER, POSITIONS = "num_batches_tracked", "pos_embed"
# Names in a message.
LISTED = 6


def convert(
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    config: Any,
    ndim: int,
    *,
    file: str = "",
) -> dict[str, np.ndarray]:
    """Our parameters and statistics out of the peer's tensors.

    Parameters
    ----------
    tensors : by the peer's names, in PyTorch's order of axes
    shapes : what our network wants, by ``params/module/.../leaf`` or ``batch_stats/...``
    config : of the network
    ndim : 2 or 3
    file : where the tensors are from, for messages

    Returns
    -------
    {our name: float32 array}

    Raises
    ------
    InputError : tensors are missing, of another shape, or left over; all that differ are named
    """
    heads = sum(name.startswith("params/head_") and name.endswith("/bias") for name in shapes)
    tensors = join_heads(tensors) if heads == 1 else dict(tensors)
    result, missing, wrong, used = {}, [], [], set()
    for name, shape in shapes.items():
        place = peer_place(name.split("/", 1)[1], config)
        if place.name not in tensors:
            missing.append(place.name)
            continue
        used.add(place.name)
        array = in_our_order(tensors[place.name], len(shape), ndim, spreads=place.spreads)
        if array.shape == shape:
            result[name] = array
        else:
            wrong.append(f"{place.name} {tensors[place.name].shape}, for {name} {shape}")
    left = [name for name in tensors if name not in used and not _ignored(name, tensors[name])]
    for problem, names in (("missing", missing), ("of another shape", wrong), ("left over", left)):
        if names:
            raise InputError(
                f"{len(names)} tensors are {problem}: {listed(names)}",
                where=file,
                expected=f"the weights of a {config.architecture} with the options given",
            )
    return result


def _ignored(name: str, tensor: np.ndarray) -> bool:
    return name.endswith(COUNTER) or (name == POSITIONS and not tensor.any())


def join_heads(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Several heads upon the same feature maps as one.

    >>> two = {"heads.0.bias": np.zeros(1), "heads.1.bias": np.ones(2)}
    >>> join_heads(two)["heads.0.bias"].tolist()
    [0.0, 1.0, 1.0]
    """
    joined = {name: array for name, array in tensors.items() if not name.startswith("heads.")}
    for leaf in ("weight", "bias"):
        parts: list[np.ndarray] = []
        while f"heads.{len(parts)}.{leaf}" in tensors:
            parts.append(tensors[f"heads.{len(parts)}.{leaf}"])
        if parts:
            joined[f"heads.0.{leaf}"] = np.concatenate(parts)
    return joined


def in_our_order(array: np.ndarray, dims: int, ndim: int, *, spreads: bool = False) -> np.ndarray:
    """A tensor with its axes as we have them.

    Parameters
    ----------
    array : as PyTorch has it
    dims : number of axes of our parameter: 1 for vectors, 2 for matrices, one more than ``ndim``
        for depthwise and two more for other kernels
    ndim : 2 or 3
    spreads : the kernel is that of a transposed convolution

    >>> in_our_order(np.zeros((7, 5, 2, 3)), 4, 2).shape
    (2, 3, 5, 7)
    """
    if dims == 1:
        return array.reshape(-1)
    if dims == 2:
        return array.T
    if dims == ndim + 1:
        return np.moveaxis(array[:, 0], 0, -1)
    return np.moveaxis(array, (0, 1), (-2, -1) if spreads else (-1, -2))


def listed(names: Sequence[str]) -> str:
    """The first of many names.

    >>> listed(["a", "b"])
    'a; b'
    """
    more = len(names) - LISTED
    return "; ".join(names[:LISTED]) + (f"; and {more} more" if more > 0 else "")
