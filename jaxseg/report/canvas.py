"""A picture of panels side by side, with titles and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]

DPI = 100
GAP, LINE = 12, 26
BACKGROUND, TEXT = (24, 24, 27), (235, 235, 235)
# Width of a character of the legend, in pixels, to break its lines.
CHARACTER = 9.5


class Entry(NamedTuple):
    """A line of the legend."""

    colour: Colour
    text: str


class Item(NamedTuple):
    """A legend entry in its place, in pixels from the upper left corner."""

    entry: Entry
    left: int
    top: int


def compose(
    rows: Sequence[Sequence[np.ndarray]],
    *,
    title: str,
    legend: Sequence[Entry],
    heads: Sequence[str] = (),
) -> np.ndarray:
    """Put panels into rows and write what they show.

    Parameters
    ----------
    rows : of panels (y, x, 3) uint8, all of one size
    title : above the panels
    legend : below the panels
    heads : a heading for every panel of the first row; none if empty

    Returns
    -------
    (Y, X, 3) uint8
    """
    height, width, _ = rows[0][0].shape
    columns = max(len(row) for row in rows)
    total_width = max(columns * (width + GAP) + GAP, 480)
    top = GAP + LINE + (LINE if heads else 0)
    below = top + len(rows) * (height + GAP)
    items = _arranged(legend, below, total_width)
    bottom = max((item.top for item in items), default=below - LINE) + LINE
    picture = np.full((bottom + GAP, total_width, 3), BACKGROUND, np.uint8)
    places = [GAP + column * (width + GAP) for column in range(columns)]
    for number, row in enumerate(rows):
        upper = top + number * (height + GAP)
        for left, panel in zip(places, row, strict=False):
            picture[upper : upper + height, left : left + width] = panel
    texts = [(GAP, GAP, title, "bold")]
    texts += [(left, GAP + LINE, head, "normal") for left, head in zip(places, heads, strict=False)]
    texts += [(item.left + LINE, item.top, item.entry.text, "normal") for item in items]
    for item in items:
        picture[item.top + 4 : item.top + 18, item.left : item.left + 16] = item.entry.colour
    return _written(picture, texts)


def _arranged(legend: Sequence[Entry], top: int, width: int) -> list[Item]:
    """Legend entries one after another, in as many lines as they need."""
    items, left = [], GAP
    for entry in legend:
        length = LINE + int(len(entry.text) * CHARACTER) + GAP
        if left > GAP and left + length > width:
            left, top = GAP, top + LINE
        items.append(Item(entry, left, top))
        left += length
    return items


def _written(picture: np.ndarray, texts: Sequence[tuple[int, int, str, str]]) -> np.ndarray:
    """The picture with texts, each from its upper left corner."""
    # Not before something is drawn: it takes a while.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width, _ = picture.shape
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    figure.figimage(picture, 0, 0, origin="upper")
    colour = tuple(value / 255 for value in TEXT)
    for left, top, text, weight in texts:
        figure.text(
            left / width,
            1 - (top + 2) / height,
            text,
            color=colour,
            size=10.5,
            weight=weight,
            va="top",
            parse_math=False,
        )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
