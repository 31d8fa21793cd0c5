"""After decoding: filters on planes, refinement of objects, removal by what was measured.

Pure NumPy functions of any rank. None of them depends on ids: renaming objects renames them in the
result and does nothing else.
"""

from jaxseg.postprocessing.conditions import judge, remove_judged, removed_ids, survivors
from jaxseg.postprocessing.extents import reach_of, removed_by
from jaxseg.postprocessing.median import median_filter, median_filters
from jaxseg.postprocessing.morphology import dilate, erode
from jaxseg.postprocessing.refine import refine
from jaxseg.postprocessing.removal import (
    clear_border,
    remove_large_objects,
    remove_small_objects,
    without,
)
from jaxseg.postprocessing.repair import (
    Contacts,
    absorbable,
    faces_of,
    filled_where,
    repair_large,
    targets,
)
from jaxseg.postprocessing.voronoi import voronoi

__all__ = [
    "Contacts",
    "absorbable",
    "clear_border",
    "dilate",
    "erode",
    "faces_of",
    "filled_where",
    "judge",
    "median_filter",
    "median_filters",
    "reach_of",
    "refine",
    "remove_judged",
    "remove_large_objects",
    "remove_small_objects",
    "removed_by",
    "removed_ids",
    "repair_large",
    "survivors",
    "targets",
    "voronoi",
    "without",
]
