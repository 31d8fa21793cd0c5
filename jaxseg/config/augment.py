"""Which random changes a training patch undergoes, and rows for changes of your own.

An option class is on by default, so that ``Augment(elastic=Elastic())`` turns it on; in
:class:`Augment` most have probability 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

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

Kind = Literal["turn", "affine", "field", "patch", "intensity"]
Border = Literal["reflect", "symmetric", "wrap", "constant"]
OFF = 0.0


@dataclass(frozen=True)
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
    """what it is called; the name gives its random stream"""
    kind: Kind
    """what it changes"""
    apply: Callable[..., Any]
    """the function"""
    options: Chance = field(default_factory=Chance)
    """its probability and ranges"""
    volumes_only: bool = False
    """whether it needs a stack of planes"""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random changes of a training patch, on the device; targets are computed afterwards."""

    enable: bool = True
    """change the training patches at all"""
    border: Border = "reflect"
    """what lies beyond the border of a patch that is rotated or deformed: a mirror image (with
    symmetric the outermost voxels twice), the patch again, or zeros"""
    flip_z: Chance = field(default_factory=Chance)
    """mirror along z, in volumes"""
    flip_y: Chance = field(default_factory=Chance)
    """mirror along y"""
    flip_x: Chance = field(default_factory=Chance)
    """mirror along x"""
    rot90: Rot90 = field(default_factory=Rot90)
    """quarter turns"""
    rotate: Rotate = field(default_factory=lambda: Rotate(probability=OFF))
    """rotation by any angle"""
    shear: Shear = field(default_factory=lambda: Shear(probability=OFF))
    """shear"""
    zoom: Zoom = field(default_factory=lambda: Zoom(probability=OFF))
    """zoom"""
    shift: Shift = field(default_factory=lambda: Shift(probability=OFF))
    """displacement"""
    crop_scale: CropScale = field(default_factory=lambda: CropScale(probability=OFF))
    """a random part, enlarged"""
    misalign: Misalign = field(default_factory=lambda: Misalign(probability=OFF))
    """misaligned planes"""
    elastic: Elastic = field(default_factory=lambda: Elastic(probability=OFF))
    """elastic deformation"""
    cutmix: CutMix = field(default_factory=lambda: CutMix(probability=OFF))
    """boxes of other patches"""
    blur: Blur = field(default_factory=lambda: Blur(probability=OFF))
    """Gaussian blur"""
    median_blur: MedianBlur = field(default_factory=lambda: MedianBlur(probability=OFF))
    """median filter"""
    motion_blur: MotionBlur = field(default_factory=lambda: MotionBlur(probability=OFF))
    """motion blur"""
    gamma: Gamma = field(default_factory=lambda: Gamma(probability=1.0))
    """gamma"""
    contrast: Contrast = field(default_factory=lambda: Contrast(probability=1.0))
    """contrast"""
    brightness: Brightness = field(default_factory=lambda: Brightness(probability=1.0))
    """brightness"""
    grayscale: Chance = field(default_factory=lambda: Chance(probability=OFF))
    """all channels become the luminance (three channels) or the mean of the channels"""
    channel_shuffle: Chance = field(default_factory=lambda: Chance(probability=OFF))
    """channels in a random order"""
    noise: Noise = field(default_factory=lambda: Noise(probability=1.0))
    """Gaussian noise"""
    poisson: Poisson = field(default_factory=lambda: Poisson(probability=OFF))
    """shot noise"""
    salt: Impulse = field(default_factory=lambda: Impulse(probability=OFF))
    """bright voxels"""
    pepper: Impulse = field(default_factory=lambda: Impulse(probability=OFF))
    """dark voxels"""
    salt_and_pepper: SaltAndPepper = field(default_factory=lambda: SaltAndPepper(probability=OFF))
    """bright and dark voxels"""
    dropout: DropOut = field(default_factory=lambda: DropOut(probability=OFF))
    """lost voxels"""
    cutblur: CutBlur = field(default_factory=lambda: CutBlur(probability=OFF))
    """boxes of low resolution"""
    cutnoise: CutNoise = field(default_factory=lambda: CutNoise(probability=OFF))
    """boxes with noise"""
    cutout: CutOut = field(default_factory=lambda: CutOut(probability=OFF))
    """boxes without content"""
    grid_mask: GridMask = field(default_factory=lambda: GridMask(probability=OFF))
    """grid of masked squares"""
    missing_sections: MissingSections = field(
        default_factory=lambda: MissingSections(probability=OFF)
    )
    """planes that are lost"""
    extra: tuple[Augmentation, ...] = ()
    """changes of your own, applied after the others of their kind"""
    show: int = 0
    """pairs of pictures, before and after, written to results/<run>/aug when training starts"""

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
