"""FILTER_SAMPLES: images and patches that are left out."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import Job, Key, Verdict, exact, many, old

PARTS = {"TRAIN": "train", "VAL": "val", "TEST": "test"}
LISTS = ("PROPS", "SIGNS", "VALUES")


def settings(job: Job) -> dict[str, Any]:
    """Groups of conditions, part by part."""
    found: dict[str, Any] = {"data.filter.by": "image" if by_image(job) else "patch"}
    used = [part for part in PARTS if job[f"DATA.{part}.FILTER_SAMPLES.ENABLE"]]
    for part in used:
        prefix = f"DATA.{part}.FILTER_SAMPLES."
        found[f"data.filter.{PARTS[part]}"] = groups(job, prefix)
    normalized = {bool(job[f"DATA.{part}.FILTER_SAMPLES.NORM_BEFORE"]) for part in used}
    if len(normalized) > 1:
        raise ConfigError(
            "training, validation and test differ",
            where=job.where(f"DATA.{used[0]}.FILTER_SAMPLES.NORM_BEFORE"),
            expected="NORM_BEFORE the same for all",
        )
    if used and job["DATA.SAVE_FILTERED_IMAGES"]:
        found["data.filter.save"] = max(job["DATA.SAVE_FILTERED_IMAGES_NUM"], 0)
    return found | {"data.filter.normalized": True in normalized}


def by_image(job: Job) -> bool:
    """Whether whole images are left out; of random patches it is always the image."""
    return bool(job["DATA.FILTER_BY_IMAGE"] or job["DATA.TRAIN.EXTRACT_RANDOM_PATCH"])


def groups(job: Job, prefix: str) -> list[list[dict[str, Any]]]:
    """Groups of conditions out of three lists of the same form.

    Raises
    ------
    ConfigError : the lists differ in form
    """
    lists = [job[prefix + name] for name in LISTS]
    parts = [[part if isinstance(part, list) else [part] for part in given] for given in lists]
    if len({tuple(len(part) for part in given) for given in parts}) != 1:
        raise ConfigError(
            "PROPS, SIGNS and VALUES differ in form",
            where=job.where(prefix + "PROPS"),
            expected="one sign and one value per property, group by group",
            found=lists,
        )
    numbers = [value for part in parts[2] for value in part]
    if not all(isinstance(value, (int, float)) for value in numbers):
        raise ConfigError(
            "values that are no numbers", where=job.where(prefix + "VALUES"), found=lists[2]
        )
    return [
        [
            {"name": str(name), "sign": str(sign), "value": float(value)}
            for name, sign, value in zip(*group, strict=True)
        ]
        for group in zip(*parts, strict=True)
    ]


def _tested(value: bool, job: Job) -> Verdict | None:
    if value and not by_image(job):
        return Verdict("approximated", "data.filter.test", "whole images, not single tiles")
    return None


def _saved(value: Any, job: Job) -> Verdict | None:
    del value
    if any(job[f"DATA.{part}.FILTER_SAMPLES.ENABLE"] for part in PARTS):
        return None
    return Verdict("no effect", "", "nothing is left out")


def _rows(part: str) -> tuple[Key, ...]:
    prefix, field = f"DATA.{part}.FILTER_SAMPLES.", f"data.filter.{PARTS[part]}"
    needs = (prefix + "ENABLE",)
    return (
        exact(prefix + "ENABLE", False, field, judge=_tested if part == "TEST" else None),
        *many(exact, prefix, {"PROPS": [], "VALUES": [], "SIGNS": []}, field, needs=needs),
        exact(prefix + "NORM_BEFORE", False, "data.filter.normalized", needs=needs),
    )


ROWS: tuple[Key, ...] = (
    exact("DATA.FILTER_BY_IMAGE", False, "data.filter.by"),
    exact("DATA.SAVE_FILTERED_IMAGES", False, "data.filter.save", judge=_saved),
    exact("DATA.SAVE_FILTERED_IMAGES_NUM", 3, "data.filter.save",
          needs=("DATA.SAVE_FILTERED_IMAGES",), judge=_saved),
    *(row for part in PARTS for row in _rows(part)),
    old("DATA.TRAIN.MINIMUM_FOREGROUND_PER", "DATA.TRAIN.FILTER_SAMPLES.VALUES",
        lambda value: [[float(value)]],
        implies={"DATA.TRAIN.FILTER_SAMPLES.ENABLE": True,
                 "DATA.TRAIN.FILTER_SAMPLES.PROPS": [["foreground"]],
                 "DATA.TRAIN.FILTER_SAMPLES.SIGNS": [["lt"]]}),
)  # fmt: skip
