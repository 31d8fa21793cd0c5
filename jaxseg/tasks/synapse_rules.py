"""Rules about synapses: their channels, and what is not there for them."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config import Config
from jaxseg.data.truth import SITES
from jaxseg.errors import ConfigError
from jaxseg.io.synapses import SIDES
from jaxseg.tasks.rules import no_decoder, points_are_compared

ADVICE = "channels=(ch('F_pre'), ch('F_post'), ch('H_pre'), ch('V_pre'), ch('Z_pre'))"


def synapse_rules(config: Config) -> Iterator[ConfigError]:
    """Channels that do not show synapses, and options that labels are needed for."""
    names = [channel.name for channel in config.channels]
    others = [channel.name for channel in config.channels if channel.options.truth != SITES.name]
    if others:
        yield ConfigError("channels that show no synaptic sites", where="channels", found=others,
                          fix=ADVICE)  # fmt: skip
    elif names:
        yield from _pairing(config, names)
    yield from _unused(config)
    yield from points_are_compared(config)
    yield from no_decoder(config)


def _pairing(config: Config, names: list[str]) -> Iterator[ConfigError]:
    """Sites of both sides, and how they are paired."""
    for name in ("threshold", "remove_close"):
        value = getattr(config.detection, name)
        if isinstance(value, tuple) and len(value) not in (1, len(SIDES)):
            yield ConfigError("wrong number of values", where=f"detection.{name}",
                              expected="one, or two: pre, post", found=value)  # fmt: skip
    radius, ndim = config.detection.radius, config.ndim
    if isinstance(radius, tuple) and len(radius) not in (1, ndim):
        yield ConfigError("wrong number of values", where="detection.radius", found=radius,
                          expected=f"one, or {ndim} ({'zyx'[-ndim:]})")  # fmt: skip
    vectors = any(channel.options.family == "partner" for channel in config.channels)
    missing = config.synapses.missing
    if "F_post" not in names:
        yield ConfigError("nothing shows the postsynaptic sites", where="channels", found=names,
                          fix="add ch('F_post')")  # fmt: skip
    elif "F_pre" not in names and not vectors:
        yield ConfigError("nothing shows the presynaptic sites", where="channels", found=names,
                          fix="add ch('F_pre'), or vectors; or --task detection")  # fmt: skip
    elif "F_pre" not in names and missing != "create":
        yield ConfigError("presynaptic sites are nowhere but where vectors lead",
                          where="synapses.missing", expected="create", found=missing,
                          fix="--synapses.missing create, or add ch('F_pre')")  # fmt: skip
    if missing == "create" and not vectors:
        yield ConfigError("only vectors tell where a missing site is", where="synapses.missing",
                          found=missing, fix="--synapses.missing unpaired")  # fmt: skip


def _unused(config: Config) -> Iterator[ConfigError]:
    """Options that need label images, or that sites do not follow."""
    filters = config.data.filter
    used = {
        "augment.cutmix.probability": config.augment.enable and config.augment.cutmix.probability,
        "loss.border_weight": config.loss.border_weight,
        "data.ignore": config.data.ignore != -1,
        "data.label_components": config.data.label_components,
        "data.probability_map.enable": config.data.probability_map.enable,
        "data.filter": any((filters.train, filters.val, filters.test)),
        "preprocess.resize": config.preprocess.resize,
        "predict.rescale": config.predict.rescale,
        "predict.zoom": config.predict.zoom,
        "data.resample": config.data.resample,
        "evaluate.border_crop": config.evaluate.border_crop,
        "detection.check": not config.detection.check,
        "detection.grow.enable": config.detection.grow.enable,
    }
    for field, on in used.items():
        if on:
            yield ConfigError("this is not there for synapses", where=field, fix="leave it out")
