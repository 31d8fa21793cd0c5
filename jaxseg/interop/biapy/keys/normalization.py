"""DATA.NORMALIZATION: how intensities are scaled."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import Job, Key, Verdict, exact, many, old

N = "DATA.NORMALIZATION."
CLIP = N + "PERC_CLIP."
GIVEN = N + "ZERO_MEAN_UNIT_VAR."
METHODS = {"zero_mean_unit_variance": "zscore", "custom": "zscore", "div": "dtype",
           "scale_range": "range"}  # fmt: skip
SCOPES = ("", "image", "dataset", "patch")


def settings(job: Job) -> dict[str, Any]:
    """How intensities are scaled."""
    kind = str(job[N + "TYPE"])
    method = METHODS.get(kind)
    if method is None:
        raise ConfigError(
            f"unknown normalisation {kind!r}",
            where=job.where(N + "TYPE"),
            expected="one of " + ", ".join(METHODS),
        )
    scope = str(job[N + "MEASURE_BY"] or job[N + "CUSTOM_MODE"] or "image")
    found: dict[str, Any] = {
        "normalize.method": method,
        "normalize.scope": scope if scope != "patch" or by_patch(job) else "image",
    }
    if job[CLIP + "ENABLE"] and clips_at_values(job):
        found["normalize.clip_low"] = _numbers(job, CLIP + "LOWER_VALUE")
        found["normalize.clip_high"] = _numbers(job, CLIP + "UPPER_VALUE")
    elif job[CLIP + "ENABLE"]:
        found["normalize.clip"] = [job[CLIP + "LOWER_PERC"], job[CLIP + "UPPER_PERC"]]
    if method == "zscore":
        found["normalize.mean"] = _numbers(job, GIVEN + "MEAN_VAL")
        found["normalize.deviation"] = _numbers(job, GIVEN + "STD_VAL")
    return found


def by_patch(job: Job) -> bool:
    """Whether there is anything to measure in a patch: not with known numbers."""
    known = _numbers(job, GIVEN + "MEAN_VAL") if METHODS.get(job[N + "TYPE"]) == "zscore" else []
    return METHODS.get(job[N + "TYPE"]) != "dtype" and not known


def clips_at_values(job: Job) -> bool:
    """Whether the file gives values to clip at, which then count and not the percentiles."""
    return bool(_numbers(job, CLIP + "LOWER_VALUE") or _numbers(job, CLIP + "UPPER_VALUE"))


def _numbers(job: Job, key: str) -> list[float]:
    """Numbers per channel; -1 says that they are measured."""
    given = [float(value) for value in job[key]]
    return [] if given == [-1.0] else given


def _of_zscore(value: Any, job: Job) -> Verdict | None:
    del value
    if METHODS.get(str(job[N + "TYPE"])) != "zscore":
        return Verdict("no effect", "", f"{N}TYPE is {job[N + 'TYPE']}")
    return None


def _scope(value: str, job: Job) -> Verdict | None:
    if value not in SCOPES:
        return Verdict("refused", "", "one of " + ", ".join(SCOPES[1:]))
    if value != "patch" or by_patch(job):
        return None
    if job[CLIP + "ENABLE"] and not clips_at_values(job):
        return Verdict("approximated", "normalize.scope", "percentiles to clip at are of the image")
    return Verdict("no effect", "", "nothing is measured: the numbers are known")


def _percentiles(value: float, job: Job) -> Verdict | None:
    del value
    return Verdict("no effect", "", "values to clip at are given") if clips_at_values(job) else None


ROWS: tuple[Key, ...] = (
    exact(N + "TYPE", "zero_mean_unit_variance", "normalize.method"),
    exact(CLIP + "ENABLE", False, "normalize.clip"),
    *many(exact, CLIP, {"LOWER_PERC": -1.0, "UPPER_PERC": -1.0}, "normalize.clip",
          needs=(CLIP + "ENABLE",), judge=_percentiles),
    exact(CLIP + "LOWER_VALUE", [-1.0], "normalize.clip_low", needs=(CLIP + "ENABLE",)),
    exact(CLIP + "UPPER_VALUE", [-1.0], "normalize.clip_high", needs=(CLIP + "ENABLE",)),
    exact(GIVEN + "MEAN_VAL", [-1.0], "normalize.mean", judge=_of_zscore),
    exact(GIVEN + "STD_VAL", [-1.0], "normalize.deviation", judge=_of_zscore),
    exact(N + "MEASURE_BY", "", "normalize.scope", judge=_scope),
    exact(N + "CUSTOM_MODE", "", "normalize.scope", judge=_scope),
    old(N + "CUSTOM_MEAN", GIVEN + "MEAN_VAL"),
    old(N + "CUSTOM_STD", GIVEN + "STD_VAL"),
    old(N + "PERC_CLIP", CLIP + "ENABLE"),
    old(N + "PERC_LOWER", CLIP + "LOWER_PERC"),
    old(N + "PERC_UPPER", CLIP + "UPPER_PERC"),
    old(CLIP + "LOWER", CLIP + "LOWER_PERC"),
    old(CLIP + "UPPER", CLIP + "UPPER_PERC"),
)  # fmt: skip
