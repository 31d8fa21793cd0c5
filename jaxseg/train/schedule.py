"""The optimiser: AdamW whose learning rate rises linearly and falls along a cosine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxseg.config.schema import Train
from jaxseg.train.start import frozen

Rate = Callable[[Any, Any], jax.Array]


class Taken(NamedTuple):
    """State of the learning rate."""

    steps: jax.Array


def learning_rate(config: Train, steps_per_epoch: int) -> Rate:
    """The learning rate as a function of the step and of the planned number of steps.

    It rises linearly over the warm-up, a quarter of all steps at most, and falls along half a
    cosine (Loshchilov & Hutter 2017) to ``final_lr`` times its largest value. The number of steps
    is an argument because a run with a limit of minutes fixes it only after its first epochs.

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
    """

    def rate(step: Any, total: Any) -> jax.Array:
        total = jnp.where(total > 0, total, config.epochs * steps_per_epoch)
        warm = jnp.minimum(config.warmup * steps_per_epoch, total // 4)
        rising = (step + 1) / jnp.maximum(warm, 1)
        progress = jnp.clip((step - warm) / jnp.maximum(total - warm, 1), 0, 1)
        falling = config.final_lr + (1 - config.final_lr) * (1 + jnp.cos(jnp.pi * progress)) / 2
        return config.lr * jnp.where(step < warm, rising, falling).astype(jnp.float32)

    return rate


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


def optimizer(config: Train, steps_per_epoch: int) -> optax.GradientTransformationExtraArgs:
    """AdamW (Loshchilov & Hutter 2019) behind a limit on the norm of the whole gradient.

    Parts of the network that ``freeze`` names do not change and do not count in that norm.

    Weight decay acts on the kernels of convolutions only: pulling biases and the scales of
    normalisation to 0 does not regularise.

    Parameters
    ----------
    config : the training run
    steps_per_epoch : steps per epoch, for the learning rate

    Returns
    -------
    an optax transformation
    """
    clip = (optax.clip_by_global_norm(config.clip),) if config.clip else ()
    learning = optax.chain(
        *clip,
        optax.scale_by_adam(),
        optax.add_decayed_weights(config.weight_decay, mask=_kernels),
        scale_by_rate(learning_rate(config, steps_per_epoch)),
    )
    if not config.freeze:
        return learning

    def kinds(params: Any) -> Any:
        return jax.tree.map(lambda stays: "frozen" if stays else "learns", _stays(params))

    _stays = functools.partial(frozen, patterns=config.freeze)
    return optax.partition({"learns": learning, "frozen": optax.set_to_zero()}, kinds)


def _kernels(params: Any) -> Any:
    """Which parameters are kernels, not one number per channel."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
