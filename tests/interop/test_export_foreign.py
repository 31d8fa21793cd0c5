"""Prediction with networks out of files: equal planes, nothing guessed, nothing trusted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from jaxseg.channels import activate
from jaxseg.config import Package, ch
from jaxseg.errors import ConfigError, InputError
from jaxseg.main import main

onnx = pytest.importorskip("onnx", reason="pip install 'jaxseg[onnx]'")
pytest.importorskip("onnxruntime", reason="pip install 'jaxseg[onnx]'")
pytest.importorskip("bioimageio.spec", reason="pip install 'jaxseg[bmz]'")

from support.exchange_cases import doubling, package, untrained  # noqa: E402
from support.small_runs import command, write  # noqa: E402

from jaxseg.cli.app import main as app  # noqa: E402
from jaxseg.config.load import load  # noqa: E402
from jaxseg.interop.foreign import open_foreign  # noqa: E402

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]


@pytest.fixture
def project(tmp_path: Path):
    """A command line for images of discs, two planes and intensities as they are."""
    write(tmp_path / "data")
    args = command(tmp_path, ndim=2, channels="(ch('F'), ch('C'))", patch=(32, 32))
    return [*args, "--phases", "predict"]


NONE = ["--normalize.method", "none"]
KNOWN = ["--model.axes", "bcyx", "--model.links", "apply"]


def bmz(path: Path, *more: str) -> list[str]:
    return ["--model", "bmz", "--model.path", str(path), *more]


def planes(root: Path, run: str, image: str = "im4") -> np.ndarray:
    path = root / "out/discs/results" / f"discs_{run}" / "per_image" / f"{image}.zarr"
    return np.moveaxis(np.asarray(zarr.open(path, mode="r")["0"]), 0, -1)


def raw(root: Path, image: str = "im4") -> np.ndarray:
    import tifffile

    return tifffile.imread(root / "data/test/raw" / f"{image}.tif").astype(np.float32)


def saved(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.slow
def test_our_own_network_comes_back(project, tmp_path: Path, capsys) -> None:
    checkpoint = untrained(tmp_path / "trained", load(tmp_path / "config.py"))
    assert main([*project, "--predict.checkpoint", str(checkpoint)]) == 0
    ours = planes(tmp_path, "1")
    assert np.ptp(ours) > 1e-3
    for file, links in (("values.zip", "--links"), ("logits.onnx", "--no-links")):
        path, run = tmp_path / file, ["--run", file[:6]]
        assert app(["export", "--checkpoint", str(checkpoint), "--to", str(path), links]) == 0
        assert main([*project, *bmz(path), *run]) == 0
        np.testing.assert_allclose(planes(tmp_path, file[:6]), ours, atol=1e-4)
    # It knows what it was trained for.
    for other in (["--normalize.method", "zscore"], ["--channels.1.options.mode", "inner"]):
        assert main([*project, *bmz(path), "--run", "other", *other]) == 2
    error = capsys.readouterr().err
    assert "--normalize.method percentile" in error
    assert "channels" in error


def test_a_package_of_others(project, tmp_path: Path) -> None:
    linear = {"id": "scale_linear", "kwargs": {"gain": 0.01, "offset": -1.0}}
    model = doubling().SerializeToString()
    path = package(tmp_path / "p.zip", model, preprocessing=[linear])
    more = ["--normalize.scope", "dataset", "--model.links", "applied"]
    assert main([*project, *bmz(path, *more)]) == 0
    scaled = 0.01 * raw(tmp_path) - 1
    np.testing.assert_allclose(
        planes(tmp_path, "1"), np.stack([2 * scaled, 4 * scaled], -1), rtol=1e-4, atol=1e-5
    )


def test_a_sigmoid_of_the_package_is_applied_once(project, tmp_path: Path) -> None:
    path = package(
        tmp_path / "p.zip", doubling().SerializeToString(), postprocessing=[{"id": "sigmoid"}]
    )
    linear = ["--normalize.method", "none"]
    assert main([*project, *linear, *bmz(path)]) == 0
    expected = np.asarray(activate(np.stack([2 * raw(tmp_path)] * 2, -1), (ch("F"), ch("C"))))
    np.testing.assert_allclose(planes(tmp_path, "1")[..., 0], expected[..., 0], atol=1e-6)


@pytest.mark.parametrize("axes", ["bcyx", "byxc", "cyx", "xycb"])
def test_the_axes_of_a_model_are_converted(project, tmp_path: Path, axes: str) -> None:
    path = saved(tmp_path / "m.onnx", doubling(axes=axes))
    more = ["--model.axes", axes, "--model.links", "applied", "--predict.tile", "32", "24"]
    assert main([*project, *NONE, *bmz(path, *more)]) == 0
    image = raw(tmp_path)
    assert (planes(tmp_path, "1") == np.stack([2 * image, 4 * image], -1)).all()


@pytest.mark.parametrize(
    ("model", "more", "text"),
    [
        ({}, [], "--model.axes bcyx"),
        ({}, ["--model.axes", "bcy"], "the axes do not fit"),
        ({"axes": "bczyx"}, ["--model.axes", "bcyx"], "found bcyx"),
        ({}, ["--model.axes", "bcyx"], "--model.links"),
        ({}, KNOWN, "--predict.tile"),
        ({"planes": 3}, KNOWN, "expected 2, F, C; found 3"),
        (
            {"sizes": {"y": 16, "x": 16}},
            [*KNOWN, "--predict.tile", "32", "32"],
            "expected 16 x 16; found (32, 32)",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_model_does_not_say_is_asked_for(
    project, tmp_path: Path, capsys, model, more, text: str
) -> None:
    path = saved(tmp_path / "m.onnx", doubling(**model))
    assert main([*project, *NONE, *bmz(path, *more)]) == 2
    assert text in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("per_image"))


def test_training_and_other_contradictions_are_refused_before_anything(project, capsys) -> None:
    line = ["--model", "bmz", "--phases", "train", "predict", "--predict.precision", "bfloat16"]
    assert main([*project, *line, "--predict.checkpoint", "there"]) == 2
    error = capsys.readouterr().err
    for text in ("cannot be trained", "no package given", "two networks", "bfloat16"):
        assert text in error


def test_fixed_size_and_single_samples(project, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", doubling(sizes={"b": 1, "y": 16, "x": 24}))
    more = ["--model.axes", "bcyx", "--model.links", "applied"]
    assert main([*project, *NONE, *bmz(path, *more)]) == 0
    assert (planes(tmp_path, "1")[..., 1] == 4 * raw(tmp_path)).all()


# ---------------------------------------------------------------------------- what is refused

CLIP = {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}
JOINT = {"id": "scale_range", "kwargs": {"axes": ["x"]}}
ENTRY = {"source": "m.onnx", "opset_version": 18}
TYPED = {"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"preprocessing": [CLIP]}, "clip, which has no counterpart"),
        ({"preprocessing": [JOINT]}, "over axes"),
        ({"postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}]}, "softmax"),
        ({"weights": {"pytorch_state_dict": {"source": "m.pt"}}}, "no weights in ONNX"),
        ({"inputs": [{"id": "a"}]}, "not a legal description"),
        ({"weights": {"onnx": {**ENTRY, "sha256": "0" * 64}}}, "damaged weights"),
        ({"weights": {"onnx": {**ENTRY, "source": "../m.onnx"}}}, "missing in the package"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_packages_without_counterpart_are_refused_by_name(tmp_path: Path, changes, text) -> None:
    path = package(tmp_path / "p.zip", doubling().SerializeToString(), **changes)
    with pytest.raises((ConfigError, InputError), match=text):
        open_foreign(Package(path=str(path), links="applied"), 2)


def test_the_type_of_the_images_is_that_of_the_package(project, tmp_path: Path, capsys) -> None:
    model = doubling().SerializeToString()
    path = package(tmp_path / "p.zip", model, preprocessing=[TYPED])
    assert main([*project, *NONE, *bmz(path, "--model.links", "applied")]) == 5
    assert "expected uint8; found uint16" in capsys.readouterr().err


def with_weights_in(location: str, **more: str) -> bytes:
    """The model, its factors in another file."""
    model = doubling()
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return model.SerializeToString()


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_weights_in_another_file_of_the_package(tmp_path: Path, kind: str) -> None:
    factors = b"...." + np.array([3, 5], np.float32).tobytes()
    model = with_weights_in("w.data", offset="4", length="8")
    path = package(tmp_path / "p.zip", model, {"w.data": factors})
    if kind == "folder":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "p")
        path = tmp_path / "p"
    foreign = open_foreign(Package(path=str(path), links="applied"), 2)
    found = foreign.forward(np.ones((1, 8, 8, 1), np.float32))
    assert found[0, 0, 0].tolist() == [3, 5]


@pytest.mark.parametrize(
    ("location", "more", "text"),
    [
        ("../secret", {}, "outside of the package"),
        ("/etc/hostname", {}, "outside of the package"),
        ("link", {}, "outside of the package"),
        ("none", {}, "cannot be read"),
        ("w.data", {"offset": "4", "length": "8"}, "beyond the end"),
        ("w.data", {"offset": "-1"}, "beyond the end"),
        ("w.data", {"offset": "x"}, "at no place"),
    ],
)
def test_weights_elsewhere_are_never_read(tmp_path: Path, location: str, more, text: str) -> None:
    (tmp_path / "secret").write_bytes(b"01234567")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "w.data").write_bytes(b"01234567")
    (folder / "m.onnx").write_bytes(with_weights_in(location, **more))
    path = str(folder / "m.onnx")
    with pytest.raises(InputError, match=text):
        open_foreign(Package(path=path, axes="bcyx", links="applied"), 2)


def damaged(path: Path, kind: str) -> None:
    """A package with one thing wrong."""
    model = doubling().SerializeToString()
    if kind == "a name that leaves it":
        package(path, model, {"../evil.txt": b"x"})
    elif kind == "an absolute name":
        package(path, model, {"/evil.txt": b"x"})
    elif kind == "aliases":
        package(path, model, {})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("rdf.yaml", "a: &a [1]\nb: [*a, *a]\ntype: model\n")
    elif kind == "objects of Python":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("rdf.yaml", "type: !!python/object/apply:os.getcwd []\n")
    elif kind == "an older format":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("rdf.yaml", "type: model\nformat_version: 0.4.10\n")
    elif kind == "no description":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("m.onnx", model)
    elif kind == "half a file":
        whole = package(path, model).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "flipped bits":
        whole = bytearray(package(path, model).read_bytes())
        whole[whole.index(b"doubling")] ^= 1
        path.write_bytes(whole)
    elif kind == "no model":
        package(path, b"this is no model")
    else:
        assert kind == "nothing"


KINDS = (
    "a name that leaves it", "an absolute name", "aliases", "objects of Python", "an older format",
    "no description", "half a file", "flipped bits", "no model", "nothing",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_and_hostile_packages(project, tmp_path: Path, kind: str, capsys) -> None:
    path = tmp_path / "p.zip"
    damaged(path, kind)
    before = sorted(tmp_path.rglob("*"))
    assert main([*project, *NONE, *bmz(path, "--model.links", "applied")]) in (2, 5)
    error = capsys.readouterr().err
    assert str(path) in error
    assert len(error.splitlines()) <= 3
    assert [
        p for p in sorted(tmp_path.rglob("*")) if "out" not in p.parts[len(tmp_path.parts) :]
    ] == before


def test_a_package_may_not_be_larger_than_it_says(tmp_path: Path, monkeypatch) -> None:
    from jaxseg.interop.bioimageio import archive

    path = package(tmp_path / "p.zip", doubling().SerializeToString(), {"more": b"\0" * 5000})
    monkeypatch.setattr(archive, "LARGEST_PACKAGE", 4000)
    with pytest.raises(InputError, match="too large a package"):
        open_foreign(Package(path=str(path)), 2)
    monkeypatch.setattr(archive, "LARGEST_PACKAGE", 10**6)
    monkeypatch.setattr(archive, "LARGEST_MODEL", 100)
    with pytest.raises(InputError, match=r"m.onnx is too large"):
        open_foreign(Package(path=str(path)), 2)
    monkeypatch.setattr(archive, "LARGEST_DESCRIPTION", 100)
    with pytest.raises(InputError, match=r"rdf.yaml is too large"):
        open_foreign(Package(path=str(path)), 2)


@pytest.mark.parametrize(
    "record", ["[", "[]", "{}x", json.dumps({"config": {"normalize": {"method": 3}}})]
)
def test_a_damaged_record_of_ours(tmp_path: Path, record: str) -> None:
    model = doubling()
    onnx.helper.set_model_props(model, {"jaxseg": record})
    path = saved(tmp_path / "m.onnx", model)
    with pytest.raises(InputError, match="record"):
        open_foreign(Package(path=str(path), axes="bcyx", links="applied"), 2)
