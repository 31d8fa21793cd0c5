"""The size of a voxel from the metadata of a TIFF file: ImageJ's or OME's.

The resolution tags of other TIFF files are not used: most programs write the dots per inch of a
screen there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import tifffile

from jaxseg.io.units import Length, unreadable


def tiff_voxel_size(file: tifffile.TiffFile) -> Mapping[str, Length]:
    """The length of a voxel along Z, Y and X, as far as the file says; empty if it does not."""
    if file.is_ome and file.ome_metadata:
        return ome_voxel_size(file.ome_metadata)
    if file.is_imagej:
        return imagej_voxel_size(file.imagej_metadata or {}, file.pages.first)
    return {}


def ome_voxel_size(xml: str) -> Mapping[str, Length]:
    """PhysicalSizeX, Y and Z of the first image, in their units; µm where no unit is given."""
    try:
        elements = ElementTree.fromstring(xml).iter()
    except (ElementTree.ParseError, ValueError):
        return unreadable("ZYX", "the OME text of the file cannot be read")
    pixels = next((item for item in elements if item.tag.endswith("}Pixels")), None)
    found: dict[str, Length] = {}
    for axis in "ZYX" if pixels is not None else "":
        value = pixels.get(f"PhysicalSize{axis}")  # type: ignore[union-attr]
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")  # type: ignore[union-attr]
        if value is not None:
            found[axis] = _length(value, unit, axis)
    return found


def imagej_voxel_size(metadata: Mapping[str, Any], page: tifffile.TiffPage) -> Mapping[str, Length]:
    """Resolution tags and ``spacing``, with units that may differ along y and z.

    ImageJ leaves out a spacing of 1, and the units of y and z where they are those of x. Other
    programs that write in its way forget the spacing: where it is left out beside pixels of another
    size than 1, it is not known.
    """
    unit = str(metadata.get("unit", "pixel"))
    found: dict[str, Length] = {}
    for axis, tag, word in (("Y", "YResolution", "yunit"), ("X", "XResolution", "unit")):
        try:
            per_unit, over = page.tags[tag].value if tag in page.tags else (1, 1)
            step = over / per_unit if per_unit else math.inf
        except (TypeError, ValueError):
            step = math.nan
        found[axis] = Length(step, str(metadata.get(word, unit)))
    if "spacing" in metadata or found["X"].value == 1:
        word = str(metadata.get("zunit", unit))
        found["Z"] = _length(metadata.get("spacing", 1.0), word, "Z")
    return found


def _length(text: object, unit: str, axis: str) -> Length:
    """A number that metadata give as text."""
    try:
        return Length(float(str(text)), unit)
    except ValueError:
        return Length(
            math.nan, unit, f"the voxel size along {axis} is no number: {str(text)[:40]!r}"
        )
