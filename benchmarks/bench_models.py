"""Forward pass and training step of every network, beside the same network of BiaPy in PyTorch.

    python benchmarks/bench_models.py [--rounds 3] [--ndim 2] [--models unet,hrnet]
    python benchmarks/bench_models.py --precision bfloat16 --batch 32 --calls 20     # on a GPU

Both sides have the same weights and images, run in one process and take turns, so that the load of
the machine meets both alike; the ratios are medians over rounds, above 1 where we are faster. The
first call of a turn does not count: threads of the other side spin on for a while, and its arrays
are in the caches. Then ``--calls`` are started before their end is waited for. A
step is the gradient of the mean square of the logits and one update by AdamW. Ours runs as it
trains and predicts, PyTorch as the peer ships it, both on all cores or on the GPU; with bfloat16
under autocast and with channels last. Speeds are voxels per second.
``differs`` is the largest difference of the logits, as a part of the largest logit; ``TFLOP/s`` is
that of our step by XLA's own count, which does not see into compiled kernels. Without torch and
BiaPy, ours alone are timed; ``--side`` times one side in a process of its own, and says how much
memory it took, compilation and libraries included.
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import peer_networks

from jaxseg import runtime
from jaxseg.interop import biapy


class Contest(NamedTuple):
    """One network, ready to run; what it gives may be under way still."""

    parameters: int
    forward: Callable[[], Any]
    step: Callable[[], Any]
    wait: Callable[[Any], Any]
    """For what one of them gave."""
    flops: float = math.nan
    """Floating-point operations of a step."""


def main() -> None:
    from jaxseg.config import ARCHITECTURES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ndim", type=int, default=2, choices=(2, 3))
    parser.add_argument("--shape", default="", help="40,128,128, in place of --ndim")
    parser.add_argument("--flat-z", action="store_true", help="no stride along z in a U-Net")
    parser.add_argument("--norm", default="", help="in, bn, gn or ln, where a network has one")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="the peer by torch.compile")
    parser.add_argument("--side", default="both", choices=("both", "ours", "torch"))
    parser.add_argument("--models", default=",".join(ARCHITECTURES))
    options = parser.parse_args()
    runtime.configure(batch=options.batch)
    import jax
    import numpy as np

    sizes = [int(size) for size in options.shape.split(",") if size]
    sizes = sizes or [128, 128] * (options.ndim == 2) or [32, 32, 32]
    shape = (options.batch, *sizes, 1)
    image = np.random.default_rng(0).normal(size=shape).astype("f4")
    without = peer_networks.missing()
    if without and options.side != "ours":
        print(f"skipped: BiaPy's networks, {without}")
    print(f"{len(jax.devices())} x {jax.devices()[0].device_kind}, batches of {shape[:-1]} voxels, "
          f"{options.precision}{', torch.compile' * options.compile}")  # fmt: skip
    print(f"{'network':>14} {'parameters':>11} {'forward':>11} {'step':>10}   torch: {'forward':>8}"
          f" {'step':>10} {'ratio':>6} {'step':>6} {'differs':>8} {'TFLOP/s':>8}")  # fmt: skip
    for name in options.models.split(","):
        config = comparable(ARCHITECTURES[name](), options)
        theirs = None
        if not without and options.side != "ours":
            theirs = peer_contest(config, image, options)
        ours, differs = None, math.nan
        if options.side != "torch":
            ours, differs = our_contest(config, image, theirs, options.precision)
        both = (ours, theirs and theirs[0])
        rounds = [measure(*both, options.calls) for _ in range(options.rounds + 1)][1:]
        print(row(name, *both, differs, math.prod(shape), rounds), flush=True)
    if options.side != "both":
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"the largest memory of the process: {memory:.2f} GiB")


def comparable(config: Any, options: Any) -> Any:
    """A network that both sides have, as asked for."""
    changes = {"norm": options.norm} if options.norm else {}
    if options.flat_z:
        changes["z_down"] = (1,) * len(config.reductions)
    return peer_networks.comparable(config, **changes)


def our_contest(
    config: Any, image: Any, theirs: tuple[Contest, Any] | None, precision: str
) -> tuple[Contest, float]:
    """Our network with the weights of theirs, and how much its logits differ."""
    import jax
    import numpy as np

    from jaxseg import models, prediction, train
    from jaxseg.checkpoint import flatten, nested
    from jaxseg.config import Train

    ndim, mesh = image.ndim - 2, runtime.data_mesh(len(image))
    model = models.build(config, 1, ndim, dtype=precision)
    tx = train.optimizer(Train(), 100)
    state = train.init_state(model, tx, jax.random.key(0), image.shape, mesh)
    # A step uses up the arrays of its state.
    variables, differs = jax.tree.map(np.array, train.variables_of(state)), math.nan
    if theirs is not None:
        shapes = {name: tuple(leaf.shape) for name, leaf in flatten(variables).items()}
        tensors = peer_networks.tensors_of(theirs[1])
        variables = nested(biapy.convert(tensors, shapes, config, ndim))
    forward = prediction.make_forward(model, variables, lambda logits: logits, mesh=mesh)
    if theirs is not None:
        expected = np.moveaxis(theirs[0].forward().float().cpu().numpy(), 1, -1)
        differs = float(abs(np.asarray(forward(image)) - expected).max() / abs(expected).max())
    step = train.make_step(model, tx, mean_square, mesh)
    labels = np.zeros(image.shape[:-1], np.int32)
    batch = train.place({"image": image, "truth": {"objects": labels}}, mesh)

    def update() -> Any:
        nonlocal state
        state, logs = step(state, batch)
        # What nobody uses up: the next step takes the arrays of the state.
        return logs

    count = models.count_parameters(variables)
    costs = cast(Any, step).lower(state, batch).cost_analysis() or {}
    flops = costs.get("flops", math.nan)
    there = jax.device_put(image, jax.devices()[0]) if mesh.size == 1 else image
    return Contest(count, lambda: forward(there), update, jax.block_until_ready, flops), differs


def mean_square(model: Any, variables: Any, batch: Any, key: Any, train: bool) -> Any:
    """A loss that costs nothing."""
    import jax.numpy as jnp

    logits, stats = model.apply(variables, batch["image"], train=train, key=key)
    total = (logits**2).reshape(len(logits), -1).sum(axis=1)
    return {"square": (total, jnp.full(len(logits), logits[0].size))}, {}, stats


def peer_contest(config: Any, image: Any, options: Any) -> tuple[Contest, Any]:
    """The peer's network, and the module that holds its weights."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = peer_networks.peer_network(config, image.shape[1:]).to(place)
    batch = torch.tensor(np.moveaxis(image, -1, 1).copy()).to(place)
    half = options.precision == "bfloat16"
    if half:
        last = torch.channels_last if batch.ndim == 4 else torch.channels_last_3d
        network, batch = network.to(memory_format=last), batch.to(memory_format=last)
    called = torch.compile(network) if options.compile else network
    tx = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def logits() -> Any:
        with torch.autocast(place.type, torch.bfloat16, enabled=half):
            return called(batch)

    def wait(_: Any) -> None:
        if place.type == "cuda":
            torch.cuda.synchronize()

    def forward() -> Any:
        network.eval()
        with torch.no_grad():
            return logits()

    def step() -> None:
        network.train()
        tx.zero_grad()
        (logits().float() ** 2).mean().backward()
        tx.step()

    count = sum(parameter.numel() for parameter in network.parameters())
    return Contest(count, forward, step, wait), network


Seconds = dict[tuple[str, str], float]
KINDS = ("forward", "step")


def measure(ours: Contest | None, theirs: Contest | None, calls: int) -> Seconds:
    """Seconds of a forward pass and of a step, by side and kind, in turn."""
    seconds = {}
    for kind in KINDS:
        for side, contest in (("ours", ours), ("torch", theirs)):
            if contest is not None:
                call = getattr(contest, kind)
                contest.wait(call())
                began = time.perf_counter()
                for _ in range(calls):
                    given = call()
                contest.wait(given)
                seconds[side, kind] = (time.perf_counter() - began) / calls
    return seconds


def row(
    name: str,
    ours: Contest | None,
    theirs: Contest | None,
    differs: float,
    voxels: int,
    rounds: list[Seconds],
) -> str:
    """One line of the table; empty for a side that was not timed."""
    middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    either = ours or theirs
    assert either is not None
    text = f"{name:>14} {either.parameters:>11,}"
    for side, widths, start in (("ours", (11, 10), " "), ("torch", (10, 10), " " * 8)):
        speeds = (voxels / middle.get((side, kind), math.nan) for kind in KINDS)
        parts = (f"{speed:>{width},.0f}" for speed, width in zip(speeds, widths, strict=True))
        text += start + " ".join(parts)
    if ours is None or theirs is None:
        return text.replace("nan", "  -")
    ratios = (
        statistics.median(each["torch", kind] / each["ours", kind] for each in rounds)
        for kind in KINDS
    )
    rate = ours.flops / middle["ours", "step"] / 1e12
    return text + "".join(f" {ratio:>6.2f}" for ratio in ratios) + f" {differs:>8.0e} {rate:>8.3f}"


if __name__ == "__main__":
    main()
