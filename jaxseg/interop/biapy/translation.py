"""A configuration file of BiaPy as ours: every key is translated, or named with the reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jaxseg.config.load import from_plain
from jaxseg.config.option import shown
from jaxseg.config.schema import Config
from jaxseg.config.yaml_file import Document
from jaxseg.errors import ConfigError, JaxsegError, Problems, raise_all
from jaxseg.interop.biapy.keys import (
    OTHER_WORKFLOWS,
    SECTIONS,
    SETTINGS,
    TABLE,
    Given,
    Job,
    Verdict,
    verdict,
)
from jaxseg.interop.biapy.keys.problem import TASKS
from jaxseg.interop.biapy.values import fitted

# Keys whose value is a mapping.
MAPPINGS = ("PROBLEM.INSTANCE_SEG.DATA_CHANNELS_EXTRA_OPTS",)


class Row(NamedTuple):
    """One line of the report."""

    key: str
    """As the file has it."""
    value: Any
    verdict: Verdict
    line: int


class Translation(NamedTuple):
    """What becomes of a file."""

    file: str
    rows: tuple[Row, ...]
    notices: tuple[str, ...]
    problems: tuple[JaxsegError, ...]
    """Why it cannot run; empty = it can."""
    settings: Mapping[str, Any]
    """Fields of our configuration, dotted, with plain values."""

    def config(self) -> Config:
        """The configuration.

        Raises
        ------
        ConfigError : a key is unknown or refused; all of them are named
        """
        raise_all(self.problems)
        return from_plain(nested(self.settings), self.file)

    def count(self, kind: str) -> int:
        """Number of the keys of one kind."""
        return sum(row.verdict.kind == kind for row in self.rows)


def is_foreign(document: Document) -> bool:
    """Whether a file has the sections of BiaPy, which are in capitals.

    Raises
    ------
    ConfigError : it has sections of both kinds, or of neither
    """
    theirs = [name for name in document.sections if name in SECTIONS]
    if theirs and len(theirs) < len(document.sections):
        others = [name for name in document.sections if name not in SECTIONS]
        near = difflib.get_close_matches(others[0].upper(), sorted(SECTIONS), n=1)
        raise ConfigError(
            f"unknown section {others[0]}" + (f"; did you mean {near[0]!r}?" if near else ""),
            where=document.file,
            expected="one of " + ", ".join(sorted(SECTIONS)),
        )
    return bool(theirs)


def translate(document: Document) -> Translation:
    r"""What becomes of every key of a file of BiaPy.

    Parameters
    ----------
    document : see :func:`jaxseg.config.yaml_file.read_yaml`

    Returns
    -------
    Translation, also where there are problems

    >>> from jaxseg.config.yaml_file import parse_yaml
    >>> found = translate(parse_yaml("PROBLEM: {TYPE: SEMANTIC_SEG, NDIM: 2D}\nSYSTEM.SEED: 7"))
    >>> found.settings["task"], found.settings["seed"], found.problems
    ('semantic', 7, ())
    """
    written = _folded(document)
    given, problems = _given(written, document.file)
    values = {name: key.default for name, key in TABLE.items() if not key.now}
    job = Job(document.file, given, values | {name: entry.value for name, entry in given.items()})
    task = job["PROBLEM.TYPE"]
    if task not in TASKS:
        near = difflib.get_close_matches(str(task), TASKS, n=1)
        fix = f"did you mean {near[0]}?" if near else ""
        other = ConfigError(
            f"workflow {task} is not offered",
            where=job.where("PROBLEM.TYPE"),
            expected="one of " + ", ".join(TASKS),
            fix=fix,
        )
        return Translation(document.file, (), document.notices, (*problems, other), {})
    rows: list[Row] = []
    refused: list[str] = []
    for name, entry in given.items():
        try:
            found = verdict(TABLE[name], job)
        except ConfigError as error:
            problems.append(error)
            continue
        if name in (entry.written, TABLE[entry.written].now):  # else it is implied by that key
            rows.append(Row(entry.written, written[entry.written].value, found, entry.line))
        if found.kind == "refused":
            refused.append(name)
            problems.append(
                ConfigError(f"refused: {found.note}", where=job.where(name), found=entry.value)
            )
    rows += _elsewhere(document)
    rows.sort(key=lambda row: row.line)
    settings, wrong = _settings(_without(job, refused))
    problems += [problem for problem in wrong if str(problem) not in map(str, problems)]
    return Translation(document.file, tuple(rows), document.notices, tuple(problems), settings)


def _without(job: Job, refused: Iterable[str]) -> Job:
    """A job whose refused values are the defaults, so that each is said once."""
    return Job(
        job.file,
        {name: entry for name, entry in job.given.items() if name not in refused},
        {**job.values, **{name: TABLE[name].default for name in refused}},
    )


def _elsewhere(document: Document) -> Iterable[Row]:
    """Keys of other workflows."""
    for name, entry in document.entries.items():
        if name not in TABLE and name.startswith(OTHER_WORKFLOWS):
            found = Verdict("no effect", "", "of another workflow")
            yield Row(name, entry.value, found, entry.line)


def _given(written: Mapping[str, Given], file: str) -> tuple[dict[str, Given], list[JaxsegError]]:
    """The keys of a file by today's names, with values of the right types."""
    found: dict[str, Given] = {}
    problems: list[JaxsegError] = []
    for name, entry in written.items():
        where = f"{file}:{entry.line}: {name}"
        if name not in TABLE:
            if not (name.startswith(OTHER_WORKFLOWS) or _is_empty(name, entry.value)):
                problems.append(_unknown(name, where))
            continue
        key = TABLE[name]
        now, value = key.now or name, entry.value
        try:
            value = fitted(key.convert(value) if key.convert else value, TABLE[now])
        except (TypeError, ValueError) as error:
            problems.append(ConfigError(str(error), where=where, found=shown(entry.value)))
            continue
        before = found.get(now)
        if before is not None and before.value != value:
            other = f"{before.written} in line {before.line} says otherwise"
            problems.append(ConfigError(other, where=where, expected=before.value, found=value))
        else:
            found[now] = Given(value, entry.line, name)
        besides = key.says(entry.value) if key.says else {}
        for other, implied in {**key.implies, **besides}.items():
            found.setdefault(other, Given(implied, entry.line, name))
    return found, problems


def _folded(document: Document) -> dict[str, Given]:
    """The entries, with those below a key whose value is a mapping as that mapping."""
    found: dict[str, Given] = {}
    for name, entry in document.entries.items():
        outer = next((key for key in MAPPINGS if name.startswith(key + ".")), "")
        if not outer:
            found[name] = Given(entry.value, entry.line, name)
            continue
        whole = found.setdefault(outer, Given({}, entry.line, outer))
        *path, last = name[len(outer) + 1 :].split(".")
        place = whole.value
        for part in path:
            place = place.setdefault(part, {})
        place[last] = entry.value
    return found


def _is_empty(name: str, value: Any) -> bool:
    """Whether this is a section without anything in it."""
    return value in (None, {}) and any(key.startswith(name + ".") for key in TABLE)


def _unknown(name: str, where: str) -> ConfigError:
    """The error for a key that nobody knows, with the nearest one."""
    near = difflib.get_close_matches(name, TABLE, n=1, cutoff=0.6)
    if not near:
        last = {key.rpartition(".")[2]: key for key in TABLE}
        near = [
            last[word] for word in difflib.get_close_matches(name.rpartition(".")[2], last, n=1)
        ]
    return ConfigError("unknown key", where=where, fix=f"did you mean {near[0]}?" if near else "")


def _settings(job: Job) -> tuple[dict[str, Any], list[JaxsegError]]:
    """Fields of our configuration, and why some cannot be had."""
    found: dict[str, Any] = {}
    problems: list[JaxsegError] = []
    for key in TABLE.values():
        if key.take and not key.becomes.startswith(DECODED):
            found[key.becomes] = key.take(job[key.name])
    for section in SETTINGS:
        try:
            found |= section(job)
        except Problems as error:
            problems += error.problems
        except JaxsegError as error:
            problems.append(error)
    return found, problems


# Options of a decoder are set for the decoder that is used.
DECODED = ("watershed.", "stardist.", "embedseg.", "agglomeration.", "mutex.", "flow.")


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as mappings within mappings.

    >>> nested({"train.lr": 0.1, "seed": 0})
    {'train': {'lr': 0.1}, 'seed': 0}
    """
    result: dict[str, Any] = {}
    for name, value in settings.items():
        *outer, last = name.split(".")
        place = result
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return result
