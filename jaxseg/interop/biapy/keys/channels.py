"""DATA_CHANNELS and its lists of options, losses and weights as our channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys import detection, synapses
from jaxseg.interop.biapy.keys.row import Job

PREFIX = "PROBLEM.INSTANCE_SEG."
EMBEDDING = ("E_offset", "E_sigma", "E_seediness")
KNOWN = ("F", "B", "P", "C", "T", "M", "A", "H", "V", "Z", "Db", "Dc", "Dn", "D", "R", "E", "Gv",
         "Gh", "Gz")  # fmt: skip
# Letters of the first versions, where a text such as BCD listed the channels.
LETTERS = {"B": "F", "C": "C", "M": "M", "D": "Db", "P": "P", "A": "A", "Dv2": "D"}
LOSSES = {"bce": "bce", "mse": "mse", "l1": "mae", "mae": "mae", "ce": "ce", "embedseg": "default"}
SAME_MASK = {"dilation": "dilation", "erosion": "erosion"}
SAME_FLOAT = {"norm": "norm", "mask_values": "mask_values"}
# Options of a channel that are ours under the same or another name.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "F": SAME_MASK,
    "B": SAME_MASK,
    "P": {"type": "type", "skeleton_mode": "skeleton_mode", **SAME_MASK},
    "C": {"mode": "mode"},
    "T": {"thickness": "thickness"},
    "M": {"mode": "mode"},
    "Db": SAME_FLOAT,
    "Dc": {"type": "type", **SAME_FLOAT},
    "Dn": {"closing_size": "closing_size", "decline_power": "decline_power", **SAME_FLOAT},
    "D": {"alpha": "alpha", "beta": "beta", "norm": "norm", "act": "activation",
          "activation": "activation"},
    **dict.fromkeys(("H", "V", "Z"), SAME_FLOAT),
    "R": {"nrays": "nrays", **SAME_FLOAT},
    "E": {"center_mode": "center"},
    "A": {"neighborhood": "neighborhood", "widen_borders": "widen"},
}  # fmt: skip
# Options that need no counterpart, with the values for which that is true; None = any.
FIXED: Mapping[tuple[str, str], tuple[Any, ...] | None] = {
    ("Db", "act"): ("", "sigmoid", "linear"),
    ("H", "act"): ("", "linear"),
    ("V", "act"): ("", "linear"),
    ("Z", "act"): ("", "linear"),
    ("Gv", "gradient_type"): ("cellpose", "omnipose"),
    ("Gh", "gradient_type"): ("cellpose", "omnipose"),
    ("Gz", "gradient_type"): ("cellpose", "omnipose"),
    ("E", "medoid_max_points"): None,
}


def channel_names(given: Any) -> tuple[str, ...]:
    """Names of channels: a list of them, or a text of old letters.

    >>> channel_names("BCD"), channel_names(["F", "Db"]), channel_names("BCDv2")
    (('F', 'C', 'Db'), ('F', 'Db'), ('F', 'C', 'D'))
    """
    if isinstance(given, list) and len(given) == 1 and given[0] not in (*KNOWN, *EMBEDDING):
        given = given[0]
    if not isinstance(given, str):
        return tuple(str(name) for name in given)
    if given in KNOWN and given not in LETTERS:
        return (given,)
    found: list[str] = []
    rest = given
    while rest:
        letter = next((word for word in ("Dv2", *LETTERS) if rest.startswith(word)), "")
        if not letter:
            raise ConfigError(
                f"unknown channels {given!r}",
                expected="a list of " + " ".join(KNOWN) + ", or the letters " + " ".join(LETTERS),
            )
        found.append(LETTERS[letter])
        rest = rest[len(letter) :]
    return tuple(found)


def channels(job: Job) -> list[dict[str, Any]]:
    """The channels of a job, as a saved configuration holds them."""
    classes = job["DATA.N_CLASSES"]
    if job.detection:
        own = detection.channels(job)
        return [*own, _classes(job, detection.class_weight(job))] if classes > 2 else own
    if job.synapses:
        return synapses.channels(job)
    if not job.instances:
        return [_classes(job, 1.0)]
    names = channel_names(job[PREFIX + "DATA_CHANNELS"])
    unknown = [name for name in names if name not in KNOWN and name not in EMBEDDING]
    if unknown:
        raise ConfigError(
            f"unknown channel {unknown[0]!r}",
            where=job.where(PREFIX + "DATA_CHANNELS"),
            expected="some of " + " ".join((*KNOWN, *EMBEDDING)),
        )
    weights, losses = _weights(job, names, classes > 2), _losses(job, names)
    options = _options(job, names)
    found: list[dict[str, Any]] = []
    for name, weight, loss in zip(names, weights, losses, strict=False):
        if name in EMBEDDING or name == "E":
            continue
        found.append({"name": name, "options": options[name], "weight": weight, "loss": loss})
    if set(names) & {*EMBEDDING, "E"}:
        found.insert(0, {"name": "E", "options": options["E"] | _embedding_weights(job)})
    if classes > 2:
        found.append(_classes(job, weights[-1]))
    return found


def _classes(job: Job, weight: float) -> dict[str, Any]:
    """The channel of classes, with the loss of LOSS."""
    from jaxseg.interop.biapy.keys.loss import class_loss

    options = {"classes": max(job["DATA.N_CLASSES"], 2), **class_loss(job)}
    return {"name": "S", "options": options, "weight": weight}


def _weights(job: Job, names: tuple[str, ...], classes: bool) -> list[float]:
    """One weight per channel, and one for classes."""
    key = PREFIX + "DATA_CHANNEL_WEIGHTS"
    count = len(names) + classes
    if key not in job.given or set(names) & {*EMBEDDING, "E"}:
        return [1.0] * count
    weights = [float(weight) for weight in job[key]]
    if len(weights) != count:
        raise ConfigError(
            "wrong number of weights",
            where=job.where(key),
            expected=f"{count}, one per channel {' '.join(names)}" + " and classes" * classes,
            found=len(weights),
        )
    return weights


def _embedding_weights(job: Job) -> dict[str, float]:
    """Weights of the terms of E; the list has those of foreground, objects, variance and seeds."""
    key = PREFIX + "DATA_CHANNEL_WEIGHTS"
    if key not in job.given:
        return {}
    terms = ("foreground_weight", "instance_weight", "variance_weight", "seed_weight")
    if len(job[key]) != len(terms):
        raise ConfigError(
            "wrong number of weights",
            where=job.where(key),
            expected="4 for embeddings: foreground, objects, variance, seeds",
            found=len(job[key]),
        )
    return dict(zip(terms, map(float, job[key]), strict=True))


def _losses(job: Job, names: tuple[str, ...]) -> list[str]:
    key = PREFIX + "DATA_CHANNELS_LOSSES"
    given = [str(loss) for loss in job[key]]
    if given and len(given) != len(names):
        raise ConfigError(
            "wrong number of losses", where=job.where(key), expected=len(names), found=len(given)
        )
    for loss in given:
        if loss not in LOSSES:
            raise ConfigError(
                f"unknown loss {loss!r}",
                where=job.where(key),
                expected="one of " + ", ".join(LOSSES),
            )
    return [LOSSES[loss] for loss in given] or ["default"] * len(names)


def extra_options(job: Job) -> dict[str, dict[str, Any]]:
    """DATA_CHANNELS_EXTRA_OPTS by channel; it is a mapping, or a list of some."""
    given = job[PREFIX + "DATA_CHANNELS_EXTRA_OPTS"]
    parts = given if isinstance(given, list) else [given]
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for name, options in (part or {}).items():
            name = "E" if name in EMBEDDING else name
            found.setdefault(name, {}).update(options or {})
    return found


def omnipose(job: Job) -> bool:
    """Whether some channel is to be as in Omnipose."""
    return any("omnipose" in options.values() for options in extra_options(job).values())


def _options(job: Job, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Our options of every channel."""
    given, where = extra_options(job), job.where(PREFIX + "DATA_CHANNELS_EXTRA_OPTS")
    listed = {"E" if name in EMBEDDING else name for name in names}
    for name in given:
        if name not in listed:
            raise ConfigError(f"options of {name!r}, which is not learned", where=where,
                              expected="some of " + " ".join(sorted(listed)))  # fmt: skip
    return {name: _of_channel(name, given.get(name, {}), job, where) for name in listed}


def _of_channel(name: str, given: Mapping[str, Any], job: Job, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = OPTIONS.get(name, {})
    offsets: list[list[int]] = []
    for option, value in given.items():
        if option in known:
            found[known[option]] = value
        elif name == "A" and option in STEPS:
            offsets += _along(option, value, job.ndim)
        elif option == "val_type" and name == "Db" and value in DISTANCES:
            found |= DISTANCES[value]
        elif (name, option) in FIXED:
            fine = FIXED[name, option]
            if fine is not None and value not in fine:
                raise _no_option(name, option, value, where)
        else:
            raise _no_option(name, option, value, where)
    return found | ({"offsets": offsets} if offsets else {})


# Kinds of Db; for the fields of Omnipose those of Cellpose stand in.
DISTANCES: Mapping[str, dict[str, Any]] = {
    "norm": {"norm": True},
    "raw": {"norm": False},
    "omnipose": {},
}
STEPS = ("z_affinities", "y_affinities", "x_affinities")


def _along(option: str, value: Any, ndim: int) -> list[list[int]]:
    """Offsets along one axis."""
    steps = value if isinstance(value, list) else [value]
    if not all(isinstance(step, (int, float)) for step in steps):
        raise ConfigError(f"{option} of channel A is no number", found=value)
    axis = STEPS.index(option) - 3
    return [[int(step) if place == axis else 0 for place in range(-ndim, 0)] for step in steps]


def _no_option(name: str, option: str, value: Any, where: str) -> ConfigError:
    legal = [*OPTIONS.get(name, ()), *(key for channel, key in FIXED if channel == name)]
    return ConfigError(
        f"channel {name} has no {option}={value!r} here",
        where=where,
        expected="one of " + ", ".join(legal) if legal else "no options",
    )
