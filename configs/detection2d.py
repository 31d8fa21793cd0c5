r"""2D points: centres of nuclei, cells or spots.

Truth is a table of points for every image (``a.csv`` beside ``a.tif``: columns axis-0, axis-1), or
label images, whose centroids are the points.

    jaxseg run --config detection2d \
        --data.train.raw TRAIN/raw --data.train.labels TRAIN/points \
        --data.test.raw TEST/raw --data.test.labels TEST/points
"""

from jaxseg.config import Augment, Config, Detection, Predict, Rotate, Train, UNet, Zoom, ch

config = Config(
    name="detection2d",
    task="detection",
    ndim=2,
    # 1 at the centre of a ball around every point, and less towards its border.
    channels=(ch("Db", norm=True),),
    patch=(128, 128),
    augment=Augment(rotate=Rotate(probability=1.0), zoom=Zoom(probability=1.0)),
    model=UNet(features=(16, 32, 64, 128), norm="bn"),
    train=Train(epochs=200, batch=8, lr=2e-3, minutes=10),
    predict=Predict(tta="flips"),
    detection=Detection(radius=4.0, threshold=0.3, min_distance=2.0, tolerances=(3.0,)),
)
