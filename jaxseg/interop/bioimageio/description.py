"""What a BioImage.IO package says of its model, read from its description (format 0.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxseg.errors import ConfigError, InputError
from jaxseg.geometry import Context
from jaxseg.interop.bioimageio.archive import Files
from jaxseg.interop.bioimageio.scaling import Scaling, read_steps
from jaxseg.interop.onnx.optional import load
from jaxseg.interop.onnx.session import first_line

# All that is read of a description. What names people and places is left out: checking it may ask
# the network.
FIELDS = ("type", "format_version", "name", "inputs", "outputs", "weights")
TENSOR_FIELDS = ("id", "axes", "data", "preprocessing", "postprocessing")


class Description(NamedTuple):
    """What a file says of a network; empty or None where it says nothing."""

    axes: tuple[str, str] | None = None
    """Order of the axes of the input and the output."""
    channels: int | None = None
    planes: int | None = None
    sizes: tuple[tuple[int, int], ...] | None = None
    """Smallest size and step of each spatial axis, (z)yx; step 0 = no other size."""
    halo: tuple[int, ...] | None = None
    """Voxels around a point on which its value depends."""
    links: str = ""
    """apply: logits, applied: values."""
    sigmoid: bool = False
    """A sigmoid belongs to the output."""
    scaling: Scaling | None = None
    weights: str = ""
    """Name of the ONNX file."""
    context: Context = ()
    """How far around a point its value depends on more than a thousandth, where that is known."""


def read_description(files: Files, ndim: int, file: str) -> Description:
    """The description of a package, checked by the package bioimageio.spec without the network.

    Parameters
    ----------
    files : of the package
    ndim : dimensions of the images
    file : for messages

    Raises
    ------
    InputError : damaged, or not a description of a model
    ConfigError : the model is not in ONNX, or something has no counterpart here, by its name
    """
    content = _validated(_parsed(files.read(files.description), file), file)
    (given,), (result,) = (_one(content, kind, file) for kind in ("inputs", "outputs"))
    axes = _order(given, file), _order(result, file)
    sizes, halo = _sizes(given, ndim, file), _halo(result, ndim)
    channels, planes = _channels(given), _channels(result)
    steps = given.get("preprocessing") or []
    entry = content["weights"]["onnx"]
    _compare(files.read(str(entry["source"])), entry.get("sha256"), file)
    sigmoid = _postprocessing(result.get("postprocessing") or [], file)
    return Description(
        axes,
        channels,
        planes,
        sizes,
        halo,
        "applied" if sigmoid else "",
        sigmoid,
        read_steps(steps, ndim, channels or 1, file),
        str(entry["source"]),
    )


def _parsed(data: bytes, file: str) -> dict[str, Any]:
    """YAML without aliases, which let a small file describe an enormous one."""
    yaml = load("yaml", "bmz")

    class Loader(yaml.SafeLoader):  # type: ignore[name-defined]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                raise yaml.YAMLError("it has aliases")
            return super().compose_node(parent, index)

    try:
        content = yaml.load(data, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"not readable YAML: {first_line(error)}", where=file) from error
    if not isinstance(content, dict) or content.get("type") != "model":
        raise InputError("not a description of a model", where=file, expected="type: model")
    version = str(content.get("format_version", "none"))
    if not version.startswith("0.5"):
        raise ConfigError(
            "a description in another format",
            where=file,
            expected="0.5",
            found=version,
            fix="bioimageio update-format, of bioimageio.core, writes it anew",
        )
    return content


def _validated(content: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The part of a description that is read, as bioimageio.spec understands it."""
    weights = content.get("weights")
    if not isinstance(weights, dict) or not isinstance(weights.get("onnx"), dict):
        found = ", ".join(map(str, weights or ())) or "none"
        raise ConfigError("no weights in ONNX", where=file, expected="onnx", found=found)
    kept = {name: content[name] for name in FIELDS if name in content}
    kept["weights"] = {"onnx": {**weights["onnx"], "authors": None, "parent": None}}
    for kind in ("inputs", "outputs"):
        tensors = kept.get(kind)
        if not isinstance(tensors, list) or not all(isinstance(t, dict) for t in tensors):
            raise InputError(f"no {kind} in the description", where=file)
        kept[kind] = [{name: t[name] for name in TENSOR_FIELDS if name in t} for t in tensors]
    spec = load("bioimageio.spec", "bmz")
    context = spec.ValidationContext(perform_io_checks=False, log_warnings=False, progressbar=False)
    found = spec.build_description(kept, context=context)
    if isinstance(found, spec.InvalidDescr):
        raise InputError("not a legal description", where=file, found=complaints(found))
    return found.model_dump(mode="json")


def complaints(invalid: Any) -> str:
    """What bioimageio.spec has against a description, in one line."""
    errors = [error for detail in invalid.validation_summary.details for error in detail.errors]
    places = [f"{'.'.join(map(str, error.loc))}: {error.msg}" for error in errors]
    return " | ".join(" ".join(place.split())[:200] for place in places[:3])


def _one(content: Mapping[str, Any], kind: str, file: str) -> Sequence[Any]:
    tensors = content[kind]
    if len(tensors) != 1:
        found = ", ".join(str(tensor["id"]) for tensor in tensors)
        raise ConfigError(f"a package with several {kind}", where=file, expected=1, found=found)
    return tensors


def _order(tensor: Mapping[str, Any], file: str) -> str:
    """The axes of a tensor, a letter each."""
    letters = []
    for axis in tensor["axes"]:
        letter = {"batch": "b", "channel": "c"}.get(axis["type"], str(axis["id"]))
        if letter not in tuple("bczyx") or axis["type"] in ("time", "index"):
            found = f"{axis['type']} {axis['id']}"
            raise ConfigError(
                "an axis without counterpart",
                where=file,
                expected="batch, channel, z, y, x",
                found=found,
            )
        letters.append(letter)
    return "".join(letters)


def _space(tensor: Mapping[str, Any], ndim: int) -> list[Mapping[str, Any] | None]:
    """The spatial axes of a tensor, (z)yx."""
    found = {str(axis["id"]): axis for axis in tensor["axes"] if axis["type"] == "space"}
    return [found.get(name) for name in "zyx"[-ndim:]]


def _sizes(tensor: Mapping[str, Any], ndim: int, file: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for name, axis in zip("zyx"[-ndim:], _space(tensor, ndim), strict=True):
        size = axis["size"] if axis else None
        if isinstance(size, dict) and "min" in size:
            sizes.append((int(size["min"]), int(size["step"])))
        elif isinstance(size, int):
            sizes.append((size, 0))
        else:
            expected, found = "a size, or min and step", "no such axis" if axis is None else size
            raise ConfigError(
                f"axis {name} of the input", where=file, expected=expected, found=found
            )
    return tuple(sizes)


def _halo(tensor: Mapping[str, Any], ndim: int) -> tuple[int, ...] | None:
    halos = [axis.get("halo") if axis else None for axis in _space(tensor, ndim)]
    return None if not any(halos) else tuple(int(halo or 0) for halo in halos)


def _channels(tensor: Mapping[str, Any]) -> int | None:
    names = [axis["channel_names"] for axis in tensor["axes"] if axis["type"] == "channel"]
    return len(names[0]) if names else 1


def _postprocessing(steps: Sequence[Mapping[str, Any]], file: str) -> bool:
    """Whether a sigmoid belongs to the output; everything else is refused."""
    names = [step["id"] for step in steps if step["id"] != "ensure_dtype"]
    if names not in ([], ["sigmoid"]):
        raise ConfigError(
            f"the package changes its output by {', '.join(names)}, without counterpart here",
            where=file,
            expected="nothing, or sigmoid",
        )
    return bool(names)


def _compare(data: bytes, expected: Any, file: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if expected and str(expected) != found:
        raise InputError("damaged weights", where=file, expected=f"SHA-256 {expected}", found=found)
