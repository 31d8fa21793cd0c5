"""Which images a phase has finished, and from which version of what it read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxseg.config.load import differing
from jaxseg.errors import ConfigError, InputError, raise_all
from jaxseg.io import list_images, read_sealed, size_table, write_sealed
from jaxseg.io.artifacts import plain
from jaxseg.runs.fingerprint import fingerprint, input_version, input_versions

if TYPE_CHECKING:
    from jaxseg.config import Config
    from jaxseg.data import Sample
    from jaxseg.runs.layout import Run

# What a marker says of the files that were made.
OUTPUTS = "outputs"


def is_done(run: Run, phase: str, stem: str, state: Mapping[str, Any], outputs: list[Path]) -> bool:
    """Whether a phase finished this image from the same input and its outputs are still there.

    A damaged marker counts as none: the image is done again.

    Raises
    ------
    ConfigError : it was finished from another input, such as a file that changed since
    """
    before = marked(run, phase, stem)
    if before is None or not all(path.exists() for path in outputs):
        return False
    before.pop(OUTPUTS, None)
    if before == plain(dict(state)):
        return True
    changed = differing(before, plain(dict(state)))
    raise ConfigError(
        f"{phase} of {stem} was made from another version of its {', '.join(changed[:4])}",
        where=outputs[0],
        expected=before.get(changed[0]),
        found=state.get(changed[0]),
        fix=f"jaxseg verify {run.results} tells what is damaged; else --run ANOTHER_NAME, or "
        "remove this result",
    )


def marked(run: Run, phase: str, stem: str) -> dict[str, Any] | None:
    """What a phase noted about an image that it finished; None if it did not, or it is damaged."""
    try:
        return read_sealed(run.marker(phase, stem), "marker")
    except InputError:
        return None


def mark_done(
    run: Run, phase: str, stem: str, state: Mapping[str, Any], outputs: Sequence[Path] = ()
) -> None:
    """Record that a phase finished this image; to be called after its outputs are in place.

    Parameters
    ----------
    state : what they were made of, see :func:`is_done`
    outputs : below the results, to be compared by :func:`damaged_outputs`
    """
    made = {os.path.relpath(path, run.results): fingerprint(path) for path in outputs}
    write_sealed(run.marker(phase, stem), {**state, OUTPUTS: made}, shared=True)


def damaged_outputs(results: Path) -> Iterator[tuple[Path, list[str]]]:
    """What is wrong with the images that phases finished in a folder of results.

    Yields
    ------
    marker, and sentences about it and what it stands for; none if all is as it was written
    """
    for marker in sorted(results.glob("manifests/*/*.json")):
        try:
            made = read_sealed(marker, "marker").get(OUTPUTS, {})
        except InputError as error:
            yield marker, [error.what]
            continue
        wrong = []
        for name, before in made.items():
            path = results / name
            if not path.exists():
                wrong.append(f"{name} is missing")
            elif plain(fingerprint(path)) != before:
                wrong.append(f"{name} changed")
        yield marker, wrong


@contextmanager
def redone_if_damaged(run: Run, phase: str, stems: Sequence[str]) -> Iterator[None]:
    """Read results of a phase before; where they are damaged, the next start makes them again.

    Parameters
    ----------
    phase : which phase made them
    stems : of which images; of several, those of a stack, the path tells which is damaged

    Raises
    ------
    InputError : they are damaged; the marker of the image is gone
    """
    try:
        yield
    except InputError as error:
        place = Path(error.where)
        inside = run.results in place.parents
        named = [one for one in stems if run.planes(one) in (place, *place.parents)]
        # A single image need not be named by the error.
        if not inside or not (named or len(stems) == 1):
            raise
        stem = (named or stems)[0]
        if not run.marker(phase, stem).exists():
            raise
        run.marker(phase, stem).unlink(missing_ok=True)
        raise InputError(
            f"what {phase} made of {stem} is damaged; it counts as not done from now on",
            where=error.where,
            found=error.found,
            fix=f"run the same command again, {phase} included",
        ) from error


def training_inputs(samples: Mapping[str, Sequence[Sample]]) -> dict[str, str]:
    """The versions of all images and labels that a training reads, by names to tell a user.

    Parameters
    ----------
    samples : ``train`` and ``val``, opened
    """
    paths: dict[str, str] = {}
    seen = set()
    for part in ("train", "val"):
        for sample in samples.get(part, ()):
            kinds = {"image": sample.image, "labels": sample.labels, "classes": sample.classes}
            for kind, volume in kinds.items():
                if volume is not None and volume.path not in seen:
                    seen.add(volume.path)
                    paths[f"{part} {kind} {sample.name}"] = volume.path
    return input_versions(paths)


def reference_inputs(config: Config, *parts: str) -> dict[str, str]:
    """The versions of what is read beside the images, by names to tell a user.

    Parameters
    ----------
    config : of the run
    parts : train, val, test: whose images are read
    """
    place = config.preprocess.match_histogram
    paths = {f"reference image {path.name}": path for path in list_images(place)} if place else {}
    for part in parts if config.data.spacing_table else ():
        source = getattr(config.data, part).raw
        if source and (table := size_table(source)):
            paths[f"sizes of voxels of {part}"] = table
    return input_versions(paths)


def refuse_replaced(run: Run, images: Mapping[str, str]) -> None:
    """Refuse to go on with predictions of images that were replaced since.

    Parameters
    ----------
    images : names to paths

    Raises
    ------
    ConfigError : all of them
    """
    found = []
    for name, path in images.items():
        before = (marked(run, "predict", name) or {}).get("input")
        if before is not None and before != input_version(path):
            found.append(
                ConfigError(
                    "this image was replaced after it was predicted",
                    where=path,
                    expected=before,
                    found=input_version(path),
                    fix="--run ANOTHER_NAME, or remove what was made of it and predict it again",
                )
            )
    raise_all(found)
