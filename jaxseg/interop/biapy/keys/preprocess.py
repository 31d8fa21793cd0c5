"""DATA.PREPROCESS: what is done to images before their intensities are scaled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import (
    Job,
    Judge,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    only,
)

P = "DATA.PREPROCESS."
PARTS = ("TRAIN", "VAL", "TEST")
# Of all images alike.
STEPS = ("RESIZE", "GAUSSIAN_BLUR", "MEDIAN_BLUR", "MATCH_HISTOGRAM", "CLAHE", "CANNY")
ALIKE = "training, validation and test are treated alike"


def settings(job: Job) -> dict[str, Any]:
    """Every step that is on, if images are preprocessed at all."""
    found = zoom(job)
    if not applied(job):
        return found
    if job[P + "RESIZE.ENABLE"]:
        found["preprocess.resize"] = _sides(job, P + "RESIZE.OUTPUT_SHAPE")
    if job[P + "GAUSSIAN_BLUR.ENABLE"]:
        found["preprocess.gaussian"] = [float(one) for one in job[P + "GAUSSIAN_BLUR.SIGMA"]]
    if job[P + "MEDIAN_BLUR.ENABLE"]:
        found["preprocess.median"] = _sides(job, P + "MEDIAN_BLUR.KERNEL_SIZE")
    if job[P + "MATCH_HISTOGRAM.ENABLE"]:
        found["preprocess.match_histogram"] = job[P + "MATCH_HISTOGRAM.REFERENCE_PATH"]
    if job[P + "CLAHE.ENABLE"]:
        kernel = job[P + "CLAHE.KERNEL_SIZE"]
        sides = kernel if isinstance(kernel, list) else [kernel] * job.ndim if kernel else []
        found |= {
            "preprocess.clahe.enable": True,
            "preprocess.clahe.kernel": [int(side) for side in sides][: job.ndim],
            "preprocess.clahe.clip_limit": job[P + "CLAHE.CLIP_LIMIT"],
        }
    if job[P + "CANNY.ENABLE"]:
        low, high = (job[P + f"CANNY.{name}_THRESHOLD"] for name in ("LOW", "HIGH"))
        found |= {
            "preprocess.canny.enable": True,
            "preprocess.canny.low": -1.0 if low is None else float(low),
            "preprocess.canny.high": -1.0 if high is None else float(high),
        }
    return found


def zoom(job: Job) -> dict[str, Any]:
    """Factors of the test images; the list has one for every axis of the files."""
    key = P + "ZOOM.ZOOM_FACTOR"
    if not (job[P + "ZOOM.ENABLE"] and job[P + "TEST"] and job["TEST.ENABLE"]):
        return {}
    axes, given = str(job["DATA.TEST.INPUT_IMG_AXES_ORDER"]).upper(), job[key]
    if len(given) != len(axes):
        raise ConfigError("wrong number of values", where=job.where(key), found=given,
                          expected=f"{len(axes)}, one for each axis of {axes}")  # fmt: skip
    factors = dict(zip(axes, map(float, given), strict=True))
    seen = "ZYX"[-job.ndim :]
    if any(by != 1 for axis, by in factors.items() if axis not in seen):
        raise ConfigError("only axes of space can be zoomed", where=job.where(key), found=given,
                          expected=f"1 for all but {seen}")  # fmt: skip
    found = [factors.get(axis, 1.0) for axis in seen]
    return {"predict.zoom": found} if set(found) != {1.0} else {}


def parts_used(job: Job) -> list[str]:
    """The parts of the data that a job reads; validation on training images is training."""
    train = ["TRAIN"] if job["TRAIN.ENABLE"] else []
    val = ["VAL"] if job["TRAIN.ENABLE"] and not job["DATA.VAL.FROM_TRAIN"] else []
    return train + val + (["TEST"] if job["TEST.ENABLE"] else [])


def applied(job: Job) -> bool:
    """Whether images are preprocessed.

    Raises
    ------
    ConfigError : some parts of the data are and others are not
    """
    if not any(job[f"{P}{step}.ENABLE"] for step in STEPS):
        return False
    flags = {part: bool(job[P + part]) for part in parts_used(job)}
    if len(set(flags.values())) > 1:
        differing = next(part for part, flag in flags.items() if not flag)
        raise ConfigError(
            ALIKE,
            where=job.where(P + differing),
            expected="True, as for the others",
            found=False,
        )
    return any(flags.values())


def _sides(job: Job, key: str) -> list[int]:
    """One number per axis; the list may have one for the channels, too."""
    given = job[key]
    if len(given) not in (job.ndim, job.ndim + 1):
        raise ConfigError(
            "wrong number of values", where=job.where(key), expected=job.ndim, found=given
        )
    return [int(side) for side in given[: job.ndim]]


def _if_applied(judge: Judge | None = None) -> Judge:
    """A judge for an option of a step, which has no effect while no part is preprocessed."""

    def verdict(value: Any, job: Job) -> Verdict | None:
        if not any(job[P + part] for part in parts_used(job)):
            return Verdict("no effect", "", f"{P}{', '.join(PARTS)} are off")
        return judge(value, job) if judge else None

    return verdict


def _part(part: str) -> Judge:
    def verdict(value: Any, job: Job) -> Verdict | None:
        del value
        if part not in parts_used(job):
            return Verdict("no effect", "", "these images are not read")
        steps = [*STEPS, *(["ZOOM"] if part == "TEST" else [])]
        on = any(job[f"{P}{step}.ENABLE"] for step in steps)
        return None if on else Verdict("no effect", "", "no step is on")

    return verdict


def _step(name: str, field: str, options: dict[str, tuple[Any, str, Any]], note: str = "",
          make: Callable[..., Key] = exact) -> tuple[Key, ...]:  # fmt: skip
    """The rows of a step: option to default, field and the values that it may have."""
    switch = f"{P}{name}.ENABLE"
    first = (
        Key(switch, False, f"preprocess.{field}", "approximated" if note else "exact", note,
            judge=_if_applied())
    )  # fmt: skip
    rows = [
        make(f"{P}{name}.{option}", default, f"preprocess.{own}", needs=(switch,),
             judge=_if_applied(only(legal, f"{legal[0]} only") if legal else None))
        for option, (default, own, legal) in options.items()
    ]  # fmt: skip
    return (first, *rows)


ROWS: tuple[Key, ...] = (
    *(exact(P + part, False, "preprocess", judge=_part(part)) for part in PARTS),
    *_step("RESIZE", "resize", {"OUTPUT_SHAPE": ([512, 512], "resize", None),
                                "ORDER": (1, "resize", (1,)),
                                "PRESERVE_RANGE": (True, "resize", (True,)),
                                "ANTI_ALIASING": (False, "resize", (False,))},
           "planes have this size; labels are written at the size of the image, too"),
    *many(nothing, P + "RESIZE.", {"MODE": "reflect", "CVAL": 0.0, "CLIP": True},
          "the border is mirrored, and linear interpolation stays in the range"),
    *_step("GAUSSIAN_BLUR", "gaussian", {"SIGMA": ([1], "gaussian", None)},
           "along the axes of space, never across channels"),
    *many(nothing, P + "GAUSSIAN_BLUR.", {"MODE": "nearest", "CHANNEL_AXIS": None},
          "channels are filtered apart, the border is continued"),
    *_step("MEDIAN_BLUR", "median", {"KERNEL_SIZE": ([3, 3, 1], "median", None)}),
    *_step("MATCH_HISTOGRAM", "match_histogram", {"REFERENCE_PATH": ("", "match_histogram", None)}),
    *_step("CLAHE", "clahe", {"KERNEL_SIZE": (None, "clahe.kernel", None),
                              "CLIP_LIMIT": (0.01, "clahe.clip_limit", None)}),
    *_step("CANNY", "canny", {"LOW_THRESHOLD": (None, "canny.low", None),
                              "HIGH_THRESHOLD": (None, "canny.high", None)}),
    approximated(P + "ZOOM.ENABLE", False, "predict.zoom", "whole images, linear interpolation; "
                 "labels are written at the size of the image, too", needs=("testing", P + "TEST")),
    exact(P + "ZOOM.ZOOM_FACTOR", [1, 1, 1, 1, 1], "predict.zoom",
          needs=("testing", P + "TEST", P + "ZOOM.ENABLE")),
)  # fmt: skip
