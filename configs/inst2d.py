r"""2D instances, e.g. nuclei in fluorescence: foreground, contour and distance; watershed.

    jaxseg run --config configs/inst2d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label
"""

from jaxseg.config import Augment, Config, Predict, Train, UNet, ch

config = Config(
    name="inst2d",
    task="instances",
    ndim=2,
    channels=(ch("F"), ch("C"), ch("Db")),
    patch=(256, 256),
    augment=Augment(rotate=180.0, zoom=1.4, contrast=0.3, gamma=1.6, blur=1.0),
    model=UNet(features=(16, 32, 64, 128, 256), norm="bn"),
    train=Train(epochs=200, batch=4, lr=2e-3, minutes=15),
    predict=Predict(tta="full"),
)
