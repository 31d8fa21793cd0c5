"""The 2D demo: 352 columns of a nuclei image to learn from, the other 160 to test on.

jaxseg demo 2d out/demo2d_data
jaxseg run --config configs/demo2d.py
"""

from jaxseg.config import Augment, Config, Data, Predict, Rotate, Source, Train, UNet, Zoom, ch

config = Config(
    name="demo2d",
    task="instances",
    ndim=2,
    channels=(ch("F"), ch("C"), ch("Db")),
    patch=(128, 128),
    data=Data(
        train=Source(raw="out/demo2d_data/train/raw", labels="out/demo2d_data/train/labels"),
        test=Source(raw="out/demo2d_data/test/raw", labels="out/demo2d_data/test/labels"),
    ),
    augment=Augment(
        rotate=Rotate(probability=1.0),
        zoom=Zoom(probability=1.0, factor=(0.8, 1.25)),
    ),
    model=UNet(features=(16, 32, 64, 128), norm="bn"),
    train=Train(epochs=30, steps=16, batch=8, optimizer="muon", lr=2e-3, minutes=5),
    predict=Predict(tta="flips"),
)
