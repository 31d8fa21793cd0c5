"""From folders of images and labels to batches of patches."""

from jaxseg.data.components import components, split_components
from jaxseg.data.label_index import LabelIndex, index_labels
from jaxseg.data.masks import emptiness_problems, mask_problems, warn_of_absent, zero_or_one
from jaxseg.data.patches import Batch, Place, batch, grid, grid_batch, read_patch
from jaxseg.data.prefetch import prefetch
from jaxseg.data.samples import (
    Opened,
    Sample,
    cached,
    channel_problems,
    class_problems,
    empty_index,
    open_samples,
)
from jaxseg.data.split import describe_split, split
from jaxseg.data.statistics import LabelStatistics, label_statistics

__all__ = [
    "Batch",
    "LabelIndex",
    "LabelStatistics",
    "Opened",
    "Place",
    "Sample",
    "batch",
    "cached",
    "channel_problems",
    "class_problems",
    "components",
    "describe_split",
    "emptiness_problems",
    "empty_index",
    "grid",
    "grid_batch",
    "index_labels",
    "label_statistics",
    "mask_problems",
    "open_samples",
    "prefetch",
    "read_patch",
    "split",
    "split_components",
    "warn_of_absent",
    "zero_or_one",
]
