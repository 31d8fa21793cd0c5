"""All networks: as many parameters as the peer's, any size, several heads, deep supervision."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from support.receptive_field import farthest_seen
from support.tiny_networks import TINY, WIDE

from jaxseg import models
from jaxseg.config import (
    ARCHITECTURES,
    UNETR,
    AttentionUNet,
    HRNet,
    MultiResUNet,
    ResUNet,
    ResUNetPlusPlus,
    ResUNetSE,
    SEUNet,
    STUNet,
    UNet,
    UNeXtV1,
    UNeXtV2,
)

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def having(option, *fast):
    """The small networks with an option; those of some types in the fast tests."""
    some = [config for config in TINY if hasattr(config, option)]
    return [config if isinstance(config, fast) else slow(config) for config in some]


def name(config: object) -> str:
    return getattr(config, "architecture", str(config))


def shapes(config, heads=1, ndim=2, *, train=False, channels=1):
    """The model, and the shapes of its variables and of what it gives for twice its stride."""
    # Fewer operations to trace; that the recipes are equal is tested elsewhere.
    model = models.build(config, heads, ndim, recipe="plain")
    key, like = jax.random.key(0), jax.ShapeDtypeStruct((1,) * (ndim + 1) + (channels,), "float32")
    variables = jax.eval_shape(lambda key: model.init(key, like), key)
    image = jax.ShapeDtypeStruct((2, *(2 * step for step in model.stride), channels), jnp.float32)
    keys = jax.eval_shape(lambda key: jax.random.split(key, 2), key)
    result = jax.eval_shape(
        lambda variables, image, keys: model.apply(
            variables, image, **({"train": True, "key": keys} if train else {})
        ),
        variables,
        image,
        keys,
    )
    return model, variables, image, result


ANISOTROPIC = {"isotropic": (False, False, True, True, True), "z_down": (1, 1, 2, 2)}
FLAT = {"z_down": (1, 1, 1, 1)}
# (config, heads, ndim, parameters): the counts of the peer's networks with the same options.
COUNTS = [
    (ResUNet(norm="in"), 1, 2, 2_423_921),
    (ResUNet(norm="in", features=(52, 68, 84), z_down=(1, 1)), 1, 3, 1_360_081),
    (AttentionUNet(norm="in", biapy_compatible=True, **ANISOTROPIC), 1, 3, 5_558_805),
    (SEUNet(norm="in", **ANISOTROPIC), 1, 3, 5_563_697),
    (ResUNetSE(norm="in", **ANISOTROPIC), 1, 3, 9_353_313),
    (
        ResUNetPlusPlus(norm="in", isotropic=(False, False, True, True), z_down=(1, 2, 2)),
        1,
        3,
        10_389_828,
    ),
    (MultiResUNet(**FLAT), 1, 3, 17_486_162),
    (UNeXtV1(), 1, 2, 2_225_553),
    (UNeXtV2(z_down=(2, 1, 1, 1, 1)), 1, 3, 2_669_713),
    (HRNet(norm="in"), (1, 3), 2, 9_561_379 + 813),
    (STUNet(variant="small", biapy_compatible=True), (1, 3), 2, 5_116_105),
    # The peer counts 257 positions of 768 zeros that it neither changes nor needs.
    (UNETR(position="none"), 1, 2, 87_440_321 - 257 * 768),
    (UNet(norm="in", larger_io=True), 1, 2, 1_953_297),
    (UNet(norm="in", separate_decoders=True, divide_decoders=True), (1, 2), 2, 1_726_907),
]
MORE_COUNTS = [
    (ResUNet(norm="in"), 1, 3, 6_693_777),
    (ResUNet(norm="in", **FLAT), 1, 3, 6_345_617),
    (ResUNet(norm="in", upsample="linear"), 1, 2, 2_075_281),
    (ResUNet(norm="in", **ANISOTROPIC), 1, 3, 6_548_593),
    (AttentionUNet(norm="in", biapy_compatible=True), 1, 2, 1_966_613),
    (AttentionUNet(norm="in", biapy_compatible=True), 1, 3, 5_670_709),
    (AttentionUNet(norm="in", biapy_compatible=True, **FLAT), 1, 3, 5_496_629),
    (SEUNet(norm="in"), 1, 2, 1_971_505),
    (SEUNet(norm="in"), 1, 3, 5_675_601),
    (SEUNet(norm="in", **FLAT), 1, 3, 5_501_521),
    (ResUNetSE(norm="in"), 1, 2, 3_311_713),
    (ResUNetSE(norm="in"), 1, 3, 9_544_577),
    (ResUNetSE(norm="in", **FLAT), 1, 3, 9_196_417),
    (ResUNetPlusPlus(norm="in"), 1, 2, 3_970_372),
    (ResUNetPlusPlus(norm="in"), 1, 3, 11_148_676),
    (ResUNetPlusPlus(norm="in", z_down=(1, 1, 1)), 1, 3, 10_804_612),
    (MultiResUNet(), 1, 2, 7_251_074),
    (MultiResUNet(), 1, 3, 18_645_458),
    (UNeXtV1(), 1, 3, 3_007_569),
    (UNeXtV1(z_down=(2, 1, 1, 1, 1)), 1, 3, 2_659_409),
    (UNeXtV2(), 1, 2, 2_235_857),
    (UNeXtV2(), 1, 3, 3_017_873),
    (HRNet(norm="in"), 1, 2, 9_561_379),
    (HRNet(norm="in", width=32), 1, 2, 29_304_865),
    (HRNet(norm="in", width=48), 1, 2, 65_324_689),
    (HRNet(norm="in", width=64), 1, 2, 115_697_409),
    (HRNet(norm="in"), 1, 3, 28_171_723),
    (HRNet(norm="in", width=48), 1, 3, 194_299_153),
    (STUNet(variant="small", biapy_compatible=True), 1, 2, 5_116_099),
    (STUNet(variant="small", biapy_compatible=True), 1, 3, 14_544_355),
    (STUNet(biapy_compatible=True), 1, 2, 20_445_571),
    (STUNet(biapy_compatible=True), 1, 3, 58_158_019),
    (STUNet(variant="large", biapy_compatible=True), 1, 2, 150_931_459),
    (UNETR(position="none"), 1, 3, 93_115_361 - 126 * 768),
    (UNETR(position="none", embed=1024, depth=24, attention_heads=16), 1, 2,
     305_187_521 - 257 * 1024),
]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "heads", "ndim", "count"), [*COUNTS, *(slow(*row) for row in MORE_COUNTS)], ids=name
)
def test_number_of_parameters(config, heads, ndim, count):
    model = models.build(config, heads, ndim, recipe="plain")
    like = jax.ShapeDtypeStruct((1,) * (ndim + 1) + (1,), "float32")
    variables = jax.eval_shape(lambda key: model.init(key, like), jax.random.key(0))
    assert models.count_parameters(variables) == count


def test_every_architecture_is_tested_here():
    assert {config.architecture for config in TINY} == set(ARCHITECTURES) == set(models.BUILDERS)


@pytest.mark.parametrize("ndim", [slow(2), 3])
@pytest.mark.parametrize("config", TINY, ids=name)
def test_any_multiple_of_the_stride_gives_logits_of_its_size(config, ndim):
    _, variables, image, logits = shapes(config, (1, 2), ndim, channels=3)
    assert logits.shape == (*image.shape[:-1], 3)
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("norm", ["bn", slow("ln"), slow("in"), slow("gn"), slow("none")])
@pytest.mark.parametrize("config", TINY, ids=name)
def test_every_normalisation_trains(config, norm):
    if not hasattr(config, "norm") or (norm == "ln" and isinstance(config, AttentionUNet)):
        pytest.skip("this network has no such option")
    _, variables, image, (logits, stats) = shapes(replace(config, norm=norm), 2, 2, train=True)
    assert logits.shape == (*image.shape[:-1], 2)
    assert bool(stats) == ("batch_stats" in variables) == (norm == "bn")


@pytest.mark.parametrize("config", having("deep_supervision", UNet, UNETR, STUNet), ids=name)
def test_deep_supervision_gives_all_levels_in_training(config):
    deep = replace(config, deep_supervision=True)
    _, _, image, (levels, _) = shapes(deep, (1, 2), train=True)
    assert len(levels) > 1
    sizes = [level.shape[1] for level in levels]
    assert sizes[0] == image.shape[1]
    assert sizes == sorted(sizes, reverse=True)
    assert all(level.shape[-1] == 3 and level.dtype == jnp.float32 for level in levels)
    _, variables, image, logits = shapes(deep, (1, 2))
    assert logits.shape == (*image.shape[:-1], 3)
    _, plain, _, _ = shapes(config, (1, 2))
    assert set(plain["params"]) < set(variables["params"])


@pytest.mark.parametrize("config", having("separate_decoders", UNet, UNeXtV1), ids=name)
def test_separate_decoders(config):
    one, two = (
        shapes(replace(config, separate_decoders=separate), (1, 2))[1]["params"]
        for separate in (False, True)
    )
    decoders = [{key for key in params if key.startswith("decoder_1")} for params in (one, two)]
    assert not decoders[0]
    assert len(decoders[1]) == len({key for key in two if key.startswith("decoder_0")})


@pytest.mark.parametrize(
    "config",
    [
        ResUNet(features=(4, 6), upsample="linear"),
        *(
            slow(config)
            for config in (
                UNeXtV1(features=(4, 6), depth=(1, 2), kernel=5, layer_scale=1.0),
                UNet(**WIDE, larger_io=True),
                AttentionUNet(**WIDE),
                MultiResUNet(features=(2, 3, 4)),
                STUNet(features=(2, 3, 4, 4, 4, 4), norm="bn"),
                STUNet(features=(2, 3), kernels=(5, 3), yx_down=(2,), depths=(1, 2), norm="bn"),
                HRNet(width=2, modules=(1, 1, 1), blocks=1),
                HRNet(width=2, modules=(1, 1), branches=(2, 2), blocks=1, yx_down=(2, 1, 2)),
            )
        ),
    ],
    ids=name,
)
def test_nothing_beyond_the_halo_counts(config):
    model = models.build(config, 1, 2)
    assert model.local
    reach = model.halo[1]
    assert reach / 4 < farthest_seen(model) <= reach


@pytest.mark.parametrize(
    "config", [UNet(norm="in"), SEUNet(), ResUNetSE(), ResUNetPlusPlus(), UNETR(), UNeXtV2()]
)
def test_networks_that_see_beyond_the_halo_say_so(config):
    assert not models.build(config, 1, 2).local


def test_named_sizes_are_values_of_the_lists() -> None:
    widths = [18 * 2**number for count in (2, 3, 4) for number in range(count)]
    listed = HRNet(branches=(2, 3, 4), branch_blocks=(4,) * 9, branch_widths=tuple(widths))
    assert size(listed, 2) == size(HRNet(width=18), 2)
    features = (16, 32, 64, 128, 256, 256)
    options = {"depths": (1,) * 6, "kernels": (3,) * 6, "yx_down": (2, 2, 2, 2, 1)}
    assert size(STUNet(features=features, **options), 3) == size(STUNet(variant="small"), 3)


@pytest.mark.parametrize("config", [
    HRNet(modules=(1, 1), branches=(2, 2), branch_blocks=(1, 2, 1, 1), branch_widths=(2, 3, 3, 4),
          yx_down=(2, 1, 2)),
    STUNet(features=(2, 3, 4), depths=(1, 2, 1), kernels=(5, 3, 1), yx_down=(2, 1)),
], ids=["hrnet", "stunet"])  # fmt: skip
def test_lists_make_networks_of_other_shapes(config: HRNet | STUNet) -> None:
    model = models.build(config, (2,), ndim=2)
    assert model.stride == ((4, 4) if isinstance(config, HRNet) else (2, 2))
    image = jnp.zeros((1, 16, 16, 1))
    variables = model.init(jax.random.key(0), image)
    assert model.apply(variables, image).shape == (1, 16, 16, 2)


def size(config: HRNet | STUNet, ndim: int) -> int:
    """Parameters, without computing any."""
    model = models.build(config, (1,), ndim)
    image = jax.ShapeDtypeStruct((1, *model.stride, 1), "float32")
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
