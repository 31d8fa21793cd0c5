"""Tensors of a checkpoint of PyTorch, without ever running code that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy

from jaxseg.errors import ConfigError, InputError

# Under which names programs keep the tensors of a network in a file.
HOLDERS = ("model", "model_state_dict", "state_dict")


class Weights(NamedTuple):
    """What a file holds."""

    tensors: dict[str, np.ndarray]
    """float32, in PyTorch's order of axes."""
    options: dict[str, Any]
    """The configuration that BiaPy keeps beside them; empty = none."""


def read(path: str | Path) -> Weights:
    """The tensors of a ``.safetensors`` or ``.pth`` file.

    Raises
    ------
    ConfigError : the package that reads such files is not installed
    InputError : the file is missing, is no such file, or would have to run code to be read
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path, fix="check the path after --from")
    if path.suffix == ".safetensors":
        return Weights(_read_safetensors(path), {})
    if path.suffix in (".pth", ".pt"):
        return _read_torch(path)
    raise InputError("unknown kind of weights", where=path, expected=".safetensors, .pth or .pt")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        found = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, TypeError) as error:
        raise InputError(f"not readable as safetensors: {error}", where=path) from error
    return {name: tensor.astype(np.float32) for name, tensor in found.items()}


def _read_torch(path: Path) -> Weights:
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            "reading .pth files needs torch",
            where=path,
            fix="pip install torch, or save the weights as .safetensors",
        ) from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Torch has no common class of errors; what it raises says why a file is not plain tensors.
        reason = str(error).splitlines()[0]
        raise InputError(f"not readable as plain tensors: {reason}", where=path) from error
    if not isinstance(found, Mapping):
        raise InputError("no dictionary of tensors", where=path, found=type(found).__name__)
    holder = next((name for name in HOLDERS if isinstance(found.get(name), Mapping)), "")
    state = found[holder] if holder else found
    tensors = {
        name: value.to(torch.float32).numpy()
        for name, value in state.items()
        if isinstance(value, torch.Tensor)
    }
    options = found.get("cfg") if holder else None
    return Weights(tensors, dict(options) if isinstance(options, Mapping) else {})
