"""Where BiaPy 3.7.1 keeps the tensor that is one of our parameters.

Our parameters are named ``module/.../leaf``. A rule says which of the peer's modules the outermost
one is; what lies inside of it depends on the kind of block and is said by a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxseg.interop.biapy.insides import (
    Counts,
    aspp,
    attention_gate,
    attention_plus_plus,
    bottleneck,
    convnext,
    excited_residual,
    layer,
    multires,
    nothing,
    path,
    plain_up,
    residual,
    squeeze,
    stack,
    stage_block,
    transformer,
    up,
)

# What ends the name of a tensor: of a normalisation, or of anything else.
LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


class Place(NamedTuple):
    """A tensor of the peer."""

    name: str
    spreads: bool
    """It is the kernel of a transposed convolution, (I, O, *k) instead of (O, I, *k)."""


class Rule(NamedTuple):
    """One kind of outermost module."""

    pattern: str
    place: Callable[..., str]
    """Of the numbers in the pattern, the peer's module."""
    inside: Callable[[tuple[str, ...], Counts], str] = nothing
    """The rest of our name as the rest of theirs."""
    spreads: bool = False
    """Its kernel is that of a transposed convolution."""
    or_linear: bool = False
    """Unless the network interpolates and the kernel is that of a 1x1 convolution."""


def peer_place(parameter: str, config: Any) -> Place:
    """The peer's tensor for one of our parameters.

    Parameters
    ----------
    parameter : names of modules and the leaf, joined by "/"
    config : of the network

    Returns
    -------
    Place

    >>> from jaxseg.config import UNet
    >>> peer_place("decoder_0_up_3/conv/kernel", UNet())
    Place(name='up_paths.0.0.up.0.weight', spreads=True)
    """
    outermost, *rest = parameter.split("/")
    leaf = parameter.split("/")[-1]
    counts = Counts.of(config)
    for rule in RULES[config.architecture](len(config.reductions)):
        found = re.fullmatch(rule.pattern, outermost)
        if not found:
            continue
        numbers = [int(number) for number in found.groups()]
        first = outermost == "down_0"
        levels = getattr(config, "level_convs", ())
        level = -1 if outermost == "bottleneck" else numbers[-1] if numbers else 0
        convs = levels[level] if levels and level < len(levels) else counts.convs
        inner = rule.inside(tuple(rest), counts._replace(first=first, convs=convs))
        end = LEAVES.get(leaf, leaf)
        name = ".".join(part for part in (rule.place(*numbers), inner) if part)
        own = name.endswith(OWN_LEAVES)
        spreads = leaf == "kernel" and rule.spreads and not (rule.or_linear and counts.linear)
        return Place(name if own else f"{name}.{end}", spreads)
    raise KeyError(parameter)


# Parameters of the peer that are no ``weight`` or ``bias`` of a layer.
OWN_LEAVES = ("gamma", "beta", "layer_scale", "cls_token")
HEAD = Rule(r"head_(\d+)", "heads.{}".format)


def u_net(block: Callable[..., str], upsampling: Callable[..., str]) -> Callable[..., list[Rule]]:
    """Rules of U-Nets that differ in their blocks."""

    def rules(depth: int) -> list[Rule]:
        def step(decoder: int, level: int) -> str:
            return f"up_paths.{decoder}.{depth - 1 - level}"

        def at(part: str) -> Callable[[int, int], str]:
            return lambda decoder, level: f"{step(decoder, level)}.{part}"

        return [
            HEAD,
            Rule("wide_in", lambda: "conv_in", layer),
            Rule(r"decoder_(\d+)_wide_out", "conv_out.{}".format, layer),
            Rule(r"down_(\d+)", "down_path.{}".format, block),
            Rule("bottleneck", lambda: "bottleneck", block),
            Rule(r"decoder_(\d+)_up_(\d+)", at("up"), upsampling, True, True),
            Rule(r"decoder_(\d+)_gate_(\d+)", at("attention_gate"), attention_gate),
            Rule(r"decoder_(\d+)_(\d+)", at("conv_block"), block),
        ]

    return rules


def resunet_plus_plus(depth: int) -> list[Rule]:
    """Rules of ResUNet++."""

    def at(module: str, part: str = "") -> Callable[[int, int], str]:
        return lambda decoder, level: f"{module}.{decoder}.{depth - 1 - level}{part}"

    return [
        HEAD,
        Rule("wide_in", lambda: "conv_in", layer),
        Rule(r"decoder_(\d+)_wide_out", "conv_out.{}".format, layer),
        Rule(r"down_(\d+)", "down_path.{}".format, residual),
        Rule(r"excite_(\d+)", "sqex_blocks.{}".format, squeeze),
        Rule("bridge", lambda: "aspp_bridge", aspp),
        Rule(r"decoder_(\d+)_out", "aspp_out.{}".format, aspp),
        Rule(r"decoder_(\d+)_attention_(\d+)", at("attentions"), attention_plus_plus),
        Rule(r"decoder_(\d+)_up_(\d+)", at("up_paths", ".up"), plain_up, True),
        Rule(r"decoder_(\d+)_(\d+)", at("up_paths", ".conv_block"), residual),
    ]


def multiresunet(depth: int) -> list[Rule]:
    """Rules of MultiResUNet."""
    return [
        HEAD,
        Rule(r"down_(\d+)", lambda level: f"multiresblock{level + 1}", multires),
        Rule("bottleneck", lambda: f"multiresblock{depth + 1}", multires),
        Rule(r"path_(\d+)", lambda level: f"respath{level + 1}", path),
        Rule(r"up_(\d+)", lambda level: f"upsample{2 * depth + 1 - level}", nothing, True),
        Rule(r"decoder_(\d+)", lambda level: f"multiresblock{2 * depth + 1 - level}", multires),
    ]


def unext(depth: int) -> list[Rule]:
    """Rules of the U-Nets out of ConvNeXt blocks; the stem counts as a step down."""
    last = depth - 1

    def at(part: str) -> Callable[..., str]:
        return lambda decoder, level, *block: (
            f"up_paths.{decoder}.{last - 1 - level}.{part.format(*block)}"
        )

    return [
        HEAD,
        Rule("stem", lambda: "down_path.0.0"),
        Rule("stem_norm", lambda: "down_path.0.2"),
        Rule(r"down_(\d+)_(\d+)", lambda level, block: f"down_path.{level + 1}.{block}", convnext),
        Rule(r"reduce_(\d+)_norm", "downsample_layers.{}.1".format),
        Rule(r"reduce_(\d+)", "downsample_layers.{}.3".format),
        Rule(r"bottleneck_(\d+)", "bottleneck.{}".format, convnext),
        Rule(r"decoder_(\d+)_up_(\d+)_norm", at("up.0.1")),
        Rule(r"decoder_(\d+)_up_(\d+)", at("up"), plain_step, True, True),
        Rule(r"decoder_(\d+)_join_(\d+)", at("conv_block.block.0")),
        Rule(r"decoder_(\d+)_stem", lambda decoder: f"up_paths.{decoder}.{last}.0", nothing, True),
        Rule(r"decoder_(\d+)_stem_norm", lambda decoder: f"up_paths.{decoder}.{last}.2"),
        Rule(r"decoder_(\d+)_(\d+)_(\d+)", at("cn_block.{}"), convnext),
    ]


def plain_step(_: tuple[str, ...], counts: Counts) -> str:
    """The layer that upsamples, after the normalisation."""
    return "2" if counts.linear else "1"


def unetr(levels: int) -> list[Rule]:
    """Rules of UNETR."""

    def deep(module: str) -> Callable[[int], str]:
        return lambda level: f"{module}.{levels - 1 - level}"

    def lift(level: int, step: int, conv: bool = False) -> str:
        return f"mid_blue_block.{levels - 1 - level}.{2 * step + conv}"

    return [
        HEAD,
        Rule("whole", lambda: "cls_token"),
        Rule("tokens", lambda: "patch_embed.proj"),
        Rule(r"block_(\d+)", "blocks.{}".format, transformer),
        Rule("up_bottom", lambda: "bottleneck", nothing, True),
        Rule(r"lift_(\d+)_(\d+)", lift, nothing, True),
        Rule(r"lift_(\d+)_(\d+)_conv", lambda level, step: lift(level, step, True), layer),
        Rule("skip_0", lambda: f"two_yellow_layers.{levels - 1}", stack),
        Rule("decoder_0", lambda: f"two_yellow_layers.{levels}", stack),
        Rule(r"decoder_(\d+)", deep("two_yellow_layers"), stack),
        Rule(r"up_(\d+)", deep("up_green_layers"), nothing, True),
    ]


def hrnet(_: int) -> list[Rule]:
    """Rules of HRNet."""

    def branch(stage: int, module: int, number: int, block: int) -> str:
        return f"stages.{stage}.{module}.branches.{number}.{block}"

    def fuse(stage: int, module: int, source: int, target: int, *step: int) -> str:
        place = f"stages.{stage}.{module}.fuse_layers.{target}.{source}"
        return ".".join([place, *map(str, step), "block"])

    def widen(stage: int, number: int) -> str:
        # The branch that is new in a stage stands in a list of its own.
        return f"transitions.{stage}.{number}{'.0' if number == stage + 1 else ''}.block"

    return [
        HEAD,
        Rule(r"stem_(\d+)", lambda index: f"conv{index + 1}_block.block", stage_block),
        Rule(r"bottleneck_(\d+)", "layer1.{}".format, bottleneck),
        Rule(r"widen_(\d+)_(\d+)", widen, stage_block),
        Rule(r"stage_(\d+)_(\d+)_branch_(\d+)_(\d+)", branch, bottleneck),
        Rule(r"stage_(\d+)_(\d+)_from_(\d+)_to_(\d+)", fuse, stage_block),
        Rule(r"stage_(\d+)_(\d+)_from_(\d+)_to_(\d+)_(\d+)", fuse, stage_block),
    ]


def stunet(depth: int) -> list[Rule]:
    """Rules of STU-Net."""
    inside = {"conv_0": "conv1", "norm_0": "norm1", "conv_1": "conv2", "norm_1": "norm2",
              "shortcut": "conv3"}  # fmt: skip

    def block(names: tuple[str, ...], _: Counts) -> str:
        return inside[names[0]]

    return [
        HEAD,
        Rule("narrow", lambda: "seg_outputs.0"),
        Rule(r"down_(\d+)_(\d+)", "conv_blocks_context.{}.{}".format, block),
        Rule(r"up_(\d+)", lambda stage: f"upsample_layers.{depth - 1 - stage}.conv"),
        Rule(
            r"decoder_(\d+)_(\d+)",
            lambda stage, index: f"conv_blocks_localization.{depth - 1 - stage}.{index}",
            block,
        ),
    ]


RULES: dict[str, Callable[[int], list[Rule]]] = {
    "unet": u_net(stack, up),
    "attention_unet": u_net(stack, up),
    "seunet": u_net(stack, up),
    "resunet": u_net(residual, plain_up),
    "resunet_se": u_net(excited_residual, plain_up),
    "resunet++": resunet_plus_plus,
    "multiresunet": multiresunet,
    "unext_v1": unext,
    "unext_v2": unext,
    "unetr": unetr,
    "hrnet": hrnet,
    "stunet": stunet,
}
