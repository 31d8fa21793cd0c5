"""PROBLEM.DETECTION and TEST.DET_...: points, how they are drawn, found, grown and compared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import (
    Job,
    Judge,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    old,
    only,
)  # fmt: skip

D, T, P = "PROBLEM.DETECTION.", "TEST.DET_", "TEST.POST_PROCESSING."
W = P + "DET_WATERSHED"
METHODS = {"peak_local_max": "maxima", "blob_log": "log"}
# How far objects grow from their points, in voxels, where no patch of theirs is given.
FARTHEST = 30.0


def settings(job: Job) -> dict[str, Any]:
    """Everything about points; lengths are in the unit of RESOLUTION, or in voxels."""
    if not job.detection:
        return {}
    size = min(voxel(job))
    distance = job[T + "PEAK_LOCAL_MAX_MIN_DISTANCE"] * size
    found: dict[str, Any] = {
        "detection.radius": [float(radius) for radius in job[D + "CENTRAL_POINT_DILATION"]],
        "detection.radius_unit": "voxel",
        "detection.check": job[D + "CHECK_POINTS_CREATED"],
        "detection.method": METHODS.get(job[T + "POINT_CREATION_FUNCTION"], "maxima"),
        "detection.threshold": _thresholds(job),
        "detection.min_distance": float(distance),
        "detection.exclude_border": float(distance) if job[T + "EXCLUDE_BORDER"] else 0.0,
        "detection.tolerances": [float(value) for value in job[T + "TOLERANCE"]],
    }
    if found["detection.method"] == "log":
        low, high = job[T + "BLOB_LOG_MIN_SIGMA"], job[T + "BLOB_LOG_MAX_SIGMA"]
        sigmas = np.linspace(low, high, max(job[T + "BLOB_LOG_NUM_SIGMA"], 1))
        radii = sigmas * math.sqrt(job.ndim) * size
        found["detection.blob_radius"] = [float(radius) for radius in radii]
    if job[P + "REMOVE_CLOSE_POINTS"]:
        given = _per_class(job, P + "REMOVE_CLOSE_POINTS_RADIUS")
        found["detection.remove_close"] = [max(float(radius), 0.0) for radius in given]
    if job[W]:
        found |= _growth(job)
    return found


def voxel(job: Job) -> list[float]:
    """The size of a voxel, 1 where the file does not say any."""
    given = [job[f"DATA.{part}.RESOLUTION"] for part in ("TEST", "TRAIN", "VAL")]
    sizes = [[float(size) for size in one] for one in given if len(one) == job.ndim]
    return next((one for one in sizes if min(one) > 0), [1.0] * job.ndim)


def channels(job: Job) -> list[dict[str, Any]]:
    """The mask of balls, with its weight; the classes follow where there are some."""
    weights = _weights(job)
    return [{"name": "F", "options": {}, "weight": weights[0], "loss": "default"}]


def _weights(job: Job) -> list[float]:
    """Weights of the points and of the classes."""
    key = D + "DATA_CHANNEL_WEIGHTS"
    if job["DATA.N_CLASSES"] <= 2:
        return [1.0, 1.0]
    weights = [float(weight) for weight in job[key]]
    if len(weights) != 2:
        raise ConfigError("wrong number of weights", where=job.where(key), found=len(weights),
                          expected="2: points, classes")  # fmt: skip
    return weights


def class_weight(job: Job) -> float:
    """Weight of the classes."""
    return _weights(job)[1]


def by_hand(job: Job) -> bool:
    """Whether the threshold is a number: the file says so, or gives one and does not say auto."""
    if T + "TH_TYPE" in job.given:
        return bool(job[T + "TH_TYPE"] == "manual")
    return T + "MIN_TH_TO_BE_PEAK" in job.given


def _thresholds(job: Job) -> Any:
    if not by_hand(job):
        return "auto"
    return [float(value) for value in _per_class(job, T + "MIN_TH_TO_BE_PEAK")]


def _per_class(job: Job, key: str) -> list[Any]:
    """One value, or one per class."""
    given, number = list(job[key]), max(job["DATA.N_CLASSES"], 2) - 1
    if len(given) not in (1, number):
        raise ConfigError("wrong number of values", where=job.where(key), found=given,
                          expected=f"1, or {number}, one per class")  # fmt: skip
    return given


def _growth(job: Job) -> dict[str, Any]:
    """Objects grown from points."""
    size = voxel(job)[-1]
    sides = [max(float(side), 0.0) for side in job[W + "_FIRST_DILATION"]]
    rings = [int(one) for one in job[W + "_DONUTS_CLASSES"] if one != -1]
    found: dict[str, Any] = {
        "detection.grow.enable": True,
        "detection.grow.seed_radius": sum(sides) / len(sides) / 2 * size,
        "detection.grow.max_radius": FARTHEST * size,
        "detection.grow.ring_classes": rings,
        "detection.grow.check_files": job[D + "DATA_CHECK_MW"],
    }
    if rings:
        found["detection.grow.max_radius"] = job[W + "_DONUTS_PATCH"][-1] / 2 * size
        found["detection.grow.ring_diameter"] = job[W + "_DONUTS_NUCLEUS_DIAMETER"] * size
    return found


def _hand(value: Any, job: Job) -> Verdict | None:
    del value
    return None if by_hand(job) else Verdict("no effect", "", f"{T}TH_TYPE is auto")


def _tolerances(value: list[Any], job: Job) -> Verdict | None:
    if len(value) > 1 and job["DATA.N_CLASSES"] > 2:
        return Verdict("approximated", "detection.tolerances", "each of them for all classes")
    return None


def of_blobs(prefix: str) -> Judge:
    """What becomes of options of blobs, where keys that begin so choose how points are found."""

    def judge(value: Any, job: Job) -> Verdict | None:
        del value
        if job[prefix + "POINT_CREATION_FUNCTION"] == "blob_log":
            note = "in units of the probability, whose blobs are not scaled by 255"
            return Verdict("approximated", "detection.blob_radius", note)
        return Verdict("no effect", "", f"{prefix}POINT_CREATION_FUNCTION is peak_local_max")

    return judge


def _of_rings(value: Any, job: Job) -> Verdict | None:
    del value
    if set(job[W + "_DONUTS_CLASSES"]) <= {-1}:
        return Verdict("no effect", "", f"{W}_DONUTS_CLASSES is -1")
    return None


POINTS = ("detection",)
GROWN = (*POINTS, W)
ROWS: tuple[Key, ...] = (
    exact(D + "CENTRAL_POINT_DILATION", [2], "detection.radius", needs=POINTS),
    exact(D + "CHECK_POINTS_CREATED", True, "detection.check", needs=POINTS),
    exact(D + "DATA_CHECK_MW", False, "detection.grow.check_files", needs=GROWN),
    exact(D + "DATA_CHANNEL_WEIGHTS", [1, 1], "channels.weight", needs=POINTS,
          judge=lambda value, job: None if job["DATA.N_CLASSES"] > 2 else
          Verdict("no effect", "", "there is one channel")),
    exact(D + "CLASS_REBALANCE_WITHIN_CHANNELS", True, "loss.balance", needs=POINTS),
    exact(T + "POINT_CREATION_FUNCTION", "peak_local_max", "detection.method", needs=POINTS,
          judge=only(tuple(METHODS), "peak_local_max or blob_log")),
    approximated(T + "PEAK_LOCAL_MAX_MIN_DISTANCE", 1, "detection.min_distance",
                 "a ball, not a box", needs=POINTS),
    exact(T + "TH_TYPE", "auto", "detection.threshold", needs=POINTS,
          judge=only(("auto", "manual"), "auto or manual")),
    exact(T + "MIN_TH_TO_BE_PEAK", [0.2], "detection.threshold", needs=POINTS, judge=_hand),
    approximated(T + "EXCLUDE_BORDER", False, "detection.exclude_border",
                 "as far as the least distance of peaks", needs=POINTS),
    *many(approximated, T, {"BLOB_LOG_MIN_SIGMA": 5.0, "BLOB_LOG_MAX_SIGMA": 10.0,
                            "BLOB_LOG_NUM_SIGMA": 2}, "detection.blob_radius", "",
          needs=POINTS, judge=of_blobs(T)),
    exact(T + "TOLERANCE", [10], "detection.tolerances", needs=("points",), judge=_tolerances),
    old(T + "IGNORE_POINTS_OUTSIDE_BOX", "TEST.EVAL_BORDER_CROP"),
    exact(P + "REMOVE_CLOSE_POINTS", False, "detection.remove_close", needs=POINTS),
    exact(P + "REMOVE_CLOSE_POINTS_RADIUS", [0.0], "detection.remove_close",
          needs=(*POINTS, P + "REMOVE_CLOSE_POINTS")),
    approximated(W, False, "detection.grow.enable",
                 "in the part of the image above the threshold of Otsu, at most "
                 f"{FARTHEST:g} voxels from the point", needs=POINTS),
    approximated(W + "_FIRST_DILATION", [-1, -1], "detection.grow.seed_radius",
                 "balls of half the mean side", needs=GROWN,
                 judge=lambda value, job: None if max(value) > 0 else
                 Verdict("no effect", "", "seeds are the points")),
    exact(W + "_DONUTS_CLASSES", [-1], "detection.grow.ring_classes", needs=GROWN),
    approximated(W + "_DONUTS_PATCH", [13, 120, 120], "detection.grow.max_radius",
                 "half the last side, in all directions", needs=GROWN, judge=_of_rings),
    exact(W + "_DONUTS_NUCLEUS_DIAMETER", 30, "detection.grow.ring_diameter", needs=GROWN,
          judge=_of_rings),
)  # fmt: skip
