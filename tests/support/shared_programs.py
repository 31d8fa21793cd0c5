"""Trainings of one process that share their compiled steps: only the first one waits for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optax
import pytest

from jaxseg import models
from jaxseg.config import Train
from jaxseg.train import loop


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives back what it made of the same arguments before."""
    found: dict[Any, Any] = {}

    def call(*given: Any, **options: Any) -> Any:
        plain = {
            name: tuple(value.items()) if isinstance(value, dict) else value
            for name, value in options.items()
        }
        key = (given, tuple(sorted(plain.items())))
        if key not in found:
            found[key] = function(*given, **options)
        return found[key]

    return call


def share_programs(patch: pytest.MonkeyPatch) -> None:
    """Let trainings with the same network, loss and optimiser use the same compiled functions."""
    optimiser = kept(loop.optimizer)

    def for_any_length(config: Train, steps: int) -> optax.GradientTransformation:
        # How many steps there will be is in the state.
        return optimiser(replace(config, epochs=1, minutes=0.0, patience=0, extend=False), steps)

    patch.setattr(loop, "optimizer", for_any_length)
    for name in ("make_step", "make_eval"):
        patch.setattr(loop, name, kept(getattr(loop, name)))
    patch.setattr(models, "build", kept(models.build))
