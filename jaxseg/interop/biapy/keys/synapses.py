"""PROBLEM.INSTANCE_SEG.SYNAPSES: sites, how they are drawn, found, paired and compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.detection import of_blobs
from jaxseg.interop.biapy.keys.row import (
    Job,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    only,
    refused,
)

PREFIX, S, T = "PROBLEM.INSTANCE_SEG.", "PROBLEM.INSTANCE_SEG.SYNAPSES.", "TEST.DET_"
METHODS = {"peak_local_max": "maxima", "blob_log": "log"}
PARTS = {"TRAIN": "train", "VAL": "val", "TEST": "test"}
ZARR = "INPUT_ZARR_MULTIPLE_DATA"
# Our channels by their names.
NAMES: Mapping[str, str] = {"F_pre": "F_pre", "F_post": "F_post", "H": "H_pre", "V": "V_pre",
                            "Z": "Z_pre"}  # fmt: skip
VECTOR = {"H", "V", "Z"}
# Representations that can be paired.
SETS = ({"F_pre", "F_post"}, {"F_post", *VECTOR}, {"F_pre", "F_post", *VECTOR})
LOSSES = {"default": "default", "bce": "bce", "mse": "mse", "l1": "mae", "mae": "mae"}
# Postsynaptic sites that point to places so near to one another have one partner, µm.
TOGETHER = 0.05
# Of balls, in voxels; lengths of the documents are in nm, ours in µm.
DILATION, NANOMETRES = [1, 3, 3], 1000.0


def names_of(job: Job) -> list[str]:
    """The channels of a job, by the names of the documents."""
    given = job[PREFIX + "DATA_CHANNELS"]
    return [str(name) for name in (given if isinstance(given, list) else [given])]


def settings(job: Job) -> dict[str, Any]:
    """Everything about synapses."""
    if not job.synapses:
        return {}
    size, reach = voxel(job), job[S + "PEAK_LOCAL_MAX_MIN_DISTANCE"]
    # Of direct neighbours only the higher one is a peak in any case.
    distance = 0.0 if reach <= 1 else reach * _known(job, S + "PEAK_LOCAL_MAX_MIN_DISTANCE")
    border = S + "EXCLUDE_BORDER"
    method = METHODS.get(job[S + "POINT_CREATION_FUNCTION"], "maxima")
    manual = job[S + "TH_TYPE"] == "manual"
    found: dict[str, Any] = {
        "detection.radius": [float(radius) for radius in dilation(job)],
        "detection.radius_unit": "voxel",
        "detection.method": method,
        "detection.threshold": float(job[S + "MIN_TH_TO_BE_PEAK"]) if manual else "auto",
        "detection.min_distance": float(distance),
        "detection.exclude_border": float(reach * _known(job, border)) if job[border] else 0.0,
        "detection.tolerances": [float(one) / NANOMETRES for one in np.ravel(job[T + "TOLERANCE"])],
        "data.spacing": size,
        # The documents know no types: sites are what the pairs make of them.
        "synapses.types": "",
        "synapses.units": "nm",
    }
    if "F_pre" not in names_of(job):
        found |= {"synapses.missing": "create", "synapses.pair_distance": TOGETHER}
    if method == "log":
        low, high = job[S + "BLOB_LOG_MIN_SIGMA"], job[S + "BLOB_LOG_MAX_SIGMA"]
        factor = math.sqrt(job.ndim) * _known(job, S + "POINT_CREATION_FUNCTION")
        sigmas = np.linspace(low, high, max(job[S + "BLOB_LOG_NUM_SIGMA"], 1))
        found["detection.blob_radius"] = [float(sigma) * factor for sigma in sigmas]
    close = [float(job[f"{S}REMOVE_CLOSE_{side}_POINTS_RADIUS"]) for side in ("PRE", "POST")]
    if any(close):
        found["detection.remove_close"] = [radius / NANOMETRES for radius in close]
    return found | _sources(job)


def voxel(job: Job) -> list[float]:
    """The size of a voxel in µm; empty where the files know it."""
    given = [job[f"DATA.{part}.RESOLUTION"] for part in ("TEST", "TRAIN", "VAL")]
    sizes = [[float(size) for size in one] for one in given if len(one) == job.ndim]
    found = next((one for one in sizes if min(one) > 0 and set(one) != {1.0}), [])
    return [size / NANOMETRES for size in found]


def _known(job: Job, key: str) -> float:
    """The shortest side of a voxel, which a number of voxels needs to be a length."""
    if not voxel(job):
        raise ConfigError("this is in voxels, whose size is not given", where=job.where(key),
                          fix="DATA.TEST.RESOLUTION: (40, 4, 4), in nm")  # fmt: skip
    return min(voxel(job))


def dilation(job: Job) -> list[float]:
    """Radii of the balls around postsynaptic sites in voxels, (z)yx."""
    given = job[PREFIX + "DATA_CHANNELS_EXTRA_OPTS"]
    parts = given if isinstance(given, list) else [given]
    for name in ("F_post", "F_pre"):
        for part in parts:
            found = ((part or {}).get(name) or {}).get("dilation")
            if found:
                return list(found) if isinstance(found, list) else [found]
    return [float(one) for one in DILATION]


def channels(job: Job) -> list[dict[str, Any]]:
    """Sites and vectors, with their weights and losses."""
    names = names_of(job)
    weight_key, loss_key = PREFIX + "DATA_CHANNEL_WEIGHTS", PREFIX + "DATA_CHANNELS_LOSSES"
    weights = list(job[weight_key]) if weight_key in job.given else [1.0] * len(names)
    losses = [str(loss) for loss in job[loss_key]] or ["default"] * len(names)
    for key, given in ((weight_key, weights), (loss_key, losses)):
        if len(given) != len(names):
            raise ConfigError("one value per channel", where=job.where(key), found=given,
                              expected=len(names))  # fmt: skip
    for loss in losses:
        if loss not in LOSSES:
            raise ConfigError(f"unknown loss {loss!r}", where=job.where(loss_key),
                              expected="one of " + ", ".join(LOSSES))  # fmt: skip
    return [
        {"name": NAMES[name], "options": {}, "weight": float(weight), "loss": LOSSES[loss]}
        for name, weight, loss in zip(names, weights, losses, strict=True)
        if name in NAMES
    ]


def _sources(job: Job) -> dict[str, str]:
    """Images in containers, and the containers, whose annotations are the truth."""
    found: dict[str, str] = {}
    for part, ours in PARTS.items():
        prefix = f"DATA.{part}."
        if part == "VAL" and job["DATA.VAL.FROM_TRAIN"]:
            continue
        if not (job["TEST.ENABLE" if part == "TEST" else "TRAIN.ENABLE"]
                or prefix + "PATH" in job.given):  # fmt: skip
            continue
        root = job[prefix + "PATH"].rstrip("/")
        store = root if root.lower().endswith(".zarr") else root + "/*.zarr"
        inner = job[f"{prefix}{ZARR}_RAW_PATH"].replace(".", "/")
        found[f"data.{ours}.raw"] = f"{store}/{inner}" if inner else store
        known = part != "TEST" or job["DATA.TEST.LOAD_GT"]
        found[f"data.{ours}.labels"] = store if known else ""
    for name, key in (("ids", "ID"), ("partners", "PARTNERS"), ("locations", "LOCATIONS")):
        values = {str(job[f"DATA.{part}.{ZARR}_{key}_PATH"]).replace(".", "/") for part in PARTS}
        given = {str(job.given[full].value).replace(".", "/") for part in PARTS
                 if (full := f"DATA.{part}.{ZARR}_{key}_PATH") in job.given}  # fmt: skip
        if len(given) > 1:
            raise ConfigError("training, validation and test differ", expected="the same for all",
                              where=job.where(f"DATA.TRAIN.{ZARR}_{key}_PATH"),
                              found=", ".join(sorted(given)))  # fmt: skip
        found[f"synapses.{name}"] = (given or values).pop()
    return found


def channels_verdict(job: Job) -> Verdict:
    """What becomes of DATA_CHANNELS."""
    names = set(names_of(job))
    if names not in SETS:
        listed = "; ".join(" ".join(sorted(one)) for one in SETS)
        return Verdict("refused", "", f"sites of both sides are needed: {listed}")
    note = "sites are 1 and less around, not masks"
    if names & VECTOR:
        note += "; vectors lead from the postsynaptic site to its partner, in units of 0.1 µm"
    if "F_pre" not in names:
        note += f", and those that end within {TOGETHER} µm have one partner"
    return Verdict("approximated", "channels", note)


def _hand(value: Any, job: Job) -> Verdict | None:
    del value
    kind = job[S + "TH_TYPE"]
    return None if kind == "manual" else Verdict("no effect", "", f"{S}TH_TYPE is {kind}")


def container_rows(part: str) -> tuple[Key, ...]:
    """Names of datasets in the containers of a part."""
    prefix = f"DATA.{part}.{ZARR}"
    needs = (*SYNAPSES, prefix)

    def same_image(value: str, job: Job) -> Verdict | None:
        if value == job[prefix + "_RAW_PATH"]:
            return None
        return Verdict("refused", "", f"the resolution is that of {prefix}_RAW_PATH")

    return (
        exact(prefix + "_ID_PATH", "annotations.ids", "synapses.ids", needs=needs),
        exact(prefix + "_PARTNERS_PATH", "annotations.presynaptic_site.partners",
              "synapses.partners", needs=needs),
        exact(prefix + "_LOCATIONS_PATH", "annotations.locations", "synapses.locations",
              needs=needs),
        nothing(prefix + "_RESOLUTION_PATH", "volumes.raw", "the image has the attribute",
                needs=needs, judge=same_image),
    )  # fmt: skip


SYNAPSES = ("synapses",)
ROWS: tuple[Key, ...] = (
    exact(S + "POINT_CREATION_FUNCTION", "peak_local_max", "detection.method", needs=SYNAPSES,
          judge=only(tuple(METHODS), "peak_local_max or blob_log")),
    approximated(S + "PEAK_LOCAL_MAX_MIN_DISTANCE", 1, "detection.min_distance",
                 "a ball, not a box", needs=SYNAPSES),
    exact(S + "TH_TYPE", "auto", "detection.threshold", needs=SYNAPSES,
          judge=only(("auto", "manual"), "auto or manual")),
    exact(S + "MIN_TH_TO_BE_PEAK", 0.2, "detection.threshold", needs=SYNAPSES, judge=_hand),
    approximated(S + "EXCLUDE_BORDER", False, "detection.exclude_border",
                 "as far as the least distance of peaks", needs=SYNAPSES),
    *many(approximated, S, {"BLOB_LOG_MIN_SIGMA": 5, "BLOB_LOG_MAX_SIGMA": 10,
                            "BLOB_LOG_NUM_SIGMA": 2}, "detection.blob_radius", "",
          needs=SYNAPSES, judge=of_blobs(S)),
    *many(exact, S, {"REMOVE_CLOSE_PRE_POINTS_RADIUS": 0, "REMOVE_CLOSE_POST_POINTS_RADIUS": 0},
          "detection.remove_close", needs=SYNAPSES),
    refused(S + "REMOVE_CLOSE_POINTS_RADIUS_BY_MASK", False,
            "close sites are compared wherever they lie", needs=SYNAPSES),
    *(row for part in PARTS for row in container_rows(part)),
)  # fmt: skip
