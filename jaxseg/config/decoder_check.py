"""What can be wrong with the choice of a decoder and its options."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.decoders import DECODER_LIMITS, NEEDS
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError


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


def option_mistakes(options: object, field: str) -> Iterator[ConfigError]:
    """Options of a decoder that are out of range."""
    for name, good, expected in DECODER_LIMITS.get(type(options), ()):
        value = getattr(options, name)
        if not good(value):
            yield ConfigError(
                "value out of range", file=f"{field}.{name}", expected=expected, found=value
            )
