"""Rules about the channels together."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.channels import Affinity, Channel, Flow, Semantic
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

NEIGHBORHOODS = {2: (0, 4, 8), 3: (0, 6, 18, 26)}


def representation_problems(config: Config) -> Iterator[ConfigError]:
    """Channels that are missing, do not go together, or have illegal options."""
    names = [channel.name for channel in config.channels]
    if not names:
        yield ConfigError(
            "no channel to learn",
            file="channels",
            fix="channels=(ch('F'), ch('C'), ch('Db')), or (ch('S', classes=2),) for classes",
        )
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigError(f"channel {name} is listed twice", file="channels")
    if config.task == "semantic" and names and names != ["S"]:
        yield ConfigError(
            "a semantic task learns exactly the channel S", file="channels", found=names
        )
    if config.task == "instances" and names == ["S"]:
        yield ConfigError(
            "S alone shows no objects",
            file="channels",
            fix="--task semantic, or channels of instances beside it",
        )
    elif config.task == "instances":
        yield from _classes_of_objects(config)
    if "E" in names and set(names) - {"E", "S"}:
        yield ConfigError("E cannot be used with other channels", file="channels", found=names)
    if ("H" in names) != ("V" in names) or ("Z" in names and "H" not in names):
        yield ConfigError("H and V belong together, and Z to them", file="channels", found=names)
    if "Z" in names and config.ndim == 2:
        yield ConfigError(
            "Z needs three dimensions", file="channels", fix="remove it or set ndim=3"
        )
    yield from _flows(config, set(names))
    for index, channel in enumerate(config.channels):
        yield from _radii(channel, f"channels.{index}.options", config.ndim)
    yield from _legacy(config)
    yield from _affinities(config)


def _radii(channel: Channel, field: str, ndim: int) -> Iterator[ConfigError]:
    for name in ("dilation", "erosion"):
        value = getattr(channel.options, name, 0)
        if isinstance(value, tuple) and len(value) != ndim:
            expected = f"one, or {ndim} ({'zyx'[-ndim:]})"
            yield ConfigError(
                "wrong number of values", file=f"{field}.{name}", expected=expected, found=value
            )


def _legacy(config: Config) -> Iterator[ConfigError]:
    options = {channel.name: channel.options for channel in config.channels}
    merged, contour = options.get("M"), options.get("C")
    if merged is None:
        return
    if contour is None or "F" not in options:
        yield ConfigError(
            "M is of use only beside F and C", file="channels", found=list(options), fix="remove M"
        )
    elif getattr(merged, "mode", "") != getattr(contour, "mode", ""):
        yield ConfigError("M and C must have the same mode", file="channels")


def _classes_of_objects(config: Config) -> Iterator[ConfigError]:
    for channel in config.channels:
        options, names = channel.options, config.semantic.names
        if not isinstance(options, Semantic):
            continue
        if options.classes < 3:
            yield ConfigError(
                "S beside instances needs at least 3 classes",
                file="channels",
                expected="classes=3 or more, background included",
                found=options.classes,
            )
        if names and len(names) != options.classes:
            expected = f"{options.classes}, background first"
            yield ConfigError(
                "one name per class", file="semantic.names", expected=expected, found=names
            )


def _flows(config: Config, names: set[str]) -> Iterator[ConfigError]:
    flows = {"Gv", "Gh"} | ({"Gz"} if config.ndim == 3 else set())
    given = names & {"Gv", "Gh", "Gz"}
    if given and given != flows:
        yield ConfigError(
            "the components of a flow belong together",
            file="channels",
            expected=" ".join(sorted(flows)),
            found=" ".join(sorted(given)),
        )
    if given and not names & {"F", "B", "D", "Db", "A"}:
        yield ConfigError(
            "flows do not tell objects from background", file="channels", fix="add ch('F')"
        )
    reaches = {c.options.max_distance for c in config.channels if isinstance(c.options, Flow)}
    if len(reaches) > 1:
        yield ConfigError(
            "components of one flow with different options",
            file="channels",
            found=f"max_distance {sorted(reaches)}",
        )


def _affinities(config: Config) -> Iterator[ConfigError]:
    """Offsets that do not fit the dimensions, or of which none or two are the same."""
    for channel in config.channels:
        if not isinstance(channel.options, Affinity):
            continue
        offsets, legal = channel.options.offsets, NEIGHBORHOODS[config.ndim]
        if channel.options.neighborhood not in legal:
            yield ConfigError(
                "illegal neighborhood",
                file="channels.A.neighborhood",
                expected=legal,
                found=channel.options.neighborhood,
            )
        if any(len(offset) != config.ndim or not any(offset) for offset in offsets):
            yield ConfigError(
                "illegal offset",
                file="channels.A.offsets",
                found=offsets,
                expected=f"{config.ndim} numbers each, not all zero",
            )
