"""A training small enough for tests: noisy discs, a two-level U-Net, a binary loss.

As a script it trains in a folder until it is done or killed::

    python tests/tiny_training.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg import models
from jaxseg.config import Train, UNet
from jaxseg.train import Fitted, Folders, fit

SIZE, BATCH, STEPS = 8, 4, 3
CONFIG = Train(epochs=2, batch=BATCH, lr=1e-2, warmup=1, ema=0.9)
NET = UNet(features=(4, 8), norm="bn", dropout=(0.2, 0.2))


class Batch(NamedTuple):
    image: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def batch(step: int, size: int = BATCH) -> Batch:
    """Noisy discs, the same for the same step."""
    rng = np.random.default_rng([7, step])
    yx = np.stack(np.meshgrid(*(np.arange(SIZE),) * 2, indexing="ij"), -1)
    centres = rng.uniform(2, 6, (size, 1, 1, 2))
    labels = (np.linalg.norm(yx - centres, axis=-1) < 2.5).astype(np.int32)
    image = labels + rng.normal(0, 0.3, labels.shape)
    names = tuple(f"disc{step}_{number}" for number in range(size))
    return Batch(image[..., None].astype(np.float32), labels, names)


def batches(steps: Iterable[int]) -> Iterator[Batch]:
    return map(batch, steps)


def validation() -> Iterator[Batch]:
    return batches(range(1000, 1002))


def loss(model: Any, variables: Any, data: Any, key: Any, train: bool) -> tuple[Any, Any, Any]:
    """Binary cross entropy of the foreground, and where the two classes are told apart."""
    if train:
        logits, stats = model.apply(variables, data["image"], train=True, key=key)
    else:
        logits, stats = model.apply(variables, data["image"]), {}
    logits = logits[..., 0]
    truth = data["labels"] > 0
    cost = jax.nn.softplus(jnp.where(truth, -logits, logits))
    right = (logits > 0) == truth
    space = tuple(range(1, logits.ndim))
    count = jnp.full(len(logits), float(np.prod(logits.shape[1:])))
    return {"F": (cost.sum(space), count)}, {"F_right": (right.sum(space) * 1.0, count)}, stats


def augment(key: Any, image: Any, labels: Any) -> tuple[Any, Any]:
    """A flip along y or none."""
    flip = jax.random.bernoulli(key)
    return jnp.where(flip, image[::-1], image), jnp.where(flip, labels[::-1], labels)


def folders(root: Path) -> Folders:
    return Folders(root / "checkpoints", root / "logs", root / "charts")


def run(root: Path, config: Train = CONFIG, *, devices: int = 2, **changes: Any) -> Fitted:
    """Train in a folder, or continue there."""
    mesh = jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])
    given = {"batches": batches, "validation": validation, "augment": augment, "steps": STEPS}
    model = models.build(NET, 1, ndim=2)
    return fit(model, loss, config, channels=1, folders=folders(root), mesh=mesh, **given | changes)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
