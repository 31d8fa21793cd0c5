"""Several processes, on one machine or many, that train one network together.

Each draws the same batches and computes its devices' share of them; sums over a batch pass between
them. The first one writes. They are found by themselves: as tasks of SLURM (``srun``), or by the
variables ``JAX_COORDINATOR_ADDRESS`` (host:port of the first), ``JAX_NUM_PROCESSES`` and
``JAX_PROCESS_ID``. Importing this module does not import JAX.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

from jaxseg.errors import ConfigError, JaxsegError, ResourceError

Tree = TypeVar("Tree")

# Exit code of the others where the first one was stopped on request.
STOPPED = 75

# What must be set, beside a number of processes above one.
SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_PROCID", "SLURM_LOCALID")
ADDRESS, COUNT, NUMBER = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"


class Place(NamedTuple):
    """Which process of how many this one is."""

    number: int
    processes: int
    address: str
    """Of the first one; empty = SLURM knows."""


_joined: list[Place] = []


def find(environment: Mapping[str, str]) -> Place | None:
    """The place of this process among others; None when it is alone.

    Raises
    ------
    ConfigError : the variables contradict each other

    >>> find({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"})
    Place(number=1, processes=2, address='a:1')
    """
    if COUNT in environment or NUMBER in environment:
        names = (ADDRESS, COUNT, NUMBER)
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise ConfigError("not all is known of the other processes", expected=", ".join(names),
                              found=f"no {', '.join(missing)}")  # fmt: skip
        place = _place(environment, NUMBER, COUNT, environment[ADDRESS])
    elif all(name in environment for name in SLURM) and "SLURM_NTASKS" in environment:
        place = _place(environment, "SLURM_PROCID", "SLURM_NTASKS", "")
    else:
        return None
    return place if place.processes > 1 else None


def _place(environment: Mapping[str, str], number: str, count: str, address: str) -> Place:
    try:
        found = Place(int(environment[number]), int(environment[count]), address)
    except ValueError:
        found = Place(-1, 0, address)
    if not 0 <= found.number < found.processes:
        raise ConfigError(
            "not a process among others",
            expected=f"0 <= {number} < {count}",
            found=f"{number}={environment[number]}, {count}={environment[count]}",
        )
    return found


def join(phases: Collection[str]) -> bool:
    """Meet the other processes, if there are any and they train; before JAX begins to work.

    Parameters
    ----------
    phases : that the processes are to run

    Returns
    -------
    whether there are others

    Raises
    ------
    ConfigError : they were not only to train
    ResourceError : the others did not come
    """
    if "train" not in phases or (place := find(os.environ)) is None:
        return False
    if set(phases) != {"train"}:
        raise ConfigError(
            f"{place.processes} processes train together; what follows the training is not theirs",
            where="phases",
            expected="train",
            found=", ".join(phases),
            fix="--phases train, then the other phases alone or in shards",
        )
    import jax

    # It would take requests to stop away from this program.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        if place.address:
            jax.distributed.initialize(place.address, place.processes, place.number)
        else:
            jax.distributed.initialize()
    except (RuntimeError, ValueError) as error:
        raise ResourceError(
            f"the {place.processes} processes did not find each other",
            where=place.address or "SLURM",
            found=" ".join(str(error).split())[:200],
            fix="start all of them with the same address, which the first can open",
        ) from error
    _joined.append(place)
    if not is_first():
        # What all of them do is told once; errors are told by each.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    return True


def count() -> int:
    """Processes that train together."""
    return _joined[0].processes if _joined else 1


def number() -> int:
    """The number of this process."""
    return _joined[0].number if _joined else 0


def is_first() -> bool:
    """Whether this process writes and tells."""
    return number() == 0


def any_of(flag: bool) -> bool:
    """Whether any process says yes; all of them must ask."""
    if count() == 1:
        return flag
    return bool(_gathered(int(flag)).any())


def from_first(value: int) -> int:
    """What the first process says; all of them must ask."""
    if count() == 1:
        return value
    return int(_gathered(value)[0])


def _gathered(value: int) -> Any:
    import numpy as np
    from jax.experimental import multihost_utils

    return np.ravel(multihost_utils.process_allgather(np.asarray(value, np.int32)))


def first_alone(act: Callable[[], None]) -> None:
    """Let the first process do something before the others go on.

    Raises
    ------
    JaxsegError : in the first process its error, in the others that it failed there
    """
    if count() == 1:
        act()
        return
    problem: BaseException | None = None
    code = 0
    if is_first():
        try:
            act()
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            problem, code = error, getattr(error, "exit_code", STOPPED if stopped else 1)
    code = from_first(code)
    if problem is not None:
        raise problem
    if code:
        refused = JaxsegError("the first process cannot go on; it says why")
        refused.exit_code = code
        raise refused


def put(tree: Tree, sharding: Any) -> Tree:
    """Arrays on the devices of all processes, each of which has the whole of them.

    Parameters
    ----------
    tree : of arrays, the same in every process
    sharding : over the devices of all
    """
    import jax

    if count() == 1:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: _put(leaf, sharding), tree)


def _put(leaf: Any, sharding: Any) -> Any:
    import jax
    import numpy as np

    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _put(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    whole = np.asarray(leaf)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])
