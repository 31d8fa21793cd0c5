"""How intensities are scaled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jaxseg.config.limits import RISING, above, between, lengths
from jaxseg.config.option import option, section
from jaxseg.errors import ConfigError


@section
class Normalize:
    """Intensity scaling."""

    method: Literal["percentile", "zscore", "range", "dtype", "none"] = option("percentile")
    """percentile: the two percentiles become 0 and 1; zscore: mean 0, standard deviation 1; range:
    the smallest and the largest value become 0 and 1; dtype: divide by the largest value of the
    integer type, and floating point by the first of 1, 255 and 65535 that no value exceeds."""
    percentiles: tuple[float, float] = option((1.0, 99.8), between(0, 100), RISING)
    """Percentiles that map to 0 and 1."""
    clip: tuple[float, ...] = option((), lengths(0, 2), between(0, 100), RISING)
    """Two percentiles beyond which values are clipped first, with any method; empty = none."""
    clip_low: tuple[float, ...] = option(())
    """In place of the lower percentile, the value below which values are clipped, one for all
    channels or one for each; empty = none."""
    clip_high: tuple[float, ...] = option(())
    """The same for the upper percentile."""
    mean: tuple[float, ...] = option(())
    """For zscore, the mean of every channel, or one for all; empty = measured."""
    deviation: tuple[float, ...] = option((), above(0))
    """For zscore, the standard deviation of every channel, or one for all; empty = measured."""
    scope: Literal["image", "dataset", "patch"] = option("image")
    """One set of statistics per image; or one for all training images that also serves new ones; or
    one per training patch and, in prediction, per tile, so that results depend on the tiles and
    neighbouring tiles may not agree."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Numbers of another method, or one of two that belong together."""
        yield from self._clip_problems(where)
        if self.scope == "patch" and (self.method in ("dtype", "none") or self.mean):
            yield ConfigError(
                "nothing is measured in a patch",
                where=f"{where}.scope",
                expected="image, or percentile, zscore or range without given numbers",
                found=f"patch with {self.method}",
            )
        if (self.mean or self.deviation) and self.method != "zscore":
            yield ConfigError(
                "mean and deviation are given, but the method does not use them",
                where=f"{where}.method",
                expected="zscore",
                found=self.method,
            )
        elif len(self.mean) != len(self.deviation):
            yield ConfigError(
                "mean and deviation must both be given, one for all channels or one for each",
                where=f"{where}.deviation",
                expected=f"{len(self.mean)} numbers",
                found=len(self.deviation),
            )

    def _clip_problems(self, where: str) -> Iterator[ConfigError]:
        low, high = self.clip_low, self.clip_high
        if len(low) != len(high):
            yield ConfigError(
                "clip_low and clip_high must both be given, one for all channels or one for each",
                where=f"{where}.clip_high",
                expected=f"{len(low)} numbers",
                found=len(high),
            )
        elif any(one >= other for one, other in zip(low, high, strict=True)):
            yield ConfigError(
                "the lower value is not below the upper one",
                where=f"{where}.clip_low",
                expected=f"below {high}",
                found=low,
            )
        if low and self.clip:
            yield ConfigError(
                "values and percentiles to clip at",
                where=f"{where}.clip, {where}.clip_low",
                fix="give one of them",
            )
