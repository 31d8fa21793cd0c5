"""Two-dimensional images as the planes of one stack."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxseg.data.samples import Sample, empty_index
from jaxseg.errors import InputError, JaxsegError
from jaxseg.normalize import Stats
from jaxseg.volume import Readable, Volume, chunks_of, parse_index

# The name of the stack, and so of all that is made of it.
STACK = "as_3d_stack"


@dataclass(frozen=True)
class Stacked:
    """A view of arrays of one shape as an array with one more axis, the first.

    >>> Stacked((np.zeros((2, 3), int), np.ones((2, 3), int)))[:, 0, 1:]
    array([[0, 0],
           [1, 1]])
    """

    sources: tuple[Readable, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return (len(self.sources), *self.sources[0].shape)

    @property
    def dtype(self) -> np.dtype:
        """The element type that holds those of all arrays; labels are never negative."""
        kinds = [np.dtype(source.dtype) for source in self.sources]
        found = np.result_type(*kinds)
        whole = all(kind.kind in "ui" for kind in kinds)
        return np.dtype(np.uint64) if whole and found.kind == "f" else found

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is stored in one piece; 1 where unknown."""
        return (1, *chunks_of(self.sources[0]))

    def __getitem__(self, index: Any) -> np.ndarray:
        (first, *rest), squeezed = parse_index(index, self.shape)
        chosen, sides = self.sources[first], (part.stop - part.start for part in rest)
        block = np.zeros((len(chosen), *sides), self.dtype)
        for plane, source in zip(block, chosen, strict=True):
            plane[...] = source[tuple(rest)]
        return block.squeeze(squeezed)


def stack_of(samples: Sequence[Sample], *, spacing: float = 0.0) -> Sample:
    """Images as the planes of a stack, in their order, read lazily.

    Parameters
    ----------
    samples : of 2D images that :func:`stack_problems` finds nothing wrong with
    spacing : distance of two planes, µm; 0 = as far as two voxels along y

    Returns
    -------
    Sample : (z, y, x, C) with the truth (z, y, x) that all images have, whose ids
        are taken as those of objects in 3D

    >>> planes = [Volume(np.full((2, 3, 1), n), "yxc", (1.0, 1.0), f"{n}") for n in range(4)]
    >>> made = stack_of([Sample(one, {}, Stats((), ()), one.name, empty_index(2))
    ...                  for one in planes], spacing=2.0)
    >>> made.image.shape, made.image.spacing, made.image[2, 0, 0].tolist()
    ((4, 2, 3, 1), (2.0, 1.0, 1.0), [2])
    """
    original = None
    if any(sample.original for sample in samples):
        original = _stacked([sample.original or sample.image for sample in samples], spacing)
    parts = [part for part in samples[0].truth if all(part in one.truth for one in samples)]
    return Sample(
        _stacked([sample.image for sample in samples], spacing),
        {part: _stacked([sample.truth[part] for sample in samples], spacing) for part in parts},
        Stats((), ()),
        STACK,
        empty_index(3),
        original,
        tuple(samples),
    )


def _stacked(volumes: Sequence[Volume], spacing: float) -> Volume:
    first = volumes[0]
    return replace(
        first,
        data=Stacked(tuple(volume.data for volume in volumes)),
        axes=f"z{first.axes}",
        spacing=(spacing or first.spacing[0], *first.spacing),
        name=STACK,
        path=_folder(volumes),
        origin=(),
        held=None,
    )


def _folder(volumes: Sequence[Volume]) -> str:
    """Where all files lie."""
    paths = [volume.path for volume in volumes]
    return os.path.commonpath(paths) if all(paths) else ""


def stack_problems(samples: Sequence[Sample]) -> list[JaxsegError]:
    """Images that are no planes of one stack: of another size, or with voxels of another size.

    Parameters
    ----------
    samples : of 2D images

    Returns
    -------
    list of JaxsegError : one for each image and kind of size
    """
    first = samples[0].image if samples else None
    problems: list[JaxsegError] = []
    for sample in samples:
        image = sample.image
        facts = {"size": image.shape, "voxel size": image.spacing}
        for what, found in facts.items():
            assert first is not None
            wanted = first.shape if what == "size" else first.spacing
            if not np.allclose(found, wanted, rtol=0.01 if what == "voxel size" else 0):
                problems.append(
                    InputError(
                        f"another {what} than the first image, so that they are no stack",
                        where=image.path,
                        expected=f"{wanted}, as {first.path}",
                        found=found,
                    )
                )
    return problems
