r"""3D instances, e.g. nuclei in fluorescence: foreground, contour and distance; watershed.

    jaxseg run --config configs/inst3d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label --data.spacing 2.18 1 1
"""

from jaxseg.config import Augment, Config, Contrast, Gamma, Predict, Rotate, Train, UNet, Zoom, ch

config = Config(
    name="inst3d",
    task="instances",
    ndim=3,
    channels=(ch("F"), ch("C"), ch("Db")),
    patch=(32, 64, 64),
    augment=Augment(
        rotate=Rotate(probability=1.0),
        zoom=Zoom(probability=1.0, factor=(0.83, 1.2)),
        contrast=Contrast(probability=1.0, limit=(-0.3, 0.3)),
        gamma=Gamma(probability=1.0, limit=(0.625, 1.6)),
    ),
    model=UNet(features=(16, 32, 64, 128), norm="bn"),
    train=Train(epochs=200, batch=2, optimizer="muon", lr=4e-3, minutes=15),
    predict=Predict(tta="flips"),
)
