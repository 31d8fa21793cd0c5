r"""2D instances, e.g. nuclei or bacteria: embeddings that point to the centre; EmbedSeg clustering.

    jaxseg run --config configs/embedseg2d.py \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/label \
        --data.test.raw TEST/raw --data.test.labels TEST/label
"""

from jaxseg.config import Augment, Config, EmbedSeg, Predict, Train, UNet, ch

config = Config(
    name="embedseg2d",
    task="instances",
    ndim=2,
    # No object reaches further than this many voxels from its centre.
    channels=(ch("E", grid_size=64.0),),
    patch=(256, 256),
    augment=Augment(rotate=180.0, zoom=1.4, contrast=0.3, gamma=1.6, blur=1.0),
    model=UNet(features=(16, 32, 64, 128, 256), norm="bn"),
    train=Train(epochs=200, batch=4, lr=2e-3, minutes=15),
    predict=Predict(tta="full"),
    embedseg=EmbedSeg(seed_threshold=0.8, min_object_size=10),
)
