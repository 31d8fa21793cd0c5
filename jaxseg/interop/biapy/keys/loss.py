"""LOSS: terms, weights, rare classes and voxels that do not count."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import Job, Key, Verdict, exact, switched

L = "LOSS."
TERMS = ("CE", "DICE")


def settings(job: Job) -> dict[str, Any]:
    """A label that marks voxels nobody looked at, where labels are numbers of objects."""
    plain_objects = job.instances and job["DATA.N_CLASSES"] <= 2
    return {"data.ignore": job[L + "IGNORE_INDEX"] if plain_objects else -1}


def class_loss(job: Job) -> dict[str, Any]:
    """Options of the channel S."""
    weights = dict.fromkeys(TERMS, 0.0) | terms(job)
    found: dict[str, Any] = {
        "ignore": job[L + "IGNORE_INDEX"],
        "cross_entropy": weights["CE"],
        "dice": weights["DICE"],
    }
    if job[L + "CLASS_REBALANCE"] == "manual":
        found["class_weights"] = [float(weight) for weight in job[L + "CLASS_WEIGHTS"]]
    return found


def terms(job: Job) -> dict[str, float]:
    """Weights of the terms of the loss of classes, by name.

    The text W_CE_DICE names cross entropy first, and its weights follow that order.
    """
    given = [str(term).upper() for term in job[L + "TYPE"]] if not job.counted else []
    if given == ["W_CE_DICE"]:
        given = ["CE", "DICE"]
    names = given or ["CE"]
    if set(names) - set(TERMS) or len(set(names)) < len(names):
        raise ConfigError("unknown loss", where=job.where(L + "TYPE"), found=given,
                          expected="CE, DICE, [CE, DICE] or W_CE_DICE")  # fmt: skip
    weights = [float(weight) for weight in job[L + "WEIGHTS"]] if not job.counted else []
    weights = weights or [1.0] * len(names)
    if len(weights) != len(names) or min(weights) < 0:
        expected = f"{len(names)} numbers of at least 0, for {', '.join(names)}"
        raise ConfigError("one weight per term", where=job.where(L + "WEIGHTS"), found=weights,
                          expected=expected)  # fmt: skip
    return dict(zip(names, weights, strict=True))


def _type(value: Any, job: Job) -> Verdict | None:
    del value
    if job.counted:
        return Verdict("no effect", "", "every channel has its own loss")
    return None


def _rebalance(value: Any, job: Job) -> Verdict | None:
    word = str(value).lower()
    if word == "false" and job.counted:
        return Verdict("exact", "loss.balance", "off")
    if word in ("none", "false"):
        return Verdict("exact", "channels.S.class_weights", "off")
    if word == "manual":
        return None
    if word == "true" and job.counted:
        return Verdict("exact", "loss.balance")
    if word == "true":
        return Verdict("no effect", "", "classes are weighted by CLASS_WEIGHTS alone, as in BiaPy")
    if word == "auto" and job.counted:
        return Verdict("approximated", "loss.balance", "patch by patch")
    return Verdict("refused", "", "none, manual or True only")


def _ignored(value: Any, job: Job) -> Verdict | None:
    del value
    if job.instances:
        return Verdict("exact", "data.ignore")
    if job.detection and job["DATA.N_CLASSES"] <= 2:
        return Verdict("no effect", "", "points have no such value")
    return None


ROWS: tuple[Key, ...] = (
    exact(L + "TYPE", [], "channels.S.dice", judge=_type),
    exact(L + "WEIGHTS", [], "channels.S.cross_entropy", judge=_type),
    exact(L + "CLASS_REBALANCE", "none", "channels.S.class_weights", judge=_rebalance),
    exact(L + "CLASS_WEIGHTS", [], "channels.S.class_weights",
          judge=lambda value, job: None if job[L + "CLASS_REBALANCE"] == "manual" else
          Verdict("no effect", "", "LOSS.CLASS_REBALANCE is not manual")),
    exact(L + "IGNORE_INDEX", -1, "channels.S.ignore",
          judge=_ignored),
    *switched(L + "CONTRAST.", {"ENABLE": False, "MEMORY_SIZE": 5000, "PROJ_DIM": 256,
                                "PIXEL_UPD_FREQ": 10},
              "no contrastive loss; BiaPy 3.7.1 raises an error with every network, too",
              needs=("training",)),
)  # fmt: skip
