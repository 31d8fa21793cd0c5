"""The network that the configuration of BiaPy 3.7.1 describes, as ours."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from jaxseg.config.saved import architecture
from jaxseg.errors import ConfigError

Options = Mapping[str, Any]
# The peer itself refuses to train without normalisation.
NORMS = {"in": "in", "bn": "bn", "sync_bn": "bn"}
# Networks out of plain convolutions.
PLAIN = ("unet", "attention_unet", "seunet")
UPSAMPLINGS = {"convtranspose": "transpose", "upsampling": "linear"}
BACKBONES = {
    "vit_base_patch16": {"token": 16, "embed": 768, "depth": 12, "attention_heads": 12},
    "vit_large_patch16": {"token": 16, "embed": 1024, "depth": 24, "attention_heads": 16},
}


def network_of(options: Options, ndim: int) -> Any:
    """Our configuration of a network out of the peer's.

    Parameters
    ----------
    options : the peer's whole configuration, nested
    ndim : 2 or 3

    Returns
    -------
    one of ``jaxseg.config.ARCHITECTURES``

    Raises
    ------
    ConfigError : an option that we do not have, with its name
    """
    model = options["MODEL"]
    name = str(model["ARCHITECTURE"]).lower()
    kind = architecture(name, "MODEL.ARCHITECTURE")
    if name in ("unet", "resunet", "resunet++", "attention_unet", "seunet", "resunet_se"):
        fields = u_net(model, name, ndim) | _decoders(options)
    elif name in ("unext_v1", "unext_v2"):
        fields = unext(model, ndim) | _decoders(options)
    else:
        makers = {"multiresunet": multiresunet, "unetr": unetr, "hrnet": hrnet, "stunet": stunet}
        fields = makers[name](model, ndim)
    if "biapy_compatible" in kind.__dataclass_fields__:
        fields["biapy_compatible"] = True
    return kind(**fields)


def u_net(model: Options, name: str, ndim: int) -> dict[str, Any]:
    """Options of the U-Nets out of plain and residual blocks."""
    features = tuple(model["FEATURE_MAPS"])
    given = tuple(model.get("CONV_LAYERS", [2])[: len(features)])
    # ResUNet++ counts resolutions; the first of the peer's steps is not taken.
    plus = name == "resunet++"
    if len(set(given)) > 1 and plus:
        raise _refused("CONV_LAYERS", model["CONV_LAYERS"], "the same number on all levels")
    orders = {"conv_norm_act": "conv_norm_act"}
    if name in PLAIN:
        orders["norm_act_conv"] = "norm_act_conv"
    order = _choice({"CONV_BLOCK_ORDER": "conv_norm_act", **model}, "CONV_BLOCK_ORDER", orders)
    return {
        "features": features,
        "norm": _choice(model, "NORMALIZATION", NORMS),
        "activation": model["ACTIVATION"].lower(),
        "kernel": model["KERNEL_SIZE"],
        "convs": given[0],
        **({"level_convs": given} if len(set(given)) > 1 else {}),
        **({"order": order} if name in PLAIN else {}),
        "upsample": _choice(model, "UPSAMPLE_LAYER", UPSAMPLINGS),
        "larger_io": bool(model["LARGER_IO"]),
        "dropout": _dropout(model, len(features) - plus),
        **_z(model, ndim, len(features) - 1, first=int(plus)),
        **_isotropic(model, ndim, len(features) - plus),
    }


def unext(model: Options, ndim: int) -> dict[str, Any]:
    """Options of the U-Nets out of ConvNeXt blocks."""
    _only(model, "CONVNEXT_STEM_K_SIZE", 2)
    features = tuple(model["FEATURE_MAPS"])
    z = _z(model, ndim, len(features) - 1)
    fields = {
        "features": features,
        "depth": tuple(model["CONV_LAYERS"][: len(features)]),
        "upsample": _choice(model, "UPSAMPLE_LAYER", UPSAMPLINGS),
        "stochastic_depth": model["CONVNEXT_SD_PROB"],
        **({"z_down": (2, *z["z_down"])} if z else {}),
    }
    if model["ARCHITECTURE"].lower() == "unext_v1":
        fields["layer_scale"] = model["CONVNEXT_LAYER_SCALE"]
    flat = _isotropic(model, ndim, len(features))
    if flat and not all(flat["isotropic"]):
        # The peer keeps the first flat kernel for all that follows, the whole decoder included.
        if flat["isotropic"][0]:
            raise _refused("ISOTROPY", flat["isotropic"], "False on the first level, or nowhere")
        fields["isotropic"] = (False,) * len(features)
    return fields


def multiresunet(model: Options, ndim: int) -> dict[str, Any]:
    """Options of MultiResUNet: the peer takes no others."""
    return _z(model, ndim, 4)


def unetr(model: Options, ndim: int) -> dict[str, Any]:
    """Options of UNETR; the peer's tokens do not know where they are."""
    backbone = model.get("UNETR_VIT_MODEL", "custom")
    size = {
        "token": model["VIT_TOKEN_SIZE"],
        "embed": model["VIT_EMBED_DIM"],
        "depth": model["VIT_NUM_LAYERS"],
        "attention_heads": model["VIT_NUM_HEADS"],
        "mlp_ratio": float(model["VIT_MLP_RATIO"]),
    }
    if backbone != "custom":
        size = _choice(model, "UNETR_VIT_MODEL", BACKBONES)
    rate = float(model["DROPOUT_VALUES"][0])
    levels = size["token"].bit_length() - 1
    return {
        **size,
        "position": "none",
        "skip_every": max(0, model["UNETR_VIT_HIDD_MULT"]),
        "filters": model["UNETR_VIT_NUM_FILTERS"],
        "norm": _choice(model, "NORMALIZATION", NORMS),
        "activation": model["ACTIVATION"].lower(),
        "kernel": model["KERNEL_SIZE"],
        "dropout": (rate,) * levels if rate else (),
    }


def hrnet(model: Options, ndim: int) -> dict[str, Any]:
    """Options of HRNet: one of its sizes, or lists of all stages."""
    own = model["HRNET"]
    _only(own, "BLOCK_TYPE", "BASIC", "HRNET.")
    _only(own, "HEAD_TYPE", "FCN", "HRNET.")
    fields: dict[str, Any] = {
        "norm": _choice(model, "NORMALIZATION", NORMS),
        "activation": model["ACTIVATION"].lower(),
    }
    if str(own["VARIANT"]).lower() == "custom":
        return fields | _stages(own, ndim)
    widths = {f"W{width}": width for width in (18, 32, 48, 64)}
    fields["width"] = _choice(own, "VARIANT", {**widths, "custom": 0}, "HRNET.")
    if any(step not in (0, 2) for step in own["YX_DOWN"]):
        raise _refused("HRNET.YX_DOWN", own["YX_DOWN"], "2")
    if ndim == 3:
        first, second, third = (step or 1 for step in [*own["Z_DOWN"], 0, 0, 0][:3])
        fields["z_down"] = (first, first, first, second, third)
    return fields


def _stages(own: Options, ndim: int) -> dict[str, Any]:
    """Stages of HRNet out of lists; a stage has the stride of the branch that is new in it."""
    count = int(own["NUM_STAGES"])
    lists = {
        name: list(own[name])[:count]
        for name in ("NUM_MODULES", "NUM_BRANCHES", "NUM_BLOCKS", "NUM_CHANNELS")
    }
    branches = lists["NUM_BRANCHES"]
    for name, given in lists.items():
        nested = name in ("NUM_BLOCKS", "NUM_CHANNELS")
        sizes = [len(one) for one in given if isinstance(one, list)]
        if len(given) != count or (nested and sizes != branches):
            expected = f"{count} lists of {branches} numbers" if nested else f"{count} numbers"
            raise _refused(f"HRNET.{name}", own[name], expected)

    def down(name: str, usual: int) -> tuple[int, ...]:
        steps = [step or usual for step in [*own[name], *[0] * count][:count]]
        new = [step for step, more in zip(steps, _more(branches), strict=True) if more]
        return (steps[0], steps[0], *new)

    return {
        "modules": tuple(lists["NUM_MODULES"]),
        "branches": tuple(branches),
        "branch_blocks": tuple(itertools.chain(*lists["NUM_BLOCKS"])),
        "branch_widths": tuple(itertools.chain(*lists["NUM_CHANNELS"])),
        "yx_down": down("YX_DOWN", 2),
        **({"z_down": down("Z_DOWN", 1)} if ndim == 3 else {}),
    }


def _more(branches: list[int]) -> list[bool]:
    """Whether each stage has more branches than the one before."""
    return [after > before for before, after in itertools.pairwise([1, *branches])]


def stunet(model: Options, ndim: int) -> dict[str, Any]:
    """Options of STU-Net: one of its sizes, or lists of all stages."""
    own = model["STUNET"]
    if str(own["VARIANT"]).lower() != "custom":
        variants = {name: name for name in ("small", "base", "large")}
        return {"variant": _choice(own, "VARIANT", {**variants, "custom": ""}, "STUNET.")}
    lists: dict[str, list[list[int]]] = {}
    for name in ("CONV_KERNEL_SIZES", "POOL_OP_KERNEL_SIZES"):
        # The documents' defaults are of three axes.
        lists[name] = [list(one)[-ndim:] for one in own[name]]
        if any(len(one) != ndim or len(set(one[-2:])) > 1 for one in lists[name]):
            raise _refused(
                f"STUNET.{name}", own[name], f"{ndim} numbers each, the same for y and x"
            )
    kernels, steps = lists["CONV_KERNEL_SIZES"], lists["POOL_OP_KERNEL_SIZES"]
    if any(one[0] not in (1, one[-1]) for one in kernels):
        raise _refused("STUNET.CONV_KERNEL_SIZES", kernels, "along z 1, or as along y and x")
    return {
        "features": tuple(own["DIMS"]),
        "depths": tuple(own["DEPTH"]),
        "kernels": tuple(one[-1] for one in kernels),
        "yx_down": tuple(one[-1] for one in steps),
        **({"z_down": tuple(one[0] for one in steps)} if ndim == 3 else {}),
        **({"isotropic": tuple(one[0] == one[-1] for one in kernels)} if ndim == 3 else {}),
    }


def _z(model: Options, ndim: int, count: int, *, first: int = 0) -> dict[str, Any]:
    """Strides along z, 0 meaning 2; those along y and x must be 2."""
    if any(step not in (0, 2) for step in model.get("YX_DOWN", ())):
        raise _refused("YX_DOWN", model["YX_DOWN"], "2 at every step")
    if ndim == 2:
        return {}
    return {"z_down": tuple(step or 2 for step in model["Z_DOWN"][first:count])}


def _isotropic(model: Options, ndim: int, count: int) -> dict[str, Any]:
    if ndim == 2:
        return {}
    given = model["ISOTROPY"]
    flags = [given] * count if isinstance(given, bool) else given[:count]
    return {"isotropic": tuple(bool(flag) for flag in flags)}


def _dropout(model: Options, count: int) -> tuple[float, ...]:
    rates = tuple(float(rate) for rate in model["DROPOUT_VALUES"][:count])
    return rates if any(rates) else ()


def _decoders(options: Options) -> dict[str, bool]:
    """Whether each head has a decoder; the peer keeps that with the task."""
    kind = str(options.get("PROBLEM", {}).get("TYPE", "INSTANCE_SEG"))
    task = options.get("PROBLEM", {}).get(kind, {})
    separate = bool(task.get("SEPARATED_DECODERS_PER_HEAD", False))
    divided = separate and bool(task.get("SEPARATED_DECODERS_DIVIDE_FEATURE_MAPS", False))
    return {"separate_decoders": separate, "divide_decoders": divided}


def _choice(options: Options, name: str, choices: Mapping[str, Any], within: str = "") -> Any:
    value = str(options[name])
    found = {key.lower(): choice for key, choice in choices.items()}.get(value.lower())
    if found is None:
        raise _refused(within + name, value, "one of " + ", ".join(choices))
    return found


def _only(options: Options, name: str, value: Any, within: str = "") -> None:
    found = options.get(name, value)
    same = found.lower() == value.lower() if isinstance(found, str) else found == value
    if not same:
        raise _refused(within + name, found, value)


def _refused(name: str, found: Any, expected: Any) -> ConfigError:
    return ConfigError("not offered here", where=f"MODEL.{name}", found=found, expected=expected)
