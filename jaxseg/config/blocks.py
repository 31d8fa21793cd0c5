"""Options of work by blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from jaxseg.config.limits import RATE, at_least, lengths, matches
from jaxseg.config.option import NOTHING, option, section
from jaxseg.errors import ConfigError

# What says nothing about images in memory.
ONLY_WITH_BLOCKS = ("halo", "band", "merge_threshold", "workers", "wait", "measure", "tiff")
SCHEDULER = matches(r"|local:[1-9]\d{0,3}|\w+://\S+", "tcp://HOST:PORT or local:N")


@section
class Blocks:
    """Images larger than memory: predicted, decoded and merged block by block."""

    size: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1), read_by=("blocks",))
    """Sides of a block in voxels, (z)yx; empty = every image in memory as a whole."""
    halo: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1), read_by=("blocks",))
    """Context on each side when the objects of a block are made: at least the radius of an object,
    better its diameter; empty = a quarter of the size; agglomeration knows what it needs."""
    band: int = option(4, at_least(1), read_by=("blocks",))
    """Voxels on each side of a boundary in which the objects of two blocks are compared."""
    decode: Literal["by_blocks", "whole"] = option("by_blocks", read_by=NOTHING)
    """by_blocks: objects and classes are made block by block; whole: in memory, as without blocks,
    of planes that were predicted by blocks."""
    merge_threshold: float = option(0.5, RATE, read_by=("join",))
    """Two objects are one if they share more than this part of their union there."""
    z_start: int = option(-1, at_least(0).or_(-1), read_by=NOTHING)
    """First voxel along the first axis that this job does; -1 = from the start."""
    z_end: int = option(-1, at_least(1).or_(-1), read_by=NOTHING)
    """One past the last voxel along the first axis that this job does; -1 = to the end."""
    shard: str = option("", read_by=NOTHING)
    """Part of that range for this job, i/n for job i of n, counted from 0; empty for all of it."""
    workers: int = option(2, at_least(1), read_by=NOTHING)
    """Blocks that are decoded or merged at a time."""
    wait: float = option(0.0, at_least(0), read_by=NOTHING)
    """Minutes to wait for other jobs where all their blocks are needed, before this one ends with
    exit code 75 and is to be run again."""
    scheduler: str = option("", SCHEDULER, read_by=NOTHING)
    """Dask scheduler that hands out the blocks of instances: tcp://HOST:PORT, or local:N for N
    processes here; empty for threads of this process."""
    measure: bool = option(True, read_by=NOTHING)
    """Measure the objects after merging."""
    tiff: bool = option(False, read_by=NOTHING)
    """Write labels as TIFF, too, plane by plane."""

    @property
    def is_part(self) -> bool:
        """Whether this job is one of several that share the work."""
        return bool(self.shard) or self.z_start != -1 or self.z_end != -1

    @property
    def decodes(self) -> bool:
        """Whether objects and classes are made block by block."""
        return bool(self.size) and self.decode == "by_blocks"

    @property
    def measures(self) -> bool:
        """Whether objects are measured: those made in memory always are."""
        return self.measure or not self.decodes

    def problems(self, where: str) -> Iterator[ConfigError]:
        """The part of the work that a job is to do, and options of blocks without blocks."""
        usual = type(self)()
        for name in ONLY_WITH_BLOCKS:
            if not self.size and getattr(self, name) != getattr(usual, name):
                yield ConfigError(
                    f"this option has no effect without {where}.size",
                    where=f"{where}.{name}",
                    found=getattr(self, name),
                    fix=f"--{where}.size Z Y X, or leave it out",
                )
        if -1 not in (self.z_start, self.z_end) and self.z_start >= self.z_end:
            yield ConfigError(
                "an empty range",
                where=f"{where}.z_start",
                expected=f"below z_end {self.z_end}",
                found=self.z_start,
            )
        if self.shard and parse_shard(self.shard) is None:
            yield ConfigError(
                "not a part of the work",
                where=f"{where}.shard",
                expected="i/n with i from 0 to n - 1",
                found=repr(self.shard),
            )


def parse_shard(shard: str) -> tuple[int, int] | None:
    """Job and number of jobs out of ``"i/n"``; None if it is not of that form.

    >>> parse_shard("2/8"), parse_shard("8/8")
    ((2, 8), None)
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard)
    place, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    return (place, parts) if place < parts else None
