"""The commands for SLURM, run by a stand-in for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.blockwise import canonical
from support.small_runs import command, write
from support.synthetic_objects import touching_balls

from jaxseg import io
from jaxseg.channels import encode
from jaxseg.cli import app
from jaxseg.config import Blocks, Config, Watershed, ch
from jaxseg.config.decoders import Convex, Tune
from jaxseg.decoding import watershed
from jaxseg.tasks import turns_of

pytestmark = pytest.mark.full

SHAPE = (20, 28, 30)
# Runs the jobs of an array one after another and says which number they got.
SBATCH = """#!/bin/sh
echo "$@" >> {log}
for word in "$@"; do
    case "$word" in
        --array=*-*) range=${{word#--array=}}; first=${{range%-*}}; last=${{range#*-}};;
        --array=*) first=${{word#--array=}}; last=$first;;
        --wrap=*) command=${{word#--wrap=}};;
    esac
done
SLURM_ARRAY_TASK_ID=${{first:-0}}
while [ "$SLURM_ARRAY_TASK_ID" -le "${{last:-0}}" ]; do
    export SLURM_ARRAY_TASK_ID
    {run}
    SLURM_ARRAY_TASK_ID=$((SLURM_ARRAY_TASK_ID + 1))
done
wc -l < {log}
"""


@pytest.fixture
def args(tmp_path: Path) -> list[str]:
    args = command(tmp_path, file="my config.py", data="data folder")
    blocks = ["--blocks.size", "8", "16", "16", "--blocks.halo", "12", "12", "12"]
    return [*args, *blocks]


def submitted(folder: Path, script: str, run: str) -> list[str]:
    """Run a script with a stand-in for sbatch; the arguments of its calls."""
    program = folder / "bin" / "sbatch"
    program.parent.mkdir()
    program.write_text(SBATCH.format(log=folder / "log", run=run))
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh"], input=script, env={**os.environ, "PATH": path}, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return (folder / "log").read_text().splitlines()


def test_every_phase_waits_for_the_one_before(args, tmp_path: Path, capsys) -> None:
    assert app.main(["slurm", *args, "--shards", "4", "--sbatch=--gres=gpu:1 --mem=8G"]) == 0
    script = capsys.readouterr().out
    calls = submitted(tmp_path, script, 'echo "$command" >> commands.log; rm commands.log')
    names = [
        *("train", "predict", "tune", "instance_creation", "instance_creation"),
        *("instance_merging", "instance_merging", "instance_merging", "evaluate"),
    ]
    ranges = ["", "0-3", "", "0", "1-3", "0-3", "0-3", "0-3", ""]
    for number, (call, name, numbers) in enumerate(zip(calls, names, ranges, strict=True)):
        assert call.startswith("--parsable --gres=gpu:1 --mem=8G --job-name=" + name)
        assert f"--phases {name}" in call
        assert (f"--array={numbers} " in call) == bool(numbers)
        assert ("--blocks.shard $SLURM_ARRAY_TASK_ID/4" in call) == bool(numbers)
        assert (f"--dependency=afterok:{number} " in call) == (number > 0)
    assert [call.endswith("|| test $? -eq 75") for call in calls].count(True) == 2


def test_what_tuning_may_choose_has_its_turns(args, capsys) -> None:
    """Shapes are judged once all jobs have joined their objects, and cut by one of them."""
    flat = Config(name="flat", channels=(ch("F"), ch("C")), ndim=2, patch=(32, 32),
                  blocks=Blocks(size=(16, 16)))  # fmt: skip
    for config, turns in (
        (flat, 5),
        (replace(flat, tune=Tune(use=False)), 3),
        (replace(flat, phases=("predict", "decode")), 3),
        (replace(flat, tune=Tune(use=False), watershed=Watershed(convex="join")), 5),
    ):
        assert turns_of(config)["instance_merging"] == turns
    assert turns_of(replace(flat, task="semantic", channels=(ch("S", classes=3),)))
    assert app.main(["slurm", *args, "--shards", "4", "--watershed.convex", "join"]) == 0
    assert capsys.readouterr().out.count("--job-name=instance_merging") == 5


@pytest.mark.slow
@pytest.mark.parametrize("convex", ["none", "both"])
def test_the_jobs_make_the_instances(convex: Convex, args, tmp_path: Path, capsys) -> None:
    write(tmp_path / "data folder", SHAPE)
    (tmp_path / "data folder/test/raw/im5.tif").unlink()
    (tmp_path / "data folder/test/labels/im5.tif").unlink()
    channels = (ch("F"), ch("C"), ch("Db"))
    truth = touching_balls(np.random.default_rng(0), SHAPE, count=9, radii=(3, 5))
    planes, results = np.asarray(encode(truth, channels)), tmp_path / "out/discs/results/discs_1"
    with io.create_planes(
        results / "per_image/im4.zarr", shape=planes.shape, chunks=(8, 8, 8, 3), spacing=(1, 1, 1)
    ) as store:
        store[...] = planes
    phases = ["--phases", "instance_creation", "instance_merging"]
    shards = ["--shards", "2", "--python", sys.executable, "--watershed.convex", convex]
    assert app.main(["slurm", *args, *phases, *shards]) == 0
    submitted(tmp_path, capsys.readouterr().out, 'sh -c "$command" >> /dev/stderr || exit 1')
    found = io.open_labels(results / "per_image_instances/im4.zarr", ndim=3).array()
    assert np.array_equal(
        found, canonical(watershed(planes, channels, options=Watershed(convex=convex)))
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shards", "0"], "at least 1"),
        (["--shards", "2", "--blocks.size"], "--blocks.size Z Y X"),
        (["--shards", "2", "--blocks.z_end", "8"], "z_start or z_end"),
    ],
)
def test_what_cannot_be_shared_is_refused(args, options, message, capsys) -> None:
    assert app.main(["slurm", *args, *options]) == 2
    assert message in capsys.readouterr().err
