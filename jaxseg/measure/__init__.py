"""Measurements of objects in physical units."""

from jaxseg.measure.perimeter import perimeters
from jaxseg.measure.surface import surface_areas
from jaxseg.measure.table import measure

__all__ = ["measure", "perimeters", "surface_areas"]
