"""Optimisers and learning rates do as the papers say, and continue to the same bits."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from support import tiny_training as tiny
from support.shared_programs import share_programs

from jaxseg import checkpoint
from jaxseg.config import Config, Train
from jaxseg.errors import Interrupted
from jaxseg.tasks.checking import check
from jaxseg.train import learning_rate, optimizer
from jaxseg.train.schedule import after_validation, plateau_factor

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Nothing is learned at this rate, so that validation gets no better after the first epoch.
PLATEAU = replace(
    tiny.CONFIG,
    epochs=4,
    warmup=0,
    ema=0.0,
    lr=1e-12,
    optimizer="sgd",
    schedule="plateau",
    plateau_patience=1,
    accumulation=2,
)


@pytest.fixture(autouse=True, scope="module")
def shared_programs() -> Iterator[None]:
    """Every run would compile the same functions."""
    with pytest.MonkeyPatch.context() as patch:
        share_programs(patch)
        yield


def steps_of(config: Train, gradients: list[np.ndarray]) -> list[np.ndarray]:
    """A kernel after each step, from 1 on."""
    tx, params = optimizer(config, 100), {"kernel": jnp.ones((1, 2))}
    state, found = tx.init(params), []
    for gradient in gradients:
        updates, state = tx.update({"kernel": jnp.asarray(gradient)}, state, params)
        params = optax.apply_updates(params, updates)
        found.append(np.asarray(params["kernel"]))
    return found


GRADIENTS = [np.array([[0.5, -1.0]]), np.array([[0.1, 2.0]]), np.array([[-0.3, 0.4]])]
PLAIN = {"lr": 0.1, "schedule": "constant", "warmup": 0, "clip": 0.0, "weight_decay": 0.1}


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_with_momentum(nesterov):
    config = Train(optimizer="sgd", momentum=0.8, nesterov=nesterov, **PLAIN)
    weight, speed = np.ones((1, 2)), np.zeros((1, 2))
    for gradient, found in zip(GRADIENTS, steps_of(config, GRADIENTS), strict=True):
        slope = gradient + 0.1 * weight
        speed = 0.8 * speed + slope
        weight = weight - 0.1 * (slope + 0.8 * speed if nesterov else speed)
        np.testing.assert_allclose(found, weight, rtol=1e-5)


@pytest.mark.parametrize("coupled", [True, False])
def test_adam_and_adamw(coupled):
    config = Train(optimizer="adam" if coupled else "adamw", betas=(0.7, 0.9), **PLAIN)
    weight, first, second = np.ones((1, 2)), 0.0, 0.0
    for step, (gradient, found) in enumerate(
        zip(GRADIENTS, steps_of(config, GRADIENTS), strict=True), 1
    ):
        slope = gradient + 0.1 * weight * coupled
        first, second = 0.7 * first + 0.3 * slope, 0.9 * second + 0.1 * slope**2
        scaled = first / (1 - 0.7**step) / (np.sqrt(second / (1 - 0.9**step)) + 1e-8)
        weight = weight - 0.1 * (scaled + 0.1 * weight * (not coupled))
        np.testing.assert_allclose(found, weight, rtol=1e-5)


def test_one_cycle_rises_and_falls():
    rate = learning_rate(Train(lr=2.0, epochs=5, schedule="one_cycle"), 20)
    for total in (50, 100):
        values = np.array(jax.vmap(rate, (0, None))(np.arange(total + 1), total))
        assert values.argmax() == round(0.3 * total)
        np.testing.assert_allclose(values[[0, round(0.3 * total)]], [0.08, 2.0], rtol=1e-4)
        np.testing.assert_allclose(values[-1], 0.08 / 1e4, rtol=1e-2)


def test_constant_after_the_warm_up():
    rate = learning_rate(Train(lr=2.0, epochs=5, schedule="constant", warmup=1), 4)
    assert np.array(jax.vmap(rate, (0, None))(np.arange(20), 0)).tolist() == [
        0.5, 1.0, 1.5, *[2.0] * 17]  # fmt: skip


def test_plateau_counts_epochs_without_a_better_loss():
    config = Train(schedule="plateau", plateau_patience=2, plateau_factor=0.5, final_lr=0.2)
    state = optimizer(config, 1).init({"kernel": jnp.ones((1, 1))})
    factors = []
    for loss in (1.0, 0.9, 0.9, 0.95, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6):
        state = after_validation(config, state, loss)
        factors.append(plateau_factor(state))
    np.testing.assert_allclose(factors, [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, *[0.2] * 3])


def test_other_schedules_have_no_plateaus():
    state = optimizer(Train(), 1).init({"kernel": jnp.ones((1, 1))})
    assert after_validation(Train(), state, 1.0) is state
    assert plateau_factor(state) == 1.0


def stopping(at: int) -> tuple[list[int], object]:
    """Batches during which the process is asked to stop, once."""
    asked: list[int] = []

    def batches(steps: Iterable[int]) -> Iterator[tiny.Batch]:
        for step in steps:
            if step == at and not asked:
                asked.append(step)
                os.kill(os.getpid(), signal.SIGTERM)
            yield tiny.batch(step)

    return asked, batches


@pytest.mark.slow
def test_a_stopped_run_continues_to_the_same_bits(tmp_path: Path):
    tiny.run(tmp_path / "whole", PLATEAU, devices=1)
    _, batches = stopping(2 * tiny.STEPS + 1)
    with pytest.raises(Interrupted):
        tiny.run(tmp_path / "stopped", PLATEAU, devices=1, batches=batches)
    tiny.run(tmp_path / "stopped", PLATEAU, devices=1)
    assert tiny.end_of(tmp_path / "stopped") == tiny.end_of(tmp_path / "whole")
    table = pd.read_csv(tmp_path / "whole" / "logs" / "log.csv")
    np.testing.assert_allclose(table["lr"] / PLATEAU.lr, [1, 1, 0.5, 0.25], rtol=1e-5)
    last = checkpoint.newest(tmp_path / "whole" / "checkpoints" / "last")
    assert last.meta["record"]["microbatches"] == 2


@pytest.mark.parametrize(
    ("train", "field"),
    [
        (Train(momentum=0.5), "train.momentum"),
        (Train(optimizer="sgd", betas=(0.5, 0.9)), "train.betas"),
        (Train(plateau_patience=3), "train.plateau_patience"),
        (Train(schedule="one_cycle", final_lr=0.5), "train.final_lr"),
        (Train(schedule="one_cycle", warmup=5), "train.warmup"),
        (Train(batch=3, accumulation=2), "train.batch"),
        (Train(schedule="plateau", plateau_factor=1.0), "train.plateau_factor"),
        (Train(accumulation=0), "train.accumulation"),
    ],
)
def test_options_without_effect_are_refused(train: Train, field: str):
    assert field in [str(problem.where) for problem in check(Config(train=train))]
