"""A trained network as a file for other software: ONNX, or a BioImage.IO package."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseg import checkpoint
from jaxseg.config import Config, Data, Predict
from jaxseg.config.export import About, Request
from jaxseg.config.load import to_plain
from jaxseg.config.saved import from_checkpoint
from jaxseg.errors import ConfigError, NonFiniteError
from jaxseg.geometry import Context
from jaxseg.prediction.sight import stored_context
from jaxseg.prediction.tiling import guessed_halo
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Run

# Largest difference of the written network from ours, in multiples of the largest value.
TOLERANCE = 1e-4
SUFFIXES = (".onnx", ".zip")
ENDINGS = {"onnx": ".onnx", "package": ".zip"}
# Below the results of a run, as BiaPy calls it; and the name of the note that it is done.
FOLDER, MARK = "BMZ_files", "export"


class Trained(NamedTuple):
    """What is exported."""

    config: Config
    stats: Any
    function: Callable[[Any], Any]
    """As it is written: (N, *S, C) to (N, *S, K)."""
    ours: Callable[[Any], Any]
    """As prediction computes it."""
    halo: tuple[int, ...]
    stride: tuple[int, ...]
    context: Context
    """What it needs to see around a voxel, where that was measured."""


def export_trained(config: Config, run: Run) -> None:
    """Write the network of a run that has ended its training, if that is asked for.

    Parameters
    ----------
    config, run : what was trained; the same network is written once
    """
    ending = ENDINGS.get(config.train.export.format)
    if ending is None:
        return
    about = {
        field.name: getattr(config.train.export, field.name) for field in dataclasses.fields(About)
    }
    weights = checkpoint.trained(run.checkpoints).identity
    state = {"weights": weights, "about": to_plain(config)["train"]["export"]}
    target = run.results / FOLDER / f"{run.label}{ending}"
    before = runs.marked(run, "train", MARK) or {}
    if target.exists() and all(before.get(name) == value for name, value in state.items()):
        return
    target.unlink(missing_ok=True)
    export(Request(checkpoint=str(run.checkpoints), to=str(target), **about))
    runs.mark_done(run, "train", MARK, state, [target])
    print(f"exported: {target}", flush=True)


def export(given: Request) -> float:
    """Write a network to a file and compare what was written with it.

    Returns
    -------
    largest difference, in multiples of the largest value, at least of 1

    Raises
    ------
    ConfigError : the file exists, a tile that the network does not take, or something that cannot
        be written as ONNX
    NonFiniteError : the written network is not the same; nothing is left of it
    """
    import jax

    from jaxseg import io
    from jaxseg.interop.foreign import RECORD
    from jaxseg.interop.onnx import to_onnx

    target = Path(given.to)
    if target.suffix not in SUFFIXES:
        expected = " or ".join(SUFFIXES)
        raise ConfigError("unknown kind of file", where=target, expected=expected)
    if target.exists():
        raise ConfigError("there is a file here already", where=target, fix="another --to")
    trained = _trained(given)
    record = _record(trained, given)
    model = to_onnx(
        trained.function,
        channels=len(trained.stats.offset),
        stride=trained.stride,
        tile=given.tile,
        metadata={RECORD: json.dumps(record)},
    ).SerializeToString()
    raw, scaled = _example(trained, record)
    # Some devices round more than they must unless they are told so.
    with jax.default_matmul_precision("highest"):
        planes = np.asarray(trained.ours(scaled))
    with io.atomic_path(target) as partial:
        if target.suffix == ".zip":
            _package(partial, model, trained, given, record, raw, planes)
        else:
            partial.write_bytes(model)
        return _compare(partial, target, scaled, planes)


def _trained(given: Request) -> Trained:
    """The network with the best validation."""
    import jax

    from jaxseg import channels as table
    from jaxseg import models
    from jaxseg.network import heads_of, network
    from jaxseg.normalize import Stats

    found = checkpoint.trained(given.checkpoint, which=given.weights)
    variables, meta = checkpoint.nested(found.arrays), found.meta
    config = from_checkpoint(meta["config"], given.checkpoint)
    if config.normalize.scope == "patch":
        raise ConfigError(
            "a file cannot say that patches are scaled by themselves",
            where=f"{given.checkpoint}: normalize.scope",
            expected="image or dataset",
            found="patch",
        )
    heads = heads_of(config)
    # One operation each; the sums of slices that suit XLA on a CPU would be a large graph.
    plain = models.build(config.model, heads, config.ndim, recipe="plain")
    usual = network(config, dtype="float32")
    _check_sizes(given, config.ndim, plain.stride)

    def values(apply: Callable[..., Any]) -> Callable[[Any], Any]:
        if not given.links:
            return lambda image: apply(variables, image)
        return lambda image: table.activate(apply(variables, image), config.channels)

    stats = Stats(*map(tuple, meta["stats"]))
    ours = jax.jit(values(usual.apply))
    context = stored_context(Path(given.checkpoint), config.ndim)
    return Trained(config, stats, values(plain.apply), ours, plain.halo, plain.stride, context)


def _check_sizes(given: Request, ndim: int, stride: tuple[int, ...]) -> None:
    """Refuse sizes that do not fit the network."""
    for field, sizes in (("--tile", given.tile), ("--spacing", given.spacing)):
        if sizes and (len(sizes) != ndim or min(sizes) <= 0):
            expected = f"{ndim} sizes above 0, {'zyx'[-ndim:]}"
            raise ConfigError("illegal size", where=field, expected=expected, found=sizes)
    if given.tile and any(n % step for n, step in zip(given.tile, stride, strict=True)):
        raise ConfigError(
            "size is not a multiple of the network's stride",
            where="--tile",
            expected=f"multiples of {stride}",
            found=given.tile,
        )


def _record(trained: Trained, given: Request) -> dict[str, Any]:
    """What we want to know of the file when we read it; without paths of the machine it comes from.

    See :func:`jaxseg.interop.foreign.open_foreign`.
    """
    config = trained.config
    data = Data(axes=config.data.axes, spacing=config.data.spacing)
    public = dataclasses.replace(config, data=data, out=Config().out, predict=Predict())
    halo = _halo(trained)
    sizes = [[2 * h // s * s + s, s] for h, s in zip(halo, trained.stride, strict=True)]
    return {
        "config": to_plain(public),
        "stats": [list(values) for values in trained.stats],
        "axes": "bc" + "zyx"[-config.ndim :],
        "sizes": [[size, 0] for size in given.tile] or sizes,
        "halo": list(trained.halo),
        "context": list(trained.context),
        "links": "applied" if given.links else "apply",
    }


def _halo(trained: Trained, tile: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The context that our prediction throws away; none where it would leave nothing of a tile."""
    halo = guessed_halo(trained.config.patch, trained.halo, trained.stride, trained.context)
    return tuple(h if 2 * h < n else 0 for h, n in zip(halo, tile, strict=True)) if tile else halo


def _example(trained: Trained, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Two random images before and after scaling, (2, *S, C) float32.

    The second is scaled as the first, which alone is an example for others.
    """
    from jaxseg import normalize
    from jaxseg.volume import Volume

    config, stats = trained.config, trained.stats
    shape = [
        max(patch, least) if step else least
        for patch, (least, step) in zip(config.patch, record["sizes"], strict=True)
    ]
    noise = np.random.default_rng(0).random((2, *shape, len(stats.offset)), np.float32)
    known = np.where(np.asarray(stats.scale) > 0, stats.scale, 1)
    raw = (noise / known + stats.offset).astype(np.float32)
    measured = config.normalize.method in ("percentile", "zscore", "range")
    if config.normalize.scope == "image" and measured and not config.normalize.mean:
        axes = "zyx"[-config.ndim :] + "c"
        volume = Volume(raw[0], axes, (1.0,) * config.ndim)
        method, percentiles = config.normalize.method, config.normalize.percentiles
        stats = normalize.fit(volume, method=method, percentiles=percentiles)
    elif config.normalize.method == "none":
        return raw, raw
    return raw, normalize.apply(raw, stats)


def _package(
    path: Path,
    model: bytes,
    trained: Trained,
    given: Request,
    record: dict[str, Any],
    raw: np.ndarray,
    planes: np.ndarray,
) -> None:
    from jaxseg.channels import columns
    from jaxseg.interop.bioimageio.package import Sheet, legal_name, write_package
    from jaxseg.interop.bioimageio.scaling import scaling_of, steps_of

    config = trained.config
    scaling = scaling_of(config.normalize, trained.stats)
    steps, note = steps_of(scaling, trained.stats, config.ndim)
    names = columns(config.channels, config.ndim).names
    kind = f"{config.model.architecture}, {config.ndim}D, {config.task}"
    meaning = "values, their links applied" if given.links else "logits, their links not applied"
    text = f"{given.description or f'{kind}, trained with jaxseg.'} Output: {meaning}. {note}"
    sheet = Sheet(
        name=legal_name(given.name or f"{config.name} {config.model.architecture}"),
        description=text,
        documentation=DOCUMENTATION.format(
            kind=kind, text=text, names=", ".join(names), meaning=meaning, tolerance=TOLERANCE
        ),
        authors=given.authors,
        license=given.license,
        tags=(
            f"{config.ndim}d",
            "jaxseg",
            config.model.architecture,
            f"{config.task}-segmentation",
            *given.tags,
        ),
        cite=given.cite,
        version=given.version,
        planes=names,
        channels=raw.shape[-1],
        sizes=tuple(map(tuple, record["sizes"])),
        halo=_halo(trained, given.tile),
        spacing=given.spacing or config.data.spacing,
        preprocessing=steps,
        record=record,
    )
    first = (np.moveaxis(array[:1], -1, 1) for array in (raw, planes))
    write_package(path, model, sheet, *first)


DOCUMENTATION = """# {kind}

{text}

The planes are, in this order: {names}. They are {meaning}. Objects are made out of them by
software that knows what they mean, such as jaxseg, whose configuration is kept in this package.

## Validation

The model was compared with the network that it was written from, on random images: all values
agree within {tolerance} of the largest. How good the network is must be measured on images with
labels of your own, for example with the phase `evaluate` of jaxseg.
"""


def _compare(partial: Path, target: Path, scaled: np.ndarray, planes: np.ndarray) -> float:
    """The difference between what was written and what our network gives."""
    from jaxseg.interop.bioimageio.package import MODEL
    from jaxseg.interop.onnx import is_close, make_forward, open_onnx

    if target.suffix == ".zip":
        with zipfile.ZipFile(partial) as archive:
            data = archive.read(MODEL)
    else:
        data = partial.read_bytes()
    ndim = scaled.ndim - 2
    order = "bc" + "zyx"[-ndim:]
    written = make_forward(open_onnx(data, file=str(target)), order, order, ndim)(scaled)
    close, difference = is_close(planes, written, TOLERANCE)
    if not close:
        raise NonFiniteError(
            "the written network gives other values than ours; nothing was kept",
            where=target,
            expected=f"a difference of at most {TOLERANCE}",
            found=f"{difference:.2e} of the largest value",
        )
    return difference
