"""The training step of the default U-Net: our recipes for CPUs against plain XLA operations.

    python benchmarks/bench_step.py [--rounds 5]

Every variant runs in a process of its own, since the number of CPU devices is fixed when JAX
starts; the processes take turns, one step each, so that the load of the machine meets all alike.
The memory is the largest that the process ever had, compilation included.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any, Literal, NamedTuple


class Variant(NamedTuple):
    """One row of the table."""

    shape: tuple[int, ...]
    recipe: Literal["plain", "cpu", "native"]
    devices: int


SHAPE_2D, SHAPE_3D, PAIR_3D = (4, 256, 256), (1, 16, 64, 64), (2, 16, 64, 64)
VARIANTS = (
    Variant(SHAPE_2D, "plain", 1),
    Variant(SHAPE_2D, "plain", 2),
    Variant(SHAPE_2D, "cpu", 1),
    Variant(SHAPE_2D, "cpu", 2),
    Variant(SHAPE_2D, "native", 1),
    Variant(SHAPE_3D, "plain", 1),
    Variant(SHAPE_3D, "cpu", 1),
    Variant(SHAPE_3D, "native", 1),
    Variant(PAIR_3D, "plain", 1),
    Variant(PAIR_3D, "plain", 2),
    Variant(PAIR_3D, "cpu", 1),
    Variant(PAIR_3D, "cpu", 2),
    Variant(PAIR_3D, "native", 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="steps of each variant")
    parser.add_argument("--variant", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        work(Variant(*json.loads(options.variant)))
        return
    print(f"{'batch':>16} {'recipe':>6} {'devices':>7} {'ms':>7} {'Mvoxel/s':>8} "
          f"{'to plain, 1':>11} {'GiB':>5} {'loss':>8}")  # fmt: skip
    for shape in dict.fromkeys(variant.shape for variant in VARIANTS):
        compare([variant for variant in VARIANTS if variant.shape == shape], options.rounds)


def compare(variants: list[Variant], rounds: int) -> None:
    """Run some variants in turn and print their rows; the first is the one to compare with."""
    workers = [start(variant) for variant in variants]
    for worker in workers:
        ask(worker)  # compiles
    answers = [[ask(worker) for worker in workers] for _ in range(rounds)]
    for worker in workers:
        worker.communicate("")
    for number, variant in enumerate(variants):
        print(row(variant, [(answer[number], answer[0]) for answer in answers]), flush=True)


def row(variant: Variant, answers: list[tuple[dict[str, float], dict[str, float]]]) -> str:
    """One line of the table; the ratio is the median over rounds, above 1 means faster."""
    seconds = statistics.median(own["seconds"] for own, _ in answers)
    ratio = statistics.median(plain["seconds"] / own["seconds"] for own, plain in answers)
    speed = math.prod(variant.shape) / seconds / 1e6
    last, batch = answers[-1][0], "x".join(map(str, variant.shape))
    return (
        f"{batch:>16} {variant.recipe:>6} {variant.devices:>7} {1e3 * seconds:>7.0f} {speed:>8.3f} "
        f"{ratio:>11.2f} {last['gib']:>5.2f} {last['loss']:>8.5f}"
    )


def start(variant: Variant) -> subprocess.Popen[str]:
    """A process that makes one step for every line it reads."""
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": str(variant.devices),
        "PJRT_NPROC": "16",
        "JAX_PLATFORMS": "cpu",
    }
    return subprocess.Popen(
        [sys.executable, __file__, "--variant", json.dumps(variant)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(worker: subprocess.Popen[str]) -> dict[str, float]:
    """Time of one step, loss and memory."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("step\n")
    worker.stdin.flush()
    return json.loads(worker.stdout.readline())


def work(variant: Variant) -> None:
    """Answer every line of the standard input with one step."""
    from jaxseg import runtime

    runtime.keep_memory()
    import jax
    import numpy as np

    from jaxseg import models, train
    from jaxseg.config import Train, UNet

    mesh = jax.make_mesh((variant.devices,), ("data",))
    model = models.build(UNet(norm="in"), 1, len(variant.shape) - 1, recipe=variant.recipe)
    tx = train.optimizer(Train(), 100)
    state = train.init_state(model, tx, jax.random.key(0), (*variant.shape, 1), mesh)
    step = train.make_step(model, tx, foreground_loss, mesh)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(*variant.shape, 1)).astype(np.float32)
    labels = (image[..., 0] > 1).astype(np.int32)
    batch = train.place({"image": image, "truth": {"objects": labels}}, mesh)
    for _ in sys.stdin:
        began = time.perf_counter()
        state, logs = step(state, batch)
        jax.block_until_ready((state.params, logs))
        seconds = time.perf_counter() - began
        gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": seconds, "gib": gib, "loss": float(logs["loss"])}), flush=True)


def foreground_loss(model: Any, variables: Any, batch: Any, key: Any, train: bool) -> Any:
    """Binary cross entropy of one channel."""
    import jax.numpy as jnp
    import optax

    logits, stats = model.apply(variables, batch["image"], train=True, key=key)
    losses = optax.losses.sigmoid_binary_cross_entropy(
        logits[..., 0], batch["truth"]["objects"].astype(jnp.float32)
    )
    total = losses.sum(tuple(range(1, losses.ndim)))
    return {"F": (total, jnp.full_like(total, losses[0].size))}, {}, stats


if __name__ == "__main__":
    main()
