"""Measurements of objects in physical units."""

from jaxseg.measurements.extra import extra_column_names, extra_columns, extra_problems
from jaxseg.measurements.parts import MARGIN, Part, measure_part, measured
from jaxseg.measurements.perimeter import perimeters
from jaxseg.measurements.surface import surface_areas
from jaxseg.measurements.table import measure

__all__ = [
    "MARGIN",
    "Part",
    "extra_column_names",
    "extra_columns",
    "extra_problems",
    "measure",
    "measure_part",
    "measured",
    "perimeters",
    "surface_areas",
]
