"""One run on disk: its folders, the manifest of every phase, and what is already done.

```
<out>/<name>/config_files/<name>_<run>.json        the resolved configuration
             checkpoints/<name>_<run>/              best and last state of the training
             results/<name>_<run>/manifests/        what every phase read, one JSON each
                                  train_logs/ charts/ per_image/ per_image_instances/ ...
```
A phase writes only into folders of its own and never changes its input. A manifest holds the part
of the configuration that the phase reads: running it again with other values is refused, with the
same values it continues where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxseg.config import Config
from jaxseg.config.decoders import NEEDS
from jaxseg.config.load import differing, digest, to_plain
from jaxseg.config.saved import values as values_read
from jaxseg.errors import ConfigError, ResourceError
from jaxseg.io import container_of, sync_entry, write_json

# Which readers of options a phase stands for, see ``read_by`` of the options of the configuration.
READERS: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "predict": ("predict",),
    "decode": ("create", "merge", "process", "measure", "classes"),
    "instance_creation": ("create", "blocks"),
    "instance_merging": ("merge", "join", "process", "measure"),
    "evaluate": ("evaluate",),
}
# The folders and files that each phase writes.
WRITES: Mapping[str, tuple[str, ...]] = {
    "train": ("train_logs", "charts"),
    "predict": ("per_image", "blocks/predict"),
    "decode": (
        "per_image_instances",
        "per_image_binarized",
        "per_image_post_processing",
        *NEEDS,
        "blocks/decode",
        "blocks/decode_post-proc",
    ),
    "instance_creation": ("blocks/instance_creation",),
    "instance_merging": (
        *(
            f"blocks/{stage}"
            for stage in (
                "contacts",
                "fragments",
                "region_graph",
                "instance_merging",
                "measurements",
                "votes",
                "properties",
                "classes",
                "post_processing",
            )
        ),
        "per_image_instances",
        "per_image_post_processing",
    ),
    "evaluate": (
        "blocks/overlaps",
        "blocks/overlaps_post-proc",
        "instance_associations",
        "overlays",
        "test_results_metrics.csv",
        "summary.json",
        "class_metrics.csv",
        "class_metrics_post-proc.csv",
    ),
}
ORDER = tuple(READERS)


@dataclass(frozen=True)
class Run:
    """The folders of one run."""

    root: Path
    label: str

    @property
    def config_file(self) -> Path:
        """The resolved configuration of the phase that was entered last."""
        return self.root / "config_files" / f"{self.label}.json"

    @property
    def checkpoints(self) -> Path:
        """State of the training."""
        return self.root / "checkpoints" / self.label

    @property
    def results(self) -> Path:
        """Everything else."""
        return self.root / "results" / self.label

    def manifest(self, phase: str) -> Path:
        """What a phase read."""
        return self.results / "manifests" / f"{phase}.json"

    def marker(self, phase: str, stem: str) -> Path:
        """Evidence that a phase has finished one image."""
        return self.results / "manifests" / phase / f"{stem}.json"


def run_of(config: Config) -> Run:
    """The folders of a configuration's run, whether they are there or not."""
    return Run(Path(config.out) / config.name, f"{config.name}_{config.run}")


def open_run(config: Config) -> Run:
    """The folders of a configuration's run; makes them and proves that they can be written.

    Raises
    ------
    ResourceError : a folder cannot be made or written
    """
    run = run_of(config)
    try:
        for folder in (run.config_file.parent, run.checkpoints, run.results):
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe{uuid.uuid4().hex}"
            probe.write_bytes(b"0")
            sync_entry(probe)
            probe.unlink()
    except OSError as error:
        raise ResourceError(
            f"cannot write here: {error.strerror or error}",
            file=error.filename or run.root,
            fix="give another folder with --out, or free the space",
        ) from error
    return run


def claim(run: Run, phase: str, config: Config, upstream: str = "") -> str:
    """Enter a phase: fresh, or a continuation of the same one; return its digest.

    Parameters
    ----------
    run, phase, config : which phase of which run, with which values
    upstream : digest of what the phase reads from the phase before

    Returns
    -------
    digest of all that decides the phase's result

    Raises
    ------
    ConfigError : results made with other values lie there, and overwriting was not asked for
    """
    values, path = _values(phase, config, upstream), run.manifest(phase)
    if differs(run, phase, config, upstream):
        discard(run, ORDER[ORDER.index(phase) :])
    if not path.exists():
        document = {"values": values, "digest": digest(values), "versions": versions()}
        write_json(path, document, shared=True)
    # Only now: a start that was refused leaves no trace.
    write_json(run.config_file, to_plain(config), shared=True)
    return digest(values)


def differs(run: Run, phase: str, config: Config, upstream: str = "") -> bool:
    """Whether results made with other values lie there, which are to be overwritten.

    Parameters
    ----------
    run, phase, config, upstream : as for :func:`claim`

    Raises
    ------
    ConfigError : they lie there, and overwriting was not asked for
    """
    path, values = run.manifest(phase), _values(phase, config, upstream)
    if not path.exists():
        return False
    before = json.loads(path.read_text())["values"]
    changed = differing(before, values)
    if changed and not config.overwrite:
        raise ConfigError(
            f"results of another configuration lie here; {phase} differs in {_listed(changed)}",
            file=run.results,
            expected=before.get(changed[0]),
            found=values.get(changed[0]),
            fix="--run ANOTHER_NAME, or --overwrite, which moves the old ones to _trash",
        )
    return bool(changed)


def _values(phase: str, config: Config, upstream: str) -> dict[str, Any]:
    """All that decides the result of a phase, as JSON gives it back."""
    return json.loads(json.dumps(phase_values(phase, config) | {"upstream": upstream}))


def phase_values(phase: str, config: Config) -> dict[str, Any]:
    """The options that decide the result of a phase, by dotted name, as plain data."""
    readers = READERS[phase]
    if phase == "predict" and config.predict.classes_only:
        readers = (*readers, "classes")
    return values_read(config, *readers)


def claimed(run: Run, phase: str) -> str:
    """The digest of a phase that was entered before, empty if it never was."""
    path = run.manifest(phase)
    return json.loads(path.read_text())["digest"] if path.exists() else ""


def refuse_other_way(run: Run, phases: Sequence[str], config: Config) -> None:
    """Refuse to decode by blocks what was decoded in memory, or the other way round.

    Parameters
    ----------
    phases : of the other way
    config : with ``overwrite`` their results are moved to ``_trash``

    Raises
    ------
    ConfigError : results of the other way lie there, and overwriting was not asked for
    """
    there = [phase for phase in phases if run.manifest(phase).exists()]
    if there and not config.overwrite:
        raise ConfigError(
            f"results of {there[0]} lie here: instances are made by blocks or in memory, not both",
            file=run.results,
            fix="--run ANOTHER_NAME, or --overwrite, which moves the old ones to _trash",
        )
    if there:
        discard(run, (*there, "evaluate"))


def _listed(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - 4
    return ", ".join(names[:4]) + (f" and {more} more" if more > 0 else "")


def discard(run: Run, phases: Iterable[str]) -> None:
    """Move everything that the phases wrote to ``_trash/<time>``; delete nothing."""
    trash = run.root / "_trash" / time.strftime("%Y%m%d-%H%M%S")
    for phase in phases:
        names = (*WRITES[phase], f"manifests/{phase}", f"manifests/{phase}.json")
        sources = [run.results / name for name in names]
        sources += [run.checkpoints] if phase == "train" else []
        for source in (path for path in sources if path.exists()):
            target = trash / source.relative_to(run.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)
    run.checkpoints.mkdir(parents=True, exist_ok=True)


def is_done(run: Run, phase: str, stem: str, state: Mapping[str, Any], outputs: list[Path]) -> bool:
    """Whether a phase finished this image from the same input and its outputs are still there.

    Raises
    ------
    ConfigError : it was finished from another input, such as a file that changed since
    """
    marker = run.marker(phase, stem)
    if not marker.exists() or not all(path.exists() for path in outputs):
        return False
    before = json.loads(marker.read_text())
    if before == dict(state):
        return True
    raise ConfigError(
        f"{phase} of {stem} was made from another version of its input",
        file=outputs[0],
        fix="--run ANOTHER_NAME, or remove this result",
    )


def mark_done(run: Run, phase: str, stem: str, state: Mapping[str, Any]) -> None:
    """Record that a phase finished this image; to be called after its outputs are in place."""
    write_json(run.marker(phase, stem), dict(state), shared=True)


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Size and time of a file, or of the files of a folder: another version shows.

    Of an image inside a file, those of the file.
    """
    root = Path(path)
    place = root if root.exists() else container_of(root)
    files = (
        sorted(item for item in place.rglob("*") if item.is_file()) if place.is_dir() else [place]
    )
    stats = [item.stat() for item in files]
    return {
        "path": str(root.resolve()),
        "bytes": sum(stat.st_size for stat in stats),
        "mtime_ns": max((stat.st_mtime_ns for stat in stats), default=0),
    }


def versions() -> dict[str, str]:
    """Versions of what decides the numbers of a result."""
    from importlib.metadata import version

    names = ("jaxseg", "jax", "jaxlib", "flax", "optax", "numpy", "scikit-image", "zarr")
    return {name: version(name) for name in names} | {"cores": str(os.cpu_count())}
