"""Blocks of the networks: recipes against each other, resizing, dropping, rematerialisation."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from support.gradients import equal_with_gradients, normal

from jaxseg import models
from jaxseg.config import SEUNet, UNet, UNeXtV1, UNeXtV2
from jaxseg.models import depthwise, recipes, resize
from jaxseg.models.convnext import Response
from jaxseg.models.convolutions import Depthwise
from jaxseg.models.dropping import drop_change
from jaxseg.models.normalization import LayerNorm
from jaxseg.models.style import Style
from jaxseg.models.transformer import waves

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.mark.parametrize("size", [(8, 6), (4, 8, 6), (5, 7, 9)], ids=str)
@pytest.mark.parametrize(
    ("taps", "step", "dilation"), [(3, 2, 1), (1, 2, 1), (3, 1, 2), (3, 1, 6)], ids=str
)
def test_strided_and_dilated_convolutions_are_equal(size, taps, step, dilation):
    ndim = len(size)
    options = {"strides": (1, step, step)[-ndim:] if step > 1 else None, "dilation": dilation}
    equal_with_gradients(
        partial(recipes.conv_cpu, **options),
        partial(recipes.conv_plain, **options),
        normal(2, *size, 2),
        normal(*(taps,) * ndim, 2, 3, seed=1),
    )


@pytest.mark.parametrize("kernel", [(7, 7), (3, 5), (3, 3, 3), (1, 5, 3)], ids=str)
def test_depthwise_convolutions_are_equal(kernel):
    size = (4, 6, 5)[-len(kernel) :]
    equal_with_gradients(
        depthwise.depthwise_cpu,
        depthwise.depthwise_plain,
        normal(2, *size, 3),
        normal(*kernel, 3, seed=1),
    )


@pytest.mark.parametrize("factors", [(2, 2), (1, 4), (2, 1, 2)], ids=str)
def test_merging_is_a_convolution_as_wide_as_its_stride(factors):
    image = normal(2, *(2 * factor for factor in factors), 3)
    kernel = normal(*factors, 3, 5, seed=1)
    axes = "DHW"[-len(factors) :]
    expected = jax.lax.conv_general_dilated(
        image, kernel, factors, "VALID", dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C")
    )
    np.testing.assert_allclose(recipes.merge(image, kernel), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factors", [(4, 2), (1, 8), (2, 1, 4)], ids=str)
def test_linear_upsampling_by_any_even_number(factors):
    image = normal(2, *(3, 4, 5)[-len(factors) :], 2)
    shape = (2, *(n * f for n, f in zip(image.shape[1:-1], factors, strict=True)), 2)
    expected = jax.image.resize(image, shape, "linear")
    result = jax.jit(resize.linear, static_argnums=1)(image, factors)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert jax.eval_shape(lambda x: resize.linear_between_ends(x, factors), image).shape == shape


def test_nearest_repeats():
    image = jnp.arange(4.0).reshape(1, 2, 2, 1)
    result = resize.nearest(image, (1, 2))[0, ..., 0]
    assert result.tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]


def test_resizing_between_ends_keeps_single_voxels():
    image = jnp.full((1, 1, 1), 3.0)
    assert resize.linear_between_ends(image, (4,)).ravel().tolist() == [3.0] * 4


def test_layer_norm_is_over_channels():
    image = 20 + 3 * normal(2, 3, 64)
    norm = LayerNorm(Style())
    result = norm.apply(norm.init(jax.random.key(0), image), image)
    np.testing.assert_allclose(result.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(result.var(-1), 1, atol=1e-3)


def test_response_of_nothing_has_a_gradient():
    image = jnp.zeros((1, 2, 2, 3))
    module = Response()
    params = jax.tree.map(jnp.ones_like, module.init(jax.random.key(0), image))
    slope = jax.grad(lambda image: module.apply(params, image).sum())(image)
    assert jnp.isfinite(slope).all()


def test_stochastic_depth_is_per_sample():
    keys = jax.random.split(jax.random.key(0), 1000)
    dropped = drop_change(keys, jnp.ones((1000, 2, 2, 3)), 0.25)
    assert (dropped == dropped[:, :1, :1, :1]).all()
    np.testing.assert_allclose(dropped.mean(), 1, atol=0.05)
    alone = drop_change(keys[1:2], jnp.ones((1, 1)), 0.25)
    np.testing.assert_array_equal(alone, dropped[1:2, 0, 0, :1])


def test_positions_differ():
    places = waves((3, 4, 5), 12).reshape(60, 12)
    apart = jnp.abs(places[:, None] - places).max(-1) + jnp.eye(60)
    assert apart.min() > 0.01


def test_depthwise_gradient_is_that_of_the_whole_batch_on_several_devices():
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2])
    image, layer = normal(2, 6, 6, 3), Depthwise((3, 3), Style(recipe="cpu"))
    params = layer.init(jax.random.key(0), image)

    def total(layer, reduce):
        return lambda params, image: reduce((layer.apply(params, image) ** 2).sum())

    parallel = layer.clone(style=Style(recipe="cpu", axis="data"))
    spread = jax.shard_map(
        total(parallel, lambda x: jax.lax.psum(x, "data")),
        mesh=mesh,
        in_specs=(P(), P("data")),
        out_specs=P(),
    )
    placed = jax.device_put(image, NamedSharding(mesh, P("data")))
    ours = jax.jit(jax.grad(spread))(jax.device_put(params, NamedSharding(mesh, P())), placed)
    whole = jax.jit(jax.grad(total(layer, lambda x: x)))(params, image)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def learned(config, image, key, **options):
    """Loss and gradient of a training step."""
    model = models.build(config, 2, 2, **options)
    variables = model.init(jax.random.key(0), image)

    def total(params):
        logits, _ = model.apply({**variables, "params": params}, image, train=True, key=key)
        return (logits**2).mean()

    return jax.jit(jax.value_and_grad(total)), variables["params"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        UNet(features=(4, 6), dropout=(0.2, 0.2)),
        SEUNet(features=(4, 6)),
        UNeXtV2(features=(4, 6), kernel=3),
    ],
    ids=lambda config: config.architecture,
)
def test_rematerialisation_changes_no_number(config):
    image, key = normal(2, 16, 16, 1), jax.random.split(jax.random.key(1), 2)
    (plain, params), (again, _) = (
        learned(config, image, key, remat=remat) for remat in (False, True)
    )
    pairs = zip(jax.tree.leaves(plain(params)), jax.tree.leaves(again(params)), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        UNeXtV1(features=(4, 6), kernel=3, layer_scale=1.0, stochastic_depth=0.0),
        SEUNet(features=(4, 6)),
        UNeXtV2(features=(4, 6), kernel=3, stochastic_depth=0.0),
    ],
    ids=lambda config: config.architecture,
)
def test_bfloat16_computes_alike(config):
    image = normal(2, 16, 16, 1)
    variables = models.build(config, 2, 2).init(jax.random.key(0), image)
    exact, coarse = (
        jax.jit(models.build(config, 2, 2, dtype=dtype).apply)(variables, image)
        for dtype in ("float32", "bfloat16")
    )
    assert coarse.dtype == jnp.float32
    assert float(((coarse - exact) ** 2).mean()) < 0.05**2 * float((exact**2).mean())
