"""Forward pass and training step of every network, in voxels per second.

    python benchmarks/bench_models.py [--rounds 3] [--ndim 2] [--models unet,hrnet] [--size 128]

All networks run in one process and take turns, so that the load of the machine meets all alike; the
ratios are medians over rounds, to the U-Net of the same round. Where torch is installed, the same
U-Net in PyTorch runs along with them, from the same weights, and its logits are compared.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg import models, runtime
from jaxseg.checkpoint import flatten
from jaxseg.config import ARCHITECTURES
from jaxseg.peer.names import peer_place

PEER = "unet (torch)"


class Contest(NamedTuple):
    """One network, ready to run."""

    parameters: int
    forward: Callable[[], Any]
    step: Callable[[], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ndim", type=int, default=2, choices=(2, 3))
    parser.add_argument("--size", type=int, default=0, help="of the image; 0 = 128, in 3D 32")
    parser.add_argument("--models", default=",".join(ARCHITECTURES))
    options = parser.parse_args()
    runtime.keep_memory()
    size = options.size or (128 if options.ndim == 2 else 32)
    image = np.random.default_rng(0).normal(size=(1, *(size,) * options.ndim, 1)).astype("f4")
    names = list(dict.fromkeys(["unet", *options.models.split(",")]))
    contests = {name: contest(name, image) for name in names}
    contests |= torch_unet(image)
    print(f"{jax.devices()[0].device_kind}, {image.shape[1:-1]} voxels")
    print(f"{'network':>14} {'parameters':>12} {'forward':>11} {'step':>11} "
          f"{'to unet':>8} {'step':>6}   voxels/s, and ratios above 1 are faster")  # fmt: skip
    rounds = [measure(contests) for _ in range(options.rounds + 1)][1:]
    for name, entrant in contests.items():
        print(row(name, entrant, math.prod(image.shape), rounds), flush=True)


def contest(name: str, image: np.ndarray) -> Contest:
    """A network with its default options."""
    model = models.build(ARCHITECTURES[name](), 1, image.ndim - 2)
    variables = model.init(jax.random.key(0), jnp.asarray(image))
    keys = jax.random.split(jax.random.key(1), len(image))

    def total(params: Any, image: Any) -> Any:
        logits, stats = model.apply({**variables, "params": params}, image, train=True, key=keys)
        return (logits**2).mean(), stats

    apply, slope = jax.jit(model.apply), jax.jit(jax.value_and_grad(total, has_aux=True))
    params = variables["params"]
    return Contest(
        models.count_parameters(variables),
        lambda: jax.block_until_ready(apply(variables, image)),
        lambda: jax.block_until_ready(slope(params, image)),
    )


def measure(contests: dict[str, Contest]) -> dict[str, tuple[float, float]]:
    """Seconds of a forward pass and of a step, for each network in turn."""
    seconds = {}
    for name, entrant in contests.items():
        times = []
        for run in (entrant.forward, entrant.step):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        seconds[name] = tuple(times)
    return seconds


def row(name: str, entrant: Contest, voxels: int, rounds: list[Any]) -> str:
    """One line of the table."""
    forward, step = (statistics.median(each[name][kind] for each in rounds) for kind in (0, 1))
    ratios = (
        statistics.median(each["unet"][kind] / each[name][kind] for each in rounds)
        for kind in (0, 1)
    )
    return (
        f"{name:>14} {entrant.parameters:>12,} {voxels / forward:>11,.0f} {voxels / step:>11,.0f} "
        + "{:>8.2f} {:>6.2f}".format(*ratios)
    )


def torch_unet(image: np.ndarray) -> dict[str, Contest]:
    """The default U-Net in PyTorch with the weights of ours; nothing where torch is missing."""
    try:
        import torch
    except ImportError:
        print(f"skipped: {PEER}, torch is not installed")
        return {}
    config, ndim = ARCHITECTURES["unet"](), image.ndim - 2
    model = models.build(config, 1, ndim)
    variables = model.init(jax.random.key(0), jnp.asarray(image))
    network = TorchUNet(torch, config.features, ndim)
    state = dict(network.net.named_parameters()) | dict(network.net.named_buffers())
    for name, array in flatten(variables).items():
        place = peer_place(name.split("/", 1)[1], config)
        value = np.asarray(array)
        if value.ndim > 1:
            value = np.moveaxis(value, (-2, -1), (0, 1) if place.spreads else (1, 0))
        state[network.key(place.name)].data = torch.tensor(value.copy())
    batch = torch.tensor(np.moveaxis(image, -1, 1).copy())
    ours = np.moveaxis(np.asarray(model.apply(variables, image)), -1, 1)

    def forward() -> Any:
        network.net.eval()
        with torch.no_grad():
            return network(batch)

    def step() -> None:
        network.net.train()
        network.net.zero_grad()
        (network(batch) ** 2).mean().backward()

    np.testing.assert_allclose(forward().numpy(), ours, atol=1e-4 * np.abs(ours).max())
    count = sum(parameter.numel() for parameter in network.net.parameters())
    return {PEER: Contest(count, forward, step)}


class TorchUNet:
    """Layers in a flat list of modules, by the names of the peer with _ for the dots."""

    def __init__(self, torch: Any, features: tuple[int, ...], ndim: int) -> None:
        nn, self.torch, self.depth = torch.nn, torch, len(features) - 1
        conv, spread = getattr(nn, f"Conv{ndim}d"), getattr(nn, f"ConvTranspose{ndim}d")
        norm, self.pool = getattr(nn, f"BatchNorm{ndim}d"), getattr(nn, f"MaxPool{ndim}d")(2)
        layers: dict[str, Any] = {}

        def stack(name: str, inputs: int, outputs: int) -> None:
            for index, width in enumerate((inputs, outputs)):
                layers[f"{name}.block.{index}.block.0"] = conv(width, outputs, 3, padding=1)
                layers[f"{name}.block.{index}.block.1"] = norm(outputs)

        for level, (inputs, outputs) in enumerate(zip((1, *features), features, strict=False)):
            bottom = level == self.depth
            stack("bottleneck" if bottom else f"down_path.{level}", inputs, outputs)
        for step in range(self.depth):
            below, width = features[-1 - step], features[-2 - step]
            layers[f"up_paths.0.{step}.up.0"] = spread(below, width, 2, 2)
            layers[f"up_paths.0.{step}.up.1"] = norm(width)
            stack(f"up_paths.0.{step}.conv_block", 2 * width, width)
        layers["heads.0"] = conv(features[0], 1, 1)
        self.net = nn.ModuleDict({name.replace(".", "_"): layer for name, layer in layers.items()})

    def key(self, name: str) -> str:
        """Where a tensor of the peer is."""
        module, leaf = name.rsplit(".", 1)
        return f"{module.replace('.', '_')}.{leaf}"

    def __call__(self, image: Any) -> Any:
        """Logits (N, 1, *S) of an image (N, 1, *S)."""

        def layer(name: str, image: Any) -> Any:
            return self.net[name.replace(".", "_")](image)

        def stack(name: str, image: Any) -> Any:
            for index in (0, 1):
                image = layer(f"{name}.block.{index}.block.0", image)
                image = layer(f"{name}.block.{index}.block.1", image)
                image = self.torch.nn.functional.elu(image)
            return image

        skips = []
        for level in range(self.depth):
            image = stack(f"down_path.{level}", image)
            skips.append(image)
            image = self.pool(image)
        image = stack("bottleneck", image)
        for step in range(self.depth):
            up = layer(f"up_paths.0.{step}.up.1", layer(f"up_paths.0.{step}.up.0", image))
            image = self.torch.cat([self.torch.nn.functional.elu(up), skips[-1 - step]], 1)
            image = stack(f"up_paths.0.{step}.conv_block", image)
        return layer("heads.0", image)


if __name__ == "__main__":
    main()
