"""MODEL: the network, where its weights come from, and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.keys.row import (
    Job,
    Judge,
    Key,
    Verdict,
    approximated,
    exact,
    many,
    nothing,
    old,
    only,
    refused,
)

M = "MODEL."
E = "MODEL.BMZ.EXPORT."
# Begins a pattern of train.freeze that is about BiaPy's names.
BY_BIAPY = "biapy:"
# Which options an architecture has.
U = ("unet", "resunet", "resunet++", "attention_unet", "seunet", "resunet_se")
X = ("unext_v1", "unext_v2")
H, T, R, S = ("hrnet",), ("stunet",), ("unetr",), ("multiresunet",)
RESIDUAL = ("resunet", "resunet++", "resunet_se")
# Which network of a training is used.
WEIGHTS = {"best_on_val": "best", "last_on_train": "last"}
# Networks that are built otherwise than BiaPy's unless its weights are to be used.
OWN_WAY = {
    "attention_unet": "both branches of a gate are normalised",
    "multiresunet": "a skip connection is normalised once",
    "unext_v2": "the response of a channel is taken over all axes",
    "hrnet": "blocks have activations inside",
    "stunet": "every head sees all feature maps",
}


def settings(job: Job) -> dict[str, Any]:
    """The network by its name and options."""
    from jaxseg.config.saved import plain
    from jaxseg.interop.biapy.options import network_of

    if job[M + "SOURCE"] == "bmz":
        return {"model": {"architecture": "bmz", "path": job[M + "BMZ.SOURCE_MODEL_ID"]}}
    network = plain(network_of(options(job), job.ndim))
    if "biapy_compatible" in network and not weights_of(job):
        network["biapy_compatible"] = False
    start = "train.start_from" if job["TRAIN.ENABLE"] else "predict.checkpoint"
    frozen = [f"{BY_BIAPY}{pattern}" for pattern in job[M + "FREEZE_LAYERS_MATCHING"]]
    return {
        "model": network,
        start: weights_of(job),
        "train.freeze": frozen,
        **_export(job),
        "predict.weights": WEIGHTS.get(job[M + "LOAD_CHECKPOINT_EPOCH"], "best"),
    }


def _export(job: Job) -> dict[str, Any]:
    """The package that is written after the training, if one is asked for."""
    if not job[E + "ENABLE"]:
        return {}
    authors = [one.get("name") if isinstance(one, dict) else one for one in job[E + "AUTHORS"]]
    cited = [_citation(one) for one in job[E + "CITE"]]
    for key, texts in (("AUTHORS", authors), ("CITE", cited)):
        if not all(isinstance(text, str) and text for text in texts):
            raise ConfigError(
                "not a list of texts",
                where=job.where(E + key),
                expected="[{name: Jane Doe}] or [{text: Doe 2020, doi: 10.1000/1}]",
                found=job[E + key],
            )
    return {
        "train.export.format": "package",
        "train.export.name": job[E + "MODEL_NAME"],
        "train.export.description": job[E + "DESCRIPTION"],
        "train.export.authors": authors,
        "train.export.license": job[E + "LICENSE"],
        "train.export.tags": [str(tag) for tag in job[E + "TAGS"]],
        "train.export.cite": cited,
        "train.export.version": job[E + "MODEL_VERSION"],
    }


def _citation(given: Any) -> Any:
    """A text with a DOI or an address at its end."""
    if not isinstance(given, dict):
        return given
    return " ".join(str(given[part]) for part in ("text", "doi", "url") if given.get(part))


def weights_of(job: Job) -> str:
    """The file of weights that a job is to use; empty = none."""
    return str(job["PATHS.CHECKPOINT_FILE"]) if job[M + "LOAD_CHECKPOINT"] else ""


def options(job: Job) -> dict[str, Any]:
    """The sections that describe a network, as a checkpoint of BiaPy holds them."""
    model: dict[str, Any] = {"HRNET": {}, "STUNET": {}}
    for key in ROWS:
        *_, section, name = key.name.split(".")
        if key.name.startswith(M) and not key.now and section in ("MODEL", "HRNET", "STUNET"):
            (model if section == "MODEL" else model[section])[name] = job[key.name]
    levels = len(model["FEATURE_MAPS"])
    for name, value in {"DROPOUT_VALUES": 0.0, "Z_DOWN": 0, "ISOTROPY": True, "CONV_LAYERS": 2,
                        "YX_DOWN": 0}.items():  # fmt: skip
        given = job[M + name]
        if M + name not in job.given:
            model[name] = [value] * levels
        elif len(given) == 1 and name in ("Z_DOWN", "CONV_LAYERS"):
            model[name] = given * levels
    if job.architecture in RESIDUAL:
        model["CONV_BLOCK_ORDER"] = "conv_norm_act"
    prefix = "PROBLEM.INSTANCE_SEG."
    separate = {
        name: job[prefix + name] and job.instances
        for name in ("SEPARATED_DECODERS_PER_HEAD", "SEPARATED_DECODERS_DIVIDE_FEATURE_MAPS")
    }
    kind = job["PROBLEM.TYPE"]
    return {"MODEL": model, "PROBLEM": {"TYPE": kind, kind: separate}}


def of(*architectures: str) -> Judge:
    """A judge for an option that only some networks have."""

    def judge(value: Any, job: Job) -> Verdict | None:
        del value
        if job[M + "SOURCE"] == "bmz":
            return Verdict("no effect", "", "the package says what the network is")
        if job.architecture in architectures:
            return None
        return Verdict("no effect", "", f"{job.architecture} has no such option")

    return judge


def limited(architectures: tuple[str, ...], values: tuple[Any, ...], why: str) -> Judge:
    """A judge for an option of some networks of which only some values can be had."""
    known, legal = of(*architectures), only(values, why)
    return lambda value, job: known(value, job) or legal(value, job)


def _architecture(value: str, job: Job) -> Verdict | None:
    from jaxseg.config.architectures import ARCHITECTURES

    if job[M + "SOURCE"] == "bmz":
        return Verdict("no effect", "", "the package says what the network is")
    if value not in ARCHITECTURES:
        return Verdict("refused", "", "no such network here; there are " + ", ".join(ARCHITECTURES))
    if value in OWN_WAY and not weights_of(job):
        return Verdict("approximated", "model", OWN_WAY[value])
    return None


def _name_of(value: Any) -> Any:
    """The name of a network; that of HRNet once had its width at the end."""
    name = value.lower() if isinstance(value, str) else value
    return "hrnet" if _variant_of(value) else name


def _variant_of(value: Any) -> dict[str, str]:
    """What the name of a network said of its size.

    >>> _variant_of("hrnet48"), _variant_of("unet")
    ({'MODEL.HRNET.VARIANT': 'W48'}, {})
    """
    found = re.fullmatch(r"hrnet_?(\d+)", str(value).lower())
    return {M + "HRNET.VARIANT": f"W{found[1]}"} if found else {}


def _source(value: str, job: Job) -> Verdict | None:
    if value == "torchvision":
        return Verdict("refused", "", "networks of torchvision are not offered")
    if value == "bmz" and job["TRAIN.ENABLE"]:
        return Verdict("refused", "", "a package is for prediction, it cannot be trained")
    return None


def _package(value: str, job: Job) -> Verdict | None:
    if job[M + "SOURCE"] != "bmz":
        return Verdict("no effect", "", f"{M}SOURCE is {job[M + 'SOURCE']}")
    if re.search(r"[/\\]|\.(zip|onnx)$", value):
        return None
    return Verdict("refused", "", "a download: fetch the package and give its path instead")


def _load(value: bool, job: Job) -> Verdict | None:
    if not value:
        return Verdict("exact", "predict.checkpoint")
    if not job["PATHS.CHECKPOINT_FILE"]:
        return Verdict("exact", "predict.checkpoint", "the network that this run trained")
    return Verdict("exact", "train.start_from") if job["TRAIN.ENABLE"] else None


def _items(value: list[str], job: Job) -> Verdict | None:
    del job
    more = set(value) - {"weights", "norm", "model_arch"}
    if more:
        note = "a training goes on by itself under the same --name and --run_id"
        return Verdict("refused", "", f"no {', '.join(sorted(more))}: {note}")
    return None


def _epoch(value: str, job: Job) -> Verdict | None:
    if weights_of(job) and not job["TRAIN.ENABLE"]:
        return Verdict("no effect", "", "PATHS.CHECKPOINT_FILE names the weights")
    return None if value in WEIGHTS else Verdict("refused", "", "one of " + ", ".join(WEIGHTS))


def _block_order(value: str, job: Job) -> Verdict | None:
    """Residual blocks normalise before they convolve whatever this says."""
    if value == "norm_act_conv" and job.architecture in RESIDUAL:
        note = "residual blocks normalise before they convolve, the other convolutions after it"
        return Verdict("approximated", "model", note)
    return limited(U, ("conv_norm_act", "norm_act_conv"), "conv_norm_act or norm_act_conv")(
        value, job
    )


def _conv_layers(value: list[int], job: Job) -> Verdict | None:
    levels = value[: len(job[M + "FEATURE_MAPS"])]
    if job.architecture == "resunet++" and len(set(levels)) > 1:
        return of(*U)(value, job) or Verdict("refused", "", "the same number on all levels")
    return of(*U, *X)(value, job)


def _custom(name: str) -> Judge:
    """A judge for a list of a network, which counts for the variant custom alone."""

    def judge(value: Any, job: Job) -> Verdict | None:
        variant = job[f"{M}{name.upper()}.VARIANT"]
        if job.architecture == name and variant.lower() != "custom":
            return Verdict("no effect", "", f"the variant is {variant}")
        return of(name)(value, job)

    return judge


def _yx_of_hrnet(value: list[int], job: Job) -> Verdict | None:
    custom = job[M + "HRNET.VARIANT"].lower() == "custom"
    legal = {0, 1, 2} if custom else {0, 2}
    found = of(*H)(value, job)
    return found or (Verdict("refused", "", HALVES) if set(value) - legal else None)


def _packed(value: bool, job: Job) -> Verdict | None:
    if value and job[M + "SOURCE"] != "biapy":
        return Verdict("refused", "", "a network of another source is not exported again")
    return None


def _frozen(value: list[str], job: Job) -> Verdict | None:
    del job
    for pattern in value:
        try:
            re.compile(str(pattern))
        except re.error as error:
            return Verdict("refused", "", f"not a regular expression: {pattern}, {error}")
    return None


def _z_down(value: list[int], job: Job) -> Verdict | None:
    if job.ndim == 2:
        return Verdict("no effect", "", "PROBLEM.NDIM is 2D")
    return of(*U, *X, *S)(value, job)


def _lower(value: str) -> str:
    return str(value).lower()


NO_MAE = "of masked autoencoders, another workflow"
HALVES = "2 at every step along y and x"
HRNET: Mapping[str, Any] = {
    "NUM_STAGES": (3, "modules"), "NUM_MODULES": ([1, 4, 3], "modules"),
    "NUM_BRANCHES": ([2, 3, 4], "branches"),
    "NUM_BLOCKS": ([[4, 4], [4, 4, 4], [4, 4, 4, 4]], "branch_blocks"),
    "NUM_CHANNELS": ([[18, 36], [18, 36, 72], [18, 36, 72, 144]], "branch_widths"),
}  # fmt: skip
STUNET: Mapping[str, Any] = {
    "DEPTH": ([1] * 6, "depths"), "DIMS": ([32, 64, 128, 256, 512, 512], "features"),
    "POOL_OP_KERNEL_SIZES": ([[2, 2, 2]] * 4 + [[1, 1, 1]], "yx_down"),
    "CONV_KERNEL_SIZES": ([[3, 3, 3]] * 6, "kernels"),
}  # fmt: skip
EXPORT = {"MODEL_NAME": ("", "name"), "DESCRIPTION": ("", "description"),
          "AUTHORS": ([], "authors"), "LICENSE": ("CC-BY-4.0", "license"), "TAGS": ([], "tags"),
          "CITE": ([], "cite"), "MODEL_VERSION": ("0.1.0", "version")}  # fmt: skip
SIZES: Mapping[str, Any] = {"TOKEN_SIZE": 16, "EMBED_DIM": 768, "NUM_LAYERS": 12, "NUM_HEADS": 12,
                            "MLP_RATIO": 4.0}  # fmt: skip
FIELDS = {"TOKEN_SIZE": "token", "EMBED_DIM": "embed", "NUM_LAYERS": "depth",
          "NUM_HEADS": "attention_heads", "MLP_RATIO": "mlp_ratio"}  # fmt: skip
ROWS: tuple[Key, ...] = (
    exact(M + "SOURCE", "biapy", "model", judge=_source),
    exact(M + "ARCHITECTURE", "unet", "model", judge=_architecture, convert=_name_of,
          says=_variant_of),
    exact(M + "FEATURE_MAPS", [16, 32, 64, 128, 256], "model.features", judge=of(*U, *X)),
    exact(M + "DROPOUT_VALUES", [0.0] * 5, "model.dropout", judge=of(*U, *R)),
    exact(M + "NORMALIZATION", "in", "model.norm", judge=of(*U, *R, *H)),
    exact(M + "KERNEL_SIZE", 3, "model.kernel", judge=of(*U, *R)),
    exact(M + "UPSAMPLE_LAYER", "convtranspose", "model.upsample", judge=of(*U, *X)),
    exact(M + "ACTIVATION", "elu", "model.activation", judge=of(*U, *R, *H)),
    exact(M + "Z_DOWN", [0] * 4, "model.z_down", judge=_z_down),
    exact(M + "YX_DOWN", [0] * 4, "model",
          judge=lambda value, job: of(*U, *X, *S)(value, job) or (
              Verdict("refused", "", HALVES) if set(value) - {0, 2} else None)),
    exact(M + "ISOTROPY", [True] * 5, "model.isotropic", needs=("3D",), judge=of(*U, *X)),
    exact(M + "LARGER_IO", False, "model.larger_io", judge=of(*U)),
    exact(M + "CONV_LAYERS", [2] * 5, "model.level_convs", judge=_conv_layers),
    exact(M + "CONV_BLOCK_ORDER", "conv_norm_act", "model.order",
          judge=_block_order),
    exact(M + "CONVNEXT_SD_PROB", 0.1, "model.stochastic_depth", judge=of(*X)),
    exact(M + "CONVNEXT_LAYER_SCALE", 1e-6, "model.layer_scale", judge=of("unext_v1")),
    exact(M + "CONVNEXT_STEM_K_SIZE", 2, "model", judge=limited(X, (2,), "2 only")),
    exact(M + "UNETR_VIT_MODEL", "custom", "model.token", judge=of(*R)),
    exact(M + "UNETR_VIT_HIDD_MULT", -1, "model.skip_every", judge=of(*R)),
    exact(M + "UNETR_VIT_NUM_FILTERS", 16, "model.filters", judge=of(*R)),
    *(exact(M + "VIT_" + name, size, "model." + FIELDS[name], judge=of(*R))
      for name, size in SIZES.items()),
    nothing(M + "VIT_NORM_EPS", 1e-6, "1e-6"),
    *many(nothing, M + "MAE_", {"DEC_HIDDEN_SIZE": 512, "DEC_NUM_LAYERS": 8, "DEC_NUM_HEADS": 16,
                                "DEC_MLP_DIMS": 2048, "MASK_TYPE": "grid", "MASK_RATIO": 0.5},
          NO_MAE),
    exact(M + "HRNET.VARIANT", "W48", "model.width", judge=of(*H)),
    exact(M + "HRNET.Z_DOWN", [0, 0, 0], "model.z_down", needs=("3D",), judge=of(*H),
          convert=lambda value: [2 if value else 1] * 3 if isinstance(value, bool) else value),
    exact(M + "HRNET.YX_DOWN", [0, 0, 0], "model.yx_down", judge=_yx_of_hrnet),
    exact(M + "HRNET.BLOCK_TYPE", "BASIC", "model", judge=limited(H, ("BASIC",), "BASIC only")),
    exact(M + "HRNET.HEAD_TYPE", "FCN", "model", judge=limited(H, ("FCN",), "FCN only")),
    exact(M + "HRNET.CUSTOM", False, "model", judge=of(*H),
          says=lambda value: {M + "HRNET.VARIANT": "custom"} if value is True else {}),
    *(exact(f"{M}HRNET.{name}", default, f"model.{field}", judge=_custom("hrnet"))
      for name, (default, field) in HRNET.items()),
    exact(M + "STUNET.VARIANT", "base", "model.variant", judge=of(*T)),
    refused(M + "STUNET.PRETRAINED", False, "published weights are not downloaded"),
    *(exact(f"{M}STUNET.{name}", default, f"model.{field}", judge=_custom("stunet"))
      for name, (default, field) in STUNET.items()),
    exact(M + "LOAD_CHECKPOINT", False, "predict.checkpoint", judge=_load),
    approximated(M + "ITEMS_TO_LOAD_FROM_CHECKPOINT", ["weights", "norm", "model_arch"],
                 "predict.checkpoint", "the weights; another network or scaling is refused",
                 needs=(M + "LOAD_CHECKPOINT",), judge=_items),
    approximated(M + "SKIP_UNMATCHED_LAYERS", False, "train.start_from",
                 "layers that do not fit keep random weights", needs=(M + "LOAD_CHECKPOINT",)),
    exact(M + "FREEZE_LAYERS_MATCHING", [], "train.freeze", needs=("training",), judge=_frozen),
    exact(M + "LOAD_CHECKPOINT_EPOCH", "best_on_val", "predict.weights", needs=("testing",),
          judge=_epoch),
    nothing(M + "OUT_CHECKPOINT_FORMAT", "pth", "a folder; jaxseg export writes ONNX"),
    nothing(M + "SAVE_CKPT_FREQ", -1, "the best and the last network are kept"),
    exact(M + "BMZ.SOURCE_MODEL_ID", "", "model.path", judge=_package),
    exact(E + "ENABLE", False, "train.export.format", needs=("training",), judge=_packed),
    *(exact(E + name, default, "train.export." + field, needs=("training", E + "ENABLE"))
      for name, (default, field) in EXPORT.items()),
    *many(nothing, E, {"DOCUMENTATION": "", "DATASET_INFO": [{}], "REUSE_BMZ_CONFIG": False},
          "the package tells of its training by itself"),
    nothing(M + "TORCHVISION_MODEL_NAME", "", "MODEL.SOURCE decides"),
    nothing(M + "LAST_ACTIVATION", "", "the channels decide"),
    old(M + "BATCH_NORMALIZATION", M + "NORMALIZATION", lambda value: "bn" if value else "none"),
    old(M + "UNETR_DEC_ACTIVATION", M + "ACTIVATION"),
    old(M + "UNETR_DEC_KERNEL_SIZE", M + "KERNEL_SIZE"),
    old(M + "CONVNEXT_LAYERS", M + "CONV_LAYERS"),
)  # fmt: skip
