from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.gradients import equal_with_gradients, normal

from jaxseg import models
from jaxseg.config import UNet
from jaxseg.models import recipes
from jaxseg.models.dropping import drop_channels
from jaxseg.models.normalization import GROUPS, Norm
from jaxseg.models.resize import linear
from jaxseg.models.style import Style

pytestmark = pytest.mark.usefixtures("quick_compilation")

PEER = UNet(norm="in")
SMALL = UNet(features=(4, 6, 8), norm="bn")


def build(config: UNet, heads: int | tuple[int, ...] = 1, ndim: int = 2, **options: str):
    """A model and its initial variables, for images of one channel."""
    model = models.build(config, heads, ndim, **options)
    return model, model.init(jax.random.key(0), jnp.zeros((1,) * (ndim + 1) + (1,)))


# Counts of the peer's network with the same options.
@pytest.mark.parametrize(
    ("config", "heads", "ndim", "count"),
    [
        (PEER, 1, 2, 1_944_241),
        (PEER, 1, 3, 5_648_337),
        (replace(PEER, z_down=(1, 1, 1, 1)), 1, 3, 5_474_257),
        (replace(PEER, upsample="linear"), 1, 2, 1_813_681),
        (replace(PEER, separate_decoders=True), (1, 2), 2, 2_708_035),
        (replace(PEER, norm="none"), 1, 2, 1_940_817),
        (replace(PEER, features=(32, 64, 128, 256, 512)), 1, 2, 7_766_369),
        (replace(PEER, features=(32, 64, 128, 256)), (1, 32), 2, 1_929_345),
        (
            replace(PEER, isotropic=(False, False, True, True, True), z_down=(1, 1, 2, 2)),
            1,
            3,
            5_536_433,
        ),
    ],
)
def test_number_of_parameters(config, heads, ndim, count):
    model = models.build(config, heads, ndim)
    image = jnp.zeros((1,) * (ndim + 1) + (1,))
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    assert models.count_parameters(variables) == count


KERNELS = [(3, 3), (1, 1), (5, 3), (3, 3, 3), (1, 3, 3), (3, 1, 1), (1, 1, 1), (5, 3, 3)]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("channels", [2, 20])
def test_convolutions_are_equal(kernel, channels):
    size = (4, 6, 8)[-len(kernel) :]
    equal_with_gradients(
        recipes.conv_cpu,
        recipes.conv_plain,
        normal(2, *size, channels),
        normal(*kernel, channels, 3, seed=1),
    )


@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (2, 2, 2), (1, 2, 2)], ids=str)
def test_upsamplings_are_equal(factors):
    size = (2, 3, 4)[-len(factors) :]
    equal_with_gradients(
        recipes.spread_cpu, recipes.spread_plain, normal(2, *size, 3), normal(*factors, 3, 5)
    )


@pytest.mark.parametrize("window", [(2, 2), (1, 2), (2, 2, 2), (1, 2, 2)], ids=str)
def test_poolings_are_equal(window):
    size = (2, 4, 6)[-len(window) :]
    equal_with_gradients(
        lambda image: recipes.pool_cpu(image, window),
        lambda image: recipes.pool_plain(image, window),
        normal(2, *size, 3),
    )


def test_each_voxel_becomes_a_block_of_the_kernel():
    kernel = jnp.arange(4.0).reshape(2, 2, 1, 1)
    expected = np.block([[1 * kernel[..., 0, 0], 10 * kernel[..., 0, 0]]])
    for spread in (recipes.spread_cpu, recipes.spread_plain):
        result = spread(jnp.array([1.0, 10.0]).reshape(1, 1, 2, 1), kernel)
        np.testing.assert_array_equal(result[0, ..., 0], expected)


@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (2, 1, 2)], ids=str)
def test_linear_upsampling_is_the_usual_one(factors):
    image = normal(2, *(3, 4, 5)[-len(factors) :], 2)
    shape = (2, *(n * f for n, f in zip(image.shape[1:-1], factors, strict=True)), 2)
    expected = jax.image.resize(image, shape, "linear")
    np.testing.assert_allclose(linear(image, factors), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "ndim"),
    [
        (UNet(features=(4, 6), norm="bn", upsample="linear", dropout=(0.1, 0.2)), 2),
        (UNet(features=(4, 6), norm="gn", z_down=(1,), isotropic=(False, True)), 3),
    ],
    ids=["2d", "3d"],
)
def test_recipes_are_equal(config, ndim):
    image, key = normal(2, *(4, 8, 8)[-ndim:], 1), jax.random.split(jax.random.key(1), 2)
    ours, variables = build(config, (1, 2), ndim, recipe="cpu")
    plain, _ = build(config, (1, 2), ndim, recipe="plain")

    def objective(model):
        def total(params):
            logits, stats = model.apply({**variables, "params": params}, image, train=True, key=key)
            return (logits**2).mean(), stats

        return jax.jit(jax.value_and_grad(total, has_aux=True))(variables["params"])

    first, second = jax.tree.leaves(objective(ours)), jax.tree.leaves(objective(plain))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "ndim"),
    [
        (UNet(features=(2, 3, 4), norm="none"), 2),
        (UNet(features=(2, 3, 4), norm="none", upsample="linear", convs=1, kernel=5), 2),
        (
            UNet(
                features=(2, 2, 2),
                norm="none",
                convs=1,
                z_down=(1, 2),
                isotropic=(False, True, True),
            ),
            3,
        ),
    ],
    ids=["default", "linear", "anisotropic"],
)
def test_halo_is_the_receptive_field(config, ndim):
    model, variables = build(config, 1, ndim)
    # With positive weights a large value anywhere within reach gets through every maximum.
    variables = jax.tree.map(jnp.abs, variables)
    apply = jax.jit(lambda image: model.apply(variables, image))
    for axis in range(ndim):
        reach, step = model.halo[axis], model.stride[axis]
        size = [model.stride[other] for other in range(ndim)]
        size[axis] = 2 * step * -(-(reach + step) // step)
        image = jnp.zeros((1, *size, 1))
        place = [0] * ndim
        changed = []
        for start in range(step):
            place[axis] = size[axis] // 2 + start
            centre = (0, *place, 0)
            distance = jnp.abs(jnp.arange(size[axis]) - place[axis])
            distance = distance.reshape([-1 if a == axis + 1 else 1 for a in range(ndim + 2)])
            beyond = apply(image + 100.0 * (distance > reach))[centre]
            within = apply(image + 100.0 * (distance >= reach))[centre]
            plain = apply(image)[centre]
            assert beyond == plain
            changed.append(within != plain)
        assert any(changed)


def test_sizes_must_be_multiples_of_the_stride():
    model, variables = build(SMALL)
    with pytest.raises(ValueError, match=r"\(8, 6\) must be multiples of \(4, 4\)"):
        model.apply(variables, jnp.zeros((1, 8, 6, 1)))
    with pytest.raises(ValueError, match="multiples"):
        model.apply(variables, jnp.zeros((1, 8, 8, 8, 1)))


def test_heads_follow_one_another():
    config = replace(SMALL, norm="none", separate_decoders=True)
    model, variables = build(config, (1, 2))
    image, apply = normal(1, 8, 8, 1), jax.jit(model.apply)
    before = apply(variables, image)
    assert before.shape == (1, 8, 8, 3)
    for name, own in (("head_1", {1, 2}), ("decoder_0_0", {0}), ("decoder_1_0", {1, 2})):
        part = jax.tree.map(lambda leaf: leaf + 1, variables["params"][name])
        after = apply({"params": {**variables["params"], name: part}}, image)
        assert {c for c in range(3) if not jnp.array_equal(before[..., c], after[..., c])} == own


def test_bfloat16_computes_alike_with_float32_parameters():
    exact, variables = build(SMALL, 2)
    coarse, same = build(SMALL, 2, dtype="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(same)} == {jnp.dtype("float32")}
    image, key = normal(2, 16, 16, 1), jax.random.split(jax.random.key(1), 2)
    ours, stats = jax.jit(partial(coarse.apply, train=True))(variables, image, key=key)
    expected, _ = jax.jit(partial(exact.apply, train=True))(variables, image, key=key)
    assert ours.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(stats)} == {jnp.dtype("float32")}
    assert float(jnp.abs(ours - expected).max()) < 0.05 * float(jnp.abs(expected).max())


@pytest.mark.parametrize(("kind", "axes"), [("in", (1, 2)), ("bn", (0, 1, 2)), ("gn", (1, 2))])
def test_normalisations(kind, axes):
    image = 3 * normal(2, 8, 8, GROUPS) + 5
    norm = Norm(Style(norm=kind))
    variables = norm.init(jax.random.key(0), image)
    result, _ = norm.apply(variables, image, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(result.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(result.var(axes), 1, atol=1e-4)


def test_groups_share_statistics():
    image = normal(1, 8, 8, 2 * GROUPS) * jnp.tile(jnp.array([1.0, 5.0]), GROUPS)
    norm = Norm(Style(norm="gn"))
    result = norm.apply(norm.init(jax.random.key(0), image), image)
    groups = result.reshape(1, 64, GROUPS, 2)
    np.testing.assert_allclose(groups.var((1, 3)), 1, atol=1e-4)
    np.testing.assert_array_less(groups[..., 0].var(1), groups[..., 1].var(1))


def test_running_statistics_approach_those_of_the_batch():
    image = 3 * normal(4, 8, 8, 2) + 5
    norm = Norm(Style(norm="bn"))
    variables = norm.init(jax.random.key(0), image)
    for _ in range(100):
        _, stats = norm.apply(variables, image, train=True, mutable=["batch_stats"])
        variables = {**variables, **stats}
    np.testing.assert_allclose(stats["batch_stats"]["mean"], image.mean((0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(stats["batch_stats"]["var"], image.var((0, 1, 2)), rtol=1e-3)
    trained, _ = norm.apply(variables, image, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(norm.apply(variables, image), trained, atol=1e-2)


def test_dropout_is_per_sample_and_channel():
    image, keys = jnp.ones((3, 4, 4, 1000)), jax.random.split(jax.random.key(0), 3)
    dropped = drop_channels(keys, image, 0.25)
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert (dropped == dropped[:, :1, :1]).all()
    np.testing.assert_allclose(dropped.mean(), 1, atol=0.05)
    for a, b in itertools.combinations(range(3), 2):
        assert (dropped[a] != dropped[b]).any()
    np.testing.assert_array_equal(drop_channels(keys[1:2], image[1:2], 0.25), dropped[1:2])


def test_dropout_needs_a_key():
    model, variables = build(replace(SMALL, dropout=(0.5, 0.5, 0.5)))
    with pytest.raises(ValueError, match="one per sample"):
        model.apply(variables, jnp.zeros((1, 4, 4, 1)), train=True)
