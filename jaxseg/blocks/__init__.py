"""The machine: a volume in blocks, what is done to each, and who does it. It knows no stage.

``grid`` says what the blocks are; ``stage`` what a stage is; ``ledger`` and ``store`` keep what is
done on disk, which ``stored`` reads and writes; ``held`` keeps it in memory, for an image that is
one block; ``engine`` and ``cluster`` do blocks in threads and in other processes.
"""

from jaxseg.blocks.cluster import run_on_cluster
from jaxseg.blocks.engine import BlocksFailed, Work, run_blocks, stopped
from jaxseg.blocks.grid import Block, BlockGrid, shard_of
from jaxseg.blocks.ledger import (
    BlockDamaged,
    Ledger,
    failed,
    finished,
    known_faults,
    known_file,
    ledger_folders,
    ledgers,
    open_ledger,
    read_ledger,
    record_of,
    require,
    set_aside,
    tidy,
    undo,
)
from jaxseg.blocks.planes import BlockSink, regions
from jaxseg.blocks.publishing import publish
from jaxseg.blocks.stage import Made, Noted, Output, Result, Stage, Table, View, levels, whole_grid
from jaxseg.blocks.store import chunk_of, faults, known_of, open_data, undo_damaged
from jaxseg.blocks.stored import Stored, open_stage, work_of

__all__ = [
    "Block",
    "BlockDamaged",
    "BlockGrid",
    "BlockSink",
    "BlocksFailed",
    "Ledger",
    "Made",
    "Noted",
    "Output",
    "Result",
    "Stage",
    "Stored",
    "Table",
    "View",
    "Work",
    "chunk_of",
    "failed",
    "faults",
    "finished",
    "known_faults",
    "known_file",
    "known_of",
    "ledger_folders",
    "ledgers",
    "levels",
    "open_data",
    "open_ledger",
    "open_stage",
    "publish",
    "read_ledger",
    "record_of",
    "regions",
    "require",
    "run_blocks",
    "run_on_cluster",
    "set_aside",
    "shard_of",
    "stopped",
    "tidy",
    "undo",
    "undo_damaged",
    "whole_grid",
    "work_of",
]
