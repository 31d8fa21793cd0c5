"""Networks of the shape of a U: down through convolutions and up again.

Where a doc says *BiaPy*, ``biapy_compatible`` repeats what BiaPy 3.7.1 computes, for its weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from jaxseg.config.limits import (
    ODD,
    RATE,
    above,
    at_least,
    at_least_values,
    one_of,
)
from jaxseg.config.networks.architecture import Activation, Architecture, Hidden, Normalisation
from jaxseg.config.option import option, section
from jaxseg.errors import ConfigError


@section
class UShape(Architecture):
    """What the U-Nets out of plain and residual blocks have in common."""

    features: tuple[int, ...] = option((16, 32, 64, 128, 256), at_least_values(2), at_least(1))
    """Feature maps per level, the last one is the bottleneck."""
    norm: Normalisation = option("bn")
    """in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a
    voxel); with in and gn the result depends on how an image is cut into tiles."""
    activation: Activation = option("elu")
    """Non-linearity after every convolution."""
    convs: int = option(2, at_least(1))
    """Convolutions per level."""
    kernel: int = option(3, ODD)
    """Size of the convolution kernel."""
    z_down: tuple[int, ...] = option((), one_of(1, 2))
    """Z stride between levels in 3D, one entry per step down; empty = 2 everywhere."""
    isotropic: tuple[bool, ...] = option(())
    """Per level, False = kernel of size 1 along z; empty = True everywhere."""
    upsample: Literal["transpose", "linear"] = option("transpose")
    """transpose: transposed convolution; linear: interpolation and a 1x1 convolution."""
    dropout: tuple[float, ...] = option((), RATE)
    """Dropout rate per level; empty = none."""
    larger_io: bool = option(False)
    """One more convolution before the first level and after the last, its kernel larger by 2."""
    separate_decoders: bool = option(False)
    """One decoder per head instead of one for all."""
    divide_decoders: bool = option(False)
    """Divide the feature maps of separate decoders by their number."""
    deep_supervision: bool = option(False)
    """In training, logits of every level of the decoder, the finest first."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half at each of the steps between levels."""
        return (2,) * (len(self.features) - 1)

    @property
    def lists(self) -> Mapping[str, int]:
        """Steps down, or resolutions."""
        down = len(self.reductions)
        return {"z_down": down, "isotropic": down + 1, "dropout": down + 1}

    def convs_of(self, level: int) -> int:
        """Convolutions of a level, from 0 for the finest."""
        del level
        return self.convs


@section
class Levels(UShape):
    """What those U-Nets have in common whose levels may have different numbers of convolutions."""

    level_convs: tuple[int, ...] = option((), at_least(1))
    """Convolutions of every level, the last one the bottleneck's; empty = convs everywhere."""

    @property
    def lists(self) -> Mapping[str, int]:
        """One number for each level."""
        return {**super().lists, "level_convs": len(self.features)}

    def convs_of(self, level: int) -> int:
        """Convolutions of a level, from 0 for the finest."""
        return self.level_convs[level] if self.level_convs else self.convs


@section
class Plain(Levels):
    """What the U-Nets out of plain convolutions have in common."""

    order: Literal["conv_norm_act", "norm_act_conv"] = option("conv_norm_act")
    """Whether an image is normalised after each convolution or, itself included, before it."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """A normalisation that leaves nothing of an image."""
        yield from super().problems(where)
        if self.order == "norm_act_conv" and self.norm == "ln":
            yield ConfigError(
                "layer normalisation before the first convolution erases images of one channel",
                where=f"{where}.norm, {where}.order",
                expected="another normalisation, or conv_norm_act",
                found="ln and norm_act_conv",
            )


@section
class UNet(Plain):
    """U-Net of Ronneberger et al. (2015), 2D or 3D."""

    architecture: Annotated[Literal["unet"], Hidden] = option("unet")
    """Which network."""


@section
class ResUNet(Levels):
    """U-Net out of residual blocks that normalise before they convolve (Zhang et al. 2018)."""

    architecture: Annotated[Literal["resunet"], Hidden] = option("resunet")
    """Which network."""
    convs: int = option(2, at_least(2))
    """Convolutions per level, those of a residual block."""
    level_convs: tuple[int, ...] = option((), at_least(2))
    """The same for every level, the last one the bottleneck's; empty = convs everywhere."""


@section
class SEUNet(Plain):
    """U-Net with squeeze-and-excitation after each convolution (Hu et al. 2018)."""

    architecture: Annotated[Literal["seunet"], Hidden] = option("seunet")
    """Which network."""
    reduction: int = option(16, at_least(1))
    """Channels are squeezed to one in so many."""


@section
class ResUNetSE(Levels):
    """U-Net out of residual blocks with a convolution before them, and squeeze-and-excitation."""

    architecture: Annotated[Literal["resunet_se"], Hidden] = option("resunet_se")
    """Which network."""
    convs: int = option(2, at_least(2))
    """Convolutions per level, those of a residual block."""
    level_convs: tuple[int, ...] = option((), at_least(2))
    """The same for every level, the last one the bottleneck's; empty = convs everywhere."""
    reduction: int = option(16, at_least(1))
    """Channels are squeezed to one in so many."""


@section
class AttentionUNet(Plain):
    """U-Net whose skip connections pass an attention gate (Oktay et al. 2018)."""

    architecture: Annotated[Literal["attention_unet"], Hidden] = option("attention_unet")
    """Which network."""
    norm: Literal["in", "bn", "gn", "none"] = option("bn")
    """in, bn, gn: instance, batch, group normalisation; the gate has one channel, which layer
    normalisation would erase."""
    biapy_compatible: bool = option(False)
    """BiaPy's gate: the branch of the skip connection is not normalised."""


@section
class ResUNetPlusPlus(UShape):
    """ResUNet++ (Jha et al. 2019): squeeze-and-excitation, atrous pyramids and attention.

    The second feature maps are those of a second block at full size, the last those of the bridge;
    ``z_down``, ``isotropic`` and ``dropout`` count resolutions, one less than the feature maps.
    """

    architecture: Annotated[Literal["resunet++"], Hidden] = option("resunet++")
    """Which network."""
    features: tuple[int, ...] = option((16, 32, 64, 128, 256), at_least_values(3), at_least(1))
    """Feature maps of the two blocks at full size, of each resolution below, and of the bridge."""
    convs: int = option(2, at_least(2))
    """Convolutions per level, those of a residual block."""
    reduction: int = option(16, at_least(1))
    """Channels are squeezed to one in so many."""
    dilations: tuple[int, ...] = option((6, 12, 18), at_least(1))
    """Dilations of the convolutions of the two atrous pyramids."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half between resolutions; the first two blocks share one."""
        return (2,) * (len(self.features) - 2)


@section
class MultiResUNet(Architecture):
    """MultiResUNet (Ibtehaz & Rahman 2020): blocks of three scales, residual skip connections."""

    architecture: Annotated[Literal["multiresunet"], Hidden] = option("multiresunet")
    """Which network."""
    features: tuple[int, ...] = option((32, 64, 128, 256, 512), at_least_values(2), at_least(1))
    """Nominal feature maps per level, the last one is the bottleneck; a block has about 1.6 times
    as many."""
    norm: Normalisation = option("bn")
    """in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a
    voxel)."""
    activation: Activation = option("relu")
    """Non-linearity."""
    z_down: tuple[int, ...] = option((), one_of(1, 2))
    """Z stride between levels in 3D, one entry per step down; empty = 2 everywhere."""
    deep_supervision: bool = option(False)
    """In training, logits of every level of the decoder, the finest first."""
    biapy_compatible: bool = option(False)
    """BiaPy's skip connections: normalised with the same parameters before the sum as after it.
    """

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half at each of the steps between levels."""
        return (2,) * (len(self.features) - 1)

    @property
    def lists(self) -> Mapping[str, int]:
        """Steps down."""
        return {"z_down": len(self.reductions)}


@section
class UNeXt(Architecture):
    """What the U-Nets out of ConvNeXt blocks have in common."""

    features: tuple[int, ...] = option((16, 32, 64, 128, 256), at_least_values(2), at_least(1))
    """Feature maps per level, the last one is the bottleneck."""
    depth: tuple[int, ...] = option((), at_least(1))
    """ConvNeXt blocks per level; empty = 2 everywhere."""
    kernel: int = option(7, ODD)
    """Size of the kernel of the depthwise convolutions."""
    z_down: tuple[int, ...] = option((), one_of(1, 2))
    """Z stride of the stem and of each step down in 3D, one entry per level; empty = 2 everywhere.
    """
    isotropic: tuple[bool, ...] = option(())
    """Per level, False = kernel of size 1 along z; empty = True everywhere."""
    upsample: Literal["transpose", "linear"] = option("transpose")
    """transpose: transposed convolution; linear: interpolation and a 1x1 convolution."""
    stochastic_depth: float = option(0.1, RATE)
    """Largest probability that a block is skipped in training; it grows from 0 with depth."""
    separate_decoders: bool = option(False)
    """One decoder per head instead of one for all."""
    divide_decoders: bool = option(False)
    """Divide the feature maps of separate decoders by their number."""
    deep_supervision: bool = option(False)
    """In training, logits of every level of the decoder, the finest first."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """A half at the stem and at each of the steps between levels."""
        return (2,) * len(self.features)

    @property
    def lists(self) -> Mapping[str, int]:
        """The stem and the steps down, as many as levels."""
        return dict.fromkeys(("z_down", "isotropic", "depth"), len(self.reductions))


@section
class UNeXtV1(UNeXt):
    """U-Net out of ConvNeXt blocks (Liu et al. 2022)."""

    architecture: Annotated[Literal["unext_v1"], Hidden] = option("unext_v1")
    """Which network."""
    layer_scale: float = option(1e-6, above(0))
    """Initial factor of each block's change."""


@section
class UNeXtV2(UNeXt):
    """U-Net out of ConvNeXt V2 blocks, with global response normalisation (Woo et al. 2023)."""

    architecture: Annotated[Literal["unext_v2"], Hidden] = option("unext_v2")
    """Which network."""
    biapy_compatible: bool = option(False)
    """BiaPy's response in 3D: over z and y only, not x."""
