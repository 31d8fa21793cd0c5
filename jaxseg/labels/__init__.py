"""Labels in, labels or tables out: cleaning, numbering, morphology, removal, repair, counting.

Pure NumPy functions of any rank; none of them depends on the ids: renaming objects renames them in
the result and does nothing else.
"""

from jaxseg.labels.conditions import judge, remove_judged, removed_ids, survivors
from jaxseg.labels.contacts import face_connected
from jaxseg.labels.crop import cropped, inner
from jaxseg.labels.difficulties import difficulties
from jaxseg.labels.extents import reach_of, removed_by
from jaxseg.labels.masks import morph
from jaxseg.labels.morphology import dilate, erode
from jaxseg.labels.numbering import Numbered, numbered
from jaxseg.labels.objects import compact, drop_small, fill_holes
from jaxseg.labels.overlap import Overlap, overlap
from jaxseg.labels.refine import refine
from jaxseg.labels.removal import clear_border, remove_large_objects, remove_small_objects, without
from jaxseg.labels.repair import Faces, absorbable, absorbing, faces_of, filled_where, repair_large
from jaxseg.labels.tally import Tally, merged, tally
from jaxseg.labels.unknown import cleared, hidden_objects, without_unknown
from jaxseg.labels.voronoi import voronoi
from jaxseg.labels.votes import Votes, majority, painted

__all__ = [
    "Faces",
    "Numbered",
    "Overlap",
    "Tally",
    "Votes",
    "absorbable",
    "absorbing",
    "clear_border",
    "cleared",
    "compact",
    "cropped",
    "difficulties",
    "dilate",
    "drop_small",
    "erode",
    "face_connected",
    "faces_of",
    "fill_holes",
    "filled_where",
    "hidden_objects",
    "inner",
    "judge",
    "majority",
    "merged",
    "morph",
    "numbered",
    "overlap",
    "painted",
    "reach_of",
    "refine",
    "remove_judged",
    "remove_large_objects",
    "remove_small_objects",
    "removed_by",
    "removed_ids",
    "repair_large",
    "survivors",
    "tally",
    "voronoi",
    "without",
    "without_unknown",
]
