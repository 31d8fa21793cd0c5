r"""2D instances of any shape, e.g. long cells: foreground and flow to the centre; tracking.

    jaxseg run --config configs/flow2d.py \
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
    Train,
    UNet,
    Zoom,
    ch,
)

config = Config(
    name="flow2d",
    task="instances",
    ndim=2,
    # The foreground, and the way to the centre of the object along y and x.
    channels=(ch("F"), ch("Gv"), ch("Gh")),
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
)
