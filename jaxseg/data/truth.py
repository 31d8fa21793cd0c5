"""What the label files of a task hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Truth:
    """The truth beside an image, which moves with it.

    Parameters
    ----------
    kind : {"objects", "classes", "sites", "image"}
        Objects have ids, which every patch numbers anew; classes are integers as they are; sites
        are the planes (*S, 4) of :class:`jaxseg.targets.Sites`, whose ids every patch numbers anew:
        of all three the nearest voxel is taken where an augmentation moves them. An image (*S, C)
        has any values, float32 in training, which are interpolated linearly; nan where they are not
        known.
    """

    kind: Literal["objects", "classes", "sites", "image"] = "objects"

    @property
    def compact(self) -> bool:
        """Whether values are only names."""
        return self.kind in ("objects", "sites")

    @property
    def is_image(self) -> bool:
        """Whether values are measured and not counted."""
        return self.kind == "image"


OBJECTS, CLASSES, IMAGE = Truth("objects"), Truth("classes"), Truth("image")
SITES = Truth("sites")
