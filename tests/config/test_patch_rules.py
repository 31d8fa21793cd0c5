"""Rules about the patches of a training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxseg.config import (
    Augment,
    Config,
    CrossValidation,
    CutMix,
    Data,
    Misalign,
    Normalize,
    PatchGrid,
    ProbabilityMap,
    Source,
    ch,
)
from jaxseg.tasks.checking import check

SOUND = Config(
    channels=(ch("F"),), data=Data(train=Source(raw="raw", labels="labels")), phases=("train",)
)
ON = PatchGrid(enable=True)


def changed(**options: object) -> Config:
    return replace(SOUND, data=replace(SOUND.data, **options))


def test_the_usual_choices_are_sound() -> None:
    assert not check(SOUND)
    assert not check(changed(grid=PatchGrid(enable=True, overlap=(0.5, 0.5), padding=(16, 16))))
    assert not check(changed(cross_val=CrossValidation(folds=5, fold=5)))
    held = changed(cross_val=CrossValidation(folds=5, as_test=True))
    assert not check(replace(held, phases=("train", "predict", "decode", "evaluate")))
    assert not check(replace(held, phases=("predict", "decode")))
    assert not check(replace(SOUND, normalize=Normalize(clip=(1.0, 99.0), method="range")))


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (replace(SOUND, augment=Augment(misalign=Misalign())), "augment.misalign.probability"),
        (changed(grid=PatchGrid(enable=True, overlap=(0.5,) * 3)), "data.grid.overlap"),
        (changed(grid=PatchGrid(enable=True, padding=(128, 128))), "data.grid.padding"),
        (
            changed(grid=ON, probability_map=ProbabilityMap(enable=True)),
            "data.probability_map.enable",
        ),
        (
            replace(changed(grid=ON), augment=Augment(cutmix=CutMix())),
            "augment.cutmix.probability",
        ),
        (
            changed(val=Source(raw="a", labels="b"), cross_val=CrossValidation(folds=3)),
            "data.cross_val.folds",
        ),
        (changed(cross_val=CrossValidation(folds=3, fold=4)), "data.cross_val.fold"),
        (
            changed(probability_map=ProbabilityMap(w_foreground=0.0, w_background=0.0)),
            "data.probability_map.w_foreground",
        ),
        (changed(cross_val=CrossValidation(as_test=True)), "data.cross_val.as_test"),
        (
            changed(test=Source(raw="a"), cross_val=CrossValidation(folds=3, as_test=True)),
            "data.cross_val.as_test",
        ),
        (replace(SOUND, normalize=Normalize(mean=(1.0,))), "normalize.method"),
        (replace(SOUND, normalize=Normalize(method="zscore", mean=(1.0,))), "normalize.deviation"),
        (replace(SOUND, normalize=Normalize(clip=(99.0, 1.0))), "normalize.clip"),
    ],
)
def test_what_excludes_one_another_is_named(config: Config, where: str) -> None:
    assert [problem.where for problem in check(config)] == [where]
