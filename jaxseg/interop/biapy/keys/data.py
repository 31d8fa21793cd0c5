"""DATA: images, labels, patches, normalisation and what is done to images before."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.filters import ROWS as FILTERS
from jaxseg.interop.biapy.keys.filters import settings as filters
from jaxseg.interop.biapy.keys.normalization import ROWS as NORMALIZATION
from jaxseg.interop.biapy.keys.normalization import settings as normalisation
from jaxseg.interop.biapy.keys.preprocess import ROWS as PREPROCESS
from jaxseg.interop.biapy.keys.preprocess import settings as preprocessing
from jaxseg.interop.biapy.keys.row import (
    Job,
    Judge,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    old,
    same,
)

PARTS = {"TRAIN": "train", "VAL": "val", "TEST": "test"}
NORM = "DATA.RESOLUTION_NORM."


def settings(job: Job) -> dict[str, Any]:
    """Everything about images."""
    return {
        "patch": patch(job),
        # The documents pair the sorted lists of names.
        "data.pair": "name_or_order",
        **_sources(job),
        "data.spacing": _shared(job, "RESOLUTION", _spacing) or [1.0] * job.ndim * job.detection,
        "data.axes": _shared(job, "INPUT_IMG_AXES_ORDER", _axes),
        "data.label_axes": _shared(job, "INPUT_MASK_AXES_ORDER", _axes),
        "data.foreground": 0.0,
        **_patches(job),
        **filters(job),
        **preprocessing(job),
        **({} if job["DATA.TRAIN.IN_MEMORY"] else {"data.cache_gib": 0.0}),
        **normalisation(job),
        **(
            {"data.resample": _one_size(job), "data.spacing_table": True}
            if job[NORM + "ENABLE"]
            else {}
        ),
    }


def _one_size(job: Job) -> list[float]:
    """The voxel size of all images: along y and x, z stays as it is."""
    given = [float(size) for size in job[NORM + "TARGET_RESOLUTION"]]
    if len(given) != 3 or min(given[1:]) <= 0:
        raise ConfigError(
            "not the size of a voxel",
            where=job.where(NORM + "TARGET_RESOLUTION"),
            expected="z, y, x with y and x above 0",
            found=given,
        )
    return [0.0, *given[1:]][-job.ndim :]


def patch(job: Job) -> list[int]:
    """The sides of a patch; the last number of the list, the channels, is in the files."""
    given = job["DATA.PATCH_SIZE"]
    if len(given) != job.ndim + 1 or not all(isinstance(side, int) for side in given):
        raise ConfigError(
            "wrong number of values",
            where=job.where("DATA.PATCH_SIZE"),
            expected=f"{job.ndim} sides ({'zyx'[-job.ndim :]}) and the number of channels",
            found=given,
        )
    return list(given[:-1])


def _sources(job: Job) -> dict[str, str]:
    """Folders of the phases that run, and those that the file names for another start."""
    found: dict[str, str] = {}
    runs = {"TRAIN": job["TRAIN.ENABLE"], "VAL": job["TRAIN.ENABLE"], "TEST": job["TEST.ENABLE"]}
    for part, phase in runs.items():
        unused = part == "VAL" and job["DATA.VAL.FROM_TRAIN"]
        if not unused and (phase or f"DATA.{part}.PATH" in job.given):
            labels = part != "TEST" or job["DATA.TEST.LOAD_GT"]
            found |= _source(job, part, labels=labels)
    return found | {"data.val_fraction": job["DATA.VAL.SPLIT_TRAIN"]}


def _source(job: Job, part: str, *, labels: bool) -> dict[str, str]:
    field, prefix = f"data.{PARTS[part]}", f"DATA.{part}."
    places = {"raw": job[prefix + "PATH"], "labels": job[prefix + "GT_PATH"] if labels else ""}
    if job[prefix + "INPUT_ZARR_MULTIPLE_DATA"]:
        inner = {"raw": "INPUT_ZARR_MULTIPLE_DATA_RAW_PATH",
                 "labels": "INPUT_ZARR_MULTIPLE_DATA_GT_PATH"}  # fmt: skip
        store = places["raw"].rstrip("/")
        store = store if store.lower().endswith(".zarr") else store + "/*.zarr"
        places = {
            name: f"{store}/{job[prefix + key].replace('.', '/')}"
            for name, key in inner.items()
            if name == "raw" or labels
        }
    return {f"{field}.{name}": place for name, place in places.items()}


def _shared(job: Job, name: str, read: Any) -> Any:
    """A value that the file gives by part and that is one for all here."""
    keys = [f"DATA.{part}.{name}" for part in PARTS]
    given = {key: read(job, key) for key in keys if key in job.given}
    values = [value for value in given.values() if value]
    if any(value != values[0] for value in values):
        raise ConfigError(
            "training, validation and test differ",
            where=job.where(next(iter(given))),
            expected="the same for all",
            found=", ".join(str(value) for value in values),
        )
    return values[0] if values else ([] if name == "RESOLUTION" else "")


def _spacing(job: Job, key: str) -> list[float]:
    """Sizes of a voxel; 1 everywhere, or -1, says that the file knows."""
    given = [float(size) for size in job[key]]
    if set(given) <= {-1.0} or (set(given) <= {1.0} and not job.detection):
        return []
    return given


def _axes(job: Job, key: str) -> str:
    """Axes; the default of the documents has more letters than any file."""
    given = str(job[key]).upper()
    return "" if given == "TZCYX" else given


def on_grid(job: Job) -> bool:
    """Whether training patches are those of a grid; a map and pasted boxes need random ones."""
    random = job["DATA.TRAIN.EXTRACT_RANDOM_PATCH"] or job["DATA.TRAIN.PROBABILITY_MAP"]
    pasted = job["AUGMENTOR.ENABLE"] and job["AUGMENTOR.CUTMIX"]
    return not (random or pasted)


def _patches(job: Job) -> dict[str, Any]:
    """Which patches a training sees, and which images it is validated on."""
    found: dict[str, Any] = {"data.grid.enable": on_grid(job)}
    if on_grid(job):
        found["data.grid.overlap"] = per_axis(job, "DATA.TRAIN.OVERLAP")
        found["data.grid.padding"] = per_axis(job, "DATA.TRAIN.PADDING")
    if job["DATA.TRAIN.PROBABILITY_MAP"]:
        found |= {
            "data.probability_map.enable": True,
            "data.probability_map.w_foreground": job["DATA.TRAIN.W_FOREGROUND"],
            "data.probability_map.w_background": job["DATA.TRAIN.W_BACKGROUND"],
            "data.probability_map.save": True,
        }
    if job["DATA.VAL.CROSS_VAL"]:
        found["data.cross_val.folds"] = job["DATA.VAL.CROSS_VAL_NFOLD"]
        found["data.cross_val.fold"] = job["DATA.VAL.CROSS_VAL_FOLD"]
        found["data.cross_val.as_test"] = job["DATA.TEST.USE_VAL_AS_TEST"]
    return found


def per_axis(job: Job, key: str) -> list[Any]:
    """One number per axis; two zeros, the default, serve for three axes as well."""
    given = list(job[key])
    if len(given) != job.ndim and not any(given):
        return [0] * job.ndim
    if len(given) != job.ndim:
        raise ConfigError(
            "wrong number of values", where=job.where(key), expected=job.ndim, found=given
        )
    return given


def _voxel(value: list[float], job: Job) -> Verdict | None:
    if job.detection and set(map(float, value)) <= {1.0}:
        return Verdict("no effect", "", "lengths are in voxels in any case")
    if set(map(float, value)) <= {1.0} or set(map(float, value)) <= {-1.0}:
        return Verdict("no effect", "", "the file's own size, else 1")
    return None


def _order(value: str, job: Job) -> Verdict | None:
    del job
    return Verdict("no effect", "", "the file's own axes") if value == "TZCYX" else None


def _memory(value: bool, job: Job) -> Verdict | None:
    del job
    if value:
        return Verdict("approximated", "data.cache_gib", "as far as they take 2 GiB")
    return Verdict("exact", "data.cache_gib")


def _random(value: bool, job: Job) -> Verdict | None:
    if value:
        note = "an epoch draws as many voxels as there are, not one patch per image"
        return Verdict("approximated", "data.grid.enable", note)
    if not on_grid(job):
        note = "random patches, for the probability map or for pasted boxes"
        return Verdict("approximated", "data.grid.enable", note)
    return None


def _apart(value: Any, job: Job) -> Verdict | None:
    del value
    return None if on_grid(job) else Verdict("no effect", "", "patches are drawn at random")


def _of_validation(value: Any, job: Job) -> Verdict | None:
    del job
    if any(value):
        return Verdict("approximated", "data.val", "patches that meet, without a margin")
    return Verdict("no effect", "", "0 adds nothing")


def _classes(value: int, job: Job) -> Verdict | None:
    if job.counted and value <= 2:
        return Verdict("no effect", "", "no classes beside the objects")
    if value < 2:
        return Verdict("approximated", "channels.S.classes", "2, as the background is one")
    return None


def _annotated(value: str, job: Job) -> Verdict | None:
    """Of synapses the annotations are in the containers of the images."""
    del value
    return Verdict("no effect", "", "annotations are the truth") if job.synapses else None


def _of_part(part: str) -> Judge | None:
    """A judge for the folders of a part: validation may be a share of the training images."""

    def judge(value: str, job: Job) -> Verdict | None:
        del value
        if job["DATA.VAL.FROM_TRAIN"]:
            return Verdict("no effect", "", "DATA.VAL.FROM_TRAIN is True")
        return None

    return judge if part == "VAL" else None


def part_rows(part: str) -> tuple[Key, ...]:
    """Rows that train, val and test have alike."""
    prefix, field = f"DATA.{part}.", f"data.{PARTS[part]}"
    folder_of = _of_part(part)

    def labels_of(value: str, job: Job) -> Verdict | None:
        return _annotated(value, job) or (folder_of(value, job) if folder_of else None)

    folder = f"user_data/{PARTS[part]}/"
    zarr = prefix + "INPUT_ZARR_MULTIPLE_DATA"
    labels = ("DATA.TEST.LOAD_GT",) if part == "TEST" else ()
    return (
        exact(prefix + "PATH", folder + "x", field + ".raw", judge=folder_of),
        exact(prefix + "GT_PATH", folder + "y", field + ".labels", needs=labels, judge=labels_of),
        old(prefix + "MASK_PATH", prefix + "GT_PATH"),
        approximated(zarr, False, field + ".raw", "files named *.zarr",
                     judge=folder_of),
        exact(zarr + "_RAW_PATH", "", field + ".raw", needs=(zarr,)),
        exact(zarr + "_GT_PATH", "", field + ".labels", needs=(zarr,), judge=_annotated),
        nothing(prefix + "INSTANCE_CHANNELS_MASK_DIR", "", "targets are computed, not stored"),
        exact(prefix + "RESOLUTION", [-1], "data.spacing", judge=_voxel),
        exact(prefix + "INPUT_IMG_AXES_ORDER", "TZCYX", "data.axes", judge=_order),
        exact(prefix + "INPUT_MASK_AXES_ORDER", "TZCYX", "data.label_axes", judge=_order),
    )  # fmt: skip


ROWS: tuple[Key, ...] = (
    exact("DATA.PATCH_SIZE", [256, 256, 1], "patch"),
    exact("DATA.N_CLASSES", 2, "channels.S.classes", judge=_classes),
    old("MODEL.N_CLASSES", "DATA.N_CLASSES"),
    nothing("DATA.REFLECT_TO_COMPLETE_SHAPE", True, "images smaller than a patch are mirrored"),
    approximated("DATA.CHECK_GENERATORS", False, "augment.show", "pictures of some training "
                 "patches, before and after their changes", needs=("training",)),
    exact("DATA.FORCE_RGB", False, "data.gray_as_rgb", same),
    *FILTERS,
    approximated(NORM + "ENABLE", False, "data.resample",
                 "whole images, those of the test, too; resolution.json, else each file"),
    exact(NORM + "TARGET_RESOLUTION", [-1.0] * 3, "data.resample", needs=(NORM + "ENABLE",)),
    *NORMALIZATION,
    *part_rows("TRAIN"),
    *part_rows("VAL"),
    *part_rows("TEST"),
    *many(nothing, "DATA.", {"TRAIN.CHECK_DATA": True, "TEST.CHECK_DATA": True,
                             "VAL.CHECK_DATA": True}, "labels are always checked"),
    exact("DATA.TRAIN.IN_MEMORY", True, "data.cache_gib", judge=_memory),
    nothing("DATA.VAL.IN_MEMORY", True, "read as needed"),
    nothing("DATA.TEST.IN_MEMORY", False, "read as needed"),
    exact("DATA.TRAIN.EXTRACT_RANDOM_PATCH", False, "data.grid.enable", judge=_random),
    exact("DATA.TRAIN.PROBABILITY_MAP", False, "data.probability_map.enable"),
    *(exact("DATA.TRAIN." + name, weight, "data.probability_map." + name.lower(),
            needs=("DATA.TRAIN.PROBABILITY_MAP",))
      for name, weight in {"W_FOREGROUND": 0.94, "W_BACKGROUND": 0.06}.items()),
    *(old("DATA." + name, "DATA.TRAIN." + name) for name in
      ("EXTRACT_RANDOM_PATCH", "PROBABILITY_MAP", "W_FOREGROUND", "W_BACKGROUND")),
    exact("DATA.TRAIN.REPLICATE", 0, "train.passes", lambda value: max(value, 1),
          judge=lambda value, job: None if value > 1 else Verdict("no effect", "", "once")),
    exact("DATA.TRAIN.OVERLAP", [0, 0], "data.grid.overlap", judge=_apart),
    exact("DATA.TRAIN.PADDING", [0, 0], "data.grid.padding", judge=_apart),
    *many(approximated, "DATA.VAL.", {"OVERLAP": [0, 0], "PADDING": [0, 0]}, "", "",
          judge=_of_validation),
    nothing("DATA.VAL.DIST_EVAL", True, "validation is spread over the devices"),
    exact("DATA.VAL.FROM_TRAIN", True, "data.val"),
    exact("DATA.VAL.CROSS_VAL", False, "data.cross_val.folds"),
    exact("DATA.VAL.CROSS_VAL_NFOLD", 5, "data.cross_val.folds", needs=("DATA.VAL.CROSS_VAL",)),
    exact("DATA.VAL.CROSS_VAL_FOLD", 1, "data.cross_val.fold", needs=("DATA.VAL.CROSS_VAL",)),
    exact("DATA.VAL.SPLIT_TRAIN", 0.1, "data.val_fraction", needs=("DATA.VAL.FROM_TRAIN",)),
    Key("DATA.VAL.RANDOM", True, "data.val_fraction", "exact",
        judge=lambda value, job: None if value else
        Verdict("approximated", "data.val_fraction", "images are drawn at random all the same")),
    exact("DATA.TEST.LOAD_GT", False, "data.test.labels"),
    old("DATA.TEST._GT_PATH", "DATA.TEST.GT_PATH"),
    exact("DATA.TEST.USE_VAL_AS_TEST", False, "data.cross_val.as_test",
          needs=("DATA.VAL.CROSS_VAL",)),
    Key("DATA.TEST.ARGMAX_TO_OUTPUT", True, kind="no effect", note="classes are always written"),
    *PREPROCESS,
)  # fmt: skip
