"""What a row of the channel table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import jax

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
class ChannelSpec:
    """One row of the table: all that the library knows about a channel.

    ``options`` is always the dataclass of the channel in ``jaxseg.config.channels``, ``k`` the
    number of columns, ``...`` any leading axes.
    """

    # dimensions in which the channel exists
    ndims: tuple[int, ...] = (2, 3)
    # labels to true values
    target: Target
    # (ndim, options) to the number of columns that the network predicts
    width: Callable[[int, Any], int] = one
    # (ndim, options) to the number of columns of the true values
    target_width: Callable[[int, Any], int] = one
    # (logits (..., k), options) to values; the same in training, validation and prediction
    link: Callable[[jax.Array, Any], jax.Array]
    # (logits (..., k), target (..., k), options) to the loss of every voxel, (..., k) or (..., 1);
    # smallest where link(logits) equals the target; or what compares columns with whole objects
    loss: Callable[[jax.Array, jax.Array, Any], jax.Array] | Joint
    # (values, target, mask, options) to a loss of whole samples beside it, as numerator and
    # denominator (N,), or None where the options want none
    overlap: Callable[..., tuple[jax.Array, jax.Array] | None] | None = None
    # options to the voxels that count in the loss
    where: Callable[[Any], Literal["all", "foreground"]] = lambda options: "all"
    # values are yes or no: compared by IoU at 0.5; otherwise by the mean absolute error
    binary: bool
    # of several columns exactly one applies, the largest; compared column by column
    exclusive: bool = False
    # role in finding seeds: +1 high inside objects, -1 low inside, 0 none
    seed: int = 0
    # options to the threshold for seeds, in units of the channel; None = automatic
    seed_threshold: Callable[[Any], float | None] = automatic
    # (ndim, options) to the number of voxels by which it marks an object; such a channel gives the
    # seeds alone. None = it marks none
    mark_size: Callable[[int, Any], int] | None = None
    # how much a normalised value counts in the map whose peaks are seeds; 0 = it parts nothing
    relief: float = 0.0
    # values count from the middle of objects outwards
    from_centre: bool = False
    # rank as the mask that objects grow in, higher is preferred, 0 = never
    growth: int = 0
    # options to the threshold for that mask; None = automatic
    growth_threshold: Callable[[Any], float | None] = automatic
    # options to whether the values tell objects from the background; without, no such mask
    bounds: Callable[[Any], bool] = lambda options: True
    # whether objects are what lies between its voxels: a mask where no channel has a rank for it
    encloses: bool = False
    # rank as the surface that is flooded from the seeds, higher is preferred, 0 = never
    surface: int = 0
    # +1: flood the values as they are, low inside objects; -1: flood the negated values
    surface_sign: int = 1
    # (ndim, options) to how the columns move when the image is turned
    symmetry: Callable[[int, Any], Kind] = scalar
    # (name, ndim, options) to one name per column that the network predicts
    column_names: Callable[[str, int, Any], tuple[str, ...]] = own_name
