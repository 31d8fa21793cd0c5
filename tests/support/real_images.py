"""Two real images with labels: fluorescent nuclei in 2D and 3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

FOLDER = Path(__file__).parents[1] / "data" / "images"
NAMES = ("nuclei2d", "nuclei3d")


def path(name: str, kind: str = "labels") -> Path:
    """The file of an image (``raw``) or of its ``labels``."""
    return FOLDER / f"{name}_{kind}.tif"


def labels(name: str) -> np.ndarray:
    """True objects, (*S) of integers."""
    return tifffile.imread(path(name))
