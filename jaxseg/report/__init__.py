"""Tables and pictures of results."""

from jaxseg.report.overlay import class_overlay, overlay
from jaxseg.report.tables import matching_table, show_classes, show_matching

__all__ = ["class_overlay", "matching_table", "overlay", "show_classes", "show_matching"]
