"""A training on a device that is too small for its batch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental.compilation_cache import compilation_cache
from support import tiny_training as tiny
from support.shared_programs import kept, share_programs
from support.steps import arrays, mesh_of

from jaxseg import checkpoint
from jaxseg.errors import ResourceError
from jaxseg.memory import need_of
from jaxseg.models import Model
from jaxseg.train import fit, init_state, make_eval, make_step, place, variables_of
from jaxseg.train.exhaustion import divide_further

pytestmark = pytest.mark.full

CONFIG = replace(tiny.CONFIG, batch=8)
make_step_once = kept(make_step)


@pytest.fixture(autouse=True, scope="module")
def fresh_cache(
    tmp_path_factory: pytest.TempPathFactory, quick_compilation: None
) -> Iterator[None]:
    """Compile each function once, without what other tests have compiled."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    compilation_cache.reset_cache()
    with pytest.MonkeyPatch.context() as patch:
        share_programs(patch)
        yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def init(key: Any, image: Any) -> Any:
    first, second = jax.random.split(key)
    params = {"a": jax.random.normal(first, (1, 4)), "b": jax.random.normal(second, (4, 1))}
    return {"params": params, "batch_stats": {"mean": jnp.zeros(())}}


def apply(variables: Any, image: Any, *, train: bool = False, key: Any = None, axis: Any = None):
    """Two layers that see one voxel at a time, and the mean of the batch as its statistics."""
    logits = jnp.tanh(image @ variables["params"]["a"]) @ variables["params"]["b"]
    mean = image.mean()
    stats = {"mean": jax.lax.pmean(mean, axis) if axis else mean}
    return (logits, stats) if train else logits


MODEL = Model(init, apply, halo=(0, 0), stride=(1, 1))


def uneven(model: Any, variables: Any, data: Any, key: Any, train: bool) -> Any:
    """Samples that count differently, and a denominator that depends on the parameters."""
    parts, metrics, stats = tiny.loss(model, variables, data, key, train)
    above, below = parts["F"]
    heavy = (data["truth"]["objects"] > 0).sum((1, 2)) * 1.0
    size = sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(variables["params"]))
    return {"F": (above, below), "heavy": (above * heavy, heavy + 0.01 * size)}, metrics, stats


def data(step: int, mesh: Any) -> Any:
    patches = tiny.batch(step, 8)
    return place({"image": patches.image, "truth": patches.truth}, mesh)


def trained(tx: Any, parts: int) -> tuple[Any, Any]:
    """The state after three steps on two devices, and the logs of the last one."""
    mesh = mesh_of(2)
    state = init_state(MODEL, tx, jax.random.key(0), (1, 8, 8, 1), mesh)
    step = make_step(MODEL, tx, uneven, mesh, augment=tiny.augment, microbatches=parts)
    for number in range(3):
        state, logs = step(state, data(number, mesh))
    return state, jax.device_get(logs)


def test_the_number_of_parts_does_not_change_the_result() -> None:
    # Plain gradient descent: Adam would hide a gradient that is a multiple of the true one.
    (whole, log), *others = [trained(optax.sgd(0.1), parts) for parts in (1, 2, 4)]
    assert log["norm"] > 0.01
    for state, found in others:
        for a, b in zip(arrays(whole.params), arrays(state.params), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        np.testing.assert_allclose(whole.batch_stats["mean"], state.batch_stats["mean"], atol=1e-6)
        assert abs(found["norm"] - log["norm"]) < 1e-4 * log["norm"]
        assert found["metrics"] == log["metrics"]
        assert found["finite"].shape == (8,)


def test_evaluation_in_parts_is_that_of_the_whole() -> None:
    mesh = mesh_of(2)
    state = init_state(MODEL, optax.sgd(1.0), jax.random.key(0), (1, 8, 8, 1), mesh)
    whole, parts = (
        make_eval(MODEL, tiny.loss, mesh, microbatches=n)(variables_of(state), data(0, mesh))
        for n in (1, 4)
    )
    np.testing.assert_allclose(whole["parts"]["F"], parts["parts"]["F"], rtol=1e-5)
    assert whole["metrics"] == parts["metrics"]


def test_parts_take_less_memory() -> None:
    mesh, tx = mesh_of(1), optax.sgd(1.0)
    state = init_state(MODEL, tx, jax.random.key(0), (1, 8, 8, 1), mesh)
    batch = {
        "image": np.zeros((8, 64, 64, 1), "f4"),
        "truth": {"objects": np.zeros((8, 64, 64), "i4")},
    }
    batch = place(batch, mesh)
    needs = [
        need_of(make_step(MODEL, tx, tiny.loss, mesh, microbatches=n).lower(state, batch).compile())
        for n in (1, 4)
    ]
    assert needs[1].temporaries < 0.4 * needs[0].temporaries


class Small:
    """In place of ``make_step``: a device with room for so many samples, from some call on."""

    def __init__(self, room: int, *, calls: int = 0, late: bool = False) -> None:
        self.room, self.calls, self.late, self.parts = room, calls, late, []

    def __call__(self, *given: Any, microbatches: int, **options: Any) -> Any:
        step = make_step_once(*given, microbatches=microbatches, **options)
        mesh = given[3]
        self.parts.append(microbatches)

        def limited(state: Any, batch: Any) -> Any:
            self.calls -= 1
            if self.calls < 0 and 8 // mesh.shape["data"] // microbatches > self.room:
                error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
                if self.late:  # the state is used up by then
                    jax.tree.map(lambda leaf: leaf.delete(), state)
                raise error
            return step(state, batch)

        return limited


def run(
    root: Path, monkeypatch: pytest.MonkeyPatch, device: Any = make_step_once, **changes: Any
) -> Any:
    monkeypatch.setattr("jaxseg.train.loop.make_step", device)
    given = {
        "batches": lambda steps: (tiny.batch(step, 8) for step in steps),
        "validation": lambda: (tiny.batch(step, 8) for step in (1000, 1001)),
        "folders": tiny.folders(root),
        "steps": tiny.STEPS,
        "patch": (8, 8),
    }
    return fit(MODEL, tiny.loss, CONFIG, channels=1, mesh=mesh_of(2), **given | changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        run(root, patch)
    return root


def parameters(root: Path) -> dict[str, np.ndarray]:
    arrays = checkpoint.newest(root / "checkpoints" / "last").arrays
    return {name: array for name, array in arrays.items() if name.startswith("params")}


@pytest.mark.parametrize(
    ("late", "calls"), [(False, 0), (True, 4)], ids=["at once", "in the second epoch"]
)
def test_a_batch_that_does_not_fit_is_computed_in_parts(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool, calls: int
) -> None:
    device = Small(1, calls=calls, late=late)
    with pytest.warns(RuntimeWarning) as seen:
        ended = run(tmp_path, monkeypatch, device)
    assert "its 4 samples of a batch are computed in 2 parts of 2" in str(seen[0].message)
    assert "in 4 parts of 1" in str(seen[1].message)
    assert device.parts == [1, 2, 4]
    assert ended.epochs == CONFIG.epochs
    ours, theirs = parameters(tmp_path), parameters(whole)
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, atol=1e-5)


@pytest.mark.slow
def test_a_continued_run_keeps_its_parts_and_its_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(RuntimeWarning, match="in 2 parts"):
        run(tmp_path / "whole", monkeypatch, Small(2))
    with pytest.warns(RuntimeWarning, match="in 2 parts"), pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", monkeypatch, Small(2), validation=Killed())
    device = Small(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is tried that was found not to fit
        run(tmp_path / "killed", monkeypatch, device)
    assert device.parts == [2]
    assert tiny.end_of(tmp_path / "killed") == tiny.end_of(tmp_path / "whole")


class Killed:
    """Validation during which the process dies in the second epoch."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return (tiny.batch(step, 8) for step in (1000, 1001))


@pytest.mark.filterwarnings("ignore:the device ran out of memory")
def test_a_patch_that_does_not_fit_is_named_with_one_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResourceError, match=r"patch \(8, 8\)[^$]*such as --patch 4 4") as error:
        run(tmp_path, monkeypatch, Small(0))
    assert error.value.exit_code == 4
    assert not (tmp_path / "checkpoints").exists()
    with pytest.raises(ResourceError, match="a smaller network"):
        divide_further(1, 1, patch=(2, 2), stride=(2, 2), batch_norm=False)


def test_other_errors_of_the_device_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **options: Any) -> Any:
        def step(state: Any, batch: Any) -> Any:
            raise jax.errors.JaxRuntimeError("INTERNAL: broken")

        return step

    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        run(tmp_path, monkeypatch, broken)


def test_batch_normalisation_is_said_to_change() -> None:
    with pytest.warns(RuntimeWarning, match="batch normalisation sees one part"):
        assert divide_further(4, 1, patch=(), stride=(), batch_norm=True) == 2
