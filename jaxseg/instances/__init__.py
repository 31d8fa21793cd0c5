"""From planes to objects, array by array: thresholds, seeds, flooding, cleaning.

Pure NumPy functions of any rank; ``jaxseg.decoding`` says which of them a representation needs.
"""

from jaxseg.instances.affinity_map import loosest_edge, nearest_offsets, tightest_edge
from jaxseg.instances.enclosed import Mode, enclosed
from jaxseg.instances.flood import flood, flood_slices
from jaxseg.instances.necks import necks
from jaxseg.instances.objects import compact, drop_small, fill_holes
from jaxseg.instances.offset_map import offset_boundary, offset_centre, offset_size
from jaxseg.instances.seeds import label_seeds, untouched
from jaxseg.instances.thresholds import beyond, is_noise, otsu

__all__ = [
    "Mode",
    "beyond",
    "compact",
    "drop_small",
    "enclosed",
    "fill_holes",
    "flood",
    "flood_slices",
    "is_noise",
    "label_seeds",
    "loosest_edge",
    "nearest_offsets",
    "necks",
    "offset_boundary",
    "offset_centre",
    "offset_size",
    "otsu",
    "tightest_edge",
    "untouched",
]
