"""``jaxseg run --config FILE``: carry out the phases of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxseg import hosts
from jaxseg.cli import plan
from jaxseg.cli.options import Configured
from jaxseg.config import Config
from jaxseg.signals import stoppable


@dataclass(frozen=True, kw_only=True)
class Arguments(Configured):
    """Train a network, predict images, make instances and evaluate them.

    The options change the values of the configuration after --config. Run the same command again
    after an interruption: finished work is skipped.
    """

    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """check everything and print what the run needs, as jaxseg plan does; write nothing"""


def execute(arguments: Arguments) -> int:
    """Check everything, then carry out the phases; return the exit code."""
    if arguments.dry_run:
        plan.show(arguments.options)
    else:
        run(arguments.options)
    return 0


@stoppable()
def run(config: Config) -> None:
    """Carry out the phases of a configuration."""
    plan.prepare(config)
    hosts.join(config.phases)
    from jaxseg import workflows
    from jaxseg.cli.foreign_weights import with_checkpoint

    workflows.run(with_checkpoint(config))
