"""Networks for tests of the exchange with other software: one of ours, and made-up foreign ones."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import yaml

from jaxseg import checkpoint, models
from jaxseg.config import Config
from jaxseg.config.load import to_plain
from jaxseg.network import heads_of


def untrained(folder: Path, config: Config, channels: int = 1) -> Path:
    """A checkpoint of a network as it is drawn."""
    model = models.build(config.model, heads_of(config), config.ndim, recipe="plain")
    image = jnp.zeros((1, *model.stride, channels))
    variables = jax.device_get(model.init(jax.random.key(0), image))
    stats = ((2.0,) * channels, (0.5,) * channels)
    meta = {"config": to_plain(config), "stats": stats, "digest": "drawn"}
    checkpoint.save(folder / checkpoint.BEST, 0, variables, meta, keep=1)
    return folder


def doubling(planes: int = 2, axes: str = "bcyx", sizes: Mapping[str, int] | None = None) -> Any:
    """An ONNX model whose planes are multiples of the first channel: 2, 4, 6 times."""
    import onnx
    from onnx import helper, numpy_helper

    factors = 2 * np.arange(1, planes + 1, dtype=np.float32)
    shape = [planes if axis == "c" else 1 for axis in axes]
    weights = numpy_helper.from_array(factors.reshape(shape), "factors")
    known = {"c": 1, **(sizes or {})}
    before = [known.get(axis, axis) for axis in axes]
    after = [planes if axis == "c" else known.get(axis, axis) for axis in axes]
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factors"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", kind, before)],
        [helper.make_tensor_value_info("y", kind, after)],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def description(model: bytes, **changes: Any) -> dict[str, Any]:
    """What a package says of the model above; ``changes`` replace what the tensors say."""
    digest = hashlib.sha256(model).hexdigest()
    space = [{"type": "space", "id": name, "size": {"min": 8, "step": 4}} for name in "yx"]
    shown = [
        {"type": "space", "id": name, "size": {"tensor_id": "raw", "axis_id": name}, "halo": 2}
        for name in "yx"
    ]
    given = {
        "id": "raw",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["grey"]}, *space],
        "data": {"type": "float32"},
        "preprocessing": changes.get("preprocessing", []),
    }
    result = {
        "id": "out",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["a", "b"]}, *shown],
        "data": {"type": "float32"},
        "postprocessing": changes.get("postprocessing", []),
    }
    return {
        "format_version": "0.5.4",
        "type": "model",
        "name": "doubling",
        "description": "twice and four times",
        "inputs": changes.get("inputs", [given]),
        "outputs": [result],
        "weights": changes.get(
            "weights", {"onnx": {"source": "m.onnx", "sha256": digest, "opset_version": 18}}
        ),
    }


def package(path: Path, model: bytes, files: Mapping[str, bytes] | None = None, **changes: Any):
    """A package of the model above as a zip file."""
    text = yaml.safe_dump(description(model, **changes))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {"rdf.yaml": text, "m.onnx": model, **(files or {})}.items():
            archive.writestr(name, data)
    path.write_bytes(buffer.getvalue())
    return path
