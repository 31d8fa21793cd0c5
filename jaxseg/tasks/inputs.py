"""The images that a configuration needs, and everything that is wrong with them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from jaxseg import data, io
from jaxseg.config import Config, Normalize, Source
from jaxseg.config.channels import Semantic
from jaxseg.config.stack import of_results
from jaxseg.data import Sample
from jaxseg.data.filters import Filtered
from jaxseg.data.truth import CLASSES
from jaxseg.errors import ConfigError, InputError, JaxsegError, raise_all
from jaxseg.tasks.checking import check
from jaxseg.tasks.problems import border_problems, postprocessing_problems, region_problems
from jaxseg.tasks.rescaling import at_one_size, rescaled, zoomed
from jaxseg.tasks.stacking import result_samples, stack_problems
from jaxseg.tasks.table import task_of, truth_of

Samples = Mapping[str, tuple[Sample, ...]]


def open_data(config: Config) -> tuple[Samples, list[JaxsegError]]:
    """The images of the training, validation and test sources that the phases need.

    Returns
    -------
    samples : {"train": ..., "val": ..., "test": ...}, what is needed and given of them
    problems : of all files; the samples they concern are left out
    """
    try:
        samples, problems = _opened(config)
    except JaxsegError as problem:
        samples, problems = {}, [problem]
    except Exception:
        # Under a configuration that is wrong anything may happen: what is wrong is said instead.
        if not check(config):
            raise
        samples, problems = {}, []
    # Two sources may be the same files.
    return samples, list({str(problem): problem for problem in problems}.values())


def _opened(config: Config) -> tuple[Samples, list[JaxsegError]]:
    """As :func:`open_data`."""
    sources = {"train": config.data.train, "val": config.data.val, "test": config.data.test}
    needed = ["train", "val"] if {"train", "tune"} & set(config.phases) else []
    fold, predicts = config.data.cross_val, bool(set(config.phases) - {"train", "tune"})
    if predicts:
        needed += ["test"] if not fold.as_test else [] if needed else ["train"]
    samples: dict[str, tuple[Sample, ...]] = {}
    problems: list[JaxsegError] = []
    reference = _reference(config)
    for name in (name for name in needed if sources[name].raw):
        samples[name], more = _open_source(config, sources[name], reference)
        problems += more
        if not more:
            samples[name], more = at_one_size(config, samples[name])
            problems += more
        if not more:
            samples[name], gone = _filtered(config, name, samples[name])
            samples |= {left_out_of(name): gone} if gone and config.data.filter.save else {}
    if predicts and fold.as_test and samples.get("train"):
        _, samples["test"] = data.k_fold(
            samples["train"], folds=fold.folds, fold=fold.fold, seed=config.seed
        )
    if config.predict.rescale and "test" in samples:
        trained = samples.get("train", ())
        samples["test"], more = rescaled(config, samples["test"], trained)
        problems += more
    if "test" in samples and len(config.predict.zoom) in (0, config.ndim):
        samples["test"] = zoomed(config, samples["test"])
    if any(isinstance(problem, ConfigError) for problem in problems) and check(config):
        # It is said once for the configuration, not again for every file.
        problems = [problem for problem in problems if not isinstance(problem, ConfigError)]
    wrong = stack_problems(config, samples.get("test", ()))
    test = () if wrong else result_samples(config, samples.get("test", ()))
    problems += border_problems(of_results(config), test)
    if {"decode", "instance_creation", "instance_merging"} & set(config.phases):
        problems += region_problems(config, samples.get("test", ()))
        problems += postprocessing_problems(of_results(config), test)
    problems += wrong
    train = samples.get("train", ())
    problems += spacing_problems((*train, *samples.get("val", ())))
    if not problems and not truth_of(config)[0].measured:
        problems += data.emptiness_problems(train)
    if (classes := _classes(config)) and train:
        data.warn_of_absent(train, classes=classes.classes)
    return samples, problems


def _reference(config: Config) -> np.ndarray | None:
    """Intensities whose histogram all images are matched to, if that is asked for."""
    if not config.preprocess.match_histogram:
        return None
    opened = data.open_samples(
        Source(raw=config.preprocess.match_histogram),
        ndim=config.ndim,
        axes=config.data.axes,
        spacing=config.data.spacing,
        normalize=Normalize(method="none"),
        channels=config.data.image_channels,
        rgb=config.data.gray_as_rgb,
        formats=tuple(map(io.format_named, config.data.formats)),
    )
    raise_all(opened.problems)
    return data.reference_of([sample.image for sample in opened.samples])


def _open_source(
    config: Config, source: Source, reference: np.ndarray | None
) -> tuple[tuple[Sample, ...], Sequence[JaxsegError]]:
    """The images of a source, and what is wrong with the others and with the labels."""
    classes, truth = _classes(config), truth_of(config)
    alone = classes if truth == (CLASSES,) else None
    ignore = alone.ignore if alone else config.data.ignore
    open_files = functools.partial(
        data.open_samples,
        ndim=config.ndim,
        axes=config.data.axes,
        label_axes=config.data.label_axes,
        spacing=config.data.spacing,
        normalize=config.normalize,
        ignore=ignore,
        channels=config.data.image_channels,
        rgb=config.data.gray_as_rgb,
        sizes=_sizes(config, source),
        components=config.data.label_components,
        pair=config.data.pair,
        formats=tuple(map(io.format_named, config.data.formats)),
        preprocess=config.preprocess,
        reference=reference,
        truth=truth,
    )
    opened = task_of(config).open(config, source, open_files)
    samples, problems = opened.samples, list(opened.problems)
    if alone:
        samples = data.zero_or_one(samples, classes=alone.classes, ignore=ignore)
    if classes:
        problems += data.class_problems(samples, classes=classes.classes, ignore=classes.ignore)
    if truth[0].ids:
        problems += data.mask_problems(samples)
    return samples, problems


def _sizes(config: Config, source: Source) -> Mapping[str, Sequence[float]]:
    """Sizes of voxels by the names of files; of validation images perhaps beside the others."""
    if not config.data.spacing_table:
        return {}
    places = [source.raw, *([config.data.train.raw] if source == config.data.val else [])]
    tables = [found for place in places if (found := io.size_table(place))]
    return io.read_sizes(tables[0], config.ndim) if tables else {}


def left_out_of(part: str) -> str:
    """The name among the samples of the images of a part that are left out."""
    return f"{part} left out"


def _filtered(config: Config, name: str, samples: tuple[Sample, ...]) -> Filtered:
    """The images of a source that stay and those that are left out, which are named."""
    options = config.data.filter
    groups = getattr(options, name)
    if options.by == "patch":
        return Filtered(samples, ())
    found = data.filter_samples(samples, groups, normalized=options.normalized)
    if found.left_out:
        named = ", ".join(sample.name for sample in found.left_out[:8])
        more = ", ..." if len(found.left_out) > 8 else ""
        print(f"{len(found.left_out)} of {len(samples)} {name} images left out: {named}{more}")
    return found


def _classes(config: Config) -> Semantic | None:
    """The options of the channel of classes, if there is one."""
    return next((c.options for c in config.channels if isinstance(c.options, Semantic)), None)


def spacing_problems(samples: Sequence[Sample]) -> list[JaxsegError]:
    """Training images whose voxels differ in size: one network sees them all alike."""
    wanted = samples[0].image.spacing if samples else ()
    return [
        InputError(
            "another voxel size than the other training images",
            where=sample.image.path,
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
