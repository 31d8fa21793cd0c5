"""What of a configuration does not go with its task; every task has one of these functions."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.errors import ConfigError


def instance_rules(config: Config) -> Iterator[ConfigError]:
    """Channels that show no objects, and objects that need what is not measured."""
    names = [channel.name for channel in config.channels]
    classes = [channel for channel in config.channels if channel.options.exclusive]
    if names and len(classes) == len(names):
        yield ConfigError(
            f"{names[0]} alone shows no objects",
            file="channels",
            fix="--task semantic, or channels of instances beside it",
        )
    else:
        yield from _classes_of_objects(config)
    options = config.postprocess
    measured = options.changes_objects or options.properties or classes
    if config.blocks.decodes and measured and not config.blocks.measure:
        yield ConfigError(
            "classes and post-processing of objects need their measurements",
            file="blocks.measure",
            fix="--blocks.measure",
        )


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


def semantic_rules(config: Config) -> Iterator[ConfigError]:
    """Anything to learn but classes, and a decoder."""
    names = [channel.name for channel in config.channels]
    classes = [channel for channel in config.channels if channel.options.exclusive]
    if names and not len(classes) == len(names) == 1:
        yield ConfigError(
            "a semantic task learns exactly the channel S", file="channels", found=names
        )
    yield from no_decoder(config)


def detection_rules(config: Config) -> Iterator[ConfigError]:
    """Channels that have no peaks, and a decoder of objects."""
    if any(channel.options.exclusive or channel.options.joint for channel in config.channels):
        yield ConfigError(
            "points are peaks of the first plane, which must be one number per voxel",
            file="channels",
            found=[channel.name for channel in config.channels],
            fix="channels=(ch('Db'),)",
        )
    yield from points_are_compared(config)
    yield from no_decoder(config)


def points_are_compared(config: Config) -> Iterator[ConfigError]:
    """A comparison of planes where the truth is points."""
    if config.evaluate.planes:
        yield ConfigError(
            "planes are compared of objects and classes, not of points",
            file="evaluate.planes",
            fix="leave it out",
        )


def no_decoder(config: Config) -> Iterator[ConfigError]:
    """A decoder of objects where there are none."""
    if config.decoder != "auto":
        yield ConfigError(
            "only objects need a decoder",
            file="decoder",
            found=config.decoder,
            fix="--decoder auto",
        )
