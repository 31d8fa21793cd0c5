"""The training run: epoch after epoch until a reason to stop, from where it stopped before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxseg import hosts
from jaxseg.config.training import Train
from jaxseg.memory import is_exhausted
from jaxseg.models import Model
from jaxseg.signals import interruptible
from jaxseg.train.epoch import Draw, Job, Patches, planned_epochs, reason_to_stop, run_epoch
from jaxseg.train.exhaustion import divide_further, parts_of
from jaxseg.train.plan import Times, affordable_epochs, epoch_seconds, is_due, recent_pace
from jaxseg.train.progress import display
from jaxseg.train.record import Folders, Record, resume, save_last
from jaxseg.train.schedule import learning_rate, optimizer
from jaxseg.train.start import refuse_idle
from jaxseg.train.state import State, init_state, replicate
from jaxseg.train.step import Augment, Loss, make_eval, make_step


class Fitted(NamedTuple):
    """How a training ended."""

    epochs: int
    """Epochs done."""
    best: float | None
    """Lowest validation loss."""
    history: tuple[dict[str, Any], ...]
    """A row for each epoch, as in ``log.csv``."""
    reason: str
    """Why it ended."""


def fit(
    model: Model,
    loss: Loss,
    config: Train,
    *,
    batches: Callable[[Iterable[int]], Iterable[Patches]],
    validation: Callable[[], Iterable[Patches]],
    steps: int,
    channels: int,
    folders: Folders,
    mesh: Mesh,
    patch: tuple[int, ...] = (),
    seed: int = 0,
    weights: Mapping[str, float] | None = None,
    augment: Augment | None = None,
    meta: Mapping[str, Any] | None = None,
    continued: bool = True,
    start: Mapping[str, Any] | None = None,
    guard: Callable[[], None] = lambda: None,
    draw: Draw | None = None,
) -> Fitted:
    """Train until all epochs are done or validation gets no better; continue an earlier start.

    After every epoch the network is validated, the best one is kept, and every ``save_every``
    epochs the whole state is saved. A run that was killed at any moment continues from there and
    ends with the same bits and the same logs, on the same number of devices and cores. The one
    exception is a run with a limit of minutes that is killed before half of its epochs are done.

    With ``minutes``, the time of the first epochs, compilation apart, decides how many epochs fit;
    the learning rate then follows this shorter plan, which the checkpoint holds. It is made anew
    after 2, 4, 8 and so on epochs, until half of them are done.

    When the device runs out of memory, the run begins again where it was last saved, and computes a
    batch in parts, one after another; see :func:`jaxseg.train.step.in_turn`. The checkpoints hold
    the number of parts, too.

    Parameters
    ----------
    model, loss, weights, augment : as for :func:`make_step`
    config : epochs, learning rate and the rest of the training run
    batches : numbers of steps to their batches in that order; called once per epoch
    validation : the same batches at each call
    steps : steps per epoch
    channels : of an image
    folders : where to write
    mesh : devices along an axis "data"
    patch : size of a sample, (z)yx, to advise a smaller one when it does not fit the device
    seed : of the parameters and of all randomness on the devices
    meta : plain data to keep in every checkpoint, such as the configuration
    continued : whether to continue a training that lies in the folders; False refuses
    start : arrays of a trained network by name, to begin with as far as they fit, see
        :func:`jaxseg.train.start.transfer`
    guard : called before anything is saved; raises when another process took the run over
    draw : given the network and the number of the epoch every ``predictions_every`` epochs

    Returns
    -------
    Fitted

    Raises
    ------
    NonFiniteError : loss or gradient not finite, with the samples to blame; nothing is saved
    Interrupted : the process was asked to stop; the state is saved
    ResourceError : not even one sample fits the memory of a device
    ConfigError, InputError : see :func:`jaxseg.train.record.resume`
    """
    tx, weights = optimizer(config, steps), weights or {}

    def begin(allowed: bool) -> tuple[State, Record]:
        key, shape = jax.random.key(seed), (1, *model.stride, channels)
        most = config.epochs * steps
        fresh = init_state(
            model, tx, key, shape, mesh, ema=config.ema, total_steps=most, start=start
        )
        refuse_idle(fresh.params, config.freeze)
        extend_to = config.epochs if config.extend else 0
        options: dict[str, Any] = {"meta": meta, "extend_to": extend_to}
        return resume(folders.checkpoints, fresh, mesh, steps=steps, allowed=allowed, **options)

    def job_of(parts: int) -> Job:
        options: dict[str, Any] = {"weights": weights, "augment": augment, "ema": config.ema}
        options["freeze"] = config.freeze
        return Job(
            config=config,
            step=make_step(model, tx, loss, mesh, **options, microbatches=parts),
            evaluate=make_eval(model, loss, mesh, microbatches=parts),
            microbatches=parts,
            batches=batches,
            validation=validation,
            steps=steps,
            weights=weights,
            rate=learning_rate(config, steps),
            mesh=mesh,
            folders=folders,
            meta=meta or {},
            show=show,
            asked=asked,
            guard=guard,
            draw=draw,
        )

    state, record = begin(continued)
    share = config.batch // mesh.shape["data"]
    with interruptible(holding=False) as asked, display(int(jax.device_get(state.step))) as show:
        parts = parts_of(share, max(record.microbatches, config.accumulation))
        while (ended := _epochs(state, record, job_of(parts))) is None:
            together = bool(state.batch_stats)
            parts = divide_further(
                share, parts, patch=patch, stride=model.stride, batch_norm=together
            )
            # A step that failed has used up its state.
            del state
            state, record = begin(True)
    return ended


def _epochs(state: State, record: Record, job: Job) -> Fitted | None:
    """Epoch after epoch until a reason to stop; None when the device ran out of memory."""
    record, first = record._replace(microbatches=job.microbatches), True
    while not (reason := reason_to_stop(state, record, job)):
        try:
            state, record, times = run_epoch(state, record, job)
        except jax.errors.JaxRuntimeError as error:
            if not is_exhausted(error):
                raise
            return None
        state, record = plan(state, record, job, times, first=first)
        first = False
    job.show.line(reason)
    return Fitted(len(record.history), record.best, record.history, reason)


def plan(
    state: State, record: Record, job: Job, times: Times, *, first: bool
) -> tuple[State, Record]:
    """Fit the number of epochs into the limit of minutes: at first, and whenever it is due."""
    minutes, done = job.config.minutes, len(record.history)
    if not minutes:
        return state, record
    before = planned_epochs(state, job)
    if not record.planned:
        pace = epoch_seconds(times, job.steps, first=first)
    elif is_due(done, before):
        pace = recent_pace([row["seconds"] for row in record.history])
    else:
        return state, record
    if pace is None:
        return state, record
    epochs = affordable_epochs(
        minutes, spent=record.seconds, pace=pace, done=done, most=job.config.epochs
    )
    epochs = hosts.from_first(epochs)
    if record.planned and epochs == before:
        return state, record
    total = replicate(jnp.asarray(epochs * job.steps, jnp.int32), job.mesh)
    state, record = state._replace(total_steps=total), record._replace(planned=True)
    job.guard()
    save_last(job.folders.checkpoints, state, record, job.meta)
    job.show.line(f"{epochs} of {job.config.epochs} epochs fit into {minutes:g} minutes")
    return state, record
