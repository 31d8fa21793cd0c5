"""What would stop a run, found before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxseg import io
from jaxseg.config import Config
from jaxseg.config.properties import is_extra
from jaxseg.config.rules.decoding import unused_options
from jaxseg.config.rules.postprocessing import property_problems
from jaxseg.data import Sample
from jaxseg.decoding import (
    decoder_problems,
    of_instances,
)
from jaxseg.errors import ConfigError, InputError, JaxsegError
from jaxseg.labels.crop import inner
from jaxseg.measurements import extra_problems
from jaxseg.runs.division import division_of_results
from jaxseg.runs.layout import Run, run_of
from jaxseg.stages.chosen import chosen_decoder
from jaxseg.stages.planes import PREDICT, open_region, region_path, stored_planes


def postprocessing_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """What of the post-processing does not suit the images, before any compute.

    Parameters
    ----------
    config : of the run; what is wrong whatever the images are is not told again
    samples : to be decoded
    """
    options, ndim = config.postprocess, config.ndim
    extra = [one for one in options.properties if is_extra(one, ndim)]
    names = {
        f"postprocess.remove.{number}.{index}.name": one.name
        for number, group in enumerate(options.remove)
        for index, one in enumerate(group)
        if not any(property_problems(one.name, "", ndim, extra=extra))
    }
    problems: list[JaxsegError] = []
    for sample in samples:
        problems += extra_problems(extra, spacing=sample.image.spacing)
        for field, name in names.items():
            problems += property_problems(
                name, field, ndim, extra=extra, channels=sample.image.channels
            )
    return list({str(problem): problem for problem in problems}.values())


def region_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """Masks that are missing, damaged, or of another size than their image."""
    problems: list[JaxsegError] = []
    for sample in samples:
        try:
            path = region_path(config, sample.name)
            volume = open_region(config, path, sample) if path else None
        except JaxsegError as problem:
            problems.append(problem)
            continue
        shape = sample.image.spatial_shape
        if volume is not None and volume.spatial_shape != shape:
            problems.append(
                InputError(
                    "mask and image differ in size",
                    where=volume.path,
                    expected=f"{shape}, as {sample.image.path}",
                    found=volume.spatial_shape,
                    fix="make the mask again from this image",
                )
            )
    # The same folder that does not exist is one problem, however many images there are.
    return list({str(problem): problem for problem in problems}.values())


def range_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """A part of the work that holds nothing of any image."""
    start, ends = config.blocks.z_start, [sample.image.spatial_shape[0] for sample in samples]
    if not config.blocks.size or start < max(ends, default=start + 1):
        return []
    return [
        ConfigError(
            "no image reaches so far",
            where="blocks.z_start",
            expected=f"below {max(ends)}",
            found=start,
        )
    ]


def border_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """A border not to be compared that leaves nothing of an image."""
    if "evaluate" not in config.phases:
        return []
    for sample in samples:
        try:
            inner(sample.image.spatial_shape, config.evaluate.border_crop)
        except ConfigError as problem:
            # One image says it for all.
            return [problem]
    return []


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
    run = run_of(config)
    return [problem for sample in samples for problem in _problems_of(config, run, sample)]


def _problems_of(config: Config, run: Run, sample: Sample) -> Iterator[JaxsegError]:
    path = run.planes(sample.name)
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
            where=path,
            expected=expected,
            found=found,
            fix="--run ANOTHER_NAME, with the phase predict",
        )


def _not_predicted(path: Path) -> ConfigError:
    return ConfigError("this image was not predicted", where=path, fix="--phases predict")


def _begun(run: Run, sample: Sample) -> bool:
    """Whether a prediction by blocks was begun and is not complete."""
    return (run.stage(PREDICT, sample.name) / "ledger.json").exists()


def instance_problems(config: Config) -> list[JaxsegError]:
    """What would stop the decoder, however far in the future it is called."""
    try:
        row, options, _ = chosen_decoder(config)
    except JaxsegError as error:
        return [error]
    found = decoder_problems(config.channels, ndim=config.ndim, decoder=row, options=options)
    found += unused_options(config, row.name)
    if not found and not division_of_results(config).whole:
        found += row.divided(of_instances(config.channels), ndim=config.ndim, options=options)
    decoding = {"decode", "instance_creation"} & set(config.phases)
    return [*found, *(row.missing() if decoding else [])]
