"""Options of the random changes of a training patch, one dataclass for each change.

Ranges are pairs, lowest and highest, and need not be symmetric. Lengths are in voxels,
intensities in units of the normalised image.
"""

from __future__ import annotations

from typing import Literal

from jaxseg.config.limits import INSIDE, ODD, ORDERED, SHARE, above, at_least, at_most, between
from jaxseg.config.option import option, section

Range = tuple[float, float]
Count = tuple[int, int]


@section
class Chance:
    """How often a change happens; the options of every change extend this."""

    probability: float = option(0.5, between(0, 1))
    """Probability that a patch is changed in this way; 0 = off, and not in the compiled program."""


@section
class Rot90(Chance):
    """Turns by 90, 180 or 270 degrees in the yx plane; by 180 only where y and x differ."""

    probability: float = option(0.75, between(0, 1))
    """Probability of a turn; at 0.75 the four orientations are equally likely."""


@section
class Rotate(Chance):
    """Rotation in the yx plane."""

    degrees: Range = option((-180.0, 180.0), between(-360, 360), ORDERED)
    """Lowest and highest angle."""


@section
class Shear(Chance):
    """Shear in the yx plane, along y or along x."""

    degrees: Range = option((-20.0, 20.0), between(-80, 80), ORDERED)
    """Lowest and highest angle, within -80 and 80."""


@section
class Zoom(Chance):
    """Magnification about the centre of the patch."""

    factor: Range = option((0.8, 1.25), above(0), at_most(10), ORDERED)
    """Smallest and largest factor, its logarithm is uniform; above 1 objects become larger."""
    z: bool = option(False)
    """Zoom along z as well, by the same factor."""


@section
class Shift(Chance):
    """Displacement of the whole patch, drawn anew for each axis."""

    share: Range = option((-0.1, 0.1), between(-1, 1), ORDERED)
    """Lowest and highest displacement as a share of the side of the patch."""
    z: bool = option(False)
    """Displace along z as well."""


@section
class CropScale(Chance):
    """A random part of the patch, anywhere in it in the yx plane, enlarged to the whole patch."""

    scale: Range = option((0.5, 1.0), above(0), at_most(1), ORDERED)
    """Smallest and largest side of the part as a share of the side of the patch."""


@section
class Misalign(Chance):
    """A plane of a stack, or all planes from one on, out of place in yx; 3D only."""

    displacement: float = option(16.0, at_least(0))
    """Largest displacement along y and x, in voxels."""
    rotate_ratio: float = option(0.5, between(0, 1))
    """Probability that the planes are rotated instead, by as much as moves a corner that far."""


@section
class Elastic(Chance):
    """A smooth random deformation in the yx plane, the same in all planes of a stack."""

    alpha: Range = option((12.0, 16.0), at_least(0), ORDERED)
    """Lowest and highest factor of the smoothed noise, which was uniform in [-1, 1]."""
    sigma: float = option(4.0, above(0), at_most(1000))
    """Standard deviation of the Gaussian that smooths it, in voxels."""


@section
class CutOut(Chance):
    """Boxes in which the image has one value."""

    boxes: Count = option((1, 3), between(1, 1000), ORDERED)
    """Fewest and most boxes."""
    side: Range = option((0.05, 0.3), SHARE, ORDERED)
    """Smallest and largest side of a box as a share of the side of the patch."""
    value: float = option(0.0)
    """What the image becomes there."""
    truth: bool = option(False)
    """Make the labels 0 there as well."""


@section
class CutMix(Chance):
    """A box of another random patch, image and labels, pasted at the same place."""

    side: Range = option((0.2, 0.4), SHARE, ORDERED)
    """Smallest and largest side of the box as a share of the side of the patch."""


@section
class CutBlur(Chance):
    """A box in which the image has a coarser resolution, or all of it but the box."""

    side: Range = option((0.2, 0.4), SHARE, ORDERED)
    """Smallest and largest side of the box as a share of the side of the patch."""
    down: Count = option((2, 8), between(1, 1000), ORDERED)
    """Smallest and largest factor by which the resolution in yx is reduced."""
    inside_only: bool = option(True)
    """Blur the box; otherwise one of the two, box or surroundings, is drawn."""


@section
class CutNoise(Chance):
    """Boxes in which Gaussian noise is added."""

    boxes: Count = option((1, 3), between(1, 1000), ORDERED)
    """Fewest and most boxes."""
    side: Range = option((0.2, 0.4), SHARE, ORDERED)
    """Smallest and largest side of a box as a share of the side of the patch."""
    scale: Range = option((0.05, 0.1), at_least(0), ORDERED)
    """Standard deviation of the noise as a share of the range of intensities in the patch."""


@section
class GridMask(Chance):
    """A grid of squares in the yx plane in which the image is 0 (Chen et al. 2020)."""

    ratio: float = option(0.6, INSIDE)
    """Width of the visible bars between the squares as a share of the period."""
    period: Range = option((0.4, 1.0), SHARE, ORDERED)
    """Smallest and largest period as a share of the shorter side of the patch."""
    rotate: float = option(1.0, between(0, 1))
    """Largest rotation of the grid as a share of 360 degrees."""
    invert: bool = option(False)
    """Show the squares and empty the bars."""


@section
class MissingSections(Chance):
    """Planes of a stack that are 0; 3D only."""

    sections: Count = option((1, 3), at_least(1), ORDERED)
    """Fewest and most planes that are lost."""
    channel_probability: float = option(1.0, between(0, 1))
    """Probability of each channel of such a plane to be lost."""


@section
class DropOut(Chance):
    """Single voxels that are 0, in all channels."""

    share: Range = option((0.0, 0.2), between(0, 1), ORDERED)
    """Lowest and highest share of the voxels."""


@section
class Blur(Chance):
    """A Gaussian in the yx plane, the same for all channels."""

    limit: Range = option((0.0, 1.0), between(0, 100), ORDERED)
    """Lowest and highest standard deviation, in voxels."""


@section
class MedianBlur(Chance):
    """The median of a square in the yx plane."""

    size: Count = option((3, 7), ODD, at_most(99), ORDERED)
    """Smallest and largest side of the square, odd, in voxels."""


@section
class MotionBlur(Chance):
    """The mean along a straight line in the yx plane, in a random direction."""

    size: Count = option((8, 12), between(1, 1000), ORDERED)
    """Shortest and longest line, in voxels."""


@section
class Gamma(Chance):
    """The image to a power; negative values keep their sign."""

    limit: Range = option((0.8, 1.25), above(0), ORDERED)
    """Smallest and largest exponent, its logarithm is uniform."""


@section
class Contrast(Chance):
    """The deviation from the mean times a factor."""

    limit: Range = option((-0.2, 0.2), above(-1), ORDERED)
    """Lowest and highest change: the factor is 1 plus this, and must stay above 0."""
    by: Literal["image", "slice"] = option("image")
    """One factor and mean for the patch, or one for every plane of a stack."""


@section
class Brightness(Chance):
    """The image plus a constant."""

    limit: Range = option((-0.1, 0.1), ORDERED)
    """Lowest and highest constant."""
    by: Literal["image", "slice"] = option("image")
    """One constant for the patch, or one for every plane of a stack."""


@section
class Noise(Chance):
    """The image plus Gaussian noise."""

    limit: Range = option((0.0, 0.05), at_least(0), ORDERED)
    """Lowest and highest standard deviation."""
    mean: float = option(0.0)
    """Mean of the noise."""
    relative: bool = option(False)
    """Mean and deviation are in units of the deviation of the patch."""


@section
class Poisson(Chance):
    """Shot noise; negative intensities stay as they are."""

    peak: Range = option((20.0, 200.0), above(0), ORDERED)
    """Fewest and most photons at intensity 1, their logarithm is uniform."""


@section
class Impulse(Chance):
    """Voxels that become the largest value of the patch (salt) or the smallest one (pepper)."""

    amount: Range = option((0.0, 0.05), between(0, 1), ORDERED)
    """Lowest and highest share of the voxels."""


@section
class SaltAndPepper(Impulse):
    """Voxels that become the largest or the smallest value of the patch."""

    salt: float = option(0.5, between(0, 1))
    """Share of salt among them."""
