"""Losses as pure functions of predicted and true values, voxel by voxel or sample by sample."""

from jaxseg.losses.balance import balance_weights
from jaxseg.losses.levels import at_level, level_steps, level_weights
from jaxseg.losses.overlap import soft_dice
from jaxseg.losses.voxelwise import (
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    squared_error,
)

__all__ = [
    "absolute_error",
    "at_level",
    "balance_weights",
    "binary_cross_entropy",
    "cross_entropy",
    "level_steps",
    "level_weights",
    "soft_dice",
    "squared_error",
]
