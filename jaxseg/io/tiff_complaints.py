"""What tifffile logs where it should raise, and which of it means that the pixels are damaged."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jaxseg.io.stored import damaged

# Tags that say what the pixels are and where they lie.
STRUCTURE = {
    *(254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325),
    *(330, 338, 339, 347, 530, 532),
}
DESCRIPTION = 270
# Descriptions that tell the axes: a plain text may be in any encoding, these may not.
TELLING = ("ImageJ=", "<OME", '"shape"', "shape=")
TAG = re.compile(r"(?:TiffTag |tag #)(\d+)")
# Complaints about what programs add to the pixels.
HARMLESS = re.compile(
    r"<get_resolution>|imagej_metadata> raised|GDAL_NODATA|GeoKeyDirectoryTag|fluoview|uic_?tag|"
    r"uic1tag|STK Datetime|nuvu_tags|andor_tags|epics_tags|eer_xml|read_lsm|read_json|read_utf8|"
    r"read_colormap|read_micromanager|MMStack|NDTiff|ndtiff|scanimage|ScanImage|olympus_ini|"
    r"invalid self\.subfiletype|<tifffile\.read_tags>|unknown orientation"
)


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == threading.get_ident():
                found.append(record.getMessage())

    logger, collector = logging.getLogger("tifffile"), Collector(logging.WARNING)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = propagate


def refuse(found: list[str], name: str) -> None:
    """Raise the first complaint that concerns pixels, without tifffile's own name for the file.

    Raises
    ------
    InputError : such a complaint
    """
    for text in found:
        if not is_harmless(text):
            raise damaged(name, text.rpartition("> ")[2])


def is_harmless(text: str) -> bool:
    """Whether a complaint is about what the pixels do not depend on.

    >>> is_harmless("<tifffile.TiffTag 315 @8> coercing invalid ASCII to bytes, due to ...")
    True
    >>> is_harmless("<tifffile.TiffTag 273 @8> could not read all values")
    False
    """
    tag = TAG.search(text)
    if tag is None:
        return bool(HARMLESS.search(text))
    code = int(tag.group(1))
    if code == DESCRIPTION:
        return not any(word in text for word in TELLING)
    return code not in STRUCTURE
