"""Options of which patches a training sees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ProbabilityMap:
    """Centres of training patches drawn voxel by voxel: so likely an object, so likely not."""

    enable: bool = False
    """draw centres from the map, in place of data.foreground"""
    w_foreground: float = 0.94
    """weight of all voxels of objects of an image together; all are equally likely"""
    w_background: float = 0.06
    """weight of all other voxels of the image together"""
    save: bool = False
    """write the map of every training image to results/<run>/probability_map"""
