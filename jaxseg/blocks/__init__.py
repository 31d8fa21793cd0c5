"""Volumes larger than memory, block by block, with a result that does not depend on the blocks.

The pure functions are in ``grid``, ``contacts`` and ``numbering``; ``ledger`` and ``store`` keep
what is done on disk; ``creation`` and ``merging`` are the stages, ``measuring``, ``properties``,
``tallies`` and ``objects`` those after them, ``engine`` runs them.
"""

from jaxseg.blocks.classes import classes_work, open_classes
from jaxseg.blocks.cluster import run_on_cluster
from jaxseg.blocks.contacts import contacts, same_objects
from jaxseg.blocks.creation import creation_work, open_creation, pieces_of
from jaxseg.blocks.engine import BlocksFailed, Work, run_blocks, stopped
from jaxseg.blocks.fragments import fragments_work, shared_voxels, with_reach
from jaxseg.blocks.graph import graph_work, joined_work, open_graph, open_joined
from jaxseg.blocks.grid import Block, BlockGrid, shard_of
from jaxseg.blocks.ledger import (
    BlockDamaged,
    Ledger,
    failed,
    finished,
    known_file,
    ledgers,
    open_ledger,
    read_ledger,
    record_of,
    require,
    tidy,
)
from jaxseg.blocks.measuring import measurements, measuring_work, open_measurements
from jaxseg.blocks.merging import contacts_work, labels_work, open_contacts, open_labels
from jaxseg.blocks.numbering import Numbering, number_objects
from jaxseg.blocks.objects import (
    Extents,
    around_objects,
    extents,
    nearby,
    objects_work,
    open_objects,
    renamed,
)
from jaxseg.blocks.planes import BlockSink, open_planes, regions
from jaxseg.blocks.properties import open_properties, properties, properties_work
from jaxseg.blocks.publishing import publish
from jaxseg.blocks.store import chunk_of, faults, known_of, open_data, undo_damaged
from jaxseg.blocks.tallies import open_tallies, tallied, tally_work

__all__ = [
    "Block",
    "BlockDamaged",
    "BlockGrid",
    "BlockSink",
    "BlocksFailed",
    "Extents",
    "Ledger",
    "Numbering",
    "Work",
    "around_objects",
    "chunk_of",
    "classes_work",
    "contacts",
    "contacts_work",
    "creation_work",
    "extents",
    "failed",
    "faults",
    "finished",
    "fragments_work",
    "graph_work",
    "joined_work",
    "known_file",
    "known_of",
    "labels_work",
    "ledgers",
    "measurements",
    "measuring_work",
    "nearby",
    "number_objects",
    "objects_work",
    "open_classes",
    "open_contacts",
    "open_creation",
    "open_data",
    "open_graph",
    "open_joined",
    "open_labels",
    "open_ledger",
    "open_measurements",
    "open_objects",
    "open_planes",
    "open_properties",
    "open_tallies",
    "pieces_of",
    "properties",
    "properties_work",
    "publish",
    "read_ledger",
    "record_of",
    "regions",
    "renamed",
    "require",
    "run_blocks",
    "run_on_cluster",
    "same_objects",
    "shard_of",
    "shared_voxels",
    "stopped",
    "tallied",
    "tally_work",
    "tidy",
    "undo_damaged",
    "with_reach",
]
