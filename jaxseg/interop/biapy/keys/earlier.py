"""Keys of earlier versions, and keys that are of no use for any task here."""

from __future__ import annotations

from typing import Any

from jaxseg.interop.biapy.keys.row import (
    Job,
    Key,
    Verdict,
    approximated,
    many,
    nothing,
    old,
    refused,
)

OBJECTS, D, M, T = "PROBLEM.INSTANCE_SEG.", "DATA.", "MODEL.", "TEST."
W = OBJECTS + "WATERSHED."
# What options of instances began with.
FIRST = (D, OBJECTS + "DATA_")
OPTIONS = OBJECTS + "DATA_CHANNELS_EXTRA_OPTS"
PARTS = ("TRAIN", "VAL", "TEST")
STORED = ("SSL_SOURCE_DIR", "DETECTION_MASK_DIR", "INSTANCE_CHANNELS_DIR")
# What the numbers of thresholds stood for.
THRESHOLDS = {1: "BINARY_MASK", 2: "CONTOUR", 3: "FOREGROUND", 4: "DISTANCE"}
# Options of the sections that HRNet had before there was one for all.
HRNET = ("Z_DOWN", "BLOCK_TYPE", "HEAD_TYPE", "CUSTOM")
STAGE = {"NUM_MODULES": 1, "NUM_BRANCHES": 1, "NUM_BLOCKS": [], "NUM_CHANNELS": [], "BLOCK": "",
         "FUSE_METHOD": ""}  # fmt: skip
EXPORT = ("ENABLE", "DESCRIPTION", "AUTHORS", "LICENSE", "DOCUMENTATION", "TAGS", "CITE")
FOLDERS = "results have fixed places below --result_dir, --name and --run_id"
PLACES = ("MEAN_INFO_FILE", "STD_INFO_FILE", "LWR_X_FILE", "UPR_X_FILE", "LWR_Y_FILE", "UPR_Y_FILE",
          "MAP_CODE_DIR", "TEST_FULL_GT_H5", "MAP_H5_DIR", "LOSS_WEIGHTS", "CROP_CHECKS",
          "RESULT_DIR.BMZ_BUILD", "RESULT_DIR.PER_IMAGE_INST_VORONOI",
          "RESULT_DIR.FULL_POST_PROCESSING")  # fmt: skip


def settings(job: Job) -> dict[str, Any]:
    """Nothing of their own: today's names are in the other sections."""
    del job
    return {}


def _stage(value: Any, job: Job) -> Verdict | None:
    """Of a custom network the lists are needed."""
    del value
    if job[M + "HRNET.VARIANT"].lower() == "custom":
        return Verdict("refused", "", "give the lists HRNET.NUM_MODULES to HRNET.NUM_CHANNELS")
    return None


def _channel_option(channel: str, name: str) -> Any:
    return lambda value: [{channel: {name: value}}]


ROWS: tuple[Key, ...] = (
    # Of the first versions.
    old(D + "CHANNELS", OBJECTS + "DATA_CHANNELS"),
    old(D + "CHANNEL_WEIGHTS", OBJECTS + "DATA_CHANNEL_WEIGHTS"),
    *(old(prefix + "CONTOUR_MODE", OPTIONS, _channel_option("C", "mode")) for prefix in FIRST),
    *(old(f"{prefix}MW_TH{number}", f"{OBJECTS}DATA_MW_TH_{word}")
      for prefix in FIRST for number, word in THRESHOLDS.items()),
    *(approximated(prefix + "MW_TH5", 1.5, "", "objects grow as far as the mask alone",
                   needs=("instances",)) for prefix in FIRST),
    *(refused(prefix + "MW_OPTIMIZE_THS", False, "the phase tune does it: --phases train predict "
              "tune decode", needs=("instances",)) for prefix in FIRST),
    old(D + "REMOVE_SMALL_OBJ", W + "DATA_REMOVE_SMALL_OBJ_BEFORE"),
    old(D + "REMOVE_BEFORE_MW", W + "DATA_REMOVE_BEFORE_MW"),
    old(D + "CHECK_MW", W + "DATA_CHECK_MW"),
    old(OBJECTS + "ERODE_AND_DILATE_GROWTH_MASK", W + "ERODE_AND_DILATE_GROWTH_MASK"),
    old(T + "APPLY_MASK", T + "POST_PROCESSING.APPLY_MASK"),
    old(T + "VORONOI_ON_MASK", T + "POST_PROCESSING.VORONOI_ON_MASK"),
    *many(nothing, D, {"ROOT_DIR": "", "TRAIN.CHECK_CROP": True, "VAL.MEDIAN_PADDING": False,
                       "VAL.BINARY_MASKS": ""}, "no meaning here"),
    *many(nothing, M, {"DEPTH": 3, "SPATIAL_DROPOUT": False, "KERNEL_INIT": "he_normal",
                       "OUT_CHANNELS": 1}, "networks of PyTorch have no such option"),
    *many(nothing, "TRAIN.", {"LR_SCHEDULER.ENABLE": False, "EARLYSTOPPING_MONITOR": "val_loss"},
          "the schedule has a name, and the validation loss decides"),
    *many(nothing, T, {"MAP": False, "MATCHING_VJI_PAI": False, "POST_PROCESSING.BLENDING": False,
                       "DET_LOCAL_MAX_COORDS": False}, "no meaning here"),
    # Of later ones.
    old(D + "NORMALIZATION.APPLICATION_MODE", D + "NORMALIZATION.MEASURE_BY"),
    *many(nothing, M, {"LOAD_CHECKPOINT_ONLY_WEIGHTS": True, "LOAD_MODEL_FROM_CHECKPOINT": True},
          "the weights and what belongs to them"),
    old(M + "BMZ.SOURCE_MODEL_DOI", M + "BMZ.SOURCE_MODEL_ID"),
    old(M + "BMZ.EXPORT.ENABLED", M + "BMZ.EXPORT.ENABLE"),
    *(old(f"{M}BMZ.EXPORT_MODEL.{name}", f"{M}BMZ.EXPORT.{name}") for name in EXPORT),
    old(M + "BMZ.EXPORT_MODEL.NAME", M + "BMZ.EXPORT.MODEL_NAME"),
    *(old(f"{M}HRNET_{width}.{name}", f"{M}HRNET.{name}",
          (lambda value: [2 if value else 1] * 3 if isinstance(value, bool) else value))
      for width in (18, 32, 48, 64) for name in HRNET if name != "CUSTOM"),
    *(Key(f"{M}{section}.STAGE{number}.{name}", default, kind="no effect", judge=_stage,
          note="the variant decides")
      for section in ("HRNET", *(f"HRNET_{width}" for width in (18, 32, 48, 64)))
      for number in range(1, 5) for name, default in STAGE.items()),
    old(OBJECTS + "SYNAPSES.POSTSITE_DILATION", OPTIONS,
        _channel_option("F_post", "dilation")),
    *many(nothing, OBJECTS + "SYNAPSES.", {"NORMALIZE_DISTANCES": False,
                                     "POSTSITE_DILATION_DISTANCE_CHANNELS": []},
          "vectors are in units of 0.1 µm, in the balls of the sites"),
    *many(nothing, "PATHS.", dict.fromkeys(PLACES, ""), FOLDERS),
    # Of use for other tasks only, or for the computer.
    *(nothing(f"{D}{part}.{name}", "", "targets are computed, not stored")
      for part in PARTS for name in STORED),
    *(nothing(f"{D}{part}.INPUT_ZARR_MULTIPLE_DATA_TYPES_PATH", "", "BiaPy does not use it either")
      for part in PARTS),
    *many(nothing, "TRAIN.", {"PROFILER": False, "PROFILER_BATCH_RANGE": []},
          "of PyTorch; jax.profiler measures here"),
    *many(refused, "PROBLEM.DETECTION.", {"SEPARATED_DECODERS_PER_HEAD": False,
                                          "SEPARATED_DECODERS_DIVIDE_FEATURE_MAPS": False},
          "points and their classes have one decoder", needs=("detection",)),
)  # fmt: skip
