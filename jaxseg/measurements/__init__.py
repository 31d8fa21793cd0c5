"""Measurements of objects in physical units."""

from jaxseg.measurements.extra import extra_columns, extra_problems
from jaxseg.measurements.perimeter import perimeters
from jaxseg.measurements.surface import surface_areas
from jaxseg.measurements.table import measure

__all__ = ["extra_columns", "extra_problems", "measure", "perimeters", "surface_areas"]
