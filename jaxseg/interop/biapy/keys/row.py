"""What one key of a configuration file of BiaPy means here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["exact", "approximated", "no effect", "refused"]
KINDS: tuple[Kind, ...] = ("exact", "approximated", "no effect", "refused")


class Given(NamedTuple):
    """A value of the file."""

    value: Any
    line: int
    written: str
    """The key as the file has it; an old one differs from the name in the table."""


# Says whether instances are objects or synapses.
KIND = "PROBLEM.INSTANCE_SEG.TYPE"


@dataclass(frozen=True)
class Job:
    """All options of a file by today's names: what it gives, and the defaults for the rest."""

    file: str
    given: Mapping[str, Given]
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def where(self, name: str) -> str:
        """Place of a key in the file, for messages."""
        found = self.given.get(name)
        return f"{self.file}:{found.line}: {found.written}" if found else f"{self.file}: {name}"

    @property
    def instances(self) -> bool:
        """Whether objects are told by channels of theirs."""
        return self["PROBLEM.TYPE"] == "INSTANCE_SEG" and not self.synapses

    @property
    def synapses(self) -> bool:
        """Whether pairs of synaptic sites are found, which is a type of instances there."""
        return self["PROBLEM.TYPE"] == "INSTANCE_SEG" and self[KIND] == "synapses"

    @property
    def detection(self) -> bool:
        """Whether points are found."""
        return self["PROBLEM.TYPE"] == "DETECTION"

    @property
    def counted(self) -> bool:
        """Whether objects or points are found, not classes of voxels."""
        return self.instances or self.detection or self.synapses

    @property
    def objects(self) -> bool:
        """Whether objects are made, of channels or around points."""
        return self.instances or (
            self.detection and bool(self["TEST.POST_PROCESSING.DET_WATERSHED"])
        )

    @property
    def ndim(self) -> int:
        """Dimensions of an image."""
        return 3 if self["PROBLEM.NDIM"] == "3D" else 2

    @property
    def architecture(self) -> str:
        """Name of the network."""
        return str(self["MODEL.ARCHITECTURE"])

    def off(self, need: str) -> str:
        """Why something that needs this has no effect; empty = it has.

        A need is ``instances``, ``synapses``, ``channels`` of either, ``detection``, ``points`` of
        the last or of synapses, ``objects``, ``training``, ``testing``, ``3D``, or a key that must
        be true.
        """
        if need in CONDITIONS:
            key, holds = CONDITIONS[need]
            key = KIND if self.synapses and key == "PROBLEM.TYPE" else key
            return "" if holds(self) else f"{key} is {_said(self[key])}"
        return "" if self[need] else f"{need} is {_said(self[need])}"


# Words for what a key may need, with the key that decides.
CONDITIONS: Mapping[str, tuple[str, Callable[[Job], bool]]] = {
    "instances": ("PROBLEM.TYPE", lambda job: job.instances),
    "synapses": (KIND, lambda job: job.synapses),
    "channels": ("PROBLEM.TYPE", lambda job: job.instances or job.synapses),
    "points": ("PROBLEM.TYPE", lambda job: job.detection or job.synapses),
    "detection": ("PROBLEM.TYPE", lambda job: job.detection),
    "objects": ("PROBLEM.TYPE", lambda job: job.objects),
    "training": ("TRAIN.ENABLE", lambda job: bool(job["TRAIN.ENABLE"])),
    "testing": ("TEST.ENABLE", lambda job: bool(job["TEST.ENABLE"])),
    "3D": ("PROBLEM.NDIM", lambda job: job.ndim == 3),
}
# What these decide is translated all the same, for a later start with another phase.
PHASES = ("training", "testing")


def _said(value: Any) -> str:
    return "off" if value is False else str(value) if value != "" else "empty"


class Verdict(NamedTuple):
    """What becomes of a value."""

    kind: Kind
    becomes: str = ""
    """Field of our configuration, dotted; or several."""
    note: str = ""
    """How it is approximated, or why it has no effect or is refused."""


Judge = Callable[[Any, Job], Verdict | None]


class Key(NamedTuple):
    """One row of the table."""

    name: str
    default: Any = None
    becomes: str = ""
    kind: Kind = "exact"
    note: str = ""
    take: Callable[[Any], Any] | None = None
    """The value as the field ``becomes`` has it; None = a function of the section sets it."""
    needs: tuple[str, ...] = ()
    """See :meth:`Job.off`; while one of them is off, the key has no effect."""
    judge: Judge | None = None
    """The verdict on values that need their own; None from it = as the row says."""
    now: str = ""
    """Today's name of an old key."""
    convert: Callable[[Any], Any] | None = None
    """A value, or that of an old key, as today's key has it."""
    implies: Mapping[str, Any] = {}
    """What an old key says besides, where the file does not."""
    says: Callable[[Any], Mapping[str, Any]] | None = None
    """What a value says besides."""


def verdict(key: Key, job: Job) -> Verdict:
    """What becomes of the value that a job has for a key."""
    value = job[key.name]
    own = key.judge(value, job) if key.judge else None
    found = own or Verdict(key.kind, key.becomes, key.note)
    if found.kind == "refused" and value == key.default and own is None:
        found = Verdict("no effect", "", "it is the default")
    for need in key.needs:
        reason = job.off(need)
        if reason and (found.kind == "refused" or need not in PHASES):
            return Verdict("no effect", "", reason)
    return found


def same(value: Any) -> Any:
    """A value that our field has as it is; lists and tuples are one to it."""
    return value


def exact(name: str, default: Any, becomes: str, take: Any = None, **more: Any) -> Key:
    """A key whose whole meaning is in our fields."""
    return Key(name, default, becomes, "exact", take=take, **more)


def approximated(
    name: str, default: Any, becomes: str, note: str, take: Any = None, **more: Any
) -> Key:
    """A key whose meaning is nearly in our fields."""
    return Key(name, default, becomes, "approximated", note, take=take, **more)


def nothing(name: str, default: Any, why: str, **more: Any) -> Key:
    """A key that changes no result here."""
    return Key(name, default, kind="no effect", note=why, **more)


def refused(name: str, default: Any, why: str, **more: Any) -> Key:
    """A key of which only the default can be had."""
    return Key(name, default, kind="refused", note=why, **more)


def old(
    name: str,
    now: str,
    convert: Callable[[Any], Any] | None = None,
    implies: Mapping[str, Any] | None = None,
) -> Key:
    """An old name of a key."""
    return Key(name, now=now, convert=convert, implies=implies or {})


def many(make: Callable[..., Key], prefix: str, defaults: Mapping[str, Any], *args: Any,
         **more: Any) -> tuple[Key, ...]:  # fmt: skip
    """Rows that differ in the last words of their names and in their defaults."""
    return tuple(
        make(f"{prefix}{name}", default, *args, **more) for name, default in defaults.items()
    )


def switched(prefix: str, defaults: Mapping[str, Any], why: str, **more: Any) -> tuple[Key, ...]:
    """A refused feature: its switch, the first of the names, and its options."""
    first, *rest = defaults
    needs = (*more.pop("needs", ()), prefix + first)
    return (
        refused(prefix + first, defaults[first], why, needs=needs[:-1], **more),
        *(nothing(prefix + name, defaults[name], f"{prefix}{first} decides", needs=needs)
          for name in rest),
    )  # fmt: skip


def only(values: tuple[Any, ...], why: str) -> Judge:
    """A judge that refuses all but some values."""

    def judge(value: Any, job: Job) -> Verdict | None:
        del job
        return None if value in values else Verdict("refused", "", why)

    return judge
