"""Comparison of predicted with true labels, object by object and voxel by voxel."""

from jaxseg.metrics.aggregate import Aggregate, aggregate
from jaxseg.metrics.associations import Associations, associations
from jaxseg.metrics.crop import cropped
from jaxseg.metrics.matching import Matching, matching
from jaxseg.metrics.overlap import Overlap, overlap
from jaxseg.metrics.voxels import ClassCounts, class_counts, dice, iou, iou_per_class

__all__ = [
    "Aggregate",
    "Associations",
    "ClassCounts",
    "Matching",
    "Overlap",
    "aggregate",
    "associations",
    "class_counts",
    "cropped",
    "dice",
    "iou",
    "iou_per_class",
    "matching",
    "overlap",
]
