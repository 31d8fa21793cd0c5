"""What is left to do of a run is told, also what never began, with the command that does it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from support import small_runs

from jaxseg.cli import app
from jaxseg.config.load import load
from jaxseg.main import main
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import run_of

BLOCKS = ("--blocks.size", "24", "24", "--blocks.halo", "8", "8")
PHASES = ("predict", "decode", "evaluate")


def predicted(folder: Path, *more: str) -> list[str]:
    """A run whose planes are there, as if a network had predicted them; its command line."""
    small_runs.write(folder / "data")
    words = [*small_runs.command(folder, ndim=2, patch=(16, 16)), *more]
    config = load(words[1])
    run = run_of(config)
    for name in ("im4", "im5"):
        labels = tifffile.imread(folder / f"data/test/labels/{name}.tif")
        planes = np.stack([labels > 0, labels < 0, np.sqrt(labels > 0)], -1).astype(np.float32)
        small_runs.write_planes(run.results, name, planes)
        runs.mark_done(run, "predict", name, {"digest": "drawn"})
    runs.open_run(config)
    runs.claim(run, "predict", config, {"weights": "drawn"})
    return words


def left(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """What both commands say that is left to do, and how it is done."""
    found = []
    for command in ("status", "verify"):
        code = app.main([command, str(folder / "out")])
        lines = capsys.readouterr().out.splitlines()
        kept = [line.partition(": ")[2] for line in lines if line.startswith(f"{folder}/out/")]
        kept = [line for line in kept if "blocks are whole" not in line and "compared" not in line]
        kept = [line for line in kept if not re.match(r"\d+ of \d+ blocks", line)]
        how = [line.partition(": ")[2] for line in lines if line.startswith("to do it: ")]
        assert code == (1 if how else 0), lines
        found.append((kept, *how))
    assert found[0] == found[1]
    kept, *how = found[0]
    return kept, *(how or [""])


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:.*reach the end of their block's halo")
@pytest.mark.parametrize("blocks", [(), BLOCKS])
def test_what_never_began_is_told(blocks, tmp_path: Path, capsys) -> None:
    words = predicted(tmp_path)
    again = [*words, *blocks]
    if blocks:
        assert main([*again, "--phases", "instance_creation"]) == 0
        # The configuration that was saved asks for no more than this.
        assert "all phases that were asked for are done" in left(tmp_path, capsys)[0]
        assert main([*again, "--phases", "instance_merging", "--blocks.shard", "0/2"]) == 75
    else:
        assert main([*again, "--phases", "decode"]) == 0
        (tmp_path / "out/discs/results/discs_1/manifests/decode/im5.json").unlink()
    # A run that was killed: it was asked to evaluate, too.
    run = run_of(load(words[1]))
    document = json.loads(run.config_file.read_text())
    asked = (
        ["instance_creation", "instance_merging", "evaluate"] if blocks else ["decode", "evaluate"]
    )
    run.config_file.write_text(json.dumps(document | {"phases": asked}))
    capsys.readouterr()
    lines, how = left(tmp_path, capsys)
    if blocks:
        assert any("of im4: to do are " in line for line in lines)
        assert "instance_merging of im5 was never begun" in lines
        assert lines[-1] == "evaluate was never begun"
        assert "--blocks.shard '' --blocks.z-start=-1" in how
    else:
        assert lines == ["decode of im5 is not done", "evaluate was never begun"]
    assert app.main(shlex.split(how)[1:]) == 0
    lines, how = left(tmp_path, capsys)
    assert (lines, how) == (["all phases that were asked for are done"], "")


@pytest.mark.full
def test_images_that_are_gone_are_known_by_what_was_made_of_them(tmp_path: Path, capsys) -> None:
    words = predicted(tmp_path)
    assert main([*words, "--phases", "decode"]) == 0
    shutil.rmtree(tmp_path / "data")
    assert left(tmp_path, capsys)[1] == ""
    (tmp_path / "out/discs/results/discs_1/manifests/decode/im4.json").unlink()
    assert left(tmp_path, capsys)[0] == ["decode of im4 is not done"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"name": 3}'])
def test_a_damaged_configuration_is_told(content: str, tmp_path: Path, capsys) -> None:
    words = predicted(tmp_path)
    run_of(load(words[1])).config_file.write_text(content)
    for command in ("status", "verify"):
        assert app.main([command, str(tmp_path / "out")]) == 5
        told = capsys.readouterr()
        assert "configuration cannot be read" in told.out + told.err
