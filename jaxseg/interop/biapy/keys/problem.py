"""PROBLEM: the task, its channels, and how objects are made of them."""

from __future__ import annotations

from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys import synapses
from jaxseg.interop.biapy.keys.channels import (
    PREFIX,
    channel_names,
    channels,
    extra_options,
    omnipose,
)
from jaxseg.interop.biapy.keys.row import (
    Job,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    old,
    only,
    refused,
    same,
)

TASKS = {"SEMANTIC_SEG": "semantic", "INSTANCE_SEG": "instances", "DETECTION": "detection"}
OTHER_TASKS = ("DENOISING", "SUPER_RESOLUTION", "SELF_SUPERVISED", "CLASSIFICATION",
               "IMAGE_TO_IMAGE")  # fmt: skip
DECODERS = {"": "auto", "watershed": "watershed", "stardist": "stardist", "embeddings": "embedseg",
            "gradient-flow": "flow", "agglomeration": "agglomeration"}  # fmt: skip
W = PREFIX + "WATERSHED."
# Channels that never mark seeds where there are others.
NO_SEEDS = ("M", "A", "T", "R", "Gv", "Gh", "Gz", "E")
GROWTH = ("F", "B", "D", "Db", "Dc")
# Old thresholds of single channels.
MANUAL = {"F": "BINARY_MASK", "C": "CONTOUR", "D": "DISTANCE", "Db": "DISTANCE", "P": "POINTS"}


def settings(job: Job) -> dict[str, Any]:
    """Task, channels, and the decoder with its options."""
    found: dict[str, Any] = {
        "task": "synapses" if job.synapses else TASKS[job["PROBLEM.TYPE"]],
        "ndim": job.ndim,
        "channels": channels(job),
    }
    if job.detection:
        found["loss.balance"] = balances(job, "PROBLEM.DETECTION.")
    if job.synapses:
        found["loss.balance"] = balances(job)
    if not job.instances:
        return found
    embeddings = any(channel["name"] == "E" for channel in found["channels"])
    balance = balances(job)
    border = job[PREFIX + "BORDER_EXTRA_WEIGHTS"] == "unet-like"
    found |= {
        "loss.balance": balance and not embeddings,
        "loss.border_weight": 10.0 if border else 0.0,
        "decoder": DECODERS[job[PREFIX + "INSTANCE_CREATION_PROCESS"]],
    }
    decoder = _decoder(job)
    if decoder == "watershed":
        found |= watershed(job)
    found |= _of_decoder(job, decoder)
    if decoder == "flow" and omnipose(job):
        found["flow.threshold"] = []
        if job[PREFIX + "OMNIPOSE.NITER"]:
            found["flow.steps"] = job[PREFIX + "OMNIPOSE.NITER"]
    return found


def balances(job: Job, prefix: str = PREFIX) -> bool:
    """Whether rare answers weigh more; before it had a key of its own, LOSS said so."""
    key, old_key = prefix + "CLASS_REBALANCE_WITHIN_CHANNELS", "LOSS.CLASS_REBALANCE"
    word = str(job[old_key]).lower()
    if word in ("true", "auto"):
        return True
    return bool(job[key]) and (word != "false" or key in job.given)


def _decoder(job: Job) -> str:
    """The decoder by name, also where the channels choose it."""
    from jaxseg.config import decoder_for

    chosen = DECODERS[job[PREFIX + "INSTANCE_CREATION_PROCESS"]]
    if chosen != "auto":
        return chosen
    return decoder_for([channel["name"] for channel in channels(job)])


def _of_decoder(job: Job, decoder: str) -> dict[str, Any]:
    """Options of the decoder that is used; those of another one would be refused."""
    rows = [row for row in LISTED if row.becomes.startswith(decoder + ".") and row.take]
    found: dict[str, Any] = {row.becomes: row.take(job[row.name]) for row in rows if row.take}
    return found | ({"agglomeration.score": "quantile"} if decoder == "agglomeration" else {})


def watershed(job: Job) -> dict[str, Any]:
    """Seeds, growth mask and surface."""
    found: dict[str, Any] = {}
    names = channel_names(job[PREFIX + "DATA_CHANNELS"])
    seeds, growth = _listed(job, "SEED_CHANNELS"), _listed(job, "GROWTH_MASK_CHANNELS")
    levels = _thresholds(job, "SEED_CHANNELS_THRESH")
    edges = _thresholds(job, "GROWTH_MASK_CHANNELS_THRESH")
    if by_hand(job) and not levels:
        seeds, growth = _usual_seeds(names), _usual_growth(names)
        levels = [_old(job, MANUAL.get(name, "")) for name in seeds]
        edges = [_old(job, "FOREGROUND") if name == "F" else "auto" for name in growth]
    if levels and not seeds:
        seeds = _usual_seeds(names)
    if edges and not growth:
        growth = _usual_growth(names)
    surface = job[W + "TOPOGRAPHIC_SURFACE_CHANNEL"]
    found |= {
        "watershed.seeds": seeds,
        "watershed.seed_thresholds": levels,
        "watershed.growth": growth,
        "watershed.growth_thresholds": edges,
        "watershed.surface": [surface] if surface else [],
    }
    sequence, radii = job[W + "SEED_MORPH_SEQUENCE"], job[W + "SEED_MORPH_RADIUS"]
    if len(sequence) != len(radii):
        raise ConfigError(
            "one radius per operation",
            where=job.where(W + "SEED_MORPH_RADIUS"),
            expected=f"{len(sequence)} values",
            found=len(radii),
        )
    found["watershed.seed_morphology"] = [
        [name, int(radius)] for name, radius in zip(sequence, radii, strict=True)
    ]
    said = seeds or levels or sequence
    found["watershed.seed_rule"] = "thresholds" if said else "auto"
    if job[W + "ERODE_AND_DILATE_GROWTH_MASK"]:
        found["watershed.growth_morphology"] = [
            ["erode", job[W + "FORE_EROSION_RADIUS"]],
            ["dilate", job[W + "FORE_DILATION_RADIUS"]],
        ]
    dropped = job[W + "DATA_REMOVE_BEFORE_MW"]
    found["watershed.min_seed"] = job[W + "DATA_REMOVE_SMALL_OBJ_BEFORE"] if dropped else 1
    found["watershed.check_files"] = job[W + "DATA_CHECK_MW"]
    found["watershed.by_slices"] = job[W + "BY_2D_SLICES"]
    return found


def by_hand(job: Job) -> bool:
    """Whether old thresholds of single channels count: they do unless the file says auto."""
    given = any(
        PREFIX + f"DATA_MW_TH_{word}" in job.given for word in (*MANUAL.values(), "FOREGROUND")
    )
    kind = job[PREFIX + "DATA_MW_TH_TYPE"]
    return given and kind != "auto"


def _old(job: Job, word: str) -> Any:
    value = job[PREFIX + f"DATA_MW_TH_{word}"] if word else None
    return "auto" if value is None else float(value)


def _usual_seeds(names: tuple[str, ...]) -> list[str]:
    """Channels of the seeds where the file gives thresholds alone."""
    if set(names) == {"F", "P"}:
        return ["P"]
    return [name for name in names if name not in NO_SEEDS] or list(names)


def _usual_growth(names: tuple[str, ...]) -> list[str]:
    return [name for name in GROWTH if name in names][:1] or list(names[:1])


def _listed(job: Job, word: str) -> list[str]:
    return [str(name) for name in job[W + word]]


def _thresholds(job: Job, word: str) -> list[Any]:
    return [value if value == "auto" else float(value) for value in job[W + word]]


def _task(value: str, job: Job) -> Verdict | None:
    del job
    return None if value in TASKS else Verdict("refused", "", "this workflow is not offered")


def _kind(value: str, job: Job) -> Verdict | None:
    if value not in ("regular", "synapses"):
        return Verdict("refused", "", "regular or synapses")
    if job.synapses and job.ndim == 2:
        return Verdict("refused", "", "BiaPy has synapses in 3D only")
    return None


def _channels(value: Any, job: Job) -> Verdict | None:
    if job.synapses:
        return synapses.channels_verdict(job)
    masked = {"Db", "Dc"} & set(channel_names(value))
    options = extra_options(job)
    open_ = sorted(name for name in masked if "mask_values" not in options.get(name, {}))
    if open_:
        note = f"outside of objects {' and '.join(open_)} counts in the loss, too"
        return Verdict("approximated", "channels", note)
    return None


def _options(value: Any, job: Job) -> Verdict | None:
    del value
    if job.synapses:
        note = "the dilation of F_post is the radius of all balls; vectors are always scaled"
        return Verdict("approximated", "detection.radius", note)
    if omnipose(job):
        return Verdict("approximated", "channels.options", OMNIPOSE)
    return None


def _steps(value: int, job: Job) -> Verdict | None:
    del job
    return None if value else Verdict("no effect", "", "as many as flow.steps")


def _heads(value: Any, job: Job) -> Verdict | None:
    if job[PREFIX + "SEPARATED_DECODERS_PER_HEAD"]:
        return Verdict("approximated", "model.separate_decoders", "every channel has a decoder")
    return None


def _numbers(value: Any, job: Job) -> Verdict | None:
    del value
    if by_hand(job):
        return None
    return Verdict("no effect", "", f"{PREFIX}DATA_MW_TH_TYPE is auto")


def _grid_size(value: float, job: Job) -> Verdict | None:
    del job
    if value == -1:
        return Verdict(
            "approximated", "channels.E.grid_size", "64 voxels instead of the image size"
        )
    return Verdict("refused", "", "another unit: channels.E.grid_size is in voxels")


NO_FLOW_CHECK = "objects are not checked against the flow that they would have, nor rescaled"
OMNIPOSE = "flows lead to the centre of an object, as in Cellpose; not those of Omnipose"
OBJECTS, LEARNED = ("instances",), ("channels",)
LISTED: tuple[Key, ...] = (
    exact("PROBLEM.TYPE", "SEMANTIC_SEG", "task", judge=_task),
    exact("PROBLEM.NDIM", "2D", "ndim"),
    nothing("PROBLEM.PRINT_OLD_KEY_CHANGES", True, "the table below has the old keys"),
    nothing("PROBLEM.SEMANTIC_SEG.IGNORE_CLASS_ID", 0, "BiaPy does not use it either"),
    exact(PREFIX + "TYPE", "regular", "task", needs=LEARNED, judge=_kind),
    exact(PREFIX + "DATA_CHANNELS", ["B", "C"], "channels", needs=LEARNED, judge=_channels),
    exact(PREFIX + "DATA_CHANNELS_EXTRA_OPTS", [{}], "channels.options", needs=LEARNED,
          judge=_options),
    exact(PREFIX + "DATA_CHANNELS_LOSSES", [], "channels.loss", needs=LEARNED),
    exact(PREFIX + "DATA_CHANNEL_WEIGHTS", [1, 1], "channels.weight", needs=LEARNED),
    exact(PREFIX + "CLASS_REBALANCE_WITHIN_CHANNELS", True, "loss.balance", needs=LEARNED),
    nothing(PREFIX + "CHANNELS_PER_HEAD_INFO", [], "one head gives the same planes as several",
            needs=OBJECTS, judge=_heads),
    exact(PREFIX + "SEPARATED_DECODERS_PER_HEAD", False, "model.separate_decoders", needs=OBJECTS),
    exact(PREFIX + "SEPARATED_DECODERS_DIVIDE_FEATURE_MAPS", False, "model.divide_decoders",
          needs=(*OBJECTS, PREFIX + "SEPARATED_DECODERS_PER_HEAD")),
    exact(PREFIX + "BORDER_EXTRA_WEIGHTS", "", "loss.border_weight", needs=OBJECTS,
          judge=only(("", "unet-like"), "unet-like is the only one")),
    exact(PREFIX + "INSTANCE_CREATION_PROCESS", "", "decoder", needs=OBJECTS,
          judge=only(tuple(DECODERS), "no such decoder here")),
    exact(W + "SEED_CHANNELS", [], "watershed.seeds", needs=OBJECTS),
    exact(W + "SEED_CHANNELS_THRESH", [], "watershed.seed_thresholds", needs=OBJECTS),
    exact(W + "TOPOGRAPHIC_SURFACE_CHANNEL", "", "watershed.surface", needs=OBJECTS),
    exact(W + "GROWTH_MASK_CHANNELS", [], "watershed.growth", needs=OBJECTS),
    exact(W + "GROWTH_MASK_CHANNELS_THRESH", [], "watershed.growth_thresholds", needs=OBJECTS),
    *many(exact, W, {"SEED_MORPH_SEQUENCE": [], "SEED_MORPH_RADIUS": []},
          "watershed.seed_morphology", needs=OBJECTS),
    exact(W + "ERODE_AND_DILATE_GROWTH_MASK", False, "watershed.growth_morphology", needs=OBJECTS),
    *many(exact, W, {"FORE_EROSION_RADIUS": 5, "FORE_DILATION_RADIUS": 5},
          "watershed.growth_morphology", needs=(*OBJECTS, W + "ERODE_AND_DILATE_GROWTH_MASK")),
    exact(W + "DATA_CHECK_MW", False, "watershed.check_files", needs=OBJECTS),
    exact(W + "DATA_REMOVE_BEFORE_MW", False, "watershed.min_seed", needs=OBJECTS),
    exact(W + "DATA_REMOVE_SMALL_OBJ_BEFORE", 10, "watershed.min_seed",
          needs=(*OBJECTS, W + "DATA_REMOVE_BEFORE_MW")),
    exact(W + "BY_2D_SLICES", False, "watershed.by_slices", needs=OBJECTS),
    approximated(PREFIX + "AGGLOMERATION.FRAGMENT_SEED_TH", 0.9, "agglomeration.inside",
                 "another rule for fragments", float, needs=OBJECTS),
    approximated(PREFIX + "AGGLOMERATION.FRAGMENT_GROWTH_TH", 0.1, "agglomeration.threshold",
                 "another rule for fragments", lambda value: [float(value)], needs=OBJECTS),
    exact(PREFIX + "AGGLOMERATION.MERGE_TH", 0.5, "agglomeration.merge", float, needs=OBJECTS),
    exact(PREFIX + "AGGLOMERATION.MERGE_QUANTILE", 50.0, "agglomeration.quantile",
          lambda value: value / 100, needs=OBJECTS),
    exact(PREFIX + "AGGLOMERATION.MIN_EDGE_VOXELS", 5, "agglomeration.min_contact", same,
          needs=OBJECTS),
    exact(PREFIX + "STARDIST.PROB_THRESH", 0.4, "stardist.prob_threshold", float, needs=OBJECTS),
    approximated(PREFIX + "STARDIST.NMS_IOU_THRESH", 0.3, "stardist.nms_threshold",
                 "the part shared of the smaller object, not the IoU", float, needs=OBJECTS),
    refused(PREFIX + "STARDIST.GRID", [], "every voxel predicts", needs=OBJECTS),
    exact(PREFIX + "CELLPOSE.FG_THRESH", 0.5, "flow.threshold", lambda value: [float(value)],
          needs=OBJECTS),
    exact(PREFIX + "CELLPOSE.N_STEPS", 200, "flow.steps", same, needs=OBJECTS),
    *many(approximated, PREFIX + "CELLPOSE.",
          {"TYPE": "cellpose", "FLOW_THRESHOLD": 0.4, "DIAMETER": 0.0, "DIAM_MEAN": 30.0,
           "SCALE_RANGE": 0.5, "TEST_DOUBLE_INFERENCE": True},
          "", NO_FLOW_CHECK, needs=OBJECTS),
    approximated(PREFIX + "OMNIPOSE.MASK_THRESHOLD", 0.0, "flow.threshold",
                 "the rule of Db, which has another scale", needs=OBJECTS),
    approximated(PREFIX + "OMNIPOSE.FLOW_THRESHOLD", 0.4, "", NO_FLOW_CHECK, needs=OBJECTS),
    approximated(PREFIX + "OMNIPOSE.NITER", 0, "flow.steps", OMNIPOSE, needs=OBJECTS, judge=_steps),
    exact(PREFIX + "EMBEDSEG.FG_THRESH", 0.5, "embedseg.foreground_threshold", float,
          needs=OBJECTS),
    exact(PREFIX + "EMBEDSEG.SEED_THRESH", 0.9, "embedseg.seed_threshold", float, needs=OBJECTS),
    exact(PREFIX + "EMBEDSEG.MIN_MASK_SUM", 0, "embedseg.min_mask_sum", same, needs=OBJECTS),
    exact(PREFIX + "EMBEDSEG.MIN_UNCLUSTERED_SUM", 0, "embedseg.min_unclustered_sum", same,
          needs=OBJECTS),
    exact(PREFIX + "EMBEDSEG.MIN_OBJECT_SIZE", 100, "embedseg.min_object_size", same,
          needs=OBJECTS),
    approximated(PREFIX + "EMBEDSEG.GRID_SIZE", -1, "channels.E.grid_size", "", needs=OBJECTS,
                 judge=_grid_size),
    # Old keys.
    Key(PREFIX + "DATA_MW_TH_TYPE", "", "watershed.seed_thresholds", "approximated",
        "auto finds seeds as peaks of what parts objects, not by Otsu's thresholds", needs=OBJECTS),
    *many(exact, PREFIX + "DATA_MW_TH_", {"BINARY_MASK": None, "CONTOUR": None, "POINTS": None},
          "watershed.seed_thresholds", needs=OBJECTS, judge=_numbers),
    Key(PREFIX + "DATA_MW_TH_DISTANCE", None, "watershed.seed_thresholds", "approximated",
        "Db is scaled to 1, the old distance was in voxels", needs=OBJECTS, judge=_numbers),
    exact(PREFIX + "DATA_MW_TH_FOREGROUND", None, "watershed.growth_thresholds", needs=OBJECTS,
          judge=_numbers),
    old(PREFIX + "DISTANCE_CHANNEL_MASK", PREFIX + "DATA_CHANNELS_EXTRA_OPTS",
        lambda value: [{"Db": {"mask_values": bool(value)}}]),
    *(old(PREFIX + name, W + name) for name in
      ("DATA_CHECK_MW", "DATA_REMOVE_BEFORE_MW", "DATA_REMOVE_SMALL_OBJ_BEFORE",
       "SEED_MORPH_SEQUENCE", "SEED_MORPH_RADIUS", "FORE_EROSION_RADIUS", "FORE_DILATION_RADIUS")),
    old(PREFIX + "DATA_REMOVE_SMALL_OBJ", W + "DATA_REMOVE_SMALL_OBJ_BEFORE"),
    old(PREFIX + "ERODE_AND_DILATE_FOREGROUND", W + "ERODE_AND_DILATE_GROWTH_MASK"),
    old(PREFIX + "WATERSHED_BY_2D_SLICES", W + "BY_2D_SLICES"),
)  # fmt: skip


def _of_its_decoder(row: Key) -> Key:
    """A row whose key has no effect where another decoder makes the objects."""
    words = row.name.removeprefix(PREFIX).split(".")
    decoder = BRANCHES.get(words[0], "")
    if not decoder or row.now:
        return row

    def judge(value: Any, job: Job) -> Verdict | None:
        if not job.instances:
            return None
        used = _decoder(job)
        if used != decoder:
            return Verdict("no effect", "", f"objects are made by {used}")
        if words[0] == "OMNIPOSE" and not omnipose(job):
            return Verdict("no effect", "", "no channel is as in Omnipose")
        return row.judge(value, job) if row.judge else None

    return row._replace(judge=judge)


# Which decoder the keys of a branch are for.
BRANCHES = {"WATERSHED": "watershed", "AGGLOMERATION": "agglomeration", "STARDIST": "stardist",
            "CELLPOSE": "flow", "OMNIPOSE": "flow", "EMBEDSEG": "embedseg",
            "DATA_MW_TH_TYPE": "watershed", "DATA_MW_TH_FOREGROUND": "watershed",
            **{f"DATA_MW_TH_{word}": "watershed" for word in MANUAL.values()}}  # fmt: skip
ROWS: tuple[Key, ...] = tuple(map(_of_its_decoder, LISTED))
