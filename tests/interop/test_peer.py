"""Weights of the peer: equal outputs, every tensor used, nothing left over, safe files only."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from support.peer_cases import CASES, CHANNELS, EVERY, image, made_up

from jaxseg import checkpoint, models
from jaxseg.checkpoint import flatten, nested
from jaxseg.cli.app import main
from jaxseg.cli.foreign_weights import with_checkpoint
from jaxseg.config import ResUNet, SEUNet, UNet, UNeXtV1
from jaxseg.config.load import load
from jaxseg.errors import ConfigError, InputError
from jaxseg.interop import biapy
from jaxseg.interop.biapy.names import peer_place
from jaxseg.interop.biapy.weights import COUNTER

pytestmark = pytest.mark.usefixtures("quick_compilation")

OUTPUTS = json.loads((Path(__file__).parents[1] / "support" / "peer_outputs.json").read_text())
FAST = ("unet other", "stunet 2d")


def shapes_of(config, heads, ndim):
    """The model, and the shape of each of its arrays."""
    model = models.build(config, heads, ndim, recipe="plain" if ndim == 2 else None)
    like = jax.ShapeDtypeStruct((1,) * (ndim + 1) + (CHANNELS,), "float32")
    variables = jax.eval_shape(lambda key: model.init(key, like), jax.random.key(0))
    return model, {name: tuple(leaf.shape) for name, leaf in flatten(variables).items()}


def peer_shape(shape, ndim, spreads):
    """A shape of ours in PyTorch's order of axes."""
    if len(shape) == 1:
        return shape
    if len(shape) == 2:
        return shape[::-1]
    if len(shape) == ndim + 1:
        return (shape[-1], 1, *shape[:-1])
    *kernel, inputs, outputs = shape
    return (inputs, outputs, *kernel) if spreads else (outputs, inputs, *kernel)


def peer_state(config, heads, ndim):
    """The model, the shapes of its arrays, and made-up tensors of the peer for them."""
    model, shapes = shapes_of(config, heads, ndim)
    state = {}
    for name, shape in shapes.items():
        place = peer_place(name.split("/", 1)[1], config)
        assert place.name not in state, f"{place.name} is used twice"
        state[place.name] = made_up(place.name, peer_shape(shape, ndim, place.spreads))
    return model, shapes, state


@pytest.mark.parametrize(
    "name",
    [pytest.param(case, marks=() if case in FAST else pytest.mark.slow) for case in CASES],
)
def test_outputs_equal_those_of_the_peer(name):
    case, expected = CASES[name], OUTPUTS[name]
    ndim = len(case.size)
    model, shapes, state = peer_state(case.config, case.heads, ndim)
    assert len(state) == expected["tensors"]
    arrays = biapy.convert(state, shapes, case.config, ndim)
    batch = jnp.moveaxis(jnp.asarray(image(case.size)), 1, -1)
    result = np.moveaxis(np.asarray(jax.jit(model.apply)(nested(arrays), batch)), -1, 1)
    found = result.ravel()[::EVERY]
    np.testing.assert_allclose(found, expected["values"], atol=1e-4 * expected["largest"])


@pytest.mark.parametrize(
    "name", [pytest.param(case, marks=() if "2d" in case else pytest.mark.slow) for case in CASES]
)
def test_every_tensor_has_one_place(name):
    case = CASES[name]
    _, _, state = peer_state(case.config, case.heads, len(case.size))
    assert len(state) == OUTPUTS[name]["tensors"]


def test_names_of_the_default_unet():
    _, _, state = peer_state(UNet(norm="in"), (1,), 2)
    assert len(state) == 90
    assert state["down_path.3.block.1.block.0.weight"].shape == (128, 128, 3, 3)
    assert state["up_paths.0.0.up.0.weight"].shape == (256, 128, 2, 2)
    assert state["up_paths.0.3.conv_block.block.0.block.0.weight"].shape == (16, 32, 3, 3)
    _, _, state = peer_state(ResUNet(norm="in"), (1,), 2)
    assert len(state) == 98
    assert state["bottleneck.shortcut.0.weight"].shape == (256, 128, 1, 1)
    assert state["up_paths.0.0.conv_block.block.0.weight"].shape == (384,)


TINY = UNet(features=(4, 6), norm="bn")


def test_several_heads_become_one():
    _, shapes, state = peer_state(TINY, (1, 2), 2)
    _, joined = shapes_of(TINY, 3, 2)
    arrays = biapy.convert(state, joined, TINY, 2)
    weights = [state[f"heads.{head}.weight"] for head in (0, 1)]
    np.testing.assert_array_equal(
        arrays["params/head_0/kernel"][0, 0], np.concatenate(weights)[:, :, 0, 0].T
    )
    assert set(arrays) == set(joined) != set(shapes)


def test_what_does_not_fit_is_named():
    _, shapes, state = peer_state(TINY, (1,), 2)
    counted = state | {f"down_path.0.block.0.block.1.{COUNTER}": np.zeros(())}
    assert set(biapy.convert(counted, shapes, TINY, 2)) == set(shapes)
    with pytest.raises(InputError, match=r"1 tensors are left over: extra\.weight"):
        biapy.convert(state | {"extra.weight": np.zeros(2)}, shapes, TINY, 2)
    less = {
        name: array for name, array in state.items() if name != "bottleneck.block.0.block.0.bias"
    }
    with pytest.raises(InputError, match=r"missing: bottleneck\.block\.0\.block\.0\.bias"):
        biapy.convert(less, shapes, TINY, 2)
    with pytest.raises(InputError, match=r"of another shape: heads\.0\.bias \(7,\)"):
        biapy.convert(state | {"heads.0.bias": np.zeros(7)}, shapes, TINY, 2)
    with pytest.raises(InputError, match=r"left over: pos_embed"):
        biapy.convert(state | {"pos_embed": np.ones(2)}, shapes, TINY, 2)


OPTIONS = {
    "PROBLEM": {"TYPE": "INSTANCE_SEG", "INSTANCE_SEG": {"SEPARATED_DECODERS_PER_HEAD": False}},
    "MODEL": {
        "ARCHITECTURE": "unet",
        "FEATURE_MAPS": [4, 6],
        "NORMALIZATION": "bn",
        "ACTIVATION": "ELU",
        "KERNEL_SIZE": 3,
        "CONV_LAYERS": [2, 2],
        "CONV_BLOCK_ORDER": "conv_norm_act",
        "UPSAMPLE_LAYER": "convtranspose",
        "LARGER_IO": False,
        "DROPOUT_VALUES": [0.0, 0.0],
        "YX_DOWN": [2],
        "Z_DOWN": [1],
        "ISOTROPY": [False, True],
        "CONVNEXT_SD_PROB": 0.1,
        "CONVNEXT_LAYER_SCALE": 1e-6,
        "CONVNEXT_STEM_K_SIZE": 2,
        "VIT_TOKEN_SIZE": 16,
        "VIT_EMBED_DIM": 768,
        "VIT_NUM_LAYERS": 12,
        "VIT_NUM_HEADS": 12,
        "VIT_MLP_RATIO": 4.0,
        "UNETR_VIT_HIDD_MULT": -1,
        "UNETR_VIT_NUM_FILTERS": 16,
        "HRNET": {"VARIANT": "W32", "Z_DOWN": [1, 1, 1], "YX_DOWN": [2, 2, 2]},
        "STUNET": {"VARIANT": "small"},
    },
}


def options(**model):
    return OPTIONS | {"MODEL": OPTIONS["MODEL"] | model}


def test_networks_out_of_the_peers_options():
    assert biapy.network_of(OPTIONS, 2) == TINY
    flat = replace(TINY, z_down=(1,), isotropic=(False, True))
    assert biapy.network_of(OPTIONS, 3) == flat
    excited = SEUNet(**{**flat.__dict__, "architecture": "seunet"})
    assert biapy.network_of(options(ARCHITECTURE="seunet"), 3) == excited
    found = biapy.network_of(options(ARCHITECTURE="unext_v1"), 3)
    assert found == UNeXtV1(features=(4, 6), depth=(2, 2), z_down=(2, 1), isotropic=(False, False))
    for name in ("unext_v2", "unetr", "hrnet", "stunet", "multiresunet", "attention_unet"):
        assert biapy.network_of(options(ARCHITECTURE=name), 2).architecture == name
    assert biapy.network_of(options(ARCHITECTURE="hrnet"), 3).z_down == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ARCHITECTURE": "resunet", "CONV_BLOCK_ORDER": "norm_act_conv"},
        {"ARCHITECTURE": "resunet++", "CONV_LAYERS": [2, 3]},
        {"YX_DOWN": [1]},
        {"NORMALIZATION": "none"},
        {"UPSAMPLE_LAYER": "pixelshuffle"},
        {"ARCHITECTURE": "edsr"},
        {"ARCHITECTURE": "unext_v2", "CONVNEXT_STEM_K_SIZE": 4},
        {"ARCHITECTURE": "unext_v2", "ISOTROPY": [True, False]},
        {"ARCHITECTURE": "hrnet", "HRNET": {"VARIANT": "W20"}},
        {"ARCHITECTURE": "stunet", "STUNET": {"VARIANT": "huge"}},
    ],
    ids=str,
)
def test_options_that_we_do_not_have_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(reversed(wrong))):
        biapy.network_of(options(**wrong), 3)


CONFIG = """from jaxseg.config import Config, UNet, ch
config = Config(channels=(ch("F"), ch("C")), patch=(32, 32), model=UNet(features=(4, 6)))
"""


def write_config(folder: Path) -> str:
    (folder / "config.py").write_text(CONFIG)
    return str(folder / "config.py")


def test_from_safetensors_to_a_checkpoint_that_predicts(tmp_path, capsys):
    model, shapes, state = peer_state(TINY, (2,), 2)
    safetensors.numpy.save_file(state, tmp_path / "model.safetensors")
    to = tmp_path / "imported"
    call = ["import-weights", "--from", str(tmp_path / "model.safetensors"), "--to", str(to)]
    assert main([*call, "--config", write_config(tmp_path)]) == 0
    variables, meta = checkpoint.load_best(to)
    assert {name: array.shape for name, array in flatten(variables).items()} == shapes
    assert len(meta["stats"][0]) == CHANNELS
    assert json.loads((to / "config.json").read_text()) == meta["config"]
    assert model.apply(variables, jnp.zeros((1, 4, 4, CHANNELS))).shape == (1, 4, 4, 2)
    assert main([*call, "--config", str(tmp_path / "config.py")]) == ConfigError.exit_code
    assert "already" in capsys.readouterr().err
    call[-1] = str(tmp_path / "other")
    (tmp_path / "config.py").write_text(CONFIG.replace("(4, 6)", "(4, 8)"))
    assert main([*call, "--config", str(tmp_path / "config.py")]) == InputError.exit_code
    assert "of another shape" in capsys.readouterr().err


def test_weights_in_place_of_a_checkpoint_are_imported_once(tmp_path, capsys):
    safetensors.numpy.save_file(peer_state(TINY, (2,), 2)[2], tmp_path / "model.safetensors")
    (tmp_path / "job.yaml").write_text(f"""
PROBLEM: {{TYPE: INSTANCE_SEG, INSTANCE_SEG: {{DATA_CHANNELS: BC}}}}
DATA: {{PATCH_SIZE: "(32, 32, 2)", TEST: {{PATH: "{tmp_path}"}}}}
MODEL: {{ARCHITECTURE: unet, FEATURE_MAPS: [4, 6], NORMALIZATION: bn, LOAD_CHECKPOINT: True}}
PATHS.CHECKPOINT_FILE: {tmp_path}/model.safetensors
TEST.ENABLE: True
""")
    config = replace(load(tmp_path / "job.yaml"), out=str(tmp_path / "out"))
    found = with_checkpoint(config)
    assert Path(found.predict.checkpoint).parent == tmp_path / "out" / "experiment" / "checkpoints"
    variables, _ = checkpoint.load_best(Path(found.predict.checkpoint))
    assert variables["params"]
    assert "imported the weights" in capsys.readouterr().out
    assert with_checkpoint(config) == found
    assert "imported" not in capsys.readouterr().out
    assert with_checkpoint(found) == found
    with pytest.raises(ConfigError, match="trained now"):
        with_checkpoint(replace(config, phases=("train", "predict")))
    begun = replace(config, predict=replace(config.predict, checkpoint=""), phases=("train",),
                    train=replace(config.train, start_from=config.predict.checkpoint))  # fmt: skip
    assert with_checkpoint(begun).train.start_from == found.predict.checkpoint
    gone = replace(config.predict, checkpoint=str(tmp_path / "gone.pth"))
    with pytest.raises(InputError, match="no such file of weights"):
        with_checkpoint(replace(config, predict=gone))


def test_files_that_are_no_weights(tmp_path, capsys):
    bad = tmp_path / "model.safetensors"
    for path, content in (
        (bad, b"no tensors"),
        (tmp_path / "model.h5", b""),
        (tmp_path / "no", None),
    ):
        if content is not None:
            path.write_bytes(content)
        call = [
            "import-weights",
            "--from",
            str(path),
            "--to",
            str(tmp_path),
            "--config",
            write_config(tmp_path),
        ]
        assert main(call) in (InputError.exit_code, ConfigError.exit_code)
        assert str(path) in capsys.readouterr().err


@pytest.mark.skipif("torch" in sys.modules, reason="torch is there")
def test_pth_without_torch_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "model.pth").write_bytes(b"")
    with pytest.raises(ConfigError, match="needs torch"):
        biapy.read(tmp_path / "model.pth")


def test_pth_is_read_without_running_it(tmp_path):
    torch = pytest.importorskip("torch", reason="reading .pth files needs torch")
    _, shapes, state = peer_state(TINY, (2,), 2)
    tensors = {name: torch.tensor(array) for name, array in state.items()}
    torch.save({"model": tensors, "cfg": OPTIONS, "epoch": "best"}, tmp_path / "model.pth")
    found = biapy.read(tmp_path / "model.pth")
    assert biapy.network_of(found.options, 2) == TINY
    assert set(biapy.convert(found.tensors, shapes, TINY, 2)) == set(shapes)
    torch.save({"model": tensors, "code": Path}, tmp_path / "code.pth")
    with pytest.raises(InputError, match="not readable as plain tensors"):
        biapy.read(tmp_path / "code.pth")
