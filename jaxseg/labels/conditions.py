"""Which objects are removed for what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from jaxseg.config.option import checked_each
from jaxseg.config.postprocessing import Condition
from jaxseg.config.properties import column_of
from jaxseg.labels.removal import without

SIGNS: Mapping[str, np.ufunc] = MappingProxyType(
    {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
)
YES, NO = "Satisfied", "No satisfied"
REMOVED, KEPT = "Removed", "Correct"


def judge(table: pd.DataFrame, groups: Sequence[Sequence[Condition]]) -> pd.DataFrame:
    """Say of every object which groups of conditions it satisfies, and whether it is removed.

    All groups are judged on the same measurements. A comparison with nan is never satisfied.

    Parameters
    ----------
    table : of :func:`jaxseg.measurements.measure`, with the columns that the conditions name
    groups : an object is removed if it satisfies all conditions of any group

    Returns
    -------
    the table with two more columns: ``conditions``, per group ``Satisfied`` or ``No satisfied``,
    joined by ``"; "``; ``comment``, ``Removed`` or ``Correct``

    >>> table = pd.DataFrame({"label": [1, 2], "npixels": [5, 50], "area": [5.0, 50.0]})
    >>> groups = [[Condition("npixels", "lt", 10)], [Condition("area", "gt", 90)]]
    >>> judge(table, groups)[["conditions", "comment"]].values.tolist()
    [['Satisfied; No satisfied', 'Removed'], ['No satisfied; No satisfied', 'Correct']]
    """
    for group in groups:
        checked_each(group, Condition)
    verdicts = np.zeros((len(groups), len(table)), bool)
    for row, group in enumerate(groups):
        tests = [
            SIGNS[one.sign](table[column_of(one.name, table.columns)].to_numpy(), one.value)
            for one in group
        ]
        verdicts[row] = np.logical_and.reduce(tests)
    words = np.where(verdicts, YES, NO)
    comment = np.where(verdicts.any(axis=0), REMOVED, KEPT)
    return table.assign(conditions=["; ".join(column) for column in words.T], comment=comment)


def remove_judged(labels: np.ndarray, judged: pd.DataFrame) -> np.ndarray:
    """Labels without the objects that are to be removed.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids
    judged : of :func:`judge`

    Returns
    -------
    (*S) labels of the same type
    """
    return without(labels, removed_ids(judged).astype(labels.dtype))


def removed_ids(judged: pd.DataFrame) -> np.ndarray:
    """The ids of objects that are to be removed."""
    return judged.label[judged.comment == REMOVED].to_numpy()


def survivors(judged: pd.DataFrame) -> pd.DataFrame:
    """The rows of objects that stay."""
    return judged[judged.comment == KEPT].reset_index(drop=True)
