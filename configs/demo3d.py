"""The 3D demo: two thirds of a small nuclei volume to learn from, the rest to test on.

jaxseg demo 3d out/demo3d_data
jaxseg run --config configs/demo3d.py
"""

from jaxseg.config import Config, Data, Predict, Source, Train, UNet, ch

config = Config(
    name="demo3d",
    task="instances",
    ndim=3,
    channels=(ch("F"), ch("C"), ch("Db")),
    patch=(16, 32, 32),
    data=Data(
        train=Source(raw="out/demo3d_data/train/raw", labels="out/demo3d_data/train/labels"),
        test=Source(raw="out/demo3d_data/test/raw", labels="out/demo3d_data/test/labels"),
    ),
    model=UNet(features=(16, 32, 64), norm="bn"),
    train=Train(epochs=30, steps=16, batch=4, lr=2e-3, minutes=5),
    predict=Predict(tta="flips"),
)
