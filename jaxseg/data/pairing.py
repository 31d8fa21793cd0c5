"""The images of a source and their labels, by the rule that a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence

from jaxseg.config import Source
from jaxseg.config.schema import PairRule
from jaxseg.errors import InputError
from jaxseg.io import Format, Pair, described, pair_by_order, pair_files


def paired(
    source: Source, rule: PairRule = "name", formats: Sequence[Format] = ()
) -> tuple[Pair, ...]:
    """The images of a source and their labels.

    Parameters
    ----------
    source : folders of images and labels
    rule : name: by their names; order: by their sorted order, and the pairs are printed;
        name_or_order: by their order where the names do not fit
    formats : more file formats than those of the table

    Raises
    ------
    InputError : they cannot be paired
    """
    if rule != "order" or not source.labels:
        try:
            return pair_files(source.raw, source.labels, formats=formats)
        except InputError:
            if rule == "name" or not source.labels:
                raise
    pairs = pair_by_order(source.raw, source.labels, formats=formats)
    print(f"{source.raw} and {source.labels} are paired by their order, not by names:")
    print(described(pairs), flush=True)
    return pairs
