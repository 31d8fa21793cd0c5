r"""3D synapses: pre- and postsynaptic sites in electron microscopy, and which belong together.

Truth is annotations in the layout of the CREMI challenge, in the container of every image:

    jaxseg run --config synapses3d \
        --data.train.raw 'TRAIN/*.h5/volumes/raw' --data.train.labels TRAIN \
        --data.test.raw 'TEST/*.h5/volumes/raw' --data.test.labels TEST

or two tables for every image, ``NAME_pre.csv`` and ``NAME_post.csv``. Lengths are in µm and suit
voxels of about 40 x 4 x 4 nm.
"""

from jaxseg.config import (
    Augment,
    Config,
    Data,
    Detection,
    Loss,
    Predict,
    ResUNet,
    Synapses,
    Train,
    ch,
)

config = Config(
    name="synapses3d",
    task="synapses",
    ndim=3,
    # Where the sites are, and the way from a postsynaptic site to its presynaptic partner.
    channels=(
        ch("F_pre"),
        ch("F_post"),
        ch("H_pre", unit=0.1),
        ch("V_pre", unit=0.1),
        ch("Z_pre", unit=0.1),
    ),
    patch=(16, 96, 96),
    data=Data(foreground=0.9),
    augment=Augment(),
    model=ResUNet(features=(16, 32, 64, 128), norm="bn", z_down=(1, 2, 2)),
    # Sites take few voxels: they count as much as the rest together.
    loss=Loss(balance=True),
    train=Train(epochs=200, batch=2, lr=1e-3, minutes=60),
    predict=Predict(tta="flips"),
    detection=Detection(radius=0.06, threshold=0.5, min_distance=0.04, tolerances=(0.1, 0.2)),
    synapses=Synapses(pair_distance=0.2),
)
