"""A training small enough for tests: noisy discs, a two-level U-Net, a binary loss.

As a script it trains with and without being killed at random moments::

    python tests/tiny_training.py FOLDER KILLS SEED
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from jaxseg import checkpoint, models
from jaxseg.config import Train, UNet
from jaxseg.train import Fitted, Folders, fit

SIZE, BATCH, STEPS = 8, 4, 3
CONFIG = Train(epochs=2, batch=BATCH, lr=1e-2, warmup=1, ema=0.9)
LONGER = replace(CONFIG, epochs=8)
NET = UNet(features=(4, 8), norm="bn", dropout=(0.2, 0.2))


class Batch(NamedTuple):
    image: np.ndarray
    truth: dict[str, np.ndarray]
    names: tuple[str, ...]


def batch(step: int, size: int = BATCH) -> Batch:
    """Noisy discs, the same for the same step."""
    rng = np.random.default_rng([7, step])
    yx = np.stack(np.meshgrid(*(np.arange(SIZE),) * 2, indexing="ij"), -1)
    centres = rng.uniform(2, 6, (size, 1, 1, 2))
    labels = (np.linalg.norm(yx - centres, axis=-1) < 2.5).astype(np.int32)
    image = labels + rng.normal(0, 0.3, labels.shape)
    names = tuple(f"disc{step}_{number}" for number in range(size))
    return Batch(image[..., None].astype(np.float32), {"objects": labels}, names)


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
    truth = data["truth"]["objects"] > 0
    cost = jax.nn.softplus(jnp.where(truth, -logits, logits))
    right = (logits > 0) == truth
    space = tuple(range(1, logits.ndim))
    count = jnp.full(len(logits), float(np.prod(logits.shape[1:])))
    return {"F": (cost.sum(space), count)}, {"F_right": (right.sum(space) * 1.0, count)}, stats


def augment(key: Any, image: Any, truth: Any) -> tuple[Any, Any]:
    """A flip along y or none."""
    flip = jax.random.bernoulli(key)
    return jax.tree.map(lambda one: jnp.where(flip, one[::-1], one), (image, truth))


def folders(root: Path) -> Folders:
    return Folders(root / "checkpoints", root / "logs", root / "charts")


def run(root: Path, config: Train = CONFIG, *, devices: int = 2, **changes: Any) -> Fitted:
    """Train in a folder, or continue there."""
    mesh = jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])
    given = {"batches": batches, "validation": validation, "augment": augment, "steps": STEPS}
    model = models.build(NET, 1, ndim=2)
    return fit(model, loss, config, channels=1, folders=folders(root), mesh=mesh, **given | changes)


def end_of(root: Path) -> tuple[Any, ...]:
    """All that a run leaves: arrays and record of the last state, the best variables, the logs."""
    last = checkpoint.newest(root / "checkpoints" / "last")
    best = checkpoint.newest(root / "checkpoints" / "best")
    record = last.meta["record"]
    del record["seconds"]
    for row in record["history"]:
        del row["seconds"]
    del last.meta["machine"]
    arrays = {name: array.tobytes() for name, array in (last.arrays | best.arrays).items()}
    table = pd.read_csv(root / "logs" / "log.csv").drop(columns="seconds")
    lines = [json.loads(line) for line in (root / "logs" / "log.jsonl").read_text().splitlines()]
    rows = [{name: line[name] for name in line if name != "seconds"} for line in lines]
    return last.step, best.step, arrays, last.meta, best.meta, table.to_csv(), rows


def in_a_child(root: Path, after: float | None) -> tuple[int, float]:
    """Train in a fork of this process, killed after some seconds; exit status and seconds."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        run(root, LONGER)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1], time.monotonic() - began


def killed_and_whole(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Train in ``whole`` without and in ``killed*`` with kills at random moments, to the end."""
    failures = in_a_child(folder / "first", None)[0]  # keeps what it compiled for the others
    status, seconds = in_a_child(folder / "whole", None)
    failures += status
    rng, runs, hits = np.random.default_rng(seed), 1, 0
    while hits < kills:
        status, _ = in_a_child(folder / f"killed{runs}", rng.uniform(0.3, 1) * seconds)
        hits += status == signal.SIGKILL
        failures += status not in (0, signal.SIGKILL)
        runs += status == 0  # it was at its end already: another one
    failures += in_a_child(folder / f"killed{runs}", None)[0]
    return {"failures": failures, "runs": runs}


if __name__ == "__main__":
    folder, kills, seed = sys.argv[1:]
    print(json.dumps(killed_and_whole(Path(folder), int(kills), int(seed))))
