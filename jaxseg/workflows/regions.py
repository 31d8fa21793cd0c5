"""Binary masks of the test images: the regions that results are confined to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.errors import InputError, JaxsegError
from jaxseg.runs.manifest import input_version
from jaxseg.volume import Volume


def region_path(config: Config, name: str) -> Path | None:
    """The mask of an image, by the stem of its name; a single file is the mask of every image.

    Returns
    -------
    path, or None where no masks are given

    Raises
    ------
    InputError : no mask, or several, of this name
    """
    if not config.postprocess.masks:
        return None
    root = Path(config.postprocess.masks)
    paths = io.list_images(root)
    if paths == (root,):
        return root
    found = [path for path in paths if io.image_name(path) == name]
    if len(found) != 1:
        raise InputError(
            f"not one mask for the image {name!r}",
            file=root,
            found=", ".join(path.name for path in found) or "none",
            fix="give every mask the name of its image",
        )
    return found[0]


def region_of(config: Config, sample: Sample) -> np.ndarray | None:
    """Where results may be.

    Returns
    -------
    (*S) bool, or None = everywhere
    """
    volume = open_region(config, sample)
    return None if volume is None else volume.array() > 0


def region_version(config: Config, sample: Sample) -> dict[str, Any]:
    """What tells one version of the mask of an image from another; nothing without masks."""
    path = region_path(config, sample.name)
    return {"region": input_version(path)} if path else {}


def region_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """Masks that are missing, damaged, or of another size than their image."""
    problems: list[JaxsegError] = []
    for sample in samples:
        try:
            volume = open_region(config, sample)
        except JaxsegError as problem:
            problems.append(problem)
            continue
        shape = sample.image.spatial_shape
        if volume is not None and volume.spatial_shape != shape:
            problems.append(
                InputError(
                    "mask and image differ in size",
                    file=volume.path,
                    expected=f"{shape}, as {sample.image.path}",
                    found=volume.spatial_shape,
                    fix="make the mask again from this image",
                )
            )
    # The same folder that does not exist is one problem, however many images there are.
    return list({str(problem): problem for problem in problems}.values())


def open_region(config: Config, sample: Sample) -> Volume | None:
    """The mask of an image, read lazily; None where no masks are given."""
    path = region_path(config, sample.name)
    if path is None:
        return None
    return io.open_labels(path, ndim=config.ndim, axes=config.data.label_axes)
