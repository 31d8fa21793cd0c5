"""SYSTEM, PATHS and LOG: the machine, and where results go."""

from __future__ import annotations

import math
from typing import Any

from jaxseg.interop.biapy.keys.row import (
    Job,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    same,
)

FOLDERS = "results have fixed places below --result_dir, --name and --run_id"
RESULTS = ("PATH", "PER_IMAGE", "PER_IMAGE_BIN", "PER_IMAGE_INSTANCES", "PER_IMAGE_POST_PROCESSING",
           "FULL_IMAGE", "FULL_IMAGE_BIN", "FULL_IMAGE_INSTANCES", "FULL_IMAGE_POST_PROCESSING",
           "AS_3D_STACK", "AS_3D_STACK_BIN", "AS_3D_STACK_POST_PROCESSING",
           "DET_LOCAL_MAX_COORDS_CHECK", "DET_LOCAL_MAX_COORDS_CHECK_POST_PROCESSING",
           "DET_ASSOC_POINTS", "INST_ASSOC_POINTS")  # fmt: skip
OTHERS = ("BMZ_EXPORT_PATH", "PROFILER", "CHARTS", "TRAIN_PRED_SAMPLES", "DA_SAMPLES", "GEN_CHECKS",
          "GEN_MASK_CHECKS", "TRAIN_INSTANCE_CHANNELS_CHECK", "VAL_INSTANCE_CHANNELS_CHECK",
          "TEST_INSTANCE_CHANNELS_CHECK", "CHECKPOINT", "PROB_MAP_DIR", "PROB_MAP_FILENAME",
          "WATERSHED_DIR", "MAE_OUT_DIR", "FIL_SAMPLES_DIR")  # fmt: skip


def _cores(value: int, job: Job) -> Verdict | None:
    if value < 1:
        return Verdict("no effect", "", "all cores that the process may use are used")
    return None


def settings(job: Job) -> dict[str, Any]:
    """Devices: as many as are allowed and divide the batch."""
    cores = job["SYSTEM.NUM_CPUS"]
    devices = math.gcd(cores, job["TRAIN.BATCH_SIZE"]) if cores > 0 else 0
    return {"cpu_devices": devices, "train.tensorboard": "LOG.TENSORBOARD_LOG_DIR" in job.given}


def _checkpoint(value: str, job: Job) -> Verdict | None:
    if value and not job["MODEL.LOAD_CHECKPOINT"]:
        return Verdict("no effect", "", "MODEL.LOAD_CHECKPOINT is off")
    if value.lower().endswith((".h5", ".hdf5", ".keras")):
        return Verdict("refused", "", "weights of the Keras version cannot be read")
    if value.lower().endswith((".pth", ".pt", ".safetensors")):
        field = "train.start_from" if job["TRAIN.ENABLE"] else "predict.checkpoint"
        return Verdict("approximated", field, "its weights are imported first")
    return None


ROWS: tuple[Key, ...] = (
    approximated(
        "SYSTEM.NUM_CPUS",
        -1,
        "cpu_devices",
        "the batch is spread over so many devices; taskset limits threads",
        judge=_cores,
    ),
    nothing("SYSTEM.NUM_WORKERS", -1, "threads of this process read ahead"),
    nothing("SYSTEM.NUM_GPUS", 0, "JAX finds the devices; --gpu chooses some"),
    nothing("SYSTEM.DEVICE", "cpu", "JAX finds the devices; --gpu chooses some"),
    nothing("SYSTEM.PIN_MEM", True, "a matter of PyTorch"),
    exact("SYSTEM.SEED", 0, "seed", same),
    *many(nothing, "PATHS.RESULT_DIR.", dict.fromkeys(RESULTS, ""), FOLDERS),
    *many(nothing, "PATHS.", dict.fromkeys(OTHERS, ""), FOLDERS),
    exact("PATHS.CHECKPOINT_FILE", "", "predict.checkpoint", judge=_checkpoint),
    *many(nothing, "LOG.", {"LOG_DIR": "", "LOG_FILE_PREFIX": ""}, FOLDERS),
    approximated(
        "LOG.TENSORBOARD_LOG_DIR",
        "",
        "train.tensorboard",
        "in the folder tensorboard of the results, if the file has this key",
    ),
    exact("LOG.CHART_CREATION_FREQ", 5, "train.chart_every", lambda value: max(value, 1)),
)
