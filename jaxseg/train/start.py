"""Beginning with the weights of a trained network, and keeping some of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseg.checkpoint import SEPARATOR, flatten
from jaxseg.errors import ConfigError


class Taken(NamedTuple):
    """What of a trained network fitted."""

    variables: dict[str, Any]
    """``params`` and ``batch_stats`` to begin with."""
    names: tuple[str, ...]
    """Arrays that were taken."""
    left: tuple[str, ...]
    """Arrays that keep their random values."""


def transfer(fresh: Mapping[str, Any], trained: Mapping[str, np.ndarray]) -> Taken:
    """The variables of a network with all that agrees of another one.

    Parameters
    ----------
    fresh : {"params": ..., "batch_stats": ...} before the first step
    trained : arrays by name, such as ``params/conv/kernel``, see :func:`jaxseg.checkpoint.flatten`

    Returns
    -------
    Taken: arrays of the same name and shape are the trained ones

    Raises
    ------
    ConfigError : nothing agrees

    >>> fresh = {"params": {"a": np.zeros(2), "b": np.zeros(3)}, "batch_stats": {}}
    >>> found = transfer(fresh, {"params/a": np.ones(2), "params/b": np.ones(4)})
    >>> found.variables["params"]["a"].tolist(), found.names, found.left
    ([1.0, 1.0], ('params/a',), ('params/b',))
    """
    leaves, structure = jax.tree.flatten(dict(fresh))
    names = list(flatten(dict(fresh)))
    fits = [
        name in trained and np.shape(trained[name]) == tuple(leaf.shape)
        for name, leaf in zip(names, leaves, strict=True)
    ]
    if not any(fits):
        raise ConfigError(
            "no part of the trained network has the names and sizes of this one",
            where="train.start_from",
            expected=", ".join(names[:3]),
            found=", ".join(list(trained)[:3]),
        )
    values = [
        np.asarray(trained[name], leaf.dtype) if fit else leaf
        for name, leaf, fit in zip(names, leaves, fits, strict=True)
    ]
    taken = tuple(name for name, fit in zip(names, fits, strict=True) if fit)
    left = tuple(name for name, fit in zip(names, fits, strict=True) if not fit)
    return Taken(jax.tree.unflatten(structure, values), taken, left)


def frozen(tree: Any, patterns: Sequence[str]) -> Any:
    """Which arrays of a network keep their values.

    Parameters
    ----------
    tree : parameters or statistics
    patterns : of names of arrays or of the parts of the network that hold them, with ``*``

    Returns
    -------
    the same tree of bool

    >>> frozen({"enc": {"kernel": 1}, "head": {"kernel": 2}}, ["enc"])
    {'enc': {'kernel': True}, 'head': {'kernel': False}}
    """
    structure = jax.tree.structure(tree)
    found = [any(_fits(name, pattern) for pattern in patterns) for name in flatten(tree)]
    return jax.tree.unflatten(structure, found)


def refuse_idle(params: Any, patterns: Sequence[str]) -> None:
    """Refuse patterns that fit nothing, and patterns that leave nothing to learn.

    Raises
    ------
    ConfigError : the first such pattern
    """
    names = list(flatten(params))
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in names):
            parts = sorted({name.split(SEPARATOR)[0] for name in names})
            raise ConfigError(
                f"no part of the network is called {pattern!r}",
                where="train.freeze",
                expected=", ".join(parts[:12]),
            )
    if patterns and all(jax.tree.leaves(frozen(params, patterns))):
        raise ConfigError(
            "nothing is left to learn", where="train.freeze", found=", ".join(patterns)
        )


def keep_frozen(old: Any, new: Any, patterns: Sequence[str]) -> Any:
    """New statistics, but for the frozen parts of the network."""
    if not patterns:
        return new
    return jax.tree.map(
        lambda stay, before, after: before if stay else after, frozen(old, patterns), old, new
    )


def _fits(name: str, pattern: str) -> bool:
    """Whether a pattern fits the name of an array, or of a part of the network that holds it."""
    parts = name.split(SEPARATOR)
    heads = (SEPARATOR.join(parts[:count]) for count in range(1, len(parts) + 1))
    return any(fnmatch.fnmatchcase(head, pattern) for head in heads)
