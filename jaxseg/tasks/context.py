"""After a training: how much its network needs to see around a tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxseg import data, io
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.geometry import Context, round_up
from jaxseg.prediction.context import TOLERANCE, needed_context
from jaxseg.prediction.predictor import predictor_of
from jaxseg.prediction.sight import CONTEXT
from jaxseg.prediction.tiling import guessed_halo
from jaxseg.runs.layout import Run

# Windows that are measured, voxels of all of them, and among how many they are chosen.
WINDOWS, VOXELS, CANDIDATES = 6, 2**21, 24


def measure_context(config: Config, run: Run, samples: Sequence[Sample]) -> None:
    """Measure the context on images of the training and keep it beside the checkpoint.

    Parameters
    ----------
    config, run : of a training that has ended
    samples : images to validate on and to learn from
    """
    # Rounding in fewer digits differs by more than the tolerance.
    own = replace(config.predict, checkpoint="", precision="float32")
    predictor = predictor_of(replace(config, predict=own), run.checkpoints, ())
    reach, stride = predictor.sight.halo, predictor.sight.stride
    guess = guessed_halo(config.patch, reach, stride)
    if all(voxels >= radius for voxels, radius in zip(guess, reach, strict=True)):
        return
    largest = max(samples, key=lambda sample: sample.image.voxels)
    most = min(VOXELS, predictor.sight.most)
    shape = window_shape(largest.image.spatial_shape, config.patch, reach, stride, most=most)
    if not all(shape):
        return
    windows = busiest_windows(config, samples, shape)
    found = alike_in_plane(needed_context(predictor.forward, windows, stride=stride), stride)
    io.write_json(run.checkpoints / CONTEXT, {"context": found, "tolerance": TOLERANCE})
    sides = "x".join(map(str, guessed_halo(config.patch, reach, stride, found)))
    blended = "as far as images show it, and are blended"
    how = blended if None in found else f"by {TOLERANCE} of the range at most"
    print(f"halo {sides}: tiles differ from the whole image {how}")


def alike_in_plane(context: Context, stride: tuple[int, ...]) -> Context:
    """The larger of the contexts along y and x for both, since images are turned in the plane.

    >>> alike_in_plane((8, None, 24), (2, 4, 4)), alike_in_plane((8, 24), (2, 4))
    ((8, 24, 24), (8, 24))
    """
    known = [voxels for voxels in context[-2:] if voxels is not None]
    if not known or stride[-1] != stride[-2]:
        return context
    return (*context[:-2], max(known), max(known))


def window_shape(
    size: tuple[int, ...],
    patch: tuple[int, ...],
    reach: tuple[int, ...],
    stride: tuple[int, ...],
    *,
    most: int = VOXELS,
) -> tuple[int, ...]:
    """Of windows in which a cut is as far from their ends as the network can see, if possible.

    Parameters
    ----------
    size : of an image
    patch, reach, stride : of the training and its network
    most : voxels of a window

    >>> window_shape((600, 80), (64, 64), (100, 100), (16, 16))
    (224, 80)
    """
    wanted = [
        min(length, max(2 * round_up(radius, step), side))
        for length, radius, side, step in zip(size, reach, patch, stride, strict=True)
    ]
    share = min(1.0, most / math.prod(wanted)) ** (1 / len(size))
    return tuple(
        int(length * share) // step * step for length, step in zip(wanted, stride, strict=True)
    )


def busiest_windows(
    config: Config, samples: Sequence[Sample], shape: tuple[int, ...]
) -> list[np.ndarray]:
    """Windows (*S, C) of images, those with the most contrast: of blank ones all nets say the same.

    Parameters
    ----------
    config : of the training
    samples : images
    shape : of a window
    """
    places = data.grid(samples, patch=shape, limit=CANDIDATES)
    windows = [
        data.grid_batch(
            samples, places, patch=shape, size=1, index=index, ignore=config.data.ignore
        ).image[0]
        for index in range(len(places))
    ]
    count = max(1, min(WINDOWS, VOXELS // math.prod(shape)))
    return sorted(windows, key=lambda window: -float(window.std()))[:count]
