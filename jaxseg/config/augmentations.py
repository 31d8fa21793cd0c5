"""Options of the random changes of a training patch, one dataclass for each change.

Ranges are pairs, lowest and highest, and need not be symmetric. Lengths are in voxels,
intensities in units of the normalised image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Range = tuple[float, float]
Count = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How often a change happens; the options of every change extend this."""

    probability: float = 0.5
    """probability that a patch is changed in this way; 0 = off, and not in the compiled program"""


@dataclass(frozen=True, kw_only=True)
class Rot90(Chance):
    """Turns by 90, 180 or 270 degrees in the yx plane; by 180 only where y and x differ."""

    probability: float = 0.75
    """probability of a turn; at 0.75 the four orientations are equally likely"""


@dataclass(frozen=True, kw_only=True)
class Rotate(Chance):
    """Rotation in the yx plane."""

    degrees: Range = (-180.0, 180.0)
    """lowest and highest angle"""


@dataclass(frozen=True, kw_only=True)
class Shear(Chance):
    """Shear in the yx plane, along y or along x."""

    degrees: Range = (-20.0, 20.0)
    """lowest and highest angle, within -80 and 80"""


@dataclass(frozen=True, kw_only=True)
class Zoom(Chance):
    """Magnification about the centre of the patch."""

    factor: Range = (0.8, 1.25)
    """smallest and largest factor, its logarithm is uniform; above 1 objects become larger"""
    z: bool = False
    """zoom along z as well, by the same factor"""


@dataclass(frozen=True, kw_only=True)
class Shift(Chance):
    """Displacement of the whole patch, drawn anew for each axis."""

    share: Range = (-0.1, 0.1)
    """lowest and highest displacement as a share of the side of the patch"""
    z: bool = False
    """displace along z as well"""


@dataclass(frozen=True, kw_only=True)
class CropScale(Chance):
    """A random part of the patch, anywhere in it in the yx plane, enlarged to the whole patch."""

    scale: Range = (0.5, 1.0)
    """smallest and largest side of the part as a share of the side of the patch"""


@dataclass(frozen=True, kw_only=True)
class Misalign(Chance):
    """A plane of a stack, or all planes from one on, out of place in yx; 3D only."""

    displacement: float = 16.0
    """largest displacement along y and x, in voxels"""
    rotate_ratio: float = 0.5
    """probability that the planes are rotated instead, by as much as moves a corner that far"""


@dataclass(frozen=True, kw_only=True)
class Elastic(Chance):
    """A smooth random deformation in the yx plane, the same in all planes of a stack."""

    alpha: Range = (12.0, 16.0)
    """lowest and highest factor of the smoothed noise, which was uniform in [-1, 1]"""
    sigma: float = 4.0
    """standard deviation of the Gaussian that smooths it, in voxels"""


@dataclass(frozen=True, kw_only=True)
class CutOut(Chance):
    """Boxes in which the image has one value."""

    boxes: Count = (1, 3)
    """fewest and most boxes"""
    side: Range = (0.05, 0.3)
    """smallest and largest side of a box as a share of the side of the patch"""
    value: float = 0.0
    """what the image becomes there"""
    truth: bool = False
    """make the labels 0 there as well"""


@dataclass(frozen=True, kw_only=True)
class CutMix(Chance):
    """A box of another random patch, image and labels, pasted at the same place."""

    side: Range = (0.2, 0.4)
    """smallest and largest side of the box as a share of the side of the patch"""


@dataclass(frozen=True, kw_only=True)
class CutBlur(Chance):
    """A box in which the image has a coarser resolution, or all of it but the box."""

    side: Range = (0.2, 0.4)
    """smallest and largest side of the box as a share of the side of the patch"""
    down: Count = (2, 8)
    """smallest and largest factor by which the resolution in yx is reduced"""
    inside_only: bool = True
    """blur the box; otherwise one of the two, box or surroundings, is drawn"""


@dataclass(frozen=True, kw_only=True)
class CutNoise(Chance):
    """Boxes in which Gaussian noise is added."""

    boxes: Count = (1, 3)
    """fewest and most boxes"""
    side: Range = (0.2, 0.4)
    """smallest and largest side of a box as a share of the side of the patch"""
    scale: Range = (0.05, 0.1)
    """standard deviation of the noise as a share of the range of intensities in the patch"""


@dataclass(frozen=True, kw_only=True)
class GridMask(Chance):
    """A grid of squares in the yx plane in which the image is 0 (Chen et al. 2020)."""

    ratio: float = 0.6
    """width of the visible bars between the squares as a share of the period"""
    period: Range = (0.4, 1.0)
    """smallest and largest period as a share of the shorter side of the patch"""
    rotate: float = 1.0
    """largest rotation of the grid as a share of 360 degrees"""
    invert: bool = False
    """show the squares and empty the bars"""


@dataclass(frozen=True, kw_only=True)
class MissingSections(Chance):
    """Planes of a stack that are 0; 3D only."""

    sections: Count = (1, 3)
    """fewest and most planes that are lost"""
    channel_probability: float = 1.0
    """probability of each channel of such a plane to be lost"""


@dataclass(frozen=True, kw_only=True)
class DropOut(Chance):
    """Single voxels that are 0, in all channels."""

    share: Range = (0.0, 0.2)
    """lowest and highest share of the voxels"""


@dataclass(frozen=True, kw_only=True)
class Blur(Chance):
    """A Gaussian in the yx plane, the same for all channels."""

    limit: Range = (0.0, 1.0)
    """lowest and highest standard deviation, in voxels"""


@dataclass(frozen=True, kw_only=True)
class MedianBlur(Chance):
    """The median of a square in the yx plane."""

    size: Count = (3, 7)
    """smallest and largest side of the square, odd, in voxels"""


@dataclass(frozen=True, kw_only=True)
class MotionBlur(Chance):
    """The mean along a straight line in the yx plane, in a random direction."""

    size: Count = (8, 12)
    """shortest and longest line, in voxels"""


@dataclass(frozen=True, kw_only=True)
class Gamma(Chance):
    """The image to a power; negative values keep their sign."""

    limit: Range = (0.8, 1.25)
    """smallest and largest exponent, its logarithm is uniform"""


@dataclass(frozen=True, kw_only=True)
class Contrast(Chance):
    """The deviation from the mean times a factor."""

    limit: Range = (-0.2, 0.2)
    """lowest and highest change: the factor is 1 plus this, and must stay above 0"""
    by: Literal["image", "slice"] = "image"
    """one factor and mean for the patch, or one for every plane of a stack"""


@dataclass(frozen=True, kw_only=True)
class Brightness(Chance):
    """The image plus a constant."""

    limit: Range = (-0.1, 0.1)
    """lowest and highest constant"""
    by: Literal["image", "slice"] = "image"
    """one constant for the patch, or one for every plane of a stack"""


@dataclass(frozen=True, kw_only=True)
class Noise(Chance):
    """The image plus Gaussian noise."""

    limit: Range = (0.0, 0.05)
    """lowest and highest standard deviation"""
    mean: float = 0.0
    """mean of the noise"""
    relative: bool = False
    """mean and deviation are in units of the deviation of the patch"""


@dataclass(frozen=True, kw_only=True)
class Poisson(Chance):
    """Shot noise; negative intensities stay as they are."""

    peak: Range = (20.0, 200.0)
    """fewest and most photons at intensity 1, their logarithm is uniform"""


@dataclass(frozen=True, kw_only=True)
class Impulse(Chance):
    """Voxels that become the largest value of the patch (salt) or the smallest one (pepper)."""

    amount: Range = (0.0, 0.05)
    """lowest and highest share of the voxels"""


@dataclass(frozen=True, kw_only=True)
class SaltAndPepper(Impulse):
    """Voxels that become the largest or the smallest value of the patch."""

    salt: float = 0.5
    """share of salt among them"""
