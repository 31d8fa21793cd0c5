"""How many columns channels of several have, what they are called, and how rays are turned."""

from __future__ import annotations

from jaxseg import targets
from jaxseg.channels.sources import affinity_offsets
from jaxseg.config.channel_options import Affinity, Radial, Semantic
from jaxseg.symmetry import Kind, Rays


def affinity_width(ndim: int, options: Affinity) -> int:
    """One column per offset."""
    return len(affinity_offsets(options, ndim))


def affinity_names(name: str, ndim: int, options: Affinity) -> tuple[str, ...]:
    """The offset as part of the name, e.g. ``A_0_0_1``."""
    offsets = affinity_offsets(options, ndim)
    return tuple("_".join([name, *map(str, offset)]) for offset in offsets)


def class_width(ndim: int, options: Semantic) -> int:
    """Of two classes, the second."""
    return options.classes if options.classes > 2 else 1


def class_names(name: str, ndim: int, options: Semantic) -> tuple[str, ...]:
    """The number of the class as part of the name."""
    width = class_width(ndim, options)
    return tuple(f"{name}_{column}" for column in range(width)) if width > 1 else (name,)


def ray_width(ndim: int, options: Radial) -> int:
    """One column per direction."""
    return len(targets.ray_directions(ndim, options.nrays))


def ray_names(name: str, ndim: int, options: Radial) -> tuple[str, ...]:
    """The number of the direction as part of the name."""
    return tuple(f"{name}_{ray}" for ray in range(ray_width(ndim, options)))


def ray_kind(ndim: int, options: Radial) -> Kind:
    """In 3D no turn takes all directions of the spiral to others of it."""
    return Rays(tuple(map(tuple, targets.ray_directions(ndim, options.nrays).tolist())))
