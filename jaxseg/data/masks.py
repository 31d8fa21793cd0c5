"""Labels that are not what a task needs: masks or an image in place of objects, nothing, 255."""

from __future__ import annotations

import math
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
# An image has so many values, each in so many separate places on average: 8 to 7000 in eight data
# sets, where an object has 1 or 2.
VALUES, PLACES, ENOUGH = 16, 5, 2**22


def mask_problems(samples: Sequence[Sample]) -> list[JaxsegError]:
    """Label images that are masks, one value of several separate objects, or that are not labels.

    Parameters
    ----------
    samples : of one source

    Returns
    -------
    one problem for all, or none
    """
    # Synaptic sites are several planes, which no mask is.
    labelled = [(one.labels, one.index.ids) for one in samples if one.labels is not None]
    return _no_objects([(labels, ids) for labels, ids in labelled if not labels.axes.endswith("c")])


def masks_in(labels: Sequence[Volume]) -> list[JaxsegError]:
    """As :func:`mask_problems`, of label images alone, which are read through."""
    return _no_objects([(volume, values_of(volume)) for volume in labels])


def _no_objects(labelled: Sequence[tuple[Volume, np.ndarray]]) -> list[JaxsegError]:
    """The problem of label images with these ids."""
    return _masks(labelled) or _intensities(labelled)


def _intensities(labelled: Sequence[tuple[Volume, np.ndarray]]) -> list[JaxsegError]:
    """That the first of them with many ids is an image, as where the two folders are swapped."""
    for labels, ids in labelled:
        if len(ids) < VALUES:
            continue
        part = _part(labels, ENOUGH)
        values = np.unique(part)
        pieces = int(components(part).max(initial=0))
        if len(values) < VALUES or pieces < PLACES * len(values):
            return []
        return [
            InputError(
                "the labels are an image, not objects: their values are scattered",
                where=labels.path,
                expected="an id for each object, in one piece",
                found=f"{len(values)} values in {pieces} separate places",
                fix="give the folder of the labels: is it swapped with that of the images? "
                "--data.label_components makes an object of each connected part",
            )
        ]
    return []


def _masks(labelled: Sequence[tuple[Volume, np.ndarray]]) -> list[JaxsegError]:
    """That all of them have one value for several objects."""
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
    return int(components(_part(labels, LOOKED_AT)).max(initial=0))


def _part(labels: Volume, most: int) -> np.ndarray:
    """The middle of an image, of so many voxels at most."""
    sizes = list(labels.spatial_shape)
    while math.prod(sizes) > most:
        longest = int(np.argmax(sizes))
        sizes[longest] = -(-sizes[longest] // 2)
    return labels.middle(sizes).array()


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
