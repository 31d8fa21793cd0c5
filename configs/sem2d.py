r"""2D classes, e.g. membranes and mitochondria in electron microscopy; cross entropy and Dice.

    jaxseg run --config configs/sem2d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label --channels.0.options.classes 5
"""

from jaxseg.config import Config, Predict, Train, UNet, ch

config = Config(
    name="sem2d",
    task="semantic",
    ndim=2,
    channels=(ch("S", classes=5),),
    patch=(256, 256),
    model=UNet(features=(16, 32, 64, 128, 256), norm="bn"),
    train=Train(epochs=200, batch=4, optimizer="muon", lr=2e-3, minutes=15),
    predict=Predict(tta="full"),
)
