"""Whether what a phase reads is there: predicted planes, and the blocks of other jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxseg import blocks, io
from jaxseg.blocks import Ledger
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, Interrupted, JaxsegError, raise_all
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import is_complete, stage_folder
from jaxseg.workflows.classes import stored_planes
from jaxseg.workflows.prediction import planes_path

# Seconds between two looks at what other jobs have done.
PATIENCE = 10.0


def planes_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """Planes that phases will read, and that this start does not predict, but are not there.

    Parameters
    ----------
    samples : the test images

    Returns
    -------
    a problem for every image without planes, or with those of another image or network
    """
    reading = {"decode", "instance_creation"} & set(config.phases) or config.predict.reuse
    if not reading or ("predict" in config.phases and not config.predict.reuse):
        return []
    run = runs.run_of(config)
    return [problem for sample in samples for problem in _problems_of(config, run, sample)]


def _problems_of(config: Config, run: Run, sample: Sample) -> Iterator[JaxsegError]:
    path = planes_path(run, sample)
    if not path.exists():
        if not _begun(run, sample):
            yield _not_predicted(path)
        return
    try:
        planes = io.open_image(path, ndim=config.ndim)
    except JaxsegError as error:
        yield error
        return
    count = len(stored_planes(config)[0])
    expected, found = (*sample.image.spatial_shape, count), planes.shape
    if expected != found:
        yield ConfigError(
            "planes of another image or of other channels",
            file=path,
            expected=expected,
            found=found,
            fix="--run ANOTHER_NAME, with the phase predict",
        )


def _not_predicted(path: Path) -> ConfigError:
    return ConfigError("this image was not predicted", file=path, fix="--phases predict")


def _begun(run: Run, sample: Sample) -> bool:
    """Whether a prediction by blocks was begun and is not complete."""
    return (stage_folder(run, "predict", sample) / "ledger.json").exists()


def await_planes(config: Config, run: Run, samples: Sequence[Sample]) -> list[Path]:
    """Where the planes of all images are, when all jobs have predicted their blocks.

    Raises
    ------
    ConfigError : images that nobody predicted
    Interrupted : other jobs have not predicted all their blocks yet
    """
    paths = [planes_path(run, sample) for sample in samples]
    missing = [s for s, path in zip(samples, paths, strict=True) if not path.exists()]
    begun = [s for s in missing if _begun(run, s)]
    raise_all(_not_predicted(planes_path(run, sample)) for sample in missing if sample not in begun)
    ledgers = [blocks.read_ledger(stage_folder(run, "predict", sample)) for sample in begun]
    await_others(config, ledgers, "predicted")
    for ledger in ledgers:
        blocks.publish(ledger)
    return paths


def await_others(config: Config, ledgers: Sequence[Ledger], word: str) -> None:
    """Wait until all blocks of some stages are done, if the configuration grants the time.

    Parameters
    ----------
    ledgers : of the stages
    word : what is done to a block there, for the message

    Raises
    ------
    Interrupted : other jobs are not as far yet
    """
    end = time.monotonic() + 60 * config.blocks.wait
    while waiting := [ledger for ledger in ledgers if not is_complete(ledger)]:
        left = end - time.monotonic()
        if left <= 0:
            raise Interrupted(
                f"other jobs have not {word} all their blocks yet",
                file=waiting[0].folder,
                fix="run the same command again when they have, or --blocks.wait MINUTES",
            )
        time.sleep(min(PATIENCE, left))
