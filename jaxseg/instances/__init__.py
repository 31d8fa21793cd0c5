"""From planes to objects, array by array: thresholds, seeds, flooding, cleaning.

Pure NumPy functions of any rank; ``jaxseg.decoding`` says which of them a representation needs.
"""

from jaxseg.instances.affinity_map import (
    edge_ends,
    loosest_edge,
    mean_edge,
    nearest_offsets,
    tightest_edge,
)
from jaxseg.instances.agglomeration import agglomerate, joined_ids
from jaxseg.instances.clustering import cluster
from jaxseg.instances.contacts import face_connected
from jaxseg.instances.difficulties import difficulties
from jaxseg.instances.enclosed import Mode, enclosed
from jaxseg.instances.flood import flood, flood_slices
from jaxseg.instances.fragments import (
    EMPTY,
    Ascents,
    ascent_reach,
    ascents,
    components,
    fragments_of,
)
from jaxseg.instances.morphology import morph
from jaxseg.instances.necks import necks
from jaxseg.instances.numbering import Numbered, numbered
from jaxseg.instances.objects import compact, drop_small, fill_holes
from jaxseg.instances.offset_map import offset_boundary, offset_centre, offset_size
from jaxseg.instances.region_graph import Contacts, added, contacts_of
from jaxseg.instances.seeds import label_seeds, untouched
from jaxseg.instances.star_shapes import rendered, star_package, suppressed
from jaxseg.instances.streamed import NoiseTest, streamed_otsu
from jaxseg.instances.thresholds import beyond, is_noise, otsu

__all__ = [
    "EMPTY",
    "Ascents",
    "Contacts",
    "Mode",
    "NoiseTest",
    "Numbered",
    "added",
    "agglomerate",
    "ascent_reach",
    "ascents",
    "beyond",
    "cluster",
    "compact",
    "components",
    "contacts_of",
    "difficulties",
    "drop_small",
    "edge_ends",
    "enclosed",
    "face_connected",
    "fill_holes",
    "flood",
    "flood_slices",
    "fragments_of",
    "is_noise",
    "joined_ids",
    "label_seeds",
    "loosest_edge",
    "mean_edge",
    "morph",
    "nearest_offsets",
    "necks",
    "numbered",
    "offset_boundary",
    "offset_centre",
    "offset_size",
    "otsu",
    "rendered",
    "star_package",
    "streamed_otsu",
    "suppressed",
    "tightest_edge",
    "untouched",
]
