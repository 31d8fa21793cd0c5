"""Learning rates that fall late, and the record of a training for TensorBoard."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxseg.config import Config, Data, Source, Train, ch
from jaxseg.errors import ConfigError
from jaxseg.tasks import checked
from jaxseg.train import learning_rate, tensorboard

ROWS = [
    {"epoch": 1, "step": 4, "lr": 0.5, "loss": 2.0, "val_loss": None, "best": True},
    {"epoch": 2, "step": 8, "lr": 0.25, "loss": 1.5, "val_loss": 3.0, "val_F IoU": math.nan,
     "best": False},
]  # fmt: skip


def test_a_delayed_cosine() -> None:
    config = Train(lr=2.0, epochs=10, warmup=2, final_lr=0.1, decay_part=0.4)
    values = np.array(jax.vmap(learning_rate(config, 5), (0, None))(np.arange(51), 0))
    np.testing.assert_allclose(values[10:31], 2.0)
    falling = 0.2 + 0.9 * (1 + np.cos(np.pi * np.arange(21) / 20))
    np.testing.assert_allclose(values[30:], falling, rtol=1e-4)
    # A decay that would begin within the warm-up begins after it, as without the option.
    usual = learning_rate(replace(config, decay_part=0.0), 5)
    early = learning_rate(replace(config, decay_part=1.0), 5)
    assert [float(usual(step, 0)) for step in (3, 12, 40)] == [
        float(early(step, 0)) for step in (3, 12, 40)
    ]


def test_the_package_is_asked_for_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'jaxseg\[log\]'"):
        tensorboard.refuse_missing()
    config = Config(
        channels=(ch("F"),),
        data=Data(train=Source(raw=str(tmp_path), labels=str(tmp_path))),
        train=Train(tensorboard=True),
        phases=("train",),
    )
    with pytest.raises(Exception, match="tensorboardX is missing"):
        checked(config)


def test_all_epochs_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    tensorboard.write(tmp_path / "tb", ROWS[:1])
    tensorboard.write(tmp_path / "tb", ROWS)
    (file,) = (tmp_path / "tb").iterdir()
    data, found, place = file.read_bytes(), {}, 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 8], "little")
        event = Event.FromString(data[place + 12 : place + 12 + length])
        place += length + 16
        for value in event.summary.value:
            found[value.tag, event.step] = value.simple_value
    assert found == {
        ("train/lr", 1): 0.5,
        ("train/loss", 1): 2.0,
        ("train/lr", 2): 0.25,
        ("train/loss", 2): 1.5,
        ("val/loss", 2): 3.0,
    }
