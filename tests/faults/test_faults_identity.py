"""What decides a result is compared before a run goes on: weights, images, labels, options."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
import tifffile
from support import small_runs

from jaxseg import checkpoint, io
from jaxseg.cli import app
from jaxseg.main import main
from jaxseg.runs.lock import locked, paths_of

OPTIONS = {"ndim": 2, "channels": "(ch('F'),)", "patch": (16, 16)}


def make_step(*given, **options):
    """Training without compiling anything: the weights shrink by a thousandth in every step."""

    def step(state, batch):
        params = jax.tree.map(lambda leaf: leaf * 0.999, state.params)
        logs = {"loss": 1.0, "norm": 1.0, "parts": {"F": (1.0, 1.0)}, "metrics": {}}
        logs |= {"ok": np.bool_(True), "finite": np.ones(len(batch["image"]), bool)}
        return state._replace(params=params, step=state.step + 1), logs

    return step


def make_eval(*given, **options):
    """The less the weights are, the better."""

    def evaluate(variables, batch):
        size = sum(float(abs(leaf).sum()) for leaf in jax.tree.leaves(variables["params"]))
        return {"parts": {"F": (size, 1.0)}, "metrics": {}}

    return evaluate


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxseg.train.loop.make_step", make_step)
        patch.setattr("jaxseg.train.loop.make_eval", make_eval)
        patch.setattr("jaxseg.train.logs.draw", lambda folder, rows: None)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """A folder with images and a run that is trained, predicted, decoded and evaluated."""
    folder = tmp_path_factory.mktemp("trained")
    small_runs.write(folder / "data")
    assert main(small_runs.command(folder, **OPTIONS)) == 0
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def start(folder: Path, *more: str) -> int:
    return main([*small_runs.command(folder, **OPTIONS), *more])


def checkpoints(folder: Path) -> Path:
    return folder / "out/discs/checkpoints/discs_1"


def planes(folder: Path) -> np.ndarray:
    return io.open_image(folder / "out/discs/results/discs_1/per_image/im4.zarr", ndim=2).array()


def replace(path: Path) -> None:
    """Other voxels, with the same size and time of the file."""
    before, content = path.stat(), bytearray(path.read_bytes())
    array = tifffile.imread(path)
    at = bytes(content).index(array.tobytes()[:64]) if array.dtype.isnative else len(content) // 2
    content[at : at + 2] = bytes([content[at] ^ 1, content[at + 1]])
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_the_same_command_again_changes_nothing(copy: Path) -> None:
    before = planes(copy)
    shutil.move(copy / "data", copy / "elsewhere")
    shutil.copytree(copy / "elsewhere", copy / "data")  # other times, the same content
    assert start(copy) == 0
    assert np.array_equal(before, planes(copy))


def test_planes_of_an_earlier_state_of_the_network_are_not_taken_for_new(copy, capsys) -> None:
    before = planes(copy)
    longer = ("--train.epochs", "3", "--train.lr", "0.01")
    assert start(copy, "--phases", "train", *longer) == 2
    assert "train.epochs" in capsys.readouterr().err
    assert start(copy, "--phases", "train", *longer, "--train.extend") == 0
    found = checkpoint.newest(checkpoints(copy) / "last")
    assert found is not None
    assert found.meta["record"]["extended"] == [{"after": 2, "from": 2, "to": 3}]
    assert len(found.meta["record"]["history"]) == 3
    # The same network predicts the same; this one is another.
    best = checkpoint.trained(checkpoints(copy))
    assert best.meta["epoch"] == 3, "the third epoch has to be the best for this test"
    assert start(copy, "--phases", "predict", *longer) == 2
    assert "the trained network" in capsys.readouterr().err
    assert start(copy, "--phases", "predict", *longer, "--overwrite") == 0
    assert not np.array_equal(before, planes(copy))
    # What was made of the old planes went with them.
    assert start(copy, "--phases", "evaluate", *longer) == 2
    assert "not decoded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "phases", "told"),
    [
        ("train/raw/im2.tif", ("train",), "train image im2"),
        ("train/labels/im1.tif", ("train", "evaluate"), "train labels im1"),
        ("test/raw/im4.tif", ("predict",), "another version of its input"),
        ("test/raw/im5.tif", ("decode", "evaluate"), "replaced after it was predicted"),
        ("test/labels/im5.tif", ("evaluate",), "labels im5"),
    ],
)
def test_images_that_were_replaced_are_named(copy, file, phases, told, capsys) -> None:
    replace(copy / "data" / file)
    assert start(copy, "--phases", *phases) == 2
    text = capsys.readouterr().err
    assert told in text
    assert len(text.splitlines()) <= 3


def test_a_phase_alone_works_or_says_at_once_what_it_needs(copy: Path, capsys) -> None:
    assert start(copy, "--phases", "tune") == 0
    shutil.rmtree(copy / "out/discs/results/discs_1/per_image_instances")
    capsys.readouterr()
    assert start(copy, "--phases", "predict", "evaluate") == 2
    told = capsys.readouterr()
    assert told.err.count("this image was not decoded") == 2
    assert not told.out


def test_checkpoints_of_other_options_without_a_manifest(copy: Path, capsys) -> None:
    shutil.rmtree(copy / "out/discs/results/discs_1/manifests")
    assert start(copy, "--phases", "train", "--train.lr", "0.5") == 2
    assert "train.lr" in capsys.readouterr().err
    assert start(copy, "--phases", "train", "--train.lr", "0.5", "--overwrite") == 0
    assert list(copy.glob("out/discs/_trash/*/checkpoints/discs_1/best"))


def test_never_a_silent_start_over(copy: Path, capsys) -> None:
    shutil.move(checkpoints(copy) / "last", copy / "kept")
    assert start(copy, "--phases", "train") == 5
    assert "the state to continue from is gone" in capsys.readouterr().err
    shutil.copytree(copy / "kept", checkpoints(copy) / "last")
    for path in (checkpoints(copy) / "last").glob("*/hashes.json"):
        path.write_text("{}")
    assert start(copy, "--phases", "train") == 5
    assert "every state of the training is damaged" in capsys.readouterr().err
    assert start(copy, "--phases", "train", "--overwrite") == 0
    assert list(copy.glob("out/discs/_trash/*/checkpoints/discs_1/last"))


@pytest.mark.parametrize(
    ("phase", "content"),
    [("train", b""), ("train", b'{"values": 3}'), ("predict", b"[]"), ("decode", b"{")],
)
def test_damaged_manifests_are_messages(copy: Path, phase: str, content: bytes, capsys) -> None:
    (copy / f"out/discs/results/discs_1/manifests/{phase}.json").write_bytes(content)
    assert start(copy, "--phases", phase) == 5
    text = capsys.readouterr().err
    assert "manifest" in text
    assert "--overwrite" in text


def test_a_damaged_marker_or_result_is_made_again(copy: Path, capsys) -> None:
    before, results = planes(copy), copy / "out/discs/results/discs_1"
    (results / "manifests/predict/im4.json").write_text("{")
    chunk = next(path for path in (results / "per_image/im4.zarr/0/c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"xyz")
    assert start(copy, "--phases", "predict") == 0
    assert np.array_equal(before, planes(copy))


def test_a_training_that_begins_with_another(copy: Path, capsys) -> None:
    again = ("--phases", "train", "--run", "2", "--train.start-from", str(checkpoints(copy)))
    frozen = ("--train.freeze", "nothing_like_this")
    assert start(copy, *again, *frozen) == 2
    assert "no part of the network is called" in capsys.readouterr().err
    first = checkpoint.trained(checkpoints(copy))
    part = next(name for name in first.arrays if name.startswith("params/")).split("/")[1]
    assert start(copy, *again, "--train.freeze", part) == 0
    assert "arrays fit" in capsys.readouterr().out
    second = checkpoint.trained(copy / "out/discs/checkpoints/discs_2")
    # Four steps of the stand-in above, which knows nothing of frozen parts.
    assert all(
        np.allclose(second.arrays[name], array * 0.999**4, rtol=1e-5)
        for name, array in first.arrays.items()
        if name.startswith("params/")
    )
    assert second.meta["start"]["weights"] == first.identity


def test_damaged_planes_are_predicted_again(copy: Path, capsys) -> None:
    before, results = planes(copy), copy / "out/discs/results/discs_1"
    chunk = next(path for path in (results / "per_image/im4.zarr/0/c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"xyz")
    (results / "manifests/decode/im4.json").unlink()
    assert start(copy, "--phases", "decode") == 5
    assert "it counts as not done from now on" in capsys.readouterr().err
    assert start(copy, "--phases", "predict", "decode") == 0
    assert np.array_equal(before, planes(copy))


def test_images_whose_histogram_is_matched_are_compared(copy: Path, capsys) -> None:
    reference = shutil.copy(copy / "data/train/raw/im1.tif", copy / "reference.tif")
    again = ("--run", "2", "--preprocess.match-histogram", str(reference))
    assert start(copy, *again, "--phases", "train", "predict") == 0
    assert start(copy, *again, "--phases", "train", "predict") == 0
    replace(Path(reference))
    for phase in ("train", "predict"):
        capsys.readouterr()
        assert start(copy, *again, "--phases", phase) == 2
        assert "reference image reference.tif" in capsys.readouterr().err


def test_the_source_of_a_function_of_ones_own_is_compared(copy: Path, capsys) -> None:
    own = """
import dataclasses
def close(values, target):
    return (values - target) ** {power}
config = dataclasses.replace(config, run="2", channels=(ch("F", loss=close),))
"""
    small_runs.command(copy, **OPTIONS)
    before = (copy / "config.py").read_text()

    def begin(power: int) -> int:
        (copy / "own.py").write_text(before + own.format(power=power))
        return main(["--config", str(copy / "own.py"), "--phases", "train"])

    assert begin(2) == 0
    assert begin(2) == 0
    assert begin(4) == 2
    assert "channels (source)" in capsys.readouterr().err


def test_the_second_writer_of_a_run_is_refused(copy: Path, capsys) -> None:
    results = copy / "out/discs/results/discs_1"
    with locked(paths_of(results, ("train",), shared=False)):
        assert start(copy, "--phases", "train") == 2
        assert f"process {os.getpid()} on" in capsys.readouterr().err
        # What a training does not write may be read and written meanwhile.
        assert start(copy, "--phases", "evaluate") == 0
    assert start(copy, "--phases", "train") == 0


def test_verify_names_what_changed_and_lets_it_be_done_again(copy: Path, capsys) -> None:
    results = copy / "out/discs/results/discs_1"
    assert app.main(["verify", str(copy / "out")]) == 0
    assert "all phases that were asked for are done" in capsys.readouterr().out
    objects = results / "per_image_instances/im4.tif"
    good = objects.read_bytes()
    objects.write_bytes(good[:-4] + b"abcd")
    manifest = (results / "manifests/predict.json").read_bytes()
    (results / "manifests/predict.json").write_text("{}")
    state = next((checkpoints(copy) / "last").iterdir())
    (state / "meta.json").write_text("{}")
    assert app.main(["verify", str(copy / "out")]) == 5
    text = capsys.readouterr().out
    for sentence in ("decode of im4: per_image_instances/im4.tif changed", "predict.json: this"):
        assert sentence in text
    assert f"{state}: meta.json differs" in text
    assert "all phases that were asked for are done" not in text
    assert "jaxseg run --config" in text
    assert app.main(["verify", "--redo", str(copy / "out")]) == 5
    (results / "manifests/predict.json").write_bytes(manifest)
    assert start(copy, "--phases", "decode") == 0
    assert objects.read_bytes() == good
