"""Pictures of a training: its patches, where they lie, and what is predicted of some of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg import channels as table
from jaxseg import data, io, report
from jaxseg.config import Config
from jaxseg.data import Batch, Sample
from jaxseg.models import Model
from jaxseg.runs.layout import Run

# Below the results of a run.
CHANGES, PLACES, PREDICTIONS = "aug", "probability_map", "train_pred_samples"


def show_changes(
    config: Config,
    run: Run,
    batches: Iterable[Batch],
    change: Callable[..., Any],
    sample: Sample,
) -> None:
    """Pictures of training patches before and after their random changes, if they are asked for.

    Parameters
    ----------
    config, run : of the training
    batches : of patches
    change : what training does to a patch
    sample : an image, for the size of its voxels
    """
    for example in report.examples(
        batches if config.augment.show else (),
        change,
        functools.partial(true_planes, config, spacing=sample.image.spacing),
        count=config.augment.show,
        seed=config.seed,
        names=table.columns(config.channels, config.ndim).names,
    ):
        for when in ("before", "after"):
            path = run.results / CHANGES / f"{example.name}_{when}.png"
            io.write_png(path, getattr(example, when))


def true_planes(
    config: Config, truth: Mapping[str, np.ndarray], *, spacing: Sequence[float]
) -> np.ndarray:
    """What a network is to learn of a patch.

    Parameters
    ----------
    config : of the training
    truth : arrays by name, as patches have them
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    numpy.ndarray
        (*S, K).
    """
    found = table.true_planes(truth, config.channels, ndim=config.ndim, spacing=spacing)
    return np.asarray(found)


def show_places(
    config: Config, run: Run, draw: Callable[[int], Batch], learn: Sequence[Sample]
) -> None:
    """The maps from which centres of patches are drawn, and the first patches in their images.

    Parameters
    ----------
    config, run : of the training
    draw : the batch of a step
    learn : images to learn from
    """
    drawn, folder = config.data.probability_map, run.results / PLACES
    if not (drawn.enable and drawn.save):
        return
    data.save_probability_maps(folder, learn, drawn, config.data.ignore)
    batch, samples = draw(0), {sample.name: sample for sample in learn}
    for number, (name, start) in enumerate(zip(batch.names, batch.starts.tolist(), strict=True)):
        sample = samples[name]
        if sample.labels is not None:
            found = report.marked(sample.image.array(), sample.labels.array(), start, config.patch)
            for which, picture in zip(("mark_x", "mark_y"), found, strict=True):
                io.write_png(folder / f"{which}_{number:03d}_{name}.png", picture)


def predictions(
    config: Config, run: Run, model: Model, check: Sequence[Sample]
) -> Callable[[Mapping[str, Any], int], None]:
    """What draws how a network predicts some patches of the validation images, always the same.

    Parameters
    ----------
    config, run : of the training
    model : the network
    check : images to validate on

    Returns
    -------
    callable
        Variables and the number of the epoch; it writes one picture for each patch.
    """
    count = config.train.predictions
    places = data.grid(check, patch=config.patch, limit=count)
    batch = data.grid_batch(
        check,
        places,
        patch=config.patch,
        size=min(count, len(places)),
        index=0,
        ignore=config.data.ignore,
    )
    spacing = check[0].image.spacing
    patches = [batch.truth_of(number) for number in range(len(batch.names))]
    true = [true_planes(config, truth, spacing=spacing) for truth in patches]
    names = table.columns(config.channels, config.ndim).names

    @jax.jit
    def forward(variables: Mapping[str, Any], image: jax.Array) -> jax.Array:
        return table.activate(model.apply(variables, image), config.channels)

    def draw(variables: Mapping[str, Any], epoch: int) -> None:
        for number, (name, image, truth, wanted) in enumerate(
            zip(batch.names, batch.image, patches, true, strict=True)
        ):
            # One patch at a time: the memory of the device is that of the training.
            (planes,) = jax.device_get(forward(variables, image[None]))
            stem = f"{number:03d}_{name}_epoch_{epoch:04d}"
            picture = report.compared(
                image, truth, wanted, planes, names=names, title=f"{name}, epoch {epoch}"
            )
            io.write_png(run.results / PREDICTIONS / f"{stem}.png", picture)

    return draw
