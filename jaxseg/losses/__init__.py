"""Losses as pure functions of predicted and true values, voxel by voxel or sample by sample."""

from jaxseg.losses.overlap import soft_dice
from jaxseg.losses.voxelwise import (
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    squared_error,
)

__all__ = [
    "absolute_error",
    "binary_cross_entropy",
    "cross_entropy",
    "soft_dice",
    "squared_error",
]
