"""Small runs from the command line: drawn images, a configuration, planes that show objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from jaxseg import io

CONFIG = """
from jaxseg.config import *
config = Config(
    name="discs", ndim={ndim}, channels={channels}, task={task!r}, patch={patch},
    out={out!r},
    data=Data(train=Source(raw={root!r} + "/train/raw", labels={root!r} + "/train/labels"),
              test=Source(raw={root!r} + "/test/raw", labels={root!r} + "/test/labels")),
    model=UNet(features=(4, 8), norm="bn"),
    train=Train(epochs=2, steps=2, batch=4, lr=1e-2, warmup=0),
)
"""


def discs(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright balls on a dark noisy background, and their labels."""
    rng = np.random.default_rng(seed)
    grid, labels = np.indices(shape), np.zeros(shape, np.uint16)
    for label in range(1, 7):
        centre = [rng.uniform(0, size) for size in shape]
        square = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
        labels[(square < 36) & (labels == 0)] = label
    image = 400 * (labels > 0) + rng.normal(100, 10, shape)
    return image.astype(np.uint16), labels


def write(root: Path, shape: tuple[int, ...] = (48, 40), classes: bool = False) -> None:
    """Three images to learn from and two to predict, with their labels."""
    for part, seeds in (("train", (1, 2, 3)), ("test", (4, 5))):
        for seed in seeds:
            image, labels = discs(shape, seed)
            labels = (labels > 0).astype(np.uint8) if classes else labels
            for kind, array in (("raw", image), ("labels", labels)):
                path = root / part / kind / f"im{seed}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                axes = "ZYX"[-len(shape) :]
                tifffile.imwrite(path, array, imagej=True, metadata={"axes": axes})


def command(
    folder: Path,
    *,
    ndim: int = 3,
    channels: str = "(ch('F'), ch('C'), ch('Db'))",
    task: str = "instances",
    patch: tuple[int, ...] = (8, 16, 16),
    file: str = "config.py",
    data: str = "data",
) -> list[str]:
    """Write the configuration of a small network; the command line that names it."""
    folders = {"out": str(folder / "out"), "root": str(folder / data)}
    text = CONFIG.format(ndim=ndim, channels=channels, task=task, patch=patch, **folders)
    (folder / file).write_text(text)
    return ["--config", str(folder / file)]


def write_planes(results: Path, name: str, planes: np.ndarray) -> None:
    """Planes (*S, K) of an image, as its prediction would have left them."""
    ndim = planes.ndim - 1
    with io.create_planes(
        results / f"per_image/{name}.zarr",
        shape=planes.shape,
        chunks=(*(8,) * ndim, planes.shape[-1]),
        spacing=(1.0,) * ndim,
    ) as store:
        store[...] = planes.astype(np.float32)
