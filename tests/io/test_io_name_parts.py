"""Names of two folders fit by what varies within each, one to one or not at all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.io.name_parts import match_names, varying_parts


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("training-0001 training-0002", "training_groundtruth-0001 training_groundtruth-0002"),
        ("a_raw b_raw c_raw", "a_mask b_mask c_mask"),
        ("im1Raw im2Raw im10Raw", "im1Label im2Label im10Label"),
        ("x x_1", "y y_1"),
        ("t000 t001", "man_seg000 man_seg001"),
    ],
)
def test_names_that_fit(left: str, right: str) -> None:
    found = match_names(left.split(), right.split())
    assert found == tuple(range(len(left.split())))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a", "b"),  # nothing varies
        ("im10 im11", "im20 im21"),  # not within a number
        ("im1 im2", "im01 im02"),
        ("Ant Aal", "Bnt Bal"),  # not within a word
        ("x1 x2 x3", "x2 x3 x4"),
        ("a_1 a_2", "b_1 b_2 b_3"),
        ("a_1 a_2", "b_1"),
        ("a b", "c d"),
    ],
)
def test_names_that_do_not(left: str, right: str) -> None:
    assert match_names(left.split(), right.split()) is None
    assert match_names(right.split(), left.split()) is None


words = st.text("ab01_-X", min_size=1, max_size=6)


@given(st.lists(words, min_size=2, max_size=8, unique=True), words, words, st.randoms())
def test_common_beginnings_and_ends_never_matter(
    names: list[str], before: str, after: str, chance: random.Random
) -> None:
    left = [f"raw_{name}" for name in names]
    order = list(range(len(names)))
    chance.shuffle(order)
    right = [f"{before}_{names[place]}_{after}" for place in order]
    found = match_names(left, right)
    if found is not None:
        assert [right[place] for place in found] == [f"{before}_{name}_{after}" for name in names]


@given(st.lists(words, min_size=2, max_size=8))
def test_parts_are_within_the_names(names: list[str]) -> None:
    parts = varying_parts(names)
    assert all(part in name for part, name in zip(parts, names, strict=True))
    assert len(set(parts)) == len(set(names))
