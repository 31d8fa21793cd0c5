r"""3D points: centres of nuclei, cells or spots in volumes.

Truth is a table of points for every volume (``a.csv`` beside ``a.tif``: columns axis-0, axis-1,
axis-2, which are z, y, x in voxels), or label images, whose centroids are the points.

    jaxseg run --config detection3d \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/points \
        --data.test.raw TEST/raw --data.test.labels TEST/points
"""

from jaxseg.config import Augment, Config, Detection, Predict, Train, UNet, ch

config = Config(
    name="detection3d",
    task="detection",
    ndim=3,
    # A Gaussian around every point, as wide as half the radius of its ball.
    channels=(ch("G"),),
    patch=(16, 64, 64),
    augment=Augment(),
    model=UNet(features=(16, 32, 64), norm="bn"),
    train=Train(epochs=200, batch=4, lr=2e-3, minutes=20),
    predict=Predict(tta="flips"),
    detection=Detection(radius=4.0, threshold=0.3, min_distance=2.0, tolerances=(4.0,)),
)
