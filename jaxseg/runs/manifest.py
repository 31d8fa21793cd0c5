"""What a run has done: the manifest of every phase, and which images are finished.

A phase writes only into folders of its own and never changes its input. A manifest holds the part
of the configuration that the phase reads: running it again with other values is refused, with the
same values it continues where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxseg.config import Config
from jaxseg.config.decoders import NEEDS
from jaxseg.config.load import differing, digest, to_plain
from jaxseg.config.saved import values as values_read
from jaxseg.errors import ConfigError, InputError, ResourceError
from jaxseg.io import read_sealed, sync_entry, write_json, write_sealed
from jaxseg.io.trash import dated
from jaxseg.runs.fingerprint import fingerprint, forget_versions, input_version, input_versions
from jaxseg.runs.layout import FULL_IMAGE, PER_IMAGE, Run, run_of
from jaxseg.runs.links import refuse_links
from jaxseg.runs.marks import (
    is_done,
    mark_done,
    marked,
    redone_if_damaged,
    reference_inputs,
    refuse_replaced,
    training_inputs,
)

__all__ = [
    "Run", "claim", "claimed", "differs", "digest_of", "discard", "document", "end", "fingerprint",
    "input_version", "input_versions", "is_done", "is_over", "mark_done", "marked", "open_run",
    "redone_if_damaged", "reference_inputs", "refuse_other_way", "refuse_replaced", "run_of",
    "training_inputs", "values_of", "versions",
]  # fmt: skip


# Which readers of options a phase stands for, see ``read_by`` of the options of the configuration.
READERS: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "predict": ("predict",),
    "tune": ("tune",),
    "decode": ("create", "merge", "process", "measure", "classes"),
    "instance_creation": ("create", "blocks"),
    "instance_merging": ("merge", "join", "process", "measure"),
    "evaluate": ("evaluate",),
}
# Stages of finished objects.
OF_OBJECTS = ("measurements", "votes", "certainty", "properties", "classes", "post_processing")
# The folders and files that each phase writes.
WRITES: Mapping[str, tuple[str, ...]] = {
    "train": (
        "train_logs",
        "charts",
        "tensorboard",
        "aug",
        "probability_map",
        "train_pred_samples",
        "BMZ_files",
        "left_out/train",
        "left_out/val",
    ),
    "predict": ("per_image", "blocks/predict", "left_out/test"),
    "tune": (),
    "decode": (
        "per_image_instances",
        "per_image_instances_at_image_size",
        "per_image_binarized",
        "per_image_binarized_at_image_size",
        "per_image_post_processing",
        "per_image_post_processing_at_image_size",
        "per_image_points",
        *NEEDS,
        "blocks/decode",
        "grown",
        *(f"blocks/{stage}" for stage in ("points", "synaptic_sites", "grown", *OF_OBJECTS)),
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
                "joined",
                "changed",
                "instance_merging",
                *OF_OBJECTS,
            )
        ),
        "per_image_instances",
        "per_image_instances_at_image_size",
        "per_image_post_processing",
        "per_image_post_processing_at_image_size",
    ),
    "evaluate": (
        "blocks/overlaps",
        "blocks/overlaps_post-proc",
        "instance_associations",
        "point_associations",
        "all_points.csv",
        "overlays",
        "test_results_metrics.csv",
        "summary.json",
        "class_metrics.csv",
        "class_metrics_post-proc.csv",
    ),
}
ORDER = tuple(READERS)
# In place of the name of an image, for phases that see all of them together.
WHOLE = "all_images"
BEGINNINGS = (PER_IMAGE, FULL_IMAGE)


def open_run(config: Config) -> Run:
    """The folders of a configuration's run; makes them and proves that they can be written.

    Raises
    ------
    ResourceError : a folder cannot be made or written
    """
    run = run_of(config)
    forget_versions()
    refuse_links(run.root, (run.config_file.parent, run.checkpoints, run.results))
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
            where=error.filename or run.root,
            fix="give another folder with --out, or free the space",
        ) from error
    return run


def claim(run: Run, phase: str, config: Config, upstream: str | Mapping[str, Any] = "") -> str:
    """Enter a phase: fresh, or a continuation of the same one; return its digest.

    Parameters
    ----------
    run, phase, config : which phase of which run, with which values
    upstream : what the phase reads beside the configuration: a digest of the phase before, or the
        versions of its inputs by names that a user understands

    Returns
    -------
    digest of all that decides the phase's result

    Raises
    ------
    ConfigError : results made with other values lie there, and overwriting was not asked for
    InputError : the manifest of these results is damaged, and overwriting was not asked for
    """
    values, path = values_of(phase, config, upstream), run.manifest(phase)
    if differs(run, phase, config, upstream):
        discard(run, ORDER[ORDER.index(phase) :])
    if not path.exists() or document(run, phase)["digest"] != digest(values):
        found = {"values": values, "digest": digest(values), "versions": versions()}
        write_sealed(path, found, shared=True)
    # Only now: a start that was refused leaves no trace.
    write_json(run.config_file, to_plain(config), shared=True)
    return digest(values)


def differs(run: Run, phase: str, config: Config, upstream: str | Mapping[str, Any] = "") -> bool:
    """Whether results made with other values lie there, which are to be overwritten.

    Parameters
    ----------
    run, phase, config, upstream : as for :func:`claim`

    Raises
    ------
    ConfigError : they lie there, and overwriting was not asked for
    InputError : their manifest is damaged, and overwriting was not asked for
    """
    values = values_of(phase, config, upstream)
    if not run.manifest(phase).exists():
        return False
    try:
        before = document(run, phase)["values"]
    except InputError:
        if not config.overwrite:
            raise
        return True
    changed = differing(before, values)
    if phase == "evaluate":
        # More or fewer images are evaluated anew; images that changed are not.
        both = before.keys() & values.keys()
        changed = [name for name in changed if name in both or not name.startswith(OF_IMAGES)]
    if not changed or (phase == "train" and extends(before, values, config)):
        return False
    if not config.overwrite:
        raise ConfigError(
            "this run already has results from a different configuration or other files; "
            f"{phase} differs in {_listed([MEANING.get(name, name) for name in changed])}",
            where=run.results,
            expected=before.get(changed[0]),
            found=values.get(changed[0]),
            fix="--run ANOTHER_NAME, or --overwrite, which moves the old ones to _trash",
        )
    return True


# Names of the versions of what is evaluated, before that of the image.
OF_IMAGES = ("image ", "labels ", "objects ", "points ", "synapses ", "found ")
# What a name in a manifest stands for, where it is not an option.
MEANING = {"upstream": "what the phase before made", "weights": "the trained network"}


def extends(before: Mapping[str, Any], now: Mapping[str, Any], config: Config) -> bool:
    """Whether a training of fewer epochs may go on with more, as the configuration asks for."""
    longer = before.get("train.epochs", 0) < now["train.epochs"]
    return config.train.extend and longer and differing(before, now) == ["train.epochs"]


def values_of(phase: str, config: Config, upstream: str | Mapping[str, Any] = "") -> dict[str, Any]:
    """All that decides the result of a phase, as JSON gives it back."""
    given = {"upstream": upstream} if isinstance(upstream, str) else dict(upstream)
    return json.loads(json.dumps(phase_values(phase, config) | given))


def digest_of(phase: str, config: Config, upstream: str | Mapping[str, Any] = "") -> str:
    """The digest that :func:`claim` gives."""
    return digest(values_of(phase, config, upstream))


def document(run: Run, phase: str) -> dict[str, Any]:
    """The manifest of a phase that was entered.

    Raises
    ------
    InputError : it is damaged
    """
    path = run.manifest(phase)
    fix = f"--phases {phase} --overwrite, which moves what it made to _trash"
    found = read_sealed(path, "manifest", fix=fix)
    if not isinstance(found.get("values"), dict) or digest(found["values"]) != found.get("digest"):
        raise InputError("not a manifest", where=path, fix=fix)
    return found


def phase_values(phase: str, config: Config) -> dict[str, Any]:
    """The options that decide the result of a phase, by dotted name, as plain data."""
    readers = READERS[phase]
    if phase == "predict" and config.predict.classes_only:
        readers = (*readers, "classes")
    return values_read(config, *readers)


def claimed(run: Run, phase: str) -> str:
    """The digest of a phase that was entered before, empty if it never was.

    Raises
    ------
    InputError : its manifest is damaged
    """
    return document(run, phase)["digest"] if run.manifest(phase).exists() else ""


def end(run: Run, phase: str) -> None:
    """Record that a phase that has no images of its own, or sees all together, came to its end."""
    if not is_over(run, phase):
        mark_done(run, phase, WHOLE, {"digest": claimed(run, phase)})


def is_over(run: Run, phase: str) -> bool:
    """Whether a phase came to its end as it was entered last."""
    found = marked(run, phase, WHOLE)
    return found is not None and found.get("digest") == claimed(run, phase)


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
            where=run.results,
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
    trash = dated(run.trash)
    for phase in phases:
        names = (*WRITES[phase], f"manifests/{phase}", f"manifests/{phase}.json")
        either = {name.replace(PER_IMAGE, images, 1) for name in names for images in BEGINNINGS}
        sources = [run.results / name for name in sorted(either)]
        sources += [run.checkpoints] if phase == "train" else []
        sources += [run.tuned] if phase == "tune" else []
        for source in (path for path in sources if path.exists()):
            target = trash / source.relative_to(run.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)
    run.checkpoints.mkdir(parents=True, exist_ok=True)


def versions() -> dict[str, str]:
    """Versions of what decides the numbers of a result."""
    from importlib.metadata import version

    names = ("jaxseg", "jax", "jaxlib", "flax", "optax", "numpy", "scikit-image", "zarr")
    return {name: version(name) for name in names} | {"cores": str(os.cpu_count())}
