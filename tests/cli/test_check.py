"""The ceiling of representations: what is recovered, what is lost, what is recommended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from jaxseg.cli.app import main
from jaxseg.config import ch
from jaxseg.io import write_labels_tiff
from jaxseg.labels import difficulties
from jaxseg.planning.ceiling import THRESHOLDS, Ceiling, candidates, ceiling, recommended
from jaxseg.planning.ceiling_table import show_ceilings

pytestmark = pytest.mark.full


def two_discs() -> np.ndarray:
    """Two discs that touch, with large ids."""
    y, x = np.mgrid[:40, :64]
    labels = np.zeros((40, 64), np.uint64)
    labels[(y - 20) ** 2 + (x - 18) ** 2 <= 13**2] = 2**40
    labels[((y - 20) ** 2 + (x - 44) ** 2 <= 13**2) & (labels == 0)] = 70_000
    return labels


@pytest.mark.slow
def test_every_candidate_recovers_touching_discs() -> None:
    for channels in candidates(2):
        found = ceiling([two_discs()], channels)
        assert found.scores[0].tp == 2, [channel.name for channel in channels]
        assert found.mean_iou > 0.95
        assert not found.lost


def test_foreground_alone_loses_touching_objects() -> None:
    found = ceiling([two_discs()], (ch("F"),))
    assert found.lost == {"touching": found.scores[0].fn}
    assert found.scores[0].fn >= 1
    assert len(found.scores) == len(THRESHOLDS)


def test_images_without_objects() -> None:
    found = ceiling([np.zeros((8, 8), np.uint8)], (ch("F"), ch("C")))
    assert np.isnan(found.mean_iou)
    assert np.isnan(found.average_precision)
    assert recommended([found, found]) == 0


def test_the_simpler_of_equals_is_recommended() -> None:
    full, poor = ceiling([two_discs()], (ch("F"), ch("C"))), ceiling([two_discs()], (ch("F"),))
    assert recommended([poor, full, full]) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_every_reason_is_named(dtype: type) -> None:
    labels = np.zeros((30, 40), dtype)
    labels[0, 0] = labels[5, 5] = 1
    labels[10:12, 0:3] = 2
    labels[15:17, 0:20] = 3
    labels[20:26, 0:6], labels[20:26, 6:12] = 4, 5
    labels[20:28, 20:30] = 6
    ids = np.array([1, 2, 3, 4, 5, 6], dtype)
    assert difficulties(labels, ids) == [
        "in pieces",
        "tiny",
        "thin",
        "touching",
        "touching",
        "other",
    ]
    assert Counter(difficulties(labels, ids[:0])) == Counter()


def test_labels_that_fill_the_image() -> None:
    labels = np.ones((12, 12), np.uint16)
    assert difficulties(labels, np.array([1])) == ["other"]


@pytest.mark.slow
def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels_tiff(tmp_path / "a.tif", two_discs() % 65_521, spacing=(1, 1))
    assert main(["check", "--labels", str(tmp_path), "--channels", "F"]) == 0
    printed = capsys.readouterr().out
    assert "F loses" in printed
    assert "recommended: F C" in printed
    volume = np.stack([(two_discs() > 0).astype(np.uint8)] * 6)
    (tmp_path / "volume").mkdir()
    write_labels_tiff(tmp_path / "volume" / "b.tif", volume, spacing=(2, 1, 1))
    assert main(["check", "--labels", str(tmp_path / "volume"), "--channels", "F", "--only"]) == 0
    assert "in 3D" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--channels", "F", "Dbb"], "did you mean 'Db'"),
        (["--channels", "F", "Z"], "does not exist in 2D"),
        (["--only"], "no representation"),
        (["--crop", "4"], "2 sizes"),
        (["--config", "nowhere.py"], "no such configuration file"),
    ],
)
def test_mistakes_have_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    write_labels_tiff(tmp_path / "a.tif", np.ones((9, 9), np.uint8), spacing=(1, 1))
    assert main(["check", "--labels", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


def test_labels_without_objects_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels_tiff(tmp_path / "a.tif", np.zeros((9, 9), np.uint8), spacing=(1, 1))
    assert main(["check", "--labels", str(tmp_path)]) == 5
    assert "no objects in the label images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("channels", "advice"),
    [("F Gv Gh", "a smaller --flow.min-sink"), ("F C", "a smaller --watershed.min-seed")],
)
def test_tiny_objects_are_kept_by_an_option_of_their_decoder(channels: str, advice: str) -> None:
    sets = [tuple(map(ch, channels.split()))]
    lost = [Ceiling(ceiling([two_discs()], sets[0]).scores, 1.0, {"tiny": 3})]
    told = Console(record=True, width=120)
    show_ceilings(sets, lost, best=0, console=told)
    assert f"tiny: fewer than 10 voxels; finer voxels, or {advice}" in told.export_text()
