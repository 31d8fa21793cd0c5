r"""2D instances and the class of each, e.g. kinds of nuclei in histology.

Label files have two channels: the instances, and the class of every voxel, 0 = background.

    jaxseg run --config configs/classes2d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label
"""

from jaxseg.config import (
    Augment,
    Blur,
    Config,
    Predict,
    Rotate,
    SemanticOutput,
    Train,
    UNet,
    Zoom,
    ch,
)

config = Config(
    name="classes2d",
    task="instances",
    ndim=2,
    channels=(ch("F"), ch("H"), ch("V"), ch("S", classes=5, dice=0.0)),
    # Twice as long as most nuclei; small patches give more steps in the same minutes.
    patch=(128, 128),
    augment=Augment(
        rotate=Rotate(probability=1.0),
        zoom=Zoom(probability=1.0, factor=(0.8, 1.25)),
        blur=Blur(probability=1.0),
    ),
    model=UNet(features=(16, 32, 64, 128, 256), norm="bn"),
    train=Train(epochs=200, batch=8, optimizer="muon", lr=2e-3, minutes=15),
    predict=Predict(tta="full"),
    semantic=SemanticOutput(names=("none", "other", "inflammatory", "epithelial", "spindle")),
)
