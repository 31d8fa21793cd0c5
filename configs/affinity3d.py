r"""3D instances that fill the volume, e.g. neurites in electron microscopy: affinities; watershed.

    python -m jaxseg.main --config configs/affinity3d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label --data.spacing 0.01 0.01 0.01
"""

from jaxseg.config import Config, Predict, Train, UNet, Watershed, ch

config = Config(
    name="affinity3d",
    task="instances",
    ndim=3,
    channels=(ch("A"),),
    patch=(32, 64, 64),
    model=UNet(features=(16, 32, 64, 128), norm="bn"),
    train=Train(epochs=60, batch=2, lr=1e-3, minutes=15),
    predict=Predict(tta="none"),
    # Sure seeds, each of some size: a leak between two neurites joins them, a speck splits one.
    watershed=Watershed(
        seeds=("A",),
        seed_thresholds=(0.9,),
        growth=("A",),
        growth_thresholds=(0.3,),
        min_seed=50,
        min_size=100,
    ),
)
