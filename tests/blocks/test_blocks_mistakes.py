"""Everything about blocks, their phases and their jobs that is refused before any compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxseg.config import Blocks, Config, ch
from jaxseg.config.load import load, to_plain
from jaxseg.errors import JaxsegError
from jaxseg.io import write_json
from jaxseg.main import main

BLOCKS = ["--blocks.size", "8", "16", "16", "--blocks.halo", "12", "12", "12"]
CONFIG = Config(
    ndim=3, channels=(ch("F"), ch("C")), patch=(16, 16, 16), phases=("predict", "decode")
)


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    """The command line for images that are not there."""
    write_json(tmp_path / "config.json", to_plain(CONFIG))
    paths = ["--out", str(tmp_path / "out"), "--data.test.raw", str(tmp_path / "images")]
    return ["--config", str(tmp_path / "config.json"), *paths]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--blocks.shard", "3/3"], "i/n with i from 0"),
        (["--blocks.z_start", "5", "--blocks.z_end", "5"], "an empty range"),
        (["--blocks.z_start", "-2"], "at least 0, or -1"),
        (["--blocks.z_end", "0"], "at least 1, or -1"),
        (["--blocks.merge_threshold", "1"], "at least 0 and below 1"),
        (["--blocks.shard", "0/2", "--phases", "train", "predict"], "only a part of the work"),
        (["--blocks.shard", "0/2", "--phases", "decode"], "only a part of the work"),
        (["--blocks.size", "8", "8"], "3 values"),
        (["--blocks.band", "0"], "at least 1"),
        (["--blocks.scheduler", "local:0"], "tcp://HOST:PORT or local:N"),
        (["--phases", "decode", "instance_merging"], "decode is instance_creation"),
        (["--phases"], "nothing to do"),
        (["--blocks.size", "--phases", "instance_merging"], "needs blocks"),
        (["--blocks.size", "--blocks.z_end", "9"], "z_end needs blocks.size"),
        (["--blocks.size", "--blocks.decode", "whole"], "blocks.decode whole needs blocks.size"),
        (["--blocks.decode", "whole", "--phases", "instance_merging"], "works by blocks"),
        (
            ["--blocks.decode", "whole", "--blocks.shard", "0/2", "--phases", "decode"],
            "only a part of the work",
        ),
        (["--blocks.decode", "whole", "--blocks.scheduler", "local:2"], "hands out blocks"),
        (["--blocks.halo", "3"], "3 values"),
        (["--blocks.wait", "-1"], "at least 0"),
        (["--blocks.workers", "0"], "at least 1"),
        (["--blocks.no-measure", "--postprocess.repair.size", "9"], "need their measurements"),
        (
            ["--predict.reuse", "--phases", "train", "predict"],
            "stored planes cannot come from a network that is trained now",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(project, capsys, options, message) -> None:
    assert main([*project, *BLOCKS, *options]) == 2
    assert message in capsys.readouterr().err


def test_all_mistakes_are_told_at_once(project, tmp_path: Path, capsys) -> None:
    wrong = ["--blocks.z_start", "9", "--blocks.z_end", "3", "--blocks.shard", "2", "--task"]
    wrong += ["semantic", "--blocks.decode", "whole", "--blocks.merge_threshold", "nan"]
    assert main([*project, *BLOCKS, *wrong, "--phases", "instance_creation"]) == 2
    err = capsys.readouterr().err
    for message in (
        "an empty range",
        "i/n with i from 0",
        "the task semantic has no such phase",
        "works by blocks",
        "at least 0 and below 1",
    ):
        assert message in err
    assert not (tmp_path / "out").exists()


def test_names_that_do_not_exist_are_refused_with_the_nearest(tmp_path: Path) -> None:
    wrong = Config(phases=("predict", "instance_margin"), blocks=Blocks(decode="hole"))  # type: ignore[arg-type]
    write_json(tmp_path / "config.json", to_plain(wrong))
    with pytest.raises(JaxsegError) as caught:
        load(tmp_path / "config.json")
    assert caught.value.exit_code == 2
    assert "did you mean 'instance_merging'?; found 'instance_margin'" in str(caught.value)
    assert "did you mean 'whole'?; found 'hole'" in str(caught.value)
