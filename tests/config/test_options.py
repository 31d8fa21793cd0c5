"""What is true of every option of the table: it has a text, limits that hold, and readers."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxseg as js
from jaxseg.channels import CHANNELS
from jaxseg.config import (
    ARCHITECTURES,
    OPTIONS,
    Blocks,
    Channel,
    Condition,
    Config,
    Loss,
    Median,
    PostProcess,
    Predict,
    Refine,
    StarDist,
    Train,
    UNet,
    Watershed,
    ch,
)
from jaxseg.config.augment import Augment
from jaxseg.config.decoders import KINDS
from jaxseg.config.limits import ODD, at_least, lengths
from jaxseg.config.load import from_plain, load, to_plain
from jaxseg.config.networks.other import Package
from jaxseg.config.option import (
    checked,
    docs_of,
    leaves,
    option,
    options_of,
    problems,
    reads,
    section,
)
from jaxseg.config.saved import values
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.labels.refine import refine
from jaxseg.models import build
from jaxseg.prediction.median import median_filters
from jaxseg.runs.manifest import READERS
from jaxseg.tasks.checking import check
from jaxseg.train.schedule import optimizer

ODD_VALUES: tuple[Any, ...] = (
    float("nan"), float("inf"), -float("inf"), -1, 0, -0.5, 1.5, 10**30, 2**31, "", "nan", "a\0b",
    "\ud800", "x" * 40_000, (), (1,), (0, 0), (-1, 2, 3), (float("nan"), 1.0), ((),), None, True,
    b"x", [], [1], {}, {"a": 1}, object(), np.float32("nan"), Train, (None,), ("x", "y"),
)  # fmt: skip


def sections(value: Any) -> Iterator[Any]:
    """A section and all sections in it."""
    if dataclasses.is_dataclass(value):
        yield value
        for one in options_of(type(value)):
            yield from sections(getattr(value, one.name))
    for item in value if isinstance(value, tuple) else ():
        yield from sections(item)


RICH = Config(
    channels=tuple(Channel(name=name, options=kind()) for name, kind in OPTIONS.items()),
    postprocess=PostProcess(
        median=(Median("xy", 3),),
        refine=(Refine("dilation", (1.0,)),),
        remove=((Condition("npixels", "lt", 3.0),),),
    ),
)
NETWORKS = [kind() for kind in ARCHITECTURES.values()] + [Package(path="a.zip")]
SECTIONS = {type(one): one for one in itertools.chain(sections(RICH), NETWORKS)}


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: kind.__name__)
def test_every_option_has_a_text(kind: type) -> None:
    texts = docs_of(kind)
    for one in options_of(kind):
        assert len(texts[one.name]) > 4, (kind, one.name)
        assert texts[one.name].endswith((".", "?")), (kind, one.name)


def test_the_help_of_the_command_line_shows_the_texts() -> None:
    command = [sys.executable, "-m", "jaxseg.main", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    shown = " ".join(result.stdout.replace("\u2502", " ").split())
    for kind in (Train, Blocks, StarDist):
        for name, text in docs_of(kind).items():
            assert " ".join(text.split()[:4]) in shown, name


def test_every_option_is_read_by_something_or_says_that_nothing_depends_on_it() -> None:
    silent = [name for name, _, read_by in leaves(RICH) if read_by is None]
    assert not silent


def test_what_prediction_reads() -> None:
    names = reads(Config(), "predict")
    assert {"normalize.method", "normalize.percentiles", "model.features", "channels"} <= set(names)
    assert {"predict.tile", "predict.tta", "patch", "data.spacing"} <= set(names)
    assert not {"predict.reuse", "blocks.workers", "data.test.raw", "predict.checkpoint"} & set(
        names
    )
    assert values(Config(), "predict")["model.features"] == [16, 32, 64, 128, 256]


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: kind.__name__)
def test_odd_values_of_any_option_are_told_and_never_a_traceback(kind: type) -> None:
    sound = SECTIONS[kind]
    # What holds other sections walks through all of them each time.
    outer = any(dataclasses.is_dataclass(getattr(sound, one.name)) for one in options_of(kind))
    for one, value in itertools.product(options_of(kind), ODD_VALUES[:: 5 if outer else 1]):
        for problem in problems(dataclasses.replace(sound, **{one.name: value}), "section"):
            assert isinstance(problem, ConfigError)
            assert len(str(problem).splitlines()) <= 3
            assert len(str(problem)) < 1500


def test_numbers_that_are_not_finite_are_never_legal() -> None:
    for kind, sound in SECTIONS.items():
        for one, value in itertools.product(options_of(kind), (float("nan"), float("inf"))):
            if one.hint is not Any:
                changed = dataclasses.replace(sound, **{one.name: value})
                assert list(problems(changed)), (kind, one.name)


def replaced(config: Any, name: str, value: Any) -> Any:
    """A configuration with another value of an option, by its dotted name."""
    first, _, rest = name.partition(".")
    inner = replaced(getattr(config, first), rest, value) if rest else value
    return dataclasses.replace(config, **{first: inner})


def test_odd_values_pass_all_rules_or_are_told(rng: np.random.Generator) -> None:
    """Of every option a few odd values, checked with all rules between options."""
    for name, _, _ in leaves(RICH):
        for index in rng.choice(len(ODD_VALUES), 1, replace=False):
            for problem in check(replaced(RICH, name, ODD_VALUES[index])):
                assert isinstance(problem, ConfigError)


def test_odd_values_in_saved_data_are_told() -> None:
    plain = json.loads(json.dumps(to_plain(RICH)))

    def walk(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        yield path
        items = (
            data.items()
            if isinstance(data, dict)
            else enumerate(data)
            if isinstance(data, list)
            else ()
        )
        for key, item in items:
            yield from walk(item, (*path, key))

    odd = [None, {}, [], 3, "x", {"name": 3}, [[[]]], 1e308, -1, {"architecture": []}]
    for number, path in enumerate(itertools.islice(walk(plain), 0, None, 3)):
        changed = json.loads(json.dumps(plain))
        place = {"": changed}
        whole = ("", *path)
        inner: Any = place
        for key in whole[:-1]:
            inner = inner[key]
        inner[whole[-1]] = odd[number % len(odd)]
        with contextlib.suppress(JaxsegError):
            from_plain(place[""])


def test_deep_and_large_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"train": ' + "[" * 200_000 + "]" * 200_000 + "}")
    with pytest.raises(ConfigError, match="nested"):
        load(path)
    path.write_text('{"seed": ' + "1" * 5000 + "}")
    with pytest.raises(ConfigError, match="JSON"):
        load(path)
    path.write_text('{"name": "' + "x" * (17 * 2**20) + '"}')
    with pytest.raises(ConfigError, match="too large"):
        load(path)
    path.write_text('{"train": {"lr": NaN}}')
    with pytest.raises(ConfigError, match=r"train\.lr(.|\n)*above 0"):
        load(path)


PLANES = np.zeros((8, 8, 1), np.float32)
RAYS = np.zeros((8, 8, 33), np.float32)


def test_calls_refuse_by_the_same_rule() -> None:
    rays = (ch("F"), ch("R"))
    with pytest.raises(ConfigError, match="nms_threshold"):
        js.decode(RAYS, rays, options=StarDist(nms_threshold=7))
    with pytest.raises(ConfigError, match="nms_threshold"):
        js.stardist(RAYS, rays, options=StarDist(nms_threshold=7))
    with pytest.raises(ConfigError, match="expected StarDist"):
        js.decode(RAYS, rays, options=Watershed())
    with pytest.raises(ConfigError, match="min_size"):
        js.watershed(PLANES, (ch("F"),), options=Watershed(min_size=float("nan")))  # type: ignore
    with pytest.raises(ConfigError, match="kernel"):
        build(UNet(kernel=4), 1, ndim=2)
    with pytest.raises(ConfigError, match="border_sigma"):
        js.loss_of((ch("F"),), ndim=2, options=Loss(border_sigma=-1.0))
    with pytest.raises(ConfigError, match="weight"):
        ch("F", weight=float("inf"))
    with pytest.raises(ConfigError, match="dilation"):
        ch("F", dilation="x")


@pytest.mark.parametrize("decoder", KINDS)
def test_every_decoder_refuses_options_of_another(decoder: str) -> None:
    with pytest.raises(ConfigError):
        checked(Predict(), KINDS[decoder])


def test_a_section_of_a_user_is_one_like_any_other() -> None:
    @section
    class Mine:
        size: int = option(3, ODD)
        sides: tuple[float, ...] = option((), lengths(0, 2), at_least(0))

    assert not list(problems(Mine()))
    assert [one.where for one in problems(Mine(size=4, sides=(1.0,)), "mine")] == [
        "mine.size",
        "mine.sides",
    ]


def test_names_of_files_are_not_too_long() -> None:
    config = dataclasses.replace(Config(channels=(ch("F"),)), name="a" * 200, run="b" * 60)
    assert "name, run" in {problem.where for problem in check(config)}


def test_the_channel_table_and_the_options_name_the_same_classes() -> None:
    assert {name: row.options for name, row in CHANNELS.items()} == dict(OPTIONS)


def test_other_calls_refuse_by_the_same_rule() -> None:
    image, labels = np.zeros((1, 4, 4)), np.zeros((4, 4), np.int32)
    for call, where in (
        (lambda: refine(labels, [Refine("dilation", (-1.0,))]), "Refine.0.value"),
        (lambda: median_filters(image[0][..., None], [Median("xy", 4)]), "Median.0.size"),
        (lambda: optimizer(Train(lr=-1.0), 1), "train.lr"),
        (lambda: optimizer(Train(lr=float("nan")), 1), "train.lr"),
        (
            lambda: js.random_augment(
                jax.random.key(0), image[0][..., None], labels, settings=Augment(show=-1)
            ),
            "Augment.show",
        ),
    ):
        with pytest.raises(ConfigError, match=where):
            call()


def test_what_reads_options_is_a_phase_and_every_phase_reads_some() -> None:
    named = {name for _, _, read_by in leaves(RICH) for name in read_by or ()}
    assert named == {name for readers in READERS.values() for name in readers}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_nothing_but_own_rows_is_stored_with_its_class(number: int) -> None:
    channels = (ch("F"), ch("C"), ch("Db"))[:number]
    refined = (Refine("dilation", (1.0,)), Refine("fill_holes"), Refine("clear_border"))[:number]
    config = Config(channels=channels, postprocess=PostProcess(refine=refined))
    assert '"class"' not in json.dumps(to_plain(config))
    assert '"class"' not in json.dumps(values(config, "train", "process"))
