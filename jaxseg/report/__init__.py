"""Pictures and tables of results; drawing and tabulating only, files are written elsewhere."""

from jaxseg.report.changes import Example, compared, examples
from jaxseg.report.class_tables import class_matching_table, show_class_matching
from jaxseg.report.classes import class_overlay
from jaxseg.report.coloured import coloured
from jaxseg.report.lines import drawn_lines
from jaxseg.report.marks import marked
from jaxseg.report.overlay import overlay, point_overlay
from jaxseg.report.panels import scale_of, shown, slice_indices
from jaxseg.report.tables import (
    beside,
    matching_table,
    show_classes,
    show_matching,
    text_table,
)
from jaxseg.report.tuning import show_tuning
from jaxseg.report.verdict import Verdict, judged

__all__ = [
    "Example",
    "Verdict",
    "beside",
    "class_matching_table",
    "class_overlay",
    "coloured",
    "compared",
    "drawn_lines",
    "examples",
    "judged",
    "marked",
    "matching_table",
    "overlay",
    "point_overlay",
    "scale_of",
    "show_class_matching",
    "show_classes",
    "show_matching",
    "show_tuning",
    "shown",
    "slice_indices",
    "text_table",
]
