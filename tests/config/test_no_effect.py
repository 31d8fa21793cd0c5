"""Options that would be accepted and do nothing are refused."""

from __future__ import annotations

from typing import Any

import pytest

from jaxseg.config import Blocks, Config, Data, Source, ch
from jaxseg.config.schema import SemanticOutput
from jaxseg.tasks.checking import check


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"blocks": Blocks(tiff=True)}, "blocks.tiff"),
        ({"blocks": Blocks(measure=False)}, "blocks.measure"),
        ({"blocks": Blocks(merge_threshold=0.2)}, "blocks.merge_threshold"),
        (
            {
                "task": "semantic",
                "channels": (ch("S", classes=3),),
                "semantic": SemanticOutput(threshold=0.7),
            },
            "semantic.threshold",
        ),
    ],
)
def test_no_effect(options: dict[str, Any], field: str) -> None:
    given = {"channels": (ch("F"),), "data": Data(test=Source(raw="x"))} | options
    found = check(Config(phases=("predict", "decode"), **given))
    assert [problem.where for problem in found] == [field]
    if "blocks" in options:
        given["blocks"] = Blocks(**{**vars(given["blocks"]), "size": (64, 64)})
        files = [problem.where for problem in check(Config(phases=("predict",), **given))]
        assert field not in files
