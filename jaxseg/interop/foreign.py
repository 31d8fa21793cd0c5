"""A trained network out of a file, whoever wrote it: what it takes, gives and expects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseg.config import Config, Package
from jaxseg.config.load import from_plain
from jaxseg.errors import ConfigError, InputError, JaxsegError
from jaxseg.geometry import context_of
from jaxseg.interop.bioimageio.archive import Files, open_files
from jaxseg.interop.bioimageio.description import Description, read_description
from jaxseg.interop.bioimageio.scaling import scaling_of
from jaxseg.interop.onnx.session import Network, first_line, make_forward, open_onnx
from jaxseg.normalize import Stats

# Name of our record among the metadata of an ONNX file.
RECORD = "jaxseg"
Forward = Callable[[Any], np.ndarray]


class Foreign(NamedTuple):
    """A network out of a file."""

    file: str
    forward: Forward
    """(N, *S, C) float32, scaled, to (N, *S, K) float32."""
    about: Description
    """What is known of it, from its description, its record, its axes and the configuration."""
    trained: Config | None
    """Our configuration of its training; None = not one of ours."""
    digest: str
    """Of everything that was read."""


def open_foreign(package: Package, ndim: int) -> Foreign:
    """Open a package or a model.

    What our own record says comes before what the description says, which other software cannot
    read as exactly.

    Parameters
    ----------
    package : which file, and what it does not say of itself
    ndim : dimensions of the images

    Raises
    ------
    InputError : damaged, or not such a file
    ConfigError : something in it has no counterpart here, or is not said and not given
    """
    file, digest = package.path, hashlib.sha256()
    with open_files(Path(file)) as opened:
        files = _counted_in(opened, digest)
        described = files.description != ""
        about = read_description(files, ndim, file) if described else Description()
        data = files.read(about.weights or files.model)
        network = open_onnx(data, file=file, part=files.read)
    record = _record(network, file)
    about, trained = _with_record(about, record, file) if record else (about, None)
    about = _with_options(about, package, network, ndim)
    forward = make_forward(network, *(about.axes or ("", "")), ndim)
    if about.sigmoid:
        forward = _with_sigmoid(forward)
    return Foreign(file, forward, about, trained, digest.hexdigest())


def _counted_in(files: Files, digest: Any) -> Files:
    """The same files; all that is read of them goes into a hash."""

    def read(name: str) -> bytes:
        data = files.read(name)
        digest.update(data)
        return data

    return files._replace(read=read)


def _with_sigmoid(forward: Forward) -> Forward:
    def values(tiles: Any) -> np.ndarray:
        # tanh, which does not overflow.
        return 0.5 + 0.5 * np.tanh(0.5 * forward(tiles))

    return values


def _record(network: Network, file: str) -> dict[str, Any]:
    """What we wrote into the model ourselves; nothing for models of others."""
    try:
        found = json.loads(network.metadata.get(RECORD, "{}"))
    except ValueError as error:
        raise _damaged(file, error) from error
    if not isinstance(found, dict):
        raise _damaged(file, "no object of JSON")
    return found


def _damaged(file: str, why: Exception | str) -> InputError:
    what = f"the record {RECORD!r} in the metadata of the model cannot be read"
    return InputError(what, where=file, found=first_line(why))


def _with_record(
    about: Description, record: Mapping[str, Any], file: str
) -> tuple[Description, Config]:
    """What our record says, and the configuration of the training in it."""
    try:
        trained = from_plain(record["config"], file, own=False)
        stats = Stats(*(tuple(map(float, values)) for values in record["stats"]))
        sizes = tuple((int(least), int(step)) for least, step in record["sizes"])
        halo = tuple(map(int, record["halo"]))
        # Files of earlier versions do not have it, others where nothing was measured.
        context = context_of(given, trained.ndim) if (given := record.get("context")) else ()
        legal = all(least > 0 and step >= 0 for least, step in sizes) and min(halo) >= 0
        if not legal or len(sizes) != trained.ndim or len(halo) != trained.ndim:
            raise ValueError(f"sizes {sizes}, halo {halo}")
        about = about._replace(
            axes=about.axes or (str(record["axes"]),) * 2,
            sizes=about.sizes or sizes,
            halo=halo,
            context=context,
            links={"apply": "apply", "applied": "applied"}[record["links"]],
            scaling=scaling_of(trained.normalize, stats),
        )
    except (LookupError, TypeError, ValueError, AttributeError, JaxsegError) as error:
        raise _damaged(file, error) from error
    return about, trained


def _with_options(about: Description, package: Package, network: Network, ndim: int) -> Description:
    """What the configuration adds, and what the axes of the model themselves say."""
    file, order = package.path, package.axes
    if order and about.axes and set(about.axes) != {order}:
        raise ConfigError("the file says its axes", where=file, expected=about.axes, found=order)
    inputs, outputs = about.axes or (order, order)
    if not inputs:
        raise ConfigError(
            "the file does not say the order of its axes",
            where=file,
            found=f"{len(network.inputs)} axes of length {network.inputs}",
            fix=f"--model.axes bc{'zyx'[-ndim:]}, or whatever it is",
        )
    space = "zyx"[-ndim:]
    for axes, lengths in ((inputs, network.inputs), (outputs, network.outputs)):
        if len(axes) != len(lengths) or set(axes) - set("bc") != set(space):
            raise ConfigError(
                "the axes do not fit the model or the images",
                where=file,
                expected=f"{len(lengths)} axes, {space} among them",
                found=axes,
            )
    links = package.links or about.links
    if not links or (about.links and links != about.links):
        raise ConfigError(
            "the file says otherwise"
            if links
            else "the file does not say whether links are applied",
            where=file,
            expected=about.links or "apply or applied",
            found=links,
            fix="remove --model.links" if links else "--model.links applied, or apply for logits",
        )
    return about._replace(
        axes=(inputs, outputs),
        channels=about.channels or _length(network.inputs, inputs, "c"),
        planes=about.planes or _length(network.outputs, outputs, "c"),
        sizes=about.sizes or _sizes(network, inputs, ndim),
        links=links,
    )


def _length(sizes: tuple[int | None, ...], order: str, axis: str) -> int | None:
    """Length of an axis; 1 where there is no such axis."""
    return sizes[order.index(axis)] if axis in order else 1


def _sizes(network: Network, order: str, ndim: int) -> tuple[tuple[int, int], ...] | None:
    """The only sizes that a model takes; None where it takes several."""
    lengths = [_length(network.inputs, order, axis) for axis in "zyx"[-ndim:]]
    fixed = [(length, 0) for length in lengths if length]
    return tuple(fixed) if len(fixed) == ndim else None
