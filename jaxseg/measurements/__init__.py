"""Measurements of objects in physical units."""

from jaxseg.measurements.perimeter import perimeters
from jaxseg.measurements.surface import surface_areas
from jaxseg.measurements.table import measure

__all__ = ["measure", "perimeters", "surface_areas"]
