"""Rules about work by blocks, its phases and its jobs."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError


def block_problems(config: Config) -> Iterator[ConfigError]:
    """Everything about blocks, their phases and their jobs that does not fit together."""
    blocks, single = config.blocks, {"instance_creation", "instance_merging"}
    used = single & set(config.phases)
    asking = [f"the phase {name}" for name in sorted(used)]
    asking += ["blocks.shard, z_start or z_end"] if blocks.is_part else []
    asking += ["blocks.decode whole"] if blocks.decode == "whole" else []
    if asking and not blocks.size:
        fix = "--blocks.size Z Y X"
        yield ConfigError(
            f"{asking[0]} needs blocks.size", file="blocks.size", found="none", fix=fix
        )
    if used and blocks.decode == "whole":
        yield ConfigError(
            f"the phase {min(used)} works by blocks",
            file="blocks.decode",
            expected="by_blocks",
            found="whole",
            fix="--blocks.decode by_blocks, or --phases decode",
        )
    if used and config.task != "instances":
        yield ConfigError("a phase of instances", file="phases", found=min(used), fix="decode")
    if used and "decode" in config.phases:
        yield ConfigError(
            "decode is instance_creation and instance_merging", file="phases", found=config.phases
        )
    memory = blocks.decode == "whole"
    whole = config.task == "instances" or memory
    alone = (
        {"train", "tune"} | ({"decode"} if whole else set()) | ({"evaluate"} if memory else set())
    )
    if blocks.is_part and alone & set(config.phases):
        yield ConfigError(
            "only a part of the work is to be done",
            file="phases",
            expected="some of predict, instance_creation, instance_merging, evaluate"
            if config.task == "instances"
            else "some of predict, decode, evaluate",
            found=" ".join(config.phases),
        )
    if blocks.decodes:
        yield from _not_by_blocks(config)
    yield from _scheduler(config)


def _not_by_blocks(config: Config) -> Iterator[ConfigError]:
    """What is done to whole images only."""
    options = config.postprocess
    classes = any(channel.options.exclusive for channel in config.channels)
    measured = options.changes_objects or options.properties or classes
    if config.task == "instances" and measured and not config.blocks.measure:
        yield ConfigError(
            "classes and post-processing of objects need their measurements",
            file="blocks.measure",
            fix="--blocks.measure",
        )


def _scheduler(config: Config) -> Iterator[ConfigError]:
    """Who hands out the blocks."""
    scheduler = config.blocks.scheduler
    if scheduler and (config.task != "instances" or not config.blocks.decodes):
        yield ConfigError(
            "a scheduler hands out blocks of instances",
            file="blocks.scheduler",
            fix="--task instances and --blocks.size Z Y X, or no scheduler",
        )
