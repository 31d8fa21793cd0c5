"""Training patches before and after random changes, with labels and what the network learns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseg.report.canvas import Entry, compose
from jaxseg.report.panels import STRETCH, resized, scale_of, slice_indices
from jaxseg.train.epoch import Patches

# Planes of targets that are drawn; rays and affinities have many.
MOST_PLANES = 8
UNKNOWN = (110, 110, 110)
# What is written above the parts of the labels, by their number.
HEADS = {1: ("labels",), 2: ("labels", "classes"), 4: ("pre", "post", "partners", "cores")}


class Example(NamedTuple):
    """A patch before and after, as pictures."""

    name: str
    """Number and sample."""
    before: np.ndarray
    """(Y, X, 3) uint8."""
    after: np.ndarray
    """(Y, X, 3) uint8, on the same scale of grey."""


class _Shown(NamedTuple):
    image: np.ndarray
    truth: Mapping[str, np.ndarray]
    planes: np.ndarray


def examples(
    batches: Iterable[Patches],
    change: Callable[[jax.Array, Any, Any], tuple[Any, Any]],
    targets: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    *,
    count: int,
    seed: int,
    names: Sequence[str] = (),
) -> Iterator[Example]:
    """Pictures of training patches before and after random changes.

    Parameters
    ----------
    batches : iterable of Patches
        Where the patches come from.
    change : callable
        ``(key, image (*S, C), truth) -> (image, truth)``, as training applies it.
    targets : callable
        Arrays of the truth by name, as the patches have them, to (*S, K) true planes.
    count : int
        How many patches to show.
    seed : int
        Of the changes.
    names : sequence of str
        Of the planes.

    Yields
    ------
    Example
        Image, labels and planes side by side, of a volume some slices below one another.
    """
    changed, shown = jax.jit(change), 0
    for batch in batches:
        for number, (image, name) in enumerate(zip(batch.image, batch.names, strict=True)):
            if shown == count:
                return
            key = jax.random.fold_in(jax.random.key(seed), shown)
            truth = {part: values[number] for part, values in batch.truth.items()}
            new_image, found = jax.device_get(changed(key, image, truth))
            new = {part: found[part] for part in truth}  # in the same order
            before = _Shown(image, truth, targets(truth))
            after = _Shown(new_image, new, targets(new))
            draw = functools.partial(_drawn, like=before, names=names)
            yield Example(
                f"{shown:03d}_{name}",
                draw(before, title=f"{name}, before"),
                draw(after, title=f"{name}, after"),
            )
            shown += 1


def compared(
    image: np.ndarray,
    truth: Mapping[str, np.ndarray],
    true: np.ndarray,
    planes: np.ndarray,
    *,
    names: Sequence[str] = (),
    title: str = "",
) -> np.ndarray:
    """A picture of a patch: true planes, and what a network predicts, in pairs.

    Parameters
    ----------
    image : numpy.ndarray
        (*S, C).
    truth : mapping of names to arrays
        (*S) or (*S, n) each, as patches have them.
    true : numpy.ndarray
        (*S, K); of another number of planes they are not shown.
    planes : numpy.ndarray
        (*S, K) predicted, on the scale of the true ones.
    names : sequence of str
        Of the planes.
    title : str
        Above the panels.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) uint8.
    """
    heads = [names[k] if k < len(names) else f"plane {k}" for k in range(planes.shape[-1])]
    seen = [f"{head} predicted" for head in heads]
    if true.shape != planes.shape:
        patch = _Shown(image, truth, planes)
        return _drawn(patch, like=patch, names=seen, title=title)
    # In turn, so that a plane is beside the true one.
    both = np.stack([true, planes], -1).reshape(*planes.shape[:-1], -1)
    scale = np.stack([true, true], -1).reshape(both.shape)
    named = [head for pair in zip(heads, seen, strict=True) for head in pair]
    like = _Shown(image, truth, scale)
    return _drawn(_Shown(image, truth, both), like=like, names=named, title=title)


def _drawn(patch: _Shown, *, like: _Shown, names: Sequence[str], title: str) -> np.ndarray:
    """Panels of a patch; greys are on the scale of another one."""
    ndim = patch.image.ndim - 1
    scale = scale_of(patch.image.shape[:ndim])
    image = _grey(patch.image, like.image)
    image = image if image.shape[-1] == 3 else image.mean(-1, keepdims=True).repeat(3, -1)
    columns = [image] + [coloured_labels(one) for one in _label_images(patch.truth, ndim)]
    heads = ["image", *HEADS.get(len(columns) - 1, ())]
    planes = _grey(patch.planes, like.planes)
    for number in range(min(planes.shape[-1], MOST_PLANES)):
        columns.append(planes[..., number, None].repeat(3, -1))
        heads.append(names[number] if number < len(names) else f"plane {number}")
    rows = [
        [resized((panel[index] * 255).astype(np.uint8), scale) for panel in columns]
        for index in slice_indices(patch.image.shape[:ndim])
    ]
    hidden = any((values < 0).any() for values in patch.truth.values())
    unknown = [Entry(UNKNOWN, "unknown")] if hidden else []
    return compose(rows, title=title, legend=unknown, heads=heads)


def _label_images(truth: Mapping[str, np.ndarray], ndim: int) -> list[np.ndarray]:
    """Every array of the truth, plane by plane."""
    planes = [values.reshape(*values.shape[:ndim], -1) for values in truth.values()]
    return [plane for values in planes for plane in np.moveaxis(values, -1, 0)]


def coloured_labels(labels: np.ndarray) -> np.ndarray:
    """Every label in a colour, the background black, unknown voxels grey.

    Parameters
    ----------
    labels : numpy.ndarray
        (*S) integers, -1 where unknown.

    Returns
    -------
    numpy.ndarray
        (*S, 3) from 0 to 1; a label has the same colour in every picture.
    """
    # Not before something is drawn: it takes a while.
    from matplotlib import colormaps

    palette = np.array(colormaps["tab20"].colors)  # type: ignore[attr-defined]
    labels = labels.astype(np.int64)
    colours = palette[(np.maximum(labels, 1) - 1) % len(palette)] * (labels > 0)[..., None]
    return np.where((labels < 0)[..., None], np.array(UNKNOWN) / 255, colours)


def _grey(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Values (*S, C) from 0 to 1, between two percentiles of another array."""
    axes = tuple(range(like.ndim - 1))
    low, high = np.percentile(np.asarray(like, np.float32), STRETCH, axis=axes)
    width = np.where(high > low, high - low, 1)
    return np.clip((np.asarray(values, np.float32) - low) / width, 0, 1)
