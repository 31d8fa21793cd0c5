"""The images that a configuration needs, and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxseg import data
from jaxseg.channels import has_both
from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.data import Sample
from jaxseg.errors import InputError, JaxsegError
from jaxseg.tasks.problems import postprocessing_problems

Samples = Mapping[str, tuple[Sample, ...]]


def open_data(config: Config) -> tuple[Samples, list[JaxsegError]]:
    """The images of the training, validation and test sources that the phases need.

    Returns
    -------
    samples : {"train": ..., "val": ..., "test": ...}, what is needed and given of them
    problems : of all files; the samples they concern are left out
    """
    sources = {"train": config.data.train, "val": config.data.val, "test": config.data.test}
    needed = ["train", "val"] if "train" in config.phases else []
    needed += ["test"] if set(config.phases) - {"train"} else []
    classes = next((c.options for c in config.channels if isinstance(c.options, Semantic)), None)
    both = has_both(config.channels)
    samples: dict[str, tuple[Sample, ...]] = {}
    problems: list[JaxsegError] = []
    for name in (name for name in needed if sources[name].raw):
        opened = data.open_samples(
            sources[name],
            ndim=config.ndim,
            axes=config.data.axes,
            label_axes=config.data.label_axes,
            spacing=config.data.spacing,
            normalize=config.normalize,
            ignore=classes.ignore if classes and not both else config.data.ignore,
            with_classes=both,
        )
        samples[name] = opened.samples
        problems += opened.problems
        if classes:
            problems += data.class_problems(
                opened.samples, classes=classes.classes, ignore=classes.ignore
            )
    if {"decode", "instance_creation", "instance_merging"} & set(config.phases):
        problems += postprocessing_problems(config, samples.get("test", ()))
    problems += spacing_problems((*samples.get("train", ()), *samples.get("val", ())))
    return samples, problems


def spacing_problems(samples: Sequence[Sample]) -> list[JaxsegError]:
    """Training images whose voxels differ in size: one network sees them all alike."""
    wanted = samples[0].image.spacing if samples else ()
    return [
        InputError(
            "another voxel size than the other training images",
            file=sample.image.path,
            expected=wanted,
            found=sample.image.spacing,
            fix="resample the images, or give one size for all with --data.spacing",
        )
        for sample in samples
        if any(
            abs(found / size - 1) > 0.01
            for found, size in zip(sample.image.spacing, wanted, strict=True)
        )
    ]
