"""Our networks as ONNX and as packages: the same numbers, any size, checked before they stay."""

from __future__ import annotations

import socket
import zipfile
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import io, models
from jaxseg.channels import CHANNELS, activate, columns
from jaxseg.cli.app import main
from jaxseg.config import UNETR, Config, HRNet, Normalize, Package, Train, UNet, ch
from jaxseg.config.export import Export
from jaxseg.errors import ConfigError
from jaxseg.interop import onnx as exchange
from jaxseg.interop.foreign import open_foreign
from jaxseg.prediction.sight import CONTEXT
from jaxseg.runs.layout import run_of
from jaxseg.tasks.checking import check
from jaxseg.tasks.exporting import export_trained

for extra in ("onnx", "onnxruntime"):
    pytest.importorskip(extra, reason="pip install 'jaxseg[onnx]'")

from support.exchange_cases import untrained  # noqa: E402
from support.tiny_networks import TINY  # noqa: E402

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]

FAST = (("unet", 2), ("unet", 3), ("unetr", 2))
CHOICES = [
    *(UNet(features=(4, 6), norm=norm) for norm in ("in", "gn", "ln")),
    *(
        UNet(features=(4, 6), activation=activation, upsample="linear")
        for activation in ("relu", "leaky_relu", "gelu", "silu")
    ),
    UNet(features=(4, 6, 8), separate_decoders=True, larger_io=True),
    UNETR(token=4, embed=24, depth=2, attention_heads=2, filters=4, position="learned", grid=()),
]
SIZED = HRNet(width=2, modules=(1, 1, 1), blocks=1, biapy_compatible=True)


def name(value: object) -> str:
    return getattr(value, "architecture", str(value))


def cases():
    for ndim in (2, 3):
        for config in TINY:
            fast = (config.architecture, ndim) in FAST
            yield pytest.param(config, ndim, marks=() if fast else pytest.mark.slow)


def drawn(config, ndim: int):
    """A network, and the function of its logits with statistics that are not those of the start."""
    if isinstance(config, UNETR) and config.position == "learned":
        config = replace(config, grid=(2,) * ndim)
    heads = (1, 1) if getattr(config, "separate_decoders", False) else 2
    model = models.build(config, heads, ndim, recipe="plain")
    variables = dict(model.init(jax.random.key(0), jnp.zeros((1, *model.stride, 2))))
    rng = np.random.default_rng(1)

    def changed(path, leaf):
        # Statistics unlike those of the start, and biases that keep narrow networks alive.
        spread = 0.2 if "batch_stats" in str(path) or "bias" in str(path[-1]) else 0.0
        return np.asarray(leaf + rng.uniform(0, spread, leaf.shape), np.float32)

    variables = jax.tree_util.tree_map_with_path(changed, variables)
    return model, lambda image: model.apply(variables, image)


def assert_equal(function, model_proto, ndim: int, shape, batch: int) -> None:
    """ONNX in onnxruntime and JAX agree for an image of one size, relative to the largest value."""
    order = "bc" + "zyx"[-ndim:]
    network = exchange.open_onnx(model_proto.SerializeToString(), file="written")
    image = np.random.default_rng(2).random((batch, *shape, 2), np.float32)
    ours = np.asarray(jax.jit(function)(image))
    theirs = exchange.make_forward(network, order, order, ndim)(image)
    assert theirs.shape == ours.shape
    assert np.abs(ours).max() > 1e-3
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(ours).max()


@pytest.mark.parametrize(("config", "ndim"), list(cases()), ids=name)
def test_every_network_is_the_same_in_onnx(config, ndim: int) -> None:
    model, function = drawn(config, ndim)
    written = exchange.to_onnx(function, channels=2, stride=model.stride)
    sizes = [step * (3 if place and step < 16 else 1) for place, step in enumerate(model.stride)]
    assert_equal(function, written, ndim, sizes, batch=3)


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("config", CHOICES, ids=str)
def test_options_of_networks_are_the_same_in_onnx(config, ndim: int) -> None:
    model, function = drawn(config, ndim)
    written = exchange.to_onnx(function, channels=2, stride=model.stride)
    assert_equal(function, written, ndim, [2 * step for step in model.stride], batch=2)


@pytest.mark.slow
def test_a_network_that_depends_on_the_size_is_written_for_one() -> None:
    model, function = drawn(SIZED, 2)
    with pytest.raises(ConfigError, match="--tile"):
        exchange.to_onnx(function, channels=2, stride=model.stride)
    tile = tuple(2 * step for step in model.stride)
    written = exchange.to_onnx(function, channels=2, stride=model.stride, tile=tile)
    assert_equal(function, written, 2, tile, batch=2)


@pytest.mark.parametrize("ndim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_every_link_is_the_same_in_onnx(ndim: int) -> None:
    known = [ch(channel) for channel in CHANNELS if ndim in CHANNELS[channel].ndims]
    known = [channel for channel in known if channel.name != "S"] + [ch("S", classes=4)]
    total = columns(known, ndim).total

    def function(image):
        waves = jnp.concatenate([image[..., :1] * 3 - k for k in range(total)], axis=-1)
        return activate(waves, known)

    written = exchange.to_onnx(function, channels=2, stride=(1,) * ndim)
    assert_equal(function, written, ndim, (4,) * ndim, batch=2)


def test_what_has_no_counterpart_is_named() -> None:
    with pytest.raises(ConfigError, match="sort"):
        exchange.to_onnx(lambda image: jnp.sort(image, axis=-1), channels=2, stride=(1, 1))


# ------------------------------------------------------------------------------------- command

CONFIG = Config(
    name="tiny",
    channels=(ch("F"), ch("C")),
    patch=(16, 16),
    model=UNet(features=(4, 8)),
    normalize=Normalize(method="zscore"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    return untrained(tmp_path_factory.mktemp("checkpoint"), CONFIG)


def test_package_is_legal_offline_and_says_what_it_is(
    trained: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    spec = pytest.importorskip("bioimageio.spec", reason="pip install 'jaxseg[bmz]'")

    def offline(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", offline)
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    path = tmp_path / "model.zip"
    line = ["--checkpoint", str(trained), "--to", str(path), "--spacing", "0.5", "0.25"]
    assert main(["export", *line, "--license", "CC0-1.0"]) == 0
    out = capsys.readouterr().out
    assert "equal to the network within" in out
    assert "not said in the package: authors" in out
    with zipfile.ZipFile(path) as archive:
        context = spec.ValidationContext(root=archive, log_warnings=False)
        import yaml

        found = spec.build_description(yaml.safe_load(archive.read("rdf.yaml")), context=context)
        planes = np.load(archive.open("test_output.npy"), allow_pickle=False)
        raw = np.load(archive.open("test_input.npy"), allow_pickle=False)
        network = exchange.open_onnx(archive.read("model.onnx"), file="model")
    assert found.validation_summary.status != "failed"
    assert [axis.id for axis in found.inputs[0].axes] == ["batch", "channel", "y", "x"]
    assert [axis.scale for axis in found.inputs[0].axes[2:]] == [0.5, 0.25]
    assert found.outputs[0].axes[1].channel_names == ["F", "C"]
    assert str(found.license) == "CC0-1.0"
    # The example is raw; what the description says must make it what the model takes.
    step = found.inputs[0].preprocessing[1]
    assert (step.id, list(step.kwargs.axes)) == ("zero_mean_unit_variance", ["y", "x"])
    np.testing.assert_allclose(network.run((raw - raw.mean()) / raw.std()), planes, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("tile", [[], ["--tile", "4", "16", "16"]], ids=str)
def test_package_of_a_network_in_three_dimensions(tmp_path: Path, tile: list[str]) -> None:
    pytest.importorskip("bioimageio.spec", reason="pip install 'jaxseg[bmz]'")
    config = replace(CONFIG, ndim=3, patch=(4, 16, 16), normalize=Normalize(scope="dataset"))
    folder = untrained(tmp_path / "trained", config, channels=2)
    path = tmp_path / "model.zip"
    assert main(["export", "--checkpoint", str(folder), "--to", str(path), *tile]) == 0
    about = exchange.open_foreign(Package(path=str(path)), 3).about
    assert about.axes == ("bczyx", "bczyx")
    assert (about.channels, about.planes, about.links) == (2, 2, "applied")
    assert about.scaling.stats == ((2.0, 2.0), (0.5, 0.5))
    assert [step for _, step in about.sizes] == ([0, 0, 0] if tile else [2, 2, 2])


def described(path: Path):
    import bioimageio.spec as spec
    import yaml

    with zipfile.ZipFile(path) as archive:
        context = spec.ValidationContext(root=archive, log_warnings=False)
        return spec.build_description(yaml.safe_load(archive.read("rdf.yaml")), context=context)


def test_a_training_that_ends_writes_its_package_once(tmp_path: Path, capsys) -> None:
    pytest.importorskip("bioimageio.spec", reason="pip install 'jaxseg[bmz]'")
    cite = ("Doe 2020, 10.1000/1", "https://example.org/a")
    about = Export(format="package", authors=("Jane Doe",), license="CC-BY-4.0")
    about = replace(about, tags=("cells",), cite=cite, version="0.2.0")
    config = replace(CONFIG, out=str(tmp_path), train=Train(export=about))
    run = run_of(config)
    untrained(run.checkpoints, config)
    export_trained(config, run)
    path = run.results / "BMZ_files" / "tiny_1.zip"
    assert f"exported: {path}" in capsys.readouterr().out
    found = described(path)
    assert ([one.name for one in found.authors], str(found.version)) == (["Jane Doe"], "0.2.0")
    assert found.cite[0].doi == "10.1000/1"
    assert "cells" in found.tags
    export_trained(config, run)
    assert capsys.readouterr().out == ""
    export_trained(replace(config, train=Train(export=replace(about, version="0.3.0"))), run)
    assert str(described(path).version) == "0.3.0"
    assert open_foreign(Package(path=str(path)), 2).about.context == ()
    io.write_json(run.checkpoints / CONTEXT, {"context": [None, 8]})
    export_trained(replace(config, train=Train(export=replace(about, version="0.4.0"))), run)
    assert open_foreign(Package(path=str(path)), 2).about.context == (None, 8)
    by_patch = replace(config, normalize=Normalize(scope="patch"))
    assert "scaled by themselves" in "\n".join(map(str, check(by_patch)))


def test_nothing_stays_of_a_network_that_is_not_the_same(
    trained: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    honest = exchange.make_forward
    wrong = lambda *args: lambda tiles: honest(*args)(tiles) + 0.5  # noqa: E731
    monkeypatch.setattr(exchange, "make_forward", wrong)
    assert main(["export", "--checkpoint", str(trained), "--to", str(tmp_path / "m.onnx")]) == 3
    error = capsys.readouterr().err
    assert "0.0001" in error
    assert "5.00e-01" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("to", "more", "text"),
    [
        ("m.pt", [], "unknown kind"),
        ("there.onnx", [], "here already"),
        ("m.onnx", ["--tile", "16", "15"], "multiples of (2, 2)"),
        ("m.onnx", ["--tile", "16"], "2 sizes above 0"),
    ],
)
def test_refusals(trained: Path, tmp_path: Path, capsys, to: str, more, text: str) -> None:
    io.write_text(tmp_path / "there.onnx", "mine")
    assert main(["export", "--checkpoint", str(trained), "--to", str(tmp_path / to), *more]) == 2
    assert text in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]
    assert (tmp_path / "there.onnx").read_text() == "mine"


@pytest.mark.parametrize(
    ("normalize", "step"),
    [
        (Normalize(percentiles=(2.0, 90.0)), "scale_range"),
        (Normalize(scope="dataset"), "scale_linear"),
        (Normalize(method="none"), None),
    ],
    ids=str,
)
def test_scaling_survives_the_description(normalize: Normalize, step: str | None) -> None:
    from jaxseg.interop.bioimageio.scaling import (
        disagreement,
        read_steps,
        scaling_of,
        stats_for,
        steps_of,
    )
    from jaxseg.normalize import Stats

    stats, fitted = Stats((3.0, 5.0), (0.5, 0.1)), Stats((1.0, 2.0), (1.0, 0.0))
    ours = scaling_of(normalize, stats)
    steps, _ = steps_of(ours, stats, 3)
    assert [found["id"] for found in steps] == ([step] if step else [])
    read = read_steps(steps, 3, 2, "package")
    for wanted, found in zip(stats_for(ours, fitted), stats_for(read, fitted), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert disagreement(read, normalize, "package") is None
    other = Normalize(method="zscore", scope="image")
    assert "--normalize" in str(disagreement(read, other, "package"))
