"""Test images seen at the voxel size of the training, and their labels brought back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from jaxseg import checkpoint, io
from jaxseg.blocks.stage import Stage, with_needs
from jaxseg.config import Config, Package
from jaxseg.data import Sample, empty_index, index_labels
from jaxseg.errors import ConfigError, InputError, JaxsegError
from jaxseg.resample import labels_back, resampled
from jaxseg.runs.layout import Work, at_image_size, run_of
from jaxseg.runs.needs import Plan
from jaxseg.tasks.table import task_of
from jaxseg.volume import Volume

# Training images differ by no more either.
SAME = 0.01


def rescaled(
    config: Config, test: Sequence[Sample], train: Sequence[Sample]
) -> tuple[tuple[Sample, ...], list[JaxsegError]]:
    """Test images with the voxels of the training images; the true labels follow.

    Parameters
    ----------
    config : of the run
    test : as they are in their files
    train : of a training in this start; empty = the checkpoint tells the size

    Returns
    -------
    samples : those that have that size already are as they were
    problems : a size that is not known
    """
    if not test:
        return tuple(test), []
    spacing = _trained(config, train)
    if not spacing:
        return tuple(test), [
            ConfigError(
                "the voxel size of the training images is not known",
                where="predict.rescale",
                fix="train with --data.spacing, or leave out predict.rescale",
            )
        ]
    return tuple(_resampled(sample, spacing) for sample in test), _unknown_sizes(test)


def zoomed(config: Config, test: Sequence[Sample]) -> tuple[Sample, ...]:
    """Test images with more or fewer voxels; the true labels follow.

    Parameters
    ----------
    config : of the run
    test : as they are in their files

    Returns
    -------
    samples : the same where nothing is zoomed
    """
    factors = config.predict.zoom
    if not factors:
        return tuple(test)
    return tuple(
        _resampled(
            sample,
            tuple(size / by for size, by in zip(sample.image.spacing, factors, strict=True)),
        )
        for sample in test
    )


def at_one_size(
    config: Config, samples: Sequence[Sample]
) -> tuple[tuple[Sample, ...], list[JaxsegError]]:
    """Images of any part of the data with the voxels that the configuration gives for all.

    Parameters
    ----------
    config : of the run
    samples : as they are in their files

    Returns
    -------
    samples : the same where nothing is resampled
    problems : a size that is not known
    """
    wanted = config.data.resample
    if not any(wanted):
        return tuple(samples), []
    problems = _unknown_sizes(samples)
    found = []
    for sample in () if problems else samples:
        pairs = zip(wanted, sample.image.spacing, strict=True)
        seen = _resampled(sample, tuple(size or own for size, own in pairs))
        if seen.labels is not None and not task_of(config).truth[0].measured:
            ignored = config.data.ignore
            seen = replace(seen, index=index_labels(seen.labels, ignore=ignored))
        found.append(seen)
    return tuple(found), problems


def _unknown_sizes(samples: Sequence[Sample]) -> list[JaxsegError]:
    return [
        InputError(
            "the size of a voxel is not known, so the image cannot be resampled",
            where=sample.image.path,
            expected="a size in the metadata, or --data.spacing",
        )
        for sample in samples
        if sample.image.unit != "µm"
    ]


def _trained(config: Config, train: Sequence[Sample]) -> tuple[float, ...]:
    """The voxel size that the network was or will be trained with; empty = not known."""
    if train:
        image = train[0].image
        return image.spacing if image.unit == "µm" else ()
    if isinstance(config.model, Package):
        return ()
    folder = config.predict.checkpoint or run_of(config).checkpoints
    meta = checkpoint.newest_meta(Path(folder) / config.predict.weights) or {}
    return tuple(map(float, meta.get("spacing", ())))


def _resampled(sample: Sample, spacing: tuple[float, ...]) -> Sample:
    """An image, its labels and classes at another voxel size."""
    image = sample.image
    if all(abs(a / b - 1) <= SAME for a, b in zip(image.spacing, spacing, strict=True)):
        return sample
    seen = resampled(image, spacing)

    def moved(labels: Volume) -> Volume:
        data = labels_back(labels.data, seen.spatial_shape)
        return replace(labels, data=data, spacing=spacing, held=None)

    return sample.with_truth(
        moved,
        image=seen,
        index=empty_index(image.ndim_spatial),
        original=image,
    )


def write_back(plans: Iterable[Plan], phases: Iterable[str]) -> None:
    """Write published labels and classes at the size of their image, where that was resampled.

    Parameters
    ----------
    plans : of images whose results are complete
    phases : whose results
    """
    for plan in plans:
        for step in with_needs(plan.steps):
            if isinstance(step, Stage) and step.phase in phases and step.output is not None:
                target = step.output.target
                if target is not None and not step.output.channels and target.exists():
                    _write_back(plan.work, target)


def _write_back(work: Work, path: Path) -> None:
    original = work.sample.original
    if original is None:
        return
    target = at_image_size(path)
    labels = io.open_labels(path, ndim=work.config.ndim)
    back = labels_back(labels.data, original.spatial_shape)
    if path.suffix == ".zarr":
        io.write_labels_zarr(target, back, spacing=original.spacing)
    else:
        io.write_labels_tiff(target, back, spacing=original.spacing, shared=True)
