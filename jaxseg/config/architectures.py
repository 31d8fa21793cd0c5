"""The networks: one dataclass for each, so that an option that a network lacks cannot be given.

``reductions`` is the stride along y and x of each step down; ``z_down`` holds those along z.
Where a doc says *peer*, ``peer_compatible`` repeats what BiaPy 3.7.1 computes, for its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated, Literal, get_args

import tyro

Normalisation = Literal["in", "bn", "gn", "ln", "none"]
Activation = Literal["elu", "relu", "leaky_relu", "gelu", "silu"]
Hidden = tyro.conf.Suppress


@dataclass(frozen=True, kw_only=True)
class UShape:
    """What the U-Nets out of plain and residual blocks have in common."""

    # feature maps per level, the last one is the bottleneck
    features: tuple[int, ...] = (16, 32, 64, 128, 256)
    # in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a voxel);
    # with in and gn the result depends on how an image is cut into tiles
    norm: Normalisation = "bn"
    # non-linearity after every convolution
    activation: Activation = "elu"
    # convolutions per level
    convs: int = 2
    # size of the convolution kernel
    kernel: int = 3
    # z stride between levels in 3D, one entry per step down; empty = 2 everywhere
    z_down: tuple[int, ...] = ()
    # per level, False = kernel of size 1 along z; empty = True everywhere
    isotropic: tuple[bool, ...] = ()
    # transpose: transposed convolution; linear: interpolation and a 1x1 convolution
    upsample: Literal["transpose", "linear"] = "transpose"
    # dropout rate per level; empty = none
    dropout: tuple[float, ...] = ()
    # one more convolution before the first level and after the last, its kernel larger by 2
    larger_io: bool = False
    # one decoder per head instead of one for all
    separate_decoders: bool = False
    # divide the feature maps of separate decoders by their number
    divide_decoders: bool = False
    # in training, logits of every level of the decoder, the finest first
    deep_supervision: bool = False

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half at each of the steps between levels."""
        return (2,) * (len(self.features) - 1)


@dataclass(frozen=True, kw_only=True)
class UNet(UShape):
    """U-Net of Ronneberger et al. (2015), 2D or 3D."""

    # which network
    architecture: Annotated[Literal["unet"], Hidden] = "unet"


@dataclass(frozen=True, kw_only=True)
class ResUNet(UShape):
    """U-Net out of residual blocks that normalise before they convolve (Zhang et al. 2018)."""

    # which network
    architecture: Annotated[Literal["resunet"], Hidden] = "resunet"


@dataclass(frozen=True, kw_only=True)
class SEUNet(UShape):
    """U-Net with squeeze-and-excitation after each convolution (Hu et al. 2018)."""

    # which network
    architecture: Annotated[Literal["seunet"], Hidden] = "seunet"
    # channels are squeezed to one in so many
    reduction: int = 16


@dataclass(frozen=True, kw_only=True)
class ResUNetSE(UShape):
    """U-Net out of residual blocks with a convolution before them, and squeeze-and-excitation."""

    # which network
    architecture: Annotated[Literal["resunet_se"], Hidden] = "resunet_se"
    # channels are squeezed to one in so many
    reduction: int = 16


@dataclass(frozen=True, kw_only=True)
class AttentionUNet(UShape):
    """U-Net whose skip connections pass an attention gate (Oktay et al. 2018)."""

    # which network
    architecture: Annotated[Literal["attention_unet"], Hidden] = "attention_unet"
    # in, bn, gn: instance, batch, group normalisation; the gate has one channel, which layer
    # normalisation would erase
    norm: Literal["in", "bn", "gn", "none"] = "bn"
    # the peer's gate: the branch of the skip connection is not normalised
    peer_compatible: bool = False


@dataclass(frozen=True, kw_only=True)
class ResUNetPlusPlus(UShape):
    """ResUNet++ (Jha et al. 2019): squeeze-and-excitation, atrous pyramids and attention.

    The second feature maps are those of a second block at full size, the last those of the bridge;
    ``z_down``, ``isotropic`` and ``dropout`` count resolutions, one less than the feature maps.
    """

    # which network
    architecture: Annotated[Literal["resunet++"], Hidden] = "resunet++"
    # channels are squeezed to one in so many
    reduction: int = 16
    # dilations of the convolutions of the two atrous pyramids
    dilations: tuple[int, ...] = (6, 12, 18)

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half between resolutions; the first two blocks share one."""
        return (2,) * (len(self.features) - 2)


@dataclass(frozen=True, kw_only=True)
class MultiResUNet:
    """MultiResUNet (Ibtehaz & Rahman 2020): blocks of three scales, residual skip connections."""

    # which network
    architecture: Annotated[Literal["multiresunet"], Hidden] = "multiresunet"
    # nominal feature maps per level, the last one is the bottleneck; a block has about 1.6 times
    # as many
    features: tuple[int, ...] = (32, 64, 128, 256, 512)
    # in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a voxel)
    norm: Normalisation = "bn"
    # non-linearity
    activation: Activation = "relu"
    # z stride between levels in 3D, one entry per step down; empty = 2 everywhere
    z_down: tuple[int, ...] = ()
    # in training, logits of every level of the decoder, the finest first
    deep_supervision: bool = False
    # the peer's skip connections: normalised with the same parameters before the sum as after it
    peer_compatible: bool = False

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half at each of the steps between levels."""
        return (2,) * (len(self.features) - 1)


@dataclass(frozen=True, kw_only=True)
class UNeXt:
    """What the U-Nets out of ConvNeXt blocks have in common."""

    # feature maps per level, the last one is the bottleneck
    features: tuple[int, ...] = (16, 32, 64, 128, 256)
    # ConvNeXt blocks per level; empty = 2 everywhere
    depth: tuple[int, ...] = ()
    # size of the kernel of the depthwise convolutions
    kernel: int = 7
    # z stride of the stem and of each step down in 3D, one entry per level; empty = 2 everywhere
    z_down: tuple[int, ...] = ()
    # per level, False = kernel of size 1 along z; empty = True everywhere
    isotropic: tuple[bool, ...] = ()
    # transpose: transposed convolution; linear: interpolation and a 1x1 convolution
    upsample: Literal["transpose", "linear"] = "transpose"
    # largest probability that a block is skipped in training; it grows from 0 with depth
    stochastic_depth: float = 0.1
    # one decoder per head instead of one for all
    separate_decoders: bool = False
    # divide the feature maps of separate decoders by their number
    divide_decoders: bool = False
    # in training, logits of every level of the decoder, the finest first
    deep_supervision: bool = False

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half at the stem and at each of the steps between levels."""
        return (2,) * len(self.features)


@dataclass(frozen=True, kw_only=True)
class UNeXtV1(UNeXt):
    """U-Net out of ConvNeXt blocks (Liu et al. 2022)."""

    # which network
    architecture: Annotated[Literal["unext_v1"], Hidden] = "unext_v1"
    # initial factor of each block's change
    layer_scale: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class UNeXtV2(UNeXt):
    """U-Net out of ConvNeXt V2 blocks, with global response normalisation (Woo et al. 2023)."""

    # which network
    architecture: Annotated[Literal["unext_v2"], Hidden] = "unext_v2"
    # the peer's response in 3D: over z and y only, not x
    peer_compatible: bool = False


@dataclass(frozen=True, kw_only=True)
class UNETR:
    """UNETR (Hatamizadeh et al. 2022): a vision transformer and a convolutional decoder.

    The default is ViT-B/16; ViT-L/16 is ``embed=1024, depth=24, attention_heads=16``.
    """

    # which network
    architecture: Annotated[Literal["unetr"], Hidden] = "unetr"
    # voxels along each axis that become one token, a power of 2
    token: int = 16
    # channels of a token
    embed: int = 768
    # blocks of the transformer
    depth: int = 12
    # heads of its attention
    attention_heads: int = 12
    # hidden channels of its blocks in multiples of embed
    mlp_ratio: float = 4.0
    # how tokens know where they are: fixed waves, learned for a grid of tokens, or not at all
    position: Literal["sinusoidal", "learned", "none"] = "sinusoidal"
    # tokens along each axis, (z)yx, for which positions are learned; other sizes interpolate them
    grid: tuple[int, ...] = ()
    # blocks between two skip connections; 0 = spread over the depth
    skip_every: int = 0
    # feature maps at full size, twice as many at each level below
    filters: int = 16
    # in, bn, gn, ln: instance, batch, group, layer normalisation in the decoder
    norm: Normalisation = "bn"
    # non-linearity in the decoder
    activation: Activation = "relu"
    # size of the convolution kernel in the decoder
    kernel: int = 3
    # dropout rate per level of the decoder, the finest first; empty = none
    dropout: tuple[float, ...] = ()
    # in training, logits of every level of the decoder, the finest first
    deep_supervision: bool = False

    @property
    def reductions(self) -> tuple[int, ...]:
        """Halves down to a token."""
        return (2,) * max(self.token.bit_length() - 1, 0)


@dataclass(frozen=True, kw_only=True)
class HRNet:
    """HRNet (Wang et al. 2021): branches of four resolutions side by side, the finest a quarter."""

    # which network
    architecture: Annotated[Literal["hrnet"], Hidden] = "hrnet"
    # feature maps of the finest branch, twice as many in each coarser one: 18, 32, 48 or 64 in
    # the paper
    width: int = 18
    # exchanges between branches in each of the three stages
    modules: tuple[int, int, int] = (1, 4, 3)
    # residual blocks of a branch between two exchanges
    blocks: int = 4
    # in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a voxel)
    norm: Normalisation = "bn"
    # non-linearity
    activation: Activation = "relu"
    # z stride of the two stem convolutions and of the three coarser branches; empty = 2 everywhere
    z_down: tuple[int, ...] = ()
    # the peer's blocks: no activation inside a block, and resizing that fits the outermost voxels
    # of two grids to each other
    peer_compatible: bool = False

    @property
    def reductions(self) -> tuple[int, ...]:
        """Two halves in the stem, then one for each coarser branch."""
        return (2,) * 5


@dataclass(frozen=True, kw_only=True)
class STUNet:
    """STU-Net (Huang et al. 2023): residual stages with strided convolutions, in four sizes."""

    # which network
    architecture: Annotated[Literal["stunet"], Hidden] = "stunet"
    # small, base, large: width and depth as published
    variant: Literal["small", "base", "large"] = "base"
    # feature maps of the six stages; empty = those of the variant
    features: tuple[int, ...] = ()
    # residual blocks per stage; 0 = those of the variant
    depth: int = 0
    # in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a voxel)
    norm: Normalisation = "in"
    # non-linearity
    activation: Activation = "leaky_relu"
    # z stride of the five steps down; empty = 2 2 2 2 1, as along y and x
    z_down: tuple[int, ...] = ()
    # per stage, False = kernel of size 1 along z; empty = True everywhere
    isotropic: tuple[bool, ...] = ()
    # in training, logits of every level of the decoder, the finest first
    deep_supervision: bool = False
    # the peer's heads: each sees no more than as many channels as the first head has
    peer_compatible: bool = False

    @property
    def reductions(self) -> tuple[int, ...]:
        """Four halves; the last stage keeps the resolution."""
        return (2, 2, 2, 2, 1)


@dataclass(frozen=True, kw_only=True)
class Package:
    """A trained network of anyone's: a BioImage.IO package or an ONNX file, for prediction only."""

    # which network
    architecture: Annotated[Literal["bmz"], Hidden] = "bmz"
    # the package (.zip, or a folder with rdf.yaml) or the model (.onnx)
    path: str = ""
    # axes of the model's input and output, e.g. bcyx; empty = as the file says
    axes: str = ""
    # what the model gives: applied: values of the channels; apply: logits, to which the links of
    # the channels are applied; empty = as the file says
    links: Literal["", "apply", "applied"] = ""

    @property
    def reductions(self) -> tuple[int, ...]:
        """Unknown before the file is opened."""
        return (1,)


Network = (
    UNet
    | ResUNet
    | ResUNetPlusPlus
    | AttentionUNet
    | MultiResUNet
    | SEUNet
    | ResUNetSE
    | UNETR
    | UNeXtV1
    | UNeXtV2
    | HRNet
    | STUNet
)
Model = Network | Package


def name_of(kind: type) -> str:
    """The name of an architecture, as ``--model`` takes it and a saved configuration holds it."""
    return next(str(field.default) for field in fields(kind) if field.name == "architecture")


# Networks that can be trained, and all that --model can name.
ARCHITECTURES: Mapping[str, type] = MappingProxyType(
    {name_of(kind): kind for kind in get_args(Network)}
)
SOURCES: Mapping[str, type] = MappingProxyType({**ARCHITECTURES, name_of(Package): Package})
