"""TEST and DATA.TEST: tiles, orientations, blocks, objects, and the comparison with labels."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.data import patch, per_axis
from jaxseg.interop.biapy.keys.filters import groups
from jaxseg.interop.biapy.keys.row import (
    Job,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    old,
    only,
    same,
)

D, T, P = "DATA.TEST.", "TEST.", "TEST.POST_PROCESSING."
C = T + "BY_CHUNKS."
R = P + "INSTANCE_REFINEMENT."
M = P + "MEASURE_PROPERTIES."
B = M + "REMOVE_BY_PROPERTIES."
AXES = ("xy", "yx", "zy", "yz", "zx", "xz", "z")
STEPS = {"prediction": "predict", "instance_creation": "instance_creation",
         "instance_merging": "instance_merging"}  # fmt: skip
NO_VALUE = ("fill_holes", "clear_border")


def settings(job: Job) -> dict[str, Any]:
    """Phases, tiles, blocks, and what is done to planes and objects."""
    found: dict[str, Any] = {
        "phases": _phases(job),
        "predict.batch": job["TRAIN.BATCH_SIZE"],
        "predict.tta": _orientations(job),
        **({"predict.tta_mode": job[T + "AUGMENTATION_MODE"]} if job[T + "AUGMENTATION"] else {}),
        **_tiles(job),
        **_blocks(job),
        "postprocess.median": _median(job),
        "postprocess.masks": _mask(job),
        "predict.tiff": bool(
            job[C + "SAVE_OUT_TIF"] if job[C + "ENABLE"] else job[T + "SAVE_MODEL_RAW_OUTPUT"]
        ),
        "predict.border": "median" if job[D + "MEDIAN_PADDING"] and job.ndim == 3 else "reflect",
        "evaluate.planes": not (job[C + "ENABLE"] or as_stack(job) or job.synapses),
        "data.as_3d_stack": as_stack(job),
    }
    if job.objects:
        found |= _objects(job)
    if job["TEST.REUSE_PREDICTIONS"]:
        found["predict.reuse"] = not job["TRAIN.ENABLE"]
    return found


def as_stack(job: Job) -> bool:
    """Whether results are those of the stack of all images."""
    return bool(job[T + "ANALIZE_2D_IMGS_AS_3D_STACK"]) and job.ndim == 2


def _phases(job: Job) -> list[str]:
    found = ["train"] if job["TRAIN.ENABLE"] else []
    if not job["TEST.ENABLE"]:
        return found
    compare = ["evaluate"] if job["DATA.TEST.LOAD_GT"] else []
    if not job[C + "ENABLE"]:
        return [*found, "predict", "decode", *compare]
    if not job[C + "WORKFLOW_PROCESS.ENABLE"]:
        return [*found, "predict"]
    steps = [STEPS[str(name)] for name in job[C + "PHASES"]]
    if not job.instances or set(steps) == set(STEPS.values()) or whole(job):
        return [*found, "predict", "decode", *compare]
    return [*found, *steps, *(compare if "instance_merging" in steps else [])]


def whole(job: Job) -> bool:
    """Whether objects are made of a whole prediction."""
    return bool(job[C + "WORKFLOW_PROCESS.TYPE"] == "entire_pred")


def _orientations(job: Job) -> str:
    group = {"auto": "full"}.get(job[T + "AUGMENTATION_GROUP"], job[T + "AUGMENTATION_GROUP"])
    return group if job[T + "AUGMENTATION"] else "none"


def _tiles(job: Job) -> dict[str, Any]:
    tile, halo = patch(job), per_axis(job, D + "PADDING")
    shares = per_axis(job, D + "OVERLAP")
    if not all(0 <= share < 1 for share in shares):
        raise ConfigError("illegal overlap", where=job.where(D + "OVERLAP"), found=shares,
                          expected="parts of a tile, at least 0 and below 1")  # fmt: skip
    inner = [side - 2 * edge for side, edge in zip(tile, halo, strict=True)]
    overlap = [round(share * side) for share, side in zip(shares, inner, strict=True)]
    dtype = "float16" if job[T + "REDUCE_MEMORY"] else "float32"
    if job[T + "FULL_IMG"] and job.ndim == 2:
        return {"predict.full_image": True, "predict.full_image_names": True,
                "predict.dtype": dtype}  # fmt: skip
    return {
        "predict.tile": tile,
        "predict.halo": [int(edge) for edge in halo],
        "predict.overlap": overlap,
        "predict.dtype": dtype,
    }


def _blocks(job: Job) -> dict[str, Any]:
    if not job[C + "ENABLE"]:
        return {}
    tile, halo = patch(job), per_axis(job, D + "PADDING")
    times = job[C + "WORKFLOW_PROCESS.PATCHES_PER_TILE"]
    times = [1] * job.ndim if set(times) == {1} else times
    if len(times) != job.ndim:
        raise ConfigError("wrong number of values", expected=job.ndim, found=times,
                          where=job.where(C + "WORKFLOW_PROCESS.PATCHES_PER_TILE"))  # fmt: skip
    found: dict[str, Any] = {
        "blocks.size": [
            (side - 2 * edge) * count for side, edge, count in zip(tile, halo, times, strict=True)
        ],
        "blocks.tiff": job[C + "SAVE_OUT_TIF"],
        "blocks.z_start": job[C + "Z_START"],
        "blocks.z_end": job[C + "Z_END"],
        "blocks.decode": "whole" if whole(job) else "by_blocks",
    }
    if job.instances and not whole(job):
        given = job[C + "WORKFLOW_PROCESS.INSTANCE_SEG_HALO"]
        margin = list(given) if len(given) == job.ndim else [given[0]] * job.ndim if given else halo
        found["blocks.halo"] = [int(edge) for edge in margin] if any(margin) else []
        found["blocks.merge_threshold"] = job[C + "WORKFLOW_PROCESS.INSTANCE_SEG_MERGE_IOU_TH"]
    return found


def _median(job: Job) -> list[dict[str, Any]]:
    """Median filters, the new list first, then the two old switches."""
    found: list[dict[str, Any]] = []
    if job[P + "MEDIAN_FILTER"]:
        axes, sizes = job[P + "MEDIAN_FILTER_AXIS"], job[P + "MEDIAN_FILTER_SIZE"]
        if len(axes) != len(sizes):
            raise ConfigError("one size per filter", where=job.where(P + "MEDIAN_FILTER_SIZE"),
                              expected=len(axes), found=len(sizes))  # fmt: skip
        found += [
            # An even size is the next odd one, as the documents' program has it.
            {"axes": str(name), "size": int(size) | 1}
            for name, size in zip(axes, sizes, strict=True)
        ]
    for name, along in (("Z_FILTERING", "z"), ("YZ_FILTERING", "yz")):
        if job[P + name] and _deep(job):
            found.append({"axes": along, "size": int(job[P + name + "_SIZE"]) | 1})
    return found


def _deep(job: Job) -> bool:
    """Whether there is a z to filter along."""
    return job.ndim == 3 or as_stack(job)


def _along_z(value: Any, job: Job) -> Verdict | None:
    del value
    return (
        None if _deep(job) else Verdict("no effect", "", "a plane has no z, nor is it of a stack")
    )


def _mask(job: Job) -> str:
    if job[D + "ROI_MASK.ENABLE"]:
        return str(job[D + "ROI_MASK.PATH"])
    return str(job[D + "BINARY_MASKS"]) if job[P + "APPLY_MASK"] else ""


def _objects(job: Job) -> dict[str, Any]:
    size, level = job[P + "REPARE_LARGE_BLOBS_SIZE"], job[P + "VORONOI_TH"]
    voronoi = job[P + "VORONOI_ON_MASK"]
    return {
        "postprocess.refine": _refine(job),
        "postprocess.remove": groups(job, B) if job[B + "ENABLE"] else [],
        "postprocess.properties": [str(name) for name in job[M + "EXTRA_PROPS"]],
        "postprocess.repair.size": max(size, 0),
        "postprocess.voronoi.mode": "objects" if voronoi else "none",
        **({"postprocess.voronoi.threshold": level or "auto"} if voronoi else {}),
    }


def _refine(job: Job) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if job[R + "ENABLE"]:
        names, values = job[R + "OPERATIONS"], job[R + "VALUES"]
        if len(names) != len(values):
            raise ConfigError("one value per operation", where=job.where(R + "VALUES"),
                              expected=len(names), found=len(values))  # fmt: skip
        for name, value in zip(names, values, strict=True):
            none = value is None or str(value).lower() == "none"
            numbers = [] if none else value if isinstance(value, list) else [value]
            if not all(isinstance(number, (int, float)) for number in numbers):
                raise ConfigError(
                    "a value that is no number",
                    where=job.where(R + "VALUES"),
                    expected="none, a number or one per axis",
                    found=value,
                )
            found.append({"operation": str(name), "value": _as_ours(name, numbers)})
    found += [{"operation": name} for name in NO_VALUE if job[P + name.upper()]]
    return found


def _as_ours(name: str, numbers: list[Any]) -> list[float]:
    """Values of an operation: a box of so many voxels as a radius, and sizes as they are."""
    if name in ("dilation", "erosion"):
        return [float(max(int(number) // 2, 1)) for number in numbers]
    return [float(number) for number in numbers]


def _full(value: bool, job: Job) -> Verdict | None:
    if value and job.ndim == 3:
        return Verdict("no effect", "", "for 2D only, in BiaPy as well")
    return None


def _median_border(value: bool, job: Job) -> Verdict | None:
    if not value:
        return None
    if job.ndim == 2:
        return Verdict("no effect", "", "for 3D only, in BiaPy as well")
    note = "of each channel by itself"
    return (
        Verdict("approximated", "predict.border", note) if job["DATA.PATCH_SIZE"][-1] > 1 else None
    )


def _of_planes(value: bool, job: Job) -> Verdict | None:
    if value and job.ndim == 3:
        return Verdict("no effect", "", "PROBLEM.NDIM is 3D")
    return None


def _of_tiles(value: Any, job: Job) -> Verdict | None:
    del value
    if job[T + "FULL_IMG"] and job.ndim == 2:
        return Verdict("no effect", "", f"{T}FULL_IMG is True")
    return None


def _operations(value: Any, job: Job) -> Verdict | None:
    if {"dilation", "erosion"} & {str(name) for name in job[R + "OPERATIONS"]}:
        note = "a box of n voxels is a ball of radius n // 2, object by object"
        return Verdict("approximated", "postprocess.refine", note)
    return None


def _formats(value: str, job: Job) -> Verdict | None:
    return None if str(value).lower() == "zarr" else Verdict("refused", "", "Zarr only")


INSTANCES, OBJECTS = ("instances",), ("objects",)
CH = (C + "ENABLE",)
W = C + "WORKFLOW_PROCESS."
ROWS: tuple[Key, ...] = (
    exact(T + "ENABLE", False, "phases"),
    exact(D + "PADDING", [0, 0], "predict.halo", judge=_of_tiles),
    exact(D + "OVERLAP", [0, 0], "predict.overlap", judge=_of_tiles),
    exact(D + "MEDIAN_PADDING", False, "predict.border", judge=_median_border),
    exact(D + "ROI_MASK.ENABLE", False, "postprocess.masks"),
    exact(D + "ROI_MASK.PATH", "", "postprocess.masks", needs=(D + "ROI_MASK.ENABLE",)),
    nothing(D + "ROI_MASK.AXES_ORDER", "", "the file's own axes", needs=(D + "ROI_MASK.ENABLE",)),
    exact(D + "BINARY_MASKS", "", "postprocess.masks", needs=(P + "APPLY_MASK",)),
    exact(P + "APPLY_MASK", False, "postprocess.masks"),
    exact(T + "REDUCE_MEMORY", False, "predict.dtype"),
    *many(nothing, T, {"METRICS_IN_CPU": False, "VERBOSE": True, "EVALUATE": False,
                       "STATS.PER_PATCH": False, "STATS.MERGE_PATCHES": False,
                       "STATS.FULL_IMG": False}, "no meaning here"),
    approximated(T + "SAVE_MODEL_RAW_OUTPUT", True, "predict.tiff",
                 "as TIFF; they are always kept as Zarr, too"),
    exact(T + "AUGMENTATION", False, "predict.tta"),
    exact(T + "AUGMENTATION_MODE", "mean", "predict.tta_mode",
          judge=only(("mean", "min", "max"), "mean, min or max"),
          needs=(T + "AUGMENTATION", "testing")),
    exact(T + "AUGMENTATION_GROUP", "auto", "predict.tta", needs=(T + "AUGMENTATION",)),
    exact(T + "ANALIZE_2D_IMGS_AS_3D_STACK", False, "data.as_3d_stack", judge=_of_planes),
    exact(T + "REUSE_PREDICTIONS", False, "predict.reuse"),
    exact(T + "FULL_IMG", False, "predict.full_image", judge=_full),
    nothing(T + "METRICS", [], "IoU or error of channels, IoU of classes, matching of objects"),
    exact(T + "EVAL_BORDER_CROP", [], "evaluate.border_crop", same),
    nothing(T + "MATCHING_STATS", True, "matching is part of the comparison with labels"),
    exact(T + "MATCHING_STATS_THS", [0.3, 0.5, 0.75], "evaluate.thresholds", same),
    exact(T + "MATCHING_STATS_THS_COLORED_IMG", [], "evaluate.coloured", same),
    nothing(T + "MATCHING_STATS_BY_IMAGE", True, "both means are written"),
    exact(C + "ENABLE", False, "blocks.size"),
    exact(C + "SAVE_OUT_TIF", False, "blocks.tiff", needs=CH),
    nothing(C + "FLUSH_EACH", 100, "planes are written as they come"),
    exact(C + "Z_START", -1, "blocks.z_start", needs=CH),
    exact(C + "Z_END", -1, "blocks.z_end", needs=CH),
    nothing(C + "WRITE_RAW_PREDICTIONS", False, "planes are always kept"),
    exact(C + "PHASES", list(STEPS), "phases", needs=CH,
          judge=lambda value, job: Verdict("refused", "", "one of " + ", ".join(STEPS))
          if not value or {str(name) for name in value} - set(STEPS) else None),
    exact(W + "ENABLE", True, "phases", needs=CH),
    exact(W + "TYPE", "chunk_by_chunk", "blocks.decode", needs=CH,
          judge=only(("chunk_by_chunk", "entire_pred"), "chunk_by_chunk or entire_pred")),
    exact(W + "PATCHES_PER_TILE", [1, 1, 1], "blocks.size", needs=CH),
    exact(W + "INSTANCE_SEG_MERGE_IOU_TH", 0.3, "blocks.merge_threshold", needs=(*INSTANCES, *CH)),
    exact(W + "INSTANCE_SEG_HALO", [], "blocks.halo", needs=(*INSTANCES, *CH)),
    exact(C + "FORMAT", "zarr", "", judge=_formats, needs=CH),
    old(C + "INPUT_IMG_AXES_ORDER", "DATA.TEST.INPUT_IMG_AXES_ORDER"),
    old(C + "INPUT_MASK_AXES_ORDER", "DATA.TEST.INPUT_MASK_AXES_ORDER"),
    exact(P + "MEDIAN_FILTER", False, "postprocess.median"),
    *many(exact, P, {"MEDIAN_FILTER_AXIS": [], "MEDIAN_FILTER_SIZE": []}, "postprocess.median",
          needs=(P + "MEDIAN_FILTER",)),
    *many(exact, P, {"Z_FILTERING": False, "YZ_FILTERING": False}, "postprocess.median",
          judge=_along_z),
    *(exact(f"{P}{name}_SIZE", 5, "postprocess.median", needs=(P + name,), judge=_along_z)
      for name in ("Z_FILTERING", "YZ_FILTERING")),
    exact(R + "ENABLE", False, "postprocess.refine", needs=OBJECTS),
    *many(exact, R, {"OPERATIONS": [], "VALUES": []}, "postprocess.refine",
          needs=(*OBJECTS, R + "ENABLE"), judge=_operations),
    *many(exact, P, {"CLEAR_BORDER": False, "FILL_HOLES": False}, "postprocess.refine",
          needs=OBJECTS),
    nothing(M + "ENABLE", False, "objects are always measured", needs=OBJECTS),
    exact(M + "EXTRA_PROPS", [], "postprocess.properties", needs=OBJECTS),
    exact(B + "ENABLE", False, "postprocess.remove", needs=OBJECTS),
    *many(exact, B, {"PROPS": [], "VALUES": [], "SIGNS": []}, "postprocess.remove",
          needs=(*OBJECTS, B + "ENABLE")),
    old(B + "SIGN", B + "SIGNS"),
    old(P + "REMOVE_BY_PROPERTIES", B + "PROPS", implies={B + "ENABLE": True}),
    old(P + "REMOVE_BY_PROPERTIES_VALUES", B + "VALUES"),
    old(P + "REMOVE_BY_PROPERTIES_SIGN", B + "SIGNS"),
    exact(P + "VORONOI_ON_MASK", False, "postprocess.voronoi.mode", needs=OBJECTS),
    exact(P + "VORONOI_TH", 0.0, "postprocess.voronoi.threshold",
          needs=(*OBJECTS, P + "VORONOI_ON_MASK")),
    approximated(P + "REPARE_LARGE_BLOBS_SIZE", -1, "postprocess.repair.size",
                 "for any channels, and in 3D", needs=OBJECTS),
)  # fmt: skip
