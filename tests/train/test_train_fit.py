from __future__ import annotations

import io
import math
import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from support import tiny_training as tiny
from support.shared_programs import share_programs

from jaxseg import checkpoint, models, train
from jaxseg.errors import ConfigError, InputError, Interrupted, NonFiniteError
from jaxseg.train import loop, progress
from jaxseg.train.plan import affordable_epochs, is_due, recent_pace
from jaxseg.train.record import Record, add_row

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation", "no_charts")]

LAST = tiny.CONFIG.epochs * tiny.STEPS


@pytest.fixture(autouse=True, scope="module")
def shared_programs() -> Iterator[None]:
    """Nearly every run would compile the same functions."""
    with pytest.MonkeyPatch.context() as patch:
        share_programs(patch)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of a run that nothing interrupted."""
    root = tmp_path_factory.mktemp("whole")
    tiny.run(root)
    return root


def stop_after(monkeypatch, number: int, request: int) -> None:
    """Let the process be asked to stop while it works on a step."""

    make = loop.make_step

    def make_step(*given, **options):
        step = make(*given, **options)

        def watched(state, batch):
            if jax.device_get(state.step) + 1 == number:
                os.kill(os.getpid(), request)
            return step(state, batch)

        return watched

    monkeypatch.setattr(loop, "make_step", make_step)


def test_run_leaves_logs_and_pictures(whole):
    table = pd.read_csv(whole / "logs" / "log.csv")
    assert table["epoch"].tolist() == [1, 2]
    assert table["step"].tolist() == [tiny.STEPS, LAST]
    assert {"lr", "loss", "val_loss", "loss_F", "F_right", "val_F_right", "norm"} <= set(table)
    assert table["val_loss"].iloc[1] < table["val_loss"].iloc[0]
    assert table["best"].all()
    for name in ("loss", "loss_F", "F_right"):
        picture = (whole / "charts" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
    variables, meta = checkpoint.load_best(whole / "checkpoints")
    assert meta["epoch"] == 2
    logits = models.build(tiny.NET, 1, ndim=2).apply(variables, tiny.batch(0).image)
    assert logits.shape == (tiny.BATCH, tiny.SIZE, tiny.SIZE, 1)


def test_finished_run_is_left_alone(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*.json*")}
    assert tiny.run(whole).epochs == tiny.CONFIG.epochs
    assert before == {path: path.stat().st_mtime_ns for path in whole.rglob("*.json*")}


@pytest.mark.slow
def test_stopped_after_every_step_continues_to_the_same_end(whole, tmp_path, monkeypatch):
    requests = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = [signal.getsignal(request) for request in requests]
    for number in range(1, LAST + 1):
        stop_after(monkeypatch, number, requests[number % 3])
        with pytest.raises(Interrupted, match=f"stopped after step {number}; the state") as error:
            tiny.run(tmp_path)
        assert error.value.exit_code == 75
        assert before == [signal.getsignal(request) for request in requests]
    monkeypatch.undo()
    tiny.run(tmp_path)
    assert tiny.end_of(tmp_path) == tiny.end_of(whole)


def test_stopped_during_validation(whole, tmp_path):
    def validation():
        for number, patches in enumerate(tiny.validation()):
            if number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield patches

    with pytest.raises(Interrupted):
        tiny.run(tmp_path, validation=validation)
    tiny.run(tmp_path)
    assert tiny.end_of(tmp_path) == tiny.end_of(whole)


@pytest.mark.slow
def test_damaged_newest_state_costs_one_epoch_only(whole, tmp_path):
    root = Path(shutil.copytree(whole, tmp_path / "copy"))
    (root / "checkpoints" / "last" / f"{LAST:010d}" / "meta.json").write_text("{}")
    with pytest.warns(UserWarning, match="damaged checkpoint"):
        tiny.run(root)
    assert tiny.end_of(root) == tiny.end_of(whole)


def test_bad_image_stops_the_run_and_is_named(tmp_path):
    def batches(steps):
        for step in steps:
            patches = tiny.batch(step)
            if step == 4:
                patches.image[1, 2, 3] = math.inf
            yield patches

    with pytest.raises(NonFiniteError, match=r"disc4_1: the loss of step 5 is not") as error:
        tiny.run(tmp_path, batches=batches)
    assert error.value.exit_code == 3
    # What was saved before is still there, and nothing since.
    last = checkpoint.newest(tmp_path / "checkpoints" / "last")
    assert last.step == tiny.STEPS
    assert all(np.isfinite(array).all() for array in last.arrays.values())
    assert len(pd.read_csv(tmp_path / "logs" / "log.csv")) == 1


@pytest.mark.slow
def test_minutes_shorten_the_run(tmp_path):
    config = replace(tiny.CONFIG, epochs=500, minutes=1e-6)
    ended = tiny.run(tmp_path, config)
    assert ended.epochs == 1
    last = checkpoint.newest(tmp_path / "checkpoints" / "last")
    assert last.arrays["total_steps"] == tiny.STEPS
    assert last.meta["record"]["planned"]
    assert tiny.run(tmp_path, config).epochs == 1


@pytest.mark.parametrize("later", [10.0, 30.0, 50.0])
def test_minutes_are_used_whatever_the_first_epoch_took(later):
    """The first epoch is three times as slow, or the machine gets slower after it."""
    seconds, minutes = [30.0], 60.0
    epochs = affordable_epochs(minutes, spent=30.0, pace=30.0, done=1, most=10_000)
    while len(seconds) < epochs:
        seconds.append(later)
        if is_due(len(seconds), epochs):
            pace = recent_pace(seconds)
            epochs = affordable_epochs(
                minutes, spent=sum(seconds), pace=pace, done=len(seconds), most=10_000
            )
    assert 0.97 < sum(seconds) / (60 * minutes) <= 1


def test_ample_minutes_change_nothing(whole, tmp_path):
    tiny.run(tmp_path, replace(tiny.CONFIG, minutes=1000.0))
    ours, theirs = tiny.end_of(tmp_path), tiny.end_of(whole)
    assert ours[2] == theirs[2]
    assert ours[5:] == theirs[5:]


def test_patience(tmp_path):
    calls = []

    def validation():
        """Batches that get worse with every epoch."""
        calls.append(1)
        for patches in tiny.validation():
            yield patches._replace(image=(1 - len(calls)) * 100 * patches.image)

    config = replace(tiny.CONFIG, epochs=500, patience=2)
    ended = tiny.run(tmp_path, config, validation=validation)
    assert (ended.epochs, ended.reason) == (3, "no better validation for 2 epochs")
    assert checkpoint.load_best(tmp_path / "checkpoints")[1]["epoch"] == 1
    assert tiny.run(tmp_path, config).epochs == 3


def test_validation_that_is_not_finite_is_no_best(tmp_path):
    def validation():
        for patches in tiny.validation():
            yield patches._replace(image=patches.image * np.float32(math.inf))

    ended = tiny.run(tmp_path, validation=validation)
    assert (ended.epochs, ended.best) == (2, None)
    assert pd.read_csv(tmp_path / "logs" / "log.csv")["val_loss"].isna().all()
    assert not (tmp_path / "checkpoints" / "best").exists()
    assert tiny.run(tmp_path).history == ended.history


def test_waiting_for_a_better_loss():
    record = Record(pending=({},))
    for loss, best, waited in (
        (2.0, 2.0, 0),
        (2.0, 2.0, 1),
        (3.0, 2.0, 2),
        (1.0, 1.0, 0),
        (None, 1.0, 1),
    ):
        record = add_row(record, {"val_loss": loss})
        assert (record.best, record.waited, record.pending) == (best, waited, ())
    assert [row["best"] for row in record.history] == [True, False, False, True, False]


def test_epochs_that_fit():
    assert affordable_epochs(1.0, spent=10.0, pace=10.0, done=1, most=100) == 6
    assert affordable_epochs(1.0, spent=10.0, pace=10.0, done=1, most=3) == 3
    assert affordable_epochs(1.0, spent=100.0, pace=10.0, done=4, most=100) == 4


def test_other_machine_and_other_network_are_noticed(whole, tmp_path, monkeypatch):
    root = Path(shutil.copytree(whole, tmp_path / "copy"))
    with pytest.warns(UserWarning, match="not equal to the last bit"):
        tiny.run(root, devices=4)
    with pytest.raises(ConfigError, match="not to be continued"):
        tiny.run(root, continued=False)
    with pytest.raises(InputError, match="steps per epoch has changed"):
        tiny.run(root, steps=tiny.STEPS + 1)
    monkeypatch.setattr(tiny, "NET", replace(tiny.NET, features=(4, 12)))
    with pytest.raises(InputError, match="not a checkpoint of this network"):
        tiny.run(root)


def test_bar_on_a_terminal(monkeypatch):
    text = io.StringIO()
    console = partial(Console, file=text, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", console)
    with progress.display(3) as show:
        show.at(4, 10, "epoch 2")
        show.line("epoch 1 [loss]")
    assert "epoch 1 [loss]" in text.getvalue()
    assert "4/10" in text.getvalue()


def test_no_bar_in_a_log_file(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.run(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["epoch", "epoch", "all"]
    assert "val_F_right" in lines[0]


@pytest.mark.slow
def test_more_epochs_follow_a_longer_plan_that_the_record_names(whole, tmp_path):
    root = Path(shutil.copytree(whole, tmp_path / "copy"))
    meta = {"digest": "3 epochs", "values": {"train.epochs": 3}}
    for path in (root / "checkpoints" / "last").iterdir():
        found = checkpoint.read(path)
        before = {"digest": "2 epochs", "values": {"train.epochs": 2}}
        checkpoint.save(path.parent, found.step, found.arrays, {**found.meta, **before})
    longer = replace(tiny.CONFIG, epochs=3)
    with pytest.raises(ConfigError, match=r"differs in train\.epochs"):
        tiny.run(root, longer, meta=meta)
    ended = tiny.run(root, replace(longer, extend=True), meta=meta)
    assert ended.epochs == 3
    last = checkpoint.newest(root / "checkpoints" / "last")
    assert last.meta["record"]["extended"] == [{"after": 2, "from": 2, "to": 3}]
    assert last.arrays["total_steps"] == 3 * tiny.STEPS
    # The learning rate rises again, and the same command once more does nothing.
    assert ended.history[2]["lr"] <= ended.history[1]["lr"] * 20
    assert tiny.run(root, longer, meta=meta).epochs == 3


@pytest.mark.slow
def test_frozen_parts_keep_their_weights_and_statistics(whole, tmp_path):
    trained = checkpoint.trained(whole / "checkpoints")
    names = sorted({name.split("/")[1] for name in trained.arrays})
    frozen = names[0]
    config = replace(tiny.CONFIG, epochs=1, warmup=0, freeze=(frozen + "*",))
    tiny.run(tmp_path, config, start=trained.arrays)
    after = checkpoint.newest(tmp_path / "checkpoints" / "best").arrays
    same = {name: np.array_equal(array, after[name]) for name, array in trained.arrays.items()}
    assert all(same[name] for name in same if name.split("/")[1].startswith(frozen))
    assert not any(same[name] for name in same if name.endswith("kernel") and frozen not in name)
    with pytest.raises(ConfigError, match="nothing is left to learn"):
        tiny.run(tmp_path / "all", replace(config, freeze=("*",)), start=trained.arrays)
    with pytest.raises(ConfigError, match="no part of the network is called 'none'"):
        tiny.run(tmp_path / "none", replace(config, freeze=("none",)))


def test_the_network_is_shown_every_few_epochs_and_at_the_end(tmp_path):
    shown = []
    config = replace(tiny.CONFIG, epochs=3, predictions_every=2)
    tiny.run(tmp_path, config, draw=lambda variables, epoch: shown.append((epoch, variables)))
    assert [epoch for epoch, _ in shown] == [2, 3]
    last = checkpoint.trained(tmp_path / "checkpoints", which="last").arrays
    for name, array in checkpoint.flatten(shown[-1][1]).items():
        np.testing.assert_array_equal(array, last[name])


def test_the_last_network_beside_the_best(whole, tmp_path):
    tiny.run(tmp_path, replace(tiny.CONFIG, epochs=1))
    # Of the only epoch it is the best one, too.
    last, best = (
        checkpoint.trained(tmp_path / "checkpoints", which=which) for which in ("last", "best")
    )
    assert last.identity == best.identity
    last = checkpoint.trained(whole / "checkpoints", which="last")
    state = checkpoint.newest(whole / "checkpoints" / "last").arrays
    assert last.arrays.keys() == checkpoint.trained(whole / "checkpoints").arrays.keys()
    kept = "ema" if tiny.CONFIG.ema else "params"
    for name, array in last.arrays.items():
        np.testing.assert_array_equal(array, state[name.replace("params", kept, 1)])


def test_only_what_fits_is_taken(whole, tmp_path, monkeypatch):
    trained = checkpoint.trained(whole / "checkpoints").arrays
    monkeypatch.setattr(tiny, "NET", replace(tiny.NET, features=(4, 12)))
    model = models.build(tiny.NET, 1, ndim=2)
    fresh = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), "float32"))
    found = train.transfer(fresh, trained)
    arrays = checkpoint.flatten(found.variables)
    assert all(np.array_equal(arrays[name], trained[name]) for name in found.names)
    assert found.names
    assert found.left
    with pytest.raises(ConfigError, match="no part of the trained network"):
        train.transfer(fresh, {"params/other": np.zeros(1)})
