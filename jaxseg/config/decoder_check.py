"""What can be wrong with the choice of a decoder and its options."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from jaxseg.config.decoders import DECODER_LIMITS, NEEDS, Agglomeration, decoder_for
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

# Options of the watershed that hold for every decoder.
SHARED = ("check_files",)


def decoder_mistakes(config: Config) -> Iterator[ConfigError]:
    """Everything about the decoder that does not depend on files."""
    names = {channel.name for channel in config.channels}
    missing = NEEDS.get(config.decoder, frozenset()) - names
    if missing:
        yield ConfigError(
            f"the decoder {config.decoder} needs other channels",
            file="decoder",
            expected=" ".join(sorted(NEEDS[config.decoder])),
            found=" ".join(sorted(names)),
            fix="--decoder auto",
        )
    if config.decoder != "auto" and config.task == "semantic":
        yield ConfigError(
            "classes need no decoder", file="decoder", found=config.decoder, fix="--decoder auto"
        )
    for name in NEEDS:
        yield from option_mistakes(getattr(config, name), name)
    engine = config.agglomeration.engine
    if config.blocks.decodes and joins_fragments(config) and engine != "own":
        yield ConfigError(
            f"{engine} joins the fragments of images in memory only",
            file="agglomeration.engine",
            found=f"{engine} and blocks.size {config.blocks.size}",
            fix="--agglomeration.engine own, or --blocks.decode whole",
        )


def joins_fragments(config: Config) -> bool:
    """Whether objects are fragments that are joined, by blocks in stages of their own."""
    names = [channel.name for channel in config.channels]
    chosen = decoder_for(names) if config.decoder == "auto" else config.decoder
    return config.task == "instances" and chosen == "agglomeration"


def option_mistakes(options: object, field: str) -> Iterator[ConfigError]:
    """Options of a decoder that are out of range."""
    for name, good, expected in DECODER_LIMITS.get(type(options), ()):
        value = getattr(options, name)
        if not good(value):
            yield ConfigError(
                "value out of range", file=f"{field}.{name}", expected=expected, found=value
            )
    if (
        isinstance(options, Agglomeration)
        and options.engine == "waterz"
        and options.min_contact > 1
    ):
        yield ConfigError(
            "waterz joins contacts of any size",
            file=f"{field}.min_contact",
            found=options.min_contact,
            fix="--agglomeration.engine own",
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
                file=field,
                found=" ".join(changed),
                fix=f"--decoder {field}, or remove it",
            )
