"""U-Nets of different levels, and U-Nets that normalise before they convolve."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.gradients import normal
from support.receptive_field import farthest_seen

from jaxseg import models
from jaxseg.config import AttentionUNet, Config, ResUNet, ResUNetSE, SEUNet, UNet, ch
from jaxseg.interop.biapy.names import peer_place
from jaxseg.models.blocks import Stack
from jaxseg.models.style import Style
from jaxseg.tasks.checking import check

pytestmark = pytest.mark.usefixtures("quick_compilation")
WIDE = {"features": (4, 6, 8)}


def shapes(config: Any) -> dict[str, tuple[int, ...]]:
    model = models.build(config, 1, 2, recipe="plain")
    like = jax.ShapeDtypeStruct((1, *model.stride, 1), "float32")
    found = jax.eval_shape(lambda key: model.init(key, like), jax.random.key(0))["params"]
    flat = jax.tree_util.tree_flatten_with_path(found)[0]
    return {"/".join(key.key for key in path): tuple(leaf.shape) for path, leaf in flat}


@pytest.mark.parametrize("kind", [UNet, AttentionUNet, SEUNet, ResUNet, ResUNetSE])
def test_every_level_has_its_own_number(kind: Any) -> None:
    wanted = {"down_0": 2, "down_1": 4, "bottleneck": 3, "decoder_0_1": 4, "decoder_0_0": 2}
    names = shapes(kind(**WIDE, level_convs=(2, 4, 3)))
    for block, number in wanted.items():
        convs = [name for name in names if name.startswith(f"{block}/") and "conv_" in name]
        found = len({name.rpartition("/")[0] for name in convs})
        assert found == number + (kind is ResUNetSE), block
    same = shapes(kind(**WIDE, convs=3))
    assert shapes(kind(**WIDE, convs=2, level_convs=(3, 3, 3))) == same


@pytest.mark.parametrize("norm", ["in", "bn"])
def test_normalisation_comes_first(norm: str) -> None:
    style, image = Style(norm=norm, activation="relu"), normal(2, 6, 5, 3)
    block = Stack(4, (3, 3), 2, style, norm_first=True)
    variables = block.init(jax.random.key(0), image)
    variables = jax.tree.map(lambda leaf: leaf + 0.1, variables)
    expected = image
    for index in range(2):
        params = variables["params"]
        norms, conv = params[f"norm_{index}"], params[f"conv_{index}"]
        mean, variance = expected.mean((1, 2), keepdims=True), expected.var((1, 2), keepdims=True)
        if norm == "bn":
            running = variables["batch_stats"][f"norm_{index}"]
            mean, variance = running["mean"], running["var"]
        expected = (expected - mean) / jnp.sqrt(variance + 1e-5) * norms["scale"] + norms["bias"]
        layer = nn.Conv(4, (3, 3), padding="SAME")
        expected = layer.apply({"params": conv}, jax.nn.relu(expected))
    np.testing.assert_allclose(block.apply(variables, image), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.full
@pytest.mark.parametrize(
    "config",
    [
        UNet(**WIDE, norm="none", level_convs=(1, 3, 2)),
        UNet(**WIDE, norm="none", order="norm_act_conv", larger_io=True),
    ],
    ids=["levels", "order"],
)
def test_nothing_beyond_the_halo_counts(config: UNet) -> None:
    model = models.build(config, 1, 2)
    reach = model.halo[1]
    assert reach / 4 < farthest_seen(model) <= reach


def test_names_of_the_other_order() -> None:
    config = UNet(**WIDE, order="norm_act_conv", level_convs=(2, 1, 2), larger_io=True)
    places = {name: peer_place(name, config).name for name in shapes(config)}
    assert places["down_0/conv_1/kernel"] == "down_path.0.block.1.block.2.weight"
    assert places["down_0/norm_1/scale"] == "down_path.0.block.1.block.0.weight"
    assert places["down_1/conv_0/kernel"] == "down_path.1.block.2.weight"
    assert places["decoder_0_1/norm_0/scale"] == "up_paths.0.0.conv_block.block.0.weight"
    assert places["wide_in/conv_0/bias"] == "conv_in.block.2.bias"
    assert len(set(places.values())) == len(places)


def test_what_does_not_fit() -> None:
    wrong = {
        "wrong number of values": UNet(**WIDE, level_convs=(2, 2)),
        "erases images": UNet(**WIDE, order="norm_act_conv", norm="ln"),
        "at least 2": ResUNet(**WIDE, level_convs=(2, 1, 2)),
    }
    for words, model in wrong.items():
        problems = check(Config(channels=(ch("F"),), model=model, phases=("train",)))
        assert words in "\n".join(map(str, problems))
