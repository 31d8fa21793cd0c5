r"""3D classes, anisotropic, e.g. serial-section electron microscopy; cross entropy and Dice.

    jaxseg run --config configs/sem3d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label --channels.0.options.classes 5
"""

from jaxseg.config import Config, Predict, Train, UNet, ch

config = Config(
    name="sem3d",
    task="semantic",
    ndim=3,
    channels=(ch("S", classes=5),),
    patch=(8, 128, 128),
    model=UNet(
        features=(16, 32, 64, 128),
        norm="bn",
        z_down=(1, 1, 2),
        isotropic=(False, False, True, True),
    ),
    train=Train(epochs=200, batch=2, lr=1e-3, minutes=15),
    predict=Predict(tta="flips"),
)
