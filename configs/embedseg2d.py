r"""2D instances, e.g. nuclei or bacteria: embeddings that point to the centre; EmbedSeg clustering.

    jaxseg run --config configs/embedseg2d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label
"""

from jaxseg.config import (
    Augment,
    Blur,
    Config,
    Contrast,
    EmbedSeg,
    Gamma,
    Predict,
    Rotate,
    Train,
    UNet,
    Zoom,
    ch,
)

config = Config(
    name="embedseg2d",
    task="instances",
    ndim=2,
    # No object reaches further than this many voxels from its centre.
    channels=(ch("E", grid_size=64.0),),
    # Twice as long as most nuclei; small patches give more steps in the same minutes.
    patch=(128, 128),
    augment=Augment(
        rotate=Rotate(probability=1.0),
        zoom=Zoom(probability=1.0, factor=(0.71, 1.4)),
        contrast=Contrast(probability=1.0, limit=(-0.3, 0.3)),
        gamma=Gamma(probability=1.0, limit=(0.625, 1.6)),
        blur=Blur(probability=1.0),
    ),
    model=UNet(features=(16, 32, 64, 128, 256), norm="bn"),
    train=Train(epochs=200, batch=8, lr=2e-3, minutes=15),
    predict=Predict(tta="full"),
    embedseg=EmbedSeg(seed_threshold=0.8, min_object_size=10),
)
