"""A prediction that several jobs share, wherever they are cut, is that of one job, to the bit."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.block_stages import WIDE, contents, predict, sample

from jaxseg.cli import app
from jaxseg.errors import ConfigError

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("no_sync")]

SIZE = sample().image.spatial_shape[0]


@functools.cache
def whole() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        assert predict(Path(folder))
        return contents(Path(folder) / "final")


def part(folder: Path, start: int, end: int) -> bool:
    """The job of a range along the first axis; whether it completed the prediction."""
    blocks = dataclasses.replace(WIDE.blocks, z_start=start, z_end=end)
    return predict(folder, dataclasses.replace(WIDE, blocks=blocks))


def check(cuts: Sequence[int], order: Sequence[int] = (), *, at_once: bool = False) -> None:
    edges = [-1, *sorted(set(cuts)), -1]
    ranges = list(itertools.pairwise(edges))
    jobs = [ranges[place % len(ranges)] for place in order] + ranges
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ThreadPoolExecutor(len(jobs) if at_once else 1) as pool:
            ended = list(pool.map(lambda job: part(folder, *job), jobs))
        assert any(ended)
        assert contents(folder / "final") == whole()
        assert app.main(["verify", name]) == 0


@pytest.mark.parametrize(
    "cut", [1, 6, 7, 23, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, SIZE + 9))]
)
def test_two_jobs_cut_anywhere(cut: int, capsys) -> None:
    check([cut])


@pytest.mark.slow
@settings(max_examples=100)
@given(
    st.lists(st.integers(1, SIZE), min_size=1, max_size=4),
    st.lists(st.integers(0, 9), max_size=3),
    st.booleans(),
)
def test_any_jobs_in_any_order(cuts: list[int], order: list[int], at_once: bool) -> None:
    """Two to five of them, some more than once, one after another or all at once."""
    check(cuts, order, at_once=at_once)


def test_jobs_at_once(capsys) -> None:
    check([5, 12, 19], at_once=True)


def test_a_job_of_another_network_is_refused(tmp_path: Path) -> None:
    assert not part(tmp_path, -1, 9)
    other = dataclasses.replace(WIDE, blocks=dataclasses.replace(WIDE.blocks, halo=(3, 3)))
    with pytest.raises(ConfigError, match=r"grid\.halo"):
        predict(tmp_path, other)
