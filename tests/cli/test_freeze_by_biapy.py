"""Parts of a network that stay as they are, by BiaPy's names of their parameters."""

from __future__ import annotations

import dataclasses
import re

import pytest

from jaxseg.cli.foreign_weights import with_own_names
from jaxseg.cli.import_weights import shapes_of
from jaxseg.config import AttentionUNet, Config, Train, UNet, ch
from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.names import peer_place

WIDE = {"features": (4, 6, 8)}


def frozen(*patterns: str, model: object = None) -> tuple[str, ...]:
    config = Config(
        channels=(ch("F"),),
        model=model or UNet(**WIDE),  # type: ignore[arg-type]
        train=Train(freeze=patterns),
    )
    return with_own_names(config).train.freeze


def test_exactly_the_parameters_that_biapy_would_find() -> None:
    model = UNet(**WIDE)
    config = Config(channels=(ch("F"),), model=model)
    ours = [name.partition("/")[2] for name in shapes_of(config, 1) if name.startswith("params/")]
    for pattern in (r"^down_path\.0\.", r"bottleneck", r"weight$", r"\.1\.block\.1\."):
        wanted = {name for name in ours if re.search(pattern, peer_place(name, model).name)}
        assert set(frozen(f"biapy:{pattern}")) == wanted
        assert 0 < len(wanted) < len(ours)
    both = frozen("head_*", r"biapy:^down_path\.0", r"biapy:^down_path")
    assert both[0] == "head_*"
    assert len(set(both)) == len(both)


def test_parameters_that_biapy_does_not_have_stay_free() -> None:
    found = frozen("biapy:.", model=AttentionUNet(**WIDE, norm="in"))
    assert found
    assert not any("skip_norm" in name for name in found)


def test_an_expression_that_fits_nothing() -> None:
    with pytest.raises(ConfigError, match="no parameter of BiaPy's network fits 'encoder'"):
        frozen("biapy:encoder")


def test_other_patterns_are_as_they_were() -> None:
    config = Config(channels=(ch("F"),), train=Train(freeze=("down_0",)))
    assert with_own_names(config) is config
    assert dataclasses.replace(config).train.freeze == ("down_0",)
