"""Averaging over turned images reproduces what follows the image exactly."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.channel_images import ignores_ids, images, legal

from jaxseg.channels import CHANNELS, columns, encode
from jaxseg.config import ch
from jaxseg.errors import JaxsegWarning
from jaxseg.tta import averaged

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]

INSTANCES = (ch("F"), ch("C"), ch("Db"), ch("D"), ch("H"), ch("V"))
MASKS = tuple(map(ch, ("F", "B", "C", "T", "M", "Dc", "Dn")))
LISTS = {
    2: (
        (*INSTANCES, ch("A", neighborhood=8, offsets=((0, 5), (5, 0)))),
        (ch("C", mode="subpixel"), ch("Db", norm=False)),
        (ch("S", classes=4),),
        (ch("F"), ch("R", nrays=8)),
        MASKS,
        (ch("F"), ch("Gv"), ch("Gh")),
        tuple(map(ch, ("F_pre", "F_post", "H_pre", "V_pre"))),
        (ch("E"),),
        (ch("G"),),
    ),
    3: (
        (*INSTANCES, ch("Z"), ch("A", neighborhood=26)),
        (ch("C", mode="subpixel"), ch("Db", norm=False)),
        (ch("S", classes=4),),
        MASKS,
        (ch("F"), ch("Gv"), ch("Gh"), ch("Gz")),
        tuple(map(ch, ("F_pre", "F_post", "H_pre", "V_pre", "Z_pre"))),
        (ch("E"),),
        (ch("G"),),
    ),
}
CASES = [(ndim, channels) for ndim, lists in LISTS.items() for channels in lists]


@functools.cache
def perfect(channels):
    """The network that reads the labels in its image and knows all about them."""

    def values(image: jax.Array) -> jax.Array:
        labels = image[..., 0].astype(jnp.int32)
        return encode(legal(labels, channels), channels, max_label=36)

    return jax.jit(jax.vmap(values))


def oracle(channels):
    """That network, and a list of the shapes that it was called with."""
    calls = []

    def forward(image) -> jax.Array:
        calls.append(image.shape)
        return perfect(channels)(image)

    return forward, calls


def test_every_row_is_tested() -> None:
    for ndim, lists in LISTS.items():
        tested = {channel.name for channels in lists for channel in channels}
        # No turn takes the rays of 3D to each other, and of several voxels in the middle of an
        # object, P marks another one when the image is turned.
        fixed = {"P", "R"} if ndim == 3 else {"P"}
        assert tested == {name for name, row in CHANNELS.items() if ndim in row.ndims} - fixed


@pytest.mark.parametrize(
    ("ndim", "channels", "group"), [*((*case, "full") for case in CASES), (*CASES[0], "flips")]
)
def test_a_network_that_turns_with_its_image_is_reproduced(ndim, channels, group) -> None:
    image = images(ndim)[..., None].astype(np.float32)
    forward, calls = oracle(channels)
    expected = forward(image)
    found = averaged(forward, channels, ndim=ndim, group=group)(image)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(calls) == 1 + {"flips": 2**ndim, "full": 2 ** (ndim + 1)}[group]
    assert set(calls) == {image.shape}


def test_none_is_the_network_itself() -> None:
    ndim, channels = CASES[0]
    image = images(ndim)[..., None].astype(np.float32)
    forward, calls = oracle(channels)
    found = averaged(forward, channels, ndim=ndim, group="none")(image)
    np.testing.assert_array_equal(found, forward(image))
    assert len(calls) == 2


def test_it_is_the_mean() -> None:
    image = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)

    def forward(image) -> jax.Array:
        return jnp.asarray(image) * jnp.arange(6.0)[:, None]

    # Every row is multiplied by its number, from above or below, or by that of its column.
    found = averaged(forward, (ch("F"),), ndim=2, group="full")(image)
    np.testing.assert_allclose(found, 2.5 * image, rtol=1e-5)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_least_and_the_largest_of_what_is_no_vector(mode) -> None:
    image = np.random.default_rng(0).uniform(1, 2, size=(2, 6, 6, 1)).astype(np.float32)
    channels = (ch("F"), ch("H"), ch("V"))

    def forward(image) -> jax.Array:
        return jnp.concatenate([jnp.asarray(image) * jnp.arange(6.0)[:, None]] * 3, axis=-1)

    found = averaged(forward, channels, ndim=2, group="flips", mode=mode)(image)
    rows = np.arange(6.0)[:, None]
    # Columns are multiplied by their number, from the left or from the right.
    outer = (np.minimum if mode == "min" else np.maximum)(rows, rows[::-1])
    np.testing.assert_allclose(found[..., :1], outer * image, rtol=1e-5)
    mean = averaged(forward, channels, ndim=2, group="flips")(image)
    np.testing.assert_allclose(found[..., 1:], mean[..., 1:], rtol=1e-5, atol=1e-6)


def test_affinities_at_the_border_come_from_orientations_that_know_them() -> None:
    channels = (ch("A", offsets=((0, 2),)),)

    def forward(image) -> jax.Array:
        return jnp.ones((1, 4, 6, 1)) * (7 if image[0, 0, 0, 0] == 1 else 1)

    image = np.zeros((1, 4, 6, 1), np.float32)
    image[0, 0, 0] = 1
    found = np.asarray(averaged(forward, channels, ndim=2, group="flips")(image))[0, ..., 0]
    # The two left columns are said only by the identity and by mirrored y.
    np.testing.assert_allclose(found[:, :2], 4)
    np.testing.assert_allclose(found[:, 2:], 2.5)


@pytest.mark.parametrize(
    ("channels", "spacing", "used", "reason"),
    [
        ((ch("F"),), (1.0, 2.0), 4, "spacing"),
        ((ch("A", offsets=((0, 3),)),), None, 4, "channels"),
        ((ch("A", offsets=((0, 1), (2, 2))),), None, 2, "channels"),
        ((ch("F"), ch("R", nrays=6)), None, 4, "channels"),
        ((ch("F"), ch("R", nrays=9)), None, 2, "channels"),
    ],
)
def test_what_cannot_be_expressed_is_left_out(channels, spacing, used, reason) -> None:
    calls = []

    def forward(image) -> jax.Array:
        calls.append(1)
        return jnp.zeros((*image.shape[:-1], columns(channels, 2).total))

    with pytest.warns(JaxsegWarning, match=f"{used} of 8 orientations.*{reason}"):
        averaged(forward, channels, ndim=2, spacing=spacing)(np.zeros((1, 4, 6, 1), np.float32))
    assert len(calls) == used


def test_rays_in_three_dimensions_are_not_turned() -> None:
    channels, calls = (ch("F"), ch("R")), []

    def forward(image) -> jax.Array:
        calls.append(1)
        return jnp.zeros((*image.shape[:-1], 97))

    with pytest.warns(JaxsegWarning, match=r"1 of 16 orientations.*channels"):
        averaged(forward, channels, ndim=3)(np.zeros((1, 2, 4, 4, 1), np.float32))
    assert len(calls) == 1


def test_classes_are_no_ids() -> None:
    assert not ignores_ids((ch("S"),))
