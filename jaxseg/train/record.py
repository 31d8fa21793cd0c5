"""What a run remembers beside its arrays, and how both get to disk and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxseg import checkpoint, hosts
from jaxseg.config.load import differing
from jaxseg.errors import ConfigError, InputError, JaxsegWarning
from jaxseg.runtime import usable_cores
from jaxseg.train.state import State, replicate, variables_of


class Folders(NamedTuple):
    """Where a run writes."""

    checkpoints: Path
    """``last`` and ``best``."""
    logs: Path
    """``log.csv`` and ``log.jsonl``."""
    charts: Path
    """One PNG for the loss and for each metric."""


class Record(NamedTuple):
    """Plain data that is saved with every checkpoint.

    The logs are written from it, so that a run that was killed and continued has the same logs as
    one that was not.
    """

    history: tuple[dict[str, Any], ...] = ()
    """A row for each finished epoch."""
    pending: tuple[dict[str, Any], ...] = ()
    """Logs of the steps of the epoch under way."""
    best: float | None = None
    """Lowest validation loss."""
    waited: int = 0
    """Epochs since then."""
    seconds: float = 0.0
    """Time spent, over all starts."""
    planned: bool = False
    """Whether the number of steps has been fitted to the limit of minutes."""
    microbatches: int = 1
    """Parts into which every device's share of a batch is divided, for want of memory."""
    extended: tuple[dict[str, int], ...] = ()
    """Each time that more epochs were asked for: after how many, and how many then."""


def add_row(record: Record, row: Mapping[str, Any]) -> Record:
    """The record after one more epoch; the row gets a column that marks the best so far."""
    loss = row["val_loss"]
    better = loss is not None and (record.best is None or loss < record.best)
    return record._replace(
        history=(*record.history, {**row, "best": better}),
        pending=(),
        best=loss if better else record.best,
        waited=0 if better else record.waited + 1,
    )


def save_last(folder: Path, state: State, record: Record, meta: Mapping[str, Any]) -> None:
    """Save all that the run needs to continue as if it had not stopped."""
    if not hosts.is_first():
        return
    about = {"record": record._asdict(), "machine": machine(state)}
    checkpoint.save(
        folder / checkpoint.LAST, int(jax.device_get(state.step)), state, {**meta, **about}
    )


def save_best(folder: Path, state: State, record: Record, meta: Mapping[str, Any]) -> None:
    """Save the network that prediction will use."""
    if not hosts.is_first():
        return
    about = {"epoch": len(record.history), "val_loss": record.best}
    step, variables = int(jax.device_get(state.step)), variables_of(state)
    checkpoint.save(folder / checkpoint.BEST, step, variables, {**meta, **about}, keep=1)


def refuse_unfit(folder: Path, meta: Mapping[str, Any], *, epochs: int = 0) -> None:
    """Refuse to go on with a training that cannot be continued, or to begin one over it.

    Parameters
    ----------
    folder : of the run's checkpoints
    meta : what the checkpoints of this start will hold; ``digest`` is compared where it is given,
        ``values`` says what differs
    epochs : that a training of fewer epochs may be extended to; 0 = it may not

    Raises
    ------
    ConfigError : the training that lies there had other options or images
    InputError : there are states, but all are damaged, or none, but a best network
    """
    last, best = folder / checkpoint.LAST, folder / checkpoint.BEST
    kept = "copy it back, or begin anew with --overwrite, which moves what is left to _trash"
    if not checkpoint.checkpoints(last):
        if checkpoint.checkpoints(best):
            raise InputError(
                "a trained network lies here, but the state to continue from is gone",
                where=last,
                fix=kept,
            )
        return
    then = checkpoint.newest_meta(last)
    if then is None:
        raise InputError("every state of the training is damaged", where=last, fix=kept)
    if not meta.get("digest") or then.get("digest") == meta["digest"]:
        return
    before, now = then.get("values", {}), meta.get("values", {})
    changed = differing(before, now)
    if epochs and changed == ["train.epochs"] and before["train.epochs"] < epochs:
        return
    named = ", ".join(changed[:4]) or "its training images or first weights"
    raise ConfigError(
        f"a training with other values lies here; it differs in {named}",
        where=folder,
        expected=before.get(changed[0]) if changed else "",
        found=now.get(changed[0]) if changed else "",
        fix="--run ANOTHER_NAME, or --overwrite, which moves it to _trash",
    )


def resume(
    folder: Path,
    fresh: State,
    mesh: Mesh,
    *,
    steps: int,
    allowed: bool,
    meta: Mapping[str, Any] | None = None,
    extend_to: int = 0,
) -> tuple[State, Record]:
    """The state and record of an earlier start, or fresh ones when there was none.

    Parameters
    ----------
    folder : of the run's checkpoints
    fresh : state before the first step
    mesh : devices to copy the state to
    steps : steps per epoch
    allowed : whether a checkpoint may be there
    meta, extend_to : see :func:`refuse_unfit`

    Raises
    ------
    ConfigError : one is there and may not be, or had other options
    InputError : it belongs to another network or optimiser, or to other steps per epoch; or all are
        damaged
    """
    if not allowed and checkpoint.checkpoints(folder / checkpoint.LAST):
        raise ConfigError(
            "a training lies here that is not to be continued",
            where=folder,
            fix="start a run of another name, or resume",
        )
    refuse_unfit(folder, meta or {}, epochs=extend_to)
    found = checkpoint.restore(folder / checkpoint.LAST, fresh)
    if found is None:
        return fresh, Record()
    state, before = found
    here = machine(fresh)
    if before["machine"] != here:
        warnings.warn(
            f"continued on {here} after {before['machine']}: the result is as good as that of an "
            "uninterrupted run, but not equal to the last bit",
            JaxsegWarning,
            stacklevel=2,
        )
    record = Record(**before["record"])
    record = record._replace(
        history=tuple(record.history),
        pending=tuple(record.pending),
        extended=tuple(record.extended),
    )
    step = len(record.history) * steps + len(record.pending)
    if int(state.step) != step:
        raise InputError(
            "the number of steps per epoch has changed; other training images?",
            where=folder,
            expected=f"a state after step {step}",
            found=f"one after step {int(state.step)}",
            fix="start a run of another name",
        )
    epochs = before.get("values", {}).get("train.epochs", extend_to)
    if extend_to > epochs:
        state = state._replace(total_steps=jnp.asarray(extend_to * steps, jnp.int32))
        grown = {"after": len(record.history), "from": epochs, "to": extend_to}
        record = record._replace(extended=(*record.extended, grown), planned=False, waited=0)
    return replicate(state, mesh), record


def machine(state: State) -> str:
    """What decides how sums are rounded."""
    devices = state.step.sharding.num_devices
    return f"{devices} {jax.default_backend()} device(s), {usable_cores()} core(s)"
