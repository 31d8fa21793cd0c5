"""Classes beside instances: files, patches, votes, scores, and a whole run."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import tifffile
from support import real_images

from jaxseg import augment, data, io
from jaxseg.channels import columns, encode
from jaxseg.config import Augment, Config, Rotate, Source, Zoom, ch
from jaxseg.config.saved import build, plain
from jaxseg.data.truth import CLASSES, OBJECTS, parts_read
from jaxseg.decoding import decode, object_classes
from jaxseg.errors import InputError
from jaxseg.labels.unknown import without_unknown
from jaxseg.labels.votes import Votes, majority, painted
from jaxseg.main import main
from jaxseg.metrics import matching_by_class
from jaxseg.report import class_matching_table
from jaxseg.tasks.checking import check

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation")]


def by_hand(labels: np.ndarray, classes: np.ndarray) -> dict[int, int]:
    """Object by object."""
    found = {}
    for label in np.unique(labels[labels > 0]):
        counts = np.bincount(classes[(labels == label) & (classes > 0)], minlength=1)
        found[int(label)] = int(counts.argmax()) if counts.max() else 0
    return found


@pytest.mark.parametrize("ids", [[0, 1, 2, 3, 4], [0, 70_000, 5, 2**63 + 1, 2**32]])
def test_votes_are_counted_object_by_object(ids: list[int], rng: np.random.Generator) -> None:
    names = np.array(ids, np.uint64)
    for _ in range(20):
        # Few voxels and classes: many ties, and objects without a vote.
        labels = names[rng.integers(0, 5, (3, 5))]
        classes = rng.integers(0, 4, (3, 5))
        votes = majority(labels, classes)
        expected = by_hand(labels, classes)
        assert dict(zip(votes.ids.tolist(), votes.classes.tolist(), strict=True)) == expected
        shown = painted(labels, votes)
        np.testing.assert_array_equal(
            shown, [[expected.get(int(label), 0) for label in row] for row in labels]
        )


def test_votes_of_no_one_and_three_hundred_objects() -> None:
    empty = np.zeros((4, 5), np.uint16)
    assert len(majority(empty, empty).ids) == 0
    np.testing.assert_array_equal(painted(empty, majority(empty, empty)), 0)
    full = empty + 9
    assert majority(full, empty + 3).classes.tolist() == [3]
    many = np.arange(1, 301).reshape(15, 20)
    np.testing.assert_array_equal(majority(many, many % 7).classes, np.arange(1, 301) % 7)
    assert painted(many, Votes(np.arange(1, 301), np.full(300, 999))).dtype == np.uint16


def objects() -> tuple[np.ndarray, np.ndarray]:
    """Discs in rows, some touching, and a class for each."""
    yx = np.indices((60, 60))
    labels, classes = np.zeros((2, 60, 60), np.int32)
    for number in range(16):
        centre = np.array(divmod(number, 4)) * 14 + 8
        inside = ((yx - centre[:, None, None]) ** 2).sum(0) < 7.2**2
        labels[inside & (labels == 0)] = number + 1
    classes[labels > 0] = labels[labels > 0] % 3 + 1
    return labels, classes


def test_true_planes_give_back_objects_and_classes_in_any_order(rng: np.random.Generator) -> None:
    pytest.importorskip("stardist")
    labels, classes = objects()
    beside = ch("S", classes=4)
    for some in (
        (ch("F"), ch("C"), ch("Db"), beside),
        (beside, ch("H"), ch("V")),
        (beside, ch("R"), ch("Db")),
        (beside, ch("A")),
        (beside, ch("E", grid_size=16.0)),
    ):
        channels = tuple(some[place] for place in rng.permutation(len(some)))
        assert parts_read((OBJECTS, CLASSES), channels) == (OBJECTS, CLASSES)
        planes = encode(labels, channels, classes=classes)
        found = decode(planes, channels)
        assert len(np.unique(found)) == 17
        votes = Votes(np.arange(1, 17), object_classes(found, planes, channels))
        inside = (found > 0) & (labels > 0)
        np.testing.assert_array_equal(painted(found, votes)[inside], classes[inside])


def test_background_is_no_vote() -> None:
    channels = (ch("S", classes=3), ch("F"))
    planes = np.zeros((1, 3, 4))
    planes[..., columns(channels, 2)["S"]] = (0.9, 0.04, 0.06)
    assert object_classes(np.array([[4, 4, 0]]), planes, channels).tolist() == [2]
    assert object_classes(np.zeros((1, 3), int), planes, channels).shape == (0,)


def test_unknown_voxels_are_left_out_of_the_comparison(rng: np.random.Generator) -> None:
    truth, labels = rng.integers(0, 4, (2, 9, 9))
    for _ in range(10):
        unknown = rng.random((9, 9)) < 0.45
        left_truth, left = without_unknown(truth, labels, unknown)
        np.testing.assert_array_equal(left_truth, np.where(unknown, 0, truth))
        for label in (1, 2, 3):
            own = labels == label
            kept = own & ~unknown if 2 * (own & unknown).sum() <= own.sum() else own & False
            np.testing.assert_array_equal(left == label, kept)


def test_scores_per_class() -> None:
    truth, true_classes = objects()
    labels = truth + 100 * (truth > 0)
    classes = true_classes.copy()
    labels[truth == 1] = 0  # of class 2, missed
    classes[truth == 2] = 1  # of class 3, named 1
    true_classes[truth == 3] = 9  # to be ignored
    found = matching_by_class(
        truth, labels, true_classes=true_classes, classes=classes, number=4, ignore=9,
        thresholds=(0.5, 0.9),
    )  # fmt: skip
    # Of 16 objects class 1 has 3, 6, ..., class 2 has 1, 4, ..., class 3 has 2, 5, ...
    for place in range(2):
        counts = [(one[place].tp, one[place].fp, one[place].fn) for one in found.per_class]
        assert counts == [(4, 1, 0), (5, 0, 1), (4, 0, 1)]
        assert found.confusion[place].sum() == 14
        assert found.confusion[place][3, 1] == 1
    np.testing.assert_allclose(found.accuracy(), 13 / 14)
    names = ("none", "a", "b", "c")
    table = class_matching_table({"one": found, "two": found}, names, (0.5, 0.9))
    total = table[(table.file == "all objects") & (table.threshold == 0.5)].set_index("class")
    assert total.tp[["a", "b", "c"]].tolist() == [8, 10, 8]
    np.testing.assert_allclose(total.right_class, [1, 1, 4 / 5, 13 / 14])


# --------------------------------------------------------------------------- files and patches


def write(root: Path, name: str, labels: np.ndarray, classes: np.ndarray, **options) -> Source:
    rng = np.random.default_rng(1)
    for kind, array in (
        ("raw", (90 * classes + rng.normal(50, 5, labels.shape)).astype(np.uint16)),
        ("labels", np.stack([labels, classes]).astype(np.uint16)),
    ):
        path = root / kind / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        axes = "YX" if array.ndim == 2 else "CYX"
        tifffile.imwrite(path, array, imagej=True, metadata={"axes": axes})
    return Source(raw=str(root / "raw"), labels=str(root / "labels"))


def test_two_channels_are_instances_and_classes(tmp_path: Path) -> None:
    labels, classes = objects()
    source = write(tmp_path, "a", labels, classes)
    (sample,), problems = data.open_samples(source, ndim=2, truth=(OBJECTS, CLASSES))
    assert not problems
    assert sample.labels is not None
    assert sample.classes is not None
    np.testing.assert_array_equal(sample.labels.array(), labels)
    np.testing.assert_array_equal(sample.classes.read((3, 5), (20, 40)), classes[3:20, 5:40])
    assert sample.index.ids.tolist() == list(range(1, 17))
    assert data.class_problems((sample,), classes=4) == []
    assert "found 3" in str(data.class_problems((sample,), classes=3)[0])
    assert data.class_problems((sample,), classes=3, ignore=3) == []
    (held,) = data.cached((sample,), 1.0)
    assert isinstance(held.classes.data, np.ndarray)
    train, val = data.split((sample,), fraction=0.3, seed=0, patch=(16, 16))
    for part in (*train, *val):
        at = tuple(part.classes.data.start)
        area = tuple(slice(a, a + n) for a, n in zip(at, part.classes.shape, strict=True))
        np.testing.assert_array_equal(part.classes.array(), classes[area])
        np.testing.assert_array_equal(part.labels.array(), labels[area])


def test_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    labels, classes = objects()
    path = tmp_path / "one.tif"
    io.write_labels_tiff(path, labels, spacing=(1.0, 1.0))
    with pytest.raises(InputError, match="1 channel, where classes"):
        io.open_labelled_classes(path, ndim=2)
    both = np.stack([labels, classes]).astype(np.uint16)
    tifffile.imwrite(path, both, imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match="channel S"):
        io.open_labels(path, ndim=2)
    tifffile.imwrite(path, both[[0, 1, 1]], imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match="3 channels, where classes"):
        io.open_labelled_classes(path, ndim=2)


def test_patches_of_instances_classes_and_unknown_voxels(tmp_path: Path) -> None:
    labels, classes = objects()
    labels[:8] = 999
    source = write(tmp_path, "a", labels, classes)
    samples = data.open_samples(source, ndim=2, truth=(OBJECTS, CLASSES), ignore=999).samples
    assert 999 not in samples[0].index.ids
    batch = data.batch(samples, patch=(24, 24), size=6, seed=0, step=0, ignore=999)
    found = batch.truth
    assert {name: values.shape for name, values in found.items()} == {
        "objects": (6, 24, 24),
        "classes": (6, 24, 24),
    }
    for ids, own, (y, x) in zip(found["objects"], found["classes"], batch.starts, strict=True):
        there = labels[y : y + 24, x : x + 24]
        np.testing.assert_array_equal(own, classes[y : y + 24, x : x + 24])
        np.testing.assert_array_equal(ids == -1, there == 999)
        np.testing.assert_array_equal(ids == 0, there == 0)
        pairs = np.unique(np.stack([ids, there]).reshape(2, -1)[:, ids.ravel() > 0], axis=1)
        assert pairs[0].tolist() == list(range(1, ids.max() + 1))
    sizes = data.label_statistics(samples, ignore=999)
    # Discs of radius 7: the stripe of unknown voxels is no object.
    assert sizes.objects == len(np.unique(labels)) - 2
    assert max(sizes.reach) <= 9


def test_augmentation_moves_both_label_images_alike() -> None:
    labels, _ = objects()
    both = {"objects": jnp.asarray(labels), "classes": jnp.asarray(labels % 5)}
    image = jnp.asarray(labels, jnp.float32)[..., None]
    settings = Augment(rotate=Rotate(probability=1.0), zoom=Zoom())

    @jax.jit
    @jax.vmap
    def changed(key):
        alone = augment.random_augment(key, image, both["objects"], settings=settings)
        return augment.random_augment(key, image, both, settings=settings), alone

    (images, found), (images_alone, alone) = changed(jax.random.split(jax.random.key(0), 4))
    np.testing.assert_array_equal(found["classes"], found["objects"] % 5)
    np.testing.assert_array_equal(found["objects"], alone)
    np.testing.assert_array_equal(images, images_alone)


def test_configuration_of_classes_and_of_unknown_voxels() -> None:
    beside = (ch("F"), ch("S", classes=4, class_weights=(0.0, 1.0, 2.0, 3.0)))
    alone = (ch("S", classes=4),)
    sound = Config(channels=beside, phases=("train",))
    named = {problem.where for problem in check(sound)}
    assert "channels" not in named
    assert build(plain(sound), Config) == sound
    for fields, field in (
        ({"channels": (ch("S", classes=4),)}, "channels"),
        ({"channels": (ch("F"), ch("S"))}, "channels"),
        ({"semantic": {"names": ("a", "b")}}, "semantic.names"),
        ({"data": {"ignore": 0}}, "data.ignore"),
        ({"task": "semantic", "channels": alone, "data": {"ignore": 9}}, "data.ignore"),
        (
            {"task": "semantic", "channels": alone, "loss": {"border_weight": 1.0}},
            "loss.border_weight",
        ),
        ({"loss": {"border_weight": -1.0}}, "loss.border_weight"),
        ({"channels": (ch("E"),), "loss": {"balance": True}}, "loss.balance"),
        ({"loss": {"border_sigma": 0.0}}, "loss.border_sigma"),
    ):
        changed = plain(sound) | {name: plain(value) for name, value in fields.items()}
        for name in ("semantic", "data", "loss"):
            changed[name] = plain(sound)[name] | fields.get(name, {})
        assert field in {problem.where for problem in check(build(changed, Config))}, fields


RUN = """
from jaxseg.config import *
config = Config(
    name="discs", channels=(ch("C"), ch("S", classes=4), ch("F")), patch=(32, 32), out={out!r},
    data=Data(train=Source(raw={root!r} + "/train/raw", labels={root!r} + "/train/labels"),
              test=Source(raw={root!r} + "/test/raw", labels={root!r} + "/test/labels"),
              ignore=999),
    loss=Loss(border_weight=5.0, border_sigma=2.0, balance=True),
    postprocess=PostProcess(refine=(Refine("erosion", (1,)),)),
    semantic=SemanticOutput(names=("none", "one", "two", "three")),
    model=UNet(features=(4, 8)), train=Train(epochs=4, steps=10, batch=4, lr=2e-2, warmup=0),
)
"""


@pytest.mark.slow
def test_a_whole_run_with_classes_and_unknown_voxels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, classes = objects()
    labels[50:] = 999
    for part, names in (("train", "ab"), ("test", "c")):
        for name in names:
            write(tmp_path / part, name, labels, classes)
    (tmp_path / "config.py").write_text(RUN.format(out=str(tmp_path / "out"), root=str(tmp_path)))
    assert main(["--config", str(tmp_path / "config.py")]) == 0
    assert "three" in capsys.readouterr().out
    results = tmp_path / "out/discs/results/discs_1"
    folder = results / "per_image_instances"
    found = tifffile.imread(folder / "c.tif")
    shown = tifffile.imread(folder / "c_classes.tif")
    np.testing.assert_array_equal(shown > 0, found > 0)
    table = pd.read_csv(folder / "c_full_stats.csv")
    assert len(table) > 0
    for label, one in zip(table["label"], table["class"], strict=True):
        assert set(shown[found == label]) == {one}
    after = results / "per_image_post_processing"
    smaller = tifffile.imread(after / "c.tif")
    assert (smaller > 0).sum() < (found > 0).sum()
    np.testing.assert_array_equal(tifffile.imread(after / "c_classes.tif") > 0, smaller > 0)
    for name in ("class_metrics.csv", "class_metrics_post-proc.csv"):
        scores = pd.read_csv(results / name)
        assert set(scores["class"]) == {"one", "two", "three", "any class"}
    matching = pd.read_csv(results / "test_results_metrics.csv").set_index("file")
    # The stripe of unknown voxels is no object, and takes some from the last row of discs.
    assert matching.loc["c", "0.5 TH n_true"] == len(np.unique(labels)) - 2


def test_real_nuclei_with_classes(tmp_path: Path) -> None:
    truth = real_images.labels("nuclei2d").astype(np.uint16)
    kinds = np.where(truth > 0, 1 + truth % 4, 0).astype(np.uint16)
    both = np.stack([truth, kinds], axis=-1)
    tifffile.imwrite(tmp_path / "both.tif", both, metadata={"axes": "YXC"})
    source = Source(raw=str(real_images.path("nuclei2d", "raw")), labels=str(tmp_path / "both.tif"))
    (sample,), problems = data.open_samples(source, ndim=2, truth=(OBJECTS, CLASSES))
    assert not problems
    labels, classes = sample.labels.array(), sample.classes.array()
    assert data.class_problems((sample,), classes=5) == []
    np.testing.assert_array_equal(painted(labels, majority(labels, classes)), classes)
    channels = (ch("S", classes=5), ch("H"), ch("F"), ch("V"))
    planes = encode(labels, channels, classes=classes)
    found = decode(planes, channels)
    scores = matching_by_class(
        labels,
        found,
        true_classes=classes,
        classes=painted(
            found, Votes(np.arange(1, found.max() + 1), object_classes(found, planes, channels))
        ),
        number=5,
    )
    assert scores.accuracy()[0] > 0.98
    assert scores.confusion.sum() > 0.9 * len(sample.index.ids)
