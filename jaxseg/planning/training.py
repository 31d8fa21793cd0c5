"""What a training will need."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxseg import runtime
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.planning.compiled import Costs, costs, everywhere, spread
from jaxseg.tasks.inputs import Samples
from jaxseg.tasks.training import divide, ingredients
from jaxseg.train import init_state, make_step, optimizer, place


class TrainingPlan(NamedTuple):
    """Images, steps, and the cost of one."""

    images: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    patch: tuple[int, ...]
    epochs: int
    steps: int
    """Per epoch."""
    minutes: float
    """Limit of the whole run, 0 = none."""
    cached: int
    """Bytes of images that stay in memory."""
    step: Costs

    @property
    def seconds(self) -> float:
        """Of all steps, validation not counted; the limit of minutes may end it sooner."""
        return self.epochs * self.steps * self.step.seconds


def plan_training(config: Config, samples: Samples) -> TrainingPlan:
    """Compile the step of a training for the planned batch and another, and take two steps."""
    learn, check = divide(config, samples)
    made = ingredients(config, learn, check)
    mesh, settings = runtime.data_mesh(config.train.batch), config.train
    tx = optimizer(settings, made.steps)
    options: dict[str, Any] = {"augment": made.augment, "ema": settings.ema}
    step: Any = make_step(made.model, tx, made.loss, mesh, **options)

    def first(key: jax.Array) -> Any:
        shape = (1, *made.model.stride, learn[0].image.channels)
        return init_state(made.model, tx, key, shape, mesh, ema=settings.ema)

    drawn = made.draw(0)

    def lower(batch: int) -> Any:
        shapes = jax.tree.map(
            lambda array: jax.ShapeDtypeStruct((batch, *array.shape[1:]), array.dtype),
            {"image": drawn.image, "truth": drawn.truth},
        )
        state = jax.eval_shape(first, jax.random.key(0))
        return step.lower(everywhere(state, mesh), spread(shapes, mesh))

    held: list[Any] = []

    def call(compiled: Any) -> None:
        state = held.pop() if held else first(jax.random.key(config.seed))
        batch = place({"image": drawn.image, "truth": drawn.truth}, mesh)
        state, logs = compiled(state, batch)
        jax.block_until_ready((state, logs))
        held.append(state)

    found = costs(lower, call, batch=settings.batch, mesh=mesh)
    whole = sum(_nbytes(sample) for sample in (*learn, *check))
    return TrainingPlan(
        tuple(learn),
        tuple(check),
        config.patch,
        settings.epochs,
        made.steps,
        settings.minutes,
        min(whole, int(config.data.cache_gib * 2**30)),
        found,
    )


def _nbytes(sample: Sample) -> int:
    return sum(volume.nbytes for volume in (sample.image, *sample.truth.values()))
