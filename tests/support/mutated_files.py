"""Open many mutated files of one kind, as a process whose time and memory can be measured.

``python -m support.mutated_files FOLDER KIND COUNT SEED`` prints how many were refused; another
exception than those that are documented ends it with a traceback.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import tifffile
import zarr

from jaxseg import io
from jaxseg.errors import JaxsegError, JaxsegWarning
from support.mutations import mutated

STACK = np.random.default_rng(0).integers(0, 60000, (5, 24, 32), np.uint16)
SMOOTH = np.tile(np.arange(32, dtype=np.uint8), (24, 1))
SECONDS, GIB = 20, 2


def tiff(path: Path, **options: object) -> None:
    tifffile.imwrite(path / "a.tif", STACK, photometric="minisblack", **options)  # type: ignore


def hdf5(path: Path, **options: object) -> None:
    with h5py.File(path / "a.h5", "w") as file:
        made = file.create_dataset("raw", data=STACK, **options)
        made.attrs["element_size_um"] = (2.0, 0.5, 0.5)
        made.attrs["axes"] = "zyx"


def ngff(path: Path, version: int) -> None:
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    moves = [
        {"type": "scale", "scale": [2, 0.5, 0.5]},
        {"type": "translation", "translation": [1] * 3},
    ]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": moves}]}
    ome = {"version": "0.5", "multiscales": [image]}
    attributes = {"ome": ome} if version == 3 else ome
    root = zarr.create_group(path / "a.zarr", zarr_format=version, attributes=attributes)  # type: ignore
    root.create_array("0", data=STACK, chunks=(2, 16, 16))


def n5(path: Path) -> None:
    import tensorstore as ts

    place = {"driver": "file", "path": f"{path}/a.n5/raw/"}
    metadata = {
        "dimensions": [32, 24, 5],
        "blockSize": [16, 16, 2],
        "dataType": "uint16",
        "compression": {"type": "gzip"},
        "axes": ["x", "y", "z"],
        "resolution": [0.5, 0.5, 2.0],
        "units": ["um"] * 3,
    }
    spec = {"driver": "n5", "kvstore": place, "metadata": metadata}
    ts.open(spec, create=True).result()[...] = STACK.T


# How a file of each kind is made, and which of its files are mutated.
IMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "tiff": (tiff, "a.tif"),
    "tiff-zlib": (lambda path: tiff(path, compression="zlib", tile=(16, 16)), "a.tif"),
    "tiff-zstd": (lambda path: tiff(path, compression="zstd", bigtiff=True), "a.tif"),
    "tiff-ome": (lambda path: tiff(path, ome=True, metadata={"axes": "ZYX"}), "a.tif"),
    "tiff-imagej": (lambda path: tiff(path, imagej=True, metadata={"axes": "ZYX"}), "a.tif"),
    "png": (lambda path: io.write_png(path / "a.png", SMOOTH), "a.png"),
    "png-rgba": (lambda path: io.write_png(path / "a.png", np.dstack([SMOOTH] * 4)), "a.png"),
    "jpeg": (
        lambda path: void((path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(SMOOTH))),
        "a.jpg",
    ),
    "hdf5": (hdf5, "a.h5"),
    "hdf5-gzip": (lambda path: hdf5(path, compression="gzip", chunks=(2, 16, 16)), "a.h5"),
    "ngff-2": (lambda path: ngff(path, 2), "a.zarr"),
    "ngff-3": (lambda path: ngff(path, 3), "a.zarr"),
    "n5": (n5, "a.n5"),
}


def void(_: object) -> None:
    """Nothing, of something."""


def attempt(path: Path) -> bool:
    """Whether a mutated image is refused in the documented way."""
    refused = False
    for call in (io.open_image, io.open_labels):
        try:
            volume = call(path, ndim=2 if path.suffix in (".png", ".jpg") else 3)
            io.check_whole(volume)
            volume.array()
        except JaxsegError:
            refused = True
    return refused


@dataclass(frozen=True)
class Kind:
    """What is mutated, and how it is read.

    Parameters
    ----------
    make : writes what is to be read into a folder
    name : of the file or folder in it
    attempt : reads it; whether it was refused in a documented way. Anything else is raised
    change : a mutated content of a file, by its name
    copied : whether reading it changes it, so that every attempt has a copy of its own
    """

    make: Callable[[Path], None]
    name: str
    attempt: Callable[[Path], bool] = attempt
    change: Callable[[str, bytes, np.random.Generator], bytes] = lambda name, content, rng: mutated(
        content, rng, text=is_text(name)
    )
    copied: bool = False


def is_text(name: str) -> bool:
    """Whether a file is a document."""
    return name.endswith((".json", ".yaml", ".csv")) or name.startswith(".z")


def kinds() -> dict[str, Kind]:
    """All kinds by name."""
    from support import mutated_documents

    return {name: Kind(*row) for name, row in IMAGES.items()} | mutated_documents.KINDS


def main(folder: Path, name: str, count: int, seed: int) -> None:
    kind, rng, whole = kinds()[name], np.random.default_rng(seed), folder / "whole"
    whole.mkdir()
    kind.make(whole)
    place = whole / kind.name
    files = [path for path in sorted(place.rglob("*")) if path.is_file()] or [place]
    documents = [path for path in files if is_text(path.name)]
    refused = 0
    for _ in range(count):
        chosen = documents if documents and rng.random() < 0.7 else files
        original = chosen[rng.integers(len(chosen))]
        content = original.read_bytes()
        bad = kind.change(original.name, content, rng)
        original.write_bytes(bad)
        # Where the process itself dies, this is what killed it.
        shutil.rmtree(folder / "kept", ignore_errors=True)
        shutil.copytree(whole, folder / "kept")
        begin = time.monotonic()
        refused += kind.attempt((folder / "kept" if kind.copied else whole) / kind.name)
        assert time.monotonic() - begin < SECONDS, bad
        original.write_bytes(content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak < GIB * 2**20, f"{peak / 2**20:.1f} GiB"
    print(refused)


if __name__ == "__main__":
    warnings.simplefilter("ignore", JaxsegWarning)
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
