"""Runs in which a phase was done by hand."""

from __future__ import annotations

from pathlib import Path

from jaxseg import io
from jaxseg.config.load import digest


def by_hand(results: Path, phase: str = "predict") -> None:
    """Write the manifest of a phase."""
    values = {"made": "by hand"}
    document = {"values": values, "digest": digest(values)}
    io.write_sealed(results / "manifests" / f"{phase}.json", document)
