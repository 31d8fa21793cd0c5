"""2D images whose results are those of one stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jaxseg import channels, data
from jaxseg.config import Config
from jaxseg.config.stack import of_results
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.runs.layout import Run, Work
from jaxseg.stages.planes import PREDICT
from jaxseg.tasks.table import task_of


def result_works(config: Config, run: Run, samples: Sequence[Sample]) -> list[Work]:
    """The images that results are made of: all test images, or the one stack of them.

    Parameters
    ----------
    config, run : which run
    samples : the test images
    """
    seen = of_results(config)
    return [Work(seen, run, sample) for sample in result_samples(config, samples)]


def all_works(
    config: Config, run: Run, samples: Sequence[Sample], phases: Sequence[str]
) -> Iterator[tuple[Work, Sequence[str]]]:
    """Images, and the phases among some that make anything of them.

    Of the images of a stack that is the prediction, of the stack it is all the rest.
    """
    if config.data.as_3d_stack:
        first = [phase for phase in phases if phase == PREDICT]
        yield from ((Work(config, run, sample), first) for sample in samples)
    yield from ((work, phases) for work in result_works(config, run, samples))


def result_samples(config: Config, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """See :func:`result_works`."""
    if not config.data.as_3d_stack or not samples:
        return tuple(samples)
    planes = sorted(samples, key=lambda sample: _natural(sample.name))
    return (data.stack_of(planes, spacing=config.data.plane_spacing),)


def _natural(name: str) -> list[tuple[int, str]]:
    """What puts names into the order of the numbers in them.

    >>> sorted(["z10", "z9", "z1b"], key=_natural)
    ['z1b', 'z9', 'z10']
    """
    parts = re.split(r"(\d+)", name)
    return [(int(part) if part.isdecimal() else 0, part) for part in parts]


def stack_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """Images that are no stack, or a task or channels that have no meaning in a stack of images."""
    if not config.data.as_3d_stack:
        return []
    found: list[JaxsegError] = []
    if not task_of(config).stacks:
        found.append(
            ConfigError(
                "results of this task are not made of stacks of 2D images",
                where="data.as_3d_stack",
                found=task_of(config).name,
            )
        )
    flat, deep = (channels.columns(config.channels, ndim).names for ndim in (2, 3))
    if flat != deep:
        found.append(
            ConfigError(
                "these channels have other planes in 3D, so that 2D images of them are no stack",
                where="channels, data.as_3d_stack",
                expected="such as F, B, C, Db",
                found=", ".join(name for name in deep if name not in flat) or ", ".join(flat),
            )
        )
    return found + data.stack_problems(samples)
