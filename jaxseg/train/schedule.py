"""The optimiser and its learning rate, both of optax, over a number of steps that may change."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ReduceLROnPlateauState, reduce_on_plateau

from jaxseg.config.option import checked
from jaxseg.config.training import Train
from jaxseg.train.muon import roles, scale_by_muon
from jaxseg.train.start import frozen

Rate = Callable[[Any, Any], jax.Array]
# Steps of optax's one cycle, which wants to know their number beforehand.
CYCLE = 1_000_000


class Taken(NamedTuple):
    """State of the learning rate."""

    steps: jax.Array


def learning_rate(config: Train, steps_per_epoch: int) -> Rate:
    """The learning rate as a function of the step and of the planned number of steps.

    It rises linearly over the warm-up, a quarter of all steps at most, and goes on as ``schedule``
    says: along half a cosine (Loshchilov & Hutter 2017) to ``final_lr`` times its largest value, in
    all that is left or in the last ``decay_part`` of the run, or as it is; the factor of a plateau
    is not in it, see :func:`after_validation`. One cycle (Smith & Topin 2018) has no warm-up of its
    own. The number of steps is an argument because a run with a limit of minutes fixes it only
    after its first epochs.

    Parameters
    ----------
    config : the training run
    steps_per_epoch : steps per epoch

    Returns
    -------
    (step from 0, total steps; 0 = those of all epochs) to () float32

    >>> rate = learning_rate(Train(lr=1.0, epochs=10, warmup=2, final_lr=0.1), 5)
    >>> [round(float(rate(step, 0)), 3) for step in (0, 4, 9, 30, 50)]
    [0.1, 0.5, 1.0, 0.55, 0.1]
    >>> rate = learning_rate(Train(lr=1.0, epochs=8, warmup=0, final_lr=0, decay_part=0.5), 2)
    >>> [round(float(rate(step, 0)), 3) for step in (0, 8, 12, 16)]
    [1.0, 1.0, 0.5, 0.0]
    >>> rate = learning_rate(Train(lr=1.0, epochs=10, schedule="one_cycle"), 10)
    >>> [round(float(rate(step, 0)), 3) for step in (0, 30, 65, 100)]
    [0.04, 1.0, 0.5, 0.0]
    """
    falling = SCHEDULES[config.schedule]

    def rate(step: Any, total: Any) -> jax.Array:
        total = jnp.where(total > 0, total, config.epochs * steps_per_epoch)
        if config.schedule == "one_cycle":
            return config.lr * one_cycle(step / jnp.maximum(total, 1))
        warm = jnp.minimum(config.warmup * steps_per_epoch, total // 4)
        rising = (step + 1) / jnp.maximum(warm, 1)
        begin = warm
        if config.decay_part:
            begin = jnp.maximum(warm, jnp.round(total * (1 - config.decay_part)))
        progress = jnp.clip((step - begin) / jnp.maximum(total - begin, 1), 0, 1)
        after = falling(progress, config.final_lr)
        return config.lr * jnp.where(step < warm, rising, after).astype(jnp.float32)

    return rate


def cosine(progress: jax.Array, final: float) -> jax.Array:
    """From 1 to the final value along half a cosine."""
    return final + (1 - final) * (1 + jnp.cos(jnp.pi * progress)) / 2


def constant(progress: jax.Array, final: float) -> jax.Array:
    """Always 1."""
    del final
    return jnp.ones_like(progress)


def one_cycle(progress: jax.Array) -> jax.Array:
    """Up to 1 over three tenths of the run, and down to almost nothing."""
    return optax.cosine_onecycle_schedule(CYCLE, 1.0)(progress * CYCLE).astype(jnp.float32)


# How the rate goes on after the warm-up, (progress from 0 to 1, final value) to a factor.
SCHEDULES: Mapping[str, Callable[[jax.Array, float], jax.Array]] = MappingProxyType(
    {
        "cosine": cosine,
        "constant": constant,
        "plateau": constant,
        "one_cycle": lambda progress, final: one_cycle(progress),
    }
)


def limit_norm(largest: float) -> optax.GradientTransformationExtraArgs:
    """Scale a gradient whose norm is larger down to it; takes ``norm`` as an extra argument.

    As ``optax.clip_by_global_norm``, but by one factor for all: a division of every number, which
    XLA keeps as one more array, took longer than the rest of an update on a CPU.
    """

    def update(
        updates: Any, state: Any, params: Any = None, *, norm: Any = None, **extra: Any
    ) -> tuple[Any, Any]:
        del params, extra
        norm = optax.tree.norm(updates) if norm is None else norm
        factor = jnp.where(norm > largest, largest / norm, 1)
        return jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), updates), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def scale_by_rate(rate: Rate) -> optax.GradientTransformationExtraArgs:
    """Turn directions into steps downhill; takes ``total_steps`` as an extra argument."""

    def init(params: Any) -> Taken:
        del params
        return Taken(jnp.zeros((), jnp.int32))

    def update(
        updates: Any, state: Taken, params: Any = None, *, total_steps: Any = 0, **extra: Any
    ) -> tuple[Any, Taken]:
        del params, extra
        factor = -rate(state.steps, total_steps)
        scaled = jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), updates)
        return scaled, Taken(state.steps + 1)

    return optax.GradientTransformationExtraArgs(init, update)


def scale_by_plateau(config: Train) -> optax.GradientTransformation:
    """Scale steps by a factor that changes between epochs only, see :func:`after_validation`."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        return jax.tree.map(lambda leaf: leaf * state.scale.astype(leaf.dtype), updates), state

    return optax.GradientTransformation(_plateau(config).init, update)


def after_validation(config: Train, opt_state: Any, loss: float) -> Any:
    """The state of the optimiser after an epoch with this validation loss.

    With ``schedule="plateau"`` the factor of the learning rate falls when the loss has not become
    better, by a ten-thousandth of itself, for ``plateau_patience`` epochs.

    Parameters
    ----------
    config : the training run
    opt_state : of :func:`optimizer`
    loss : of the validation

    Returns
    -------
    the state, itself with the other schedules
    """
    if config.schedule != "plateau":
        return opt_state

    def judge(part: Any) -> Any:
        if not isinstance(part, ReduceLROnPlateauState):
            return part
        return _plateau(config).update({}, part, value=jnp.asarray(loss, jnp.float32))[1]

    return jax.tree.map(judge, opt_state, is_leaf=_is_plateau)


def plateau_factor(opt_state: Any) -> float:
    """The factor of the learning rate that plateaus have left; 1 with the other schedules."""
    parts = jax.tree.leaves(opt_state, is_leaf=_is_plateau)
    return next((float(jax.device_get(part.scale)) for part in parts if _is_plateau(part)), 1.0)


def _is_plateau(part: Any) -> bool:
    return isinstance(part, ReduceLROnPlateauState)


def _plateau(config: Train) -> optax.GradientTransformationExtraArgs:
    return reduce_on_plateau(
        factor=config.plateau_factor,
        patience=config.plateau_patience,
        min_scale=config.final_lr,
    )


def optimizer(config: Train, steps_per_epoch: int) -> optax.GradientTransformationExtraArgs:
    """The optimiser behind a limit on the norm of the whole gradient.

    AdamW (Loshchilov & Hutter 2019); Muon for kernels beside AdamW for all others; Adam (Kingma &
    Ba 2015); or stochastic gradient descent with momentum. Weight decay acts on the kernels of
    convolutions only: pulling biases and the scales of normalisation to 0 does not regularise.

    Parts of the network that ``freeze`` names do not change and do not count in that norm.

    Parameters
    ----------
    config : the training run
    steps_per_epoch : steps per epoch, for the learning rate

    Returns
    -------
    an optax transformation
    """
    checked(config, Train, "train")
    clip = (limit_norm(config.clip),) if config.clip else ()
    plateau = (scale_by_plateau(config),) if config.schedule == "plateau" else ()
    learning = optax.chain(
        *clip,
        *OPTIMIZERS[config.optimizer](config),
        scale_by_rate(learning_rate(config, steps_per_epoch)),
        *plateau,
    )
    if not config.freeze:
        return learning

    def kinds(params: Any) -> Any:
        return jax.tree.map(lambda stays: "frozen" if stays else "learns", _stays(params))

    _stays = functools.partial(frozen, patterns=config.freeze)
    return optax.partition({"learns": learning, "frozen": optax.set_to_zero()}, kinds)


def _decay(config: Train) -> optax.GradientTransformation:
    return optax.add_decayed_weights(config.weight_decay, mask=_kernels)


def _adam(config: Train) -> optax.GradientTransformation:
    return optax.scale_by_adam(*config.betas)


def _muon(config: Train) -> optax.GradientTransformation:
    return optax.partition({"kernel": scale_by_muon(), "other": _adam(config)}, roles)


def _momentum(config: Train) -> optax.GradientTransformation:
    return optax.trace(config.momentum, config.nesterov)


# The parts of each optimiser, in their order; what comes after the decay scales it, too.
OPTIMIZERS: Mapping[str, Callable[[Train], tuple[optax.GradientTransformation, ...]]] = (
    MappingProxyType(
        {
            "adamw": lambda config: (_adam(config), _decay(config)),
            "muon": lambda config: (_muon(config), _decay(config)),
            "adam": lambda config: (_decay(config), _adam(config)),
            "sgd": lambda config: (_decay(config), _momentum(config)),
        }
    )
)


def _kernels(params: Any) -> Any:
    """Which parameters are kernels, not one number per channel."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
