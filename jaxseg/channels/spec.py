"""What a row of the channel table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import jax

from jaxseg.config.channel_options import ChannelOptions
from jaxseg.symmetry import Kind, Scalar

Parts = dict[str, tuple[jax.Array, jax.Array]]


class Target(Protocol):
    """The true values of a channel."""

    def __call__(
        self,
        labels: Any,
        *,
        spacing: Any,
        options: Any,
        max_distance: Any,
        max_label: Any,
        classes: Any,
    ) -> tuple[jax.Array, jax.Array | None]:
        """(*S) int labels to (*S, k) float32 and which of them are known, (*S, k) bool or None."""


class Joint(NamedTuple):
    """Loss and metric of a channel whose columns are compared with objects, not with planes.

    Both are functions of (values (N, *S, k), labels (N, *S), counts (N, *S), *, options, spacing,
    objects), and give numerators and denominators (N,) by name. The loss carries the weights of
    the options.
    """

    loss: Callable[..., Parts]
    metric: Callable[..., Parts]


def one(*_: Any) -> int:
    """A single column."""
    return 1


def own_name(name: str, ndim: int, options: Any) -> tuple[str, ...]:
    """The name of the channel, for its single column."""
    return (name,)


def automatic(options: Any) -> float | None:
    """A threshold found from the histogram of the values."""
    return None


def always(threshold: float) -> Callable[[Any], float | None]:
    """The same threshold whatever the options."""
    return lambda options: threshold


def scalar(ndim: int, options: Any) -> Kind:
    """Columns that only move with their voxels."""
    return Scalar()


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What a channel means to the watershed; by default nothing."""

    seed: int = 0
    """Role in finding seeds: +1 high inside objects, -1 low inside, 0 none."""
    seed_threshold: Callable[[Any], float | None] = automatic
    """Options to the threshold for seeds, in units of the channel; None = automatic."""
    mark_size: Callable[[int, Any], int] | None = None
    """(ndim, options) to the number of voxels by which it marks an object; such a channel gives the
    seeds alone. None = it marks none."""
    relief: float = 0.0
    """How much a normalised value counts in the map whose peaks are seeds; 0 = it parts nothing."""
    from_centre: bool = False
    """Values count from the middle of objects outwards."""
    growth: int = 0
    """Rank as the mask that objects grow in, higher is preferred, 0 = never."""
    growth_threshold: Callable[[Any], float | None] = automatic
    """Options to the threshold for that mask; None = automatic."""
    bounds: Callable[[Any], bool] = lambda options: True
    """Options to whether the values tell objects from the background; without, no such mask."""
    encloses: bool = False
    """Objects are what lies between its voxels: a mask where no channel has a rank for it."""
    surface: int = 0
    """Rank as the surface that is flooded from the seeds, higher is preferred, 0 = never."""
    surface_sign: int = 1
    """+1: flood the values as they are, low inside objects; -1: flood the negated values."""


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """One row of the table: all that the library knows about a channel.

    ``options`` of functions is always an object of the class ``options``, ``k`` the number of
    columns, ``...`` any leading axes. A row of your own needs no registration:
    ``ch("X", spec=ChannelSpec(...))``.
    """

    options: type[ChannelOptions] = ChannelOptions
    """The class of its options, which says what rules between channels need to know."""
    ndims: tuple[int, ...] = (2, 3)
    """Dimensions in which the channel exists."""
    target: Target
    """Labels to true values."""
    width: Callable[[int, Any], int] = one
    """(ndim, options) to the number of columns that the network predicts."""
    target_width: Callable[[int, Any], int] = one
    """(ndim, options) to the number of columns of the true values."""
    link: Callable[[jax.Array, Any], jax.Array]
    """(logits (..., k), options) to values; the same in training, validation and prediction."""
    loss: Callable[[jax.Array, jax.Array, Any], jax.Array] | Joint
    """(logits (..., k), target (..., k), options) to the loss of every voxel, (..., k) or (..., 1);
    smallest where link(logits) equals the target; or what compares columns with whole objects."""
    overlap: Callable[..., tuple[jax.Array, jax.Array] | None] | None = None
    """(values, target, mask, options) to a loss of whole samples beside it, as numerator and
    denominator (N,), or None where the options want none."""
    where: Callable[[Any], Literal["all", "foreground"]] = lambda options: "all"
    """Options to the voxels that count in the loss."""
    binary: bool = False
    """Values are yes or no: compared by IoU at 0.5; otherwise by the mean absolute error."""
    symmetry: Callable[[int, Any], Kind] = scalar
    """(ndim, options) to how the columns move when the image is turned."""
    column_names: Callable[[str, int, Any], tuple[str, ...]] = own_name
    """(name, ndim, options) to one name per column that the network predicts."""
    watershed: Roles = Roles()
    """What the watershed makes of it."""

    @property
    def exclusive(self) -> bool:
        """Whether of several columns exactly one applies, the largest."""
        return self.options.exclusive
