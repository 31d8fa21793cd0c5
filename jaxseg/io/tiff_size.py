"""The size of a voxel from the metadata of a TIFF file: ImageJ's or OME's.

The resolution tags of other TIFF files are not used: most programs write the dots per inch of a
screen there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import tifffile

from jaxseg.errors import InputError
from jaxseg.io.units import voxel_size


def tiff_voxel_size(file: tifffile.TiffFile, name: str) -> Mapping[str, float]:
    """µm per voxel along Z, Y and X, as far as the file says; empty if it does not."""
    if file.is_ome and file.ome_metadata:
        return ome_voxel_size(file.ome_metadata, name)
    if file.is_imagej:
        return imagej_voxel_size(file.imagej_metadata or {}, file.pages.first, name)
    return {}


def ome_voxel_size(xml: str, name: str) -> Mapping[str, float]:
    """PhysicalSizeX, Y and Z of the first image, in their units; µm where no unit is given."""
    pixels = next(
        (item for item in ElementTree.fromstring(xml).iter() if item.tag.endswith("}Pixels")), None
    )
    found: dict[str, float] = {}
    for axis in "ZYX" if pixels is not None else "":
        value = pixels.get(f"PhysicalSize{axis}")  # type: ignore[union-attr]
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")  # type: ignore[union-attr]
        if value is not None:
            found |= voxel_size({axis: _number(value, name)}, unit, name)
    return found


def imagej_voxel_size(
    metadata: Mapping[str, Any], page: tifffile.TiffPage, name: str
) -> Mapping[str, float]:
    """Resolution tags and ``spacing``; ImageJ leaves out a spacing of 1."""
    scale = {"Z": _number(metadata.get("spacing", 1.0), name)}
    for axis, tag in (("Y", "YResolution"), ("X", "XResolution")):
        per_unit, over = page.tags[tag].value if tag in page.tags else (1, 1)
        scale[axis] = over / per_unit if per_unit else float("inf")
    return voxel_size(scale, str(metadata.get("unit", "pixel")), name)


def _number(text: object, name: str) -> float:
    """A number that metadata give as text."""
    try:
        return float(str(text))
    except ValueError as error:
        raise InputError("a voxel size that is no number", file=name, found=repr(text)) from error
