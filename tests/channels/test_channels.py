"""What holds for every row of the table; a new row is tested by this file as it is."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.channel_images import Channels, ignores_ids, images, legal

from jaxseg import symmetry
from jaxseg.channels import (
    CHANNELS,
    activate,
    columns,
    encode,
    encode_masked,
    kinds,
    loss_parts,
    metric_parts,
)
from jaxseg.channels.spec import Joint
from jaxseg.config import OPTIONS, Channel, ch
from jaxseg.errors import ConfigError

pytestmark = pytest.mark.usefixtures("quick_compilation")

# As many as any of the images below has.
OBJECTS = 36
# Beside the default options and every other value of each switch.
MORE = {
    "S": [
        {"classes": 4},
        {"classes": 4, "ignore": 1, "dice": 0.0},
        {"classes": 3, "focal": 2.0, "tversky": (0.3, 0.7)},
    ],
    "A": [{"offsets": ((0, 3), (3, 0), (2, -5))}, {"widen": 1}],
    "R": [{"nrays": 12}],
    "F": [{"erosion": 1}, {"dilation": 1, "erosion": 1}],
    "B": [{"dilation": 1, "erosion": 1}],
    "T": [{"thickness": 3}],
    "Dn": [{"closing_size": 0, "decline_power": 1.0}],
}
# Options that act only beside others.
BESIDE = {("P", "skeleton_mode"): {"type": "skeleton"}}
# Where the middle lies between voxels, one of them is chosen, in a turned image another one.
CHOOSING = ("P ", "Dc type=skeleton")


def choices(name: str) -> Iterator[dict[str, Any]]:
    """Options of a channel: the default, then every other value of its switches, one at a time."""
    yield {}
    hints = get_type_hints(OPTIONS[name])
    for field in dataclasses.fields(OPTIONS[name]):
        hint = hints[field.name]
        legal = get_args(hint) if get_origin(hint) is Literal else ()
        legal = (True, False) if hint is bool else legal
        beside = BESIDE.get((name, field.name), {})
        yield from (beside | {field.name: value} for value in legal if value != field.default)
    yield from MORE.get(name, [])


def is_legal(channel: Channel, ndim: int) -> bool:
    try:
        return columns((channel,), ndim).total > 0
    except ConfigError:
        return False


def with_its_family(channel: Channel, ndim: int) -> Channels:
    """A channel, and the other components if it is a component of a vector."""
    kind = CHANNELS[channel.name].symmetry(ndim, channel.options)
    if not isinstance(kind, symmetry.Component):
        return (channel,)
    others = [dataclasses.replace(channel, name=name) for name in CHANNELS]
    same = type(channel.options)
    return tuple(one for one in others if OPTIONS[one.name] is same and is_legal(one, ndim))


def cases(ndim: int) -> dict[str, Channels]:
    """Channels to be tested together, by a name for each case."""
    found = {}
    for name in CHANNELS:
        for options in choices(name):
            if is_legal(ch(name, **options), ndim):
                text = " ".join(f"{key}={value}" for key, value in options.items())
                found[f"{name} {text}"] = with_its_family(ch(name, **options), ndim)
    return found


def is_joint(name: str) -> bool:
    """Whether the columns of a case are compared with whole objects."""
    return isinstance(CHANNELS[name.split(" ")[0]].loss, Joint)


@functools.cache
def encoded(ndim: int) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Planes and masks (5, *S, K) of every case, per orientation: one program for them all."""

    def every(labels: jax.Array) -> dict[str, tuple[jax.Array, jax.Array]]:
        return {
            name: encode_masked(legal(labels, channels), channels, max_label=OBJECTS)
            for name, channels in cases(ndim).items()
        }

    program = jax.jit(jax.vmap(every))
    turned = [
        jax.device_get(program(symmetry.turn(images(ndim), way, first=1)))
        for way in symmetry.orientations(ndim)
    ]
    return {name: [planes[name] for planes in turned] for name in cases(ndim)}


@functools.cache
def judge(ndim: int) -> Callable[..., dict[str, tuple[dict, dict]]]:
    """Loss and metrics of every case from its logits, planes and masks, as one program."""

    def every(given: dict[str, Any]) -> dict[str, tuple[dict, dict]]:
        known: dict[str, Any] = {"labels": jnp.asarray(images(ndim)), "max_label": OBJECTS}
        return {
            name: (
                loss_parts(*given[name], channels, **known),
                metric_parts(*given[name], channels, **known),
            )
            for name, channels in cases(ndim).items()
        }

    return jax.jit(every)


def logits_of(planes: np.ndarray, channels: Channels) -> np.ndarray:
    """Logits whose linked values are the planes, as nearly as they can be."""
    near = np.clip(planes, 1e-6, 1 - 1e-6)
    candidates = [planes, np.log(near / (1 - near)), np.log(near)]
    candidates += [np.arctanh(np.clip(planes, -1 + 1e-6, 1 - 1e-6))]
    # Classes to be ignored have no true value.
    known = slice(None) if ignores_ids(channels) or planes.shape[-1] == 1 else planes.any(axis=-1)
    linked = jax.device_get(jax.jit(activate, static_argnums=1)(np.stack(candidates), channels))
    errors = np.abs(linked - planes)[:, known].reshape(len(candidates), -1, planes.shape[-1])
    best = errors.max(axis=1).argmin(axis=0)
    # The columns of a softmax go together.
    best = best if ignores_ids(channels) else np.full_like(best, errors.max(axis=(1, 2)).argmin())
    assert np.take_along_axis(errors.max(axis=1), best[None], axis=0).max() < 1e-4
    chosen = [candidates[place][..., column] for column, place in enumerate(best)]
    return np.stack(chosen, axis=-1).astype(np.float32)


def moved(array: np.ndarray, shift: tuple[int, ...]) -> np.ndarray:
    """Element ``p - shift`` at ``p``, along the axes after the first; 0 where it is outside."""
    result = np.zeros_like(array)
    sizes = zip(array.shape[1:], shift, strict=True)
    places = [(slice(max(d, 0), n + min(d, 0)), slice(max(-d, 0), n - max(d, 0))) for n, d in sizes]
    into, out_of = zip(*places, strict=True)
    result[(slice(None), *into)] = array[(slice(None), *out_of)]
    return result


# Of logits, and of a small and a large step away from them.
SIZES = np.array([4, 1, 4])[:, None, None]

ALL = [pytest.param(ndim, name, id=f"{ndim}d {name}") for ndim in (2, 3) for name in cases(ndim)]
DEFAULTS = [param for param in ALL if not param.values[1].split(" ")[1]]


@pytest.mark.parametrize(("ndim", "name"), ALL)
def test_planes_are_defined_for_every_image(ndim: int, name: str) -> None:
    planes, mask = encoded(ndim)[name][0]
    total = columns(cases(ndim)[name], ndim).total
    assert planes.shape == mask.shape == (*images(ndim).shape, total)
    assert (planes.dtype, mask.dtype) == (np.float32, bool)
    assert np.isfinite(planes).all()


@pytest.mark.parametrize(("ndim", "name"), DEFAULTS)
def test_host_and_device_agree_and_the_input_is_kept(ndim: int, name: str) -> None:
    channels = cases(ndim)[name]
    for labels, *expected in zip(
        images(ndim)[2:4], *(part[2:4] for part in encoded(ndim)[name][0]), strict=True
    ):
        labels = legal(labels.copy(), channels)
        labels.flags.writeable = False
        planes, mask = encode_masked(labels, channels)
        assert isinstance(planes, np.ndarray)
        np.testing.assert_allclose(planes, expected[0], atol=1e-5)
        np.testing.assert_array_equal(mask, expected[1])


@pytest.mark.parametrize(("ndim", "name"), DEFAULTS)
def test_ids_do_not_matter(ndim: int, name: str) -> None:
    channels = cases(ndim)[name]
    ids = np.array([0, 70_000, 2**63, 3, 2**32 + 3, 1, 2], np.uint64)
    if ignores_ids(channels):
        found = encode(ids[images(ndim)[3]], channels)
        np.testing.assert_allclose(found, encoded(ndim)[name][0][0][3], atol=1e-5)


@pytest.mark.parametrize(("ndim", "name"), ALL)
def test_planes_turn_with_the_image(ndim: int, name: str) -> None:
    planes, mask = encoded(ndim)[name][0]
    expressed = 0
    for way, (turned, known) in zip(symmetry.orientations(ndim), encoded(ndim)[name], strict=True):
        found = symmetry.moves(kinds(cases(ndim)[name], ndim), way)
        expressed += found is not None
        for column, (source, sign, shift) in enumerate(found or ()):
            expected = moved(sign * symmetry.turn(planes, way, first=1)[..., source], shift)
            there = moved(symmetry.turn(mask, way, first=1)[..., source], shift)
            counted = there & known[..., column]
            # Of several voxels nearest to the centroid, another one is the first.
            counted &= not (name == "E center=medoid" and column < ndim)
            if not name.startswith(CHOOSING):
                np.testing.assert_allclose(
                    turned[..., column][counted], expected[counted], atol=1e-5
                )
    # Only offsets that a user lists, and rays on a spiral, may have no turned counterpart.
    assert expressed == 2 ** (ndim + 1) or "offsets" in name or (ndim, name[0]) == (3, "R")


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_loss_is_smallest_where_the_link_gives_the_target(ndim: int) -> None:
    rng = np.random.default_rng(0)

    def slope_and_rise(name: str) -> tuple[jax.Array, jax.Array]:
        channel = cases(ndim)[name][0]
        spec, options = CHANNELS[channel.name], channel.options
        shape = (3, 50, spec.width(ndim, options))
        steps = rng.uniform(0.2, 1, shape) * rng.choice([-1, 1], shape) * SIZES
        start, near, far = steps.astype(np.float32)
        target = spec.link(start, options)

        def total(logits: jax.Array) -> jax.Array:
            return spec.loss(logits, target, options).sum(axis=-1)

        rise = jnp.stack([total(start + step) - total(start) for step in (near, far)])
        return jax.grad(lambda logits: total(logits).sum())(start), rise

    voxelwise = [name for name in cases(ndim) if not is_joint(name)]
    found = jax.jit(lambda: {name: slope_and_rise(name) for name in voxelwise})()
    for name, (slope, rise) in found.items():
        np.testing.assert_allclose(slope, 0, atol=1e-5, err_msg=name)
        assert (rise > 0).all(), name


@pytest.mark.parametrize("ndim", [2, 3])
def test_perfect_logits_have_no_loss_and_full_marks(ndim: int) -> None:
    given = {}
    for name, channels in cases(ndim).items():
        planes, mask = encoded(ndim)[name][0]
        given[name] = logits_of(planes, channels), planes, mask
    for name, (loss, metrics) in jax.device_get(judge(ndim)(given)).items():
        for numerator, denominator in loss.values():
            assert numerator.shape == denominator.shape == (len(images(ndim)),), name
            # The hinge of a kernel is never 0 around its object.
            small = numerator <= 1e-3 * np.maximum(denominator, 1)
            assert is_joint(name) or small.all(), name
        for metric, (numerator, denominator) in metrics.items():
            best = 0 * denominator if metric.endswith("error") else denominator
            limit = 1e-3 * denominator.max() + 1e-6
            # Objects in several pieces may have their centres at the same place.
            limit += 2 * is_joint(name)
            np.testing.assert_allclose(numerator, best, atol=limit, err_msg=name)


@pytest.mark.parametrize("ndim", [2, 3])
def test_parts_are_of_single_samples_and_of_what_counts(ndim: int) -> None:
    rng = np.random.default_rng(1)
    given, changed = {}, {}
    for name in cases(ndim):
        planes, mask = encoded(ndim)[name][0]
        logits, other = rng.normal(0, 3, (2, *planes.shape)).astype(np.float32)
        given[name] = logits, planes, mask
        # Another last sample, and another value wherever none counts.
        counts = mask.all(axis=-1, keepdims=True) if not ignores_ids(cases(ndim)[name]) else mask
        other[:-1] = np.where(counts, logits, other)[:-1]
        changed[name] = other, planes, mask
    before, after = (jax.device_get(judge(ndim)(case)) for case in (given, changed))
    for name in cases(ndim):
        for parts, new_parts in zip(before[name], after[name], strict=True):
            for part in parts:
                pair, new_pair = np.stack(parts[part]), np.stack(new_parts[part])
                assert np.isfinite(pair).all()
                np.testing.assert_allclose(pair[:, :-1], new_pair[:, :-1], rtol=1e-5)


@pytest.mark.parametrize("name", CHANNELS)
def test_rows_are_complete(name: str) -> None:
    spec, options = CHANNELS[name], OPTIONS[name]()
    roles = spec.watershed
    assert roles.seed in (-1, 0, 1)
    assert roles.surface_sign in (-1, 1)
    assert spec.where(options) in ("all", "foreground")
    assert roles.seed or roles.seed_threshold(options) is None
    assert roles.growth or roles.growth_threshold(options) is None
    for ndim in spec.ndims:
        names = spec.column_names(name, ndim, options)
        assert len(names) == len(set(names)) == spec.width(ndim, options)
        assert spec.target_width(ndim, options) == encode(images(ndim)[0], (ch(name),)).shape[-1]


def test_every_option_dataclass_has_a_row() -> None:
    assert set(OPTIONS) == set(CHANNELS)
