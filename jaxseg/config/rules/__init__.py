"""Rules between the sections of a configuration, by subject.

What a single option may be stands at the option, and what the options of one section may be
together in its method ``problems``; :func:`jaxseg.config.option.problems` tells both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jaxseg.config.option import Misfit, problems
from jaxseg.config.rules.blocks import block_problems
from jaxseg.config.rules.decoding import decoder_problems
from jaxseg.config.rules.network import network_problems
from jaxseg.config.rules.own import own_problems
from jaxseg.config.rules.patches import patch_problems
from jaxseg.config.rules.phases import phase_problems
from jaxseg.config.rules.postprocessing import plane_problems
from jaxseg.config.rules.representation import representation_problems
from jaxseg.config.rules.sizes import size_problems
from jaxseg.config.rules.stack import stack_problems
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

RULES = (
    size_problems,
    representation_problems,
    network_problems,
    decoder_problems,
    phase_problems,
    patch_problems,
    plane_problems,
    block_problems,
    stack_problems,
    own_problems,
)


def check(config: Config, *more: Callable[[Config], Iterable[ConfigError]]) -> list[ConfigError]:
    """All problems of a configuration that show before any file is opened.

    Parameters
    ----------
    config : Config
    more : callable
        Rules of its task; :func:`jaxseg.tasks.checking.check` gives them.

    Returns
    -------
    list of ConfigError
        Each with what is expected and how to mend it; empty when the configuration is sound. Rules
        between options are tested only when every option has the right type.

    Examples
    --------
    >>> [problem.where for problem in check(Config(phases=(), channels=()))]
    ['channels', 'phases']
    """
    alone = list(problems(config))
    if any(isinstance(problem, Misfit) for problem in alone):
        return alone
    told = {problem.where for problem in alone}
    together = [problem for rule in (*RULES, *more) for problem in rule(config)]
    return alone + [problem for problem in together if problem.where not in told]
