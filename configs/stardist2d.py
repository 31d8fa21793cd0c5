r"""2D instances of round shape, e.g. nuclei that touch: distance and rays; StarDist.

    pip install 'jaxseg[stardist]'
    jaxseg run --config configs/stardist2d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label
"""

from jaxseg.config import (
    Augment,
    Blur,
    Config,
    Contrast,
    Gamma,
    Predict,
    Rotate,
    StarDist,
    Train,
    UNet,
    Zoom,
    ch,
)

config = Config(
    name="stardist2d",
    task="instances",
    ndim=2,
    # The object probability, and 32 distances to the boundary.
    channels=(ch("Db"), ch("R")),
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
    train=Train(epochs=200, batch=8, optimizer="muon", lr=2e-3, minutes=15),
    predict=Predict(tta="full"),
    stardist=StarDist(prob_threshold=0.4, nms_threshold=0.4, min_size=10),
)
