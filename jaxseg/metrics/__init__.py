"""Comparison of predicted with true labels, object by object and voxel by voxel."""

from jaxseg.metrics.aggregate import Aggregate, aggregate
from jaxseg.metrics.associations import Associations, associations
from jaxseg.metrics.by_class import ClassMatching, matching_by_class
from jaxseg.metrics.matching import Matching, matching
from jaxseg.metrics.voxels import ClassCounts, class_counts, dice, iou, iou_per_class

__all__ = [
    "Aggregate",
    "Associations",
    "ClassCounts",
    "ClassMatching",
    "Matching",
    "aggregate",
    "associations",
    "class_counts",
    "dice",
    "iou",
    "iou_per_class",
    "matching",
    "matching_by_class",
]
