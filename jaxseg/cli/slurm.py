r"""A run by blocks as jobs of SLURM: the commands that submit it, printed for a look before.

    jaxseg slurm --config configs/inst3d.py --blocks.size 256 256 256 --shards 64 \
        --sbatch="--gres=gpu:1 --time=8:00:00" > submit.sh
    sh submit.sh

Every phase is an array of jobs that starts when the one before ended well. Job 0 of
instance_creation runs first, since it finds the thresholds of the volume for the others. Merging is
submitted several times: all jobs compare their blocks, then they write the labels, then they
measure, then come the steps of post-processing, one after the other. There are two steps more where
fragments are joined, which are numbered and whose contacts are gathered, and where shapes are
judged, or tuning may choose that. What is done is never done again, so a chain that broke is simply
submitted once more.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxseg.cli.options import Configured
from jaxseg.config import Config
from jaxseg.errors import ConfigError, Interrupted, raise_all
from jaxseg.stages.planes import PREDICT
from jaxseg.tasks import phases_of, turns_of
from jaxseg.tasks.checking import check


@dataclass(frozen=True, kw_only=True)
class Submission:
    """How the jobs are submitted."""

    shards: int = 0
    """jobs per array, at least 1"""
    sbatch: str = ""
    """options of sbatch for every job"""
    python: str = "python"
    """the interpreter on the nodes"""


@dataclass(frozen=True, kw_only=True)
class Arguments(Configured):
    """Print the commands that submit a run by blocks to SLURM.

    Every phase is an array of jobs that starts when the one before ended well. The options beside
    --shards, --sbatch and --python are those of jaxseg run.
    """

    submission: Annotated[Submission, tyro.conf.arg(name="")] = Submission()


def execute(arguments: Arguments) -> int:
    """Print the commands; return the exit code."""
    config, jobs = arguments.options, arguments.submission
    raise_all(_problems(config, jobs.shards))
    # The jobs get the command line without what concerns the submission alone.
    _, rest = tyro.cli(
        Submission, args=list(arguments.words), return_unknown_args=True, add_help=False
    )
    command = f"{jobs.python} -m jaxseg.main {shlex.join(rest)}"
    print("\n".join(script(config, command, jobs.shards, jobs.sbatch)))
    return 0


def _problems(config: Config, shards: int) -> list[ConfigError]:
    """What keeps a configuration from being shared among jobs."""
    found = check(config)
    if shards < 1:
        found.append(ConfigError("no jobs", where="--shards", expected="at least 1", found=shards))
    if not config.blocks.size:
        found.append(ConfigError("jobs share the blocks of a volume", where="blocks.size",
                                 found="none", fix="--blocks.size Z Y X"))  # fmt: skip
    if config.blocks.is_part:
        found.append(ConfigError("the jobs get their parts here", where="blocks.shard",
                                 fix="give no shard, z_start or z_end"))  # fmt: skip
    return found


def script(config: Config, command: str, shards: int, sbatch: str = "") -> Iterator[str]:
    """The lines of a shell script that submits every phase after the one before.

    Parameters
    ----------
    config : which phases
    command : runs them, without ``--phases`` and ``--blocks.shard``
    shards : jobs per array
    sbatch : options for every job

    Yields
    ------
    lines
    """
    yield "#!/bin/sh"
    yield "set -e"
    before, arrays = "", list(_arrays(config, shards))
    for number, (phase, jobs) in enumerate(arrays):
        job = f"{command} --phases {phase}"
        if jobs:
            job += f" --blocks.shard $SLURM_ARRAY_TASK_ID/{shards}"
        if jobs and (phase, jobs) in arrays[number + 1 :]:
            # Other jobs are not as far yet: the next array goes on.
            job += f" || test $? -eq {Interrupted.exit_code}"
        words = ["sbatch --parsable", *([sbatch] if sbatch else [])]
        words += [f"--job-name={phase}", *([f"--array={jobs}"] if jobs else [])]
        words += [f"--dependency=afterok:$job{before}"] if number else []
        yield f"job{number}=$({' '.join(words)} --wrap={shlex.quote(job)})"
        before = str(number)
    yield f'echo "the last job is $job{before}"'


def _arrays(config: Config, shards: int) -> Iterator[tuple[str, str]]:
    """Phases in their order, each with the numbers of its jobs; none for a job of its own."""
    every = f"0-{shards - 1}"
    turns = turns_of(config)
    for phase in phases_of(config):
        if phase == PREDICT:
            yield phase, every
        elif phase not in turns:
            yield phase, ""
        elif len(turns) > 1 and phase == next(iter(turns)):
            # The first job finds what all others need to know of the volume.
            yield phase, "0"
            yield from [(phase, f"1-{shards - 1}")] * (shards > 1)
        else:
            yield from [(phase, every)] * turns[phase]
