"""Losses as pure functions of predicted and true values, voxel by voxel or sample by sample."""

from jaxseg.losses.balance import balance_weights
from jaxseg.losses.embeddings import (
    SHARPNESS,
    Embedding,
    Objects,
    embedding_losses,
    embedding_overlap,
    kernel,
    narrowness,
)
from jaxseg.losses.levels import at_level, level_steps, level_weights
from jaxseg.losses.lovasz import lovasz_hinge
from jaxseg.losses.overlap import soft_dice, tversky
from jaxseg.losses.voxelwise import (
    absolute_error,
    binary_cross_entropy,
    binary_divergence,
    cross_entropy,
    focal,
    squared_error,
)

__all__ = [
    "SHARPNESS",
    "Embedding",
    "Objects",
    "absolute_error",
    "at_level",
    "balance_weights",
    "binary_cross_entropy",
    "binary_divergence",
    "cross_entropy",
    "embedding_losses",
    "embedding_overlap",
    "focal",
    "kernel",
    "level_steps",
    "level_weights",
    "lovasz_hinge",
    "narrowness",
    "soft_dice",
    "squared_error",
    "tversky",
]
