"""Options of synapses: where their annotations are, and how sites become pairs."""

from __future__ import annotations

from typing import Literal

from jaxseg.config.limits import at_least, matches
from jaxseg.config.option import option, section

INSIDE = matches(r"[^/].*", "a path inside the container, such as annotations/ids")
EVER = ("train", "evaluate")


@section
class Synapses:
    """Pairs of pre- and postsynaptic sites; sites are drawn, found and compared as points are."""

    ids: str = option("annotations/ids", INSIDE, read_by=EVER)
    """Dataset of the ids of all sites, in a Zarr store or HDF5 file of annotations."""
    types: str = option("annotations/types", matches(r"([^/].*)?", INSIDE.text), read_by=EVER)
    """Dataset of the type of every id, presynaptic_site or postsynaptic_site; empty = the files
    have none: sites are what the partners make of them."""
    locations: str = option("annotations/locations", INSIDE, read_by=EVER)
    """Dataset of the position of every id, (z)yx, in units; its attribute offset, or that of its
    group, is added."""
    partners: str = option("annotations/presynaptic_site/partners", INSIDE, read_by=EVER)
    """Dataset of the pairs, each the id of the presynaptic and of the postsynaptic site."""
    units: Literal["nm", "um"] = option("nm", read_by=("train", "predict", "create", "evaluate"))
    """Unit of locations and offsets, and of the attribute resolution of images, which is the size
    of a voxel unless data.spacing gives it."""
    pair_distance: float = option(0.0, at_least(0), read_by=("create",))
    """Longest distance in µm between a presynaptic site and where a postsynaptic one points;
    without vectors, between the two sites; 0 = any."""
    missing: Literal["unpaired", "create"] = option("unpaired", read_by=("create",))
    """What becomes of a postsynaptic site that points where no presynaptic site was found: it has
    no partner, or the site is created there, one for all that point within pair_distance of the
    surest of them, or where that is 0 within detection.min_distance."""
