"""What representations can recover at best, as a table to print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from jaxseg.config import Channel
from jaxseg.decoding import decoder_of
from jaxseg.planning.ceiling import Ceiling
from jaxseg.report.tables import text_table

MEANING = {
    "in pieces": "the voxels of one id are not connected; give every part an id of its own",
    "tiny": "fewer than 10 voxels; finer voxels, or {tiny}",
    "thin": "nowhere deeper than 1.5 voxels; finer voxels, or affinities (A)",
    "touching": "shares a face with another object, and they are not told apart",
    "other": "none of these reasons; look at the labels",
}
# What keeps the smallest objects, by decoder; others keep them without.
KEEPS = {
    "watershed": "a smaller --watershed.min-seed",
    "flow": "a smaller --flow.min-sink",
    "embedseg": "a smaller --embedseg.min-object-size",
}


def show_ceilings(
    sets: Sequence[Sequence[Channel]],
    found: Sequence[Ceiling],
    *,
    best: int,
    console: Console | None = None,
) -> None:
    """Print a line per representation, what they lose, and which one to choose.

    Parameters
    ----------
    sets, found : the representations and their ceilings
    best : index of the one to recommend
    console : where to print; without colours and drawn lines when it is no terminal
    """
    console = console or Console(width=None if Console().is_terminal else 120)
    printed = text_table("true labels, encoded and decoded", console)
    printed.add_column("channels", no_wrap=True)
    for name in (
        "AP",
        "F1 0.5",
        "PQ 0.5",
        "F1 0.75",
        "F1 0.9",
        "mean IoU",
        "objects",
        "lost",
        "extra",
    ):
        printed.add_column(name, justify="right", no_wrap=True)
    for channels, one in zip(sets, found, strict=True):
        printed.add_row(names(channels), *_cells(one))
    console.print(printed)
    for channels, one in zip(sets, found, strict=True):
        if one.lost:
            counts = ", ".join(f"{count} {reason}" for reason, count in sorted(one.lost.items()))
            console.print(f"{names(channels)} loses {counts}", soft_wrap=True)
    losing = [channels for channels, one in zip(sets, found, strict=True) if one.lost.get("tiny")]
    decoders = dict.fromkeys(decoder_of(channels) for channels in losing)
    tiny = ", ".join(KEEPS[name] for name in decoders if name in KEEPS) or "affinities (A)"
    for reason in sorted({reason for one in found for reason in one.lost}):
        console.print(f"{reason}: {MEANING[reason].format(tiny=tiny)}", soft_wrap=True)
    console.print(f"recommended: {names(sets[best])}", soft_wrap=True)


def names(channels: Sequence[Channel]) -> str:
    """The channels as they are written on a command line."""
    return " ".join(channel.name for channel in channels)


def _cells(one: Ceiling) -> list[str]:
    at = {score.thresh: score for score in one.scores}
    values = (
        one.average_precision,
        at[0.5].f1,
        at[0.5].panoptic_quality,
        at[0.75].f1,
        at[0.9].f1,
        one.mean_iou,
    )
    counts = (at[0.5].n_true, at[0.5].fn, at[0.5].fp)
    return [*(f"{value:.3f}" for value in values), *map(str, counts)]
