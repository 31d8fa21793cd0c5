"""TRAIN: optimiser, learning rate, length of a training."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import (
    Job,
    Judge,
    Key,
    Verdict,
    approximated,
    exact,
    nothing,
    same,
)

T = "TRAIN."
S = T + "LR_SCHEDULER."
OPTIMIZERS = {"SGD": "sgd", "ADAM": "adam", "ADAMW": "adamw"}
SCHEDULES = {
    "": Verdict("exact", "train.schedule"),
    "warmupcosine": Verdict("exact", "train.schedule"),
    "reduceonplateau": Verdict("exact", "train.schedule"),
    "onecycle": Verdict("approximated", "train.schedule", "the momentum does not change with it"),
}


def settings(job: Job) -> dict[str, Any]:
    """The training run; what BiaPy does not have is off."""
    rate = first(job, T + "LR")
    return {
        "train.lr": rate,
        **_optimiser(job),
        "train.batch": job[T + "BATCH_SIZE"] * max(job[T + "ACCUM_ITER"], 1),
        "train.accumulation": max(job[T + "ACCUM_ITER"], 1),
        "train.ema": 0.0,
        **_schedule(job, rate),
    }


def first(job: Job, key: str) -> float:
    """The first of a list; only adversarial training has two."""
    if not job[key]:
        raise ConfigError("no value", where=job.where(key), expected="a number")
    return float(job[key][0])


def _optimiser(job: Job) -> dict[str, Any]:
    """The optimiser; the learning of SGD looks ahead along a momentum of 0.9."""
    names = [str(name).upper() for name in job[T + "OPTIMIZER"]]
    if len(names) != 1 or names[0] not in OPTIMIZERS:
        raise ConfigError("unknown optimiser", where=job.where(T + "OPTIMIZER"), found=names,
                          expected="one of " + ", ".join(OPTIMIZERS))  # fmt: skip
    name = OPTIMIZERS[names[0]]
    if name == "sgd":
        return {"train.optimizer": name}
    betas = job[T + "OPT_BETAS"]
    betas = betas[0] if betas and isinstance(betas[0], list) else betas
    if len(betas) != 2 or not all(isinstance(beta, (int, float)) for beta in betas):
        raise ConfigError(
            "not two numbers",
            where=job.where(T + "OPT_BETAS"),
            found=betas,
            expected="[0.9, 0.999]",
        )
    return {"train.optimizer": name, "train.betas": [float(beta) for beta in betas]}


def _schedule(job: Job, rate: float) -> dict[str, Any]:
    name, least = job[S + "NAME"], first(job, S + "MIN_LR")
    final = min(max(least, 0.0) / rate, 1.0) if rate else 0.0
    if name == "warmupcosine":
        warm = max(job[S + "WARMUP_COSINE_DECAY_EPOCHS"], 0)
        return {
            "train.schedule": "cosine",
            "train.warmup": warm,
            "train.final_lr": final,
            "train.decay_part": max(float(job[S + "COSINE_DECAY_FRACTION"]), 0.0),
        }
    if name == "reduceonplateau":
        # The rate falls after one more bad epoch than the number of PyTorch says.
        return {
            "train.schedule": "plateau",
            "train.warmup": 0,
            "train.final_lr": final,
            "train.plateau_factor": job[S + "REDUCEONPLATEAU_FACTOR"],
            "train.plateau_patience": max(job[S + "REDUCEONPLATEAU_PATIENCE"], 0) + 1,
        }
    if name == "onecycle":
        return {"train.schedule": "one_cycle"}
    return {"train.schedule": "constant", "train.warmup": 0}


def _optimizer(value: list[str], job: Job) -> Verdict | None:
    del job
    if len(value) == 1 and str(value[0]).upper() in OPTIMIZERS:
        return None
    return Verdict("refused", "", "one of " + ", ".join(OPTIMIZERS))


def _betas(value: Any, job: Job) -> Verdict | None:
    if job[T + "OPTIMIZER"] and str(job[T + "OPTIMIZER"][0]).upper() == "SGD":
        return Verdict("no effect", "", "SGD has none")
    return None


def _schedules(value: str, job: Job) -> Verdict | None:
    del job
    return SCHEDULES.get(
        value, Verdict("refused", "", "one of " + ", ".join(filter(None, SCHEDULES)))
    )


def _of(schedule: str) -> Judge:
    """A judge for an option of one schedule."""

    def judge(value: Any, job: Job) -> Verdict | None:
        del value
        name = job[S + "NAME"]
        if name in schedule.split():
            return None
        return Verdict("no effect", "", f"the schedule is {name or 'constant'}")

    return judge


TRAINING = ("training",)
ROWS: tuple[Key, ...] = (
    exact(T + "ENABLE", False, "phases"),
    nothing(T + "VERBOSE", False, "every epoch is a line"),
    exact(T + "OPTIMIZER", ["SGD"], "train.optimizer", needs=TRAINING, judge=_optimizer),
    exact(T + "LR", [1e-4], "train.lr"),
    approximated(T + "W_DECAY", 0.02, "train.weight_decay", "of kernels only", same),
    exact(T + "OPT_BETAS", [[0.9, 0.999]], "train.betas", judge=_betas),
    exact(T + "BATCH_SIZE", 2, "train.batch"),
    exact(T + "EPOCHS", 360, "train.epochs", same),
    exact(T + "PATIENCE", -1, "train.patience", lambda value: max(value, 0)),
    nothing(T + "METRICS", [], "IoU or error of every channel"),
    exact(T + "GRADIENT_CLIP_NORM", 0.0, "train.clip", same),
    nothing(T + "CHECKPOINT_MONITOR", "val_loss", "the validation loss"),
    exact(T + "SAVE_TRAIN_PREDS_FREQ", -1, "train.predictions_every", lambda value: max(value, 0)),
    exact(T + "SAVE_TRAIN_PREDS_NUM_SAMPLES", 1, "train.predictions", same),
    nothing(T + "SAVE_TRAIN_PREDS_SHOW", False, "pictures are files"),
    exact(S + "NAME", "", "train.schedule", needs=TRAINING, judge=_schedules),
    exact(S + "MIN_LR", [-1.0], "train.final_lr", judge=_of("warmupcosine reduceonplateau")),
    exact(S + "REDUCEONPLATEAU_FACTOR", 0.5, "train.plateau_factor", judge=_of("reduceonplateau")),
    exact(S + "REDUCEONPLATEAU_PATIENCE", -1, "train.plateau_patience",
          judge=_of("reduceonplateau")),
    exact(S + "WARMUP_COSINE_DECAY_EPOCHS", -1, "train.warmup", judge=_of("warmupcosine")),
    exact(S + "COSINE_DECAY_FRACTION", -1.0, "train.decay_part", judge=_of("warmupcosine")),
    exact(T + "ACCUM_ITER", 1, "train.accumulation"),
)  # fmt: skip
