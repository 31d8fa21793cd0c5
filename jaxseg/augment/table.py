"""The table of random changes: one row for each, in the order in which they are applied.

A new change is a function, a dataclass of options with a field of :class:`Augment` of the same
name, and a row here. ``cutmix`` has no row: it needs another patch, which only
:func:`jaxseg.data.batch` can read, so it is done there.
"""

from __future__ import annotations

import functools

from jaxseg.augment import blurs, intensity, maps, noises, regions, turns
from jaxseg.config import augmentations as options
from jaxseg.config.augment import Augmentation

ROWS = (
    Augmentation("rot90", "turn", turns.quarter_turn, options.Rot90()),
    Augmentation("flip_z", "turn", functools.partial(turns.flip, axis=-3), volumes_only=True),
    Augmentation("flip_y", "turn", functools.partial(turns.flip, axis=-2)),
    Augmentation("flip_x", "turn", functools.partial(turns.flip, axis=-1)),
    Augmentation("rotate", "affine", maps.random_rotation, options.Rotate()),
    Augmentation("shear", "affine", maps.random_shear, options.Shear()),
    Augmentation("zoom", "affine", maps.random_zoom, options.Zoom()),
    Augmentation("shift", "affine", maps.random_shift, options.Shift()),
    Augmentation("crop_scale", "affine", maps.random_crop_scale, options.CropScale()),
    Augmentation(
        "misalign", "affine", maps.random_misalignment, options.Misalign(), volumes_only=True
    ),
    Augmentation("elastic", "field", maps.random_deformation, options.Elastic()),
    Augmentation("grayscale", "intensity", intensity.random_grayscale),
    Augmentation("channel_shuffle", "intensity", intensity.random_channel_order),
    Augmentation("blur", "intensity", blurs.random_blur, options.Blur()),
    Augmentation("median_blur", "intensity", blurs.random_median_blur, options.MedianBlur()),
    Augmentation("motion_blur", "intensity", blurs.random_motion_blur, options.MotionBlur()),
    Augmentation("gamma", "intensity", intensity.random_gamma, options.Gamma()),
    Augmentation("contrast", "intensity", intensity.random_contrast, options.Contrast()),
    Augmentation("brightness", "intensity", intensity.random_brightness, options.Brightness()),
    Augmentation("noise", "intensity", noises.random_noise, options.Noise()),
    Augmentation("poisson", "intensity", noises.random_poisson, options.Poisson()),
    Augmentation("salt", "intensity", noises.random_salt, options.Impulse()),
    Augmentation("pepper", "intensity", noises.random_pepper, options.Impulse()),
    Augmentation(
        "salt_and_pepper", "intensity", noises.random_salt_and_pepper, options.SaltAndPepper()
    ),
    Augmentation("dropout", "intensity", noises.random_dropout, options.DropOut()),
    Augmentation("cutblur", "intensity", regions.random_cutblur, options.CutBlur()),
    Augmentation("cutnoise", "intensity", regions.random_cutnoise, options.CutNoise()),
    Augmentation("cutout", "patch", regions.random_cutout, options.CutOut()),
    Augmentation("grid_mask", "intensity", regions.random_grid_mask, options.GridMask()),
    Augmentation(
        "missing_sections",
        "intensity",
        regions.random_missing_sections,
        options.MissingSections(),
        volumes_only=True,
    ),
)
AUGMENTATIONS = {row.name: row for row in ROWS}
