"""How intensities are scaled before a network sees them: ours, and as BioImage.IO describes it.

=====================  ================================================
``normalize``          step of the specification
=====================  ================================================
percentile, per image  ``scale_range`` over space, each channel by itself
zscore, per image      ``zero_mean_unit_variance`` over space
scope dataset, dtype   ``scale_linear`` with the numbers of the training
none                   no step
=====================  ================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseg.config import Normalize
from jaxseg.errors import ConfigError
from jaxseg.normalize import Stats

# The specification adds this to a width, which we do not; it must be above 0.
EPSILON = 1e-12
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")


class Scaling(NamedTuple):
    """The scaling that a network expects."""

    method: str
    """percentile, zscore, dtype, none, as in ``normalize``; fixed = by known numbers."""
    percentiles: tuple[float, float] = (0.0, 100.0)
    epsilon: float = 0.0
    """Added to the width that becomes 1."""
    stats: Stats | None = None
    """Of fixed."""
    dtype: str = ""
    """Element type that images must have; empty = any."""


def scaling_of(normalize: Normalize, stats: Stats) -> Scaling:
    """The scaling that one of our networks expects.

    Parameters
    ----------
    normalize, stats : of its training

    Raises
    ------
    ConfigError : clipped intensities, for which images have no step of their own
    """
    if normalize.clip or normalize.clip_low:
        raise ConfigError(
            "a package cannot say that intensities are clipped before they are scaled",
            where="normalize.clip",
            found=normalize.clip or (normalize.clip_low, normalize.clip_high),
            fix="train without clipping, e.g. with --normalize.method percentile",
        )
    if normalize.scope == "patch":
        raise ConfigError(
            "a package cannot say that patches are scaled by themselves",
            where="normalize.scope",
            expected="image or dataset",
            found="patch",
        )
    if normalize.method != "none" and (normalize.scope == "dataset" or normalize.mean):
        return Scaling("fixed", stats=stats)
    if normalize.method == "range":
        return Scaling("percentile", percentiles=(0.0, 100.0))
    return Scaling(normalize.method, percentiles=normalize.percentiles)


def steps_of(scaling: Scaling, stats: Stats, ndim: int) -> tuple[list[dict[str, Any]], str]:
    """A scaling as steps of the specification, and a sentence about it for the description.

    Parameters
    ----------
    scaling : what the network expects
    stats : of a training image, in which dtype has its number
    ndim : 2 or 3
    """
    axes, channels = list("zyx"[-ndim:]), len(stats.offset)
    if scaling.method == "percentile":
        low, high = scaling.percentiles
        kwargs: dict[str, Any] = {"axes": axes, "min_percentile": low, "max_percentile": high}
        step = {"id": "scale_range", "kwargs": {**kwargs, "eps": EPSILON}}
        return [step], f"Percentiles {low} and {high} of a whole image, not of a tile, are 0 and 1."
    if scaling.method == "zscore":
        step = {"id": "zero_mean_unit_variance", "kwargs": {"axes": axes, "eps": EPSILON}}
        return [step], "Mean and deviation are those of a whole image, not of a tile."
    if scaling.method == "none":
        return [], "Intensities are not scaled."
    known = {1.0, *(1 / np.iinfo(name).max for name in TYPES)}
    if scaling.method == "dtype" and not set(stats.scale) <= known:
        return [], "Divide intensities by the largest value of their type; no step here does it."
    used = scaling.stats or stats
    gains = list(used.scale)
    offsets = [-offset * gain for offset, gain in zip(used.offset, gains, strict=True)]
    step = {"id": "scale_linear", "kwargs": _along_channels(gains, offsets, channels)}
    redundant = set(gains) == {1.0} and set(offsets) == {0.0}
    return [] if redundant else [step], "Intensities are scaled by the numbers of the training."


def _along_channels(gains: list[float], offsets: list[float], channels: int) -> dict[str, Any]:
    if channels == 1:
        return {"gain": gains[0], "offset": offsets[0]}
    return {"axis": "channel", "gain": gains, "offset": offsets}


def read_steps(steps: Sequence[Mapping[str, Any]], ndim: int, channels: int, file: str) -> Scaling:
    """The scaling that steps of the specification describe.

    Parameters
    ----------
    steps : ``{"id": ..., "kwargs": {...}}`` each
    ndim, channels : of the input
    file : for messages

    Raises
    ------
    ConfigError : a step that has no counterpart here, by its name
    """
    found, dtype = Scaling("none"), ""
    for step in steps:
        name, kwargs = step["id"], step.get("kwargs") or {}
        if name == "ensure_dtype" and kwargs["dtype"] in ("float32", "float64"):
            continue
        fresh = found.method == "none"
        if name == "ensure_dtype" and fresh:
            dtype = kwargs["dtype"]
        elif name in READERS and fresh:
            found = READERS[name](kwargs, ndim, channels, file)
        else:
            raise _unknown(name, file)
    return found._replace(dtype=dtype)


def _unknown(name: str, file: str) -> ConfigError:
    return ConfigError(
        f"the package scales images by {name}, which has no counterpart here",
        where=file,
        expected="one of " + ", ".join(["ensure_dtype", *READERS]) + ", once",
    )


def _per_channel(name: str, kwargs: Mapping[str, Any], ndim: int, channels: int, file: str) -> None:
    """Refuse statistics over other axes than space; an image is a batch of its own."""
    axes = kwargs.get("axes")
    axes = set("zyx"[-ndim:]) | {"channel"} if axes is None else set(map(str, axes)) - {"batch"}
    if axes - {"channel"} != set("zyx"[-ndim:]) or ("channel" in axes and channels > 1):
        raise ConfigError(
            f"the package's {name} is over axes that have no counterpart here",
            where=file,
            expected=", ".join("zyx"[-ndim:]),
            found=", ".join(sorted(axes)),
        )


def _scale_range(kwargs: Mapping[str, Any], ndim: int, channels: int, file: str) -> Scaling:
    _per_channel("scale_range", kwargs, ndim, channels, file)
    if kwargs.get("reference_tensor"):
        raise _unknown("scale_range of another tensor", file)
    low, high = kwargs.get("min_percentile", 0.0), kwargs.get("max_percentile", 100.0)
    return Scaling("percentile", (float(low), float(high)), float(kwargs.get("eps", 1e-6)))


def _zero_mean(kwargs: Mapping[str, Any], ndim: int, channels: int, file: str) -> Scaling:
    _per_channel("zero_mean_unit_variance", kwargs, ndim, channels, file)
    return Scaling("zscore", epsilon=float(kwargs.get("eps", 1e-6)))


def _fixed(kwargs: Mapping[str, Any], ndim: int, channels: int, file: str) -> Scaling:
    """``(x - mean) / std``."""
    mean, deviation = (_each(kwargs[name], channels, file) for name in ("mean", "std"))
    return Scaling("fixed", stats=Stats(mean, tuple(1 / value for value in deviation)))


def _scale_linear(kwargs: Mapping[str, Any], ndim: int, channels: int, file: str) -> Scaling:
    """``gain * x + offset``."""
    gain = _each(kwargs.get("gain", 1.0), channels, file)
    offset = _each(kwargs.get("offset", 0.0), channels, file)
    if not all(gain):
        raise _unknown("scale_linear with gain 0", file)
    shift = tuple(-o / g for o, g in zip(offset, gain, strict=True))
    return Scaling("fixed", stats=Stats(shift, gain))


def _each(value: Any, channels: int, file: str) -> tuple[float, ...]:
    """One number for each channel."""
    values = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),) * channels
    if len(values) != channels:
        raise ConfigError(
            "numbers for other channels", where=file, expected=channels, found=len(values)
        )
    return values


READERS = {
    "scale_range": _scale_range,
    "zero_mean_unit_variance": _zero_mean,
    "fixed_zero_mean_unit_variance": _fixed,
    "scale_linear": _scale_linear,
}


def disagreement(scaling: Scaling, normalize: Normalize, file: str) -> ConfigError | None:
    """The error where a configuration scales images in another way than a network expects."""
    if scaling.method == "fixed":
        same = normalize.scope == "dataset" or normalize.method == "dtype"
        wanted, fix = "numbers of the training", "--normalize.scope dataset"
    else:
        wanted, fix = scaling.method, f"--normalize.method {scaling.method}"
        same = normalize.method == scaling.method
        same &= scaling.method == "none" or normalize.scope == "image"
        fix += " --normalize.scope image" if normalize.scope != "image" else ""
    if scaling.method == "percentile":
        same &= normalize.percentiles == scaling.percentiles
        low, high = scaling.percentiles
        wanted, fix = f"percentile {low} {high}", f"{fix} --normalize.percentiles {low} {high}"
    if same:
        return None
    found = f"{normalize.method} {normalize.percentiles if 'perc' in normalize.method else ''}"
    return ConfigError(
        "the network expects images scaled in another way",
        where=file,
        expected=wanted,
        found=f"{found.strip()}, scope {normalize.scope}",
        fix=fix,
    )


def stats_for(scaling: Scaling, fitted: Stats) -> Stats:
    """The numbers to scale an image by.

    Parameters
    ----------
    scaling : what the network expects
    fitted : those of the image, by the same method

    >>> stats_for(Scaling("zscore", epsilon=1.0), Stats((5.0,), (1.0,)))
    Stats(offset=(5.0,), scale=(0.5,), low=(), high=(), own=(), clip=())
    """
    if scaling.stats is not None:
        return scaling.stats
    # A constant channel has scale 0 and stays zero.
    scale = tuple(1 / (1 / s + scaling.epsilon) if s else 0.0 for s in fitted.scale)
    return Stats(fitted.offset, scale) if scaling.epsilon else fitted
