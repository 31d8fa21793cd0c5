"""Names of image files: what is an image, and what is its stem."""

from __future__ import annotations

import os
from pathlib import Path

from jaxseg.errors import InputError
from jaxseg.io.atomic import PARTIAL
from jaxseg.io.ngff import is_zarr

ENDINGS = (".ome.tiff", ".ome.tif", ".tiff", ".tif", ".ome.zarr", ".zarr")
# Images of other formats in a folder are refused by name, not passed over.
FOREIGN = {
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".jp2", ".npy", ".npz", ".h5", ".hdf5", ".n5"),
    *(".nii", ".gz", ".mrc", ".czi", ".nd2", ".lif", ".lsm", ".oib", ".oif", ".svs", ".ims"),
}


def stem_of(name: str) -> str:
    """A file name without the ending of its image format.

    >>> stem_of("cell.01.ome.tif"), stem_of("Stack.ZARR")
    ('cell.01', 'Stack')
    """
    ending = next((end for end in ENDINGS if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def list_images(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The images of a folder by name, or the one image a path names.

    Hidden files, unfinished ones and files that are no images are passed over.

    Raises
    ------
    InputError : no such folder, no image in it, or images of a format that cannot be read
    """
    root = Path(path)
    if not root.exists():
        raise InputError("no such file or folder", file=root)
    if root.is_file() or is_zarr(root):
        return (root,)
    entries = sorted(
        entry
        for entry in root.iterdir()
        if not entry.name.startswith(".") and not entry.name.endswith(PARTIAL)
    )
    foreign = [entry.name for entry in entries if entry.suffix.lower() in FOREIGN]
    if foreign:
        raise InputError(
            f"{len(foreign)} images of a format that is not read here",
            file=root,
            expected="TIFF or Zarr",
            found=", ".join(foreign[:4]),
            fix="convert them to TIFF, or move them away",
        )
    images = tuple(
        entry for entry in entries if entry.name.lower().endswith(ENDINGS) or is_zarr(entry)
    )
    if not images:
        found = ", ".join(entry.name for entry in entries[:4]) or "an empty folder"
        raise InputError("no image here", file=root, expected="TIFF or Zarr", found=found)
    return images
