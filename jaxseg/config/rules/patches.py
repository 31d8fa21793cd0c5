"""Which patches a training sees, and how they are changed."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

VOLUMES_ONLY = ("misalign", "missing_sections")


def patch_problems(config: Config) -> Iterator[ConfigError]:
    """Choices of patches that exclude one another, and changes that need a stack."""
    if "train" not in config.phases:
        return
    yield from _change_problems(config)
    yield from _grid_problems(config)
    if config.data.cross_val.folds and config.data.val.raw:
        yield ConfigError(
            "validation images are given, and folds of the training images, too",
            where="data.cross_val.folds",
            expected="one of the two",
            found=f"{config.data.cross_val.folds} and {config.data.val.raw}",
            fix="--data.cross-val.folds 0, or leave data.val empty",
        )


def _change_problems(config: Config) -> Iterator[ConfigError]:
    for name in VOLUMES_ONLY if config.ndim == 2 else ():
        chance = getattr(config.augment, name).probability
        if chance and config.augment.enable:
            yield ConfigError(
                "this change needs a stack of planes",
                where=f"augment.{name}.probability",
                expected="0 in 2D",
                found=chance,
            )


def _grid_problems(config: Config) -> Iterator[ConfigError]:
    options = config.data.grid
    if not options.enable:
        return
    for name in ("overlap", "padding"):
        values = getattr(options, name)
        if values and len(values) != config.ndim:
            yield ConfigError(
                "another number of axes than the images have",
                where=f"data.grid.{name}",
                expected=f"{config.ndim} values",
                found=values,
            )
    wide = [2 * side >= size for side, size in zip(options.padding, config.patch, strict=False)]
    if any(wide):
        yield ConfigError(
            "padding takes a whole patch",
            where="data.grid.padding",
            expected=f"less than half of the patch {config.patch}",
            found=options.padding,
        )
    for name, on in (
        ("data.probability_map.enable", config.data.probability_map.enable),
        ("augment.cutmix.probability", bool(config.augment.cutmix.probability)),
    ):
        if on:
            yield ConfigError(
                "the patches of a grid are not drawn at random",
                where=name,
                expected="off with data.grid.enable",
                fix="--data.grid.no-enable",
            )
