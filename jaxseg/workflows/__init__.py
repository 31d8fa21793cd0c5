"""The straight line from a configuration to results, one file per phase.

:func:`run` checks everything first, then calls the phases in their order. Each phase reads files
that an earlier one finished, so each can run alone, on another day or machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from jaxseg import io
from jaxseg.config import Config
from jaxseg.config.rules import check
from jaxseg.config.rules.decoding import unused_options
from jaxseg.decoding import (
    DECODERS,
    decoder_of,
    decoder_problems,
    of_instances,
    plan,
    settle_problems,
)
from jaxseg.errors import JaxsegError, raise_all
from jaxseg.runs import manifest as runs
from jaxseg.runs.lock import locked, paths_of
from jaxseg.runs.manifest import Run
from jaxseg.signals import safe_point
from jaxseg.workflows.blocks import range_problems
from jaxseg.workflows.decoding import decode_images
from jaxseg.workflows.evaluation import evaluate_images
from jaxseg.workflows.inputs import Samples, open_data
from jaxseg.workflows.instances import create_instances, merge_instances
from jaxseg.workflows.prediction import predict_images
from jaxseg.workflows.readiness import planes_problems
from jaxseg.workflows.space import refuse_without_space, space_needed
from jaxseg.workflows.training import train_network

__all__ = ["PHASES", "checked", "open_data", "phases_of", "run"]

PHASES: Mapping[str, Callable[[Config, Run, Samples], None]] = MappingProxyType(
    {
        "train": train_network,
        "predict": predict_images,
        "decode": decode_images,
        "instance_creation": create_instances,
        "instance_merging": merge_instances,
        "evaluate": evaluate_images,
    }
)


def run(config: Config) -> None:
    """Check the configuration and its data, then run its phases.

    Raises
    ------
    JaxsegError : all that is wrong with the configuration and the data, before any compute
    ResourceError : the results will not fit the disk
    """
    samples = checked(config)
    folders, phases = runs.open_run(config), phases_of(config)
    shared = bool(config.blocks.size)
    with locked(paths_of(folders.results, phases, shared=shared)):
        _run_phases(config, folders, samples, phases)


def _run_phases(config: Config, folders: Run, samples: Samples, phases: tuple[str, ...]) -> None:
    """What :func:`run` does when all is checked and nobody else writes there."""
    _sweep(folders)
    if not {"train", "predict"} & set(phases):
        runs.refuse_replaced(folders, {s.name: s.image.path for s in samples["test"]})
    refuse_without_space(space_needed(config, folders, samples, phases), folders.results)
    for phase in phases:
        safe_point()
        PHASES[phase](config, folders, samples)


def checked(config: Config) -> Samples:
    """The images of a configuration that is sound.

    Raises
    ------
    JaxsegError : all that is wrong with the configuration and the data
    """
    wrong: list[JaxsegError] = [*check(config)]
    if not wrong and config.task == "instances":
        wrong += _decoder_problems(config)
    samples, more = open_data(config)
    if not wrong:
        more += planes_problems(config, samples.get("test", ()))
        more += range_problems(config, samples.get("test", ()))
    raise_all([*wrong, *more])
    return samples


def _sweep(run: Run) -> None:
    """Remove what earlier starts that were killed left half written."""
    found = [io.sweep(place) for place in (run.config_file.parent, run.checkpoints, run.results)]
    if count := sum(map(len, found)):
        print(f"removed {count} half-written files and folders of earlier starts", flush=True)


def phases_of(config: Config) -> tuple[str, ...]:
    """The phases asked for, in their order; by blocks instances are decoded in two."""
    chosen = set(config.phases) - ({"predict"} if config.predict.reuse else set())
    if config.blocks.decodes and config.task == "instances" and "decode" in chosen:
        chosen = chosen - {"decode"} | {"instance_creation", "instance_merging"}
    return tuple(phase for phase in PHASES if phase in chosen)


def _decoder_problems(config: Config) -> list[JaxsegError]:
    """What would stop the decoder, however far in the future it is called."""
    name = decoder_of(config.channels, config.decoder)
    options = getattr(config, name)
    found = decoder_problems(config.channels, ndim=config.ndim, decoder=name, options=options)
    found += unused_options(config, name)
    if config.blocks.decodes and name == "watershed" and not found:
        kept = of_instances(config.channels)
        found += settle_problems(plan(kept, ndim=config.ndim, options=options))
    decoding = {"decode", "instance_creation"} & set(config.phases)
    return [*found, *(DECODERS[name].missing() if decoding else [])]
