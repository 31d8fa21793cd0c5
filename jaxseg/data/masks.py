"""Labels that are not what a task needs: masks in place of objects, 255 in place of 1, nothing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxseg.data.components import components
from jaxseg.data.samples import Sample, values_of
from jaxseg.errors import InputError, JaxsegError, JaxsegWarning
from jaxseg.io import Changed
from jaxseg.volume import Volume

# What programs write for yes in a mask; with it alone an image may be a mask.
YES = (1, 255)
# Of larger images only a part is looked at.
LOOKED_AT = 2**26


def mask_problems(samples: Sequence[Sample]) -> list[JaxsegError]:
    """Label images that are masks: one value in all of them, of several separate objects.

    Parameters
    ----------
    samples : of one source

    Returns
    -------
    one problem for all, or none
    """
    # Synaptic sites are several planes, which no mask is.
    labelled = [(one.labels, one.index.ids) for one in samples if one.labels is not None]
    return _masks([(labels, ids) for labels, ids in labelled if not labels.axes.endswith("c")])


def masks_in(labels: Sequence[Volume]) -> list[JaxsegError]:
    """As :func:`mask_problems`, of label images alone, which are read through."""
    return _masks([(volume, values_of(volume)) for volume in labels])


def _masks(labelled: Sequence[tuple[Volume, np.ndarray]]) -> list[JaxsegError]:
    """The problem of label images with these ids."""
    values = {int(value) for _, ids in labelled for value in ids if value}
    if len(values) != 1 or not values <= set(YES):
        return []
    for labels, ids in labelled:
        if any(ids) and (pieces := _pieces(labels)) > 1:
            return [
                InputError(
                    "the labels are a mask, not objects: all of them have the same value",
                    where=labels.path,
                    expected="an id of its own for each object",
                    found=f"{values.pop()} for {pieces} separate ones",
                    fix="--data.label_components makes an object of each; or learn classes with "
                    "--task semantic; one object in pieces needs another id than 1 or 255",
                )
            ]
    return []


def _pieces(labels: Volume) -> int:
    """How many connected parts there are; of a large image, in the middle of it."""
    start, stop = [0] * labels.ndim_spatial, list(labels.spatial_shape)
    while np.prod(np.subtract(stop, start), dtype=np.int64) > LOOKED_AT:
        axis = int(np.argmax(np.subtract(stop, start)))
        quarter = (stop[axis] - start[axis]) // 4
        start[axis], stop[axis] = start[axis] + quarter, stop[axis] - quarter
    return int(components(labels.read(start, stop)).max(initial=0))


def zero_or_one(samples: Sequence[Sample], *, classes: int, ignore: int) -> tuple[Sample, ...]:
    """Samples of masks of 0 and 255 as samples of the classes 0 and 1; others as they are.

    Parameters
    ----------
    samples : of one source
    classes, ignore : number of classes, and the value of voxels that count for none

    Returns
    -------
    tuple of Sample

    Warns
    -----
    JaxsegWarning : that they are read so
    """
    values = {int(value) for sample in samples for value in sample.index.ids}
    if values != {255} or ignore == 255 or classes > 255:
        return tuple(samples)
    first = next(sample.labels for sample in samples if sample.labels is not None)
    warnings.warn(
        f"{first.path}: masks of 0 and 255 are read as the classes 0 and 1",
        JaxsegWarning,
        stacklevel=2,
    )
    return tuple(_as_one(sample) for sample in samples)


def _as_one(sample: Sample) -> Sample:
    """A sample whose label 255 is 1."""
    if sample.labels is None:
        return sample
    data = Changed(sample.labels.data, np.dtype(np.uint8), lambda block: block == 255)
    ids = np.ones_like(sample.index.ids)
    index = sample.index._replace(ids=ids)
    return sample.with_truth(lambda labels: replace(labels, data=data), index=index)


def emptiness_problems(samples: Sequence[Sample]) -> list[JaxsegError]:
    """A source whose label images are all empty: there is nothing to learn."""
    labelled = [sample.labels for sample in samples if sample.labels is not None]
    if not labelled or any(len(sample.index.ids) for sample in samples):
        return []
    return [
        InputError(
            f"all {len(labelled)} label images are empty",
            where=labelled[0].path,
            expected="labelled voxels in one of them at least",
            found="0, or the value to ignore, in every voxel",
            fix="give the folder of the labels; were they saved in a type that cuts their ids?",
        )
    ]


def warn_of_absent(samples: Sequence[Sample], *, classes: int) -> None:
    """Say which classes no image has; they would be learned never to occur.

    Warns
    -----
    JaxsegWarning : with their numbers
    """
    found = {
        int(value)
        for sample in samples
        if sample.labels is not None
        for value in (sample.index.ids if sample.classes is None else sample.class_values)
    }
    absent = [number for number in range(1, classes) if number not in found]
    if absent and found:
        listed = ", ".join(map(str, absent[:8])) + (", ..." if len(absent) > 8 else "")
        warnings.warn(
            f"no training image has class {listed}: the network will never predict it",
            JaxsegWarning,
            stacklevel=2,
        )
