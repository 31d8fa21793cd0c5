"""What a GPU computes is what a CPU does: ``make test-gpu``, on a machine that has one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from support import small_runs
from support import tiny_training as tiny
from support.steps import arrays
from support.tiny_networks import TINY

from jaxseg import channels, io, models
from jaxseg.augment import random_augment
from jaxseg.channels import CHANNELS, ch
from jaxseg.config import Augment, Blur, Rotate, Zoom
from jaxseg.prediction import make_forward, predict
from jaxseg.train import init_state, make_step, place

pytestmark = pytest.mark.gpu


def on(device, function, *given):
    """What a compiled function gives on a device."""
    moved = jax.device_put(given, device)
    return jax.device_get(jax.jit(function)(*moved))


def balls(ndim: int, seed: int = 0) -> np.ndarray:
    _, labels = small_runs.discs((24, 28, 32)[-ndim:], seed)
    return labels.astype(np.int32)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("config", TINY, ids=lambda config: config.architecture)
def test_networks_give_the_same(devices, config, ndim):
    model = models.build(config, 2, ndim)
    image = jax.random.normal(jax.random.key(1), (2, *(2 * step for step in model.stride), 1))
    with jax.default_device(devices.cpu):
        variables = model.init(jax.random.key(0), np.asarray(image))
    cpu, gpu = (on(device, model.apply, variables, image) for device in devices)
    np.testing.assert_allclose(gpu, cpu, atol=2e-4 * np.abs(cpu).max())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_follows_the_same_path(devices, precision):
    def trained(device):
        mesh = jax.make_mesh((1,), ("data",), devices=[device])
        model, tx = models.build(tiny.NET, 1, 2, dtype=precision), optax.sgd(0.1, momentum=0.9)
        state = init_state(model, tx, jax.random.key(0), (1, 8, 8, 1), mesh)
        step = make_step(model, tx, tiny.loss, mesh, augment=tiny.augment)
        losses = []
        for number in range(5):
            patches = tiny.batch(number)
            batch = place({"image": patches.image, "truth": patches.truth}, mesh)
            state, logs = step(state, batch)
            losses.append(float(logs["loss"]))
        return losses, arrays((state.params, state.batch_stats))

    (cpu, ours), (gpu, theirs) = (trained(device) for device in devices)
    near = 1e-4 if precision == "float32" else 2e-2
    np.testing.assert_allclose(gpu, cpu, rtol=near)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other, one, atol=10 * near)


@pytest.mark.parametrize("ndim", [2, 3])
def test_patches_are_changed_alike(devices, ndim):
    settings = Augment(rotate=Rotate(degrees=(-30.0, 30.0)), zoom=Zoom(), blur=Blur())
    labels = balls(ndim)
    image = (labels[..., None] > 0) + 0.1 * np.random.default_rng(0).normal(size=(*labels.shape, 1))
    keys = jax.random.key_data(jax.random.split(jax.random.key(3), 8))

    def changed(keys, image, labels):
        wrapped = jax.random.wrap_key_data(keys)
        return jax.vmap(lambda key: random_augment(key, image, labels, settings=settings))(wrapped)

    given = keys, image.astype(np.float32), labels
    (cpu, cpu_labels), (gpu, gpu_labels) = (on(device, changed, *given) for device in devices)
    # A place between two voxels may be rounded either way.
    assert np.mean(cpu_labels != gpu_labels) < 1e-3
    assert np.mean(np.abs(cpu - gpu) > 1e-4) < 1e-3


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("symbol", sorted(CHANNELS))
def test_targets_are_the_same(devices, symbol, ndim):
    if ndim not in CHANNELS[symbol].ndims:
        pytest.skip("a channel of other dimensions")
    labels = balls(ndim)
    if symbol == "S":
        labels = np.minimum(labels, 1)

    def targets(labels):
        return channels.encode(labels, (ch(symbol),), spacing=(1.0,) * ndim, max_label=8)

    cpu, gpu = (on(device, targets, labels) for device in devices)
    np.testing.assert_allclose(gpu, cpu, atol=1e-4)


@pytest.mark.parametrize("ndim", [2, 3])
def test_tiles_of_any_size_give_the_same(devices, ndim):
    model = models.build(TINY[0], 2, ndim)
    image = np.random.default_rng(0).normal(size=(*(48, 64, 72)[-ndim:], 1)).astype(np.float32)
    with jax.default_device(devices.cpu):
        variables = model.init(jax.random.key(0), image[None])

    def planes(device, steps: int) -> np.ndarray:
        mesh = jax.make_mesh((1,), ("data",), devices=[device])
        forward = make_forward(model, variables, lambda logits: logits, mesh=mesh)
        sides = zip(model.halo, model.stride, strict=True)
        tile = tuple((-(-2 * halo // step) + steps) * step for halo, step in sides)
        return predict(forward, image, tile=tile, halo=model.halo, overlap=0,
                       stride=model.stride, batch=3)  # fmt: skip

    cpu, gpu = planes(devices.cpu, 12), planes(devices.gpu, 5)
    np.testing.assert_allclose(gpu, cpu, atol=2e-4 * np.abs(cpu).max())


def run(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command line as a user types it, on the devices that JAX finds, but for some variables."""
    ours = ("JAX_PLATFORMS", "JAX_DISABLE_MOST_OPTIMIZATIONS", "JAX_NUM_CPU_DEVICES")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    kept |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | changes
    command = [sys.executable, "-m", "jaxseg.main", *words]
    return subprocess.run(command, env=kept, capture_output=True, text=True, timeout=500)


def test_a_run_goes_on_where_there_is_no_gpu(devices, tmp_path: Path):
    small_runs.write(tmp_path / "data", (48, 40))
    line = small_runs.command(tmp_path, ndim=2, patch=(32, 32))
    first = run(*line)
    assert first.returncode == 0, first.stderr
    assert f"1 x {devices.gpu.device_kind}" in first.stdout
    longer = run(*line, "--train.epochs", "3", "--train.extend", "--overwrite",
                 JAX_PLATFORMS="cpu")  # fmt: skip
    assert longer.returncode == 0, longer.stdout + longer.stderr
    assert "device CPU" in longer.stdout
    assert "3/3" in longer.stdout
    assert "1/3" not in longer.stdout
    files = list(tmp_path.glob("out/*/results/*/per_image_instances/*.tif"))
    assert len(files) == 2
    for file in files:
        assert io.open_labels(file, ndim=2).array().shape == (48, 40)


def test_a_batch_that_does_not_fit_is_divided(devices, tmp_path: Path):
    small_runs.write(tmp_path / "data", (512, 512))
    line = small_runs.command(tmp_path, ndim=2, patch=(512, 512))
    whole = run(*line, "--phases", "train", "--train.batch", "64", "--model.features", "64", "128",
                XLA_PYTHON_CLIENT_MEM_FRACTION="0.06")  # fmt: skip
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "the device ran out of memory" in whole.stdout + whole.stderr
    assert "parts" in whole.stdout + whole.stderr
