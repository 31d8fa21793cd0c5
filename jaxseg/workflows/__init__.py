"""The straight line from a configuration to results, one file per phase.

:func:`run` checks everything first, then calls the phases in their order. Each phase reads files
that an earlier one finished, so each can run alone, on another day or machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from jaxseg import runs
from jaxseg.config import Config
from jaxseg.config.check import check
from jaxseg.config.decoder_check import unused_options
from jaxseg.decoding import decoder_of, decoder_problems
from jaxseg.errors import JaxsegError, raise_all
from jaxseg.runs import Run
from jaxseg.workflows.decoding import decode_images
from jaxseg.workflows.evaluation import evaluate_images
from jaxseg.workflows.inputs import Samples, open_data
from jaxseg.workflows.prediction import predict_images
from jaxseg.workflows.training import train_network

__all__ = ["PHASES", "open_data", "run"]

PHASES: Mapping[str, Callable[[Config, Run, Samples], None]] = MappingProxyType(
    {
        "train": train_network,
        "predict": predict_images,
        "decode": decode_images,
        "evaluate": evaluate_images,
    }
)


def run(config: Config) -> None:
    """Check the configuration and its data, then run its phases.

    Raises
    ------
    JaxsegError : all that is wrong with the configuration and the data, before any compute
    """
    wrong: list[JaxsegError] = [*check(config)]
    if not wrong and config.task == "instances":
        name = decoder_of(config.channels, config.decoder)
        options = getattr(config, name)
        wrong += unused_options(config, name)
        wrong += decoder_problems(config.channels, ndim=config.ndim, decoder=name, options=options)
    samples, more = open_data(config)
    raise_all([*wrong, *more])
    folders = runs.open_run(config)
    runs.save_config(folders, config)
    for phase in (phase for phase in PHASES if phase in config.phases):
        PHASES[phase](config, folders, samples)
