"""What is compared and shown of an image: its results before and after post-processing."""

from __future__ import annotations

from typing import NamedTuple

from jaxseg.blocks.stage import Stage, Step

# Mark of the files that are about results after post-processing.
POST_MARK = "_post-proc"


class Shown(NamedTuple):
    """A result that is compared with the truth.

    Parameters
    ----------
    mark : part of the names of files about it
    result : wrote it
    classes : wrote the classes of its objects; None = they have none
    """

    mark: str
    result: Step
    classes: Stage | None = None


class Steps(NamedTuple):
    """All that is made of an image.

    Parameters
    ----------
    steps : stages and tables
    shown : those that are compared with the truth
    """

    steps: tuple[Step, ...]
    shown: tuple[Shown, ...]
