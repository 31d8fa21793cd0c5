"""AUGMENTOR: random changes of the training patches, one row of CHANGES for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxseg.interop.biapy.keys.row import (
    Job,
    Judge,
    Key,
    Kind,
    Verdict,
    exact,
    many,
    nothing,
    same,
)

A = "AUGMENTOR."
ENABLE = A + "ENABLE"
PROBABILITY = 0.5


def _pair(value: Any) -> list[float]:
    """A range; one number is both of its ends."""
    given = list(value) if isinstance(value, list) else [value]
    return [float(item) for item in (given * 2)[:2]]


def _counts(value: Any) -> list[int]:
    return [int(item) for item in _pair(value)]


def _odd(value: Any) -> list[int]:
    return [item | 1 for item in _counts(value)]


def _deviation(value: float) -> list[float]:
    return [math.sqrt(max(value, 0.0))] * 2


def _mode(value: Any) -> str:
    """An old name of the part that has one factor: 2D is every plane, 3D the whole patch."""
    return "slice" if str(value).upper() == "2D" else "image"


class Option(NamedTuple):
    """An option of a change."""

    default: Any
    field: str
    """Of the change here; empty = there is none."""
    take: Callable[[Any], Any] = same
    note: str = ""
    """How it is approximated, or why it has no effect."""


class Change(NamedTuple):
    """A change of a patch."""

    field: str
    """Of ``augment``."""
    options: Mapping[str, Option] = {}
    note: str = ""
    """How it is approximated; empty = it is the same."""
    volumes: bool = False
    """It needs a stack of planes."""


CHANGES: Mapping[str, Change] = {
    "ROT90": Change("rot90"),
    "RANDOM_ROT": Change("rotate", {"RANDOM_ROT_RANGE": Option([-180, 180], "degrees", _pair)}),
    "SHEAR": Change("shear", {"SHEAR_RANGE": Option([-20, 20], "degrees", _pair)},
                    "along y or along x, linear interpolation"),
    "ZOOM": Change("zoom", {"ZOOM_RANGE": Option([0.5, 1.5], "factor", _pair),
                            "ZOOM_IN_Z": Option(False, "z")},
                   "the logarithm of the factor is uniform"),
    "SHIFT": Change("shift", {"SHIFT_RANGE": Option([0.1, 0.2], "share", _pair)},
                    "drawn for every axis"),
    "VFLIP": Change("flip_y"),
    "HFLIP": Change("flip_x"),
    "ZFLIP": Change("flip_z", volumes=True),
    "ELASTIC": Change("elastic", {"E_ALPHA": Option([12, 16], "alpha", _pair),
                                  "E_SIGMA": Option(4, "sigma", float),
                                  "E_MODE": Option("constant", "", note="as AFFINE_MODE")},
                      "image and labels move alike"),
    "G_BLUR": Change("blur", {"G_SIGMA": Option([1.0, 2.0], "limit", _pair)}, "along y and x"),
    "MEDIAN_BLUR": Change("median_blur", {"MB_KERNEL": Option([3, 7], "size", _odd)}),
    "MOTION_BLUR": Change("motion_blur", {"MOTB_K_RANGE": Option([8, 12], "size", _counts)},
                          "the mean along a line"),
    "GAMMA_CONTRAST": Change("gamma", {"GC_GAMMA": Option([1.25, 1.75], "limit", _pair)},
                             "negative values keep their sign"),
    "BRIGHTNESS": Change("brightness", {"BRIGHTNESS_FACTOR": Option([-0.1, 0.1], "limit", _pair),
                                        "BRIGHTNESS_MODE": Option("3D", "by", _mode)}),
    "CONTRAST": Change("contrast", {"CONTRAST_FACTOR": Option([-0.1, 0.1], "limit", _pair),
                                    "CONTRAST_MODE": Option("3D", "by", _mode)},
                       "about the mean of the patch"),
    "DROPOUT": Change("dropout", {"DROP_RANGE": Option([0, 0.2], "share", _pair)}),
    "CUTOUT": Change("cutout", {"COUT_NB_ITERATIONS": Option([1, 3], "boxes", _counts),
                                "COUT_SIZE": Option([0.05, 0.3], "side", _pair),
                                "COUT_CVAL": Option(0.0, "value", float),
                                "COUT_APPLY_TO_MASK": Option(False, "truth")}),
    "CUTBLUR": Change("cutblur", {"CBLUR_SIZE": Option([0.2, 0.4], "side", _pair),
                                  "CBLUR_DOWN_RANGE": Option([2, 8], "down", _counts),
                                  "CBLUR_INSIDE": Option(True, "inside_only")}),
    "CUTMIX": Change("cutmix", {"CMIX_SIZE": Option([0.2, 0.4], "side", _pair)}),
    "CUTNOISE": Change("cutnoise", {"CNOISE_SCALE": Option([0.05, 0.1], "scale", _pair),
                                    "CNOISE_NB_ITERATIONS": Option([1, 3], "boxes", _counts),
                                    "CNOISE_SIZE": Option([0.2, 0.4], "side", _pair)}),
    "MISALIGNMENT": Change("misalign", {"MS_DISPLACEMENT": Option(16, "displacement", float),
                                        "MS_ROTATE_RATIO": Option(0.5, "rotate_ratio", float)},
                           "planes of a stack", volumes=True),
    "MISSING_SECTIONS": Change("missing_sections",
                               {"MISSP_CHANNEL_PB": Option(0.5, "channel_probability", float),
                                "MISSP_ITERATIONS": Option([10, 30], "", note="whole planes")},
                               "whole planes of a stack", volumes=True),
    "GRAYSCALE": Change("grayscale"),
    "CHANNEL_SHUFFLE": Change("channel_shuffle"),
    "GRIDMASK": Change("grid_mask", {"GRID_RATIO": Option(0.6, "ratio", float),
                                     "GRID_D_RANGE": Option([0.4, 1], "period", _pair),
                                     "GRID_ROTATE": Option(1.0, "rotate", float),
                                     "GRID_INVERT": Option(False, "invert")}),
    "GAUSSIAN_NOISE": Change(
        "noise", {"GAUSSIAN_NOISE_MEAN": Option(0.0, "mean", float),
                  "GAUSSIAN_NOISE_VAR": Option(0.05, "limit", _deviation),
                  "GAUSSIAN_NOISE_USE_INPUT_IMG_MEAN_AND_VAR": Option(False, "relative")},
        "nothing is clipped"),
    "POISSON_NOISE": Change("poisson", {}, "20 to 200 photons at intensity 1"),
    "SALT": Change("salt", {"SALT_AMOUNT": Option(0.05, "amount", _pair)}),
    "PEPPER": Change("pepper", {"PEPPER_AMOUNT": Option(0.05, "amount", _pair)}),
    "SALT_AND_PEPPER": Change("salt_and_pepper",
                              {"SALT_AND_PEPPER_AMOUNT": Option(0.05, "amount", _pair),
                               "SALT_AND_PEPPER_PROP": Option(0.5, "salt", float)}),
}  # fmt: skip


def settings(job: Job) -> dict[str, Any]:
    """All changes, those that are off as well: ours are on by default."""
    found: dict[str, Any] = {
        "augment.enable": job[ENABLE],
        "augment.border": job[A + "AFFINE_MODE"],
        "augment.show": _samples(job),
    }
    for name, change in CHANGES.items():
        field = f"augment.{change.field}."
        on = job[ENABLE] and job[A + name] and not (change.volumes and job.ndim == 2)
        found[field + "probability"] = _probability(job, name) if on else 0.0
        if on:
            found |= {
                field + option.field: option.take(job[A + key])
                for key, option in change.options.items()
                if option.field
            }
    return found


def _probability(job: Job, name: str) -> float:
    """The change's own probability, or the old one for all."""
    own = A + name + "_PROB"
    shared = job[A + "DA_PROB"]
    return float(job[own] if own in job.given or shared is None else shared)


def _samples(job: Job) -> int:
    drawn = (job[ENABLE] and job[A + "AUG_SAMPLES"]) or job["DATA.CHECK_GENERATORS"]
    return int(job[A + "AUG_NUM_SAMPLES"]) if drawn and job["TRAIN.ENABLE"] else 0


def _rows(name: str, change: Change) -> tuple[Key, ...]:
    """The rows of one change: switch, probability, options."""
    needs, field = (ENABLE, A + name), f"augment.{change.field}"
    kind: Kind = "approximated" if change.note else "exact"
    return (
        Key(A + name, False, field, kind, change.note, needs=(ENABLE,), judge=_switch(change)),
        exact(f"{A}{name}_PROB", PROBABILITY, field + ".probability", needs=needs),
        *(_option(key, option, field, needs) for key, option in change.options.items()),
    )


def _option(key: str, option: Option, field: str, needs: tuple[str, ...]) -> Key:
    if not option.field:
        return nothing(A + key, option.default, option.note, needs=needs)
    return exact(A + key, option.default, f"{field}.{option.field}", needs=needs)


def _switch(change: Change) -> Judge:
    def judge(value: bool, job: Job) -> Verdict | None:
        if not value:
            return Verdict("exact", f"augment.{change.field}")
        if change.volumes and job.ndim == 2:
            if change.field == "flip_z":
                return Verdict("no effect", "", "PROBLEM.NDIM is 2D")
            return Verdict("refused", "", "of stacks of planes only")
        return None

    return judge


BORDERS = ("reflect", "constant", "wrap", "symmetric")
ROWS: tuple[Key, ...] = (
    exact(ENABLE, False, "augment.enable"),
    exact(A + "DA_PROB", None, "augment.*.probability", needs=(ENABLE,)),
    exact(A + "AFFINE_MODE", "reflect", "augment.border", needs=(ENABLE,),
          judge=lambda value, job: None if value in BORDERS else
          Verdict("refused", "", "one of " + ", ".join(BORDERS))),
    exact(A + "AUG_SAMPLES", True, "augment.show", needs=(ENABLE,)),
    exact(A + "AUG_NUM_SAMPLES", 10, "augment.show", needs=(ENABLE, A + "AUG_SAMPLES")),
    nothing(A + "DRAW_GRID", True, "labels and targets are drawn instead", needs=(ENABLE,)),
    *many(nothing, A, {"SHUFFLE_TRAIN_DATA_EACH_EPOCH": True,
                       "SHUFFLE_VAL_DATA_EACH_EPOCH": False},
          "patches are drawn at random, validation has a fixed order"),
    *many(nothing, A, {"BRIGHTNESS_EM": False, "CONTRAST_EM": False, "BRIGHTNESS_EM_MODE": "3D",
                       "CONTRAST_EM_MODE": "3D", "BRIGHTNESS_EM_FACTOR": [-0.1, 0.1],
                       "CONTRAST_EM_FACTOR": [-0.1, 0.1]},
          "BiaPy 3.7.1 drops it, too; BRIGHTNESS and CONTRAST are there"),
    *(row for name, change in CHANGES.items() for row in _rows(name, change)),
)  # fmt: skip
