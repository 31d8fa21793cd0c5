"""BiaPy's configuration files: every key is translated or named with the reason, none is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jaxseg.config import Config, Refine, UNet, ch
from jaxseg.config.load import load, to_plain
from jaxseg.config.option import leaves
from jaxseg.config.sampling import SampleCondition
from jaxseg.config.yaml_file import Document, Entry, parse_yaml, read_yaml
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.interop.biapy.job import documented_flags, new_config
from jaxseg.interop.biapy.keys import KINDS, TABLE, Key
from jaxseg.interop.biapy.keys.channels import channel_names
from jaxseg.interop.biapy.keys.row import CONDITIONS
from jaxseg.interop.biapy.report import report
from jaxseg.interop.biapy.translation import Translation, translate
from jaxseg.tasks.checking import check

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT.parent / "shared" / "cases" / "yaml"
CASES = next((root / "shared" / "cases" / "yaml" for root in Path(__file__).resolve().parents
              if (root / "shared" / "cases" / "yaml").is_dir()), CASES)  # fmt: skip
# What these files need and nobody can fetch for them.
DOWNLOADS = {"spinedl-structure", "spinedl-neuron"}
KNOWN_KINDS = ("semantic_segmentation", "instance_segmentation", "detection")
OBJECTS: dict[str, Any] = {
    "PROBLEM.TYPE": "INSTANCE_SEG",
    "PROBLEM.NDIM": "3D",
    "DATA.PATCH_SIZE": [32, 64, 64, 1],
    "PROBLEM.INSTANCE_SEG.DATA_CHANNELS": ["F", "C", "Db"],
    "TRAIN.ENABLE": True,
    "TEST.ENABLE": True,
}
CLASSES: dict[str, Any] = {
    "PROBLEM.TYPE": "SEMANTIC_SEG",
    "TRAIN.ENABLE": True,
    "TEST.ENABLE": True,
}


POINTS: dict[str, Any] = {
    "PROBLEM.TYPE": "DETECTION",
    "TRAIN.ENABLE": True,
    "TEST.ENABLE": True,
}


def document(values: dict[str, Any]) -> Document:
    entries = {name: Entry(value, line) for line, (name, value) in enumerate(values.items(), 1)}
    return Document("job.yaml", entries, ())


def translated(base: dict[str, Any], **values: Any) -> Translation:
    """A translation; a double underscore in a keyword is a dot."""
    return translate(document(base | {name.replace("__", "."): v for name, v in values.items()}))


def kind_of(found: Translation, key: str) -> str:
    return next(row.verdict.kind for row in found.rows if row.key == key)


# ------------------------------------------------------------------------------- the table


def test_rows_fit_each_other() -> None:
    assert len(TABLE) > 516
    for key in TABLE.values():
        assert not key.now or (key.now in TABLE and not TABLE[key.now].now), key.name
        assert all(need in TABLE or need in CONDITIONS for need in key.needs), key.name
        assert all(name in TABLE for name in key.implies), key.name
        assert key.kind in KINDS
        assert key.kind == "exact" or key.note or key.judge or key.becomes, key.name


def test_fields_are_ours() -> None:
    """What a key becomes are fields of the configuration, beside those of channels and networks."""
    for key in TABLE.values():
        if (
            not key.becomes
            or key.becomes.split(".")[0] in ("channels", "model")
            or "*" in key.becomes
        ):
            continue
        place: Any = Config()
        for name in key.becomes.split("."):
            assert hasattr(place, name), f"{key.name}: {key.becomes}"
            place = getattr(place, name)


def samples(default: Any) -> Iterator[Any]:
    """Other values of the type of a default."""
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, (int, float)):
        yield from (default + 1, default + 2) if isinstance(default, int) else (0.31, 0.61)
    elif default is None:
        yield 0.3
    elif (
        isinstance(default, list)
        and default
        and all(type(item) in (int, float) for item in default)
    ):
        yield [item + 1 for item in default]


# Keys that say how long an epoch is, or what the object of a switch is.
APPROXIMATED_BY_NOTHING = re.compile(
    r"EXTRACT_RANDOM_PATCH|OVERLAP|PADDING|VAL\.RANDOM|FLOW_THRESH|MW_TH5|ITEMS_TO_LOAD"
)
SWITCHES = re.compile(
    r"ENABLE$|APPLY_MASK|MEDIAN_FILTER$|VAL\.|DA_PROB|LOAD_CHECKPOINT|SKIP_UNMATCHED"
)


@pytest.mark.parametrize("base", [OBJECTS, CLASSES, POINTS], ids=["objects", "classes", "points"])
def test_no_effect_is_lost(base: dict[str, Any]) -> None:
    """Whatever is called translated changes a field; whatever has no effect changes none."""
    for key in TABLE.values():
        if key.now:
            continue
        needs = {need: True for need in key.needs if TABLE.get(need, key).default is False}
        before = translate(document(base | needs))
        for value in samples(key.default):
            found = translate(document(base | needs | {key.name: value}))
            row = next((row for row in found.rows if row.key == key.name), None)
            if row is None or found.problems:
                assert found.problems, key.name
                continue
            same = found.settings == before.settings
            if row.verdict.kind == "no effect":
                assert same, f"{key.name}={value}"
            elif not (SWITCHES.search(key.name) or APPROXIMATED_BY_NOTHING.search(key.name)):
                at_default = base.get(key.name) == value or value in (0, 0.0)
                flat = key.name == "AUGMENTOR.ZFLIP_PROB" and base is not OBJECTS
                assert not same or at_default or flat, f"{key.name}={value}: {row.verdict}"


# ------------------------------------------------------------------------------ the values


def test_a_whole_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        """
PROBLEM:
  TYPE: INSTANCE_SEG
  INSTANCE_SEG:
    DATA_CHANNELS: BCD
    DATA_MW_TH_TYPE: manual
    DATA_MW_TH_BINARY_MASK: 0.2
    DATA_MW_TH_FOREGROUND: 0.25
    DATA_REMOVE_BEFORE_MW: True
    DATA_REMOVE_SMALL_OBJ_BEFORE: 5
DATA:
  PATCH_SIZE: (128, 128, 1)
  TRAIN: {PATH: train/x, MASK_PATH: train/y}
  TEST: {PATH: test/x, GT_PATH: test/y, LOAD_GT: True, PADDING: "(16, 16)", OVERLAP: "(.25, 0)"}
AUGMENTOR: {ENABLE: True, VFLIP: True, DA_PROB: 0.3}
MODEL: {ARCHITECTURE: unet, FEATURE_MAPS: [16, 32, 64], NORMALIZATION: bn}
TRAIN: {ENABLE: True, OPTIMIZER: SGD, LR: 1.E\N{MINUS SIGN}3, EPOCHS: 7, PATIENCE: -1}
TEST:
  ENABLE: True
  AUGMENTATION: True
  POST_PROCESSING:
    CLEAR_BORDER: False
    INSTANCE_REFINEMENT:
      ENABLE: True
      OPERATIONS: [fill_holes, remove_big_objects]
      VALUES: [none, 900]
""",
        encoding="utf-8",
    )
    config = load(path)
    assert [channel.name for channel in config.channels] == ["F", "C", "Db"]
    assert config.patch == config.predict.tile == (128, 128)
    assert (config.data.train.labels, config.data.test.labels) == ("train/y", "test/y")
    assert (config.predict.halo, config.predict.overlap) == ((16, 16), (24, 0))
    assert config.predict.tta == "full"
    assert config.model == UNet(features=(16, 32, 64), norm="bn")
    assert (config.train.optimizer, config.train.lr, config.train.epochs) == ("sgd", 1e-3, 7)
    assert (config.train.patience, config.train.schedule) == (0, "constant")
    assert config.watershed.seeds == ("F", "C", "Db")
    assert config.watershed.seed_thresholds == (0.2, "auto", "auto")
    assert (config.watershed.growth, config.watershed.growth_thresholds) == (("F",), (0.25,))
    assert (config.watershed.min_seed, config.watershed.seed_rule) == (5, "thresholds")
    assert config.postprocess.refine == (
        Refine("fill_holes"), Refine("remove_big_objects", (900.0,)))  # fmt: skip
    assert (config.augment.flip_y.probability, config.augment.flip_x.probability) == (0.3, 0.0)
    assert config.phases == ("train", "predict", "decode", "evaluate")
    assert not check(config)
    printed = capsys.readouterr().out
    assert "keys of BiaPy" in printed
    assert "read with a minus sign" in printed
    assert printed.count("DATA.TRAIN.MASK_PATH") == 1


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("BC", ("F", "C")),
        ("BCM", ("F", "C", "M")),
        ("BCDv2", ("F", "C", "D")),
        (["BCD"], ("F", "C", "Db")),
        (["B", "C"], ("B", "C")),
        (["Db"], ("Db",)),
        ("Db", ("Db",)),
        ("F", ("F",)),
        (["E_offset", "E_sigma"], ("E_offset", "E_sigma")),
    ],
)
def test_channel_names(given: Any, names: tuple[str, ...]) -> None:
    assert channel_names(given) == names


def test_channels_with_options() -> None:
    found = translated(
        OBJECTS,
        PROBLEM__INSTANCE_SEG__DATA_CHANNELS=["F", "Db", "A"],
        PROBLEM__INSTANCE_SEG__DATA_CHANNELS_EXTRA_OPTS={
            "Db": {"val_type": "raw", "mask_values": True},
            "A": {"z_affinities": [1, 2], "x_affinities": [3]},
        },
        PROBLEM__INSTANCE_SEG__DATA_CHANNELS_LOSSES=["bce", "l1", "bce"],
        PROBLEM__INSTANCE_SEG__DATA_CHANNEL_WEIGHTS=[1, 0.5, 2],
    ).config()
    assert found.channels == (
        ch("F", loss="bce"),
        ch("Db", norm=False, mask_values=True, loss="mae", weight=0.5),
        ch("A", offsets=((1, 0, 0), (2, 0, 0), (0, 0, 3)), loss="bce", weight=2.0),
    )


def test_embeddings_are_one_channel() -> None:
    found = translated(
        OBJECTS,
        PROBLEM__INSTANCE_SEG__DATA_CHANNELS=["E_offset", "E_sigma", "E_seediness"],
        PROBLEM__INSTANCE_SEG__DATA_CHANNEL_WEIGHTS=[5, 1, 10, 2],
        PROBLEM__INSTANCE_SEG__EMBEDSEG__SEED_THRESH=0.7,
    ).config()
    assert found.channels == (
        ch("E", foreground_weight=5.0, variance_weight=10.0, seed_weight=2.0),
    )
    assert found.embedseg.seed_threshold == 0.7
    assert not found.loss.balance


def test_weights_of_two_terms_are_not_swapped() -> None:
    found = translated(CLASSES, LOSS__TYPE="W_CE_DICE", LOSS__WEIGHTS=[0.8, 0.2]).config()
    assert found.channels == (ch("S", cross_entropy=0.8, dice=0.2),)
    alone = translated(CLASSES, LOSS__TYPE="DICE").config()
    assert alone.channels == (ch("S", cross_entropy=0.0),)
    other = translated(CLASSES, LOSS__TYPE=["DICE", "CE"], LOSS__WEIGHTS=[0.2, 0.8]).config()
    assert other.channels == found.channels


@pytest.mark.parametrize(
    ("values", "schedule"),
    [
        ({"NAME": "warmupcosine", "MIN_LR": 1e-5, "WARMUP_COSINE_DECAY_EPOCHS": 4},
         {"schedule": "cosine", "warmup": 4, "final_lr": 0.1}),
        ({"NAME": "reduceonplateau", "MIN_LR": 1e-5, "REDUCEONPLATEAU_PATIENCE": 9},
         {"schedule": "plateau", "warmup": 0, "final_lr": 0.1, "plateau_patience": 10}),
        ({"NAME": "onecycle"}, {"schedule": "one_cycle"}),
        ({}, {"schedule": "constant", "warmup": 0}),
    ],
)  # fmt: skip
def test_schedules(values: dict[str, Any], schedule: dict[str, Any]) -> None:
    keys = {f"TRAIN.LR_SCHEDULER.{name}": value for name, value in values.items()}
    config = translate(document(CLASSES | {"TRAIN.OPTIMIZER": "ADAMW"} | keys)).config()
    for name, value in schedule.items():
        assert getattr(config.train, name) == pytest.approx(value), name
    assert not [problem for problem in check(config) if str(problem.where).startswith("train")]


def test_old_switches_keep_their_meaning() -> None:
    off = translated(OBJECTS, TEST__POST_PROCESSING__CLEAR_BORDER=False,
                     TEST__POST_PROCESSING__YZ_FILTERING=False,
                     TEST__POST_PROCESSING__YZ_FILTERING_SIZE=7)  # fmt: skip
    assert not off.config().postprocess.refine
    assert not off.config().postprocess.median
    on = translated(OBJECTS, TEST__POST_PROCESSING__CLEAR_BORDER=True,
                    TEST__POST_PROCESSING__YZ_FILTERING=True).config()  # fmt: skip
    assert on.postprocess.refine == (Refine("clear_border"),)
    assert [(one.axes, one.size) for one in on.postprocess.median] == [("yz", 5)]


def test_removal_by_properties_in_old_and_new_words() -> None:
    lists = {"PROPS": [["npixels"], ["sphericity", "npixels"]], "VALUES": [[150], [0.01, 2000]],
             "SIGNS": [["le"], ["lt", "lt"]]}  # fmt: skip
    prefix = "TEST.POST_PROCESSING.MEASURE_PROPERTIES.REMOVE_BY_PROPERTIES."
    new = {prefix + name: value for name, value in lists.items()} | {prefix + "ENABLE": True}
    prefix = "TEST.POST_PROCESSING.REMOVE_BY_PROPERTIES"
    previous = {prefix: lists["PROPS"], prefix + "_VALUES": lists["VALUES"],
                prefix + "_SIGN": lists["SIGNS"]}  # fmt: skip
    found = [translate(document(OBJECTS | keys)).config().postprocess.remove
             for keys in (new, previous)]  # fmt: skip
    assert found[0] == found[1]
    assert [[one.name for one in group] for group in found[0]] == lists["PROPS"]


def test_samples_and_patches() -> None:
    config = translated(
        OBJECTS, DATA__TRAIN__MINIMUM_FOREGROUND_PER=0.05, DATA__TRAIN__OVERLAP=[0.25, 0, 0],
        DATA__VAL__CROSS_VAL=True, DATA__VAL__CROSS_VAL_FOLD=2,
        DATA__TEST__USE_VAL_AS_TEST=True,
    ).config()  # fmt: skip
    assert config.data.filter.train == ((SampleCondition("foreground", "lt", 0.05),),)
    assert (config.data.filter.by, config.data.filter.normalized) == ("patch", False)
    assert (config.data.grid.enable, config.data.grid.overlap) == (True, (0.25, 0, 0))
    assert (config.data.cross_val.folds, config.data.cross_val.fold) == (5, 2)
    assert config.data.cross_val.as_test
    drawn = translated(OBJECTS, DATA__PROBABILITY_MAP=True, DATA__W_FOREGROUND=0.7).config()
    assert not drawn.data.grid.enable
    assert drawn.data.probability_map.w_foreground == 0.7


def test_normalisation() -> None:
    prefix = "DATA.NORMALIZATION."
    clip = {prefix + "PERC_CLIP.ENABLE": True, prefix + "PERC_CLIP.LOWER": 0.1,
            prefix + "PERC_UPPER": 99.8}  # fmt: skip
    found = translate(document(CLASSES | clip | {prefix + "TYPE": "div"})).config().normalize
    assert (found.method, found.clip, found.scope) == ("dtype", (0.1, 99.8), "image")
    fixed = {prefix + "TYPE": "custom", prefix + "CUSTOM_MEAN": 12, prefix + "CUSTOM_STD": [3.0],
             prefix + "CUSTOM_MODE": "dataset"}  # fmt: skip
    found = translate(document(CLASSES | fixed)).config().normalize
    assert (found.method, found.mean, found.deviation) == ("zscore", (12.0,), (3.0,))
    assert found.scope == "dataset"
    assert translated(CLASSES).config().normalize.method == "zscore"
    ranged = translate(document(CLASSES | {prefix + "TYPE": "scale_range"})).config()
    assert ranged.normalize.method == "range"


def test_normalisation_by_patch_and_clipping_at_values() -> None:
    prefix = "DATA.NORMALIZATION."
    patch = {prefix + "MEASURE_BY": "patch"}
    assert translate(document(CLASSES | patch)).config().normalize.scope == "patch"
    known = translate(document(CLASSES | patch | {prefix + "TYPE": "div"}))
    assert known.config().normalize.scope == "image"
    assert kind_of(known, prefix + "MEASURE_BY") == "no effect"
    clip = {prefix + "PERC_CLIP.ENABLE": True, prefix + "PERC_CLIP.LOWER_PERC": 0.1,
            prefix + "PERC_CLIP.UPPER_PERC": 99.8}  # fmt: skip
    half = translate(document(CLASSES | patch | clip | {prefix + "TYPE": "div"}))
    assert kind_of(half, prefix + "MEASURE_BY") == "approximated"
    values = {prefix + "PERC_CLIP.LOWER_VALUE": 3, prefix + "PERC_CLIP.UPPER_VALUE": [90.0]}
    found = translate(document(CLASSES | clip | values))
    options = found.config().normalize
    assert (options.clip, options.clip_low, options.clip_high) == ((), (3.0,), (90.0,))
    assert kind_of(found, prefix + "PERC_CLIP.LOWER_PERC") == "no effect"
    odd = translate(document(CLASSES | {prefix + "MEASURE_BY": "plane"}))
    assert "one of image, dataset, patch" in str(odd.problems[0])


def test_images_as_a_stack() -> None:
    stack = {"TEST.ANALIZE_2D_IMGS_AS_3D_STACK": True, "TEST.POST_PROCESSING.Z_FILTERING": True}
    config = translate(document(CLASSES | stack)).config()
    assert config.data.as_3d_stack
    assert not any("postprocess" in str(problem.where) for problem in check(config))
    deep = translate(document(OBJECTS | stack))
    assert not deep.config().data.as_3d_stack
    assert kind_of(deep, "TEST.ANALIZE_2D_IMGS_AS_3D_STACK") == "no effect"


def test_what_a_network_sees_and_learns() -> None:
    config = translated(OBJECTS, DATA__TEST__MEDIAN_PADDING=True).config()
    assert config.predict.border == "median"
    assert translated(CLASSES, DATA__TEST__MEDIAN_PADDING=True).config().predict.border == "reflect"
    model = translated(
        CLASSES, MODEL__CONV_BLOCK_ORDER="norm_act_conv", MODEL__CONV_LAYERS=[1, 2, 2, 2, 3]
    ).config().model  # fmt: skip
    assert isinstance(model, UNet)
    assert (model.order, model.level_convs) == ("norm_act_conv", (1, 2, 2, 2, 3))
    cosine = {"TRAIN.LR_SCHEDULER.NAME": "warmupcosine", "TRAIN.LR_SCHEDULER.MIN_LR": 1e-6,
              "TRAIN.LR_SCHEDULER.COSINE_DECAY_FRACTION": 0.3}  # fmt: skip
    config = translate(document(CLASSES | cosine)).config()
    assert config.train.decay_part == 0.3
    config = translated(CLASSES, MODEL__FREEZE_LAYERS_MATCHING=["^down", "bottleneck"]).config()
    assert config.train.freeze == ("biapy:^down", "biapy:bottleneck")
    wrong = translated(CLASSES, MODEL__FREEZE_LAYERS_MATCHING=["(down"])
    assert "not a regular expression" in str(wrong.problems[0])
    config = translated(CLASSES, LOG__CHART_CREATION_FREQ=3, LOG__TENSORBOARD_LOG_DIR="tb").config()
    assert (config.train.chart_every, config.train.tensorboard) == (3, True)
    assert not translated(CLASSES).config().train.tensorboard


def test_one_voxel_size() -> None:
    keys = {"ENABLE": True, "TARGET_RESOLUTION": [2.0, 0.5, 0.4]}
    keys = {f"DATA.RESOLUTION_NORM.{name}": value for name, value in keys.items()}
    found = translate(document(OBJECTS | keys)).config().data
    assert (found.resample, found.spacing_table) == ((0.0, 0.5, 0.4), True)
    assert translate(document(CLASSES | keys)).config().data.resample == (0.5, 0.4)
    keys["DATA.RESOLUTION_NORM.TARGET_RESOLUTION"] = [2.0, -1.0, 0.4]
    assert "not the size of a voxel" in str(translate(document(OBJECTS | keys)).problems[0])


def test_gray_images_passes_and_the_last_network() -> None:
    keys = {"DATA.FORCE_RGB": True, "DATA.TRAIN.REPLICATE": 4,
            "TRAIN.SAVE_TRAIN_PREDS_FREQ": 5, "TRAIN.SAVE_TRAIN_PREDS_NUM_SAMPLES": 3,
            "MODEL.LOAD_CHECKPOINT_EPOCH": "last_on_train"}  # fmt: skip
    found = translate(document(CLASSES | keys)).config()
    assert (found.data.gray_as_rgb, found.train.passes) == (True, 4)
    assert found.predict.weights == "last"
    shown = translate(document(CLASSES | {"DATA.CHECK_GENERATORS": True})).config()
    assert shown.augment.show == 10
    assert (found.train.predictions_every, found.train.predictions) == (5, 3)
    with_file = {"MODEL.LOAD_CHECKPOINT": True, "PATHS.CHECKPOINT_FILE": "a.pth"}
    only_test = translate(document(CLASSES | keys | with_file | {"TRAIN.ENABLE": False}))
    assert kind_of(only_test, "MODEL.LOAD_CHECKPOINT_EPOCH") == "no effect"


def test_a_package_after_the_training() -> None:
    keys = {"ENABLE": True, "MODEL_NAME": "cells", "AUTHORS": [{"name": "Jane Doe", "github": "j"}],
            "CITE": [{"text": "Doe 2020", "doi": "10.1000/1"}], "TAGS": ["em"]}  # fmt: skip
    keys = {f"MODEL.BMZ.EXPORT.{name}": value for name, value in keys.items()}
    found = translate(document(CLASSES | keys)).config().train.export
    assert (found.format, found.name, found.license) == ("package", "cells", "CC-BY-4.0")
    assert (found.authors, found.cite) == (("Jane Doe",), ("Doe 2020 10.1000/1",))
    off = translate(document(CLASSES | keys | {"MODEL.BMZ.EXPORT.ENABLE": False}))
    assert kind_of(off, "MODEL.BMZ.EXPORT.AUTHORS") == "no effect"
    wrong = translate(document(CLASSES | keys | {"MODEL.BMZ.EXPORT.AUTHORS": [{"mail": "a"}]}))
    assert "not a list of texts" in str(wrong.problems[0])


def test_names_of_the_first_versions() -> None:
    values = {"DATA.CHANNELS": "BCD", "DATA.CONTOUR_MODE": "inner", "DATA.MW_TH1": 0.8,
              "DATA.MW_TH2": 0.1, "DATA.MW_TH3": 0.3, "DATA.MW_TH4": 4.5, "DATA.MW_TH5": 2.0,
              "DATA.REMOVE_SMALL_OBJ": 12, "TEST.POST_PROCESSING.BLENDING": True,
              "MODEL.KERNEL_INIT": "he_normal"}  # fmt: skip
    base = {name: value for name, value in OBJECTS.items() if "DATA_CHANNELS" not in name}
    found = translate(document(base | values)).config()
    assert [channel.name for channel in found.channels] == ["F", "C", "Db"]
    assert found.channels[1].options.mode == "inner"  # type: ignore[union-attr]
    assert found.watershed.growth_thresholds == (0.3,)
    assert found.watershed.seed_thresholds[:2] == (0.8, 0.1)
    later = translate(document(base | {"PROBLEM.INSTANCE_SEG.DATA_CHANNELS": "BC",
                                       "PROBLEM.INSTANCE_SEG.DATA_MW_TH1": 0.7}))  # fmt: skip
    assert later.config().watershed.seed_thresholds[0] == 0.7
    flat = translate(document(CLASSES | {"TEST.POST_PROCESSING.YZ_FILTERING": True}))
    assert flat.config().postprocess.median == ()
    assert kind_of(flat, "TEST.POST_PROCESSING.YZ_FILTERING") == "no effect"
    tuned = translate(document(base | values | {"DATA.MW_OPTIMIZE_THS": True}))
    assert "phase tune" in str(tuned.problems[0])


def test_sizes_of_hrnet_in_its_name() -> None:
    stages = {"MODEL.HRNET_32.STAGE2.NUM_BLOCKS": [4, 4], "MODEL.HRNET_32.Z_DOWN": True}
    found = translate(document(OBJECTS | stages | {"MODEL.ARCHITECTURE": "HRNet32"}))
    model = found.config().model
    assert (model.architecture, model.width) == ("hrnet", 32)  # type: ignore[union-attr]
    assert model.z_down == (2,) * 5  # type: ignore[union-attr]
    assert kind_of(found, "MODEL.HRNET_32.STAGE2.NUM_BLOCKS") == "no effect"


def test_networks_out_of_lists() -> None:
    prefix = "MODEL.HRNET."
    keys = {"MODEL.ARCHITECTURE": "hrnet", prefix + "VARIANT": "custom", prefix + "NUM_STAGES": 2,
            prefix + "NUM_MODULES": [1, 2], prefix + "NUM_BRANCHES": [2, 3],
            prefix + "NUM_BLOCKS": [[1, 2], [3, 4, 5]], prefix + "Z_DOWN": [1, 2],
            prefix + "NUM_CHANNELS": [[8, 16], [8, 16, 24]],
            prefix + "YX_DOWN": [2, 1]}  # fmt: skip
    model: Any = translate(document(OBJECTS | keys)).config().model
    assert (model.modules, model.branch_blocks) == ((1, 2), (1, 2, 3, 4, 5))
    assert model.branch_widths == (8, 16, 8, 16, 24)
    assert (model.yx_down, model.z_down) == ((2, 2, 2, 1), (1, 1, 1, 2))
    wrong = translate(document(OBJECTS | keys | {prefix + "NUM_BLOCKS": [[1, 2], [3]]}))
    assert "2 lists of [2, 3] numbers" in str(wrong.problems[0])
    named = translate(document(OBJECTS | keys | {prefix + "VARIANT": "W18"}))
    assert kind_of(named, prefix + "NUM_BLOCKS") == "no effect"
    prefix = "MODEL.STUNET."
    keys = {"MODEL.ARCHITECTURE": "stunet", prefix + "VARIANT": "custom",
            prefix + "DIMS": [4, 8, 16], prefix + "DEPTH": [1, 2, 1],
            prefix + "POOL_OP_KERNEL_SIZES": [[1, 2, 2], [2, 2, 2]],
            prefix + "CONV_KERNEL_SIZES": [[1, 3, 3], [3, 3, 3], [3, 3, 3]]}  # fmt: skip
    model = translate(document(OBJECTS | keys)).config().model
    assert (model.features, model.depths, model.kernels) == ((4, 8, 16), (1, 2, 1), (3, 3, 3))
    assert (model.z_down, model.yx_down) == ((1, 2), (2, 2))
    assert model.isotropic == (False, True, True)


def test_zoom_of_test_images() -> None:
    prefix = "DATA.PREPROCESS."
    keys = {prefix + "TEST": True, prefix + "ZOOM.ENABLE": True,
            prefix + "ZOOM.ZOOM_FACTOR": [2, 1, 3, 3],
            "DATA.TEST.INPUT_IMG_AXES_ORDER": "ZCYX"}  # fmt: skip
    found = translate(document(OBJECTS | keys)).config()
    assert found.predict.zoom == (2.0, 3.0, 3.0)
    assert not found.preprocess.any
    for values, words in (([1, 2, 3, 3], "axes of space"), ([1, 3, 3], "number of values")):
        wrong = translate(document(OBJECTS | keys | {prefix + "ZOOM.ZOOM_FACTOR": values}))
        assert words in str(wrong.problems[0])
    off = translate(document(OBJECTS | keys | {prefix + "TEST": False}))
    assert off.config().predict.zoom == ()


def test_copies_of_what_is_left_out() -> None:
    prefix = "DATA.TRAIN.FILTER_SAMPLES."
    keys = {prefix + "ENABLE": True, prefix + "PROPS": [["mean"]], prefix + "VALUES": [[9]],
            prefix + "SIGNS": [["lt"]]}  # fmt: skip
    saved = {"DATA.SAVE_FILTERED_IMAGES": True, "DATA.SAVE_FILTERED_IMAGES_NUM": 5}
    assert translate(document(CLASSES | keys | saved)).config().data.filter.save == 5
    nothing = translate(document(CLASSES | saved))
    assert nothing.config().data.filter.save == 0
    assert kind_of(nothing, "DATA.SAVE_FILTERED_IMAGES") == "no effect"


def test_preprocessing() -> None:
    steps = {"RESIZE": {"OUTPUT_SHAPE": [64, 96]}, "GAUSSIAN_BLUR": {"SIGMA": 2},
             "MEDIAN_BLUR": {"KERNEL_SIZE": [3, 5, 1]}, "CLAHE": {"KERNEL_SIZE": 16},
             "CANNY": {"LOW_THRESHOLD": 5}}  # fmt: skip
    keys = {f"DATA.PREPROCESS.{step}.{name}": value
            for step, options in steps.items()
            for name, value in ({"ENABLE": True} | options).items()}  # fmt: skip
    parts = {f"DATA.PREPROCESS.{part}": True for part in ("TRAIN", "TEST")}
    found = translate(document(CLASSES | keys | parts)).config().preprocess
    assert (found.resize, found.gaussian, found.median) == ((64, 96), (2.0,), (3, 5))
    assert (found.clahe.kernel, found.canny.low, found.canny.high) == ((16, 16), 5.0, -1.0)
    off = translate(document(CLASSES | keys))
    assert not off.config().preprocess.any
    assert kind_of(off, "DATA.PREPROCESS.CLAHE.ENABLE") == "no effect"
    half = translate(document(CLASSES | keys | {"DATA.PREPROCESS.TRAIN": True}))
    assert "treated alike" in str(half.problems[0])


def test_points_and_objects_grown_from_them() -> None:
    prefix = "TEST.POST_PROCESSING."
    keys = {
        "DATA.N_CLASSES": 3, "PROBLEM.DETECTION.CENTRAL_POINT_DILATION": [3],
        "PROBLEM.DETECTION.DATA_CHANNEL_WEIGHTS": [1, 0.5], "TEST.DET_TOLERANCE": [4],
        "TEST.DET_MIN_TH_TO_BE_PEAK": [0.3, 0.4], "DATA.TEST.RESOLUTION": [2, 0.5],
        prefix + "REMOVE_CLOSE_POINTS": True, prefix + "REMOVE_CLOSE_POINTS_RADIUS": [4.0],
        prefix + "DET_WATERSHED": True, prefix + "DET_WATERSHED_FIRST_DILATION": [4, 4],
        "TEST.DET_IGNORE_POINTS_OUTSIDE_BOX": [5, 6],
        prefix + "REMOVE_BY_PROPERTIES": [["circularity"]],
        prefix + "REMOVE_BY_PROPERTIES_VALUES": [[0.4]],
        prefix + "REMOVE_BY_PROPERTIES_SIGN": [["lt"]],
    }  # fmt: skip
    config = translate(document(POINTS | keys)).config()
    assert config.channels == (ch("F"), ch("S", classes=3, dice=0.0, weight=0.5))
    found = config.detection
    assert (found.radius, found.radius_unit, found.tolerances) == ((3.0,), "voxel", (4.0,))
    assert (found.threshold, found.remove_close) == ((0.3, 0.4), (4.0,))
    assert (found.grow.enable, found.grow.seed_radius) == (True, 1.0)
    assert (config.data.spacing, config.evaluate.border_crop) == ((2.0, 0.5), (5, 6))
    assert config.postprocess.remove[0][0].name == "circularity"
    assert not [one for one in check(config) if "data." not in str(one.where)]
    plain = translate(document(POINTS)).config()
    assert (plain.detection.threshold, plain.data.spacing) == ("auto", (1.0, 1.0))
    assert plain.loss.balance


def test_weights_to_begin_with() -> None:
    keys = {"MODEL.LOAD_CHECKPOINT": True, "PATHS.CHECKPOINT_FILE": "a.pth"}
    begun = translate(document(OBJECTS | keys)).config()
    assert (begun.train.start_from, begun.predict.checkpoint) == ("a.pth", "")
    used = translate(document(OBJECTS | keys | {"TRAIN.ENABLE": False})).config()
    assert (used.train.start_from, used.predict.checkpoint) == ("", "a.pth")


def test_blocks() -> None:
    config = translated(
        OBJECTS, TEST__BY_CHUNKS__ENABLE=True, DATA__TEST__PADDING=[4, 8, 8],
        TEST__BY_CHUNKS__WORKFLOW_PROCESS__PATCHES_PER_TILE=[1, 2, 2],
    ).config()  # fmt: skip
    assert config.blocks.size == (24, 96, 96)
    assert (config.blocks.halo, config.blocks.merge_threshold) == ((4, 8, 8), 0.3)


# ------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TRAIN.EPOCH: 3", "did you mean TRAIN.EPOCHS"),
        ("DATA.TRAIN.PATHS: x", "did you mean DATA.TRAIN.PATH"),
        ("AUGMENTATOR: {ENABLE: True}", "AUGMENTOR"),
        ("PROBLEM.TYPE: DENOISING", "workflow DENOISING is not offered"),
        ("PROBLEM.TYPE: DETECTION\nTEST.DET_MIN_TH_TO_BE_PEAK: [0.1, 0.2]", "one per class"),
        ("PROBLEM.TYPE: DETECTION\nTEST.DET_POINT_CREATION_FUNCTION: dog", "blob_log"),
        ("PROBLEM.TYPE: INSTANCE SEG", "did you mean INSTANCE_SEG"),
        ("TRAIN.ENABLE: True\nLOSS.CONTRAST.ENABLE: True", "job.yaml:3: LOSS.CONTRAST.ENABLE"),
        ("TRAIN.EPOCHS: many", "not a finite number"),
        ("TRAIN.EPOCHS: 2.5", "not a whole number"),
        ("TEST.AUGMENTATION: maybe", "not True or False"),
        ("DATA.PATCH_SIZE: (64, 64)", "and the number of channels"),
        ("DATA.TRAIN.GT_PATH: a\nDATA.TRAIN.MASK_PATH: b", "says otherwise"),
        ("MODEL.ARCHITECTURE: vit", "no such network"),
        ("MODEL: {SOURCE: bmz, BMZ: {SOURCE_MODEL_ID: happy-cat}}\nTEST.ENABLE: True", "download"),
        ("DATA.TRAIN.RESOLUTION: (2, 2)\nDATA.TEST.RESOLUTION: (3, 3)", "differ"),
        ("PROBLEM.TYPE: INSTANCE_SEG\nPROBLEM.INSTANCE_SEG.DATA_CHANNELS: [F, Q]", "channel 'Q'"),
        ("PROBLEM.TYPE: INSTANCE_SEG\nPROBLEM.INSTANCE_SEG.DATA_CHANNELS: [F]\n"
         "PROBLEM.INSTANCE_SEG.DATA_CHANNELS_EXTRA_OPTS: {F: {dilate: 2}}", "has no dilate"),
        ("LOSS.TYPE: FOCUS", "unknown loss"),
        ("PROBLEM: {TYPE: INSTANCE_SEG, NDIM: 3D, INSTANCE_SEG: {TYPE: synapses}}\n"
         "PROBLEM.INSTANCE_SEG.DATA_CHANNELS: [F_cleft]", "sites of both sides"),
        ("PROBLEM: {TYPE: INSTANCE_SEG, NDIM: 3D, INSTANCE_SEG: {TYPE: synapses}}\n"
         "PROBLEM.INSTANCE_SEG.DATA_CHANNELS: [F_pre, F_post]\n"
         "PROBLEM.INSTANCE_SEG.SYNAPSES.PEAK_LOCAL_MAX_MIN_DISTANCE: 4", "size is not given"),
        ("PROBLEM: {TYPE: INSTANCE_SEG, NDIM: 3D, INSTANCE_SEG: {TYPE: synapses}}\n"
         "PROBLEM.INSTANCE_SEG.DATA_CHANNELS: [F_pre, F_post]\n"
         "PROBLEM.INSTANCE_SEG.SYNAPSES.TH_TYPE: relative", "auto or manual"),
        ("seed: 3\nTRAIN.EPOCHS: 3", "unknown section seed"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("SYSTEM.SEED: 1\n" + text)
    with pytest.raises(JaxsegError, match=words) as caught:
        load(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)


ODD: tuple[Any, ...] = (
    *(None, "", "word", -1, 10**9, 1.5, math.nan, math.inf, True, [], [None], ["a", 1]),
    *([[1, 2], [3]], {"a": 1}, [{"a": 1}], [0, 0, 0], "auto"),
)


def read_or_refused(base: dict[str, Any], key: Key, value: Any) -> None:
    switches = {need: True for need in key.needs if TABLE.get(need, key).default is False}
    with contextlib.suppress(JaxsegError):
        found = translate(document(base | switches | {key.name: value}))
        report(found)
        check(found.config())


def test_some_odd_value_of_every_key_is_read_or_refused() -> None:
    for place, key in enumerate(TABLE.values()):
        read_or_refused((OBJECTS, CLASSES, POINTS)[place % 3], key, ODD[place % len(ODD)])


@pytest.mark.slow
@pytest.mark.parametrize("base", [OBJECTS, CLASSES, POINTS], ids=["objects", "classes", "points"])
def test_any_odd_value_of_every_key_is_read_or_refused(base: dict[str, Any]) -> None:
    for key in TABLE.values():
        for value in ODD:
            read_or_refused(base, key, value)


def test_all_problems_at_once_after_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        "TRAIN.EPOCH: 3\nLOSS.CONTRAST.ENABLE: True\nTEST.ENABEL: True\n"
        "TRAIN.ENABLE: True\nSYSTEM.SEED: 2"
    )
    with pytest.raises(JaxsegError) as caught:
        load(path)
    for key in ("TRAIN.EPOCH", "LOSS.CONTRAST.ENABLE", "TEST.ENABEL"):
        assert key in str(caught.value)
    table = capsys.readouterr().out
    assert "1 refused" in table
    assert "SYSTEM.SEED" in table


def test_a_switch_that_is_off_softens_a_refusal() -> None:
    found = translated(OBJECTS, TRAIN__ENABLE=False, LOSS__CONTRAST__ENABLE=True)
    assert kind_of(found, "LOSS.CONTRAST.ENABLE") == "no effect"
    assert not found.problems
    shown = translated(OBJECTS, LOSS__CONTRAST__ENABLE=True)
    assert kind_of(shown, "LOSS.CONTRAST.ENABLE") == "refused"


def test_options_of_another_decoder_have_no_effect() -> None:
    found = translated(OBJECTS, PROBLEM__INSTANCE_SEG__STARDIST__PROB_THRESH=0.7)
    assert kind_of(found, "PROBLEM.INSTANCE_SEG.STARDIST.PROB_THRESH") == "no effect"
    assert not check(found.config()) or "stardist" not in str(check(found.config()))


# ---------------------------------------------------------------------- files and command line


@pytest.mark.parametrize(
    "path", sorted(CASES.rglob("*.yaml")) or [None], ids=lambda path: path.stem if path else "none"
)
def test_public_files(path: Path | None) -> None:
    if path is None:
        pytest.skip("the public configuration files are not here")
    found = translate(read_yaml(path))
    if path.parent.name not in KNOWN_KINDS:
        assert "is not offered" in str(found.problems[0])
        return
    assert len(found.rows) == len({row.key for row in found.rows}) > 20
    assert not [problem for problem in found.problems if "unknown key" in str(problem)]
    if path.stem in DOWNLOADS:
        assert "a download" in " ".join(map(str, found.problems))
        return
    if found.problems:
        assert all("refused" in str(problem) for problem in found.problems)
        return
    config = found.config()
    assert not check(config)
    names: dict[str, Any] = {}
    exec(new_config(path), names)
    assert to_plain(names["config"]) == to_plain(config)


def test_the_page_of_keys_is_up_to_date() -> None:
    writer = runpy.run_path(str(ROOT / "docs" / "write_biapy_keys.py"))
    written = (ROOT / "docs" / "biapy_keys.md").read_text(encoding="utf-8")
    assert written == writer["page"](), "run python docs/write_biapy_keys.py"


def test_the_page_of_coverage_is_up_to_date() -> None:
    writer = runpy.run_path(str(ROOT / "docs" / "write_coverage.py"))
    written = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert written == writer["page"](), "run python docs/write_coverage.py"


def test_rows_of_coverage_name_keys_and_options_that_there_are() -> None:
    sections = runpy.run_path(str(ROOT / "docs" / "coverage_rows.py"))["SECTIONS"]
    options = {name for name, _, _ in leaves(Config())}
    for row in (row for rows in sections.values() for row in rows):
        assert all(name in TABLE and not TABLE[name].now for name in row.keys), row
        # A verdict of its own, or that of its keys.
        assert row.verdict or row.keys, row
        assert row.here or row.keys, row
        for word in re.findall(r"`([a-z_]+\.[a-z_.]+)`", row.here):
            assert word in options, f"{row.what}: {word}"


def test_our_yaml_of_the_page_about_exchange(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    config = load(tmp_path / "mine.yaml")
    assert config.channels == (ch("F"), ch("C"), ch("Db", weight=0.5))
    assert (config.train.lr, config.data.train.labels) == (1e-3, "train/label")


def test_report_names_every_key_once() -> None:
    text = report(translate(parse_yaml("SYSTEM: {SEED: 3, NUM_WORKERS: 5}\nTEST.ENABLE: True")))
    lines = text.splitlines()
    assert "3 keys of BiaPy, 2 translated exactly, 0 approximated, 1 without effect" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == [
        "SYSTEM.SEED", "SYSTEM.NUM_WORKERS", "TEST.ENABLE"]  # fmt: skip


def test_documented_flags() -> None:
    words = "--config a.yaml --result_dir out --name n --run_id 3 --gpu 0,1 --train.epochs 2"
    args, environment = documented_flags(words.split())
    assert args == [
        *("--config", "a.yaml", "--out", "out", "--name", "n", "--run", "3"),
        *("--train.epochs", "2"),
    ]
    assert environment == {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert documented_flags(["--gpu=cpu"]) == ([], {"JAX_PLATFORMS": "cpu"})
    assert documented_flags(["--gpu", ""]) == ([], {"JAX_PLATFORMS": "cpu"})
    for wrong in (["--gpu"], ["--gpu", "first"]):
        with pytest.raises(ConfigError, match="gpu"):
            documented_flags(wrong)


def test_new_config_lists_what_is_not_exact(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("SYSTEM.NUM_WORKERS: 3\nTRAIN: {ENABLE: True, W_DECAY: 0.5}")
    text = new_config(path)
    assert "- TRAIN.W_DECAY, approximated" in text
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["config"].train.weight_decay == 0.5
    assert dataclasses.is_dataclass(names["config"])
