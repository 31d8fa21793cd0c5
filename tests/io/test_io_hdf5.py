"""HDF5: datasets by name, read by boxes, with the axes and sizes that their writers say."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxseg import io
from jaxseg.errors import ConfigError, InputError, JaxsegWarning

h5py = pytest.importorskip("h5py", reason="HDF5 needs the extra io: pip install 'jaxseg[io]'")

STACK = np.random.default_rng(0).integers(0, 60000, (7, 20, 33), np.uint16)  # zyx
COLOURS = np.random.default_rng(1).integers(0, 255, (7, 20, 33, 3), np.uint8)  # zyxc
IDS = STACK.astype(np.uint64) + 2**60


def write(path: Path, name: str, array: np.ndarray, **attributes: Any) -> Path:
    """A dataset with attributes; its path."""
    with h5py.File(path, "a") as file:
        dataset = file.create_dataset(
            name, data=array, chunks=tuple(min(4, n) for n in array.shape), compression="gzip"
        )
        dataset.attrs.update(attributes)
    return path / name


def test_a_dataset_is_read_by_boxes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", "volumes/raw", STACK)
    for place in (path, tmp_path / "a.h5", tmp_path / "a.h5/volumes/raw"):
        volume = io.open_image(place, ndim=3)
        np.testing.assert_array_equal(volume.array()[..., 0], STACK)
        box = volume.read((1, 3, 5), (6, 9, 22))[..., 0]
        np.testing.assert_array_equal(box, STACK[1:6, 3:9, 5:22])
        assert (volume.name, volume.unit) == ("a", "voxel")
    assert volume.data.chunks[:3] == (4, 4, 4)


def test_labels_of_64_bits_and_bool(tmp_path: Path) -> None:
    labels = io.open_labels(write(tmp_path / "a.h5", "ids", IDS), ndim=3)
    assert labels.dtype == np.uint64
    np.testing.assert_array_equal(labels.array(), IDS)
    mask = io.open_labels(write(tmp_path / "a.h5", "mask", STACK > 9), ndim=3)
    np.testing.assert_array_equal(mask.array(), STACK > 9)


def test_several_datasets_are_asked_about(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", "raw", STACK)
    write(tmp_path / "a.h5", "table", np.arange(9))  # no image
    assert io.open_image(tmp_path / "a.h5", ndim=3).spatial_shape == STACK.shape
    write(tmp_path / "a.h5", "deep/labels", IDS)
    with pytest.raises(InputError, match=r"deep/labels \(7, 20, 33\), raw \(7, 20, 33\)"):
        io.open_image(tmp_path / "a.h5", ndim=3)
    for name in ("deep", "nothing", "raw/more", "table"):
        with pytest.raises(InputError, match=rf"a\.h5.*{name.split('/')[-1]}|no member {name}"):
            io.open_image(tmp_path / "a.h5" / name, ndim=3)


def test_a_star_within_a_file_stands_for_its_groups(tmp_path: Path) -> None:
    for place in ("well_1", "well_2", "well_3/deep"):
        write(tmp_path / "a.h5", f"{place}/raw", STACK)
        write(tmp_path / "a.h5", f"{place}/ids", IDS)
    write(tmp_path / "a.h5", "table/raw", np.arange(9))  # no image
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["elsewhere"] = h5py.ExternalLink("secret.h5", "/")
        file["nowhere"] = h5py.SoftLink("/none")
    pairs = io.pair_files(tmp_path / "a.h5/*/raw", tmp_path / "a.h5/*/ids")
    assert [pair.stem for pair in pairs] == ["a_well_1_raw", "a_well_2_raw"]
    for pair in pairs:
        assert str(pair.labels) == str(pair.raw).replace("raw", "ids")
        np.testing.assert_array_equal(io.open_labels(pair.labels, ndim=3).array(), IDS)
    assert len(io.list_images(tmp_path / "*.h5/well_?/*")) == 4
    assert len(io.list_images(tmp_path / "a.h5/*/deep/raw")) == 1
    with pytest.raises(InputError, match="no image fits this pattern"):
        io.list_images(tmp_path / "a.h5/*/none")


def test_pairs_in_one_file_each(tmp_path: Path) -> None:
    for stem in "ab":
        write(tmp_path / f"{stem}.h5", "raw", STACK)
        write(tmp_path / f"{stem}.h5", "labels/cells", IDS)
    pairs = io.pair_files(tmp_path / "*.h5/raw", tmp_path / "*.h5/labels/cells")
    assert [pair.stem for pair in pairs] == ["a", "b"]
    for pair in pairs:
        assert pair.labels is not None
        np.testing.assert_array_equal(io.open_image(pair.raw, ndim=3).array()[..., 0], STACK)
        np.testing.assert_array_equal(io.open_labels(pair.labels, ndim=3).array(), IDS)


# --- axes and sizes ---------------------------------------------------------------------------

TAGS = json.dumps({"axes": [{"key": key, "typeFlags": 2, "resolution": 0} for key in "xyzc"]})
AXES: dict[str, dict[str, Any]] = {
    "axistags": {"axistags": TAGS},
    "axes": {"axes": "xyzc"},
    "list": {"axes": ["x", "y", "z", "c"]},
    "labels": {"DIMENSION_LABELS": ["x", "y", "z", "c"]},
    "two that agree": {"axistags": TAGS, "axes": "XYZC"},
    "one that says nothing": {"axes": "xyzc", "DIMENSION_LABELS": ["", "", "", ""]},
}


@pytest.mark.parametrize("said", AXES)
def test_named_axes(tmp_path: Path, said: str) -> None:
    path = write(tmp_path / "a.h5", "raw", COLOURS.transpose(2, 1, 0, 3), **AXES[said])
    volume = io.open_image(path, ndim=3)
    np.testing.assert_array_equal(volume.array(), COLOURS)


@pytest.mark.parametrize(
    "said",
    [{}, {"axes": "time"}, {"axistags": "{"}, {"axistags": TAGS, "axes": "zyxc"}, {"axes": 7}],
)
def test_other_axes_are_asked_about(tmp_path: Path, said: dict[str, Any]) -> None:
    path = write(tmp_path / "a.h5", "raw", COLOURS, **said)
    with pytest.raises(InputError, match=r"ZYXC \(7 planes, 20 rows, 33 columns, 3 channels"):
        io.open_image(path, ndim=3)
    volume = io.open_image(path, ndim=3, axes="ZYXC")
    np.testing.assert_array_equal(volume.array(), COLOURS)


def test_files_of_matlab_are_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", "raw", STACK, MATLAB_class=b"uint16")
    with pytest.raises(InputError, match=r"ZYX .*or XYZ"):
        io.open_image(path, ndim=3)
    assert io.open_image(path, ndim=3, axes="ZXY").spatial_shape == (7, 33, 20)


@pytest.mark.parametrize(
    ("said", "spacing"),
    [
        ({"element_size_um": [0.04, 0.005, 0.004]}, (0.04, 0.005, 0.004)),
        ({"resolution": [4, 5, 40, 1], "unit": "nm"}, (0.04, 0.005, 0.004)),
        ({"resolution": [4, 5], "unit": "nm"}, (1, 1, 1)),
        ({"resolution": [4, 5, 40], "unit": "nm"}, (0.04, 0.005, 0.004)),
        ({"resolution": [4.0, 5, 40], "units": ["nm", "nm", "nm"]}, (0.04, 0.005, 0.004)),
        ({"resolution": [4.0, 5, 0.04], "units": ["nm", "nm", "um"]}, (0.04, 0.005, 0.004)),
        ({"resolution": "fine"}, (1, 1, 1)),
        ({}, (1, 1, 1)),
    ],
)
def test_voxel_size(tmp_path: Path, said: dict[str, Any], spacing: tuple[float, ...]) -> None:
    """``element_size_um`` is always zyx; ``resolution`` is in the order of the dataset."""
    array = COLOURS.transpose(2, 1, 0, 3)
    path = write(tmp_path / "a.h5", "raw", array, axes="xyzc", **said)
    assert io.open_image(path, ndim=3).spacing == pytest.approx(spacing)


def test_a_size_of_axes_without_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", "raw", STACK, resolution=[40, 5, 4], unit="nm")
    assert io.open_image(path, ndim=3).spacing == pytest.approx((0.04, 0.005, 0.004))
    turned = io.open_image(path, ndim=3, axes="XYZ")
    assert turned.spacing == pytest.approx((0.004, 0.005, 0.04))


def test_a_size_without_unit_is_not_used_silently(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", "raw", STACK, resolution=[40, 4, 4])
    with pytest.warns(JaxsegWarning, match="not given"):
        assert io.open_image(path, ndim=3).unit == "voxel"


# --- damage and other files -------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return write(tmp_path / "secret.h5", "raw", STACK).parent


def test_links_to_other_files(tmp_path: Path, secret: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["out"] = h5py.ExternalLink(str(secret), "/raw")
        file["group"] = h5py.ExternalLink(str(secret), "/")
        file["soft"] = h5py.SoftLink("/group/raw")
        file["circle"] = h5py.SoftLink("/circle")
        file["inside"] = h5py.SoftLink("/real/raw")
        file["real/raw"] = STACK
    for name in ("out", "group/raw", "soft", "circle"):
        with pytest.raises(InputError, match="out of the file, or in a circle"):
            io.open_image(tmp_path / "a.h5" / name, ndim=3)
    assert io.open_image(tmp_path / "a.h5/inside", ndim=3).spatial_shape == STACK.shape
    assert io.open_image(tmp_path / "a.h5", ndim=3).spatial_shape == STACK.shape


def test_voxels_in_other_files(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "bytes").write_bytes(bytes(400))
    layout = h5py.VirtualLayout(STACK.shape, STACK.dtype)
    layout[...] = h5py.VirtualSource(str(secret), "raw", STACK.shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", (20, 20), "u1", external=[(str(tmp_path / "bytes"), 0, 400)])
        file.create_virtual_dataset("virtual", layout)
    for name in ("raw", "virtual"):
        with pytest.raises(InputError, match="lie in another file"):
            io.open_image(tmp_path / "a.h5" / name, ndim=2)


def test_objects_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("text", data=[["a", "b"], ["c", "d"]])
        file.create_dataset("pairs", data=np.zeros((3, 4), [("a", "u1"), ("b", "u2")]))
    for name in ("text", "pairs"):
        with pytest.raises(InputError, match="no intensity"):
            io.open_image(tmp_path / "a.h5" / name, ndim=2)


def test_damaged_files(tmp_path: Path) -> None:
    write(tmp_path / "whole.h5", "raw", STACK)
    content = (tmp_path / "whole.h5").read_bytes()
    for length in (0, 5, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.h5").write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut\.h5"):
            io.open_image(tmp_path / "cut.h5", ndim=3).array()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(40):
        bad = bytearray(content)
        for at in rng.integers(0, len(bad), 20):
            bad[at] ^= 255
        (tmp_path / "bad.h5").write_bytes(bad)
        try:
            io.open_image(tmp_path / "bad.h5", ndim=3).array()
        except InputError:
            refused += 1
    assert refused > 20


def test_huge_declared_sizes_are_read_by_boxes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", (10**6,) * 3, "u1", chunks=(16, 16, 16))
    volume = io.open_image(tmp_path / "a.h5", ndim=3)
    assert not volume.read((5, 10**5, 9), (9, 10**5 + 4, 20)).any()


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.h5", "raw", STACK)
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'jaxseg\[io\]'"):
        io.open_image(tmp_path / "a.h5", ndim=3)
