"""Clustering against its plain definition, and objects out of embeddings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import real_images
from support.synthetic_objects import same_partition, touching_balls

from jaxseg.channels import encode
from jaxseg.config import EmbedSeg, ch
from jaxseg.decoding import decode, embedseg
from jaxseg.decoding.clustering import cluster
from jaxseg.errors import ConfigError, InputError
from jaxseg.metrics import matching

CHANNEL = (ch("E"),)
SHAPES = {2: (72, 64), 3: (34, 36, 32)}
ANY_SIZE = EmbedSeg(min_object_size=1)


def plain_cluster(
    points: np.ndarray,
    narrow: np.ndarray,
    certainty: np.ndarray,
    least_certain: float,
    stop_at: int,
    min_size: int,
    min_free: float,
) -> np.ndarray:
    """Every cluster against all points."""
    found, free, count = np.zeros(len(points), int), np.ones(len(points), bool), 0
    while free.sum() > stop_at:
        seed = int(np.where(free, certainty, -np.inf).argmax())
        if certainty[seed] < least_certain:
            break
        square = (narrow[seed] * (points - points[seed]) ** 2).sum(axis=1)
        near = square < math.log(2)
        members = near & free
        free &= ~near
        if members.sum() >= min_size and members.sum() > min_free * near.sum():
            count += 1
            found[members] = count
    return found


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.sampled_from([0, 1, 30, 400]),
    st.sampled_from([0, 40]),
    st.sampled_from([1, 4]),
    st.sampled_from([0.0, 0.5]),
)
def test_clusters_by_definition(
    seed: int, ndim: int, number: int, stop_at: int, min_size: int, min_free: float
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (number, ndim)) * 3 + rng.normal(0, 0.3, (number, ndim))
    narrow = np.exp(rng.uniform(-5, 5, (number, ndim)))
    certainty = rng.integers(0, 50, number) / 50
    settings = {"stop_at": stop_at, "min_size": min_size, "min_free": min_free}
    found = cluster(points, narrow, certainty, least_certain=0.4, **settings)
    expected = plain_cluster(points, narrow, certainty, 0.4, **settings)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32


@pytest.mark.parametrize("extent", [1e-9, 1e6])
def test_kernels_far_smaller_or_larger_than_the_image(extent: float) -> None:
    points = np.linspace(0, 1, 50)[:, None] * np.array([1.0, 0.5])
    narrow = np.full((50, 2), extent**-2)
    found = cluster(points, narrow, np.linspace(1, 0.6, 50))
    assert found.max() == (50 if extent < 1 else 1)


# ------------------------------------------------------------------------------ round trips


@pytest.mark.parametrize("center", ["centroid", "medoid"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_objects_come_back(ndim: int, center: str) -> None:
    truth = touching_balls(np.random.default_rng(0), SHAPES[ndim], count=8)
    channels = (ch("E", center=center),)
    for spacing in (None, (2.0, 0.5, 0.5)[:ndim]):
        planes = encode(truth, channels, spacing=spacing)
        labels = decode(planes, channels, spacing=spacing)
        assert same_partition(truth, labels), f"spacing {spacing}"


def test_touching_thin_objects_come_back() -> None:
    truth = np.repeat(np.arange(1, 13), 2)[:, None] * np.ones(60, int)
    diagonal = (np.add.outer(np.arange(60), np.arange(60)) // 3) + 1
    for labels in (truth, diagonal):
        planes = encode(labels, CHANNEL)
        assert same_partition(labels, embedseg(planes, CHANNEL, options=ANY_SIZE))


def test_nested_objects_come_back_by_their_medoids() -> None:
    distance = np.hypot(*np.indices((41, 41)) - 20)
    truth = np.select([distance < 6, distance < 18], [1, 2])
    found = {
        center: embedseg(encode(truth, channels), channels)
        for center in ("centroid", "medoid")
        for channels in [(ch("E", center=center),)]
    }
    assert found["centroid"].max() == 1, "one centre for both"
    assert same_partition(truth, found["medoid"])


def test_no_object_one_object_and_one_everywhere() -> None:
    assert decode(encode(np.zeros((20, 24), int), CHANNEL), CHANNEL).max() == 0
    one = np.zeros((20, 24), int)
    one[5:12, 8:20] = 2**40
    assert same_partition(one, decode(encode(one, CHANNEL), CHANNEL))
    assert (decode(encode(np.ones((24, 20), int), CHANNEL), CHANNEL) == 1).all()


def test_more_objects_than_16_bits() -> None:
    truth = np.zeros((540, 540), np.int64)
    truth[::2, ::2] = np.arange(1, 270**2 + 1).reshape(270, 270)
    planes = encode(truth, CHANNEL)
    labels = embedseg(planes, CHANNEL, options=ANY_SIZE)
    assert labels.dtype == np.uint32
    assert same_partition(truth, labels)


@pytest.mark.parametrize("ndim", [2, 3])
def test_noise_has_no_objects(ndim: int, rng: np.random.Generator) -> None:
    shape = (*SHAPES[ndim], 2 * ndim + 1)
    for noise in (
        rng.normal(0.01, 0.002, shape),
        rng.normal(0.5, 0.002, shape),
        rng.normal(0.0, 0.02, shape),
        rng.random(shape),
    ):
        labels = decode(noise.astype(np.float32), CHANNEL)
        assert (labels.max(), labels.dtype) == (0, np.uint16)


def test_noisy_planes_still_give_the_objects(rng: np.random.Generator) -> None:
    truth = touching_balls(rng, SHAPES[2], count=8)
    planes = encode(truth, CHANNEL)
    planes = planes + rng.normal(0, 0.005, planes.shape) * (truth > 0)[..., None]
    found = matching(truth, embedseg(planes, CHANNEL))[0]
    assert (found.tp, found.fp, found.fn) == (8, 0, 0)


# --------------------------------------------------------------------------------- options


def scene() -> np.ndarray:
    """Planes of a large sure object, a small one, and an unsure one; 100, 16 and 64 voxels."""
    labels = np.zeros((40, 40), int)
    labels[2:12, 2:12], labels[20:24, 4:8], labels[20:28, 20:28] = 1, 2, 3
    planes = np.array(encode(labels, CHANNEL))
    planes[..., -1] *= np.array([0, 0.95, 0.9, 0.7])[labels]
    return planes


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        (EmbedSeg(), [100, 16]),
        (EmbedSeg(seed_threshold=0.5), [100, 16, 64]),
        (EmbedSeg(foreground_threshold=0.8), [100, 16]),
        (EmbedSeg(foreground_threshold=0.92), [100]),
        (EmbedSeg(seed_threshold=0.5, min_object_size=16), [100, 16, 64]),
        (EmbedSeg(seed_threshold=0.5, min_object_size=17), [100, 64]),
        (EmbedSeg(seed_threshold=0.5, min_mask_sum=179), [100, 16, 64]),
        (EmbedSeg(seed_threshold=0.5, min_mask_sum=180), []),
        (EmbedSeg(seed_threshold=0.5, min_unclustered_sum=63), [100, 16, 64]),
        (EmbedSeg(seed_threshold=0.5, min_unclustered_sum=64), [100, 16]),
        (EmbedSeg(seed_threshold=0.5, min_unclustered_sum=80), [100]),
    ],
)
def test_options_are_obeyed(options: EmbedSeg, sizes: list[int]) -> None:
    labels = embedseg(scene(), CHANNEL, options=options)
    assert np.bincount(labels.ravel())[1:].tolist() == sizes


def test_voxels_are_taken_from_those_that_are_left() -> None:
    planes = np.zeros((1, 30, 5))
    planes[..., 1] = -np.arange(30) / 64
    planes[:, :, 3] = math.log(math.log(2) / (2.5 / 64) ** 2) / 10
    planes[:, 20:, 1] += 2 / 64
    planes[..., -1] = [[0.9] * 20 + [0.8] * 10]
    planes[:, 25:, 1] += 2 / 64
    labels = embedseg(planes, CHANNEL, options=EmbedSeg(min_free=0.0, min_object_size=1))
    assert labels.tolist() == [[1] * 25 + [2] * 5], "kernels overlap; the surer object keeps"
    labels = embedseg(planes, CHANNEL, options=EmbedSeg(min_free=0.5, min_object_size=1))
    assert labels.tolist() == [[1] * 25 + [0] * 5], "the second kernel was mostly taken"


def test_other_planes_are_refused() -> None:
    with pytest.raises(ConfigError, match="channel E alone, 5 columns"):
        embedseg(np.zeros((4, 4, 4)), CHANNEL)
    with pytest.raises(ConfigError, match="channel E alone"):
        embedseg(np.zeros((4, 4, 1)), (ch("F"),))
    planes = scene()
    planes[5, 5, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        embedseg(planes, CHANNEL)


# ------------------------------------------------------------------------------ real labels


@pytest.mark.parametrize("name", real_images.NAMES)
def test_real_objects_come_back(name: str) -> None:
    truth = real_images.labels(name)
    found = matching(truth, decode(encode(truth, CHANNEL), CHANNEL))[0]
    assert found.mean_true_score >= 0.95
    assert found.f1 >= 0.98
