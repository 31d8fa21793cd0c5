"""Open many mutated files of one kind, as a process whose time and memory can be measured.

``python -m support.mutated_files FOLDER KIND COUNT SEED`` prints how many were refused; another
exception than those that are documented ends it with a traceback.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import tifffile
import zarr

from jaxseg import io
from jaxseg.errors import JaxsegError, JaxsegWarning

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
KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
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


def mutated(content: bytes, rng: np.random.Generator, text: bool) -> bytes:
    """A few bytes changed, a part cut out, doubled or zeroed, or a number of a text made absurd."""
    bad = bytearray(content)
    how = rng.integers(6)
    if text and how < 3:
        return mutated_json(content, rng)
    if how < 3:
        # Half of the changes in the first bytes, where they hurt.
        limit = min(len(bad), 600 if rng.random() < 0.5 else len(bad))
        for at in rng.integers(limit, size=rng.integers(1, 5)):
            bad[at] = rng.integers(256)
    elif how == 3:
        return bytes(bad[: rng.integers(len(bad))])
    else:
        low, high = sorted(rng.integers(len(bad) + 1, size=2))
        high = min(high, low + 64)
        bad[low:high] = bytes(high - low) if how == 4 else bad[low:high] * 2
    return bytes(bad)


def mutated_json(content: bytes, rng: np.random.Generator) -> bytes:
    """One value of a document replaced by another, or its key renamed."""
    document = json.loads(content)
    places = list(leaves(document))
    if not places:
        return b"[]"
    holder, key = places[rng.integers(len(places))]
    values = [None, 0, -1, 1e308, 10**18, "x", "", [], {}, [[]], True, "../..", 0.5, [1] * 99, "∞"]
    if isinstance(holder, dict) and rng.random() < 0.2:
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder[key] = values[rng.integers(len(values))]
    return json.dumps(document).encode()


def leaves(value: object):
    """Every place of a document, as what holds it and the key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from leaves(inner)


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


def main(folder: Path, kind: str, count: int, seed: int) -> None:
    make, name = KINDS[kind]
    rng = np.random.default_rng(seed)
    whole = folder / "whole"
    whole.mkdir()
    make(whole)
    files = [path for path in sorted((whole / name).rglob("*")) if path.is_file()] or [whole / name]
    documents = [path for path in files if path.suffix == ".json" or path.name.startswith(".z")]
    refused = 0
    for _ in range(count):
        chosen = documents if documents and rng.random() < 0.7 else files
        original = chosen[rng.integers(len(chosen))]
        content = original.read_bytes()
        bad = mutated(content, rng, original in documents)
        original.write_bytes(bad)
        begin = time.monotonic()
        try:
            refused += attempt(whole / name)
        except BaseException:
            shutil.copytree(whole, folder / "kept", dirs_exist_ok=True)
            raise
        assert time.monotonic() - begin < SECONDS, bad
        original.write_bytes(content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak < GIB * 2**20, f"{peak / 2**20:.1f} GiB"
    print(refused)


if __name__ == "__main__":
    warnings.simplefilter("ignore", JaxsegWarning)
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
