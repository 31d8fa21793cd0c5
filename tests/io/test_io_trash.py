"""Two results that are moved away within a second do not meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxseg.io.trash import dated


def test_a_name_is_never_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "20261128-111700")
    for end in ("", "-2", "-3"):
        place = dated(tmp_path, "run.")
        assert place == tmp_path / f"run.20261128-111700{end}"
        place.mkdir()
