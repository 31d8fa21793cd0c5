"""Configuration: files, command lines, saved JSON, and every mistake named at once."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxseg.cli.options import parse
from jaxseg.config import Config, EmbedSeg, Train, UNet, ch
from jaxseg.config.architectures import strides
from jaxseg.config.load import digest, from_plain, load, select, to_plain
from jaxseg.config.saved import flat
from jaxseg.errors import ConfigError, JaxsegError, Problems
from jaxseg.tasks.checking import check

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
SOUND = Config(channels=(ch("F"), ch("C"), ch("Db")), phases=("decode",))


def changed(**fields: object) -> Config:
    return dataclasses.replace(SOUND, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_sound_but_for_their_paths(path: Path) -> None:
    problems = [str(problem) for problem in check(load(path))]
    assert all(problem.startswith("data.") for problem in problems), problems


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_json_round_trip(path: Path) -> None:
    config = load(path)
    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config


def test_command_line_overrides_file() -> None:
    base = load(ROOT / "configs" / "inst2d.py")
    config = parse(["--train.epochs", "5", "--channels.1.options.mode", "inner"], base)
    assert config.train.epochs == 5
    assert config.channels[1].options.mode == "inner"  # type: ignore[union-attr]
    assert config.train.lr == base.train.lr


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("--train.epoch", "--train.epochs"),
        ("--epochs", "--train.epochs"),
        ("--output", "--out"),
        ("--predict.TTA=full", "--predict.tta"),
    ],
)
def test_unknown_option_names_the_nearest(option: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        parse([option, "3"], Config())


def test_all_unknown_options_are_named_at_once() -> None:
    with pytest.raises(Problems) as caught:
        parse(["--outt", "a", "--run", "b", "--bacth", "3"], Config())
    assert [error.what.split()[2] for error in caught.value.problems] == ["--outt;", "--bacth;"]
    with pytest.raises(ConfigError, match="unexpected 'stray'"):
        parse(["stray"], Config())


def test_help_is_fast_and_needs_no_jax() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from jaxseg.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try: main(['--config', 'configs/inst3d.py', '--help'])\n"
        "    except SystemExit as stop: assert stop.code == 0\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config = 3", "found int"),
        ("x = 1", "defines no configuration"),
        ("import nothing_like_this", "nothing_like_this"),
        ("from jaxseg.config import ch\nch('Dbb')", "did you mean 'Db'"),
        ("from jaxseg.config import ch\nch('C', moode='inner')", "did you mean 'mode'"),
        ("from jaxseg.config import ch\nch('E', grid_size=0)", "above 0"),
        ("from jaxseg.config import ch\nch('E', center='median')", "medoid"),
        ("from jaxseg.config import Config\nconfig = Config(task='instance')", "instances"),
        ("from jaxseg.config import Config\nconfig = Config(epochs=3)", "epochs"),
        ("def f(:", "SyntaxError"),
    ],
)
def test_broken_files_are_one_message(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert expected in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.py"):
        load("nowhere.py")


def test_a_yaml_path_is_never_run_as_code(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("raise SystemExit(9)")
    with pytest.raises(ConfigError, match="no keys and values"):
        load(path)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "../up"}, "name"),
        ({"name": ""}, "name"),
        ({"patch": (64, 64, 64)}, "patch"),
        ({"patch": (100, 100)}, "patch"),
        ({"channels": ()}, "channels"),
        ({"channels": (ch("F"), ch("F"))}, "channels"),
        ({"channels": (ch("F"), ch("H"))}, "channels"),
        ({"channels": (ch("F"), ch("S"))}, "channels"),
        ({"channels": (ch("E"), ch("F"))}, "channels"),
        ({"embedseg": EmbedSeg(seed_threshold=1.5)}, "embedseg.seed_threshold"),
        ({"embedseg": EmbedSeg(min_object_size=0)}, "embedseg.min_object_size"),
        ({"embedseg": EmbedSeg(min_mask_sum=-1)}, "embedseg.min_mask_sum"),
        ({"task": "semantic"}, "channels"),
        ({"channels": (ch("A", neighborhood=26),)}, "channels.A.neighborhood"),
        ({"channels": (ch("A", offsets=((0, 0),)),)}, "channels.A.offsets"),
        ({"model": UNet(features=(8,))}, "model.features"),
        ({"model": UNet(z_down=(1, 2, 2, 2))}, "model"),
        ({"train": Train(epochs=0)}, "train.epochs"),
        ({"train": Train(lr=float("nan"))}, "train.lr"),
        ({"cpu_devices": 3}, "train.batch"),
        ({"phases": ()}, "phases"),
        ({"phases": ("train",)}, "data.train.raw"),
        ({"phases": ("predict",)}, "data.test.raw"),
    ],
)
def test_each_mistake_is_found(fields: dict, field: str) -> None:
    assert field in [problem.where for problem in check(changed(**fields))]


def test_a_sound_configuration_has_no_problem() -> None:
    assert check(SOUND) == []


def test_all_mistakes_are_reported_together() -> None:
    problems = check(changed(name="a b", patch=(10,), train=Train(epochs=0, batch=0)))
    assert {"name", "patch", "train.epochs", "train.batch"} <= {
        problem.where for problem in problems
    }


def test_messages_have_at_most_three_lines() -> None:
    for problem in check(changed(name="a b", patch=(10,), channels=())):
        assert isinstance(problem, JaxsegError)
        assert len(str(problem).splitlines()) <= 3


def test_strides_of_an_anisotropic_network() -> None:
    assert strides(UNet(features=(8, 16, 32), z_down=(1, 2)), 3) == (2, 4, 4)
    assert strides(UNet(features=(8, 16, 32)), 2) == (4, 4)


def test_digest_ignores_order_and_sees_values() -> None:
    values = select(SOUND, ["train", "channels"])
    assert digest(values) == digest(dict(reversed(values.items())))
    assert digest(values) != digest(select(changed(train=Train(lr=0.5)), ["train", "channels"]))


def test_numbers_for_all_axes_or_one_each_come_back_from_json() -> None:
    channels = (ch("F", erosion=(1, 2), dilation=3), ch("C"), ch("M"))
    config = Config(ndim=2, channels=channels)
    assert from_plain(json.loads(json.dumps(to_plain(config)))).channels == channels


def test_the_legacy_channel_needs_its_parts_and_radii_fit_the_axes() -> None:
    assert not [e for e in check(Config(channels=(ch("F"), ch("C"), ch("M")))) if "M " in str(e)]
    for channels, message in (
        ((ch("F"), ch("M")), "M is of use only beside F and C"),
        ((ch("F"), ch("C", mode="inner"), ch("M")), "the same mode"),
        ((ch("F", erosion=(1, 1, 1)),), "channels.0.options.erosion"),
    ):
        assert any(message in str(problem) for problem in check(Config(channels=channels, ndim=2)))


@pytest.mark.parametrize(
    "where", ["out", "data.train.raw", "postprocess.masks", "train.start_from"]
)
def test_the_sign_of_a_shell_for_the_home_folder_is_no_path(where: str) -> None:
    data = flat(to_plain(Config()))
    nested: dict = {}
    for name, value in (data | {where: "~/cells"}).items():
        *outer, last = name.split(".")
        place = nested
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    with pytest.raises(
        ConfigError, match=r"without ~ for the home folder; found '~/cells'"
    ) as caught:
        from_plain(nested)
    assert caught.value.where == where
