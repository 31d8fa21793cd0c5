"""Errors for people: short, all at once, and of very many the first ones."""

from __future__ import annotations

import pytest

from jaxseg.errors import ConfigError, InputError, Problems, raise_all


def test_of_very_many_problems_the_first_are_told() -> None:
    found = [InputError("damaged", where=f"{number}.tif") for number in range(100)]
    with pytest.raises(Problems) as caught:
        raise_all(found)
    lines = str(caught.value).splitlines()
    assert lines[0] == "0.tif: damaged"
    assert lines[Problems.most :] == ["and 60 more problems"]
    assert (len(caught.value.problems), caught.value.exit_code) == (100, 5)


def test_a_few_problems_are_all_told() -> None:
    with pytest.raises(Problems, match=r"a: one\nb: two$"):
        raise_all([ConfigError("one", where="a"), ConfigError("two", where="b")])
    with pytest.raises(ConfigError, match=r"^a: one$"):
        raise_all([ConfigError("one", where="a")])
    raise_all([])
