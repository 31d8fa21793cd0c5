"""Choosing a network and its options: files, saved JSON, command lines, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from jaxseg.cli.options import parse
from jaxseg.config import (
    ARCHITECTURES,
    UNETR,
    AttentionUNet,
    Config,
    HRNet,
    MultiResUNet,
    ResUNet,
    ResUNetPlusPlus,
    SEUNet,
    STUNet,
    UNet,
    UNeXtV1,
    ch,
)
from jaxseg.config.architectures import steps, strides
from jaxseg.config.load import from_plain, load, to_plain
from jaxseg.errors import ConfigError
from jaxseg.tasks.checking import check

SOUND = Config(channels=(ch("F"),), phases=("decode",))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_defaults_are_sound_and_survive_json(name: str) -> None:
    config = dataclasses.replace(SOUND, model=ARCHITECTURES[name]())
    assert check(config) == []
    assert check(dataclasses.replace(config, ndim=3, patch=(64, 64, 64))) == []
    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config


def test_a_saved_configuration_without_a_name_is_a_unet() -> None:
    data = to_plain(SOUND)
    del data["model"]["architecture"]
    assert from_plain(data) == SOUND


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_command_line_chooses_the_network(name: str) -> None:
    config = parse(["--model", name, "--seed", "3"], SOUND)
    assert config == dataclasses.replace(SOUND, model=ARCHITECTURES[name](), seed=3)
    assert parse([f"--model={name}"], config) == config


def test_what_the_file_sets_stays_with_another_network() -> None:
    base = dataclasses.replace(SOUND, model=UNet(features=(4, 8), kernel=5, larger_io=True))
    config = parse(["--model", "resunet", "--model.kernel", "7"], base)
    assert config.model == ResUNet(features=(4, 8), kernel=7, larger_io=True)
    assert parse(["--model", "hrnet"], base).model == HRNet()


def test_options_of_the_network_of_the_file() -> None:
    base = dataclasses.replace(SOUND, model=SEUNet())
    assert parse(["--model.reduction", "4"], base).model == SEUNet(reduction=4)


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="resunet, resunet"):
        parse(["--model", "unet3"], SOUND)


def test_an_option_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--model\.kernel(.|\n)*--model\.width"):
        parse(["--model", "hrnet", "--model.kernel", "5"], SOUND)
    path = tmp_path / "config.py"
    path.write_text("from jaxseg.config import HRNet\nmodel = HRNet(kernel=5)\n")
    with pytest.raises(ConfigError, match=r"config.py:2: HRNet has no option 'kernel'") as at:
        load(path)
    assert "width, modules, branches, blocks" in str(at.value)
    assert len(str(at.value).splitlines()) <= 3
    data = to_plain(dataclasses.replace(SOUND, model=HRNet()))
    data["model"]["kernel"] = 5
    with pytest.raises(ConfigError, match="width, modules, branches, blocks"):
        from_plain(data)


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (ResUNet(convs=1), "model.convs"),
        (SEUNet(reduction=0), "model.reduction"),
        (UNet(kernel=4), "model.kernel"),
        (UNet(dropout=(0.1,) * 4), "model.dropout"),
        (UNet(dropout=(1.0,) * 5), "model.dropout"),
        (UNet(divide_decoders=True), "model.divide_decoders"),
        (UNet(isotropic=(True,) * 5), "model"),
        (ResUNetPlusPlus(features=(8, 16)), "model.features"),
        (ResUNetPlusPlus(dilations=(0,)), "model.dilations"),
        (MultiResUNet(features=(8, 0)), "model.features"),
        (UNeXtV1(depth=(1, 1)), "model.depth"),
        (UNeXtV1(stochastic_depth=1.0), "model.stochastic_depth"),
        (UNeXtV1(layer_scale=0.0), "model.layer_scale"),
        (HRNet(modules=(1, 0, 1)), "model.modules"),
        (HRNet(width=0), "model.width"),
        (HRNet(branch_blocks=(4,) * 8), "model.branch_blocks"),
        (HRNet(branch_widths=(4,) * 10), "model.branch_widths"),
        (HRNet(branches=(2, 4, 4)), "model.branches"),
        (HRNet(modules=(1, 1), z_down=(2,) * 5), "model.z_down"),
        (STUNet(features=(8,)), "model.features"),
        (STUNet(features=(8, 16), depths=(1,)), "model.depths"),
        (STUNet(kernels=(3,) * 5), "model.kernels"),
        (STUNet(depth=-1), "model.depth"),
        (UNETR(token=12), "model.token"),
        (UNETR(token=1), "model.token"),
        (UNETR(embed=100), "model.embed"),
        (UNETR(embed=30, attention_heads=3), "model.embed"),
        (UNETR(depth=2), "model.depth, model.skip_every"),
        (UNETR(skip_every=5), "model.depth, model.skip_every"),
        (UNETR(position="learned"), "model.grid"),
        (UNETR(grid=(4, 4)), "model.grid"),
        (UNETR(mlp_ratio=0.0), "model.mlp_ratio"),
        (UNETR(dropout=(0.1,)), "model.dropout"),
    ],
    ids=str,
)
def test_each_mistake_is_found(model: object, field: str) -> None:
    config = dataclasses.replace(SOUND, model=model)  # type: ignore[arg-type]
    assert field in [problem.where for problem in check(config)]


def test_z_strides_are_1_or_2() -> None:
    config = dataclasses.replace(
        SOUND, ndim=3, patch=(64, 64, 64), model=STUNet(z_down=(1, 2, 3, 1, 1))
    )
    assert [problem.where for problem in check(config)] == ["model.z_down"]


def test_a_patch_that_the_network_cannot_reduce() -> None:
    config = dataclasses.replace(SOUND, patch=(48, 48), model=HRNet())
    assert [problem.where for problem in check(config)] == ["patch"]


def test_strides_of_networks() -> None:
    assert strides(UNeXtV1(), 2) == (32, 32)
    assert strides(UNeXtV1(z_down=(1, 1, 2, 2, 2)), 3) == (8, 32, 32)
    assert strides(ResUNetPlusPlus(), 2) == (8, 8)
    assert strides(HRNet(), 3) == (32, 32, 32)
    assert strides(STUNet(), 2) == (16, 16)
    assert strides(UNETR(token=8), 3) == (8, 8, 8)
    assert steps(AttentionUNet(features=(1, 1), z_down=(1,)), 3) == ((1, 2, 2),)
