"""HRNet (Wang et al. 2021): branches of several resolutions side by side."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import HRNet
from jaxseg.config.architectures import steps
from jaxseg.models.convolutions import Conv
from jaxseg.models.heads import Logits, logits_of
from jaxseg.models.model import Model, as_model, is_local, mark
from jaxseg.models.normalization import Norm
from jaxseg.models.recipes import RECIPES
from jaxseg.models.resize import linear, linear_between_ends
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape

STEM = 64
BOTTLENECKS = 4
EXPANSION = 4


class NormConv(nn.Module):
    """Convolution without bias and normalisation, then the activation where it is wanted."""

    features: int
    size: int
    style: Style
    active: bool = True
    strides: Shape | None = None

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S / strides, features)."""
        kernel = (self.size,) * (image.ndim - 2)
        conv = Conv(self.features, kernel, self.style, self.strides, bias=False, name="conv")
        norm = Norm(self.style, name="norm")
        return norm(image, train=train, activate=self.active, after=conv)


class Block(nn.Module):
    """The sum of the input and of some convolutions upon it."""

    widths: tuple[int, ...]
    sizes: tuple[int, ...]
    """Kernel of each convolution."""
    style: Style
    biapy_compatible: bool

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S, last of widths)."""
        change, style, last = image, self.style, len(self.widths) - 1
        for index, (width, size) in enumerate(zip(self.widths, self.sizes, strict=True)):
            active = index < last and not self.biapy_compatible
            change = NormConv(width, size, style, active, name=f"conv_{index}")(change, train=train)
        if image.shape[-1] != self.widths[-1]:
            shortcut = NormConv(self.widths[-1], 1, style, False, name="shortcut")
            image = shortcut(image, train=train)
        activation = "relu" if self.biapy_compatible else style.activation
        return RECIPES[style.recipe].add(change, image, activation)


class HRNetModule(nn.Module):
    """Stem, bottlenecks, stages of more and more branches, and heads."""

    config: HRNet
    heads: tuple[int, ...]
    strides: tuple[Shape, ...]
    """Of the two stem convolutions and of the coarser branches."""
    style: Style

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        config, style, peer = self.config, self.style, self.config.biapy_compatible
        for index, stride in enumerate(self.strides[:2]):
            active = index > 0 or not peer
            stem = NormConv(STEM, 3, style, active, stride, name=f"stem_{index}")
            image = stem(image, train=train)
        for index in range(BOTTLENECKS):
            widths = (STEM, STEM, EXPANSION * STEM)
            block = Block(widths, (1, 3, 1), style, peer, name=f"bottleneck_{index}")
            image = block(image, train=train)
        branches = [image]
        for stage, modules in enumerate(config.modules):
            branches = self._widen(stage, branches, train)
            for module in range(modules):
                branches = self._exchange(stage, module, branches, train)
        views = [self._resize(view, number, 0) for number, view in enumerate(branches)]
        logits = logits_of([jnp.concatenate(views, axis=-1)], self.heads, style)
        return linear(logits, product(self.strides[:2]))

    def _widen(self, stage: int, branches: list[jax.Array], train: bool) -> list[jax.Array]:
        """The widths that a stage wants; a branch that is new in it is out of the coarsest one."""
        result, widths = [], self.config.widths_of[stage]
        for number, branch in enumerate(branches):
            wanted = widths[number]
            if branch.shape[-1] != wanted:
                conv = NormConv(wanted, 3, self.style, name=f"widen_{stage}_{number}")
                branch = conv(branch, train=train)
            result.append(branch)
        number = len(branches)
        if number == len(widths):
            return result
        stride, name = self.strides[number + 1], f"widen_{stage}_{number}"
        conv = NormConv(widths[number], 3, self.style, True, stride, name=name)
        return [*result, conv(branches[-1], train=train)]

    def _exchange(
        self, stage: int, module: int, branches: list[jax.Array], train: bool
    ) -> list[jax.Array]:
        """Residual blocks on each branch, then each branch the sum of all."""
        config, style, own, name = self.config, self.style, [], f"stage_{stage}_{module}"
        sizes = zip(config.widths_of[stage], config.blocks_of[stage], strict=True)
        for number, (branch, (width, blocks)) in enumerate(zip(branches, sizes, strict=True)):
            for index in range(blocks):
                at = f"{name}_branch_{number}_{index}"
                block = Block((width, width), (3, 3), style, config.biapy_compatible, name=at)
                branch = block(branch, train=train)
            own.append(mark(branch))
        places, result = range(len(own)), []
        for target in places:
            brought = [self._bring(name, own, source, target, train) for source in places]
            *others, last = brought
            total = functools.reduce(jnp.add, others)
            result.append(mark(RECIPES[style.recipe].add(total, last, style.activation)))
        return result

    def _bring(
        self, name: str, branches: list[jax.Array], source: int, target: int, train: bool
    ) -> jax.Array:
        """A branch in the resolution and width of another one."""
        image, width = branches[source], branches[target].shape[-1]
        name = f"{name}_from_{source}_to_{target}"
        if source > target:
            image = NormConv(width, 1, self.style, False, name=name)(image, train=train)
            return self._resize(image, source, target)
        reductions = early(self.strides[source + 2 : target + 2])
        for index, stride in enumerate(reductions):
            last = index == len(reductions) - 1
            features = width if last else image.shape[-1]
            at = f"{name}_{index}"
            conv = NormConv(features, 3, self.style, not last, stride, name=at)
            image = conv(image, train=train)
        return image

    def _resize(self, image: jax.Array, source: int, target: int) -> jax.Array:
        """A coarser branch in the size of a finer one."""
        resize = linear_between_ends if self.config.biapy_compatible else linear
        return resize(image, product(self.strides[target + 2 : source + 2], image.ndim - 2))


def product(strides: Sequence[Shape], ndim: int = 0) -> Shape:
    """The reduction of some steps in a row, for each axis.

    >>> product([(1, 2), (2, 2)]), product([], 2)
    ((2, 4), (1, 1))
    """
    return tuple(map(math.prod, zip(*strides, strict=True))) or (1,) * ndim


def early(strides: Sequence[Shape]) -> list[Shape]:
    """The same reduction in as many steps, each axis as early as possible.

    >>> early([(1, 2), (2, 2)])
    [(2, 2), (1, 2)]
    """
    return list(
        zip(*(sorted(axis, reverse=True) for axis in zip(*strides, strict=True)), strict=True)
    )


def halo_of(config: HRNet, strides: Sequence[Shape]) -> Shape:
    """A bound of the receptive radius, for each axis: along the coarsest branch all the way."""
    radii = []
    for axis in zip(*strides, strict=True):
        stem, quarter = 1 + axis[0], axis[0] * axis[1]
        reach, coarse = stem + BOTTLENECKS * quarter, quarter
        stages = zip(config.modules, config.stages, config.blocks_of, strict=True)
        for modules, branches, blocks in stages:
            reach += coarse  # the convolution that makes the new branch
            coarse = math.prod(axis[: branches + 1])
            # Two convolutions a block, strided ones to the next branch, interpolation back.
            reach += modules * coarse * (2 * max(blocks) + 2)
        radii.append(reach + 2 * coarse + quarter)
    return tuple(radii)


def build(config: HRNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    strides = steps(config, ndim)
    module = HRNetModule(config, heads, strides, style)
    local = is_local(style) and not config.biapy_compatible
    halo = halo_of(config, strides)
    return as_model(module, halo, product(strides), local=local, remat=remat)
