"""Labels to planes, against a plain way to the same values and, where installed, against BiaPy.

    python benchmarks/bench_targets.py [--rounds 3] [--side 512] [--objects 125] [--peer]

Each round runs ours and the reference in turn on the same labels; the ratio is the median over
rounds of reference over ours, compilation left out, and the values are checked to be equal. The
reference goes from object to object with SciPy and scikit-image, each in its own box; only Dn needs
a distance transform of the whole image per object. ``--peer`` adds BiaPy's own function for the
channels where it means the same values; it is skipped where BiaPy is not installed.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage
from skimage.segmentation import find_boundaries

from jaxseg.channels import encode
from jaxseg.config import Channel, ch

NAMES = ("F", "C", "Db", "Dc", "D", "H", "V", "Dn", "A")


def cells(side: int, count: int) -> np.ndarray:
    """Touching cells about random points, with gaps here and there."""
    rng = np.random.default_rng(0)
    points = np.zeros((side, side), np.int32)
    points.flat[rng.choice(points.size, count, replace=False)] = np.arange(1, count + 1)
    distance, index = ndimage.distance_transform_edt(points == 0, return_indices=True)
    return np.where(distance > 0.45 * side / count**0.5, 0, points[tuple(index)])


# ------------------------------------------------------------------------------ references


def objects(labels: np.ndarray) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
    """Box, one voxel wider than the object, and mask of every object."""
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            wide = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
            yield wide, labels[wide] == label


def foreground(labels: np.ndarray) -> np.ndarray:
    return labels > 0


def contour(labels: np.ndarray) -> np.ndarray:
    return find_boundaries(labels, mode="thick")


def boundary_distance(labels: np.ndarray) -> np.ndarray:
    plane = np.zeros(labels.shape, np.float32)
    for box, mask in objects(labels):
        distance = ndimage.distance_transform_edt(mask)[mask]
        deep = distance.max() - 1
        plane[box][mask] = (distance - 1) / deep if deep > 0 else 1
    return plane


def centre_distance(labels: np.ndarray) -> np.ndarray:
    plane = np.ones(labels.shape, np.float32)
    for box, mask in objects(labels):
        places = np.argwhere(mask)
        distance = np.linalg.norm(places - places.mean(axis=0), axis=1)
        wide = np.ptp(distance)
        plane[box][mask] = (distance - distance.min()) / wide if wide > 1e-3 else 0
    return plane


def signed_distance(labels: np.ndarray) -> np.ndarray:
    outside = ndimage.distance_transform_edt(labels == 0) - 0.5
    plane = -outside / outside.max()
    for box, mask in objects(labels):
        distance = ndimage.distance_transform_edt(mask)[mask] - 0.5
        plane[box][mask] = distance / distance.max()
    return np.tanh(plane)


def offset(labels: np.ndarray, axis: int) -> np.ndarray:
    plane = np.zeros(labels.shape, np.float32)
    for box, mask in objects(labels):
        place = np.argwhere(mask)[:, axis]
        away = place - place.mean()
        sides = np.where(away < 0, max(-away.min(), 1e-6), max(away.max(), 1e-6))
        plane[box][mask] = np.where(sides > 1e-4, away / sides, 0)
    return plane


def closeness(labels: np.ndarray) -> np.ndarray:
    plane = np.zeros(labels.shape, np.float32)
    for box, mask in objects(labels):
        label = labels[box][mask][0]
        others = (labels > 0) & (labels != label)
        distance = ndimage.distance_transform_edt(~others)[box][mask]
        plane[box][mask] = 1 - distance / distance.max()
    return ndimage.grey_closing(np.pad(plane, 3), size=3)[3:-3, 3:-3] ** 3


def affinities(labels: np.ndarray) -> np.ndarray:
    planes = np.zeros((*labels.shape, 2), np.float32)
    planes[:, 1:, 0] = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0)
    planes[1:, :, 1] = (labels[1:] == labels[:-1]) & (labels[1:] > 0)
    return planes


REFERENCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "F": foreground,
    "C": contour,
    "Db": boundary_distance,
    "Dc": centre_distance,
    "D": signed_distance,
    "H": lambda labels: offset(labels, 1),
    "V": lambda labels: offset(labels, 0),
    "Dn": closeness,
    "A": affinities,
}


def reference(labels: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The planes of several channels side by side."""
    planes = [REFERENCES[name](labels) for name in names]
    return np.concatenate([p if p.ndim == 3 else p[..., None] for p in planes], axis=-1)


def biapy(labels: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The peer's planes; its conventions differ, so that only the time is compared."""
    module = importlib.import_module("biapy.data.pre_processing")
    options: dict[str, dict] = {name: {} for name in names}
    return module.labels_into_channels(
        labels[..., None], mode=list(names), channel_extra_opts=options
    )


# ---------------------------------------------------------------------------------- timing


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(labels: np.ndarray, names: tuple[str, ...], rounds: int, peer: bool) -> str:
    """One row of the table."""
    channels: tuple[Channel, ...] = tuple(ch(name) for name in names)
    found, expected = np.asarray(encode(labels, channels)), reference(labels, names)
    agree = np.isclose(found, expected, atol=1e-3).mean()
    times = [
        (
            seconds(lambda: encode(labels, channels)),
            seconds(lambda: reference(labels, names)),
        )
        for _ in range(rounds)
    ]
    ours = statistics.median(t[0] for t in times)
    ratio = statistics.median(t[1] / t[0] for t in times)
    row = f"{' '.join(names):<24} {ours:8.3f} s {ratio:8.1f} x   equal {agree:.6f}"
    if not peer:
        return row
    try:
        importlib.import_module("biapy.data.pre_processing")
    except ImportError:
        return f"{row}   biapy: not installed"
    return f"{row}   biapy {seconds(lambda: biapy(labels, names)) / ours:.1f} x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--objects", type=int, default=125)
    parser.add_argument("--peer", action="store_true")
    args = parser.parse_args()
    labels = cells(args.side, args.objects)
    print(f"{args.side} x {args.side}, {labels.max()} objects")
    print(f"{'channels':<24} {'ours':>10} {'ratio':>10}")
    for names in (*((name,) for name in NAMES if name not in "HV"), ("H", "V"), NAMES):
        print(compare(labels, names, args.rounds, args.peer), flush=True)


if __name__ == "__main__":
    main()
