r"""YAML as people write it, read without running anything, and within bounds.

Beyond YAML 1.1 this reads tuples as ``(256, 256, 1)``, numbers as ``1e-4``, the minus sign of
typeset documents (U+2212), tabs as indentation, dotted keys (``FILTER.PROPS: x`` is ``FILTER:
{PROPS: x}``) and Windows paths in double quotes. What was not plain YAML is listed in ``notices``.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from jaxseg.errors import ConfigError, raise_all

# A configuration has some hundred lines; these are far beyond one, and far below what hurts.
MOST_BYTES, MOST_NODES, MOST_DEPTH, MOST_ALIASES = 256 * 1024, 20_000, 20, 100
MINUS = "\N{MINUS SIGN}"
NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")
# A Windows path in double quotes, where YAML reads "\t" as a tabulator.
WINDOWS = re.compile(r'"([A-Za-z]:\\[^"\n]*)"')
PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map", "value")
}


class Entry(NamedTuple):
    """A value and the line of the file that it stands in, counted from 1."""

    value: Any
    line: int


class Document(NamedTuple):
    """What a YAML file says."""

    file: str
    entries: dict[str, Entry]
    """By dotted key, in the order of the file; a value is plain: no mapping but inside of lists."""
    notices: tuple[str, ...]
    """What was read although it is no plain YAML, each with its line."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The outermost keys, in the order of the file."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in self.entries))

    def nested(self) -> dict[str, Any]:
        """The values as mappings within mappings."""
        result: dict[str, Any] = {}
        for name, entry in self.entries.items():
            *outer, last = name.split(".")
            place = result
            for part in outer:
                place = place.setdefault(part, {})
            place[last] = entry.value
        return result


def read_yaml(path: str | Path) -> Document:
    """The values of a YAML file by dotted key.

    Raises
    ------
    ConfigError : not readable as text or YAML, too large or too deep, a key given twice, a tag that
        asks for a Python object; all that is wrong with keys and values is listed at once
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ConfigError(
                "too large for a configuration",
                where=path,
                expected=f"at most {MOST_BYTES:,} bytes",
                found=f"{size:,}",
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"not readable as text: {error}", where=path) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, file: str = "YAML") -> Document:
    r"""The same for a text.

    >>> parse_yaml("DATA:\n  PATCH_SIZE: (64, 64, 1)\nTRAIN.LR: 1e-4").nested()
    {'DATA': {'PATCH_SIZE': [64, 64, 1]}, 'TRAIN': {'LR': 0.0001}}
    """
    notices: list[str] = []
    text = _straightened(text, notices)
    try:
        _check_bounds(text, file)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _not_yaml(error, file) from error
    if root is None:
        raise ConfigError("the file is empty", where=file)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("no keys and values", where=file, expected="KEY: value")
    reader = _Reader(file, notices)
    reader.mapping(root, "")
    raise_all(reader.problems)
    return Document(file, reader.entries, tuple(dict.fromkeys(notices)))


class _Reader:
    """One walk over the nodes of a document."""

    def __init__(self, file: str, notices: list[str]) -> None:
        self.file, self.notices = file, notices
        self.entries: dict[str, Entry] = {}
        self.problems: list[ConfigError] = []
        self.nodes = self.depth = 0

    def problem(self, what: str, node: yaml.Node, **sides: Any) -> None:
        self.problems.append(ConfigError(what, where=f"{self.file}:{_line(node)}", **sides))

    def mapping(self, node: yaml.MappingNode, prefix: str) -> None:
        """Add the leaves of a mapping; a key given twice with two values is a problem."""
        for key, value in self.pairs(node):
            name = f"{prefix}{key}"
            if isinstance(value, yaml.MappingNode) and value.value:
                with self.inside(value):
                    self.mapping(value, name + ".")
                continue
            entry = Entry(self.value(value), _line(value))
            before = self.entries.get(name)
            if before is None:
                self.entries[name] = entry
            elif before.value == entry.value:
                lines = f"lines {before.line} and {entry.line}"
                self.notices.append(f"{lines}: {name} is given twice, with the same value")
            else:
                self.problem(
                    f"{name} is given twice",
                    value,
                    expected="one of them",
                    found=f"{before.value!r} in line {before.line}, "
                    f"{entry.value!r} in line {entry.line}",
                )

    def pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        """Keys, which must be words, and their nodes."""
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                self.problem("a key that is no word", key, expected="KEY: value")
                continue
            yield key.value.strip().strip("."), value

    @contextlib.contextmanager
    def inside(self, node: yaml.Node) -> Iterator[None]:
        """Count a node: aliases repeat what the file holds once, and may even hold themselves."""
        self.nodes, self.depth = self.nodes + 1, self.depth + 1
        if self.nodes > MOST_NODES or self.depth > MOST_DEPTH:
            raise ConfigError(
                "too many values",
                where=f"{self.file}:{_line(node)}",
                expected=f"at most {MOST_NODES:,} in {MOST_DEPTH} levels",
            )
        yield
        self.depth -= 1

    def value(self, node: yaml.Node) -> Any:
        """A node as plain data."""
        with self.inside(node):
            return self.plain(node)

    def plain(self, node: yaml.Node) -> Any:
        if node.tag not in PLAIN_TAGS:
            self.problem("a tag is not read", node, expected="plain values", found=node.tag)
            return None
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Any] = {}
            for key, inner in self.pairs(node):
                if key in found:
                    self.problem(f"{key} is given twice", inner, expected="one of them")
                found[key] = self.value(inner)
            return found
        return self.scalar(node)

    def scalar(self, node: yaml.ScalarNode) -> Any:
        """A single value; a text that is written like a number or a tuple is one."""
        text = node.value.strip()
        if node.tag.endswith(("null", "bool", "int", "float")):
            try:
                return yaml.SafeLoader("").construct_object(node)
            except (ValueError, OverflowError):
                self.problem("not a number", node, found=text[:40])
                return None
        if text.startswith("(") != text.endswith(")"):
            self.problem(
                "a tuple is cut in two",
                node,
                found=text[:40],
                fix="write [1, 2] inside of brackets",
            )
            return None
        plain = node.style is None
        if MINUS in text and _number(text.replace(MINUS, "-")) is not None:
            self.notices.append(f"line {_line(node)}: {text!r} is read with a minus sign")
            text, plain = text.replace(MINUS, "-"), True
        if text.startswith("("):
            return self.tuple(text, node)
        number = _number(text) if plain else None
        return node.value if number is None else number

    def tuple(self, text: str, node: yaml.ScalarNode) -> Any:
        """The values of a tuple that is written as Python writes it."""
        if MINUS in text:
            self.notices.append(f"line {_line(node)}: {text!r} is read with minus signs")
        try:
            found = ast.literal_eval(text.replace(MINUS, "-"))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            self.problem("not a tuple of values", node, found=text[:40])
            return None
        return _listed(found if isinstance(found, tuple) else (found,))


def _listed(value: Any) -> Any:
    """Tuples as lists, as everything else in a document is."""
    return [_listed(item) for item in value] if isinstance(value, (tuple, list)) else value


def _number(text: str) -> int | float | None:
    """The number that a text is, or None.

    >>> _number("1e-4"), _number("12"), _number("1.2.3"), _number("-5.")
    (0.0001, 12, None, -5.0)
    """
    if len(text) > 40 or not NUMBER.fullmatch(text):
        return None
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _straightened(text: str, notices: list[str]) -> str:
    """The text without tabs before words, and with Windows paths as they were meant."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent and line.strip():
            notices.append(f"line {number}: a tab is read as two spaces")
            line = indent.replace("\t", "  ") + line.lstrip()
        for path in WINDOWS.findall(line):
            if "\\\\" not in path:
                notices.append(f"line {number}: the backslashes of {path} are read as they stand")
                line = line.replace(path, path.replace("\\", "\\\\"))
        lines[number - 1] = line
    return "\n".join(lines)


def _check_bounds(text: str, file: str) -> None:
    """Refuse what would take long, before anything is built of it."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MOST_DEPTH or aliases > MOST_ALIASES:
            line = event.start_mark.line + 1
            raise ConfigError(
                "too deep or too many aliases",
                where=f"{file}:{line}",
                expected=f"at most {MOST_DEPTH} levels and {MOST_ALIASES} aliases",
            )


def _not_yaml(error: yaml.YAMLError, file: str) -> ConfigError:
    """What the parser says, in one line with its place."""
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = file if mark is None else f"{file}:{mark.line + 1}"
    escape = "escape" in reason
    fix = "write paths with backslashes in single quotes" if escape else ""
    return ConfigError(f"not YAML: {reason}", where=where, fix=fix)
