"""TRAIN: optimiser, learning rate, length of a training."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import (
    Job,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    refused,
    same,
)

T = "TRAIN."
S = T + "LR_SCHEDULER."


def settings(job: Job) -> dict[str, Any]:
    """The training run; what BiaPy does not have is off."""
    rate = first(job, T + "LR")
    return {
        "train.lr": rate,
        "train.ema": 0.0,
        **_schedule(job, rate),
    }


def first(job: Job, key: str) -> float:
    """The first of a list; only adversarial training has two."""
    if not job[key]:
        raise ConfigError("no value", file=job.where(key), expected="a number")
    return float(job[key][0])


def _schedule(job: Job, rate: float) -> dict[str, Any]:
    name, least = job[S + "NAME"], first(job, S + "MIN_LR")
    if name == "warmupcosine":
        final = max(least, 0.0) / rate if rate else 0.0
        return {"train.warmup": max(job[S + "WARMUP_COSINE_DECAY_EPOCHS"], 0),
                "train.final_lr": min(final, 1.0)}  # fmt: skip
    return {"train.warmup": 0, "train.final_lr": 1.0}


def _optimizer(value: list[str], job: Job) -> Verdict | None:
    names = [str(name).upper() for name in value]
    if names == ["ADAMW"]:
        return None
    return Verdict("refused", "", "ADAMW only")


def _schedules(value: str, job: Job) -> Verdict | None:
    return None if value in ("", "warmupcosine") else Verdict("refused", "", "warmupcosine only")


TRAINING = ("training",)
ROWS: tuple[Key, ...] = (
    exact(T + "ENABLE", False, "phases"),
    nothing(T + "VERBOSE", False, "every epoch is a line"),
    exact(T + "OPTIMIZER", ["SGD"], "train.optimizer", needs=TRAINING, judge=_optimizer),
    exact(T + "LR", [1e-4], "train.lr"),
    approximated(T + "W_DECAY", 0.02, "train.weight_decay", "of kernels only", same),
    refused(T + "OPT_BETAS", [[0.9, 0.999]], "0.9 and 0.999 only", needs=TRAINING),
    exact(T + "BATCH_SIZE", 2, "train.batch", same),
    exact(T + "EPOCHS", 360, "train.epochs", same),
    exact(T + "PATIENCE", -1, "train.patience", lambda value: max(value, 0)),
    nothing(T + "METRICS", [], "IoU or error of every channel"),
    exact(T + "GRADIENT_CLIP_NORM", 0.0, "train.clip", same),
    nothing(T + "CHECKPOINT_MONITOR", "val_loss", "the validation loss"),
    *many(refused, T, {"SAVE_TRAIN_PREDS_FREQ": -1, "SAVE_TRAIN_PREDS_NUM_SAMPLES": 1,
                       "SAVE_TRAIN_PREDS_SHOW": False}, "no pictures while training",
          needs=TRAINING),
    exact(S + "NAME", "", "train.schedule", needs=TRAINING, judge=_schedules),
    exact(S + "MIN_LR", [-1.0], "train.final_lr", needs=(S + "NAME",)),
    exact(S + "REDUCEONPLATEAU_FACTOR", 0.5, "", needs=(S + "NAME",)),
    exact(S + "REDUCEONPLATEAU_PATIENCE", -1, "", needs=(S + "NAME",)),
    exact(S + "WARMUP_COSINE_DECAY_EPOCHS", -1, "train.warmup", needs=(S + "NAME",)),
    refused(S + "COSINE_DECAY_FRACTION", -1.0, "the decay begins after the warm-up",
            needs=(*TRAINING, S + "NAME")),
    refused(T + "ACCUM_ITER", 1, "a batch is divided by itself where memory ends", needs=TRAINING),
)  # fmt: skip
