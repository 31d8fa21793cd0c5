"""Real images for a first run: nuclei that the ``stardist`` package ships with instance masks.

One region of the image becomes the training folder and another the test folder; nothing is
downloaded. ``python -m jaxseg.cli.demo 2d OUT`` writes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from jaxseg.errors import ConfigError, JaxsegError

# The cut lies at about two thirds of the longest axis; nuclei on it are divided between the sides.
CUTS = {"2d": (1, 352), "3d": (1, 40)}
SPACING = {"2d": (1.0, 1.0), "3d": (2.0, 1.0, 1.0)}


def regions(kind: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Image and labels of the training and the test region.

    Parameters
    ----------
    kind : ``2d`` (fluorescent nuclei, 512 x 512) or ``3d`` (31 x 61 x 57)

    Returns
    -------
    {"train": (image, labels), "test": (image, labels)}, uint16
    """
    from stardist import data

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


def main(args: list[str]) -> int:
    """Command line: the kind of image and the folder to write."""
    if len(args) != 2 or args[0] not in CUTS:
        print("usage: python -m jaxseg.cli.demo 2d|3d FOLDER", file=sys.stderr)
        return ConfigError.exit_code
    try:
        for path in write(args[0], args[1]):
            print(f"wrote {path}")
    except JaxsegError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except ImportError:
        print("the demo images come with stardist: pip install 'jaxseg[demo]'", file=sys.stderr)
        return ConfigError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
