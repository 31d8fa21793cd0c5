"""Rows of a user's own: used like those of the tables, saved and read again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from support import own_rows
from support.steps import mesh_of

import jaxseg as js
from jaxseg import models
from jaxseg.channels import activate, columns, encode, kinds, loss_of, loss_parts
from jaxseg.cli.options import parse
from jaxseg.config import Condition, Config, Measurement, PostProcess, ch
from jaxseg.config.load import differing, from_plain, load, to_plain, values
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.measurements import measure
from jaxseg.tasks.checking import check
from jaxseg.train import init_state, make_step, place

LABELS = np.zeros((8, 8), np.int32)
LABELS[1:7, 1:4], LABELS[2:6, 5:8] = 1, 2
OWN = ch("X", spec=own_rows.DEPTH, unit=2.0)
CONFIG = Config(
    channels=(ch("F", loss=own_rows.fourth_power), OWN),
    patch=(16, 16),
    phases=("decode",),
    model=own_rows.Thin(width=3),
    postprocess=PostProcess(
        properties=("solidity", own_rows.FILLED), remove=((Condition("filled-0", "lt", 0.5),),)
    ),
)


def test_a_channel_is_encoded_linked_compared_and_decoded() -> None:
    channels = (OWN, ch("F"))
    planes = encode(LABELS, channels)
    assert planes[3, 3].tolist() == [1.5, 1.0]
    assert columns(channels, 2).names == ("X", "F")
    assert len(kinds(channels, 2)) == 2
    assert activate(np.zeros((1, 1, 2), np.float32), channels)[0, 0, 0] == pytest.approx(np.log(2))
    logits = np.stack([np.log(np.expm1(planes[..., 0] + 1e-6)), 40 * planes[..., 1] - 20], -1)
    parts = loss_parts(logits[None], planes[None], np.ones((1, 8, 8, 2), bool), channels)
    assert max(float(top[0]) for top, _ in parts.values()) < 1e-3
    found = js.decode(planes, channels, options=js.Watershed(min_seed=1))
    assert len(np.unique(found)) == 3


def test_a_loss_is_compared_behind_the_link() -> None:
    channel = (ch("F", loss=own_rows.fourth_power),)
    planes, mask = np.ones((1, 2, 2, 1), np.float32), np.ones((1, 2, 2, 1), bool)
    top, bottom = loss_parts(np.zeros_like(planes), planes, mask, channel)["F"]
    assert float(top[0] / bottom[0]) == pytest.approx(0.5**4)


def test_a_few_steps_of_training_with_own_channel_loss_and_network() -> None:
    model = models.build(CONFIG.model, 2, ndim=2)
    image = np.stack([LABELS > 0, LABELS > 1], -1)[None].astype(np.float32)
    mesh, tx = mesh_of(1), optax.adam(3e-2)
    state = init_state(model, tx, jax.random.key(0), image.shape, mesh)
    step = make_step(model, tx, loss_of(CONFIG.channels, ndim=2, max_label=2), mesh)
    found = []
    for _ in range(20):
        state, logs = step(state, place({"image": image, "truth": {"objects": LABELS[None]}}, mesh))
        found.append(float(logs["loss"]))
    assert found[-1] < 0.5 * found[0]


def test_a_measurement_is_a_column_and_a_condition() -> None:
    table = measure(LABELS, intensity=LABELS * 3.0, extra=["solidity", own_rows.FILLED])
    assert table["filled-0"].tolist() == [1.0, 1.0]
    assert table["filled-1"].tolist() == [3.0, 6.0]
    wrong = dataclasses.replace(own_rows.FILLED, size=3)
    with pytest.raises(ConfigError, match="another number of values"):
        measure(LABELS, intensity=LABELS * 1.0, extra=[wrong])
    with pytest.raises(ConfigError, match="failed: ZeroDivisionError"):
        measure(LABELS, extra=[Measurement("bad", lambda mask, spacing: 1 / 0)])


def test_own_rows_pass_the_check_and_come_back_from_json() -> None:
    assert check(CONFIG) == []
    data = json.loads(json.dumps(to_plain(CONFIG)))
    assert data["channels"][1]["spec"] == "support.own_rows:DEPTH"
    assert data["model"]["class"] == "support.own_rows:Thin"
    assert from_plain(data) == CONFIG
    assert values(CONFIG, "train")["model.class"] == "support.own_rows:Thin"
    with pytest.raises(JaxsegError, match="not read here"):
        from_plain(data, own=False)
    data["channels"][1]["spec"] = "support.own_rows:GONE"
    with pytest.raises(ConfigError, match="nothing is found at"):
        from_plain(data)


def test_own_rows_of_a_configuration_file_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from jaxseg.config import Config, ch\n"
        "def own(values, target):\n    return abs(values - target)\n"
        "config = Config(channels=(ch('F', loss=own),))\n"
    )
    config = load(path)
    data = json.loads(json.dumps(to_plain(config)))
    assert data["channels"][0]["loss"] == f"{path}:own"
    assert from_plain(data) == config


def test_the_identity_of_own_rows_is_the_same_at_every_start(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses\n"
        "from jaxseg.config import Config, ch\n"
        "from jaxseg.tasks import TASKS\n"
        "MINE = dataclasses.replace(TASKS['instances'], name='mine', rules=lambda config: [])\n"
        "config = Config(channels=(ch('F', loss=lambda a, b: a - b),), task=MINE)\n"
    )
    first, second = (values(load(path), "train", "evaluate") for _ in range(2))
    assert first == second
    assert " at 0x" not in json.dumps(first)
    path.write_text(path.read_text().replace("a - b", "b - a"))
    assert differing(first, values(load(path), "train", "evaluate")) == ["channels (source)"]


def test_the_command_line_goes_on_with_own_rows() -> None:
    config = parse(["--model.width", "5", "--channels.1.options.unit", "3", "--seed", "2"], CONFIG)
    assert config.model == own_rows.Thin(width=5)
    assert config.channels[1] == ch("X", spec=own_rows.DEPTH, unit=3.0)
    # Only the object itself is found again, not one that is equal.
    assert config.channels[1].spec is own_rows.DEPTH
    assert config.channels[0] == CONFIG.channels[0]
    assert config.postprocess.properties[1] is own_rows.FILLED
    assert config.postprocess.properties == CONFIG.postprocess.properties


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"channels": (ch("F"), dataclasses.replace(OWN, loss="bce"))}, "channels.1.loss"),
        ({"channels": (dataclasses.replace(OWN, options=ch("C").options),)}, "channels.0.options"),
        ({"channels": (dataclasses.replace(OWN, spec=None),)}, "channels.0.name"),
        ({"channels": (ch("F"), OWN, OWN)}, "channels"),
        ({"model": own_rows.Thin(width=0)}, "model.width"),
        ({"channels": (ch("F", loss=lambda values, target: values - target),)}, "channels.0.loss"),
        ({"channels": (ch("X", spec=dataclasses.replace(own_rows.DEPTH)),)}, "channels.0.spec"),
        (
            {"postprocess": PostProcess(properties=(Measurement("one", lambda *_: 1.0),))},
            "postprocess.properties.0.function",
        ),
        (
            {"postprocess": PostProcess(properties=(own_rows.FILLED, own_rows.FILLED))},
            "postprocess.properties",
        ),
    ],
)
def test_own_rows_are_held_to_the_rules(change: dict, where: str) -> None:
    assert where in [problem.where for problem in check(dataclasses.replace(CONFIG, **change))]
