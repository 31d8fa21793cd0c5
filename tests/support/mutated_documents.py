"""What is mutated beside images: networks of others, weights, configurations, tables, runs."""

from __future__ import annotations

import contextlib
import io as streams
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy
import yaml

from jaxseg.cli import app
from jaxseg.config import Config, Data, Package, Source, ch
from jaxseg.config.load import load, to_plain
from jaxseg.errors import JaxsegError
from jaxseg.interop import biapy
from jaxseg.interop.foreign import open_foreign
from jaxseg.io.points import read_points
from jaxseg.main import main
from jaxseg.tasks.checking import check
from support import small_runs
from support.exchange_cases import doubling, package
from support.mutated_files import Kind
from support.mutations import mutated, mutated_document, mutated_message

# What the documents say that a command may end with; 0 is done, 1 something is left to do.
CODES = {0, 1, 2, 3, 4, 5, 75}
BIAPY = """
PROBLEM:
  TYPE: INSTANCE_SEG
  NDIM: 2D
  INSTANCE_SEG:
    DATA_CHANNELS: [F, C]
    WATERSHED:
      SEED_CHANNELS: ['F']
DATA:
  PATCH_SIZE: (64, 64, 1)
  TRAIN:
    PATH: a/raw
    GT_PATH: a/labels
  TEST:
    PATH: b/raw
    OVERLAP: (0.1, 0.1)
AUGMENTOR:
  ENABLE: True
  ROT90: True
MODEL:
  ARCHITECTURE: resunet
  FEATURE_MAPS: [16, 32, 64]
  DROPOUT_VALUES: [0.1, 0.1, 0.1]
TRAIN:
  ENABLE: True
  OPTIMIZER: ADAMW
  LR: 1.E-4
  BATCH_SIZE: 4
  EPOCHS: 10
TEST:
  ENABLE: True
"""


def refused_in(*calls: Callable[[], object]) -> bool:
    """Whether any of some calls is refused in a documented way."""
    refused = False
    for call in calls:
        try:
            call()
        except JaxsegError as error:
            refused = error.exit_code in CODES
    return refused


# ------------------------------------------------------------------- networks of others, weights


def open_network(path: Path) -> bool:
    def use() -> None:
        known = {"axes": "bcyx"} if path.suffix == ".onnx" else {}
        foreign = open_foreign(Package(path=str(path), links="applied", **known), 2)
        foreign.forward(np.ones((1, 16, 16, 1), np.float32))

    return refused_in(use)


def change_model(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes of the file, or a field of the message."""
    if rng.random() < 0.4:
        return mutated(content, rng)
    import onnx

    message = onnx.load_model_from_string(content)
    mutated_message(message, rng)
    return message.SerializeToString()


def make_layers(folder: Path) -> None:
    """A small network: convolutions, a pooling, a resizing, and a connection over them."""
    import onnx
    from onnx import helper, numpy_helper

    def weights(name: str, *shape: int) -> object:
        return numpy_helper.from_array(np.ones(shape, np.float32), name)

    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], **same),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["p", "", "scales"], ["u"], mode="linear"),
        helper.make_node("Concat", ["u", "r"], ["c"], axis=1),
        helper.make_node("Conv", ["c", "w2", "b2"], ["y"], **same),
    ]
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    parts = [weights("w1", 3, 1, 3, 3), weights("b1", 3), weights("w2", 2, 6, 3, 3)]
    ends = [("x", ["b", 1, "y", "x"]), ("y", ["b", 2, "y", "x"])]
    given, result = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in ends
    )
    graph = helper.make_graph(
        nodes, "layers", [given], [result], [*parts, weights("b2", 2), scales]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (folder / "a.onnx").write_bytes(model.SerializeToString())
    assert not open_network(folder / "a.onnx")


def change_package(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes of the archive, or the description or the model in it."""
    if rng.random() < 0.3:
        return mutated(content, rng)
    with zipfile.ZipFile(streams.BytesIO(content)) as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    which = "rdf.yaml" if rng.random() < 0.7 else "m.onnx"
    if which == "rdf.yaml":
        document = mutated_document(yaml.safe_load(members[which]), rng)
        members[which] = json.dumps(document).encode()
    else:
        members[which] = change_model(which, members[which], rng)
    made = streams.BytesIO()
    kind = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(made, "w", kind[rng.integers(4)]) as archive:
        for item, data in members.items():
            archive.writestr(item, data)
    return made.getvalue()


def make_package(folder: Path) -> None:
    """A package that does not compare its model, so that a damaged one is opened."""
    weights = {"onnx": {"source": "m.onnx", "opset_version": 18}}
    steps = [{"id": "scale_linear", "kwargs": {"gain": 0.01, "offset": -1.0}}]
    model = doubling().SerializeToString()
    package(folder / "a.zip", model, weights=weights, preprocessing=steps)
    assert not open_network(folder / "a.zip")


def make_weights(folder: Path) -> None:
    arrays = {"a.weight": np.ones((4, 3, 3, 3), np.float32), "a.bias": np.zeros(4, np.float16)}
    safetensors.numpy.save_file(arrays, folder / "a.safetensors")


# --------------------------------------------------------------------------- documents and tables


def configure(path: Path) -> bool:
    def use() -> None:
        for problem in check(load(path)):
            raise problem

    with contextlib.redirect_stdout(streams.StringIO()):
        return refused_in(use)


def change_document(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes or letters, a number, or a value of it; JSON is YAML, too."""
    if rng.random() < 0.4:
        return mutated(content, rng, text=True)
    document = json.loads(content) if name.endswith(".json") else yaml.safe_load(content)
    changed = mutated_document(document, rng)
    return (json.dumps(changed) if rng.random() < 0.5 else yaml.safe_dump(changed)).encode()


def saved(folder: Path, name: str) -> None:
    images = Data(train=Source(raw="a", labels="b"), test=Source(raw="c"))
    data = to_plain(Config(channels=(ch("F"), ch("C"), ch("Db")), patch=(64, 64), data=images))
    text = json.dumps(data) if name.endswith(".json") else yaml.safe_dump(data)
    (folder / name).write_text(text)
    assert not configure(folder / name)


def make_points(folder: Path) -> None:
    rows = "\n".join(f"{n},{n}.5,{3 * n},{n % 2}" for n in range(12))
    (folder / "a.csv").write_text(f"index,axis-0,axis-1,class\n{rows}\n")


# --------------------------------------------------------------------------------- a finished run


def make_run(folder: Path) -> None:
    """A run that is trained, predicted, decoded and evaluated, and one that decodes by blocks."""
    small_runs.write(folder / "data")
    for more in ([], [*BLOCKS, "--phases", "predict", "decode", "evaluate"]):
        with contextlib.redirect_stdout(streams.StringIO()):
            assert main([*command(folder), *more]) == 0


BLOCKS = ["--run", "2", "--blocks.size", "24", "24", "--blocks.halo", "8", "8"]


def command(folder: Path) -> list[str]:
    words = small_runs.command(folder, ndim=2, channels="(ch('F'),)", patch=(16, 16))
    trained = folder / "out/discs/checkpoints/discs_1"
    return [*words, "--predict.checkpoint", str(trained)] if trained.exists() else words


def start_again(path: Path) -> bool:
    """Every command on the results; whether one of them ended otherwise than well."""
    words, codes = command(path.parents[0]), set()
    for arguments in (
        ["run", *words, "--phases", "decode", "evaluate"],
        ["run", *words, *BLOCKS, "--phases", "decode", "evaluate"],
        ["status", str(path)],
        ["verify", str(path)],
    ):
        told = streams.StringIO()
        with contextlib.redirect_stdout(streams.StringIO()), contextlib.redirect_stderr(told):
            code = app.main(arguments)
        assert code in CODES, (arguments, code)
        assert "Traceback" not in told.getvalue()
        codes.add(code)
    return codes != {0}


KINDS = {
    "onnx": Kind(
        lambda folder: void((folder / "a.onnx").write_bytes(doubling().SerializeToString())),
        "a.onnx",
        open_network,
        change_model,
    ),
    "onnx-layers": Kind(make_layers, "a.onnx", open_network, change_model),
    "package": Kind(make_package, "a.zip", open_network, change_package),
    "safetensors": Kind(
        make_weights, "a.safetensors", lambda path: refused_in(lambda: biapy.read(path))
    ),
    "json": Kind(lambda folder: saved(folder, "a.json"), "a.json", configure, change_document),
    "yaml": Kind(lambda folder: saved(folder, "a.yaml"), "a.yaml", configure, change_document),
    "yaml-biapy": Kind(
        lambda folder: void((folder / "a.yaml").write_text(BIAPY)),
        "a.yaml",
        configure,
        change_document,
    ),
    "points": Kind(
        make_points,
        "a.csv",
        lambda path: refused_in(lambda: read_points(path, (40, 40))),
    ),
    "run": Kind(make_run, "out", start_again, copied=True),
}


def void(_: object) -> None:
    """Nothing, of something."""
