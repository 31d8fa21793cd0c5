"""What is done to images before their intensities are scaled, in this order."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.limits import ODD, PATH, at_least, between, lengths
from jaxseg.config.option import option, section
from jaxseg.errors import ConfigError


@section
class Clahe:
    """Contrast limited adaptive histogram equalisation, of each channel."""

    enable: bool = option(False)
    """Equalise the histogram."""
    kernel: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1))
    """Sides of the regions whose histograms count, (z)yx, in voxels; empty = an eighth of the
    image."""
    clip_limit: float = option(0.01, between(0, 1))
    """The larger, the more contrast."""


@section
class Canny:
    """Edges, 0 or 255, in place of the image; plane by plane."""

    enable: bool = option(False)
    """Find edges."""
    sigma: float = option(1.0, at_least(0))
    """Standard deviation of the Gaussian that comes first, in voxels."""
    low: float = option(-1.0, at_least(0).or_(-1))
    """Lower threshold of the gradient; -1 = a tenth of the range of the type."""
    high: float = option(-1.0, at_least(0).or_(-1))
    """Upper threshold of the gradient; -1 = a fifth of the range of the type."""


@section
class Preprocess:
    """What is done to images before their intensities are scaled, in this order.

    Training, validation and test images are treated alike; they are held in memory.
    """

    resize: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1))
    """Size of all images, (z)yx, in voxels: linear interpolation, labels by the nearest voxel.
    Labels and classes that are found are written at the size of the image as well, beside those of
    this size. Empty = as they are."""
    gaussian: tuple[float, ...] = option((), lengths(0, 1, 2, 3), at_least(0))
    """Standard deviation of a Gaussian in voxels, one or one for each axis, (z)yx; empty = none."""
    median: tuple[int, ...] = option((), lengths(0, 1, 2, 3), ODD)
    """Sides of the box of a median filter, one or one for each axis, (z)yx; empty = none."""
    match_histogram: str = option("", PATH)
    """Image or folder of images: intensities are changed so that their histogram is that of these,
    channel by channel; empty = none."""
    clahe: Clahe = option(Clahe())
    """Contrast limited adaptive histogram equalisation."""
    canny: Canny = option(Canny())
    """Edges in place of the image."""

    @property
    def any(self) -> bool:
        """Whether anything is done."""
        filters = self.resize or self.gaussian or self.median or self.match_histogram
        return bool(filters or self.clahe.enable or self.canny.enable)

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Thresholds in the wrong order."""
        low, high = self.canny.low, self.canny.high
        if self.canny.enable and -1 not in (low, high) and low > high:
            yield ConfigError(
                "the lower threshold is above the upper one",
                where=f"{where}.canny.low",
                expected=f"at most {high}",
                found=low,
            )
