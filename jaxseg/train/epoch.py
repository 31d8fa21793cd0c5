"""One epoch: its steps, the validation, and what they leave on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from jaxseg import hosts
from jaxseg.config.training import Train
from jaxseg.errors import Interrupted, NonFiniteError
from jaxseg.signals import Asked
from jaxseg.train import logs, tensorboard
from jaxseg.train.plan import Times
from jaxseg.train.progress import Display
from jaxseg.train.record import Folders, Record, add_row, save_best, save_last
from jaxseg.train.schedule import Rate, after_validation, plateau_factor
from jaxseg.train.state import State, place, replicate, variables_of


class Patches(Protocol):
    """A batch as the data package makes it."""

    @property
    def image(self) -> np.ndarray:
        """(N, *S, C) float32."""

    @property
    def truth(self) -> Mapping[str, np.ndarray]:
        """Arrays of the truth by name, (N, *S) or with a last axis."""

    @property
    def names(self) -> tuple[str, ...]:
        """Sample of each patch, for messages."""


# Given the network and the number of an epoch.
Draw = Callable[[Mapping[str, Any], int], None]


class Job(NamedTuple):
    """What stays the same during a run."""

    config: Train
    step: Callable[..., tuple[State, dict[str, Any]]]
    evaluate: Callable[..., dict[str, Any]]
    microbatches: int
    """Parts in which both compute a device's share of a batch."""
    batches: Callable[[Iterable[int]], Iterable[Patches]]
    validation: Callable[[], Iterable[Patches]]
    steps: int
    """Steps per epoch."""
    weights: Mapping[str, float]
    rate: Rate
    mesh: Mesh
    folders: Folders
    meta: Mapping[str, Any]
    show: Display
    asked: Asked
    """Whether the run was asked to stop."""
    guard: Callable[[], None] = lambda: None
    """Raises when another process took the run over."""
    draw: Draw | None = None
    """Shows what the network predicts."""


def run_epoch(state: State, record: Record, job: Job) -> tuple[State, Record, Times]:
    """Train, validate, and save what changed.

    Raises
    ------
    Interrupted : the process was asked to stop; the state as it is then is saved
    NonFiniteError : nothing is saved
    """
    began = time.perf_counter()
    state, record, step_times = train(state, record, job)
    found, evaluation_times = validate(state, job)
    if hosts.any_of(job.asked()):
        record = record._replace(seconds=record.seconds + time.perf_counter() - began)
        job.guard()
        save_last(job.folders.checkpoints, state, record, job.meta)
        raise Interrupted(
            f"stopped after step {count(state)}; the state is saved",
            where=job.folders.checkpoints,
            fix="run the same command again to continue",
        )
    seconds = time.perf_counter() - began
    record = add_row(record, new_row(state, record, found, job, seconds))
    state = judged(state, record.history[-1]["val_loss"], job)
    record = record._replace(seconds=record.seconds + seconds)
    keep(state, record, job)
    times = Times(step_times, evaluation_times, time.perf_counter() - began)
    return state, record, times


def train(state: State, record: Record, job: Job) -> tuple[State, Record, list[float]]:
    """The remaining steps of the epoch, as far as nobody asks to stop."""
    first = len(record.history) * job.steps
    numbers = range(first + len(record.pending), first + job.steps)
    found, seconds, last = [], [], time.perf_counter()
    total = int(jax.device_get(state.total_steps))
    source = placed(job.batches(numbers), job.mesh)
    for number, (batch, names) in zip(numbers, source, strict=True):
        if hosts.any_of(job.asked()):
            break
        state, log = job.step(state, batch)
        # Waiting for every step keeps virtual CPU devices from piling up collective operations,
        # and stops the run before another step builds on a bad one.
        if not jax.device_get(log["ok"]):
            raise not_finite(jax.device_get(log["finite"]), names, number + 1)
        # Before the first step, which is compiled for a while, there is nothing to lose.
        job.asked.hold()
        found.append({name: log[name] for name in ("loss", "norm", "parts", "metrics")})
        seconds.append(time.perf_counter() - last)
        last = time.perf_counter()
        job.show.at(number + 1, total, f"epoch {len(record.history) + 1}")
    pending = (*record.pending, *map(logs.plain, jax.device_get(found)))
    return state, record._replace(pending=pending), seconds


def validate(state: State, job: Job) -> tuple[list[dict[str, Any]], list[float]]:
    """Loss and metrics of the validation batches, as far as nobody asks to stop."""
    found, seconds, last = [], [], time.perf_counter()
    variables = variables_of(state)
    for batch, _ in placed(job.validation(), job.mesh):
        if hosts.any_of(job.asked()):
            break
        found.append(logs.plain(jax.device_get(job.evaluate(variables, batch))))
        seconds.append(time.perf_counter() - last)
        last = time.perf_counter()
    return found, seconds


def placed(source: Iterable[Patches], mesh: Mesh) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Batches on the devices; the next is on its way while one is computed on."""
    waiting = None
    for patches in source:
        batch = place({"image": patches.image, "truth": patches.truth}, mesh)
        if waiting is not None:
            yield waiting
        waiting = batch, patches.names
    if waiting is not None:
        yield waiting


def new_row(
    state: State, record: Record, found: list[dict[str, Any]], job: Job, seconds: float
) -> dict[str, Any]:
    """The row of the logs for the epoch that has just ended."""
    step = count(state)
    rate = float(jax.device_get(job.rate(step - 1, state.total_steps)))
    return {
        "epoch": len(record.history) + 1,
        "step": step,
        "lr": rate * plateau_factor(state.opt_state),
        **logs.row(record.pending, found, job.weights),
        "seconds": round(seconds, 3),
    }


def judged(state: State, loss: float | None, job: Job) -> State:
    """The state after a validation, which may lower the learning rate."""
    if loss is None:
        return state
    before, after = state.opt_state, after_validation(job.config, state.opt_state, loss)
    return state if after is before else state._replace(opt_state=replicate(after, job.mesh))


def keep(state: State, record: Record, job: Job) -> None:
    """Save and report the epoch that has just ended.

    The best network is saved before the state that knows of it, so that a run that dies in between
    saves it again.
    """
    row = record.history[-1]
    job.guard()
    if row["best"]:
        save_best(job.folders.checkpoints, state, record, job.meta)
    ends = bool(reason_to_stop(state, record, job))
    if ends or row["epoch"] % job.config.save_every == 0:
        save_last(job.folders.checkpoints, state, record, job.meta)
    if not hosts.is_first():
        return
    logs.write(job.folders.logs, record.history)
    if ends or row["epoch"] % job.config.chart_every == 0:
        logs.draw(job.folders.charts, record.history)
        if job.config.tensorboard:
            tensorboard.write(job.folders.charts.with_name("tensorboard"), record.history)
    every = job.config.predictions_every
    if job.draw is not None and every and (ends or row["epoch"] % every == 0):
        # On one device, whichever the arrays are on.
        job.draw(jax.device_get(variables_of(state)), row["epoch"])
    job.show.line(logs.line(row, planned_epochs(state, job)))


def planned_epochs(state: State, job: Job) -> int:
    """Epochs of the whole run, as it is planned now."""
    return int(jax.device_get(state.total_steps)) // job.steps


def reason_to_stop(state: State, record: Record, job: Job) -> str:
    """Why the run is at its end; empty while it is not."""
    epochs = planned_epochs(state, job)
    if len(record.history) >= epochs:
        return f"all {epochs} epochs done"
    if 0 < job.config.patience <= record.waited:
        return f"no better validation for {record.waited} epochs"
    return ""


def not_finite(good: np.ndarray, names: tuple[str, ...], step: int) -> NonFiniteError:
    """The error for a step whose loss or gradient is not finite."""
    blamed = sorted({name for name, fine in zip(names, good, strict=True) if not fine})
    what = "loss" if blamed else "gradient"
    return NonFiniteError(
        f"the {what} of step {step} is not a finite number",
        where=", ".join(blamed or sorted(set(names))),
        fix="check these images; else a lower --train.lr. The last good checkpoint is kept",
    )


def count(state: State) -> int:
    """Number of steps taken."""
    return int(jax.device_get(state.step))
