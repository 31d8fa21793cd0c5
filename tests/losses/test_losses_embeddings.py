"""The EmbedSeg loss against its definition, object by object, and its gradients."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jax.test_util import check_grads
from support.synthetic_objects import touching_balls

from jaxseg.channels import encode, loss_parts, metric_parts
from jaxseg.config import ch
from jaxseg.errors import ConfigError
from jaxseg.losses import (
    Embedding,
    Objects,
    embedding_losses,
    embedding_overlap,
    lovasz,
    lovasz_hinge,
)
from jaxseg.losses import embeddings as module

pytestmark = pytest.mark.usefixtures("quick_compilation")

CHANNEL = (ch("E"),)
TERMS = ("instance", "variance", "seed")
LEVELS = st.integers(-12, 12).map(lambda number: number / 4)


def jaccard_loss(wrong: set[int], inside: np.ndarray) -> float:
    """One minus the IoU when exactly these voxels are mistaken."""
    truth = set(np.flatnonzero(inside))
    union = truth | wrong
    return len(wrong) / len(union) if union else 0.0


def brute_force_hinge(logits: np.ndarray, inside: np.ndarray) -> float:
    """The Lovász extension by its definition: sorted errors times what each adds to the set."""
    errors = 1 - np.where(inside, logits, -logits)
    total, wrong = 0.0, set()
    for place in np.argsort(-errors, kind="stable"):
        before = jaccard_loss(wrong, inside)
        wrong = {*wrong, int(place)}
        total += max(errors[place], 0) * (jaccard_loss(wrong, inside) - before)
    return total


@given(arrays(float, 9, elements=LEVELS), arrays(bool, 9))
def test_hinge_by_definition(logits: np.ndarray, inside: np.ndarray) -> None:
    found = lovasz_hinge(jnp.asarray(logits), jnp.asarray(inside))
    np.testing.assert_allclose(found, brute_force_hinge(logits, inside), rtol=1e-5, atol=1e-6)


def test_hinge_of_hard_decisions_is_twice_the_jaccard_loss(rng: np.random.Generator) -> None:
    inside, guess = rng.random((2, 20, 30)) < 0.4
    found = lovasz_hinge(jnp.where(guess, 1.0, -1.0), inside)
    both, either = (inside & guess).sum(axis=1), (inside | guess).sum(axis=1)
    np.testing.assert_allclose(found, 2 * (1 - both / either), rtol=1e-5)


def test_hinge_of_some_voxels_is_that_of_no_others(rng: np.random.Generator) -> None:
    logits, inside = rng.normal(0, 2, 40).astype(np.float32), rng.random(40) < 0.5
    counts = rng.random(40) < 0.7
    found = lovasz_hinge(logits, inside, jnp.asarray(counts))
    np.testing.assert_allclose(found, lovasz_hinge(logits[counts], inside[counts]), rtol=1e-5)


def test_voxels_without_an_error_are_left_out_of_the_sorting(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = rng.random((2, 5000)) < 0.05

    def value(logits: Any) -> jax.Array:
        return lovasz_hinge(logits, jnp.asarray(inside)).sum()

    usual = jax.jit(jax.value_and_grad(value))
    every = jax.jit(jax.value_and_grad(lambda logits: value(logits)))
    for near in (100, 700, 5000):
        unsure = rng.uniform(-1, 1, inside.shape)
        sure = np.where(inside, 1.0, -1.0)
        logits = np.where(np.arange(5000) < near, unsure, sure).astype(np.float32)
        found, slope = usual(logits)
        with monkeypatch.context() as patch:
            patch.setattr(lovasz, "LEAST", 10**9)
            expected, expected_slope = every(logits)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(slope, expected_slope, atol=1e-6)


# ------------------------------------------------------------------------- the three terms


def example(rng: np.random.Generator, ids: int = 5) -> tuple[Embedding, Objects]:
    """Three samples in two dimensions: many objects, a few with gaps in their ids, none."""
    labels = rng.integers(0, ids, (3, 60)).astype(np.int32)
    labels[1] = np.where(labels[1] == 2, 0, labels[1])
    labels[2] = 0
    places, sigma = rng.normal(0, 0.5, (2, 3, 60, 2)).astype(np.float32)
    predicted = Embedding(places, sigma * 0.2, rng.random((3, 60)).astype(np.float32))
    centres = rng.normal(0, 0.5, (3, ids + 3, 2)).astype(np.float32)
    return predicted, Objects(labels, centres, rng.random((3, 60)) < 0.8)


def plain_terms(predicted: Embedding, true: Objects, sample: int) -> dict[str, Any]:
    """The definition for one sample: a loop over its objects."""
    counts = true.counts[sample]
    labels = true.labels[sample][counts]
    places, sigma, seed = (part[sample][counts] for part in predicted)
    hinges, variances, overlaps = [], [], []
    seeds = float(np.square(seed[labels == 0]).sum())
    for label in np.unique(labels[labels > 0]):
        own = labels == label
        mean = sigma[own].mean(axis=0)
        near = np.exp(-(np.exp(10 * mean) * (places - true.centres[sample, label]) ** 2).sum(-1))
        hinges.append(brute_force_hinge(2 * near - 1, own))
        variances.append(np.square(sigma[own] - mean).mean())
        seeds += 10 * np.square(seed[own] - near[own]).sum()
        guess = (near > 0.5) & (seed > 0.5)
        overlaps.append((guess & own).sum() / (guess | own).sum())
    number = len(hinges)
    return {
        "instance": (sum(hinges), number),
        "variance": (sum(variances), number),
        "seed": (seeds, counts.sum()),
        "IoU": (sum(overlaps), number),
    }


@pytest.mark.parametrize("at_once", [150, 10**6])
def test_terms_by_definition(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    predicted, true = example(rng)

    def terms(given: tuple[Embedding, Objects]) -> dict[str, Any]:
        return embedding_losses(*given) | {"IoU": embedding_overlap(*given)}

    found = jax.jit(terms)((predicted, true))
    for sample, name in itertools.product(range(3), (*TERMS, "IoU")):
        pair = [part[sample] for part in found[name]]
        np.testing.assert_allclose(
            pair, plain_terms(predicted, true, sample)[name], rtol=1e-4, atol=1e-6, err_msg=name
        )


def test_gradients_are_those_of_finite_differences(rng: np.random.Generator) -> None:
    predicted, true = example(rng, ids=3)
    true = jax.tree.map(lambda array: jnp.asarray(array[:2, :12]), true)

    # What is held constant on purpose is left out: the kernel that the seediness should equal, and
    # the mean that sigma should equal.
    def hinge(places: jax.Array, sigma: jax.Array, seediness: jax.Array) -> jax.Array:
        terms = embedding_losses(Embedding(places, sigma, seediness), true)
        fixed = embedding_losses(Embedding(constant, sigma_constant, seediness), true)
        return terms["instance"][0].sum() + fixed["seed"][0].sum()

    with jax.enable_x64(True):
        given = tuple(jnp.asarray(part[:2, :12], jnp.float64) for part in predicted)
        constant, sigma_constant, _ = given
        check_grads(jax.jit(hinge), given, order=1, modes=("rev",), atol=1e-4, rtol=1e-4, eps=1e-6)


# ---------------------------------------------------------------------------- the channel


@functools.partial(jax.jit, static_argnames=("objects", "spacing"))
def judged(
    logits: Any, labels: Any, objects: int = 300, spacing: tuple[float, ...] | None = None
) -> tuple[Any, ...]:
    """The loss of E as training adds it up, its gradient, its parts, and the IoU."""
    known: dict[str, Any] = {"labels": labels, "max_label": objects, "spacing": spacing}
    counts = jnp.ones(logits.shape, bool)

    def total(logits: Any) -> tuple[jax.Array, Any]:
        parts = loss_parts(logits, logits, counts, CHANNEL, **known)
        ratios = [top.sum() / jnp.maximum(bottom.sum(), 1) for top, bottom in parts.values()]
        return sum(ratios), parts

    (value, parts), gradient = jax.value_and_grad(total, has_aux=True)(logits)
    return value, gradient, parts, metric_parts(logits, logits, counts, CHANNEL, **known)["E IoU"]


@pytest.mark.slow
def test_gradients_are_finite_for_any_number_of_objects(rng: np.random.Generator) -> None:
    for objects, scale in itertools.product((0, 1, 300), (0.0, 1.0, 100.0)):
        labels = np.zeros((2, 40, 40), np.int32)
        labels[0] = (np.arange(1600) * objects // 1600).reshape(40, 40) + (objects > 0)
        logits = scale * rng.normal(size=(2, 40, 40, 5)).astype(np.float32)
        value, gradient, parts, _ = judged(logits, labels)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert parts["E instance"][1].tolist() == [objects, 0]


def test_perfect_planes_are_hard_to_beat(rng: np.random.Generator) -> None:
    truth = touching_balls(rng, (40, 40), count=4)
    labels = np.stack([truth, truth])
    planes = encode(labels[0], CHANNEL)
    logits = np.concatenate(
        [np.arctanh(planes[..., :2]), planes[..., 2:4], 20 * planes[..., 4:] - 10], axis=-1
    )
    logits = np.stack([logits, logits])
    best, _, _, overlap = judged(logits, labels)
    assert best < 0.1
    np.testing.assert_allclose(overlap[0], overlap[1])
    for part, noise in ((slice(0, 2), 0.3), (slice(2, 4), 0.3), (slice(4, 5), 30)):
        worse = logits.copy()
        worse[..., part] += rng.normal(0, noise, worse[..., part].shape)
        assert judged(worse, labels)[0] > 2 * best


@pytest.mark.slow
def test_the_weights_of_the_options_are_obeyed(rng: np.random.Generator) -> None:
    labels = jnp.ones((1, 4, 4), jnp.int32).at[0, 0].set(0)
    logits = rng.normal(0, 0.3, (1, 4, 4, 5)).astype(np.float32)

    def parts(weight: float = 1.0, **options: float) -> dict[str, float]:
        channels = (ch("E", weight=weight, **options),)
        counts = jnp.ones(logits.shape, bool)
        found = loss_parts(logits, logits, counts, channels, labels=labels, max_label=1)
        return {name: float(top[0]) for name, (top, _) in found.items()}

    usual = parts()
    changed = {"instance_weight": 3.0, "variance_weight": 0.0, "seed_weight": 5.0}
    other = parts(2.0, **changed, foreground_weight=20.0)
    assert other["E instance"] == pytest.approx(6 * usual["E instance"])
    assert other["E variance"] == 0
    assert 10 * usual["E seed"] < other["E seed"] < 20 * usual["E seed"]


def test_the_spacing_reaches_the_loss(rng: np.random.Generator) -> None:
    labels = np.repeat(touching_balls(rng, (40, 40), count=4)[None], 2, axis=0)
    logits = rng.normal(0, 0.3, (2, 40, 40, 5)).astype(np.float32)
    one, other = judged(logits, labels)[0], judged(logits, labels, spacing=(2.0, 1.0))[0]
    assert abs(one - other) > 1e-3 * one


def test_labels_are_needed() -> None:
    planes = jnp.zeros((1, 4, 4, 5))
    with pytest.raises(ConfigError, match="compared with labels"):
        loss_parts(planes, planes, planes == 0, CHANNEL)
