"""Rules about the choice of a decoder and its options."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from jaxseg.config.decoders import NEEDS, decoder_for
from jaxseg.config.option import nearest, shown
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

# Options of the watershed that hold for every decoder.
SHARED = ("check_files",)


def decoder_problems(config: Config) -> Iterator[ConfigError]:
    """Everything about the decoder that does not depend on files."""
    names = {channel.name for channel in config.channels}
    if not isinstance(config.decoder, str):
        if not hasattr(config.decoder, "run"):
            yield ConfigError("this is no decoder", where="decoder", found=shown(config.decoder))
        return
    if config.decoder not in ("auto", *NEEDS) and ":" not in config.decoder:
        yield ConfigError(
            f"no such decoder{nearest(config.decoder, NEEDS)}",
            where="decoder",
            expected=f"auto, {', '.join(NEEDS)} or module:name",
            found=config.decoder,
        )
    if NEEDS.get(config.decoder, frozenset()) - names:
        yield ConfigError(
            f"the decoder {config.decoder} needs other channels",
            where="decoder",
            expected=" ".join(sorted(NEEDS[config.decoder])),
            found=" ".join(sorted(names)),
            fix="--decoder auto",
        )
    yield from _watershed(config)
    engine = config.agglomeration.engine
    chosen = decoder_for(list(names)) if config.decoder == "auto" else config.decoder
    if config.blocks.decodes and chosen == "agglomeration" and engine != "own":
        yield ConfigError(
            f"{engine} joins the fragments of images in memory only",
            where="agglomeration.engine",
            found=f"{engine} and blocks.size {config.blocks.size}",
            fix="--agglomeration.engine own, or --blocks.decode whole",
        )


def unused_options(config: Config, decoder: str) -> Iterator[ConfigError]:
    """Options that were set for another decoder than the one that runs."""
    for field in NEEDS:
        options = getattr(config, field)
        default = type(options)()
        names = (name.name for name in dataclasses.fields(options) if name.name not in SHARED)
        changed = [name for name in names if getattr(options, name) != getattr(default, name)]
        if changed and field != decoder:
            yield ConfigError(
                f"these channels are decoded by {decoder}, which does not read this",
                where=field,
                found=" ".join(changed),
                fix=f"--decoder {field}, or remove it",
            )


def _watershed(config: Config) -> Iterator[ConfigError]:
    names = [channel.name for channel in config.channels]
    for field in ("seeds", "growth", "surface"):
        for name in getattr(config.watershed, field):
            if name not in names:
                yield ConfigError(
                    f"{name!r} is not learned{nearest(name, names)}",
                    where=f"watershed.{field}",
                    expected=f"some of {names}",
                )
