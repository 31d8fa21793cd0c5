"""What holds for every row of the table of random changes: a new row is tested by existing."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.augment import AUGMENTATIONS, random_augment
from jaxseg.config import (
    Augment,
    Augmentation,
    Brightness,
    Chance,
    Config,
    Contrast,
    MedianBlur,
    Noise,
    Rotate,
)
from jaxseg.config.option import problems
from jaxseg.config.saved import from_plain, to_plain
from jaxseg.errors import JaxsegError

NAMES = tuple(AUGMENTATIONS)
OFF = Augment().without(*NAMES)
KEYS = jax.random.split(jax.random.key(7), 8)
PLACES = [name for name, row in AUGMENTATIONS.items() if row.kind in ("turn", "affine", "field")]
# What depends on places is tested in both dimensions, the others in 3D beside this file.
IN_3D = ("misalign", "missing_sections", "rot90", "zoom", "elastic")
ROWS = [
    (row, shape)
    for row in AUGMENTATIONS.values()
    for shape in ((12, 12), (4, 10, 12))
    if (row.name in IN_3D if len(shape) == 3 else not row.volumes_only)
]
IDS = [f"{row.name} {len(shape)}D" for row, shape in ROWS]


def only(row: Augmentation, probability: float = 1.0) -> Augment:
    """One row is on, with its usual ranges."""
    return replace(OFF, **{row.name: replace(row.options, probability=probability)})


def only_extra(settings: Augment) -> Augment:
    return replace(OFF, extra=settings.extra)


def patch(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.uniform(0.1, 1, (*shape, 3)).astype(np.float32)
    return image, rng.integers(0, 2**31 - 1, shape, dtype=np.int32)


def changed(
    image: np.ndarray, labels: np.ndarray, settings: Augment, keys: Any = KEYS
) -> tuple[Any, Any]:
    """What keys make of a patch."""

    @jax.jit
    @jax.vmap
    def change(key: jax.Array) -> tuple[Any, Any]:
        return random_augment(key, image, labels, settings=settings)

    return jax.device_get(change(keys))


def test_every_row_is_an_option_and_the_options_are_the_arguments() -> None:
    usual = Augment()
    others = {"enable", "border", "extra", "show", "cutmix"}
    assert {item.name for item in fields(Augment)} - others == set(NAMES)
    for row in AUGMENTATIONS.values():
        assert type(getattr(usual, row.name)) is type(row.options)
        assert row.options.probability > 0
        taken = inspect.signature(row.apply).parameters.values()
        named = {item.name for item in taken if item.kind is item.KEYWORD_ONLY}
        given = {item.name for item in fields(row.options)} - {"probability"}
        assert named - given <= {"ndim", "square", "shape", "axis"}, row.name
        assert given <= named, row.name


@pytest.mark.parametrize(("row", "shape"), ROWS, ids=IDS)
def test_a_row_changes_a_patch_or_leaves_it(row: Augmentation, shape: tuple[int, ...]) -> None:
    image, labels = patch(*shape)

    images, found = changed(image, labels, only(row, 0.5))
    assert (images.shape[1:], images.dtype) == (image.shape, image.dtype)
    assert (found.shape[1:], found.dtype) == (labels.shape, labels.dtype)
    assert np.isfinite(images).all()
    assert np.isin(found, labels).all()
    assert row.name in PLACES or (found == labels).all()
    left = [np.array_equal(one, image) for one in images]
    assert 0 < sum(left) < len(KEYS)
    for same, one in zip(left, found, strict=True):
        assert not same or np.array_equal(one, labels)


@pytest.mark.parametrize("name", ["rot90", "zoom", "elastic", "cutout", "noise"])
def test_probability_changes_no_stream(name: str) -> None:
    """A patch is what it is with probability 1, or as it was."""
    image, labels = patch(12, 12)
    row = AUGMENTATIONS[name]
    always, sometimes = (changed(image, labels, only(row, share)) for share in (1.0, 0.5))
    for at in range(len(KEYS)):
        same = [np.array_equal(sometimes[1][at], found) for found in (always[1][at], labels)]
        same[0] &= np.allclose(sometimes[0][at], always[0][at], atol=1e-6)
        same[1] &= np.array_equal(sometimes[0][at], image)
        assert any(same)


@pytest.mark.parametrize("shape", [(12, 12), (4, 10, 12)], ids=["2D", "3D"])
@pytest.mark.parametrize("border", ["reflect", "constant"])
def test_image_and_labels_move_alike(border: str, shape: tuple[int, ...]) -> None:
    """Labels used as an image, taken from the nearest voxel, stay those labels."""
    _, labels = patch(*shape)
    labels %= 2**24
    image = labels[..., None].astype(np.float32)
    chosen = {name: AUGMENTATIONS[name].options for name in PLACES}
    settings = replace(OFF, border=border, **chosen)

    @jax.jit
    @jax.vmap
    def moved(key: jax.Array) -> tuple[Any, Any]:
        truth = {"ids": labels, "pair": jnp.stack([labels, -labels], -1)}
        ways = {"image": "nearest"}
        return random_augment(key, image, truth, settings=settings, interpolation=ways)

    near, truth = jax.device_get(moved(KEYS))
    np.testing.assert_array_equal(near[..., 0], truth["ids"])
    np.testing.assert_array_equal(truth["pair"][..., 0], truth["ids"])
    np.testing.assert_array_equal(truth["pair"][..., 1], -truth["ids"])
    assert (truth["ids"] != labels).mean() > 0.3


def test_what_is_off_is_not_in_the_program() -> None:
    image, labels = (jnp.asarray(array) for array in patch(2, 4, 4))

    def program(settings: Augment) -> str:
        def change(key: jax.Array) -> Any:
            return random_augment(key, image, labels, settings=settings)

        return str(jax.make_jaxpr(change)(KEYS[0]))

    nothing = jax.make_jaxpr(lambda key: random_augment(key, image, labels, settings=OFF))
    assert not nothing(KEYS[0]).eqns
    assert program(OFF) == program(replace(Augment(), enable=False))
    small = replace(OFF, brightness=Brightness(probability=1.0))
    wanted = program(small)
    for row in AUGMENTATIONS.values():
        if row.name != "brightness":
            settings = replace(small, **{row.name: replace(row.options, probability=0.0)})
            assert program(settings) == wanted
            with_row = replace(small, **{row.name: row.options})
            assert program(with_row) != wanted, row.name


def test_a_new_row_changes_no_other_stream() -> None:
    image, labels = patch(8, 8)
    nothing = Augmentation("nothing", "intensity", lambda key, image: image)
    settings = replace(Augment(), salt=AUGMENTATIONS["salt"].options)
    before = changed(image, labels, settings)
    after = changed(image, labels, replace(settings, extra=(nothing,)))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_channels_and_half_precision() -> None:
    """Every row at once, in bfloat16 and with an unusual number of channels."""
    rng = np.random.default_rng(1)
    image = jnp.asarray(rng.uniform(0, 1, (4, 8, 8, 5)), jnp.bfloat16)
    labels = rng.integers(0, 9, (4, 8, 8), dtype=np.int32)
    settings = replace(OFF, **{name: row.options for name, row in AUGMENTATIONS.items()})
    found = jax.eval_shape(
        lambda key: random_augment(key, image, labels, settings=settings), KEYS[0]
    )
    assert (found[0].shape, found[0].dtype) == (image.shape, jnp.bfloat16)
    assert (found[1].shape, found[1].dtype) == (labels.shape, jnp.int32)


@dataclass(frozen=True, kw_only=True)
class Stripes(Chance):
    strength: float = 0.5


def stripes(key: jax.Array, image: jax.Array, *, strength: float) -> jax.Array:
    """A user's own change."""
    phase = jax.random.uniform(key) * 6.3
    return image + strength * jnp.sin(jnp.arange(image.shape[-2]) + phase)[:, None]


def test_own_change_is_an_object_like_a_row() -> None:
    row = Augmentation("stripes", "intensity", stripes, Stripes(probability=1.0, strength=0.5))
    image, labels = patch(6, 8)
    (found,), (same,) = changed(image, labels, replace(OFF, extra=(row,)), KEYS[:1])
    np.testing.assert_array_equal(same, labels)
    change = np.asarray(found - image)
    np.testing.assert_allclose(change, np.broadcast_to(change[:1, :, :1], change.shape), atol=1e-6)
    assert 0.4 < np.abs(change).max() <= 0.5001


def test_own_change_is_saved_by_name_and_made_again() -> None:
    row = Augmentation("stripes", "intensity", stripes, Stripes(strength=0.25))
    config = Config(augment=Augment(extra=(row,)))
    data = json.loads(json.dumps(to_plain(config)))
    assert data["augment"]["extra"][0]["apply"].endswith(":stripes")
    assert from_plain(data) == config
    # A prediction reads what the training saved and needs no function; a training does.
    data["augment"]["extra"][0]["apply"] = "jaxseg.nowhere:stripes"
    with pytest.raises(JaxsegError, match="nothing is found"):
        from_plain(data)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        (Augment(rotate=Rotate(degrees=(10.0, -10.0))), "augment.rotate.degrees"),
        (Augment(noise=Noise(probability=1.5)), "augment.noise.probability"),
        (Augment(median_blur=MedianBlur(size=(3, 6))), "augment.median_blur.size"),
        (Augment(contrast=Contrast(limit=(-1.0, 0.0))), "augment.contrast.limit"),
        (Augment(extra=(Augmentation("zoom", "intensity", stripes),)), "augment.extra.0.name"),
        (Augment(extra=(Augmentation("one", "colour", stripes),)), "augment.extra.0.kind"),  # type: ignore[arg-type]
    ],
)
def test_illegal_options_are_named(settings: Augment, where: str) -> None:
    assert [problem.where for problem in problems(settings, "augment")] == [where]
