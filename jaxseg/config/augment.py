"""Which random changes a training patch undergoes, and rows for changes of your own.

An option class is on by default, so that ``Augment(elastic=Elastic())`` turns it on; in
:class:`Augment` most have probability 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Annotated, Any, Literal

import tyro

from jaxseg.config.augmentations import (
    Blur,
    Brightness,
    Chance,
    Contrast,
    CropScale,
    CutBlur,
    CutMix,
    CutNoise,
    CutOut,
    DropOut,
    Elastic,
    Gamma,
    GridMask,
    Impulse,
    MedianBlur,
    Misalign,
    MissingSections,
    MotionBlur,
    Noise,
    Poisson,
    Rot90,
    Rotate,
    SaltAndPepper,
    Shear,
    Shift,
    Zoom,
)
from jaxseg.config.limits import between
from jaxseg.config.option import option, section, shown
from jaxseg.errors import ConfigError

Kind = Literal["turn", "affine", "field", "patch", "intensity"]
Border = Literal["reflect", "symmetric", "wrap", "constant"]
OFF = 0.0


@section(kw_only=False)
class Augmentation:
    """A row of the table of changes, or one of your own in ``Augment(extra=...)``.

    ``apply`` gets a random key, and by name the fields of ``options`` except ``probability``:

    - turn: ``(key, ndim=, square=) -> Turn``, mirrored and exchanged axes
    - affine: ``(key, shape=) -> Affine``, where the voxels of the result come from
    - field: ``(key, shape=) -> (2, Y, X)`` displacements in yx, in voxels
    - patch: ``(key, image, truth) -> (image, truth)``, both changed in any way
    - intensity: ``(key, image (*S, C)) -> (*S, C)``, the truth stays

    All turns become one, and all affine changes and fields one resampling of the patch. The key
    follows from the name alone. The configuration stores ``apply`` as ``module:name``.
    """

    name: str
    """What it is called; the name gives its random stream."""
    kind: Kind
    """What it changes."""
    apply: Callable[..., Any]
    """The function."""
    options: Chance = option(Chance())
    """Its probability and ranges."""
    volumes_only: bool = option(False)
    """Whether it needs a stack of planes."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """A function that a saved configuration cannot name."""
        if not hasattr(self.apply, "__qualname__"):
            yield ConfigError(
                "not a function with a name",
                where=f"{where}.apply",
                expected="a function that a module defines with def",
                found=shown(self.apply),
            )


@section
class Augment:
    """Random changes of a training patch, on the device; targets are computed afterwards."""

    enable: bool = option(True)
    """Change the training patches at all."""
    border: Border = option("reflect")
    """What lies beyond the border of a patch that is rotated or deformed: a mirror image (with
    symmetric the outermost voxels twice), the patch again, or zeros."""
    flip_z: Chance = option(Chance())
    """Mirror along z, in volumes."""
    flip_y: Chance = option(Chance())
    """Mirror along y."""
    flip_x: Chance = option(Chance())
    """Mirror along x."""
    rot90: Rot90 = option(Rot90())
    """Quarter turns."""
    rotate: Rotate = option(Rotate(probability=OFF))
    """Rotation by any angle."""
    shear: Shear = option(Shear(probability=OFF))
    """Shear in the yx plane."""
    zoom: Zoom = option(Zoom(probability=OFF))
    """Zoom in the yx plane, or along z, too."""
    shift: Shift = option(Shift(probability=OFF))
    """Displacement."""
    crop_scale: CropScale = option(CropScale(probability=OFF))
    """A random part, enlarged."""
    misalign: Misalign = option(Misalign(probability=OFF))
    """Misaligned planes."""
    elastic: Elastic = option(Elastic(probability=OFF))
    """Elastic deformation."""
    cutmix: CutMix = option(CutMix(probability=OFF))
    """Boxes of other patches."""
    blur: Blur = option(Blur(probability=OFF))
    """Gaussian blur."""
    median_blur: MedianBlur = option(MedianBlur(probability=OFF))
    """Median filter."""
    motion_blur: MotionBlur = option(MotionBlur(probability=OFF))
    """Motion blur."""
    gamma: Gamma = option(Gamma(probability=1.0))
    """Exponents of the intensities."""
    contrast: Contrast = option(Contrast(probability=1.0))
    """Changes of contrast."""
    brightness: Brightness = option(Brightness(probability=1.0))
    """Brightness."""
    grayscale: Chance = option(Chance(probability=OFF))
    """All channels become the luminance (three channels) or the mean of the channels."""
    channel_shuffle: Chance = option(Chance(probability=OFF))
    """Channels in a random order."""
    noise: Noise = option(Noise(probability=1.0))
    """Gaussian noise."""
    poisson: Poisson = option(Poisson(probability=OFF))
    """Shot noise."""
    salt: Impulse = option(Impulse(probability=OFF))
    """Bright voxels."""
    pepper: Impulse = option(Impulse(probability=OFF))
    """Dark voxels."""
    salt_and_pepper: SaltAndPepper = option(SaltAndPepper(probability=OFF))
    """Bright and dark voxels."""
    dropout: DropOut = option(DropOut(probability=OFF))
    """Lost voxels."""
    cutblur: CutBlur = option(CutBlur(probability=OFF))
    """Boxes of low resolution."""
    cutnoise: CutNoise = option(CutNoise(probability=OFF))
    """Boxes with noise."""
    cutout: CutOut = option(CutOut(probability=OFF))
    """Boxes without content."""
    grid_mask: GridMask = option(GridMask(probability=OFF))
    """Grid of masked squares."""
    missing_sections: MissingSections = option(MissingSections(probability=OFF))
    """Planes that are lost."""
    extra: Annotated[tuple[Augmentation, ...], tyro.conf.Suppress] = option(())
    """Changes of your own, applied after the others of their kind."""
    show: int = option(0, between(0, 1000), read_by=())
    """Pairs of pictures, before and after, written to results/<run>/aug when training starts."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Changes with the same name, which would have the same random stream."""
        taken = {item.name for item in fields(self)}
        for number, row in enumerate(self.extra):
            if row.name in taken:
                yield ConfigError(
                    "there is already a change of this name",
                    where=f"{where}.extra.{number}.name",
                    expected="a name of its own",
                    found=row.name,
                )
            taken.add(row.name)

    def without(self, *names: str) -> Augment:
        """The same options with some changes off.

        >>> Augment().without("gamma", "noise").gamma.probability
        0.0
        """
        own = {
            name: replace(getattr(self, name), probability=OFF)
            for name in names
            if any(item.name == name for item in fields(self))
        }
        extra = tuple(
            replace(row, options=replace(row.options, probability=OFF))
            if row.name in names
            else row
            for row in self.extra
        )
        return replace(self, **own, extra=extra)

    def growth(self, ndim: int) -> tuple[float, ...]:
        """How many times larger an object can become along each axis, (z)yx, at least 1.

        >>> Augment(zoom=Zoom(factor=(0.5, 2.0))).growth(3)
        (1.0, 2.0, 2.0)
        """
        if not self.enable:
            return (1.0,) * ndim
        plane = depth = 1.0
        if self.zoom.probability:
            plane *= max(self.zoom.factor[1], 1.0)
            depth *= max(self.zoom.factor[1], 1.0) if self.zoom.z else 1.0
        if self.crop_scale.probability:
            plane /= min(self.crop_scale.scale)
        if self.shear.probability:
            # The larger singular value of a shear.
            slope = math.tan(math.radians(max(map(abs, self.shear.degrees))))
            plane *= slope / 2 + math.hypot(slope / 2, 1)
        if self.elastic.probability:
            # Four standard deviations of the slope of white noise under a Gaussian.
            slope = 4 * max(self.elastic.alpha) / (self.elastic.sigma**2 * math.sqrt(24 * math.pi))
            plane /= 1 - min(slope, 0.5)
        return (depth,) * (ndim - 2) + (plane, plane)
