"""One training patch, changed at random by all rows that are on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxseg.augment import draw
from jaxseg.augment.resample import Affine, places, resampled
from jaxseg.augment.table import ROWS
from jaxseg.augment.turns import Bit, Turn, turned
from jaxseg.config.augment import Augment, Augmentation
from jaxseg.config.option import checked

Interpolation = Literal["nearest", "linear"]


def random_augment(
    key: jax.Array,
    image: jax.Array,
    labels: Any,
    *,
    settings: Augment,
    interpolation: Mapping[str, Interpolation] | None = None,
) -> tuple[jax.Array, Any]:
    """One patch, changed at random.

    First the places: mirror images and quarter turns as one exact movement, then all affine
    changes and deformations as one resampling. Then what changes only the intensities, in the
    order of :data:`jaxseg.augment.AUGMENTATIONS`, and last the rows of ``settings.extra``. Every
    row has a random stream that follows from ``key`` and its name, so that switching one on leaves
    the others as they are.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float, normalised: most values in [0, 1].
    labels : jax.Array or mapping of names to arrays
        Truth that moves with the image: (*S) or (*S, L) each, for several that move alike; an
        array may be finer or coarser than the image.
    settings : Augment
        What may change, and how far; static under jit.
    interpolation : mapping of names to {"nearest", "linear"}, optional
        For arrays of the mapping, for "labels", and for "image". Otherwise floating point is
        interpolated linearly, and of integers the nearest voxel is taken.

    Returns
    -------
    image : jax.Array
        (*S, C) of the same type, not clipped.
    labels : jax.Array or mapping of names to arrays
        Of the same shapes and types; every integer was there before, but for zeros beyond a
        constant border or in boxes.

    Examples
    --------
    >>> image, labels = jax.numpy.zeros((4, 4, 1)), jax.numpy.ones((4, 4), int)
    >>> image, labels = random_augment(jax.random.key(0), image, labels, settings=Augment())
    >>> image.shape, int(labels.min())
    ((4, 4, 1), 1)
    """
    checked(settings, Augment)
    active = list(_active(settings, image.ndim - 1))
    if not active:
        return image, labels
    patch = _named(image, labels)
    patch = _turned(key, patch, active)
    patch = _resampled(key, patch, active, settings, interpolation or {})
    for row in active:
        if row.kind == "intensity":
            on, make = _drawn(key, row)
            patch = patch._replace(image=_either(on, make(patch.image), patch.image))
        elif row.kind == "patch":
            on, make = _drawn(key, row)
            changed = make(patch.image, patch.truth)
            image, truth = jax.tree.map(functools.partial(_either, on), changed, tuple(patch))
            patch = _Patch(image, truth)
    return patch.image, patch.truth if isinstance(labels, Mapping) else patch.truth["labels"]


class _Patch(NamedTuple):
    image: jax.Array
    truth: dict[str, jax.Array]


def _named(image: jax.Array, labels: Any) -> _Patch:
    return _Patch(image, dict(labels) if isinstance(labels, Mapping) else {"labels": labels})


def _active(settings: Augment, ndim: int) -> Iterator[Augmentation]:
    """The rows that are on, with the options that hold, in their order."""
    if not settings.enable:
        return
    own = (replace(row, options=getattr(settings, row.name)) for row in ROWS)
    for row in (*own, *settings.extra):
        if row.options.probability > 0 and not (row.volumes_only and ndim < 3):
            yield row


def _drawn(key: jax.Array, row: Augmentation) -> tuple[Bit, Any]:
    """Whether a change happens, and its function with key and options filled in."""
    coin_key, change_key = jax.random.split(draw.named_key(key, row.name))
    names = [field.name for field in fields(row.options) if field.name != "probability"]
    values = {name: getattr(row.options, name) for name in names}
    return (
        draw.coin(coin_key, row.options.probability),
        functools.partial(row.apply, change_key, **values),
    )


def _turned(key: jax.Array, patch: _Patch, active: list[Augmentation]) -> _Patch:
    """The patch after all turns that are on, as one."""
    rows = [row for row in active if row.kind == "turn"]
    if not rows:
        return patch
    *shape, _ = patch.image.shape
    total = Turn(False, (False,) * len(shape))
    for row in rows:
        on, make = _drawn(key, row)
        turn = make(ndim=len(shape), square=shape[-1] == shape[-2])
        total = total.then(turn.only_if(on))
    image, truth = jax.tree.map(lambda array: turned(array, total), tuple(patch))
    return _Patch(image, truth)


def _resampled(
    key: jax.Array,
    patch: _Patch,
    active: list[Augmentation],
    settings: Augment,
    interpolation: Mapping[str, Interpolation],
) -> _Patch:
    """The patch after all affine changes and deformations that are on, resampled once."""
    rows = [row for row in active if row.kind in ("affine", "field")]
    if not rows:
        return patch
    shape = patch.image.shape[:-1]
    affine, field = Affine(jnp.eye(3)), None
    for row in rows:
        on, make = _drawn(key, row)
        change = make(shape=shape)
        if row.kind == "affine":
            affine = affine.then(change.only_if(on))
        else:
            change = change if on is True else change * on
            field = change if field is None else field + change

    def moved(name: str, array: jax.Array) -> jax.Array:
        usual = "linear" if jnp.issubdtype(array.dtype, jnp.floating) else "nearest"
        linear = interpolation.get(name, usual) == "linear"
        at = places(affine, field, array.shape[: len(shape)], shape)
        return resampled(array, at, ndim=len(shape), linear=linear, border=settings.border)

    truth = {name: moved(name, array) for name, array in patch.truth.items()}
    return _Patch(moved("image", patch.image), truth)


def _either(on: Bit, changed: jax.Array, before: jax.Array) -> jax.Array:
    """One of two arrays; nothing is compiled where it is known or where they are the same."""
    return changed if on is True or changed is before else jnp.where(on, changed, before)
