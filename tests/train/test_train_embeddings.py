"""Embeddings learned from noisy touching discs, a few steps long and to the end."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
from scipy import ndimage
from support.synthetic_objects import touching_balls

from jaxseg import models
from jaxseg.channels import activate, loss_of
from jaxseg.config import UNet, ch
from jaxseg.decoding import decode
from jaxseg.metrics import matching
from jaxseg.train import init_state, make_step, place, variables_of

pytestmark = pytest.mark.full

CHANNEL = (ch("E", grid_size=32.0),)


def discs(rng: np.random.Generator, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images (N, S, S, 1) with darker rims, and their labels."""
    shape, count = (size, size), size // 8
    labels = np.stack(
        [touching_balls(rng, shape, count=count, radii=(4, 7)) for _ in range(number)]
    )
    rim = np.stack([ndimage.morphological_gradient(one, 3) > 0 for one in labels])
    images = (labels > 0) * (1 - 0.5 * rim) + rng.normal(0, 0.1, labels.shape)
    return images[..., None].astype(np.float32), labels


def trained(
    features: tuple[int, ...], steps: int, devices: int, images: np.ndarray, labels: np.ndarray
) -> tuple[list[float], list[float], np.ndarray]:
    """Losses and IoUs of the steps, and the planes of all images afterwards."""
    mesh = jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])
    model = models.build(UNet(features=features, norm="bn"), 5, ndim=2)
    tx = optax.adam(optax.cosine_decay_schedule(5e-3, steps))
    state = init_state(model, tx, jax.random.key(0), images[:1].shape, mesh)
    step = make_step(model, tx, loss_of(CHANNEL, ndim=2, max_label=8), mesh)
    losses, overlaps, order = [], [], np.random.default_rng(0)
    for _ in range(steps):
        chosen = order.permutation(len(images))[:4]
        batch = {"image": images[chosen], "truth": {"objects": labels[chosen]}}
        state, logs = step(state, place(batch, mesh))
        losses.append(float(logs["loss"]))
        found, number = logs["metrics"]["E IoU"]
        overlaps.append(float(found / number))
    variables = jax.device_get(variables_of(state))
    values = jax.jit(lambda x: activate(model.apply(variables, x), CHANNEL))(images)
    return losses, overlaps, np.asarray(values)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compilation")
def test_a_few_steps_lower_the_loss(rng: np.random.Generator) -> None:
    images, labels = discs(rng, 4, 24)
    losses, _, _ = trained((4, 8), 12, 2, images, labels)
    assert np.mean(losses[-3:]) < 0.5 * losses[0]


@pytest.mark.slow
def test_the_number_of_devices_does_not_matter(rng: np.random.Generator) -> None:
    images, labels = discs(rng, 4, 24)
    runs = [trained((4, 8), 3, devices, images, labels)[0] for devices in (1, 2, 4)]
    for run in runs[1:]:
        np.testing.assert_allclose(run, runs[0], rtol=1e-3)


@pytest.mark.slow
def test_discs_are_learned(rng: np.random.Generator) -> None:
    images, labels = discs(rng, 24, 48)
    losses, overlaps, planes = trained((8, 16, 32), 200, 1, images, labels)
    assert losses[-1] < 0.1 * losses[0]
    assert np.mean(overlaps[-10:]) > 0.9
    pairs = zip(labels, planes, strict=True)
    found = [matching(truth, decode(one, CHANNEL))[0] for truth, one in pairs]
    assert sum(one.fn for one in found) <= 0.05 * sum(one.tp for one in found)
    assert sum(one.fp for one in found) <= 0.1 * sum(one.tp for one in found)
