"""Names of images: what is an image, what is its stem, and where a path goes into a store.

A path may go on into what it names: ``image.ome.zarr/1`` is a level, ``image.zarr/labels/nuclei``
a label image, ``file.h5/volumes/raw`` a dataset. One ``*`` in a path stands for all files or
stores that fit, as in ``train/*.h5/volumes/raw``.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from jaxseg.errors import InputError
from jaxseg.io.atomic import PARTIAL
from jaxseg.io.chunked import is_n5, precomputed_root
from jaxseg.io.ngff import is_zarr

TIFF = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
ZARR = (".ome.zarr", ".zarr")
HDF5 = (".hdf5", ".h5", ".hdf")
CONTAINERS = (*ZARR, ".n5", ".precomputed", *HDF5)
JPEG = (".jpg", ".jpeg")
ENDINGS = (*TIFF, *CONTAINERS, ".png", *JPEG)
# Images of other formats in a folder are refused by name, not passed over.
FOREIGN = {
    *(".bmp", ".gif", ".jp2", ".npy", ".npz"),
    *(".nii", ".gz", ".mrc", ".czi", ".nd2", ".lif", ".lsm", ".oib", ".oif", ".svs", ".ims"),
}
READ = "TIFF, PNG, JPEG, Zarr, N5, HDF5 or Neuroglancer precomputed"


def stem_of(name: str) -> str:
    """A file name without the ending of its image format.

    >>> stem_of("cell.01.ome.tif"), stem_of("Stack.ZARR")
    ('cell.01', 'Stack')
    """
    ending = next((end for end in ENDINGS if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def image_name(path: str | os.PathLike[str]) -> str:
    """What the results of an image are named after: the stem of its file or store.

    >>> image_name("train/a.ome.zarr/labels/nuclei"), image_name("train/b.tif")
    ('a', 'b')
    """
    return stem_of(container_of(path).name)


def container_of(path: str | os.PathLike[str]) -> Path:
    """The file or outermost store that a path leads into; the path itself if it ends there."""
    path = Path(path)
    lineage = (path, *path.parents)
    named = [place for place in lineage if place.name.lower().endswith(CONTAINERS)]
    if named:
        return named[-1]
    found = path
    while is_store(found.parent) and is_store(found):
        found = found.parent
    return precomputed_root(found) or found


def is_store(folder: Path) -> bool:
    """Whether a folder is an image, or holds images in the way of its format."""
    return is_zarr(folder) or is_n5(folder) or precomputed_root(folder) == folder


def list_images(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The images of a folder by name, the one image a path names, or those that a pattern fits.

    Hidden files, unfinished ones and files that are no images are passed over.

    Raises
    ------
    InputError : no such folder, no image in it, or images of a format that cannot be read
    """
    root = Path(path)
    if "*" in str(root) and not root.exists():
        return _matching(root)
    container = container_of(root)
    if not container.exists():
        raise InputError("no such file or folder", file=root)
    if container != root or root.is_file() or is_store(root):
        return (root,)
    entries = sorted(entry for entry in root.iterdir() if _is_visible(entry))
    foreign = [entry for entry in entries if entry.suffix.lower() in FOREIGN]
    if foreign:
        raise not_read(root, foreign)
    images = tuple(
        entry for entry in entries if entry.name.lower().endswith(ENDINGS) or is_store(entry)
    )
    if not images:
        found = ", ".join(entry.name for entry in entries[:4]) or "an empty folder"
        raise InputError("no image here", file=root, expected=READ, found=found)
    return images


def not_read(root: Path, files: Sequence[Path]) -> InputError:
    """The error for images of other formats in a folder, or for one of them."""
    return InputError(
        f"{len(files)} images of a format that is not read here",
        file=root,
        expected=READ,
        found=", ".join(file.name for file in files[:4]),
        fix="convert them to TIFF, or move them away",
    )


def _matching(pattern: Path) -> tuple[Path, ...]:
    """The images whose paths fit a pattern with one ``*``, in the order of their names."""
    at = next(number for number, part in enumerate(pattern.parts) if "*" in part)
    folder, rest = Path(*pattern.parts[:at]), pattern.parts[at + 1 :]
    part = "*".join(glob.escape(piece) for piece in pattern.parts[at].split("*"))
    found = sorted(entry for entry in folder.glob(part) if _is_visible(entry))
    if not found or any("*" in piece for piece in rest):
        raise InputError(
            "no image fits this pattern",
            file=pattern,
            expected="one part of the path with *, such as train/*.h5/volumes/raw",
        )
    return tuple(entry.joinpath(*rest) for entry in found)


def _is_visible(entry: Path) -> bool:
    return not entry.name.startswith(".") and not entry.name.endswith(PARTIAL)
