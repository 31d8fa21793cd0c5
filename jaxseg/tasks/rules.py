"""What of a configuration does not go with its task; every task has one of these functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from jaxseg.config import Config, Detection
from jaxseg.config.channels import Semantic
from jaxseg.config.schema import SemanticOutput
from jaxseg.errors import ConfigError


def instance_rules(config: Config) -> Iterator[ConfigError]:
    """Channels that show no objects, and objects that need what is not measured."""
    names = [channel.name for channel in config.channels]
    classes = [channel for channel in config.channels if channel.options.exclusive]
    if names and len(classes) == len(names):
        yield ConfigError(
            f"{names[0]} alone shows no objects",
            where="channels",
            fix="--task semantic, or channels of instances beside it",
        )
    else:
        yield from classes_beside(config)
    yield from measured_objects(config)
    yield from no_points(config)


def measured_objects(config: Config) -> Iterator[ConfigError]:
    """Objects by blocks whose measurements are needed and not asked for."""
    options, classes = config.postprocess, has_classes(config)
    measured = options.changes_objects or options.properties or classes
    if measured and not config.blocks.measures:
        yield ConfigError(
            "classes and post-processing of objects need their measurements",
            where="blocks.measure",
            fix="--blocks.measure",
        )


def has_classes(config: Config) -> bool:
    """Whether classes are learned."""
    return any(channel.options.exclusive for channel in config.channels)


def classes_beside(config: Config) -> Iterator[ConfigError]:
    """Too few classes beside other channels, and names that are not theirs."""
    for channel in config.channels:
        options, names = channel.options, config.semantic.names
        if not isinstance(options, Semantic):
            continue
        if options.classes < 3:
            yield ConfigError(
                "S beside other channels needs at least 3 classes",
                where="channels",
                expected="classes=3 or more, background included",
                found=options.classes,
            )
        if names and len(names) != options.classes:
            expected = f"{options.classes}, background first"
            yield ConfigError(
                "one name per class", where="semantic.names", expected=expected, found=names
            )


def semantic_rules(config: Config) -> Iterator[ConfigError]:
    """Anything to learn but classes, and a decoder."""
    names = [channel.name for channel in config.channels]
    classes = [channel for channel in config.channels if channel.options.exclusive]
    if names and not len(classes) == len(names) == 1:
        yield ConfigError(
            "a semantic task learns exactly the channel S", where="channels", found=names
        )
    several = [c for c in classes if isinstance(c.options, Semantic) and c.options.classes > 2]
    if several and config.semantic.threshold != SemanticOutput().threshold:
        yield ConfigError(
            "of several classes the likeliest is taken, without a threshold",
            where="semantic.threshold",
            found=config.semantic.threshold,
            fix="leave it out",
        )
    yield from no_decoder(config)
    yield from no_points(config)


def points_are_compared(config: Config) -> Iterator[ConfigError]:
    """A comparison of planes where the truth is points."""
    if config.evaluate.planes:
        yield ConfigError(
            "planes are not compared in this task",
            where="evaluate.planes",
            fix="leave it out",
        )


def no_decoder(config: Config) -> Iterator[ConfigError]:
    """A decoder of objects where there are none."""
    if config.decoder != "auto":
        yield ConfigError(
            "only objects need a decoder",
            where="decoder",
            found=config.decoder,
            fix="--decoder auto",
        )


def no_points(config: Config) -> Iterator[ConfigError]:
    """Options of points in a task without them."""
    given, default = config.detection, Detection()
    names = [field.name for field in dataclasses.fields(default)]
    changed = [name for name in names if getattr(given, name) != getattr(default, name)]
    if changed:
        yield ConfigError("only the task detection reads this", where="detection",
                          fix="remove it, or --task detection",
                          found=" ".join(changed))  # fmt: skip
