"""The compiled kernels: equal to XLA, safe against wrong arrays, repeatable."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxseg import models
from jaxseg.config import AttentionUNet, HRNet, ResUNet, UNet
from jaxseg.errors import ConfigError
from jaxseg.models import (
    native,
    native_addition,
    native_convolution,
    native_normalization,
    recipes,
)

pytestmark = pytest.mark.skipif(
    bool(native.missing()), reason=f"no compiled kernels: {native.missing()}"
)
# (N, *S, C), features, size of the kernel
SHAPES = [
    ((2, 17, 30, 8), 24, 3),
    ((1, 16, 33, 1), 16, 3),
    ((2, 9, 5, 16), 8, 5),
    ((1, 1, 1, 16), 16, 3),
    ((1, 3, 40, 300), 16, 3),
    ((1, 6, 7, 32, 16), 16, 3),
    ((2, 5, 4, 11, 3), 9, 3),
    # Two pixels at a time: rows of whole blocks, with an end, short ones together.
    ((2, 9, 24, 16), 32, 3),
    ((1, 5, 27, 32), 48, 3),
    ((2, 11, 15, 16), 16, 3),
    ((3, 20, 8, 48), 16, 3),
    ((2, 4, 7, 8, 32), 16, 3),
]
ACTIVATIONS = {"elu": jax.nn.elu, "relu": jax.nn.relu, "none": lambda z: z}


def normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


def exact(image: jax.Array, kernel: jax.Array) -> jax.Array:
    axes = "DHW"[-(image.ndim - 2) :]
    layout = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    strides = (1,) * len(axes)
    return lax.conv_general_dilated(
        image, kernel, strides, "SAME", dimension_numbers=layout, precision="highest"
    )


def near(found, wanted, tolerance: float = 1e-5) -> None:
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        largest = float(jnp.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(largest, 1e-6))


@pytest.mark.parametrize(("shape", "features", "size"), SHAPES, ids=str)
def test_convolutions_are_those_of_xla(rng, shape, features, size) -> None:
    ndim = len(shape) - 2
    image = normal(rng, *shape)
    kernel = normal(rng, *(size,) * ndim, shape[-1], features)
    assert native_convolution.covers(image, kernel, None, 1)
    found, back = jax.vjp(jax.jit(recipes.conv_native), image, kernel)
    wanted, truth = jax.vjp(exact, image, kernel)
    change = normal(rng, *found.shape)
    near((found, *back(change)), (wanted, *truth(change)))


@pytest.mark.parametrize(
    ("shape", "features", "factors"),
    [
        ((2, 5, 9, 16), 16, (2, 2)),
        ((1, 3, 40, 32), 8, (1, 2)),
        ((1, 2, 3, 5), 3, (3, 3)),
        ((2, 3, 4, 7, 16), 24, (1, 2, 2)),
        ((1, 2, 3, 17, 1), 5, (2, 2, 1)),
    ],
    ids=str,
)
def test_transposed_convolutions_are_those_of_xla(rng, shape, features, factors) -> None:
    image, bias = normal(rng, *shape), normal(rng, features)
    kernel = normal(rng, *factors, shape[-1], features)
    assert native_convolution.covers_spread(image, kernel)
    found, back = jax.vjp(jax.jit(recipes.spread_native), image, kernel, bias)
    wanted, truth = jax.vjp(recipes.spread_plain, image, kernel, bias)
    change = normal(rng, *found.shape)
    near((found, *back(change)), (wanted, *truth(change)))


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((2, 9, 21, 32), (7, 7)),
        ((1, 3, 5, 21), (3, 5)),
        ((1, 1, 1, 16), (7, 7)),
        ((2, 4, 6, 11, 24), (3, 3, 3)),
        ((1, 8, 3, 4, 3), (1, 5, 3)),
    ],
    ids=str,
)
def test_convolutions_of_single_channels_are_those_of_xla(rng, shape, sizes) -> None:
    image, bias = normal(rng, *shape), normal(rng, shape[-1])
    kernel = normal(rng, *sizes, shape[-1])
    assert native_convolution.covers_depthwise(image, kernel)
    found, back = jax.vjp(jax.jit(recipes.depthwise_native), image, kernel, bias)
    wanted, truth = jax.vjp(recipes.RECIPES["plain"].depthwise, image, kernel, bias)
    change = normal(rng, *found.shape)
    near((found, *back(change)), (wanted, *truth(change)))


@pytest.mark.parametrize(("shape", "features"), [((2, 9, 7, 16), 64), ((1, 3, 4, 5, 96), 24)])
def test_matrix_products_are_those_of_xla(rng, shape, features) -> None:
    image, kernel = normal(rng, *shape), normal(rng, shape[-1], features)
    bias = normal(rng, features)
    assert native_convolution.covers_linear(image, kernel)
    found, back = jax.vjp(jax.jit(native_convolution.linear), image, kernel, bias)
    wanted, truth = jax.vjp(lambda image, kernel, bias: image @ kernel + bias, image, kernel, bias)
    change = normal(rng, *found.shape)
    near((found, back(change)), (wanted, truth(change)))


def test_what_the_kernels_do_not_cover_is_left_to_xla(rng) -> None:
    image, kernel = normal(rng, 1, 8, 8, 16), normal(rng, 3, 3, 16, 16)
    covers = native_convolution.covers
    assert not covers(image, kernel, (2, 2), 1)
    assert not covers(image, kernel, None, 2)
    assert not covers(image, kernel[..., :4], None, 1)
    assert not covers(image.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), None, 1)
    text = str(jax.make_jaxpr(partial(recipes.conv_native, strides=(2, 2)))(image, kernel))
    assert "jaxseg_conv" not in text


def test_transformations_keep_the_numbers(rng) -> None:
    images, kernels = normal(rng, 3, 1, 6, 9, 16), normal(rng, 3, 3, 3, 16, 16)

    def energy(conv, image: jax.Array, kernel: jax.Array) -> jax.Array:
        return (jax.checkpoint(conv)(image, kernel) ** 2).sum()

    ours, theirs = (
        jax.jit(jax.vmap(jax.grad(partial(energy, conv), (0, 1))))(images, kernels)
        for conv in (recipes.conv_native, exact)
    )
    near(ours, theirs)


def reference(image, scale, bias, kind: str, activation: str, groups: int) -> jax.Array:
    axes = tuple(range(0 if kind == "bn" else 1, image.ndim - 1))
    cells = image.reshape(*image.shape[:-1], groups or image.shape[-1], -1)
    mean = cells.mean((*axes, cells.ndim - 1), keepdims=True)
    variance = cells.var((*axes, cells.ndim - 1), keepdims=True)
    normalized = ((cells - mean) / jnp.sqrt(variance + 1e-5)).reshape(image.shape)
    return ACTIVATIONS[activation](normalized * scale + bias)


@pytest.mark.parametrize("kind", native_normalization.KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(3, 20, 33, 16), (2, 5, 7, 9, 24), (1, 3, 3, 6)], ids=str)
def test_normalisation_is_that_of_autodiff(rng, shape, kind, activation) -> None:
    channels = shape[-1]
    arrays = normal(rng, *shape) + 0.3, normal(rng, channels), normal(rng, channels)
    groups = int(np.gcd(8, channels)) if kind == "gn" else 0
    options = native_normalization.Options(groups, kind == "bn", activation, None, 1e-5)
    ours = jax.jit(lambda *arrays: native_normalization.norm_act(*arrays, options)[0])
    found, back = jax.vjp(ours, *arrays)
    wanted, truth = jax.vjp(
        partial(reference, kind=kind, activation=activation, groups=groups), *arrays
    )
    change = normal(rng, *shape)
    near((found, *back(change)), (wanted, *truth(change)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "features", "size"), SHAPES, ids=str)
def test_what_follows_a_convolution_is_computed_with_it(
    rng, shape, features, size, activation
) -> None:
    image = normal(rng, *shape)
    kernel = normal(rng, *(size,) * (len(shape) - 2), shape[-1], features)
    bias, factor, shift = (normal(rng, features) for _ in range(3))

    def ours(convolution, image, kernel, bias, factor, shift):
        fixed = native_convolution.Fixed(factor, shift, activation)
        return convolution(image, kernel, bias, fixed)

    def apart(convolution, image, kernel, bias, factor, shift):
        return ACTIVATIONS[activation]((convolution(image, kernel) + bias) * factor + shift)

    arrays = image, kernel, bias, factor, shift
    found, back = jax.vjp(jax.jit(partial(ours, native_convolution.conv)), *arrays)
    wanted, truth = jax.vjp(partial(apart, exact), *arrays)
    change = normal(rng, *found.shape)
    near((found, *back(change)), (wanted, *truth(change)), 3e-5)
    found, back = jax.vjp(partial(ours, native_convolution.spread), *arrays)
    wanted, truth = jax.vjp(partial(apart, recipes.spread_plain), *arrays)
    change = normal(rng, *found.shape)
    near((found, *back(change)), (wanted, *truth(change)), 3e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1,), (2, 3, 5, 7), (1, 30, 40, 33)], ids=str)
def test_activated_sums_are_those_of_xla(rng, shape, activation) -> None:
    first, second = normal(rng, *shape), normal(rng, *shape)
    assert native_addition.covers(first, second, activation)
    ours = jax.jit(native_addition.add, static_argnums=2)
    found, back = jax.vjp(lambda *images: ours(*images, activation), first, second)
    wanted, truth = jax.vjp(lambda *images: ACTIVATIONS[activation](sum(images)), first, second)
    change = normal(rng, *shape)
    near((found, *back(change)), (wanted, *truth(change)))


def test_sums_of_images_that_differ_in_shape_or_type_are_left_to_xla(rng) -> None:
    image = normal(rng, 1, 4, 4, 2)
    assert not native_addition.covers(image, image[:, :1], "relu")
    assert not native_addition.covers(image, image.astype(jnp.bfloat16), "relu")
    assert not native_addition.covers(image, image, "silu")


SMALL = {"features": (8, 16), "norm": "bn"}
TRAINED = [
    UNet(**SMALL),
    UNet(**SMALL, activation="silu"),
    AttentionUNet(**SMALL),
    ResUNet(**SMALL),
    HRNet(width=8, modules=(1,), blocks=2, activation="elu"),
]


@pytest.mark.parametrize(
    "config", TRAINED, ids=lambda config: f"{config.architecture}-{config.activation}"
)
def test_trained_networks_are_those_of_xla(rng, config) -> None:
    image = normal(rng, 1, 16, 16, 1)
    ours, plain = (models.build(config, 2, 2, recipe=name) for name in ("native", "plain"))
    variables = plain.init(jax.random.key(0), image)
    stats = jax.tree.map(
        lambda one: jnp.asarray(rng.uniform(0.5, 1.5, one.shape), jnp.float32),
        variables["batch_stats"],
    )
    variables = {**variables, "batch_stats": stats}
    assert jax.tree.structure(ours.init(jax.random.key(0), image)) == jax.tree.structure(variables)
    found = jax.jit(ours.apply)(variables, image)
    near(found, jax.jit(plain.apply)(variables, image), 1e-4)
    text = jax.jit(ours.apply).lower(variables, image).as_text()
    assert ("@jaxseg_conv_activated(" in text) == (config.activation == "elu")
    assert ("@jaxseg_add(" in text) == (config.architecture == "hrnet")


def test_activations_that_do_not_exist_are_refused() -> None:
    image, kernel = jnp.zeros((1, 8, 8, 16)), jnp.zeros((3, 3, 16, 16))
    for name, shape in (("jaxseg_conv", (1, 8, 8, 16)), ("jaxseg_spread", (1, 24, 24, 16))):
        arrays = image, kernel, jnp.zeros(16)
        with pytest.raises(jax.errors.JaxRuntimeError, match="do not belong together"):
            jax.block_until_ready(native.call(f"{name}_activated", shape, *arrays, activation=3))
    for name in ("jaxseg_add", "jaxseg_add_back"):
        for second, number in ((image, 3), (image, -1), (image[:, 1:], 0)):
            with pytest.raises(jax.errors.JaxRuntimeError, match="do not belong together"):
                jax.block_until_ready(
                    native.call(name, image.shape, image, second, activation=number)
                )


@pytest.mark.parametrize(
    ("name", "result", "shapes"),
    [
        ("jaxseg_conv", (1, 8, 8, 16), [(1, 8, 8, 16), (3, 3, 8, 16), (16,)]),
        ("jaxseg_conv", (1, 8, 9, 16), [(1, 8, 8, 16), (3, 3, 16, 16), (16,)]),
        ("jaxseg_conv", (1, 8, 8, 16), [(1, 8, 8, 16), (2, 3, 16, 16), (16,)]),
        ("jaxseg_conv", (1, 8, 8, 16), [(1, 8, 8, 16), (3, 3, 16, 16), (15,)]),
        ("jaxseg_conv_of_kernel", (3, 3, 16, 8), [(1, 8, 8, 16), (1, 8, 8, 16)]),
        ("jaxseg_conv_of_image", (1, 8, 8, 16), [(1, 8, 8, 16), (3, 3, 3, 16, 16)]),
        ("jaxseg_depthwise", (1, 8, 8, 16), [(1, 8, 8, 16), (3, 3, 8), (16,)]),
        ("jaxseg_depthwise", (1, 8, 8, 16), [(1, 8, 8, 16), (3, 2, 16), (16,)]),
        ("jaxseg_depthwise_of_image", (1, 8, 9, 16), [(1, 8, 8, 16), (3, 3, 16)]),
        ("jaxseg_depthwise_of_kernel", (3, 3, 3, 16), [(1, 8, 8, 16), (1, 8, 8, 16)]),
        ("jaxseg_spread", (1, 8, 8, 16), [(1, 4, 4, 16), (2, 2, 8, 16), (16,)]),
        ("jaxseg_spread", (1, 8, 9, 16), [(1, 4, 4, 16), (2, 2, 16, 16), (16,)]),
        ("jaxseg_spread", (1, 8, 8, 16), [(1, 4, 4, 16), (2, 2, 16, 16), (8,)]),
        ("jaxseg_spread_of_image", (1, 4, 4, 16), [(1, 8, 8, 16), (2, 4, 16, 16)]),
        ("jaxseg_spread_of_kernel", (2, 2, 16, 8), [(1, 4, 4, 16), (1, 8, 8, 16)]),
    ],
)
def test_wrong_shapes_are_refused(name, result, shapes) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match="do not belong together"):
        jax.block_until_ready(native.call(name, result, *(jnp.zeros(shape) for shape in shapes)))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.int32])
def test_wrong_types_are_refused(dtype) -> None:
    image, kernel = jnp.zeros((1, 8, 8, 16), dtype), jnp.zeros((3, 3, 16, 16), dtype)
    with pytest.raises(jax.errors.JaxRuntimeError):
        jax.block_until_ready(
            native.call("jaxseg_conv", (1, 8, 8, 16), image, kernel, jnp.zeros(16, dtype))
        )


def test_results_do_not_depend_on_the_number_of_threads(rng, monkeypatch) -> None:
    image, change = normal(rng, 2, 40, 50, 16), normal(rng, 2, 40, 50, 16)
    found = []
    for count in (1, 2, 5):
        monkeypatch.setattr(native, "cores", lambda count=count: count)
        kernel = native.call("jaxseg_conv_of_kernel", (3, 3, 16, 16), image, change)
        result = native.call("jaxseg_conv", image.shape, image, kernel, jnp.zeros(16))
        sums = native.call("jaxseg_moments", ((2, 16), (2, 16)), image)
        found.append([np.asarray(one).tobytes() for one in (kernel, result, *sums)])
    assert found[0] == found[1] == found[2]


def test_kernels_called_at_once_share_the_threads(rng, monkeypatch) -> None:
    monkeypatch.setattr(native, "cores", lambda: 4)
    image, kernel = normal(rng, 2, 20, 30, 16), normal(rng, 3, 3, 16, 16)
    step = jax.jit(
        jax.grad(lambda image, kernel: native_convolution.conv(image, kernel, None).sum())
    )
    wanted = np.asarray(step(image, kernel)).tobytes()
    with ThreadPoolExecutor(8) as callers:
        found = callers.map(lambda _: np.asarray(step(image, kernel)).tobytes(), range(200))
        assert set(found) == {wanted}


def test_the_recipe_can_be_chosen(monkeypatch) -> None:
    assert recipes.default_recipe() == "native"
    assert recipes.describe("native").startswith("native")
    monkeypatch.setenv(recipes.VARIABLE, "cpu")
    assert recipes.default_recipe() == "cpu"
    assert recipes.VARIABLE in recipes.describe("cpu")
    monkeypatch.setenv(recipes.VARIABLE, "fast")
    with pytest.raises(ConfigError, match="no such recipe"):
        recipes.default_recipe()
