"""Comparison of predicted with true labels, object by object and voxel by voxel."""

from jaxseg.metrics.aggregate import Aggregate, aggregate
from jaxseg.metrics.associations import Associations, associations
from jaxseg.metrics.by_class import ClassMatching, matching_by_class
from jaxseg.metrics.crop import cropped, inner
from jaxseg.metrics.matching import Matching, matching
from jaxseg.metrics.overlap import Overlap, overlap
from jaxseg.metrics.tally import Tally, merged, tally
from jaxseg.metrics.unknown import cleared, hidden_objects, without_unknown
from jaxseg.metrics.votes import Votes, majority, painted
from jaxseg.metrics.voxels import ClassCounts, class_counts, dice, iou, iou_per_class

__all__ = [
    "Aggregate",
    "Associations",
    "ClassCounts",
    "ClassMatching",
    "Matching",
    "Overlap",
    "Tally",
    "Votes",
    "aggregate",
    "associations",
    "class_counts",
    "cleared",
    "cropped",
    "dice",
    "hidden_objects",
    "inner",
    "iou",
    "iou_per_class",
    "majority",
    "matching",
    "matching_by_class",
    "merged",
    "overlap",
    "painted",
    "tally",
    "without_unknown",
]
