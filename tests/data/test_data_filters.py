"""Samples that are left out: every property against NumPy, groups, images and patches."""

from __future__ import annotations

import numpy as np
import pytest

from jaxseg import data
from jaxseg.config import SampleCondition
from jaxseg.data import Sample
from jaxseg.data.filters import PROPERTIES, filter_samples, patch_filter, summary, whole_summary
from jaxseg.data.truth import OBJECTS
from jaxseg.errors import InputError
from jaxseg.normalize import Stats
from jaxseg.volume import Volume


def sample(image: np.ndarray, labels: np.ndarray | None, name: str = "a") -> Sample:
    axes = "zyx"[-(image.ndim - 1) :]
    spacing = (1.0,) * (image.ndim - 1)
    volume = None if labels is None else Volume(labels, axes, spacing, name)
    truth = {} if volume is None else {OBJECTS: volume}
    index = data.empty_index(2) if volume is None else data.index_labels(volume)
    stats = Stats((10.0,) * image.shape[-1], (0.1,) * image.shape[-1])
    return Sample(Volume(image, axes + "c", spacing, name), truth, stats, name, index)


def made(seed: int, shape: tuple[int, ...] = (20, 24)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = rng.integers(5, 250, (*shape, 2), dtype=np.uint8)
    return image, rng.integers(0, 3, shape, dtype=np.uint16) * (rng.random(shape) < 0.3)


def test_properties_equal_numpy() -> None:
    image, labels = made(0)
    part, whole = summary(image[:5], labels[:5]), summary(image, labels)
    x, t = image[:5].astype(float), labels[:5].astype(float)
    diff = sum(np.abs(x[..., c] - t).sum() for c in range(2))
    expected = {
        "foreground": (t > 0).mean(),
        "mean": x.mean(),
        "min": x.min(),
        "max": x.max(),
        "target_mean": t.mean(),
        "target_min": t.min(),
        "target_max": t.max(),
        "diff": diff,
        "diff_by_min_max_ratio": diff * np.ptp(image.astype(float)),
        "diff_by_target_min_max_ratio": diff * np.ptp(labels.astype(float)),
    }
    assert set(PROPERTIES) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(PROPERTIES[name](part, whole), value)
    # Unsigned differences do not wrap, and slabs add up to the whole.
    added = summary(image[:7], labels[:7]) + summary(image[7:], labels[7:])
    for name, rule in PROPERTIES.items():
        np.testing.assert_allclose(rule(added, added), rule(whole, whole), err_msg=name)
        np.testing.assert_allclose(
            rule(whole_summary(sample(image, labels), normalized=False), whole), rule(whole, whole)
        )


@pytest.mark.parametrize(("sign", "gone"), [("lt", "a"), ("le", "ab"), ("gt", "c"), ("ge", "bc")])
def test_signs(sign: str, gone: str) -> None:
    images = {name: np.full((4, 4, 1), 10 * place) for place, name in enumerate("abcd"[:3], 1)}
    samples = [sample(image, None, name) for name, image in images.items()]
    found = filter_samples(samples, ((SampleCondition("mean", sign, 20.0),),))
    assert "".join(one.name for one in found.left_out) == gone
    assert "".join(one.name for one in found.kept) == "".join(sorted(set("abc") - set(gone)))
    # After normalisation 20 is (20 - 10) * 0.1.
    again = filter_samples(samples, ((SampleCondition("mean", sign, 1.0),),), normalized=True)
    assert [one.name for one in again.kept] == [one.name for one in found.kept]


def test_groups_are_joined_by_or_and_their_conditions_by_and() -> None:
    low, high = SampleCondition("max", "lt", 15.0), SampleCondition("max", "gt", 35.0)
    empty = SampleCondition("foreground", "lt", 0.1)
    samples = [
        sample(np.full((4, 4, 1), value), np.full((4, 4), label, np.uint8), f"{value} {label}")
        for value in (10, 20, 40)
        for label in (0, 1)
    ]

    def left(*groups: tuple[SampleCondition, ...]) -> set[str]:
        return {one.name for one in filter_samples(samples, groups).left_out}

    assert left() == set()
    assert left((low,), (high,)) == {"10 0", "10 1", "40 0", "40 1"}
    assert left((low, empty)) == {"10 0"}
    assert left((high,), (low, empty)) == {"10 0", "40 0", "40 1"}
    # What is not known holds never: these have no labels.
    blind = [sample(np.full((4, 4, 1), 10), None)]
    assert not filter_samples(blind, ((empty,),)).left_out


def test_nothing_left_is_an_error() -> None:
    samples = [sample(np.ones((4, 4, 1)), None)]
    with pytest.raises(InputError, match="leaves no image"):
        filter_samples(samples, ((SampleCondition("max", "le", 1.0),),))


def test_patches_without_objects_are_drawn_again() -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[30:, 30:] = 1
    one = sample(np.ones((40, 40, 1), np.float32), labels)
    rule = patch_filter(((SampleCondition("foreground", "lt", 0.05),),), patch=(8, 8))
    options = {"patch": (8, 8), "size": 32, "seed": 0, "step": 0}
    before, after = (data.batch([one], left_out=out, **options) for out in (None, rule))
    shares = [
        (labels > 0).mean((1, 2)) for labels in (before.truth["objects"], after.truth["objects"])
    ]
    assert (shares[0] < 0.05).mean() > 0.8
    assert (shares[1] < 0.05).mean() < 0.3
    kept = (shares[0] >= 0.05).nonzero()[0]
    np.testing.assert_array_equal(before.starts[kept], after.starts[kept])
    places = data.grid([one], patch=(8, 8), left_out=rule)
    assert 0 < len(places) < len(data.grid([one], patch=(8, 8)))
    for place in places:
        corner = tuple(slice(a, a + 8) for a in place.start)
        assert (labels[corner] > 0).mean() >= 0.05


def test_ranges_of_the_whole_image_count_for_patches() -> None:
    image, labels = made(1, (16, 16))
    one = sample(image, labels)
    start, part = (0, 0), summary(image[:8, :8], labels[:8, :8])
    exact = PROPERTIES["diff_by_min_max_ratio"](part, summary(image, labels))
    for sign, out in (("gt", False), ("ge", True)):
        condition = SampleCondition("diff_by_min_max_ratio", sign, exact)
        assert patch_filter(((condition,),), patch=(8, 8))(one, start) == out
