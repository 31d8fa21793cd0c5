"""Rules about the channels together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from jaxseg.config.channels import Affinity, Channel
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

# Components that belong together, and those that may be left out.
FLOWS = {
    2: ((("Gh", "Gv"), ("Gz",)), (("H_pre", "V_pre"), ("Z_pre",))),
    3: ((("Gh", "Gv", "Gz"), ()), (("H_pre", "V_pre", "Z_pre"), ())),
}
NEIGHBORHOODS = {2: (0, 4, 8), 3: (0, 6, 18, 26)}


def representation_problems(config: Config) -> Iterator[ConfigError]:
    """Channels that are missing, do not go together, or have illegal options."""
    names = [channel.name for channel in config.channels]
    if not names:
        yield ConfigError(
            "no channel to learn",
            where="channels",
            fix="channels=(ch('F'), ch('C'), ch('Db')), or (ch('S', classes=2),) for classes",
        )
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigError(f"channel {name} is listed twice", where="channels")
    options = [channel.options for channel in config.channels]
    classes = [one for one in options if one.exclusive]
    for channel in config.channels:
        if channel.options.joint and len(names) > 1 + len(classes):
            yield ConfigError(
                f"{channel.name} cannot be used with other channels", where="channels", found=names
            )
    yield from _components(config)
    if any(one.family == "flow" for one in options) and not any(
        one.tells_objects for one in options
    ):
        yield ConfigError(
            "flows do not tell objects from background", where="channels", fix="add ch('F')"
        )
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
                "wrong number of values", where=f"{field}.{name}", expected=expected, found=value
            )


def _legacy(config: Config) -> Iterator[ConfigError]:
    options = {channel.name: channel.options for channel in config.channels}
    merged, contour = options.get("M"), options.get("C")
    if merged is None:
        return
    if contour is None or "F" not in options:
        yield ConfigError(
            "M is of use only beside F and C", where="channels", found=list(options), fix="remove M"
        )
    elif getattr(merged, "mode", "") != getattr(contour, "mode", ""):
        yield ConfigError("M and C must have the same mode", where="channels")


def _components(config: Config) -> Iterator[ConfigError]:
    """Vectors whose components are missing, or not of the same options."""
    given = {channel.name for channel in config.channels}
    for name in sorted(given & {"Z", "Gz", "Z_pre"}) if config.ndim == 2 else ():
        yield ConfigError(
            f"{name} needs three dimensions", where="channels", fix="remove it or set ndim=3"
        )
    for needed, more in ((("H", "V"), ("Z",)), *FLOWS[config.ndim]):
        found = given & {*needed, *more}
        if found and not found >= set(needed):
            yield ConfigError(
                "the components of a vector belong together",
                where="channels",
                expected=" ".join(needed),
                found=" ".join(sorted(found)),
            )
    for family in sorted({c.options.family for c in config.channels} - {"", "centre"}):
        own = [channel.options for channel in config.channels if channel.options.family == family]
        if any(one != own[0] for one in own):
            yield ConfigError(
                f"components of one {family} with different options",
                where="channels",
                found=own,
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
                where="channels.A.neighborhood",
                expected=legal,
                found=channel.options.neighborhood,
            )
        whole = [*_near(channel.options.neighborhood, config.ndim), *offsets]
        seen = {max(offset, tuple(-step for step in offset)) for offset in whole}
        if len(seen) < len(whole):
            yield ConfigError(
                "an offset or its opposite is there twice",
                where="channels.A.offsets",
                found=offsets,
            )
        if any(len(offset) != config.ndim or not any(offset) for offset in offsets):
            yield ConfigError(
                "illegal offset",
                where="channels.A.offsets",
                found=offsets,
                expected=f"{config.ndim} numbers each, not all zero",
            )


def _near(neighborhood: int, ndim: int) -> list[tuple[int, ...]]:
    """One offset per pair of a neighbourhood."""
    most = {4: 1, 6: 1, 18: 2, 8: 2, 26: 3}.get(neighborhood, 0)
    every = itertools.product((-1, 0, 1), repeat=ndim)
    return [one for one in every if one > (0,) * ndim and sum(map(abs, one)) <= most]
