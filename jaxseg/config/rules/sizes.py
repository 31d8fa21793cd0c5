"""Rules about sizes: as many values as axes, and what the network can reduce."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.architectures import strides
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

LONGEST_NAME = 255


def size_problems(config: Config) -> Iterator[ConfigError]:
    """Sizes that do not fit the dimensions, the batch or the names of files."""
    for field, value in _sizes(config).items():
        if len(value) != config.ndim and (value or field == "patch"):
            expected = f"{config.ndim} values ({'zyx'[-config.ndim :]})"
            yield ConfigError("wrong number of values", where=field, expected=expected, found=value)
    tile, halo = config.predict.tile, config.predict.halo
    if len(tile) == len(halo) == config.ndim and any(
        n <= 2 * h for n, h in zip(tile, halo, strict=True)
    ):
        yield ConfigError(
            "the halo leaves nothing of the tile",
            where="predict.halo",
            expected=f"less than half of {tile}",
            found=halo,
        )
    predict = config.predict
    if predict.full_image:
        given = {"predict.tile": predict.tile, "predict.halo": any(predict.halo) and predict.halo,
                 "predict.overlap": any(predict.overlap) and predict.overlap,
                 "blocks.size": config.blocks.size}  # fmt: skip
        for field in (field for field, value in given.items() if value):
            yield ConfigError(
                "an image that is predicted as a whole is not cut",
                where=f"{field}, predict.full_image",
                found=given[field],
                fix="leave out one of them",
            )
    elif predict.full_image_names:
        yield ConfigError(
            "this option has no effect unless predict.full_image is True",
            where="predict.full_image_names",
            found=True,
        )
    if predict.border == "median" and config.normalize.scope == "patch":
        yield ConfigError(
            "a median of the image is in no scale of a tile that is scaled by itself",
            where="predict.border, normalize.scope",
            fix="--predict.border reflect, or --normalize.scope image",
        )
    if predict.tta_mode != "mean" and predict.tta == "none":
        yield ConfigError(
            "this option has no effect unless predict.tta is flips or full",
            where="predict.tta_mode",
            found=predict.tta_mode,
        )
    devices = config.cpu_devices
    if devices > 1 and config.train.batch % devices:
        yield ConfigError(
            "the devices cannot share the batch equally",
            where="train.batch",
            expected=f"a multiple of cpu_devices ({devices})",
            found=config.train.batch,
        )
    length = len(f"{config.name}_{config.run}.json")
    if length > LONGEST_NAME:
        yield ConfigError(
            "the names of files would be too long",
            where="name, run",
            expected=f"at most {LONGEST_NAME - 6} letters together",
            found=length - 6,
        )


def stride_problems(config: Config) -> Iterator[ConfigError]:
    """Sizes that the network cannot halve at every step down."""
    steps = strides(config.model, config.ndim)
    for field, size in (("patch", config.patch), ("predict.tile", config.predict.tile)):
        if len(size) == config.ndim and any(n % step for n, step in zip(size, steps, strict=True)):
            nearby = tuple(max(round(n / s), 1) * s for n, s in zip(size, steps, strict=True))
            yield ConfigError(
                "the size is not a multiple of the network's stride",
                where=field,
                expected=f"multiples of {steps}",
                found=size,
                fix=f"e.g. {nearby}",
            )


def _sizes(config: Config) -> dict[str, tuple[float, ...]]:
    """Lists with a value per axis, by field."""
    predict = config.predict
    return {
        "patch": config.patch,
        "data.spacing": config.data.spacing,
        "data.resample": config.data.resample,
        "predict.zoom": predict.zoom,
        "predict.tile": predict.tile,
        "predict.halo": predict.halo,
        "predict.overlap": predict.overlap,
        "blocks.size": config.blocks.size,
        "blocks.halo": config.blocks.halo,
        "evaluate.border_crop": config.evaluate.border_crop,
    }
