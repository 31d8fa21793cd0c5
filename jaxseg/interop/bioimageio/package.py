"""A model as a BioImage.IO package: a zip file that says how to use it."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np

from jaxseg.errors import InputError
from jaxseg.interop.bioimageio.description import complaints
from jaxseg.interop.onnx.graph import OPSET
from jaxseg.interop.onnx.optional import load

MODEL = "model.onnx"
DESCRIPTION = "rdf.yaml"
LONGEST_DESCRIPTION = 1024


class Sheet(NamedTuple):
    """What a package says of its network beside the network itself."""

    name: str
    description: str
    """One paragraph, at most 1024 letters."""
    documentation: str
    """Markdown."""
    authors: tuple[str, ...]
    license: str
    """An SPDX identifier; empty = none is given."""
    tags: tuple[str, ...]
    cite: tuple[str, ...]
    """Texts with a DOI or an address at their end."""
    version: str
    """Of the package; empty = none is given."""
    planes: tuple[str, ...]
    """Names of the channels of the output."""
    channels: int
    """Of the input."""
    sizes: tuple[tuple[int, int], ...]
    """Smallest size and step of each spatial axis, (z)yx; step 0 = no other size."""
    halo: tuple[int, ...]
    spacing: tuple[float, ...]
    """µm, (z)yx; empty = unknown."""
    preprocessing: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any]
    """Our own, kept as ``config.jaxseg``."""


def write_package(
    path: Path, model: bytes, sheet: Sheet, given: np.ndarray, result: np.ndarray
) -> None:
    """Write a package and let bioimageio.spec check it, without the network.

    Parameters
    ----------
    path : file to write
    model : ONNX, axes bc(z)yx of input and output
    sheet : what it says
    given, result : an input before preprocessing and what the model makes of it, float32, for users
        to test with

    Raises
    ------
    InputError : bioimageio.spec refuses it, with its reasons
    ConfigError : bioimageio.spec is missing
    """
    spec = load("bioimageio.spec.model.v0_5", "bmz")
    files = {
        MODEL: model,
        "test_input.npy": _npy(given),
        "test_output.npy": _npy(result),
        "README.md": sheet.documentation.encode(),
        "cover.png": _cover(given, result),
    }
    content = _content(sheet, files, str(spec.ModelDescr.implemented_format_version))
    text = load("yaml", "bmz").safe_dump(content, sort_keys=False, allow_unicode=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {DESCRIPTION: text.encode(), **files}.items():
            archive.writestr(name, data)
    _check(path)


def _check(path: Path) -> None:
    """Refuse a package that others would refuse."""
    spec, yaml = load("bioimageio.spec", "bmz"), load("yaml", "bmz")
    with zipfile.ZipFile(path) as archive:
        content = yaml.safe_load(archive.read(DESCRIPTION))
        context = spec.ValidationContext(root=archive, log_warnings=False, progressbar=False)
        found = spec.build_description(content, context=context)
        if isinstance(found, spec.InvalidDescr):
            why = complaints(found)
            raise InputError("bioimageio.spec refuses the package", where=path, found=why)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _cover(given: np.ndarray, result: np.ndarray) -> bytes:
    """The example beside its first plane, in the middle of z; without it others draw one."""
    panels = []
    for array in (given, result):
        plane = array[0, 0, array.shape[2] // 2] if array.ndim == 5 else array[0, 0]
        width = max(float(np.ptp(plane)), float(np.finfo(np.float32).tiny))
        panels.append((255 * ((plane - plane.min()) / width)).astype(np.uint8))
    return bytes(imagecodecs.png_encode(np.concatenate(panels, axis=1)))


def _content(sheet: Sheet, files: Mapping[str, bytes], version: str) -> dict[str, Any]:
    """The description as plain data."""
    described = {
        name: {"source": name, "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }
    content: dict[str, Any] = {
        "format_version": version,
        "type": "model",
        "name": sheet.name,
        "description": sheet.description[:LONGEST_DESCRIPTION],
        "tags": list(sheet.tags),
        "documentation": described["README.md"],
        "covers": [described["cover.png"]],
        "inputs": [
            {
                "id": "image",
                "axes": _axes(sheet, [f"channel{n}" for n in range(sheet.channels)]),
                "data": {"type": "float32"},
                "preprocessing": [dict(step) for step in sheet.preprocessing],
                "test_tensor": described["test_input.npy"],
            }
        ],
        "outputs": [
            {
                "id": "planes",
                "axes": _axes(sheet, list(sheet.planes), output=True),
                "data": {"type": "float32"},
                "test_tensor": described["test_output.npy"],
            }
        ],
        "weights": {"onnx": {**described[MODEL], "opset_version": OPSET}},
        "config": {"jaxseg": sheet.record},
    }
    if sheet.authors:
        content["authors"] = [{"name": name} for name in sheet.authors]
    if sheet.license:
        content["license"] = sheet.license
    if sheet.cite:
        content["cite"] = [_citation(text) for text in sheet.cite]
    if sheet.version:
        content["version"] = sheet.version
    return content


def _citation(text: str) -> dict[str, str]:
    """A text with a DOI or an address at its end.

    >>> _citation("Doe 2020, https://doi.org/10.1000/1")
    {'text': 'Doe 2020', 'doi': '10.1000/1'}
    """
    words, _, last = text.strip().rpartition(" ")
    doi = re.fullmatch(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d+/\S+)", last)
    if doi:
        return {"text": words.rstrip(" ,;") or last, "doi": doi[1]}
    if last.startswith(("https://", "http://")):
        return {"text": words.rstrip(" ,;") or last, "url": last}
    return {"text": text.strip()}


def _axes(sheet: Sheet, channels: list[str], *, output: bool = False) -> list[dict[str, Any]]:
    """The axes bc(z)yx of the input or the output."""
    axes: list[dict[str, Any]] = [
        {"type": "batch"},
        {"type": "channel", "channel_names": channels},
    ]
    for place, name in enumerate("zyx"[-len(sheet.sizes) :]):
        least, step = sheet.sizes[place]
        axis: dict[str, Any] = {"type": "space", "id": name}
        if output:
            axis["size"] = {"tensor_id": "image", "axis_id": name}
            axis |= {"halo": sheet.halo[place]} if sheet.halo[place] else {}
        else:
            axis["size"] = {"min": least, "step": step} if step else least
        if sheet.spacing:
            axis |= {"scale": sheet.spacing[place], "unit": "micrometer"}
        axes.append(axis)
    return axes


def legal_name(text: str) -> str:
    """A text as the name of a package: letters, digits and few signs, at least 5 of them.

    >>> legal_name("cells/1: unet")
    'cells_1_ unet'
    """
    return re.sub(r"[^A-Za-z0-9_+\- ()]", "_", text)[:128].ljust(5, "_")
