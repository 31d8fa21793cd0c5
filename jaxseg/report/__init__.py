"""Pictures and tables of results; drawing and tabulating only, files are written elsewhere."""

from jaxseg.report.classes import class_overlay
from jaxseg.report.coloured import coloured
from jaxseg.report.overlay import overlay
from jaxseg.report.tables import beside, matching_table, show_classes, show_matching

__all__ = [
    "beside",
    "class_overlay",
    "coloured",
    "matching_table",
    "overlay",
    "show_classes",
    "show_matching",
]
