"""The images of a source and their labels, by the rule that a configuration asks for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from jaxseg.config import Source
from jaxseg.config.schema import PairRule
from jaxseg.errors import InputError, JaxsegError, JaxsegWarning
from jaxseg.io import Format, Pair, described, pair_by_order, pair_files
from jaxseg.volume import Volume


def paired(
    source: Source, rule: PairRule = "name", formats: Sequence[Format] = ()
) -> tuple[Pair, ...]:
    """The images of a source and their labels.

    Parameters
    ----------
    source : folders of images and labels
    rule : name: by their names; order: by their sorted order, and the pairs are printed;
        name_or_order: by their order where the names do not fit
    formats : more file formats than those of the table

    Raises
    ------
    InputError : they cannot be paired
    """
    if rule != "order" or not source.labels:
        try:
            return pair_files(source.raw, source.labels, formats=formats)
        except InputError:
            if rule == "name" or not source.labels:
                raise
    pairs = pair_by_order(source.raw, source.labels, formats=formats)
    print(f"{source.raw} and {source.labels} are paired by their order, not by names:")
    print(described(pairs), flush=True)
    return pairs


def misfits(image: Volume, labels: Volume) -> list[JaxsegError]:
    """An image and labels of different size; a warning where only their spacing differs."""
    if image.spatial_shape != labels.spatial_shape:
        return [
            InputError(
                "image and labels differ in size",
                where=labels.path,
                expected=f"{image.spatial_shape}, as {image.path}",
                found=labels.spatial_shape,
                fix="export the labels again from this image",
            )
        ]
    known = image.unit == labels.unit == "µm"
    if known and not np.allclose(image.spacing, labels.spacing, rtol=0.01):
        warnings.warn(
            f"{labels.path}: voxel size {labels.spacing} µm, but {image.spacing} in the image, "
            "which is used",
            JaxsegWarning,
            stacklevel=2,
        )
    # Either file may not say where it lies, which means at 0.
    start, other = (volume.origin or (0.0,) * len(image.spacing) for volume in (image, labels))
    if known and any(
        abs(a - b) > size / 2 for a, b, size in zip(start, other, image.spacing, strict=True)
    ):
        warnings.warn(
            f"{labels.path}: the labels begin at {other} µm, the image at {start} µm; their first "
            "voxels are taken for the same place",
            JaxsegWarning,
            stacklevel=2,
        )
    return []
