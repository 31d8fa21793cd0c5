"""Rules about points: their channels and classes, their lengths, and what is not offered."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.errors import ConfigError
from jaxseg.tasks.rules import classes_beside, measured_objects, no_decoder

PER_CLASS = ("threshold", "remove_close", "grow.seed_radius")


def detection_rules(config: Config) -> Iterator[ConfigError]:
    """Options of points that do not fit the channels, the classes or the axes."""
    options, ndim = config.detection, config.ndim
    yield from classes_beside(config)
    yield from no_decoder(config)
    if options.grow.enable:
        yield from measured_objects(config)
    if isinstance(options.radius, tuple) and len(options.radius) not in (1, ndim):
        yield ConfigError("wrong number of values", where="detection.radius",
                          expected=f"one, or {ndim} ({'zyx'[-ndim:]})",
                          found=options.radius)  # fmt: skip
    kinds = [one.options for one in config.channels if isinstance(one.options, Semantic)]
    number = kinds[0].classes - 1 if kinds else 1
    for name in PER_CLASS:
        value = options.grow.seed_radius if "." in name else getattr(options, name)
        if isinstance(value, tuple) and len(value) not in (1, number):
            yield ConfigError("wrong number of values", where=f"detection.{name}",
                              expected=f"one, or {number}, one per class without background",
                              found=value)  # fmt: skip
    if any(one > number for one in options.grow.ring_classes):
        yield ConfigError("no such class", where="detection.grow.ring_classes",
                          expected=f"1 to {number}", found=options.grow.ring_classes)  # fmt: skip
    yield from _not_offered(config)


def _not_offered(config: Config) -> Iterator[ConfigError]:
    """What would move points away from the images."""
    moved = {"predict.rescale": config.predict.rescale, "data.resample": any(config.data.resample),
             "preprocess.resize": bool(config.preprocess.resize),
             "predict.zoom": bool(config.predict.zoom)}  # fmt: skip
    for field in (field for field, value in moved.items() if value):
        yield ConfigError("points would have the positions of resampled images", where=field,
                          fix="resample images and points before")  # fmt: skip
