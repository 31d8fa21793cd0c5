"""Real images for a first run: nuclei that the ``stardist`` package ships with instance masks.

One region of the image becomes the training folder and another the test folder; nothing is
downloaded. ``jaxseg demo 2d FOLDER`` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from jaxseg.errors import ConfigError

# The cut lies at about two thirds of the longest axis; nuclei on it are divided between the sides.
CUTS = {"2d": (1, 352), "3d": (1, 40)}
SPACING = {"2d": (1.0, 1.0), "3d": (2.0, 1.0, 1.0)}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write real images with labels for a first run: nuclei that the stardist package ships.

    One region of the image becomes the training folder and another the test folder; nothing is
    downloaded.
    """

    kind: Annotated[Literal["2d", "3d"], tyro.conf.Positional]
    """fluorescent nuclei in 2D (512 x 512), or in 3D (31 x 61 x 57)"""
    folder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """folder to write to: out/demo2d_data for configs/demo2d.py, out/demo3d_data for demo3d.py"""


def execute(arguments: Arguments) -> int:
    """Write the images; return the exit code."""
    for path in write(arguments.kind, arguments.folder):
        print(f"wrote {path}")
    return 0


def regions(kind: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Image and labels of the training and the test region.

    Parameters
    ----------
    kind : ``2d`` (fluorescent nuclei, 512 x 512) or ``3d`` (31 x 61 x 57)

    Returns
    -------
    {"train": (image, labels), "test": (image, labels)}, uint16
    """
    try:
        from stardist import data
    except ImportError:
        raise ConfigError(
            "the demo images come with the stardist package", fix="pip install 'jaxseg[demo]'"
        ) from None

    load = {"2d": data.test_image_nuclei_2d, "3d": data.test_image_nuclei_3d}[kind]
    image, labels = load(return_mask=True)
    axis, cut = CUTS[kind]
    split = {"train": slice(0, cut), "test": slice(cut, None)}
    index = {name: (slice(None),) * axis + (part,) for name, part in split.items()}
    return {name: (image[at], labels[at]) for name, at in index.items()}


def write(kind: str, folder: str | Path) -> list[Path]:
    """Write both regions as ``<folder>/{train,test}/{raw,labels}/nuclei.tif``; return the paths."""
    from jaxseg.io import write_image_tiff, write_labels_tiff

    written = []
    for name, (image, labels) in regions(kind).items():
        raw = Path(folder) / name / "raw" / "nuclei.tif"
        mask = Path(folder) / name / "labels" / "nuclei.tif"
        for path in (raw, mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_image_tiff(raw, image[..., None], spacing=SPACING[kind])
        write_labels_tiff(mask, labels, spacing=SPACING[kind])
        written += [raw, mask]
    return written
