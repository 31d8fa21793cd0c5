"""What a network needs to see around a voxel: exact for filters, and kept for predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_runs

from jaxseg.config.load import load
from jaxseg.errors import InputError
from jaxseg.main import main
from jaxseg.planning import plan_run
from jaxseg.prediction import choose_tile, predict
from jaxseg.prediction.context import needed_context
from jaxseg.prediction.predictor import predictor_of, tiling_of
from jaxseg.prediction.sight import CONTEXT, stored_context
from jaxseg.prediction.tiling import guessed_halo
from jaxseg.runs.layout import run_of
from jaxseg.tasks.context import alike_in_plane, window_shape


def windows(shape: tuple[int, ...], count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(*shape, 1)).astype("f4") for _ in range(count)]


def shifted_sum(reach: tuple[int, ...], weight: float = 1.0) -> Any:
    """A network that adds a voxel some steps further on along each axis, with a weight."""

    def forward(tiles: np.ndarray) -> np.ndarray:
        planes = tiles.copy()
        for axis, steps in enumerate(reach, start=1):
            wide = [(0, 0)] * tiles.ndim
            wide[axis] = (0, steps)
            ahead = (slice(None),) * axis + (slice(steps, None),)
            planes += weight * np.pad(tiles, wide)[ahead]
        return planes

    return forward


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from([1, 2, 4])), min_size=1, max_size=3),
)
def test_the_context_of_a_filter_is_its_reach(axes: list[tuple[int, int]]) -> None:
    reach, stride = tuple(zip(*axes, strict=True))
    found = needed_context(shifted_sum(reach), windows((32,) * len(axes)), stride=stride)
    assert found == tuple(-(-r // s) * s for r, s in axes)


def test_what_is_weak_does_not_count() -> None:
    strong, weak = shifted_sum((4, 4)), shifted_sum((10, 10), weight=1e-5)
    both = needed_context(lambda t: strong(t) + weak(t), windows((32, 32)), stride=(2, 2))
    assert both == (4, 4)


def test_the_plane_with_the_widest_context_decides_unless_it_is_blank() -> None:
    near, far = shifted_sum((2,)), shifted_sum((6,))

    def planes(faint: float) -> Any:
        return lambda tiles: np.concatenate([near(tiles), faint * far(tiles)], axis=-1)

    for faint, expected in ((1.0, 6), (1e-6, 2)):
        assert needed_context(planes(faint), windows((32,)), stride=(1,)) == (expected,)


def test_what_depends_on_all_of_a_tile_has_no_context() -> None:
    def centred(tiles: np.ndarray) -> np.ndarray:
        return tiles - tiles.mean(axis=(1, 2), keepdims=True)

    assert needed_context(centred, windows((32, 16)), stride=(4, 16)) == (None, None)


def test_what_is_not_a_number_is_no_agreement() -> None:
    lost = np.full((1, 32, 1), np.nan, np.float32)
    assert needed_context(lambda tiles: lost[:, : tiles.shape[1]], windows((32,)), stride=(1,)) == (
        None,
    )


def test_y_and_x_share_their_context() -> None:
    assert alike_in_plane((None, 8, 24), (1, 4, 4)) == (None, 24, 24)
    assert alike_in_plane((24, None), (4, 4)) == (24, 24)
    assert alike_in_plane((None, None), (4, 4)) == (None, None)
    assert alike_in_plane((8, 24), (4, 8)) == (8, 24)


def test_the_halo_is_the_context_where_one_is_known() -> None:
    sizes = {"reach": (100, 100), "stride": (16, 16)}
    for context, halo, overlap in (
        ((40, 33), (48, 48), (0, 0)),
        ((None, 33), (16, 48), (16, 0)),
        ((500, 0), (112, 0), (0, 0)),
        ((), (16, 16), (16, 16)),
    ):
        tiling = choose_tile((3000, 3000), (128, 128), context=context, **sizes)
        assert (tiling.halo, tiling.overlap) == (halo, overlap)
    by_hand = choose_tile((3000, 3000), (128, 128), context=(40, 40), halo=(16, 64), **sizes)
    assert (by_hand.halo, by_hand.overlap) == ((16, 64), (16, 0))


def test_half_of_a_tile_that_is_given_is_kept() -> None:
    sizes = {"reach": (100, 100), "stride": (16, 16), "context": (80, 80)}
    for tile, halo, overlap in (((512, 320), (80, 80), (0, 0)), ((256, 64), (64, 16), (32, 16))):
        tiling = choose_tile((3000, 3000), (128, 128), tile=tile, **sizes)
        assert (tiling.tile, tiling.halo, tiling.overlap) == (tile, halo, overlap)


def test_windows_hold_twice_the_reach_as_far_as_images_and_memory_do() -> None:
    assert window_shape((600, 600), (64, 64), (100, 20), (16, 4)) == (224, 64)
    assert window_shape((10, 600), (64, 64), (100, 20), (16, 4)) == (0, 64)
    huge = window_shape((999,) * 3, (64,) * 3, (400,) * 3, (8,) * 3, most=2**20)
    assert huge == (96, 96, 96)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"context": 3}', '{"context": ["a"]}', '{"context": [8]}', '{"context": [8, -8]}'],
)
def test_a_damaged_file_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / CONTEXT).write_text(text)
    with pytest.raises(InputError, match="measured context"):
        stored_context(tmp_path, 2)


@pytest.mark.full
@pytest.mark.usefixtures("quick_compilation", "no_charts")
def test_a_training_measures_it_and_its_tiles_agree_with_the_whole(tmp_path: Path, capsys) -> None:
    small_runs.write(tmp_path / "data", (96, 80))
    command = small_runs.command(
        tmp_path, ndim=2, patch=(16, 16), channels="(ch('F'), ch('C'))", file="config.py"
    )
    config = load(tmp_path / "config.py")
    tiled = replace(config, predict=replace(config.predict, tile=(32, 32)))
    planned = plan_run(tiled).prediction
    assert planned is not None
    assert planned.guessed
    assert main([*command, "--phases", "train"]) == 0
    assert "halo " in capsys.readouterr().out
    predictor = predictor_of(config, run_of(config).checkpoints, ())
    forward, sight = predictor.forward, predictor.sight
    assert sight.context == stored_context(run_of(config).checkpoints, 2)
    assert all(context is not None and context > 0 for context in sight.context)
    planned = plan_run(replace(tiled, phases=("predict",))).prediction
    assert planned is not None
    assert not planned.guessed
    assert planned.tilings[0][0].halo == sight.context
    # Again nothing is measured, nor is it for runs of earlier versions, whose results stay theirs.
    (run_of(config).checkpoints / CONTEXT).unlink()
    assert main([*command, "--phases", "train"]) == 0
    assert "halo " not in capsys.readouterr().out
    image = small_runs.discs((96, 80), 7)[0][..., None].astype("f4")
    image = (image - image.mean()) / image.std()
    own = {"tile": (32, 32), "stride": sight.stride}
    whole = predict(forward, image, tile=(128, 128), halo=sight.halo, stride=sight.stride)

    def difference(**options: Any) -> float:
        return float(
            np.abs(predict(forward, image, **own, **options) - whole).max() / np.ptp(whole)
        )

    tiling = tiling_of(config, sight, (4000, 4000))
    assert difference(halo=tiling.halo, overlap=tiling.overlap) < 5e-3
    guess = guessed_halo(config.patch, sight.halo, sight.stride)
    assert difference(halo=guess, overlap=guess) > 5e-3
