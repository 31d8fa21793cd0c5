"""Every set of channels gives back the objects that its true planes were made from."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support import real_images
from support.recovery import recovered
from support.synthetic_objects import same_partition, touching_balls

from jaxseg.channels import columns, encode
from jaxseg.config import Channel, Watershed, ch
from jaxseg.decoding import classes, decode, plan, plan_problems, watershed, watershed_steps
from jaxseg.errors import ConfigError, Problems
from jaxseg.metrics import matching

pytestmark = pytest.mark.usefixtures("quick_compilation")

Channels = tuple[Channel, ...]
SHAPES = {2: (72, 64), 3: (34, 36, 32)}
CONTOURS = ("thick", "inner", "outer", "subpixel", "dense")


def sets(ndim: int) -> dict[str, Channels]:
    """Sets of channels that separate touching objects."""
    names = ("H", "V", "Z")[:ndim]
    vector = tuple(ch(name) for name in names)
    lengths = tuple(ch(name, norm=False, direction="to_center") for name in names)
    found = {f"F C {mode}": (ch("F"), ch("C", mode=mode)) for mode in CONTOURS}
    found |= {f"C {mode}": (ch("C", mode=mode),) for mode in CONTOURS}
    for activation in ("tanh", "linear"):
        for norm in (True, False):
            found[f"D {activation} {norm}"] = (ch("D", activation=activation, norm=norm),)
    found |= {
        "Db": (ch("Db"),),
        "Db um": (ch("Db", norm=False),),
        "F Db": (ch("F"), ch("Db")),
        "F C Db": (ch("F"), ch("C"), ch("Db")),
        "F C D": (ch("F"), ch("C"), ch("D")),
        "C Db": (ch("C"), ch("Db")),
        "F HV": (ch("F"), *vector),
        "F HV um": (ch("F"), *lengths),
        "HV": vector,
        "Db HV": (ch("Db"), *vector),
        "D HV": (ch("D"), *vector),
        "C HV": (ch("C"), *vector),
        "A": (ch("A"),),
        "A full": (ch("A", neighborhood={2: 8, 3: 26}[ndim]),),
        "A long": (ch("A", neighborhood=2 * ndim, offsets=((0,) * (ndim - 1) + (9,),)),),
        "A Db um": (ch("A"), ch("Db", norm=False)),
        "A F": (ch("A"), ch("F")),
        "all": (ch("F"), ch("C"), ch("Db"), ch("D"), ch("A"), *vector),
    }
    return found


CASES = [(ndim, name) for ndim in (2, 3) for name in sets(ndim)]


@functools.cache
def balls(ndim: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return touching_balls(rng, SHAPES[ndim], count=8)


@pytest.mark.parametrize(("ndim", "name"), CASES)
def test_objects_come_back(ndim: int, name: str) -> None:
    truth, channels = balls(ndim), sets(ndim)[name]
    for spacing in (None, (2.0, 0.5, 0.5)[:ndim]):
        planes = encode(truth, channels, spacing=spacing)
        labels = decode(planes, channels, spacing=spacing)
        assert recovered(truth, labels) >= 0.95, f"spacing {spacing}"
        if "C" not in {channel.name for channel in channels[:1]}:
            assert labels.max() == truth.max(), "gaps are objects for contours only"


@given(st.permutations(range(len(sets(2)["all"]))))
def test_the_order_of_channels_does_not_matter(order: list[int]) -> None:
    channels = sets(2)["all"]
    places = columns(channels, 2)
    planes = encode(balls(2), channels)
    turned = tuple(channels[i] for i in order)
    moved = np.concatenate([planes[..., places[channel.name]] for channel in turned], axis=-1)
    found = watershed_steps(moved, turned)
    expected = watershed_steps(planes, channels)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["F C Db", "F HV", "A", "D tanh True"])
def test_softened_noisy_planes_still_give_the_objects(name: str, rng: np.random.Generator) -> None:
    truth, channels = balls(2), sets(2)[name]
    planes = encode(truth, channels).astype(float)
    soft = ndimage.gaussian_filter(planes, (0.7, 0.7, 0)) + rng.normal(0, 0.03, planes.shape)
    found = matching(truth, watershed(soft, channels, options=Watershed(min_seed=10)))[0]
    assert (found.tp, found.fp, found.fn) == (truth.max(), 0, 0)


@pytest.mark.parametrize(("ndim", "name"), CASES)
def test_noise_has_no_objects(ndim: int, name: str, rng: np.random.Generator) -> None:
    channels = sets(ndim)[name]
    shape = (*SHAPES[ndim], columns(channels, ndim).total)
    for noise in (
        rng.normal(0.01, 0.002, shape),
        rng.normal(0.5, 0.002, shape),
        rng.normal(0.0, 0.02, shape),
        rng.random(shape),
    ):
        labels = watershed(noise.astype(np.float32), channels)
        assert labels.max() == 0
        assert labels.dtype == np.uint16


@pytest.mark.parametrize(("ndim", "name"), CASES)
def test_no_object_and_one_object(ndim: int, name: str) -> None:
    channels = sets(ndim)[name]
    nothing = np.zeros(SHAPES[ndim], np.int32)
    assert decode(encode(nothing, channels), channels).max() == 0
    one = np.where(balls(ndim) == 1, 1, 0)
    assert recovered(one, decode(encode(one, channels), channels)) >= 0.95


@pytest.mark.parametrize("name", ["F C thick", "F C Db", "D tanh True", "Db", "Db um", "A", "F HV"])
def test_one_object_that_covers_everything(name: str) -> None:
    channels = sets(2)[name]
    labels = decode(encode(np.ones((24, 20), int), channels), channels)
    assert (labels == 1).mean() == 1


def test_thresholds_given_as_numbers_are_obeyed(rng: np.random.Generator) -> None:
    plane = rng.normal(0.5, 0.002, (40, 40, 1))
    options = Watershed(
        seeds=("F",), seed_thresholds=(0.5,), growth_thresholds=(0.5,), fill_holes=False
    )
    found = watershed_steps(plane, (ch("F"),), options=options)
    assert np.array_equal(found.mask, plane[..., 0] > 0.5)
    assert np.array_equal(found.labels > 0, found.mask)


def test_a_threshold_is_in_units_of_the_channel_wherever_it_stands() -> None:
    truth, channels = balls(2), (ch("C"), ch("F"))
    planes = encode(truth, channels) * 0.4
    options = Watershed(
        seeds=("C", "F"), seed_thresholds=(0.2, 0.2), growth=("F",), growth_thresholds=(0.2,)
    )
    assert recovered(truth, watershed(planes, channels, options=options)) > 0.95


def test_automatic_thresholds_find_the_level() -> None:
    truth, channels = balls(2), (ch("F"), ch("C"))
    planes = 0.1 + 0.2 * encode(truth, channels)
    options = Watershed(seed_thresholds=("auto", "auto"), growth_thresholds=("auto",))
    assert recovered(truth, watershed(planes, channels, options=options)) > 0.95
    assert watershed(planes, channels).max() == 0


def test_steps_show_how_objects_came_about() -> None:
    truth, channels = balls(3), (ch("F"), ch("C"))
    planes = encode(truth, channels)
    steps = watershed_steps(planes, channels, options=Watershed(seed_rule="thresholds"))
    assert np.array_equal(steps.mask, planes[..., 0] > 0.5)
    assert np.array_equal(steps.seeds > 0, (planes[..., 0] > 0.5) & (planes[..., 1] < 0.5))
    assert np.array_equal(steps.surface, planes[..., 1])
    assert steps.seeds.max() == steps.labels.max() == truth.max()


def test_slices_can_be_flooded_on_their_own() -> None:
    truth, channels = balls(3), (ch("F"), ch("C"))
    planes = encode(truth, channels)
    whole = watershed(planes, channels)
    sliced = watershed(planes, channels, options=Watershed(by_slices=True))
    assert recovered(truth, sliced) > 0.8
    assert not np.array_equal(whole, sliced)


def test_small_objects_and_holes() -> None:
    planes = np.zeros((20, 30, 1))
    planes[2:10, 2:10] = 1
    planes[4:6, 4:6] = 0
    planes[15, 15:20] = 1
    channels = (ch("F"),)
    assert watershed(planes, channels).max() == 2
    assert (watershed(planes, channels) == 1).sum() == 64
    assert (watershed(planes, channels, options=Watershed(fill_holes=False)) == 1).sum() == 60
    large = watershed(planes, channels, options=Watershed(min_size=6))
    assert (large.max(), large[15, 15]) == (1, 0)


def test_more_objects_than_16_bits() -> None:
    planes = np.zeros((600, 500, 1), np.float32)
    planes[::2, ::2] = 1
    labels = watershed(planes, (ch("F"),))
    assert labels.dtype == np.uint32
    assert labels.max() == 75_000
    assert same_partition(labels, np.arange(1, 300_001).reshape(600, 500) * (planes[..., 0] > 0))


def test_planes_of_other_types_are_taken_as_they_are() -> None:
    truth, channels = balls(2), (ch("F"), ch("C"))
    planes = np.asarray(encode(truth, channels))
    planes.flags.writeable = False
    half = watershed(planes.astype(np.float16), channels)
    assert np.array_equal(half, watershed(planes, channels))


# ------------------------------------------------------------------------------- plan


def test_the_plan_can_be_read() -> None:
    found = str(plan((ch("F"), ch("H"), ch("V")), ndim=2))
    assert found == "growth: F (0.5); seeds: F (0.5), H+V (0.5); peaks of: H+V; surface: H+V"


def test_all_mistakes_are_told_at_once() -> None:
    options = Watershed(
        seeds=("F", "Dd"), growth=("F", "F"), surface=("F", "C"), by_slices=True, min_seed=0
    )
    with pytest.raises(Problems) as caught:
        watershed(np.zeros((4, 4, 2)), (ch("F"), ch("C")), options=options)
    text = str(caught.value)
    before = plan_problems((ch("F"), ch("C")), ndim=2, options=options)
    assert list(map(str, before)) == list(map(str, caught.value.problems))
    for part in ("'Dd'", "among F C", "named twice", "one channel is flooded", "by_slices", "seed"):
        assert part in text


@pytest.mark.parametrize(
    "options",
    [
        Watershed(seed_thresholds=(0.5,)),
        Watershed(seeds=("F",), seed_thresholds=(0.5, 0.5)),
        Watershed(growth_thresholds=(0.5, 0.5)),
        Watershed(seed_thresholds=(float("nan"), 0.5)),
    ],
)
def test_wrong_thresholds_are_refused(options: Watershed) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        watershed(np.zeros((4, 4, 2)), (ch("F"), ch("C")), options=options)


def test_planes_of_other_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 columns for F C"):
        watershed(np.zeros((4, 4, 3)), (ch("F"), ch("C")))
    with pytest.raises(ConfigError, match=r"expected F B C P T .*; found S"):
        watershed(np.zeros((4, 4, 1)), (ch("S"),))


# ---------------------------------------------------------------------------- classes


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("ndim", [2, 3])
def test_classes_come_back(ndim: int, number: int, rng: np.random.Generator) -> None:
    truth = rng.integers(0, number, SHAPES[ndim])
    channels = (ch("S", classes=number),)
    found = decode(encode(truth, channels), channels)
    assert found.dtype == np.uint8
    assert np.array_equal(found, truth)


def test_the_threshold_of_two_classes() -> None:
    planes = np.array([[[0.3], [0.6]]])
    assert classes(planes, (ch("S"),), threshold=0.7).tolist() == [[0, 0]]
    with pytest.raises(ConfigError, match="not planes of classes"):
        classes(planes, (ch("F"),))


# ------------------------------------------------------------------------- real labels


@pytest.mark.parametrize("name", ["F C thick", "F C Db", "F HV um", "D tanh True", "A"])
def test_real_nuclei_come_back(name: str) -> None:
    channels, truth = sets(2)[name], real_images.labels("nuclei2d")
    found = matching(truth, watershed(encode(truth, channels), channels))[0]
    assert found.mean_true_score >= 0.95
    assert found.f1 >= 0.98
