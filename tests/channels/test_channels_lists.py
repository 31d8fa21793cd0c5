"""Lists of channels: layout, sums, mistakes, and the loss that training calls."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.channels import (
    activate,
    columns,
    encode,
    encode_masked,
    loss_of,
    loss_parts,
    metric_parts,
)
from jaxseg.config import ch
from jaxseg.errors import ConfigError, InputError


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Touching objects."""
    coarse = np.random.default_rng(2).integers(0, 7, (5, 5), np.int32)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def test_columns_lie_side_by_side() -> None:
    found = columns((ch("Db"), ch("A"), ch("F")), 3)
    assert dict(found) == {"Db": slice(0, 1), "A": slice(1, 4), "F": slice(4, 5)}
    assert found.names == ("Db", "A_0_0_1", "A_0_1_0", "A_1_0_0", "F")
    assert found.total == 5
    assert columns((ch("S", classes=3),), 2).names == ("S_0", "S_1", "S_2")


@pytest.mark.slow
def test_several_channels_are_their_columns(labels: np.ndarray, rng: np.random.Generator) -> None:
    channels = (ch("A"), ch("D"), ch("H"), ch("V"), ch("F", weight=2.0))
    planes, mask = encode_masked(labels, channels, spacing=(2.0, 1.0))
    logits = rng.normal(size=(1, *planes.shape)).astype(np.float32)
    values = activate(logits, channels)
    parts = loss_parts(logits, planes[None], mask[None], channels)
    for channel, own in zip(channels, columns(channels, 2).values(), strict=True):
        alone = encode(labels, (channel,), spacing=(2.0, 1.0))
        np.testing.assert_array_equal(planes[..., own], alone)
        np.testing.assert_array_equal(values[..., own], activate(logits[..., own], (channel,)))
        arrays = logits[..., own], planes[None, ..., own], mask[None, ..., own]
        expected = loss_parts(*arrays, (channel,))[channel.name]
        np.testing.assert_allclose(parts[channel.name], expected, rtol=1e-6)


def test_weights_are_in_the_numerator(labels: np.ndarray, rng: np.random.Generator) -> None:
    planes, mask = (array[None] for array in encode_masked(labels % 2, (ch("S"),)))
    logits = rng.normal(size=planes.shape)
    once = loss_parts(logits, planes, mask, (ch("S"),))
    twice = loss_parts(logits, planes, mask, (ch("S", weight=2.0, dice=3.0),))
    assert set(once) == {"S", "S dice"}
    np.testing.assert_allclose(twice["S"][0], 2 * once["S"][0])
    np.testing.assert_allclose(twice["S dice"][0], 6 * once["S dice"][0])
    np.testing.assert_array_equal(twice["S dice"][1], once["S dice"][1])


def test_metrics_by_hand() -> None:
    planes = np.array([[[1.0, 4.0], [1.0, 4.0], [0.0, 0.0], [0.0, 0.0]]])[:, None]
    logits = np.array([[[9.0, 5.0], [-9.0, 2.0], [9.0, 0.0], [-9.0, 0.0]]])[:, None]
    mask = np.ones(planes.shape, bool)
    channels = (ch("F"), ch("Db", norm=False))
    found = metric_parts(logits, planes, mask, channels)
    assert {name: (float(n[0]), float(d[0])) for name, (n, d) in found.items()} == {
        "F IoU": (1, 3),
        "Db error": (3, 4),
    }


@pytest.mark.parametrize("train", [True, False])
def test_loss_of_calls_the_model_as_training_does(labels: np.ndarray, train: bool) -> None:
    class Model:
        @staticmethod
        def apply(variables, image, *, train=False, key=None):
            logits = image * variables["params"]
            return (logits, {"seen": key}) if train else logits

    channels = (ch("Db"),)
    both = np.stack([labels, 0 * labels])
    batch = {"image": jnp.ones((*both.shape, 1)), "truth": {"objects": jnp.asarray(both)}}
    variables = {"params": jnp.float32(0.5), "batch_stats": {"seen": None}}
    loss = loss_of(channels, ndim=2, spacing=(1.0, 1.0), max_distance=(9, 9), max_label=6)
    key = jax.random.key(0)
    parts, metrics, statistics = jax.jit(loss, static_argnums=(0, 4))(
        Model, variables, batch, key, train
    )
    planes, mask = map(np.stack, zip(*(encode_masked(one, channels) for one in both), strict=True))
    expected = loss_parts(0.5 * batch["image"], planes, mask, channels)
    np.testing.assert_allclose(parts["Db"], expected["Db"], rtol=1e-5)
    assert set(metrics) == {"Db error"}
    assert statistics == {"seen": key if train else None}


def test_parts_do_not_depend_on_the_number_of_devices(rng: np.random.Generator) -> None:
    class Model:
        @staticmethod
        def apply(variables, image):
            return image * variables["params"]

    channels = (ch("F"), ch("Db"), ch("H"), ch("V"))
    labels = rng.integers(0, 3, (4, 4, 4), np.int32).repeat(3, axis=1).repeat(3, axis=2)
    batch = {
        "image": rng.normal(size=(4, 12, 12, 4)).astype(np.float32),
        "truth": {"objects": labels},
    }
    loss = loss_of(channels, ndim=2, max_distance=5, max_label=2)

    def parts(batch: dict) -> dict:
        return loss(Model, {"params": 2.0}, batch, None, False)[0]

    found = []
    for count in (1, 4):
        mesh = jax.make_mesh((count,), ("data",), devices=jax.devices()[:count])
        spread = jax.sharding.PartitionSpec("data")
        split = jax.shard_map(parts, mesh=mesh, in_specs=spread, out_specs=spread)
        there = jax.device_put(batch, jax.sharding.NamedSharding(mesh, spread))
        found.append(jax.device_get(jax.jit(split)(there)))
    for name in columns(channels, 2):
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-6)


def test_mistakes_are_named() -> None:
    labels = np.zeros((4, 4), np.int32)
    for wrong, message in (
        (lambda: encode(labels, (ch("Z"), ch("H"), ch("V"))), "does not exist in 2D"),
        (lambda: encode(labels, (ch("F"), ch("F"))), "listed twice"),
        (lambda: encode(labels, (ch("A", offsets=((1, 0, 0),)),)), "offset"),
        (lambda: encode(labels, (ch("A", offsets=((1, 0), (-1, 0))),)), "twice"),
        (lambda: encode(labels, (ch("F"),), spacing=(1.0,)), "size of a voxel"),
        (lambda: encode(labels, (ch("F"), ch("S"))), "instances"),
        (lambda: activate(np.zeros((4, 4, 3)), (ch("F"),)), "1 columns"),
    ):
        with pytest.raises(ConfigError, match=message):
            wrong()
    for bad in (labels.astype(float), labels - 1, labels[0]):
        with pytest.raises(InputError):
            encode(bad, (ch("F"),))
    with pytest.raises(InputError, match="5"):
        encode(labels + 5, (ch("S", classes=3),))


def test_options_are_checked_when_they_are_given() -> None:
    for wrong in (
        {"name": "C", "mode": "thik"},
        {"name": "Db", "norm": "yes"},
        {"name": "A", "offsets": [[0, 1]]},
        {"name": "A", "neighborhood": 5},
        {"name": "S", "classes": 1},
        {"name": "S", "dice": -1.0},
        {"name": "D", "alpha": 0.0},
        {"name": "F", "weight": float("nan")},
    ):
        with pytest.raises(ConfigError, match=r"illegal value|out of range"):
            ch(**wrong)


def test_classes_beside_instances(labels: np.ndarray) -> None:
    classes = (labels > 3).astype(np.uint8)
    planes = encode(labels, (ch("F"), ch("S")), classes=classes)
    np.testing.assert_array_equal(planes[..., 0], labels > 0)
    np.testing.assert_array_equal(planes[..., 1], classes)


def test_three_hundred_objects() -> None:
    labels = np.arange(1, 301, dtype=np.int32).reshape(15, 20).repeat(3, 0).repeat(3, 1)
    channels = (ch("F"), ch("C"), ch("Db"), ch("D"), ch("H"), ch("V"), ch("A"))
    planes = encode(labels, channels)
    assert planes.shape == (45, 60, 8)
    # The image border is no boundary; every block away from it is the same.
    blocks = planes.reshape(15, 3, 20, 3, 8).transpose(0, 2, 1, 3, 4)[1:-1, 1:-1]
    np.testing.assert_allclose(blocks - blocks[0, 0], 0, atol=1e-5)
    np.testing.assert_allclose(blocks[0, 0, ..., 2], [[0, 0, 0], [0, 1, 0], [0, 0, 0]], atol=1e-6)
