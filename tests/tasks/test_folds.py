"""The images of a fold as test images."""

from __future__ import annotations

from pathlib import Path

from support import small_runs

from jaxseg.config import Config, CrossValidation, Data, Source, ch
from jaxseg.tasks.inputs import open_data
from jaxseg.tasks.training import divide


def test_images_of_a_fold_as_test_images(tmp_path: Path) -> None:
    small_runs.write(tmp_path / "data", (24, 20))
    folder = tmp_path / "data" / "train"
    source = Source(raw=str(folder / "raw"), labels=str(folder / "labels"))
    seen = []
    for fold in (1, 2, 3):
        config = Config(
            channels=(ch("F"),),
            data=Data(train=source, cross_val=CrossValidation(folds=3, fold=fold, as_test=True)),
            phases=("predict", "decode", "evaluate"),
        )
        samples, problems = open_data(config)
        assert not problems
        _, val = divide(config, samples)
        assert [one.name for one in samples["test"]] == [one.name for one in val]
        seen += [one.name for one in samples["test"]]
    assert sorted(seen) == ["im1", "im2", "im3"]
