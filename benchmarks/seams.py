"""How much tiles of a trained network differ from the whole image, by the halo they are given.

    python benchmarks/seams.py out/inst2d/checkpoints/inst2d_1 FOLDER_OF_IMAGES

Every image that is larger than two patches is predicted as one tile with a halo of the receptive
radius, and in tiles of two patches between their halos: once with an eighth of a patch, blended,
which is taken where nothing is known, and once with what was measured after the training.
``differs`` is the largest difference, as a part of the range of all planes; ``F1`` is of the
objects decoded from the tiles, matched with those of the whole; ``seen`` are the voxels computed
for every voxel, which fall with the size of the tiles.
"""

from __future__ import annotations

import argparse
import functools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxseg import checkpoint, decode, normalize
from jaxseg.config import Config, Source
from jaxseg.config.saved import from_checkpoint
from jaxseg.data import Sample
from jaxseg.geometry import Context, round_up
from jaxseg.metrics import matching
from jaxseg.prediction import predict
from jaxseg.prediction.foreign import Predictor
from jaxseg.prediction.predictor import predictor_of
from jaxseg.prediction.tiling import Tiling, choose_tile
from jaxseg.tasks.inputs import open_data

THRESHOLDS = (0.5, 0.75, 0.9)


def whole_tiling(shape: tuple[int, ...], predictor: Predictor) -> Tiling:
    """One tile with a halo as wide as the network can see."""
    reach, stride = predictor.sight.halo, predictor.sight.stride
    halo = tuple(map(round_up, reach, stride))
    sides = (side + 2 * h for side, h in zip(shape, halo, strict=True))
    return Tiling(tuple(map(round_up, sides, stride)), halo, (0,) * len(shape), stride, 1)


def tiling_with(
    context: Context, shape: tuple[int, ...], predictor: Predictor, config: Config
) -> Tiling:
    """Tiles of two patches between their halos."""
    reach, stride = predictor.sight.halo, predictor.sight.stride
    given = choose_tile(shape, config.patch, reach=reach, stride=stride, context=context)
    sides = (2 * side + 2 * h for side, h in zip(config.patch, given.halo, strict=True))
    return given._replace(tile=tuple(map(round_up, sides, stride)), batch=1)


def compare(config: Config, predictor: Predictor, samples: list[Sample]) -> None:
    """Print a line for each halo, the means over the images."""
    for name, context in (("an eighth of a patch", ()), ("measured", predictor.sight.context)):
        rows, halo = [], ""
        for sample in samples:
            shape = sample.image.spatial_shape
            prepare = functools.partial(normalize.apply, stats=predictor.stats(sample))
            say = functools.partial(predict, predictor.forward, sample.image, prepare=prepare)
            tiling = tiling_with(context, shape, predictor, config)
            whole, tiles = (
                np.asarray(say(**way._asdict())) for way in (whole_tiling(shape, predictor), tiling)
            )
            objects = [decode(planes, config.channels) for planes in (whole, tiles)]
            found = matching(*objects, thresholds=THRESHOLDS)
            seen = len(tiling.grid(shape)) * math.prod(tiling.tile) / math.prod(shape)
            differs = float(np.abs(tiles - whole).max() / np.ptp(whole))
            rows.append([differs, *(one.f1 for one in found), seen])
            halo = "x".join(map(str, tiling.halo))
        differs, *scores, seen = np.mean(rows, axis=0)
        print(f"{name:>20} {halo:>10} {differs:>9.4f}"
              + "".join(f"{score:>9.4f}" for score in scores) + f"{seen:>8.2f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("images", type=Path)
    options = parser.parse_args()
    meta = checkpoint.trained(options.checkpoint).meta
    config = from_checkpoint(meta["config"], str(options.checkpoint))
    config = replace(
        config,
        phases=("predict",),
        data=replace(config.data, test=Source(raw=str(options.images))),
        predict=replace(config.predict, checkpoint=str(options.checkpoint)),
    )
    samples, problems = open_data(config)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    large = [
        sample
        for sample in samples["test"]
        if any(n > 2 * p for n, p in zip(sample.image.spatial_shape, config.patch, strict=True))
    ]
    heads = ("halo", "", "differs", *(f"F1 {threshold}" for threshold in THRESHOLDS), "seen")
    print(f"{len(large)} images larger than two patches")
    print(f"{heads[0]:>20} {heads[1]:>10} {heads[2]:>9}"
          + "".join(f"{head:>9}" for head in heads[3:-1]) + f"{heads[-1]:>8}")  # fmt: skip
    compare(config, predictor_of(config, options.checkpoint, large), large)


if __name__ == "__main__":
    main()
