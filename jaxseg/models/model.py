"""What the rest of the library knows of a network: two pure functions and its geometry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from jaxseg.models.style import Style

Variables = Mapping[str, Any]


class Model(NamedTuple):
    """A network as a pair of pure functions, and how it sees space.

    ``init(key, image) -> variables``, ``{"params": ...}`` and, with batch normalisation,
    ``"batch_stats"``; only the number of channels of ``image`` (N, *S, C) matters.

    ``apply(variables, image, *, train=False, key=None, axis=None)`` returns logits (N, *S, K)
    float32; with ``train=True`` it returns ``(logits, batch_stats)``, the statistics updated. With
    deep supervision these logits are a list, one for each level of the decoder, the finest first.
    ``key`` holds one random key per sample, (N,), and is needed for training with dropout only.
    ``axis`` names the mesh axis over which ``shard_map`` spreads the batch, if it does.
    """

    init: Callable[..., dict[str, Any]]
    apply: Callable[..., Any]
    halo: tuple[int, ...]
    """Voxels around a point on which its value depends through convolutions, per axis."""
    stride: tuple[int, ...]
    """The size of an input must be a multiple of this, per axis."""
    local: bool = True
    """Nothing beyond the halo counts, so that tiles can equal the whole. Not so with instance or
    group normalisation, squeeze-and-excitation or attention between all places."""
    outputs: Callable[..., dict[str, Any]] | None = None
    """(variables, image) to the results of the outermost modules by name, to tell their shapes."""


# Name of the results that rematerialisation keeps.
KEPT = "block"


def mark(image: jax.Array) -> jax.Array:
    """The result of a block: with rematerialisation all that is kept for the backward pass."""
    return checkpoint_name(image, KEPT)


def is_local(style: Style) -> bool:
    """Whether the normalisation of a style sees no other voxel when not training."""
    return style.norm in ("bn", "ln", "none")


def as_model(
    module: Any,
    halo: tuple[int, ...],
    stride: tuple[int, ...],
    *,
    local: bool = True,
    remat: bool = False,
) -> Model:
    """A Flax module as a pair of pure functions.

    Parameters
    ----------
    module : has a ``style``; called with ``(image, *, train, key)``; its collections are
        ``params`` and, with batch normalisation, ``batch_stats``
    halo, stride, local : see :class:`Model`
    remat : in the backward pass compute again what lies between the results of blocks
    """
    keep = jax.checkpoint_policies.save_only_these_names(KEPT)

    def init(key: jax.Array, image: Any) -> dict[str, Any]:
        smallest = jnp.zeros((1, *stride, image.shape[-1]), jnp.float32)
        if isinstance(key, jax.core.Tracer):
            return dict(module.init(key, smallest))
        # Runs once: compiling it with all optimisations takes 10 times as long as without.
        options = {"xla_backend_optimization_level": 0}
        draw = jax.jit(lambda key: module.init(key, smallest), compiler_options=options)
        return dict(draw(key))

    def apply(
        variables: Variables,
        image: jax.Array,
        *,
        train: bool = False,
        key: Any = None,
        axis: str | None = None,
    ) -> Any:
        check_shape(image.shape[1:-1], stride)
        if not train:
            return module.apply(variables, image)
        spread = module.clone(style=dataclasses.replace(module.style, axis=axis))

        def learn(variables: Variables, image: jax.Array, key: Any) -> Any:
            return spread.apply(variables, image, train=True, key=key, mutable=["batch_stats"])

        learn = jax.checkpoint(learn, policy=keep) if remat else learn
        logits, updates = learn(variables, image, key)
        return logits, updates.get("batch_stats", {})

    def outputs(variables: Variables, image: jax.Array) -> dict[str, Any]:
        def outermost(part: Any, method: str) -> bool:
            return method == "__call__" and len(part.path) == 1

        _, found = module.apply(
            variables, image, capture_intermediates=outermost, mutable=["intermediates"]
        )
        return {name: calls["__call__"][0] for name, calls in found["intermediates"].items()}

    return Model(init, apply, halo, stride, local, outputs)


def check_shape(shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
    """Refuse an image that the network cannot reduce evenly.

    Raises
    ------
    ValueError : another number of axes, or a size that is not a multiple of the stride
    """
    if len(shape) != len(stride) or any(n % s for n, s in zip(shape, stride, strict=True)):
        raise ValueError(f"the sizes of an image {shape} must be multiples of {stride}")
