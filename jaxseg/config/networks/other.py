"""Networks of other shapes, and those out of files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from jaxseg.config.limits import (
    ODD,
    PATH,
    POWER_OF_2,
    RATE,
    above,
    at_least,
    at_least_values,
    lengths,
    one_of,
)
from jaxseg.config.networks.architecture import Activation, Architecture, Hidden, Normalisation
from jaxseg.config.option import option, section
from jaxseg.errors import ConfigError

STAGES = 6


@section
class UNETR(Architecture):
    """UNETR (Hatamizadeh et al. 2022): a vision transformer and a convolutional decoder.

    The default is ViT-B/16; ViT-L/16 is ``embed=1024, depth=24, attention_heads=16``.
    """

    architecture: Annotated[Literal["unetr"], Hidden] = option("unetr")
    """Which network."""
    token: int = option(16, POWER_OF_2)
    """Voxels along each axis that become one token, a power of 2."""
    embed: int = option(768, at_least(1))
    """Channels of a token."""
    depth: int = option(12, at_least(1))
    """Blocks of the transformer."""
    attention_heads: int = option(12, at_least(1))
    """Heads of its attention."""
    mlp_ratio: float = option(4.0, above(0))
    """Hidden channels of its blocks in multiples of embed."""
    position: Literal["sinusoidal", "learned", "none"] = option("sinusoidal")
    """How tokens know where they are: fixed waves, learned for a grid of tokens, or not at all."""
    grid: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1))
    """Tokens along each axis, (z)yx, for which positions are learned; other sizes interpolate them.
    """
    skip_every: int = option(0, at_least(0))
    """Blocks between two skip connections; 0 = spread over the depth."""
    filters: int = option(16, at_least(1))
    """Feature maps at full size, twice as many at each level below."""
    norm: Normalisation = option("bn")
    """in, bn, gn, ln: instance, batch, group, layer normalisation in the decoder."""
    activation: Activation = option("relu")
    """Non-linearity in the decoder."""
    kernel: int = option(3, ODD)
    """Size of the convolution kernel in the decoder."""
    dropout: tuple[float, ...] = option((), RATE)
    """Dropout rate per level of the decoder, the finest first; empty = none."""
    deep_supervision: bool = option(False)
    """In training, logits of every level of the decoder, the finest first."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """Halves down to a token."""
        return (2,) * max(self.token.bit_length() - 1, 0)

    @property
    def lists(self) -> Mapping[str, int]:
        """Levels of the decoder."""
        return {"dropout": len(self.reductions)}

    def problems(self, where: str) -> Iterator[ConfigError]:
        """How the sizes of a transformer fit together."""
        yield from super().problems(where)
        heads = max(self.attention_heads, 1)
        if self.embed % heads:
            expected = f"a multiple of attention_heads ({heads})"
            yield ConfigError(
                "illegal value", where=f"{where}.embed", expected=expected, found=self.embed
            )
        skips = max(len(self.reductions) - 1, 1)
        if max(self.skip_every, 1) * skips > self.depth:
            yield ConfigError(
                "too few blocks for the skip connections",
                where=f"{where}.depth, {where}.skip_every",
                expected=f"depth of at least {skips} times skip_every",
                found=(self.depth, self.skip_every),
            )
        if self.position != "learned" and self.grid:
            yield ConfigError(
                "illegal value",
                where=f"{where}.grid",
                expected="none, unless positions are learned",
                found=self.grid,
            )


@section
class HRNet(Architecture):
    """HRNet (Wang et al. 2021): branches of four resolutions side by side, the finest a quarter."""

    architecture: Annotated[Literal["hrnet"], Hidden] = option("hrnet")
    """Which network."""
    width: int = option(18, at_least(1))
    """Feature maps of the finest branch, twice as many in each coarser one: 18, 32, 48 or 64 in the
    paper."""
    modules: tuple[int, ...] = option((1, 4, 3), at_least_values(1), at_least(1))
    """Exchanges between branches in each stage: three stages in the paper."""
    branches: tuple[int, ...] = option((), at_least(2))
    """Branches in each stage, at most one more than in the one before; empty = 2 3 4 and so on."""
    blocks: int = option(4, at_least(1))
    """Residual blocks of a branch between two exchanges."""
    branch_blocks: tuple[int, ...] = option((), at_least(1))
    """The same for every branch, stage after stage: of 2, 3 and 4 branches nine numbers; empty =
    blocks everywhere."""
    branch_widths: tuple[int, ...] = option((), at_least(1))
    """Feature maps of every branch, stage after stage; empty = width, twice as many in each coarser
    one."""
    norm: Normalisation = option("bn")
    """in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a
    voxel)."""
    activation: Activation = option("relu")
    """Non-linearity."""
    z_down: tuple[int, ...] = option((), one_of(1, 2))
    """Z stride of the two stem convolutions and of the coarser branches; empty = 2 everywhere."""
    yx_down: tuple[int, ...] = option((), one_of(1, 2))
    """The same along y and x; empty = 2 everywhere."""
    biapy_compatible: bool = option(False)
    """BiaPy's blocks: no activation inside a block, and resizing that fits the outermost voxels
    of two grids to each other."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """Two halves in the stem, then one for each coarser branch."""
        return self.yx_down or (2,) * (1 + max(self.stages, default=1))

    @property
    def stages(self) -> tuple[int, ...]:
        """Branches in each stage."""
        return self.branches or tuple(range(2, 2 + len(self.modules)))

    def of_stages(self, values: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """A list of every branch, stage after stage, as one list for each stage."""
        ends = tuple(itertools.accumulate(self.stages, initial=0))
        return tuple(values[start:stop] for start, stop in itertools.pairwise(ends))

    @property
    def blocks_of(self) -> tuple[tuple[int, ...], ...]:
        """Residual blocks of each branch in each stage."""
        return self.of_stages(self.branch_blocks or (self.blocks,) * sum(self.stages))

    @property
    def widths_of(self) -> tuple[tuple[int, ...], ...]:
        """Feature maps of each branch in each stage."""
        usual = [self.width * 2**number for count in self.stages for number in range(count)]
        return self.of_stages(self.branch_widths or tuple(usual))

    @property
    def lists(self) -> Mapping[str, int]:
        """Steps down, stages, and branches of all stages."""
        down, every = 1 + max(self.stages, default=1), sum(self.stages)
        return {"branches": len(self.modules), "z_down": down, "yx_down": down,
                "branch_blocks": every, "branch_widths": every}  # fmt: skip

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Lists of another length, and branches that come from nowhere."""
        yield from super().problems(where)
        steps = itertools.pairwise((1, *self.stages))
        if any(after - before not in (0, 1) for before, after in steps):
            yield ConfigError(
                "a stage has as many branches as the one before, or one more",
                where=f"{where}.branches",
                expected="such as 2 3 4",
                found=self.branches,
            )


@section
class STUNet(Architecture):
    """STU-Net (Huang et al. 2023): residual stages with strided convolutions, in four sizes."""

    architecture: Annotated[Literal["stunet"], Hidden] = option("stunet")
    """Which network."""
    variant: Literal["small", "base", "large"] = option("base")
    """small, base, large: width and depth as published."""
    features: tuple[int, ...] = option((), at_least(1))
    """Feature maps of the stages, at least two; empty = those of the variant, of six stages."""
    depth: int = option(0, at_least(0))
    """Residual blocks per stage; 0 = those of the variant."""
    depths: tuple[int, ...] = option((), at_least(1))
    """The same for every stage; empty = depth everywhere."""
    kernels: tuple[int, ...] = option((), ODD)
    """Side of the kernels of every stage; empty = 3 everywhere."""
    norm: Normalisation = option("in")
    """in, bn, gn, ln: instance, batch, group, layer normalisation (ln over the channels of a
    voxel)."""
    activation: Activation = option("leaky_relu")
    """Non-linearity."""
    z_down: tuple[int, ...] = option((), one_of(1, 2))
    """Z stride of the steps down; empty = as along y and x."""
    yx_down: tuple[int, ...] = option((), one_of(1, 2))
    """Stride of the steps down along y and x; empty = 2 but for the last one, which is 1."""
    isotropic: tuple[bool, ...] = option(())
    """Per stage, False = kernel of size 1 along z; empty = True everywhere."""
    deep_supervision: bool = option(False)
    """In training, logits of every level of the decoder, the finest first."""
    biapy_compatible: bool = option(False)
    """BiaPy's heads: each sees no more than as many channels as the first head has."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """Halves; the last stage keeps the resolution."""
        return self.yx_down or (*(2,) * (self.stages - 2), 1)

    @property
    def stages(self) -> int:
        """How many there are."""
        return len(self.features) or STAGES

    @property
    def lists(self) -> Mapping[str, int]:
        """Steps down, and stages."""
        count = self.stages
        return {"z_down": count - 1, "yx_down": count - 1, "isotropic": count, "depths": count,
                "kernels": count}  # fmt: skip

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Lists of another length, and a single stage."""
        if self.stages < 2:
            yield ConfigError(
                "a single stage is no such network",
                where=f"{where}.features",
                expected="at least 2",
                found=self.features,
            )
        else:
            yield from super().problems(where)


@section
class Package(Architecture):
    """A trained network of anyone's: a BioImage.IO package or an ONNX file, for prediction only."""

    architecture: Annotated[Literal["bmz"], Hidden] = option("bmz")
    """Which network."""
    path: str = option("", PATH)
    """The package (.zip, or a folder with rdf.yaml) or the model (.onnx)."""
    axes: str = option("")
    """Axes of the model's input and output, e.g. bcyx; empty = as the file says."""
    links: Literal["", "apply", "applied"] = option("")
    """What the model gives: applied: values of the channels; apply: logits, to which the links of
    the channels are applied; empty = as the file says."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """Unknown before the file is opened."""
        return (1,)

    def problems(self, where: str) -> Iterator[ConfigError]:
        """There is no network without a file."""
        if not self.path:
            fix = f"--{where}.path FILE.zip, or FILE.onnx"
            yield ConfigError("no package given", where=f"{where}.path", fix=fix)
