"""From folders of images and labels to batches of patches."""

from jaxseg.data.caching import cached
from jaxseg.data.components import components, split_components
from jaxseg.data.extent import object_sides, short_patch
from jaxseg.data.filters import filter_samples, patch_filter, tile_filter
from jaxseg.data.label_index import LabelIndex, index_labels
from jaxseg.data.masks import (
    emptiness_problems,
    mask_problems,
    masks_in,
    warn_of_absent,
    zero_or_one,
)
from jaxseg.data.patches import Batch, Place, batch, epoch_batch, grid, grid_batch, read_patch
from jaxseg.data.prefetch import prefetch
from jaxseg.data.preprocess import preprocess, reference_of
from jaxseg.data.probability import probability_map, save_probability_maps
from jaxseg.data.samples import (
    Opened,
    Sample,
    channel_problems,
    class_problems,
    empty_index,
    open_samples,
)
from jaxseg.data.split import describe_split, k_fold, split
from jaxseg.data.stack import STACK, Stacked, stack_of, stack_problems
from jaxseg.data.statistics import LabelStatistics, label_statistics

__all__ = [
    "STACK",
    "Batch",
    "LabelIndex",
    "LabelStatistics",
    "Opened",
    "Place",
    "Sample",
    "Stacked",
    "batch",
    "cached",
    "channel_problems",
    "class_problems",
    "components",
    "describe_split",
    "emptiness_problems",
    "empty_index",
    "epoch_batch",
    "filter_samples",
    "grid",
    "grid_batch",
    "index_labels",
    "k_fold",
    "label_statistics",
    "mask_problems",
    "masks_in",
    "object_sides",
    "open_samples",
    "patch_filter",
    "prefetch",
    "preprocess",
    "probability_map",
    "read_patch",
    "reference_of",
    "save_probability_maps",
    "short_patch",
    "split",
    "split_components",
    "stack_of",
    "stack_problems",
    "tile_filter",
    "warn_of_absent",
    "zero_or_one",
]
