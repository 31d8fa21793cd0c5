"""Options of files for other software."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxseg.config.option import option, section


@section
class About:
    """What a BioImage.IO package says of a network."""

    name: str = option("")
    """Name of the package; empty = from that of the run."""
    description: str = option("")
    """A sentence in the package about the network and the images it is for."""
    authors: tuple[str, ...] = option(())
    """Authors named in the package; empty = nobody is named."""
    license: str = option("")
    """Licence of the package, an SPDX identifier such as CC-BY-4.0; empty = none is given."""
    tags: tuple[str, ...] = option(())
    """More tags than those for the dimensions, the network and the task."""
    cite: tuple[str, ...] = option(())
    """What to cite, each text with a DOI or an address at its end."""
    version: str = option("")
    """Version of the package, such as 0.1.0; empty = none is given."""


@section
class Export(About):
    """A file for other software, written when the training has ended, in the folder BMZ_files."""

    format: Literal["none", "onnx", "package"] = option("none")
    """onnx: the network alone; package: a BioImage.IO package, which says more."""


@dataclass(frozen=True, kw_only=True)
class Request(About):
    """A trained network that is to be written to a file."""

    checkpoint: str
    """Folder of a trained run, checkpoints/<name>_<run>."""
    to: str
    """File to write: .onnx, or .zip for a package."""
    weights: Literal["best", "last"] = "best"
    """The best network on the validation images, or the last one."""
    links: bool = True
    """Apply the links of the channels, so that the planes are values; without, they are logits."""
    tile: tuple[int, ...] = ()
    """Fixed input size, (z)yx; empty = any size that the network can take."""
    spacing: tuple[float, ...] = ()
    """Size of a voxel in µm, written into the package, (z)yx; empty = that of the configuration."""
