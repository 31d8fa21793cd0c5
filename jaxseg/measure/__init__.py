"""Measurements of objects in physical units."""

from jaxseg.measure.extra import extra_column_names, extra_columns, extra_problems
from jaxseg.measure.parts import MARGIN, Part, measure_part, measured
from jaxseg.measure.perimeter import perimeters
from jaxseg.measure.surface import surface_areas
from jaxseg.measure.table import measure

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
