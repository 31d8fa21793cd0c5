"""How BiaPy 3.7.1 numbers the layers inside its blocks.

Its blocks are lists of layers, so that a number depends on which layers an option leaves out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Names = tuple[str, ...]


class Counts(NamedTuple):
    """Options that decide how many layers there are."""

    norm: bool
    convs: int
    dropout: bool
    linear: bool
    response: bool
    first: bool = False
    """The block does not normalise its input."""
    norm_first: bool = False
    """Plain convolutions come after normalisation and activation."""

    @classmethod
    def of(cls, config: Any) -> Counts:
        """The options of a network."""
        dropout = getattr(config, "dropout", ())
        return cls(
            getattr(config, "norm", "ln") != "none",
            getattr(config, "convs", 2),
            any(dropout) if isinstance(dropout, tuple) else dropout > 0,
            getattr(config, "upsample", "") == "linear",
            config.architecture == "unext_v2",
            norm_first=getattr(config, "order", "") == "norm_act_conv",
        )


def number(name: str) -> int:
    """The number at the end of a name.

    >>> number("conv_12")
    12
    """
    return int(name.rsplit("_", 1)[1])


def nothing(names: Names, counts: Counts) -> str:
    """A layer that is the module itself."""
    return ""


def stack(names: Names, counts: Counts) -> str:
    """Convolutions in a row; a single one is not numbered."""
    inner = layer(names, counts)
    return inner if counts.convs == 1 else f"block.{number(names[0])}.{inner}"


def layer(names: Names, counts: Counts) -> str:
    """Convolution, normalisation, activation, dropout, squeeze-and-excitation, in either order."""
    conv, norm = (1 + counts.norm, 0) if counts.norm_first else (0, 1)
    if names[0].startswith("conv"):
        return f"block.{conv}"
    if names[0].startswith("norm"):
        return f"block.{norm}"
    return f"block.{2 + counts.norm + counts.dropout}." + squeeze(names[1:], counts)


def squeeze(names: Names, counts: Counts) -> str:
    """The two layers of squeeze-and-excitation."""
    return {"squeeze": "excitation.0", "excite": "excitation.2"}[names[0]]


def up(names: Names, counts: Counts) -> str:
    """Transposed convolution and normalisation; interpolation is a layer of its own."""
    return str({"conv": 0, "norm": 1}[names[0]] + counts.linear)


def plain_up(names: Names, counts: Counts) -> str:
    """A transposed convolution that is the module itself."""
    return ""


def attention_gate(names: Names, counts: Counts) -> str:
    """The gate of the attention U-Net."""
    return {"signal": "w_g.0", "signal_norm": "w_g.1", "skip": "w_x.0", "weight": "psi.0",
            "weight_norm": "psi.1"}[names[0]]  # fmt: skip


def attention_plus_plus(names: Names, counts: Counts) -> str:
    """The attention of ResUNet++."""
    kind, _, norm = names[0].partition("_")
    branch = {"skip": "conv_encoder", "image": "conv_decoder", "weight": "conv_attn"}[kind]
    return f"{branch}.{0 if norm else 1 + counts.norm}"


def aspp(names: Names, counts: Counts) -> str:
    """An atrous pyramid."""
    if names[0] == "join":
        return "output"
    return f"aspp_block{number(names[0]) + 1}.{2 if names[0].startswith('norm') else 0}"


def residual(names: Names, counts: Counts) -> str:
    """A residual block: normalisation, activation, convolutions; and the shortcut."""
    before = 0 if counts.first else 1 + counts.norm
    if names[0] == "stack":
        return f"block.{before + number(names[1])}." + layer(names[1:], counts)
    return {
        "norm_in": "block.0",
        "conv_out": f"block.{before + counts.convs - 1}.block.0",
        "shortcut": "shortcut.0",
        "shortcut_norm": "shortcut.1",
    }[names[0]]


def excited_residual(names: Names, counts: Counts) -> str:
    """The same with a convolution before it, and squeeze-and-excitation after it."""
    if names[0] == "excite":
        return "se_block." + squeeze(names[1:], counts)
    if names[0] == "norm_in":
        return "pre_conv.0"
    if names[0] == "before":
        place = 0 if counts.first else 1 + counts.norm
        return f"pre_conv.{place}." + layer(names[1:], counts)
    return residual(names, counts._replace(first=True))


def multires(names: Names, counts: Counts) -> str:
    """A block of three scales."""
    if names[0] in ("norm_in", "norm_out"):
        return {"norm_in": "batch_norm1", "norm_out": "batch_norm2"}[names[0]]
    branch = "shortcut"
    if names[0] != "shortcut":
        branch = ("conv_3x3", "conv_5x5", "conv_7x7")[number(names[0])]
    return f"{branch}.{conv_and_norm(names[1])}"


def path(names: Names, counts: Counts) -> str:
    """A residual skip connection."""
    kind = names[0].split("_")[0]
    if kind == "norm":
        return f"bns.{number(names[0])}"
    module = {"shortcut": "shortcuts", "conv": "convs"}[kind]
    return f"{module}.{number(names[0])}.{conv_and_norm(names[1])}"


def conv_and_norm(name: str) -> str:
    """The two layers of MultiResUNet's convolutions."""
    return {"conv": "conv1", "norm": "batchnorm"}[name]


def convnext(names: Names, counts: Counts) -> str:
    """A ConvNeXt block; permutations are layers, too."""
    if names[0] == "scale":
        return "layer_scale"
    if names[0] == "response":
        return "block.5." + {"scale": "gamma", "bias": "beta"}[names[1]]
    places = {"depthwise": 0, "norm": 2, "expand": 3, "reduce": 5 + counts.response}
    return f"block.{places[names[0]]}"


def transformer(names: Names, counts: Counts) -> str:
    """A block of the vision transformer, as timm names it."""
    return {"norm_0": "norm1", "qkv": "attn.qkv", "project": "attn.proj", "norm_1": "norm2",
            "expand": "mlp.fc1", "reduce": "mlp.fc2"}[names[0]]  # fmt: skip


def stage_block(names: Names, counts: Counts) -> str:
    """One convolution of HRNet and its normalisation."""
    return {"conv": "0", "norm": "1"}[names[0]]


def bottleneck(names: Names, counts: Counts) -> str:
    """A residual block of HRNet."""
    if names[0] == "shortcut":
        return "downsample." + stage_block(names[1:], counts)
    return f"conv{number(names[0]) + 1}_block.block." + stage_block(names[1:], counts)
