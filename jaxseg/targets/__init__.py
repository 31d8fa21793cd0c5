"""From labels to what a network learns: pure functions, exact in 2D and 3D, at home inside jit.

Labels are integers, 0 is background; on the device they are int32 and compact, ids 1..K. Images of
any integer type given as NumPy arrays are made so first. No function modifies its input, and each
is defined for no object, one object, and an object that covers everything.
"""

from jaxseg.targets.affinities import (
    Offsets,
    affinities,
    half_neighborhood,
    partner_inside,
    set_apart,
)
from jaxseg.targets.borders import border_weights
from jaxseg.targets.boundaries import boundary, boundary_or_foreground, touching
from jaxseg.targets.centre_distances import centre_distance, centre_gaussian
from jaxseg.targets.distances import boundary_distance, signed_distance
from jaxseg.targets.embeddings import object_centres, place_steps, voxel_places
from jaxseg.targets.flows import flow
from jaxseg.targets.footprint import ellipsoid, radii
from jaxseg.targets.ids import compact
from jaxseg.targets.markers import markers
from jaxseg.targets.masks import background, foreground
from jaxseg.targets.nearest import other_label_distance
from jaxseg.targets.neighbours import neighbour_closeness, other_object_distance
from jaxseg.targets.offsets import centre_offset
from jaxseg.targets.rays import radial_distances, ray_directions, ray_unit
from jaxseg.targets.semantic import class_planes
from jaxseg.targets.shifts import shifted
from jaxseg.targets.sites import LEVELS, Sites, partner_offset, site_closeness

__all__ = [
    "LEVELS",
    "Offsets",
    "Sites",
    "affinities",
    "background",
    "border_weights",
    "boundary",
    "boundary_distance",
    "boundary_or_foreground",
    "centre_distance",
    "centre_gaussian",
    "centre_offset",
    "class_planes",
    "compact",
    "ellipsoid",
    "flow",
    "foreground",
    "half_neighborhood",
    "markers",
    "neighbour_closeness",
    "object_centres",
    "other_label_distance",
    "other_object_distance",
    "partner_inside",
    "partner_offset",
    "place_steps",
    "radial_distances",
    "radii",
    "ray_directions",
    "ray_unit",
    "set_apart",
    "shifted",
    "signed_distance",
    "site_closeness",
    "touching",
    "voxel_places",
]
