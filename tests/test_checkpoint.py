from __future__ import annotations

import errno
import json
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxseg import checkpoint
from jaxseg.errors import InputError, ResourceError

META = {"epoch": 3, "best": 0.1, "names": ["a", "ü"]}


class State(NamedTuple):
    params: dict
    key: jax.Array
    step: np.ndarray


def state_of(step: int) -> State:
    weights = np.random.default_rng(step).normal(size=(3, 4)).astype(np.float32)
    params = {"conv": {"kernel": weights, "bias": np.zeros(4, np.float32)}}
    return State(params, jax.random.key(step), np.int32(step))


def same(first, second) -> bool:
    pairs = zip(*(checkpoint.flatten(tree).values() for tree in (first, second)), strict=True)
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in pairs)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder with the checkpoints of steps 1 and 2."""
    root = tmp_path_factory.mktemp("written")
    for step in (1, 2):
        checkpoint.save(root, step, state_of(step), META)
    return root


@pytest.fixture
def saved(written, tmp_path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "saved"))


def test_round_trip(saved):
    state, meta = checkpoint.restore(saved, state_of(0))
    assert same(state, state_of(2))
    assert jax.random.bits(state.key) == jax.random.bits(state_of(2).key)
    assert meta == META
    assert checkpoint.latest_valid(saved).name == "0000000002"


names = st.text("abc_0", min_size=1, max_size=3)
leaves = hnp.arrays(
    st.sampled_from([np.float32, np.int32, np.uint32, np.bool_, np.float16]),
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
)


@settings(max_examples=8)
@given(st.dictionaries(names, st.dictionaries(names, leaves, min_size=1), min_size=1))
def test_any_variables_come_back(variables):
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder) / checkpoint.BEST, 0, variables, META)
        loaded, meta = checkpoint.load_best(folder)
    assert meta == META
    assert {k: set(v) for k, v in loaded.items()} == {k: set(v) for k, v in variables.items()}
    assert all(
        array.tobytes() == np.asarray(loaded[outer][inner]).tobytes()
        for outer, part in variables.items()
        for inner, array in part.items()
    )


def test_two_newest_stay(saved):
    for step in (3, 4):
        checkpoint.save(saved, step, state_of(step), META)
    assert {path.name for path in saved.iterdir()} == {"0000000003", "0000000004"}


def test_same_step_is_replaced(saved):
    checkpoint.save(saved, 2, state_of(5), META)
    assert same(checkpoint.restore(saved, state_of(0))[0], state_of(5))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "flip": flip,
    "truncate": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "zero": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "delete": Path.unlink,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_the_older_state_used(written, tmp_path, kind):
    files = [path for path in (written / "0000000002").rglob("*") if path.is_file()]
    for number, file in enumerate(files):
        copy = Path(shutil.copytree(written, tmp_path / str(number)))
        DAMAGE[kind](copy / file.relative_to(written))
        with pytest.warns(UserWarning, match="0000000002: damaged checkpoint") as caught:
            state, meta = checkpoint.restore(copy, state_of(0))
        assert len(caught) == len(str(caught[0].message).splitlines()) == 1
        assert same(state, state_of(1))
        assert meta == META


def test_weights_never_change_unseen(saved):
    # Orbax reads most of these without complaint.
    files = (path for path in (saved / "0000000002").rglob("*") if path.is_file())
    data = max(files, key=lambda path: path.stat().st_size)
    original = data.read_bytes()
    for position in range(0, len(original), max(1, len(original) // 40)):
        changed = bytearray(original)
        changed[position] ^= 0x10
        data.write_bytes(changed)
        try:
            found = checkpoint.read(saved / "0000000002")
        except checkpoint.Damaged:
            continue
        assert same(found.arrays, checkpoint.flatten(state_of(2)))


def test_what_is_not_a_checkpoint_is_ignored(saved):
    (saved / "0000000099").mkdir()
    (saved / "7").mkdir()
    (saved / "0000000100.partial").mkdir()
    (saved / "0000000101").write_text("a file")
    assert checkpoint.latest_valid(saved).name == "0000000002"
    checkpoint.save(saved, 3, state_of(3), META)
    assert not list(saved.glob("*.partial"))


def test_nothing_there(tmp_path):
    assert checkpoint.restore(tmp_path / "none", state_of(0)) is None
    assert checkpoint.latest_valid(tmp_path) is None
    with pytest.raises(InputError, match="no trained network here"):
        checkpoint.load_best(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state._replace(step=np.int64(0)),
        lambda state: state._replace(params={**state.params, "more": np.zeros(1)}),
        lambda state: state._replace(params={"conv": {"kernel": np.zeros((3, 4), np.float32)}}),
    ],
    ids=["type", "more", "fewer"],
)
def test_another_network_is_refused(saved, change):
    with pytest.raises(InputError, match="not a checkpoint of this network"):
        checkpoint.restore(saved, change(state_of(0)))


def test_full_disk_keeps_the_older_state(saved, monkeypatch):
    def fail(*_):
        raise ValueError(f"RESOURCE_EXHAUSTED: Failed to write [os_error_code='{errno.ENOSPC}']")

    monkeypatch.setattr(ocp.StandardCheckpointer, "save", fail)
    with pytest.raises(ResourceError, match="disk is full"):
        checkpoint.save(saved, 3, state_of(3), META)
    assert sorted(path.name for path in saved.iterdir()) == ["0000000001", "0000000002"]
    assert same(checkpoint.restore(saved, state_of(0))[0], state_of(2))


def test_meta_without_nan(saved):
    with pytest.raises(ValueError, match="Out of range"):
        checkpoint.save(saved, 3, state_of(3), {"best": float("nan")})
    hashes = json.loads((saved / "0000000002" / "hashes.json").read_text())
    assert set(hashes["arrays"]) == {"params/conv/kernel", "params/conv/bias", "key", "step"}
