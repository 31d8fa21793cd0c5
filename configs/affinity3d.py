r"""3D instances that fill the volume, e.g. neurites in electron microscopy; affinities.

    jaxseg run --config configs/affinity3d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label --data.spacing 0.01 0.01 0.01
"""

from jaxseg.config import Agglomeration, Config, Predict, Train, UNet, ch

config = Config(
    name="affinity3d",
    task="instances",
    ndim=3,
    channels=(ch("A"),),
    patch=(32, 64, 64),
    model=UNet(features=(16, 32, 64), norm="bn"),
    train=Train(epochs=200, batch=2, optimizer="muon", lr=8e-3, minutes=15),
    predict=Predict(tta="none"),
    # Nearly every voxel is inside a neurite.
    agglomeration=Agglomeration(threshold=(0.2,)),
)
