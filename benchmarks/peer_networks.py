"""BiaPy's networks in PyTorch, with the options of ours and weights that both share."""

from __future__ import annotations

import contextlib
import importlib
import io
from dataclasses import replace
from typing import Any

import numpy as np

CLASSES = {
    "unet": "U_Net",
    "resunet": "ResUNet",
    "resunet++": "ResUNetPlusPlus",
    "attention_unet": "Attention_U_Net",
    "multiresunet": "MultiResUnet",
    "seunet": "SE_U_Net",
    "resunet_se": "ResUNet_SE",
    "unetr": "UNETR",
    "unext_v1": "U_NeXt_V1",
    "unext_v2": "U_NeXt_V2",
    "hrnet": "HighResolutionNet",
    "stunet": "STUNet",
}


def missing() -> str:
    """What keeps the peer from running, empty if nothing does."""
    for name in ("torch", "biapy.models.unet"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            return f"{name} is not installed ({error})"
    return ""


def comparable(config: Any, **options: Any) -> Any:
    """A network of ours whose weights the peer's has, too, with these options where it has them."""
    known = {name: value for name, value in options.items() if hasattr(config, name)}
    config = replace(config, **known)
    if hasattr(config, "biapy_compatible"):
        config = replace(config, biapy_compatible=True)
    return replace(config, position="none") if hasattr(config, "position") else config


def peer_network(config: Any, shape: tuple[int, ...]) -> Any:
    """The peer's network for one output channel, as a torch module.

    Parameters
    ----------
    config : of :func:`comparable`
    shape : of an image, (*S, C)
    """
    name, ndim = config.architecture, len(shape) - 1
    module = importlib.import_module(f"biapy.models.{name}")
    options = OPTIONS.get(name, u_shape_options)(config, ndim)
    place = {"multiresunet": {"input_channels": shape[-1]}, "unetr": {"input_shape": shape}}
    options |= place.get(name, {"image_shape": shape})
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(module, CLASSES[name])(
            **options, output_channels=[1], output_channel_info=["F"]
        )


def z_down(config: Any, steps: int) -> list[int]:
    """The stride along z of each step down."""
    return list(config.z_down) or [2] * steps


def u_shape_options(config: Any, ndim: int) -> dict[str, Any]:
    """Of the networks out of convolutions."""
    levels = len(config.features)
    return {
        "activation": config.activation,
        "feature_maps": list(config.features),
        "drop_values": [0.0] * levels,
        "normalization": config.norm,
        "k_size": config.kernel,
        "upsample_layer": "convtranspose",
        "z_down": z_down(config, levels - 1),
        "yx_down": [2] * (levels - 1),
        "isotropy": [True] * levels,
        "conv_layers": [config.convs] * levels,
        "larger_io": config.larger_io,
    }


def unext_options(config: Any, ndim: int) -> dict[str, Any]:
    """Of the networks out of ConvNeXt blocks."""
    levels = len(config.features)
    return {
        "feature_maps": list(config.features),
        "z_down": z_down(config, levels - 1),
        "yx_down": [2] * (levels - 1),
        "cn_layers": [2] * levels,
        "isotropy": [True] * levels,
    }


def unetr_options(config: Any, ndim: int) -> dict[str, Any]:
    """Of the transformer."""
    return {
        "patch_size": config.token,
        "embed_dim": config.embed,
        "depth": config.depth,
        "num_heads": config.attention_heads,
        "num_filters": config.filters,
        "normalization": config.norm,
        "decoder_activation": config.activation,
    }


def hrnet_options(config: Any, ndim: int) -> dict[str, Any]:
    """Of the branches of several resolutions."""
    branches = (2, 3, 4)
    stages = {
        "NUM_STAGES": 3,
        "NUM_MODULES": list(config.modules),
        "NUM_BRANCHES": list(branches),
        "NUM_BLOCKS": [[config.blocks] * n for n in branches],
        "NUM_CHANNELS": [[config.width * 2**i for i in range(n)] for n in branches],
        "BLOCK_TYPE": "BASIC",
        "Z_DOWN": z_down(config, 3),
        "YX_DOWN": [2] * 3,
    }
    return {"cfg": stages, "normalization": config.norm}


def stunet_options(config: Any, ndim: int) -> dict[str, Any]:
    """Of the residual stages; those of the base variant."""
    return {
        "depth": [1] * 6,
        "dims": [32, 64, 128, 256, 512, 512],
        "pool_op_kernel_sizes": [[2] * ndim] * 4 + [[1] * ndim],
        "conv_kernel_sizes": [[3] * ndim] * 6,
        "deep_supervision": False,
    }


OPTIONS = {
    "multiresunet": lambda config, ndim: {"ndim": ndim, "z_down": z_down(config, 4)},
    "unext_v1": unext_options,
    "unext_v2": unext_options,
    "unetr": unetr_options,
    "hrnet": hrnet_options,
    "stunet": stunet_options,
}


def tensors_of(network: Any) -> dict[str, np.ndarray]:
    """The weights and statistics of a torch module, by its names."""
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
