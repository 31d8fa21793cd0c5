"""Random changes of one training patch: geometry on image and labels, intensities on the image.

Every function takes the key first, one key per sample, so that a batch is changed the same way on
any number of devices. Whatever is off costs nothing: it is not in the compiled program.
"""

from jaxseg.augment.blurs import random_blur, random_median_blur, random_motion_blur
from jaxseg.augment.intensity import (
    random_brightness,
    random_channel_order,
    random_contrast,
    random_gamma,
    random_grayscale,
)
from jaxseg.augment.maps import (
    random_crop_scale,
    random_deformation,
    random_misalignment,
    random_rotation,
    random_rotation_zoom,
    random_shear,
    random_shift,
    random_zoom,
)
from jaxseg.augment.noises import (
    random_dropout,
    random_noise,
    random_pepper,
    random_poisson,
    random_salt,
    random_salt_and_pepper,
)
from jaxseg.augment.patch import random_augment
from jaxseg.augment.regions import (
    random_cutblur,
    random_cutnoise,
    random_cutout,
    random_grid_mask,
    random_missing_sections,
)
from jaxseg.augment.resample import Affine
from jaxseg.augment.table import AUGMENTATIONS
from jaxseg.augment.turns import Turn, quarter_turn, random_orientation
from jaxseg.config.augment import Augmentation

__all__ = [
    "AUGMENTATIONS",
    "Affine",
    "Augmentation",
    "Turn",
    "quarter_turn",
    "random_augment",
    "random_blur",
    "random_brightness",
    "random_channel_order",
    "random_contrast",
    "random_crop_scale",
    "random_cutblur",
    "random_cutnoise",
    "random_cutout",
    "random_deformation",
    "random_dropout",
    "random_gamma",
    "random_grayscale",
    "random_grid_mask",
    "random_median_blur",
    "random_misalignment",
    "random_missing_sections",
    "random_motion_blur",
    "random_noise",
    "random_orientation",
    "random_pepper",
    "random_poisson",
    "random_rotation",
    "random_rotation_zoom",
    "random_salt",
    "random_salt_and_pepper",
    "random_shear",
    "random_shift",
    "random_zoom",
]
