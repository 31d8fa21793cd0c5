"""Rules about 2D images that are the planes of a stack."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError


def stack_problems(config: Config) -> Iterator[ConfigError]:
    """What does not go together with a stack, or has no effect without one."""
    data = config.data
    if data.plane_spacing and not data.as_3d_stack:
        yield ConfigError(
            "this option has no effect unless data.as_3d_stack is set",
            where="data.plane_spacing",
            found=data.plane_spacing,
        )
    if not data.as_3d_stack:
        return
    if config.ndim == 3:
        yield ConfigError(
            "only 2D images are the planes of a stack",
            where="data.as_3d_stack",
            fix="leave it out, or set ndim=2",
        )
    if config.blocks.size:
        yield ConfigError(
            "a stack is made in memory",
            where="blocks.size, data.as_3d_stack",
            found=config.blocks.size,
            fix="leave out one of them",
        )
    if data.label_components:
        yield ConfigError(
            "parts of a mask are numbered plane by plane, and so are no objects of a stack",
            where="data.label_components",
            fix="give labels with the numbers of objects in 3D",
        )
