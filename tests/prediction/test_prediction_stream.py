"""The way of tiles through the device: batches, failures, several devices."""

from __future__ import annotations

import threading
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from jaxseg.errors import ConfigError, NonFiniteError, ResourceError
from jaxseg.prediction import make_forward, predict

IMAGE = np.random.default_rng(0).standard_normal((20, 26, 1)).astype(np.float32)
OPTIONS: dict[str, Any] = {"tile": (10, 10), "halo": 1, "overlap": 2}


class Limited:
    """A network on a device that holds only so many tiles, and remembers the calls."""

    def __init__(self, limit: int, *, late: bool = False) -> None:
        self.limit, self.late, self.sizes = limit, late, []

    def __call__(self, tiles: Any) -> Any:
        if isinstance(tiles, jax.core.Tracer):
            return tiles
        self.sizes.append(len(tiles))
        if len(tiles) > self.limit:
            error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
            if not self.late:
                raise error
            return _Failing(error)
        return 2 * tiles


class _Failing:
    """An answer whose computation fails only when it is waited for."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise self.error


def test_every_call_has_the_same_size() -> None:
    forward = Limited(4)
    planes = predict(forward, IMAGE, batch=4, **OPTIONS)
    np.testing.assert_array_equal(planes, 2 * IMAGE)
    assert set(forward.sizes) == {4}


def test_a_network_compiles_once() -> None:
    traces = []

    @jax.jit
    def forward(tiles: jax.Array) -> jax.Array:
        traces.append(tiles.shape)
        return tiles + 1

    predict(forward, IMAGE, batch=5, **OPTIONS)
    assert set(traces) == {(5, 10, 10, 1)}
    assert forward._cache_size() == 1


@pytest.mark.parametrize("late", [False, True], ids=["at the call", "at the result"])
@pytest.mark.parametrize(("batch", "limit"), [(8, 3), (5, 1), (3, 2), (2, 1)])
def test_out_of_memory_halves_the_batch(batch: int, limit: int, late: bool) -> None:
    forward = Limited(limit, late=late)
    with pytest.warns(RuntimeWarning, match="tiles per call"):
        planes = predict(forward, IMAGE, batch=batch, **OPTIONS)
    np.testing.assert_array_equal(planes, 2 * IMAGE)
    assert forward.sizes[-1] <= limit
    assert forward.sizes[-1] >= max(1, limit // 2)


@pytest.mark.filterwarnings("ignore:the device ran out of memory")
def test_a_tile_that_does_not_fit_is_named_with_one_to_try() -> None:
    with pytest.raises(ResourceError, match=r"tile \(10, 10\)[^$]*such as \(5, 5\)"):
        predict(Limited(0), IMAGE, batch=4, **OPTIONS)
    with pytest.raises(ResourceError, match="a smaller halo or overlap"):
        predict(Limited(0), IMAGE, tile=(5, 5), halo=1, overlap=2)


def test_other_device_errors_pass() -> None:
    def forward(tiles: Any) -> Any:
        if isinstance(tiles, jax.core.Tracer):
            return tiles
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        predict(forward, IMAGE, **OPTIONS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_answers_stop_and_name_the_tile(value: float) -> None:
    def forward(tiles: jax.Array) -> jax.Array:
        return jnp.where(tiles == IMAGE[9, 12, 0], value, tiles)

    with pytest.raises(NonFiniteError, match=r"network's answer.*tile at \(5, 5\)"):
        predict(forward, IMAGE, **OPTIONS)


def test_non_finite_images_are_told_from_non_finite_answers() -> None:
    image = IMAGE.copy()
    image[9, 12] = np.nan
    with pytest.raises(NonFiniteError, match="the image"):
        predict(lambda tiles: tiles, image, **OPTIONS)


def test_large_finite_answers_are_no_error() -> None:
    image = np.full((20, 20, 1), 3e38, np.float32)
    np.testing.assert_array_equal(predict(lambda tiles: tiles, image, **OPTIONS), image)


class Broken:
    """An image or output that fails at a place."""

    shape = IMAGE.shape

    def read(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        if stop[0] > 15:
            raise OSError("bad sector")
        return np.zeros((*(b - a for a, b in zip(start, stop, strict=True)), 1))

    def __setitem__(self, where: Any, values: np.ndarray) -> None:
        if where[0].stop > 5:
            raise OSError("disk full")


def test_errors_in_threads_reach_the_caller_and_leave_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="bad sector"):
        predict(lambda tiles: tiles, Broken(), **OPTIONS)
    with pytest.raises(OSError, match="disk full"):
        predict(lambda tiles: tiles, IMAGE, Broken(), **OPTIONS)
    with pytest.raises(NonFiniteError):
        predict(lambda tiles: tiles * np.nan, IMAGE, **OPTIONS)
    assert threading.active_count() == before


def test_an_answer_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected \(10, 10, 1\); found \(5, 10, 1\)"):
        predict(lambda tiles: tiles[:, ::2], IMAGE, **OPTIONS)


def doubling(variables: Any, image: jax.Array) -> jax.Array:
    return image * variables["params"]["factor"]


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("batch", [4, 3, 1])
def test_several_devices_give_what_one_gives(kind: AxisType, batch: int) -> None:
    model = types.SimpleNamespace(apply=doubling)
    variables = {"params": {"factor": np.float32(2)}}
    mesh = jax.make_mesh((4,), ("data",), axis_types=(kind,))
    alone = make_forward(model, variables, jnp.tanh)
    shared = make_forward(model, variables, jnp.tanh, mesh=mesh)
    expected = predict(alone, IMAGE, batch=batch, **OPTIONS)
    np.testing.assert_array_equal(predict(shared, IMAGE, batch=batch, **OPTIONS), expected)
    np.testing.assert_allclose(expected, np.tanh(2 * IMAGE), rtol=1e-5)


def test_nothing_is_copied_to_or_from_devices_unasked() -> None:
    model = types.SimpleNamespace(apply=doubling)
    mesh = jax.make_mesh((4,), ("data",))
    forward = make_forward(model, {"params": {"factor": np.float32(2)}}, lambda x: x, mesh=mesh)
    with jax.transfer_guard("disallow"):
        planes = predict(forward, IMAGE, batch=4, **OPTIONS)
    np.testing.assert_array_equal(planes, 2 * IMAGE)
