"""The training phase: labelled images to the best network, in ``checkpoints``."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxseg import augment, checkpoint, data, hosts, runtime
from jaxseg import channels as table
from jaxseg.checkpoint import Checkpoint
from jaxseg.config import Augment, Config
from jaxseg.config.load import to_plain
from jaxseg.config.sampling import Groups
from jaxseg.config.training import Train
from jaxseg.data import Batch, Sample
from jaxseg.data.truth import interpolation
from jaxseg.errors import JaxsegError, JaxsegWarning
from jaxseg.models import Model
from jaxseg.models.recipes import default_recipe, describe
from jaxseg.network import network
from jaxseg.runs import manifest as runs
from jaxseg.runs.lock import guard, paths_of
from jaxseg.runs.manifest import Run
from jaxseg.tasks import patch_pictures as pictures
from jaxseg.tasks.context import measure_context
from jaxseg.tasks.inputs import Samples
from jaxseg.tasks.left_out import copy_left_out
from jaxseg.tasks.table import task_of, truth_of
from jaxseg.train import Fitted, Folders, fit, refuse_unfit, transfer
from jaxseg.train.start import refuse_idle

# Steps between two validations: an epoch of a few steps says little and saves often.
LEAST_STEPS = 25


def train_network(config: Config, run: Run, samples: Samples) -> None:
    """Train the network; continue an interrupted training of the same configuration."""
    start, origins = origins_of(config, samples)
    begun = _begun_with(config, samples["train"][0], start)
    values = runs.values_of("train", config, {})
    about = {"values": values, "digest": runs.digest_of("train", config, origins)}

    def enter() -> None:
        runs.claim(run, "train", config, origins)
        if config.overwrite:
            _set_aside_unfit(config, run, about, origins)

    hosts.first_alone(enter)
    learn, check = divide(config, samples)
    print(data.describe_split(learn, check), flush=True)
    print(f"device {runtime.devices_in_words()}", flush=True)
    print(f"arithmetic {describe(default_recipe())}", flush=True)
    note = data.short_patch(learn, config.patch) if task_of(config).objects(config) else ""
    if note:
        print(note, flush=True)
    learn, check = (data.cached(part, config.data.cache_gib) for part in (learn, check))
    meta = {
        "config": to_plain(config),
        "stats": learn[0].stats,
        "spacing": learn[0].image.spacing if learn[0].image.unit == "µm" else (),
        **about,
        **begun,
    }
    made = ingredients(config, learn, check)
    if hosts.is_first():
        drawn = map(made.draw, itertools.count())
        pictures.show_changes(config, run, drawn, made.augment, learn[0])
        pictures.show_places(config, run, made.draw, learn)
        for part in ("train", "val"):
            copy_left_out(config, run, part, samples)
    fitted = _fit(config, run, made, learn, check, meta, start)
    if hosts.is_first() and not runs.is_over(run, "train"):
        measure_context(config, run, (*check, *learn))
        runs.end(run, "train")
    print(
        f"trained {fitted.epochs} epochs, best validation loss {fitted.best:.4f}: {fitted.reason}"
    )


class Ingredients(NamedTuple):
    """What a training is made of beside its batches."""

    model: Model
    loss: Callable[..., Any]
    augment: Callable[..., Any]
    steps: int
    """Per epoch."""
    draw: Callable[[int], Batch]
    """The batch of a step."""


def ingredients(config: Config, learn: Sequence[Sample], check: Sequence[Sample]) -> Ingredients:
    """Network, loss and data of a training, sized for these images.

    Parameters
    ----------
    learn, check : images to learn from and to validate on
    """
    settings = config.train
    left_out = _patch_filter(config, config.data.filter.train)

    def random(step: int) -> Batch:
        return data.batch(
            learn,
            patch=config.patch,
            size=settings.batch,
            seed=config.seed,
            step=step,
            foreground=config.data.foreground,
            probability_map=config.data.probability_map,
            cutmix=config.augment.cutmix if config.augment.enable else None,
            left_out=left_out,
            ignore=config.data.ignore,
        )

    draw: Callable[[int], Batch] = random
    steps = settings.steps or _steps_to_cover(learn, config.patch, settings)
    if config.data.grid.enable:
        draw, whole = _grid(config, learn, left_out)
        steps = settings.steps or settings.passes * whole
    return Ingredients(
        network(config, dtype=settings.precision, remat=settings.remat),
        _loss(config, (*learn, *check)),
        functools.partial(
            augment.random_augment,
            settings=_turns(config, learn[0]),
            interpolation=interpolation(truth_of(config)),
        ),
        steps,
        draw,
    )


def _grid(
    config: Config, learn: Sequence[Sample], left_out: Callable[..., bool] | None
) -> tuple[Callable[[int], Batch], int]:
    """Batches of the patches of a grid, and how many cover it once."""
    options, size = config.data.grid, config.train.batch
    places = data.grid(
        learn,
        patch=config.patch,
        overlap=options.overlap,
        padding=options.padding,
        left_out=left_out,
    )

    def draw(step: int) -> Batch:
        return data.epoch_batch(
            learn,
            places,
            patch=config.patch,
            size=size,
            seed=config.seed,
            step=step,
            ignore=config.data.ignore,
        )

    return draw, math.ceil(len(places) / size)


def divide(config: Config, samples: Samples) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Images to learn from and images to validate on."""
    if samples.get("val"):
        return samples["train"], samples["val"]
    options = config.data.cross_val
    if options.folds:
        return data.k_fold(
            samples["train"], folds=options.folds, fold=options.fold, seed=config.seed
        )
    return data.split(
        samples["train"], fraction=config.data.val_fraction, seed=config.seed, patch=config.patch
    )


def _fit(
    config: Config,
    run: Run,
    made: Ingredients,
    learn: Sequence[Sample],
    check: Sequence[Sample],
    meta: Mapping[str, Any],
    start: Checkpoint | None,
) -> Fitted:
    """Put network, loss and data together and train."""
    settings, patch = config.train, config.patch
    left_out = _patch_filter(config, config.data.filter.val)
    places = data.grid(check, patch=patch, limit=settings.val_patches, left_out=left_out)

    def place(index: int) -> Batch:
        return data.grid_batch(
            check,
            places,
            patch=patch,
            size=settings.batch,
            index=index,
            ignore=config.data.ignore,
        )

    def batches(numbers: Iterable[int]) -> Iterator[Batch]:
        return data.prefetch(made.draw, numbers)

    def validation() -> Iterator[Batch]:
        return data.prefetch(place, range(math.ceil(len(places) / settings.batch)))

    show = None
    if settings.predictions_every and hosts.is_first():
        show = pictures.predictions(config, run, made.model, check)
    return fit(
        made.model,
        made.loss,
        settings,
        batches=batches,
        validation=validation,
        steps=made.steps,
        channels=learn[0].image.channels,
        patch=patch,
        folders=Folders(run.checkpoints, run.logs, run.charts),
        mesh=runtime.data_mesh(settings.batch),
        seed=config.seed,
        augment=made.augment,
        meta=meta,
        start=None if start is None else start.arrays,
        draw=show,
        guard=functools.partial(guard, *paths_of(run.results, ("train",), shared=False)),
    )


def origins_of(config: Config, samples: Samples) -> tuple[Checkpoint | None, dict[str, str]]:
    """The trained network to begin with, if any, and the versions of all that a training reads.

    Raises
    ------
    InputError : there is no such network
    """
    start = checkpoint.trained(config.train.start_from) if config.train.start_from else None
    versions = runs.training_inputs(samples) | runs.reference_inputs(config, "train", "val")
    return start, versions | ({"first weights": start.identity} if start else {})


def _begun_with(config: Config, sample: Sample, start: Checkpoint | None) -> dict[str, Any]:
    """Say which weights a training begins with, and put it down; nothing for random ones.

    Raises
    ------
    ConfigError : none of the trained weights fit, or frozen parts are not there
    """
    if start is None and not config.train.freeze:
        return {}
    model = network(config, dtype=config.train.precision)
    shape = jax.ShapeDtypeStruct((1, *model.stride, sample.image.channels), jnp.float32)
    fresh = jax.eval_shape(model.init, jax.random.key(0), shape)
    refuse_idle(fresh["params"], config.train.freeze)
    if start is None:
        return {}
    found = transfer(fresh, start.arrays)
    total, left = len(found.names) + len(found.left), ", ".join(found.left[:4])
    print(
        f"weights of {start.path}: {len(found.names)} of {total} arrays fit"
        + (f"; random are {left}{' and more' if len(found.left) > 4 else ''}" if left else ""),
        flush=True,
    )
    return {"start": {"weights": start.identity, "random": list(found.left)}}


def _set_aside_unfit(
    config: Config, run: Run, meta: Mapping[str, Any], origins: Mapping[str, str]
) -> None:
    """Move a training that cannot be continued to the trash, as overwriting asks for."""
    try:
        epochs = config.train.epochs if config.train.extend else 0
        refuse_unfit(run.checkpoints, meta, epochs=epochs)
    except JaxsegError as problem:
        print(f"{problem.what}: moved to {run.root / '_trash'}", flush=True)
        runs.discard(run, runs.ORDER)
        runs.claim(run, "train", config, origins)


def _turns(config: Config, sample: Sample) -> Augment:
    """The changes that keep the size of a voxel: no quarter turns where y and x differ in it."""
    *_, y, x = sample.image.spacing
    if y == x or not (config.augment.rot90.probability or config.augment.rotate.probability):
        return config.augment
    warnings.warn(
        "no rotations in training: voxels differ in size along y and x", JaxsegWarning, stacklevel=2
    )
    return config.augment.without("rot90", "rotate")


def _loss(config: Config, samples: Sequence[Sample]) -> Callable[..., Any]:
    """The loss of the configured channels, its arrays sized for these labels."""
    sizes = data.label_statistics(samples, ignore=config.data.ignore)
    # A zoomed object is larger, and a patch cannot show more objects than it has voxels.
    growth = config.augment.growth(config.ndim)
    reach = tuple(
        min(math.ceil(voxels * factor), size)
        for voxels, factor, size in zip(sizes.reach, growth, config.patch, strict=True)
    )
    return table.loss_of(
        config.channels,
        ndim=config.ndim,
        spacing=samples[0].image.spacing,
        max_distance=reach,
        max_label=max(1, min(sizes.objects * _patches_mixed(config), math.prod(config.patch))),
        options=config.loss,
    )


def _patch_filter(config: Config, groups: Groups) -> Callable[..., bool] | None:
    """Which patches are left out, if any are."""
    options = config.data.filter
    if options.by == "image" or not groups:
        return None
    return data.patch_filter(groups, patch=config.patch, normalized=options.normalized)


def _patches_mixed(config: Config) -> int:
    """From how many patches the objects of one can come."""
    return 2 if config.augment.enable and config.augment.cutmix.probability else 1


def _steps_to_cover(samples: Sequence[Sample], patch: tuple[int, ...], settings: Train) -> int:
    """Steps in which as many voxels are drawn as the images have, not too few to learn from."""
    least = math.prod(patch)
    voxels = sum(max(sample.image.voxels, least) for sample in samples)
    return max(LEAST_STEPS, round(settings.passes * voxels / (least * settings.batch)))
