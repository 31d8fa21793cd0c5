"""Giving the data of a finished stage their final name, with all their levels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from jaxseg import io
from jaxseg.blocks.ledger import Ledger, require
from jaxseg.errors import InputError


def publish(ledger: Ledger, *, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Add the coarser levels to complete data and move them to their final name.

    Do nothing if that was done before. Several jobs may come here at once: each builds the levels
    in a folder of its own, and the first that is done gives them to all.

    Parameters
    ----------
    ledger : of the stage
    on_progress : called with the number of levels done and of all

    Raises
    ------
    ConfigError : blocks are missing; they are named
    """
    require(ledger)
    if ledger.target and not ledger.final.exists():
        store, built = ledger.folder / "data.zarr", ledger.folder / "levels"
        try:
            _add_levels(store, built, on_progress)
        except (InputError, FileNotFoundError):
            # Where another job published meanwhile, the data moved away from under this one.
            if not ledger.final.exists():
                raise
        io.move_complete(store, ledger.final)
        for left in ledger.folder.glob("levels*"):
            # Another job may be removing it, too.
            shutil.rmtree(left, ignore_errors=True)


def _add_levels(store: Path, built: Path, on_progress: Callable[[int, int], None] | None) -> None:
    """Build the levels beside the data, where a killed job leaves nothing that counts."""
    names = io.level_names(store)
    if not all((built / name).exists() or (store / name).exists() for name in names):
        with io.new_folder(built) as partial:
            io.write_levels(store, partial, on_progress=on_progress)
    for name in names:
        io.move_or_drop(built / name, store / name)
    io.sync_entry(store)
