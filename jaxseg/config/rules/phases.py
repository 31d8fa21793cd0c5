"""Rules about what is to be done and what it needs."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.schema import Config, Source
from jaxseg.errors import ConfigError


def phase_problems(config: Config) -> Iterator[ConfigError]:
    """Phases that are missing or listed twice, and images and options that do not fit them."""
    if not config.phases:
        yield ConfigError(
            "nothing to do", where="phases", fix="--phases train predict decode evaluate"
        )
    if len(set(config.phases)) < len(config.phases):
        yield ConfigError("a phase is listed twice", where="phases", found=config.phases)
    data = config.data
    if "train" in config.phases or data.cross_val.as_test:
        yield from _source(data.train, "data.train")
        if data.val.raw or data.val.labels:
            yield from _source(data.val, "data.val")
    elif "tune" in config.phases:
        yield from _source(data.val if data.val.raw else data.train, "data.train")
    if config.predict.reuse and "train" in config.phases:
        yield ConfigError(
            "stored planes cannot come from a network that is trained now",
            where="predict.reuse",
            fix="--phases decode evaluate, or no --predict.reuse",
        )
    if data.cross_val.as_test:
        if data.test.raw:
            yield ConfigError(
                "test images are given, and the validation images are to be predicted, too",
                where="data.cross_val.as_test",
                fix="--data.cross-val.no-as-test, or leave data.test empty",
            )
    elif "predict" in config.phases and not data.test.raw:
        yield ConfigError(
            "no images to predict",
            where="data.test.raw",
            fix="--data.test.raw DIR, or --phases train",
        )
    elif "evaluate" in config.phases and "predict" not in config.phases and not data.test.labels:
        yield ConfigError(
            "no labels to compare with", where="data.test.labels", fix="--data.test.labels DIR"
        )
    yield from _resampled(config)
    yield from _classes_only(config)
    yield from _compared_planes(config)
    yield from _loss(config)


def _resampled(config: Config) -> Iterator[ConfigError]:
    """Images that are resampled, and what has their size or changes it as well."""
    chosen = {"predict.rescale": config.predict.rescale, "data.resample": config.data.resample,
              "preprocess.resize": config.preprocess.resize,
              "predict.zoom": config.predict.zoom}  # fmt: skip
    used = [name for name, value in chosen.items() if value]
    if len(used) > 1 and {"data.resample", "predict.zoom"} & set(used):
        yield ConfigError(
            "images are resampled to two sizes", where=", ".join(used), fix="give one of them"
        )
    if config.postprocess.masks and {"predict.rescale", "data.resample", "predict.zoom"} & set(
        used
    ):
        yield ConfigError(
            "masks have the size of the images, which are resampled",
            where=used[0],
            fix="leave out postprocess.masks, or resample images and masks before",
        )


def _source(source: Source, field: str) -> Iterator[ConfigError]:
    for part in ("raw", "labels"):
        if not getattr(source, part):
            yield ConfigError(
                "no folder given", where=f"{field}.{part}", fix=f"--{field}.{part} DIR"
            )


def _classes_only(config: Config) -> Iterator[ConfigError]:
    if not config.predict.classes_only:
        return
    if not _only_classes(config):
        yield ConfigError(
            "the results are made of planes, which must be kept",
            where="predict.classes_only",
            found=f"channels {' '.join(channel.name for channel in config.channels)}",
            fix="leave it out, or learn the channel S alone",
        )
    if any(config.predict.overlap):
        yield ConfigError(
            "classes cannot be blended", where="predict.overlap", found=config.predict.overlap
        )
    if config.postprocess.filters:
        yield ConfigError(
            "filters act on planes, which are not kept",
            where="postprocess.filters",
            fix="leave out the filters or predict.classes_only",
        )


def _only_classes(config: Config) -> bool:
    """Whether nothing is learned but the class of every voxel."""
    return all(channel.options.exclusive for channel in config.channels)


def _compared_planes(config: Config) -> Iterator[ConfigError]:
    others = {
        "blocks.size": config.blocks.decodes,
        "data.as_3d_stack": config.data.as_3d_stack,
        "predict.classes_only": config.predict.classes_only,
    }
    for field in (name for name, value in others.items() if value and config.evaluate.planes):
        yield ConfigError(
            "planes are compared of whole images in memory, of objects or classes",
            where=f"evaluate.planes, {field}",
            fix="leave out evaluate.planes",
        )


def _loss(config: Config) -> Iterator[ConfigError]:
    """Which voxels count, and how much."""
    semantic = _only_classes(config)
    if config.data.ignore != -1 and semantic:
        yield ConfigError(
            "the channel S says which value is not counted",
            where="data.ignore",
            expected=-1,
            found=config.data.ignore,
            fix="ch('S', ignore=...)",
        )
    if config.loss.border_weight and semantic:
        yield ConfigError("classes have no borders between objects", where="loss.border_weight",
                          expected=0, found=config.loss.border_weight)  # fmt: skip
    for field in ("border_weight", "balance") if "E" in {c.name for c in config.channels} else ():
        if getattr(config.loss, field):
            yield ConfigError("E has weights of its own", where=f"loss.{field}", fix="remove it")
