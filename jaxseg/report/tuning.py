"""What was tried on images with labels, as a table to print."""

from __future__ import annotations

from rich.console import Console

from jaxseg.decoding import Tuned
from jaxseg.report.tables import text_table


def show_tuning(found: Tuned, console: Console) -> None:
    """Print every trial, and what was chosen.

    Parameters
    ----------
    found : of :func:`jaxseg.decoding.tune`
    console : where to print; without colours and drawn lines when it is no terminal
    """
    printed = text_table(f"options of {found.decoder} on images with labels", console)
    printed.add_column("option", no_wrap=True)
    printed.add_column("value", no_wrap=True)
    for name in ("F1 .5 to .9", "F1 at .5", "F1 at .75"):
        printed.add_column(name, justify="right", no_wrap=True)
    for trial in found.trials:
        scores = (f"{score:.3f}" for score in (trial.f1, trial.f1_50, trial.f1_75))
        printed.add_row(trial.option or "as given", _text(trial.value), *scores)
    console.print(printed)
    chosen = ", ".join(f"{name} {_text(value)}" for name, value in found.options.items())
    console.print(
        f"{chosen or 'as given'}: F1 {found.before:.3f} -> {found.after:.3f}"
        + ("" if found.complete else "; there was no time for more")
    )


def _text(value: object) -> str:
    """A value without the brackets of a tuple."""
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
