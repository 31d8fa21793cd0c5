"""What counts how much in the loss: choice of the loss, weights, unknown voxels, levels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import losses
from jaxseg.channels import CHANNELS, columns, encode, encode_masked, loss_of, loss_parts
from jaxseg.channels.spec import Joint
from jaxseg.config import OPTIONS, Channel, Loss, ch
from jaxseg.config.saved import build, plain
from jaxseg.errors import ConfigError

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Every loss of every channel; E and R have one of their own only.
CHOICES = [
    (name, loss)
    for name in CHANNELS
    for loss in ("default", *OPTIONS[name]().losses)
    # Those are compared with whole objects; they have tests of their own.
    if not isinstance(CHANNELS[name].loss, Joint)
]


def scene(rng: np.random.Generator, shape: tuple[int, ...] = (12, 12)) -> np.ndarray:
    """Touching blocks of objects with gaps."""
    coarse = rng.integers(0, 6, [-(-n // 3) for n in shape], np.int32)
    return np.kron(coarse, np.ones((3,) * len(shape), np.int32))[tuple(map(slice, shape))]


def total(parts: dict) -> jax.Array:
    """The loss of a batch, as the training step adds it up."""
    return sum(n.sum() / jnp.maximum(d.sum(), 1e-6) for n, d in parts.values())


def of_choice(name: str, loss: str) -> tuple[Channel, ...]:
    options = {"classes": 4, "class_weights": (0.0, 1.0, 3.0, 0.5)} if name == "S" else {}
    return (ch(name, loss=loss, weight=1.7, **options),)


@pytest.mark.slow
def test_gradients_are_those_of_finite_differences() -> None:
    given = {}
    for name, loss in CHOICES:
        # One stream each: another channel does not move the others to the kink of an error.
        rng = np.random.default_rng([3, *name.encode(), *loss.encode()])
        channels = of_choice(name, loss)
        labels = scene(rng, (6, 6) if 2 in CHANNELS[name].ndims else (3, 6, 6))
        parts = encode_masked(labels % 4 if name == "S" else labels, channels)
        planes, mask = (part[None] for part in parts)
        border = 1 + rng.random((1, *labels.shape))
        logits, way = rng.normal(0, 1.5, (2, *planes.shape))
        given[name, loss] = logits, way, planes.astype(float), mask, border

    def slopes(choice: tuple[str, str]) -> tuple[jax.Array, jax.Array]:
        logits, way, planes, mask, border = map(jnp.asarray, given[choice])

        def value(logits: jax.Array) -> jax.Array:
            arrays = logits, planes, mask, of_choice(*choice)
            return total(loss_parts(*arrays, border=border, balance=True))

        there = (value(logits + 1e-6 * way) - value(logits - 1e-6 * way)) / 2e-6
        return (jax.grad(value)(logits) * way).sum(), there

    with jax.enable_x64(True):
        found = jax.jit(lambda: [slopes(choice) for choice in CHOICES])()
    for choice, (slope, expected) in zip(CHOICES, found, strict=True):
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-5, err_msg=str(choice))


def test_every_choice_is_smallest_where_the_link_gives_the_target() -> None:
    rng = np.random.default_rng(0)

    def values(name: str, loss: str) -> jax.Array:
        channel = ch(name, loss=loss)
        spec, ndim = CHANNELS[name], min(CHANNELS[name].ndims)
        shape = (9, 5, *(1,) * (ndim - 1), spec.width(ndim, channel.options))
        start = np.broadcast_to(rng.normal(0, 2, shape[1:]), shape).astype(np.float32)
        away = rng.normal(0, 0.5, shape).astype(np.float32)
        away[0] = 0
        target = spec.link(start, channel.options)
        return loss_parts(start + away, target, jnp.ones(shape, bool), (channel,))[name][0]

    found = jax.jit(lambda: [values(*choice) for choice in CHOICES])()
    for choice, (best, *others) in zip(CHOICES, found, strict=True):
        assert min(others) > best, choice


def test_illegal_losses_are_refused_and_legal_ones_survive_json() -> None:
    for name, loss in (("D", "bce"), ("H", "ce"), ("S", "mse"), ("F", "ce"), ("F", "hinge")):
        with pytest.raises(ConfigError, match="loss"):
            ch(name, loss=loss)
    with pytest.raises(ConfigError, match="cannot be learned"):
        ch("Db", norm=False, loss="bce")
    channel = ch("Db", loss="mse", weight=2.0)
    assert build(plain(channel), Channel) == channel
    assert build({"name": "F"}, Channel) == ch("F")
    for weights in ((1.0,), (0.0, 0.0), (1.0, -1.0)):
        with pytest.raises(ConfigError, match="class_weights"):
            ch("S", class_weights=weights)


def test_the_rarer_answer_counts_as_much_as_the_other(rng: np.random.Generator) -> None:
    for share, heavy in ((0.1, 9.0), (0.9, 9.0), (0.01, 19.0), (0.5, 1.0), (0.0, 1.0), (1.0, 1.0)):
        target = np.zeros((1, 100, 1), np.float32)
        target[0, : round(100 * share)] = 1
        mask = np.ones((1, 120, 1), bool)
        mask[0, 100:] = False
        # What does not count has no part in the share.
        padded = np.concatenate([target, np.full((1, 20, 1), 255, np.float32)], axis=1)
        found = np.asarray(losses.balance_weights(padded, mask))[0, :100, 0]
        rare = target[0, :, 0] == (share < 0.5)
        np.testing.assert_allclose(found[rare], heavy, rtol=1e-6)
        np.testing.assert_array_equal(found[~rare], 1)


def test_weights_of_voxels_by_the_formula(rng: np.random.Generator) -> None:
    labels = scene(rng)
    border = rng.uniform(1, 5, (1, *labels.shape)).astype(np.float32)
    channels = (ch("Db", mask_values=True), ch("A"), ch("C", weight=2.0))
    planes, mask = (part[None] for part in encode_masked(labels, channels))
    logits = rng.normal(size=planes.shape).astype(np.float32)
    found = loss_parts(logits, planes, mask, channels, border=border, balance=True)
    places = columns(channels, 2)
    for channel in channels:
        own = places[channel.name]
        arrays = logits[..., own], planes[..., own]
        error = np.asarray(CHANNELS[channel.name].loss(*arrays, channel.options))
        weights = np.broadcast_to(border[..., None], error.shape).copy()
        if channel.name != "Db":
            weights *= np.asarray(losses.balance_weights(planes[..., own], mask[..., own]))
        weights[~mask[..., own]] = 0
        numerator, denominator = found[channel.name]
        np.testing.assert_allclose(numerator, channel.weight * (weights * error).sum(), rtol=1e-5)
        np.testing.assert_allclose(denominator, weights.sum(), rtol=1e-5)


def test_class_weights_by_the_formula(rng: np.random.Generator) -> None:
    classes = rng.integers(0, 3, (5, 6))
    for number, weights in ((3, (0.5, 1.0, 4.0)), (2, (0.5, 3.0))):
        channel = ch("S", classes=number, class_weights=weights, dice=0.0)
        planes, mask = (part[None] for part in encode_masked(classes % number, (channel,)))
        logits = rng.normal(size=planes.shape).astype(np.float32)
        numerator, denominator = loss_parts(logits, planes, mask, (channel,))["S"]
        plain_loss = CHANNELS["S"].loss(logits, planes, channel.options)[0, ..., 0]
        weight = np.array(weights)[classes % number]
        np.testing.assert_allclose(numerator[0], (weight * plain_loss).sum(), rtol=1e-5)
        np.testing.assert_allclose(denominator[0], weight.sum(), rtol=1e-5)


class Copy:
    """A network whose logits are the image, and in training coarser ones, too."""

    def __init__(self, steps: tuple[int, ...] = (1,)) -> None:
        self.steps = steps

    def apply(self, variables, image, *, train=False, key=None):
        levels = [variables["params"] * losses.at_level(image, (step,) * 2) for step in self.steps]
        return (levels, {}) if train else levels[0]


def batch_of(labels: np.ndarray, channels, rng: np.random.Generator) -> dict:
    planes = columns(channels, 2).total
    image = rng.normal(size=(*labels.shape[:3], planes)).astype(np.float32)
    return {"image": image, "truth": {"objects": labels}}


def test_unknown_voxels_count_in_no_channel(rng: np.random.Generator) -> None:
    labels = np.stack([scene(rng), scene(rng)])
    labels[:, 4:7, 5:11] = -1
    channels = (ch("A"), ch("F"), ch("C"), ch("Db"))
    loss = loss_of(channels, ndim=2, max_label=6, options=Loss(border_weight=10.0, balance=True))
    batch = batch_of(labels, channels, rng)
    variables = {"params": jnp.float32(1)}
    run = jax.jit(lambda image: loss(Copy(), variables, batch | {"image": image}, None, True)[:2])
    before = run(batch["image"])
    noise = 99 * rng.normal(size=batch["image"].shape)
    changed = np.where((labels < 0)[..., None], noise, batch["image"])
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(run(changed)), strict=True):
        np.testing.assert_array_equal(one, other)
    # An affinity needs both of its voxels: columns are those of (0, 1) and (1, 0).
    _, mask = encode_masked(np.maximum(labels[0], 0), channels, known=labels[0] >= 0)
    known = np.pad(labels[0] >= 0, ((1, 0), (1, 0)))
    here = known[1:, 1:]
    np.testing.assert_array_equal(mask[..., 0], here & known[1:, :-1])
    np.testing.assert_array_equal(mask[..., 1], here & known[:-1, 1:])
    np.testing.assert_array_equal(mask[..., 2], here)


def test_nothing_counts_where_nothing_is_known(rng: np.random.Generator) -> None:
    channels = (ch("F"), ch("Db"), ch("A"))
    batch = batch_of(np.full((1, 6, 6), -1, np.int32), channels, rng)
    options = Loss(border_weight=10.0, balance=True)
    loss = loss_of(channels, ndim=2, max_label=3, options=options)
    for found in jax.jit(lambda: loss(Copy(), {"params": 1.0}, batch, None, False)[:2])():
        assert all(float(part[0]) == 0 for pair in found.values() for part in pair)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)], ids=str)
def test_classes_beside_instances_in_any_order(order: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    ids, classes = scene(rng), rng.integers(0, 5, (12, 12), np.int32)
    some = (ch("A"), ch("S", classes=4, ignore=4, weight=3.0), ch("Db"))
    channels = tuple(some[place] for place in order)
    loss = loss_of(channels, ndim=2, max_label=6)
    batch = batch_of(ids[None], channels, rng)
    batch["truth"]["classes"] = classes[None]
    parts, metrics = jax.jit(lambda: loss(Copy(), {"params": 1.0}, batch, None, False)[:2])()
    own = columns(channels, 2)["S"]
    counted = (ids > 0) & (classes != 4)
    logits = jax.nn.log_softmax(batch["image"][0][..., own], axis=-1)
    expected = -np.take_along_axis(np.asarray(logits), np.minimum(classes, 3)[..., None], axis=-1)
    np.testing.assert_allclose(parts["S"][0][0], 3 * expected[counted].sum(), rtol=1e-5)
    assert parts["S"][1][0] == counted.sum()
    hard = np.asarray(logits).argmax(axis=-1)
    shared, either = metrics["S_2 IoU"]
    assert shared[0] == ((hard == 2) & (classes == 2) & counted).sum()
    assert either[0] == (((hard == 2) | (classes == 2)) & counted).sum()
    # The other channels do not see the classes.
    alone = tuple(channel for channel in channels if channel.name != "S")
    places = columns(channels, 2)
    kept = np.concatenate([batch["image"][..., places[c.name]] for c in alone], axis=-1)
    planes, mask = (part[None] for part in encode_masked(ids, alone))
    for name, pair in loss_parts(kept, planes, mask, alone).items():
        np.testing.assert_allclose(parts[name], pair, rtol=1e-5)


def test_levels_of_deep_supervision(rng: np.random.Generator) -> None:
    channels = (ch("A"), ch("Db", mask_values=True), ch("F", weight=2.0))
    labels = np.stack([scene(rng), scene(rng)])
    loss = loss_of(channels, ndim=2, max_label=6, options=Loss(border_weight=3.0, balance=True))
    batch = batch_of(labels, channels, rng)

    def judged(model: Copy) -> tuple[dict, dict]:
        return jax.jit(lambda: loss(model, {"params": 1.0}, batch, None, True)[:2])()

    (deep, metrics), (flat, other) = judged(Copy((1, 2, 4))), judged(Copy())
    assert losses.level_weights(3) == pytest.approx((4 / 7, 2 / 7, 1 / 7))
    levels = ("", " level 1", " level 2")
    assert set(deep) == {name + level for level in levels for name in ("A", "Db", "F")}
    for name, pair in flat.items():
        np.testing.assert_allclose(deep[name][0], pair[0] * 4 / 7, rtol=1e-6)
    for name, pair in other.items():
        np.testing.assert_allclose(metrics[name], pair, rtol=1e-6)
    # A coarse voxel is asked for what the voxel in its middle is.
    coarse = encode(labels[0], (ch("F"),))[2::4, 2::4, 0]
    logits = 2.0 * batch["image"][0, 2::4, 2::4, -1] / 2
    error = np.logaddexp(0, logits) - logits * coarse
    border = np.asarray(loss_border(labels[0]))[2::4, 2::4]
    shown = np.asarray(coarse)[None, ..., None]
    heavy = losses.balance_weights(shown, np.ones(shown.shape, bool))[0, ..., 0]
    expected = 2 * (error * border * heavy).sum() / 7
    np.testing.assert_allclose(deep["F level 2"][0][0], expected, rtol=1e-4)


def loss_border(labels: np.ndarray) -> jax.Array:
    from jaxseg.targets import border_weights

    return border_weights(labels, weight=3.0, sigma=5.0)


def test_levels_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        losses.level_steps((8, 8), (3, 4))
    with pytest.raises(ValueError, match="does not divide"):
        losses.level_steps((8, 8), (16, 8))
