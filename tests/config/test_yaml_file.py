"""YAML as people write it is read; what is ambiguous, dangerous or endless is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseg.config import Config, UNet, ch
from jaxseg.config.load import load, to_plain
from jaxseg.config.python_file import python_text
from jaxseg.config.yaml_file import MOST_BYTES, parse_yaml, read_yaml
from jaxseg.errors import ConfigError, JaxsegError, Problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A: (256, 256, 1)", [256, 256, 1]),
        ("A: ((1, 2), (3,))", [[1, 2], [3]]),
        ("A: '(1.5, -2)'", [1.5, -2]),
        ("A: (1)", [1]),
        ("A: 1.E-4", 1e-4),
        ("A: 1e-4", 1e-4),
        ("A: 1.E\N{MINUS SIGN}4", 1e-4),
        ("A: \N{MINUS SIGN}1", -1),
        ("A: (\N{MINUS SIGN}0.1, 0.1)", [-0.1, 0.1]),
        ("A: '1e-4'", "1e-4"),
        ("A: FALSE", False),
        ("A: C:\\new\\train", "C:\\new\\train"),
        ('A: "C:\\new\\train"', "C:\\new\\train"),
        ('A: "C:\\\\new\\\\train"', "C:\\new\\train"),
        ("A: \\\\server\\share\\x", "\\\\server\\share\\x"),
        ("A: 2D", "2D"),
        ("A: [[npixels], [sphericity, npixels]]", [["npixels"], ["sphericity", "npixels"]]),
        ("A: [{'Db': {'mask_values': False}}]", [{"Db": {"mask_values": False}}]),
        ("A: 2026-01-02", "2026-01-02"),
        ("A: none", "none"),
        ("A:", None),
        ("\N{ZERO WIDTH NO-BREAK SPACE}A: 1", 1),
    ],
)
def test_values(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path).entries["A"].value == value


def test_dotted_keys_and_sections_are_one() -> None:
    found = parse_yaml(
        "DATA:\n  TRAIN:\n    FILTER.PROPS: [[a]]\n    FILTER:\n      SIGNS: [[b]]\n"
    )
    assert found.nested() == {"DATA": {"TRAIN": {"FILTER": {"PROPS": [["a"]], "SIGNS": [["b"]]}}}}
    assert [entry.line for entry in found.entries.values()] == [3, 5]
    assert found.sections == ("DATA",)


def test_what_is_no_plain_yaml_is_said_with_its_line() -> None:
    found = parse_yaml('A:\n\tB: 1.E\N{MINUS SIGN}4\n\tC: "D:\\x"\nE: 1\nE: 1')
    assert found.nested() == {"A": {"B": 1e-4, "C": "D:\\x"}, "E": 1}
    for words in ("line 2: a tab", "line 3: a tab", "minus sign", "line 3: the backslashes",
                  "lines 4 and 5: E is given twice"):  # fmt: skip
        assert any(words in notice for notice in found.notices), words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A: 1\nB: 0\nA: 2", "1 in line 1, 2 in line 3"),
        ("A.B: 1\nA:\n  B: 2", "1 in line 1, 2 in line 3"),
        ("A: [{x: 1, x: 2}]", "x is given twice"),
        ("A: !!python/object/apply:os.system [ls]", "a tag is not read"),
        ("A: !mine 3", "a tag is not read"),
        ("A: [(1, 2), (3, 4)]", "cut in two"),
        ("A: (os.system)", "not a tuple"),
        ("A: " + "[" * 50, "too deep"),
        ("A: &a [*a]", "too many"),
        ("A: &a {b: *a}", "too many"),
        ("? [a]\n: 1", "no word"),
        ("- 1", "no keys"),
        ("# nothing", "empty"),
        ("A: 1\n---\nA: 2", "another document"),
        ("A: B: c", "not YAML"),
        ('A: "x\\q"', "single quotes"),
        ("A: " + "9" * 5000, "not a number"),
    ],
)
def test_refused(text: str, words: str) -> None:
    with pytest.raises(JaxsegError, match=words) as caught:
        parse_yaml(text, "job.yaml")
    assert caught.value.exit_code == 2
    assert "job.yaml" in str(caught.value)


def test_aliases_do_not_multiply() -> None:
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for level in range(1, 9):
        text += f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]\n"
    with pytest.raises(ConfigError, match="too many"):
        parse_yaml(text)


def test_large_and_binary_files(tmp_path: Path) -> None:
    large, binary = tmp_path / "large.yaml", tmp_path / "binary.yaml"
    large.write_text("A: 1\n" * (MOST_BYTES // 5 + 1))
    binary.write_bytes(b"\xff\xfe\x00A")
    with pytest.raises(ConfigError, match="too large"):
        read_yaml(large)
    with pytest.raises(ConfigError, match="not readable as text"):
        read_yaml(binary)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="AB:-[]{}(),.&*!'\"\\\n\t #1e|>%@?", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError, Problems):
        parse_yaml(text)


OURS = """
name: mine
ndim: 3
channels: [F, {name: Db, options: {norm: false}, weight: 0.5}]
patch: (16, 64, 64)
model: {architecture: unet, features: [8, 16, 32]}
train.lr: 1e-3
data:
  train: {raw: "D:\\data\\raw", labels: labels.tif}
"""


def test_our_own_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OURS)
    config = load(path)
    assert config.channels == (ch("F"), ch("Db", norm=False, weight=0.5))
    assert config.patch == (16, 64, 64)
    assert config.model == UNet(features=(8, 16, 32))
    assert (config.train.lr, config.data.train.raw) == (1e-3, "D:\\data\\raw")
    assert "backslashes" in capsys.readouterr().out


def test_a_network_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("model: stunet\nseed: 4")
    assert load(path).model.architecture == "stunet"


def test_wrong_names_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("sead: 4")
    with pytest.raises(JaxsegError, match="did you mean 'seed'"):
        load(path)


def test_python_text_is_the_same_configuration(tmp_path: Path) -> None:
    yaml, python = tmp_path / "mine.yaml", tmp_path / "mine.py"
    yaml.write_text(OURS)
    config = load(yaml)
    python.write_text(python_text(config, 'About "this" \\ path.'))
    assert to_plain(load(python)) == to_plain(config)
    python.write_text(python_text(Config(), "Nothing."))
    assert load(python) == Config()
