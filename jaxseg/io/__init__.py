"""Files: reading images and labels lazily, writing results whole or not at all."""

from jaxseg.io.artifacts import (
    read_arrays,
    write_arrays,
    write_csv,
    write_json,
    write_png,
    write_text,
)
from jaxseg.io.atomic import (
    atomic_path,
    move_complete,
    move_or_drop,
    new_folder,
    sync_entry,
)
from jaxseg.io.bounds import check_whole
from jaxseg.io.formats import FORMATS, Format, format_named
from jaxseg.io.label_type import smallest_label_type
from jaxseg.io.leftovers import sweep
from jaxseg.io.names import container_of, image_name, list_images, stem_of
from jaxseg.io.ngff_store import level_names, open_for_writing, write_levels
from jaxseg.io.ngff_write import create_planes, make_labels, make_planes, write_labels_zarr
from jaxseg.io.pairs import Pair, described, pair_by_order, pair_files
from jaxseg.io.sealed import read_sealed, write_sealed
from jaxseg.io.size_table import read_sizes, size_table
from jaxseg.io.stored import Stored
from jaxseg.io.tiff_write import write_image_tiff, write_labels_tiff, write_rgb_tiff
from jaxseg.io.values import Changed
from jaxseg.io.volumes import open_image, open_labelled_classes, open_labels

__all__ = [
    "FORMATS",
    "Changed",
    "Format",
    "Pair",
    "Stored",
    "atomic_path",
    "check_whole",
    "container_of",
    "create_planes",
    "described",
    "format_named",
    "image_name",
    "level_names",
    "list_images",
    "make_labels",
    "make_planes",
    "move_complete",
    "move_or_drop",
    "new_folder",
    "open_for_writing",
    "open_image",
    "open_labelled_classes",
    "open_labels",
    "pair_by_order",
    "pair_files",
    "read_arrays",
    "read_sealed",
    "read_sizes",
    "size_table",
    "smallest_label_type",
    "stem_of",
    "sweep",
    "sync_entry",
    "write_arrays",
    "write_csv",
    "write_image_tiff",
    "write_json",
    "write_labels_tiff",
    "write_labels_zarr",
    "write_levels",
    "write_png",
    "write_rgb_tiff",
    "write_sealed",
    "write_text",
]
