from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import tiny_training as tiny
from support.steps import arrays, mesh_of

from jaxseg import models
from jaxseg.config import Train
from jaxseg.train import (
    init_state,
    learning_rate,
    make_eval,
    make_step,
    optimizer,
    place,
    variables_of,
)
from jaxseg.train.muon import roles, scale_by_muon
from jaxseg.train.schedule import limit_norm
from jaxseg.train.step import weighted

pytestmark = pytest.mark.usefixtures("quick_compilation")


def data(step: int, mesh):
    patches = tiny.batch(step)
    return place({"image": patches.image, "truth": patches.truth}, mesh)


def fresh(mesh, tx=None, **options):
    model = models.build(tiny.NET, 1, ndim=2)
    tx = tx or optax.sgd(0.1, momentum=0.9)
    return model, tx, init_state(model, tx, jax.random.key(0), (1, 8, 8, 1), mesh, **options)


def trained(devices: int, steps: int = 3, tx=None):
    """Parameters and statistics after some steps, of SGD by default, and the logs of the last."""
    mesh = mesh_of(devices)
    model, tx, state = fresh(mesh, tx)
    step = make_step(model, tx, tiny.loss, mesh, augment=tiny.augment)
    with jax.transfer_guard("disallow"):
        for number in range(steps):
            state, logs = step(state, data(number, mesh))
            jax.block_until_ready(state.params)
    return arrays((state.params, state.batch_stats)), jax.device_get(logs)


def test_devices_do_not_change_the_result():
    # Plain gradient descent, because Adam would hide a gradient that is counted once per device.
    # The network has batch normalisation and dropout, the step random augmentation.
    (one, log_one), (four, log_four) = trained(1), trained(4)
    for a, b in zip(one, four, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)
    assert abs(log_one["norm"] - log_four["norm"]) < 1e-5 * log_one["norm"]
    assert log_one["metrics"] == log_four["metrics"]


def test_nor_with_muon():
    """Without Adam for the rest; rounding counts for more, as small directions become long."""
    kernels = optax.chain(scale_by_muon(), optax.scale(-0.01))
    tx = optax.partition({"kernel": kernels, "other": optax.sgd(0.1)}, roles)
    (one, _), (four, _) = trained(1, tx=tx), trained(4, tx=tx)
    for a, b in zip(one, four, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_step_follows_the_gradient_of_the_whole_batch():
    mesh = mesh_of(4)

    def loss(model, variables, batch, key, train):
        error = (batch["image"][..., 0] * variables["params"]["w"] - batch["truth"]["objects"]) ** 2
        heavy = batch["truth"]["objects"] > 0  # samples differ in their denominators
        return (
            {
                "all": (error.sum((1, 2)), jnp.full(len(error), 64.0)),
                "inside": ((error * heavy).sum((1, 2)), heavy.sum((1, 2)) * 1.0),
                "empty": (error.sum((1, 2)), jnp.zeros(len(error))),
            },
            {},
            {},
        )

    patches, tx = tiny.batch(0), optax.sgd(1.0)
    model = models.Model(lambda key, image: {"params": {"w": jnp.float32(0.5)}}, None, (), ())
    state = init_state(model, tx, jax.random.key(0), (1, 8, 8, 1), mesh)
    model = model._replace(apply=lambda: None)
    state, logs = make_step(model, tx, loss, mesh, weights={"inside": 3.0})(state, data(0, mesh))

    def expected(w):
        error = (patches.image[..., 0] * w - patches.truth["objects"]) ** 2
        return error.mean() + 3 * error[patches.truth["objects"] > 0].mean()

    value, gradient = jax.value_and_grad(expected)(0.5)
    np.testing.assert_allclose(logs["loss"], value, rtol=1e-6)
    np.testing.assert_allclose(0.5 - state.params["w"], gradient, rtol=1e-5)


@pytest.fixture(scope="module")
def stepped():
    """A compiled step with an average of the weights, and its first state as NumPy arrays."""
    mesh = mesh_of(2)
    model, tx, state = fresh(mesh, ema=0.5)
    step = make_step(model, tx, tiny.loss, mesh, augment=tiny.augment, ema=0.5)

    def take(patches):
        image = place({"image": patches.image, "truth": patches.truth}, mesh)
        return step(jax.tree.map(jnp.copy, state), image)

    return state, take


def test_same_batch_gives_same_bits(stepped):
    _, take = stepped
    (first, _), (second, _) = take(tiny.batch(0)), take(tiny.batch(0))
    assert all(map(np.array_equal, arrays(first), arrays(second)))


def test_image_that_is_not_finite_is_named_and_changes_nothing(stepped):
    state, take = stepped
    patches = tiny.batch(0)
    patches.image[2, 3, 3] = np.nan
    after, logs = take(patches)
    assert not logs["ok"]
    # Batch normalisation spreads the NaN to all samples, but only one is to blame.
    assert logs["finite"].tolist() == [True, True, False, True]
    assert all(map(np.array_equal, arrays(state), arrays(after)))


def test_average_of_the_parameters(stepped):
    state, take = stepped
    after, logs = take(tiny.batch(0))
    assert logs["ok"]
    kept = min(0.5, 1 / 10)
    for old, new, mean in zip(*map(arrays, (state.params, after.params, after.ema)), strict=True):
        np.testing.assert_allclose(mean, kept * old + (1 - kept) * new, atol=1e-6)
    assert variables_of(after)["params"] is after.ema


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_loss_or_gradient_that_is_not_finite_changes_nothing(bad):
    mesh = mesh_of(2)

    def loss(model, variables, batch, key, train):
        w = variables["params"]["w"]
        values = w * batch["image"].mean((1, 2, 3))
        if bad == "loss":
            values = jnp.where(batch["truth"]["objects"][:, 0, 0] == 5, jnp.inf, values)
        else:
            values = values + jnp.sqrt(w - 0.5)  # 0, with an infinite slope
        return {"F": (values, jnp.ones_like(values))}, {}, {}

    patches, tx = tiny.batch(0), optax.adam(1.0)
    patches.truth["objects"][1, 0, 0] = 5
    model = models.Model(
        lambda key, image: {"params": {"w": jnp.float32(0.5)}}, lambda: None, (), ()
    )
    state = init_state(model, tx, jax.random.key(0), (1, 8, 8, 1), mesh)
    before = arrays(state)
    batch = place({"image": patches.image, "truth": patches.truth}, mesh)
    state, logs = make_step(model, tx, loss, mesh)(state, batch)
    assert not logs["ok"]
    assert logs["finite"].tolist() == [True, bad == "gradient", True, True]
    assert all(map(np.array_equal, before, arrays(state)))


def test_evaluation_does_not_depend_on_the_devices_or_the_batch():
    model, _, state = fresh(mesh_of(1))
    found = []
    for devices, size in ((1, 4), (4, 4), (2, 2)):
        mesh = mesh_of(devices)
        evaluate = make_eval(model, tiny.loss, mesh)
        variables = jax.device_put(
            jax.device_get(variables_of(state)), jax.NamedSharding(mesh, jax.P())
        )
        patches = tiny.batch(0)
        sums = [
            jax.device_get(
                evaluate(
                    variables,
                    place(
                        {
                            "image": patches.image[at : at + size],
                            "truth": {"objects": patches.truth["objects"][at : at + size]},
                        },
                        mesh,
                    ),
                )
            )
            for at in range(0, 4, size)
        ]
        found.append([sum(s["parts"]["F"][i] for s in sums) for i in (0, 1)])
    np.testing.assert_allclose(found, [found[0]] * 3, rtol=1e-6)


def test_optimizer_decays_kernels_alone_and_limits_the_gradient():
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    tx = optimizer(Train(lr=1.0, epochs=1, warmup=0, weight_decay=0.1, clip=1.0), 10)
    still, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    np.testing.assert_allclose(still["kernel"], -0.1, rtol=1e-5)
    np.testing.assert_array_equal(still["bias"], 0)
    large = jax.tree.map(lambda leaf: 1e9 * leaf, params)
    _, state = tx.update(large, tx.init(params), params)
    adam = next(part for part in state if hasattr(part, "mu"))
    np.testing.assert_allclose(optax.tree.norm(adam.mu), 0.1, rtol=1e-5)


@pytest.mark.parametrize("size", [0.0, 0.1, 3.0, 1e9])
def test_the_limit_of_a_norm_is_that_of_optax(size):
    gradient = {"kernel": size * jnp.arange(6.0).reshape(2, 3), "bias": -size * jnp.ones(2)}
    ours, theirs = limit_norm(3.0), optax.clip_by_global_norm(3.0)
    expected, _ = theirs.update(gradient, theirs.init(gradient))
    for known in ({}, {"norm": optax.tree.norm(gradient)}):
        found, _ = ours.update(gradient, ours.init(gradient), **known)
        for leaves in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
            np.testing.assert_allclose(*leaves, rtol=1e-6)


def test_the_norm_leaves_out_frozen_parts():
    mesh, config = mesh_of(2), Train(epochs=1, warmup=0, clip=1e-3)
    norms = {}
    for freeze in ((), ("w",), ("v",)):
        tx = optimizer(dataclasses.replace(config, freeze=freeze), 1)

        def loss(model, variables, batch, key, train):
            w, v = variables["params"]["w"], variables["params"]["v"]
            values = (3 * w + 4 * v) * jnp.ones(len(batch["image"]))
            return {"F": (values, jnp.ones_like(values))}, {}, {}

        start = {"w": jnp.float32(0.5), "v": jnp.float32(0.5)}
        model = models.Model(lambda key, image, start=start: {"params": start}, None, (), ())
        model = model._replace(apply=lambda: None)
        state = init_state(model, tx, jax.random.key(0), (1, 8, 8, 1), mesh)
        step = make_step(model, tx, loss, mesh, freeze=freeze)
        state, logs = step(state, data(0, mesh))
        norms[freeze] = float(logs["norm"])
        for name in freeze:
            assert state.params[name] == 0.5
    np.testing.assert_allclose(list(norms.values()), [5, 4, 3], rtol=1e-6)


def test_learning_rate_follows_the_planned_number_of_steps():
    rate = learning_rate(Train(lr=2.0, epochs=10, warmup=1, final_lr=0.1), 10)
    for total in (20, 60, 100):
        steps = np.arange(total)
        values = np.array(jax.vmap(rate, (0, None))(steps, total))
        top = min(10, total // 4)
        assert values.argmax() in (top - 1, top)
        np.testing.assert_allclose([values[0], values.max()], [2 / top, 2.0], rtol=1e-6)
        assert (np.diff(values[top:]) < 0).all()
        np.testing.assert_allclose(rate(total, total), 0.2, rtol=1e-6)
    np.testing.assert_array_equal(rate(37, 0), rate(37, 100))


def test_weights_default_to_one():
    assert weighted({"a": 1.0, "b": 2.0}, {"b": 10.0, "c": 5.0}) == 21.0
