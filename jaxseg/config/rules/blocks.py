"""Rules about work by blocks, its phases and its jobs."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.schema import BY_BLOCKS, Config
from jaxseg.errors import ConfigError


def block_problems(config: Config) -> Iterator[ConfigError]:
    """Everything about blocks, their phases and their jobs that does not fit together."""
    blocks, single = config.blocks, set(BY_BLOCKS)
    used = single & set(config.phases)
    asking = [f"the phase {name}" for name in sorted(used)]
    asking += ["blocks.shard, z_start or z_end"] if blocks.is_part else []
    asking += ["blocks.decode whole"] if blocks.decode == "whole" else []
    if asking and not blocks.size:
        fix = "--blocks.size Z Y X"
        yield ConfigError(
            f"{asking[0]} needs blocks.size", where="blocks.size", found="none", fix=fix
        )
    if used and blocks.decode == "whole":
        yield ConfigError(
            f"the phase {min(used)} works by blocks",
            where="blocks.decode",
            expected="by_blocks",
            found="whole",
            fix="--blocks.decode by_blocks, or --phases decode",
        )
    if used and "decode" in config.phases:
        yield ConfigError(
            "decode is instance_creation and instance_merging", where="phases", found=config.phases
        )
    if blocks.scheduler and not blocks.decodes:
        yield ConfigError(
            "a scheduler hands out blocks",
            where="blocks.scheduler",
            fix="--blocks.size Z Y X, or no scheduler",
        )
