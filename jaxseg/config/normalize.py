"""How intensities are scaled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jaxseg.config.limits import RISING, above, between, lengths
from jaxseg.config.option import option, section
from jaxseg.errors import ConfigError


@section
class Normalize:
    """Intensity scaling; statistics are fitted once per image or data set, never per patch."""

    method: Literal["percentile", "zscore", "range", "dtype", "none"] = option("percentile")
    """percentile: the two percentiles become 0 and 1; zscore: mean 0, standard deviation 1; range:
    the smallest and the largest value become 0 and 1; dtype: divide by the largest value of the
    integer type, and floating point by the first of 1, 255 and 65535 that no value exceeds."""
    percentiles: tuple[float, float] = option((1.0, 99.8), between(0, 100), RISING)
    """Percentiles that map to 0 and 1."""
    clip: tuple[float, ...] = option((), lengths(0, 2), between(0, 100), RISING)
    """Two percentiles beyond which values are clipped first, with any method; empty = none."""
    mean: tuple[float, ...] = option(())
    """For zscore, the mean of every channel, or one for all; empty = measured."""
    deviation: tuple[float, ...] = option((), above(0))
    """For zscore, the standard deviation of every channel, or one for all; empty = measured."""
    scope: Literal["image", "dataset"] = option("image")
    """One set of statistics per image, or one for all training images that also serves new ones."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Numbers of another method, or one of two that belong together."""
        if (self.mean or self.deviation) and self.method != "zscore":
            yield ConfigError(
                "mean and deviation are given, but the method does not use them",
                file=f"{where}.method",
                expected="zscore",
                found=self.method,
            )
        elif len(self.mean) != len(self.deviation):
            yield ConfigError(
                "mean and deviation must both be given, one for all channels or one for each",
                file=f"{where}.deviation",
                expected=f"{len(self.mean)} numbers",
                found=len(self.deviation),
            )
