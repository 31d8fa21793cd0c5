"""A trained network for other software: ``jaxseg export --checkpoint DIR --to FILE``.

``FILE.onnx`` is the network alone, ``FILE.zip`` a BioImage.IO package. Both can be predicted with:
``jaxseg run --config CONFIG --model bmz --model.path FILE --phases predict decode``.
"""

from __future__ import annotations

import dataclasses

from jaxseg.config.export import Request


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Request):
    """Write a trained network as ONNX or as a BioImage.IO package.

    The written network is compared with the original before the file is kept.
    """


def execute(arguments: Arguments) -> int:
    """Export one network; return the exit code."""
    from jaxseg.tasks.exporting import export

    difference = export(arguments)
    print(f"{arguments.to}: equal to the network within {difference:.1e}")
    missing = [name for name in ("authors", "license") if not getattr(arguments, name)]
    if missing and arguments.to.endswith(".zip"):
        print(f"not said in the package: {', '.join(missing)}")
    return 0
