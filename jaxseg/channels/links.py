"""From logits to values, and the loss of each: what the rows of the table are put together from.

A link serves training, validation and prediction alike; a loss is smallest where the linked value
equals the true one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg import losses
from jaxseg.config.channels import Semantic, SignedDistance

# Stringer et al. (2021) scale flows so against the cross entropy of the foreground.
FLOW_SCALE = 5.0

Values = Callable[[jax.Array, Any], jax.Array]
# Of the rays of a voxel at the boundary, so that they are learnt, too.
LEAST_WEIGHT = 0.1
# Weights of false positives and false negatives that make the Tversky index the Dice coefficient.
DICE = (0.5, 0.5)


def sigmoid(logits: jax.Array, options: Any) -> jax.Array:
    """Logits to (0, 1)."""
    return jax.nn.sigmoid(logits)


def identity(logits: jax.Array, options: Any) -> jax.Array:
    """Logits as they are."""
    return logits


def binary_cross_entropy(logits: jax.Array, target: jax.Array, options: Any) -> jax.Array:
    """For channels linked by a sigmoid."""
    return losses.binary_cross_entropy(logits, target)


def binary_divergence(logits: jax.Array, target: jax.Array, options: Any) -> jax.Array:
    """For channels linked by a sigmoid whose true values lie between 0 and 1."""
    return losses.binary_divergence(logits, target)


def compared(error: Callable[[jax.Array, jax.Array], jax.Array], link: Values) -> Callable:
    """The loss that compares linked values with true ones."""
    return lambda logits, target, options: error(link(logits, options), target)


def flow_loss(logits: jax.Array, target: jax.Array, options: Any) -> jax.Array:
    """Half the squared error of flows five times as long, so that it weighs as much as F's loss."""
    return losses.squared_error(FLOW_SCALE * logits, FLOW_SCALE * target) / 2


def foreground_if_asked(options: Any) -> Any:
    """Only voxels of objects count where ``mask_values`` is set."""
    return "foreground" if options.mask_values else "all"


def foreground_if_asked_or_in_micrometres(options: Any) -> Any:
    """Values in µm mean nothing in the background."""
    return "foreground" if options.mask_values or not options.norm else "all"


def normalised_link(logits: jax.Array, options: Any) -> jax.Array:
    """Normalised values lie in [0, 1]."""
    return jax.nn.sigmoid(logits) if options.norm else logits


def signed_distance_link(logits: jax.Array, options: SignedDistance) -> jax.Array:
    """The activation by which the true values were made."""
    return jnp.tanh(logits) if options.activation == "tanh" else logits


def class_link(logits: jax.Array, options: Semantic) -> jax.Array:
    """Probabilities that sum to 1."""
    return jax.nn.softmax(logits, axis=-1) if options.classes > 2 else jax.nn.sigmoid(logits)


def class_loss(logits: jax.Array, target: jax.Array, options: Semantic) -> jax.Array:
    """Cross entropy with its weight."""
    several = options.classes > 2
    entropy = losses.cross_entropy if several else losses.binary_cross_entropy
    return options.cross_entropy * losses.focal(entropy(logits, target), options.focal)


def class_overlap(
    values: jax.Array, target: jax.Array, mask: jax.Array, options: Semantic
) -> tuple[jax.Array, jax.Array] | None:
    """Soft Dice, or the Tversky index, with its weight."""
    if not options.dice:
        return None
    if options.tversky == DICE:
        loss, columns = losses.soft_dice(values, target, mask)
    else:
        more, less = options.tversky
        loss, columns = losses.tversky(
            values, target, mask, false_positives=more, false_negatives=less
        )
    return options.dice * loss, columns


def radial_error(logits: jax.Array, target: jax.Array, options: Any) -> jax.Array:
    """Absolute error, of more weight the more central the voxel, as only such describe objects.

    The weight is the shortest true ray over the longest; the object probability by which Schmidt et
    al. (2018) weight falls off in the same way, from the centre to the boundary.
    """
    shortest, longest = target.min(axis=-1, keepdims=True), target.max(axis=-1, keepdims=True)
    central = jnp.where(longest > 0, shortest / jnp.where(longest > 0, longest, 1), 1)
    return jnp.clip(central, LEAST_WEIGHT, 1) * losses.absolute_error(logits, target)
