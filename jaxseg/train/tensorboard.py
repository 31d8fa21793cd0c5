"""The record of a training for TensorBoard, through tensorboardX."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.io import atomic_path


def refuse_missing() -> None:
    """Refuse to begin without the package.

    Raises
    ------
    ConfigError : tensorboardX is not installed
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise ConfigError(
            "the package tensorboardX is missing",
            where="train.tensorboard",
            fix="pip install 'jaxseg[log]', or leave out train.tensorboard",
        )


def write(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write all epochs anew, so that a training that was continued has each of them once.

    Parameters
    ----------
    folder : Path
        For ``tensorboard --logdir``; what lay there before is replaced.
    rows : sequence of mapping
        One for each epoch, as in ``log.csv``; the columns become ``train/<name>`` and
        ``val/<name>``, numbers that are not known are left out.
    """
    from tensorboardX import SummaryWriter

    with atomic_path(folder) as partial:
        writer = SummaryWriter(str(partial))
        for row in rows:
            for name, value in row.items():
                known = isinstance(value, (int, float)) and math.isfinite(value)
                if known and name not in ("epoch", "step", "best"):
                    part = "val" if name.startswith("val_") else "train"
                    tag = f"{part}/{name.removeprefix('val_')}"
                    writer.add_scalar(tag, value, row["epoch"])
        writer.close()
