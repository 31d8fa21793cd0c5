"""One step of training and one of validation, compiled, with the batch spread over the devices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.models import Model
from jaxseg.train.start import keep_frozen
from jaxseg.train.state import State

Batch = Mapping[str, Any]
Parts = Mapping[str, tuple[Any, Any]]
Loss = Callable[..., tuple[Parts, Parts, Any]]
Augment = Callable[[Any, Any, Any], tuple[Any, Any]]


class Shares(NamedTuple):
    """What the devices' shares of a batch add up to."""

    parts: Any
    metrics: Any
    batch_stats: Any
    seen: Any
    """(N,) bool: the image of the sample is finite."""
    good: Any
    """(N,) bool: the loss of the sample is finite."""


def make_step(
    model: Model,
    tx: optax.GradientTransformation,
    loss: Loss,
    mesh: Mesh,
    *,
    weights: Mapping[str, float] | None = None,
    augment: Augment | None = None,
    ema: float = 0.0,
    microbatches: int = 1,
    freeze: Sequence[str] = (),
) -> Callable[[State, Batch], tuple[State, dict[str, Any]]]:
    """One update of the state by one batch, as a compiled function.

    The result does not depend on the number of devices beyond rounding: sums run over all of them
    before any ratio is taken, batch normalisation sees the whole batch, and each sample has a
    random key of its own, derived from the step and its place in the batch.

    Parameters
    ----------
    model, tx : network and optimiser
    loss : ``(model, variables, batch, key, train) -> (parts, metrics, batch_stats)``, where parts
        and metrics map a name to (numerator, denominator), (N,) each; ``key`` is (N,)
    mesh : devices along an axis "data"; their number divides the batch
    weights : of the parts in the total; a part that is not named counts 1
    augment : ``(key, image (*S, C), truth) -> (image, truth)`` for one sample
    ema : decay of the moving average of the parameters, which the state must hold; 0 = none
    microbatches : parts that every device computes one after another, in the memory of one, see
        :func:`in_turn`; they divide its share of the batch
    freeze : parts of the network whose running statistics stay as they are, see
        :func:`jaxseg.train.start.frozen`; the optimiser keeps their parameters

    Returns
    -------
    ``step(state, {"image": (N, *S, C), "truth": {"objects": (N, *S)}}) -> (state, logs)``; the
    given state is used up. Logs: loss, norm (of the gradient of what learns), parts and metrics
    (sums over the batch), ok, and finite (N,), False for the samples to blame. When the loss or
    the gradient is not finite, ok is False and the state is returned as it was.
    """
    optimiser = optax.with_extra_args_support(tx)
    axis = _axis_of(mesh)
    spread = model._replace(apply=functools.partial(model.apply, axis=axis))

    def share(params: Any, batch_stats: Any, batch: Batch, key: Any) -> tuple[jax.Array, Shares]:
        variables = {"params": params, "batch_stats": batch_stats}

        def judged(batch: Batch, keys: Any) -> tuple[Any, Any]:
            if augment is not None:
                image, truth = jax.vmap(augment)(keys[:, 0], batch["image"], batch["truth"])
                batch = {"image": image, "truth": truth}
            parts, metrics, stats = loss(spread, variables, batch, keys[:, 1], True)
            good = functools.reduce(jnp.logical_and, map(jnp.isfinite, jax.tree.leaves(parts)))
            seen = jnp.isfinite(batch["image"]).reshape(len(good), -1).all(axis=1)
            return (parts, metrics, good, seen), stats

        given = batch, sample_keys(key, len(batch["image"]), axis)
        (parts, metrics, good, seen), stats = in_turn(judged, given, microbatches)
        parts, metrics = add_up(parts, axis), add_up(metrics, axis)
        ratios = {name: ratio(*part) for name, part in parts.items()}
        return weighted(ratios, weights), Shares(parts, metrics, stats, seen, good)

    total = _spread_over(
        mesh,
        share,
        in_specs=(P(), P(), P("data"), P()),
        out_specs=(P(), Shares(P(), P(), P(), P("data"), P("data"))),
    )

    def step(state: State, batch: Batch) -> tuple[State, dict[str, Any]]:
        key = jax.random.fold_in(state.key, state.step)
        # The gradient is taken outside shard_map: inside, summing it over devices as well would
        # count it once per device.
        (value, shares), gradient = jax.value_and_grad(total, has_aux=True)(
            state.params, state.batch_stats, batch, key
        )
        gradient = keep_frozen(jax.tree.map(jnp.zeros_like, gradient), gradient, freeze)
        norm = optax.tree.norm(gradient)
        ok = shares.seen.all() & shares.good.all() & jnp.isfinite(value) & jnp.isfinite(norm)

        def advanced(state: State, gradient: Any, norm: Any, batch_stats: Any) -> State:
            updates, opt_state = optimiser.update(
                gradient, state.opt_state, state.params, norm=norm, total_steps=state.total_steps
            )
            params = optax.apply_updates(state.params, updates)
            return state._replace(
                params=params,
                batch_stats=keep_frozen(state.batch_stats, batch_stats, freeze),
                opt_state=opt_state,
                ema=keep_frozen(state.ema, average(state.ema, params, state.step, ema), freeze),
                step=state.step + 1,
            )

        logs = {
            "loss": value,
            "norm": norm,
            "parts": shares.parts,
            "metrics": shares.metrics,
            "ok": ok,
            # One bad image can spoil the statistics of the batch, and so every sample's loss.
            "finite": jax.lax.with_sharding_constraint(
                jnp.where(shares.seen.all(), shares.good, shares.seen), NamedSharding(mesh, P())
            ),
        }
        # A branch writes the state where it was; to choose among two of them takes a copy of each.
        return jax.lax.cond(
            ok, advanced, lambda state, *_: state, state, gradient, norm, shares.batch_stats
        ), logs

    return jax.jit(step, donate_argnums=0)


def make_eval(
    model: Model, loss: Loss, mesh: Mesh, *, microbatches: int = 1
) -> Callable[[Mapping[str, Any], Batch], dict[str, Any]]:
    """The parts of the loss and the metrics of one batch, as a compiled function.

    Parameters
    ----------
    model, loss, mesh, microbatches : as for :func:`make_step`

    Returns
    -------
    ``evaluate(variables, batch) -> {"parts": ..., "metrics": ...}``, sums over the batch
    """

    def share(variables: Mapping[str, Any], batch: Batch) -> tuple[Parts, Parts]:
        def judged(batch: Batch) -> tuple[Any, Any]:
            return loss(model, variables, batch, None, False)[:2], ()

        (parts, metrics), _ = in_turn(judged, (batch,), microbatches)
        return add_up(parts, axis), add_up(metrics, axis)

    axis = _axis_of(mesh)
    total = _spread_over(mesh, share, in_specs=(P(), P("data")), out_specs=P())

    def evaluate(variables: Mapping[str, Any], batch: Batch) -> dict[str, Any]:
        parts, metrics = total(variables, batch)
        return {"parts": parts, "metrics": metrics}

    return jax.jit(evaluate)


def in_turn(
    function: Callable[..., tuple[Any, Any]], given: tuple[Any, ...], count: int
) -> tuple[Any, Any]:
    """What a function says of a device's samples, computed in so many parts one after another.

    Nothing inside the function is kept for the backward pass, which computes each part again: the
    memory is that of one part, at the cost of one more forward pass. The gradient is that of the
    whole, since whoever adds up the samples does so afterwards. Only batch normalisation sees the
    samples of one part at a time.

    Parameters
    ----------
    function : arrays (n, ...) to (trees of (n, ...), statistics)
    given : arrays (N, ...)
    count : number of parts, which divides N; 1 calls the function as it is

    Returns
    -------
    trees of (N, ...), and the mean of the statistics of the parts
    """
    if count == 1:
        return function(*given)
    parts = jax.tree.map(lambda values: values.reshape(count, -1, *values.shape[1:]), given)
    # Within a loop nothing can be merged with the first computation, as it could outside of one.
    again = jax.checkpoint(lambda part: function(*part), prevent_cse=False)
    found, statistics = jax.lax.map(again, parts)
    whole = jax.tree.map(lambda values: values.reshape(-1, *values.shape[2:]), found)
    return whole, jax.tree.map(lambda values: values.mean(axis=0), statistics)


def _axis_of(mesh: Mesh) -> str | None:
    """The axis that devices exchange sums over; None for one device, which has them all."""
    # Of an axis that is explicit, the types of arrays tell even if there is one device.
    alone = mesh.size == 1 and set(mesh.axis_types) == {AxisType.Auto}
    return None if alone else "data"


def _spread_over(mesh: Mesh, function: Callable[..., Any], **specs: Any) -> Callable[..., Any]:
    """A function of every device's share; for one device the function itself.

    There ``shard_map`` would copy every gradient once more, and take longer to trace.
    """
    return jax.shard_map(function, mesh=mesh, **specs) if _axis_of(mesh) else function


def sample_keys(key: jax.Array, count: int, axis: str | None) -> jax.Array:
    """Two keys for each of a device's samples, (N, 2), by their place in the whole batch."""
    first = jax.lax.axis_index(axis) * count if axis else 0
    own = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, first + jnp.arange(count))
    return jax.vmap(jax.random.split)(own)


def add_up(parts: Parts, axis: str | None) -> Parts:
    """Numerators and denominators (N,) summed over all samples on all devices."""
    sums = jax.tree.map(lambda values: values.sum(axis=0), dict(parts))
    return jax.lax.psum(sums, axis) if axis else sums


def weighted(ratios: Mapping[str, Any], weights: Mapping[str, float] | None = None) -> Any:
    """The total loss: the sum of its parts, each times its weight or 1.

    >>> weighted({"F": 3.0, "Db": 1.0}, {"F": 0.5})
    2.5
    """
    return sum((weights or {}).get(name, 1.0) * value for name, value in ratios.items())


def ratio(numerator: Any, denominator: Any) -> jax.Array:
    """A quotient that is 0 where the denominator is, with a finite gradient."""
    some = jnp.where(denominator != 0, denominator, 1)
    return jnp.where(denominator != 0, numerator / some, 0)


def average(ema: Any, params: Any, step: jax.Array, decay: float) -> Any:
    """The moving average after one more step; it forgets faster in the beginning."""
    if not decay:
        return ema
    kept = jnp.minimum(decay, (1 + step) / (10 + step)).astype(jnp.float32)
    return jax.tree.map(lambda old, new: kept * old + (1 - kept) * new, ema, params)
