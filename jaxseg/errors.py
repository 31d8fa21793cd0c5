"""Errors a user can act on: what went wrong, in which file, expected, found, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable


class JaxsegError(Exception):
    """A problem the user can act on; its text is at most three lines.

    Parameters
    ----------
    what : the problem in one sentence
    where : path or field it concerns
    expected, found : the two sides of a mismatch
    fix : what to do about it

    >>> print(JaxsegError("images and labels differ in size", where="a.tif",
    ...                   expected="(64, 64)", found="(64, 32)", fix="crop the labels"))
    a.tif: images and labels differ in size
      expected (64, 64); found (64, 32)
      fix: crop the labels
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        expected: object = "",
        found: object = "",
        fix: str = "",
    ) -> None:
        self.what, self.where, self.fix = what, str(where), fix
        self.expected, self.found = str(expected), str(found)
        super().__init__(self._text())

    def _text(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        sides = [f"expected {self.expected}"] if self.expected else []
        sides += [f"found {self.found}"] if self.found else []
        lines = [head]
        lines += ["  " + "; ".join(sides)] if sides else []
        lines += [f"  fix: {self.fix}"] if self.fix else []
        return "\n".join(lines)


class ConfigError(JaxsegError):
    """A configuration or a request that cannot be carried out, or a refusal to overwrite."""

    exit_code = 2


class NonFiniteError(JaxsegError):
    """A loss or gradient that is not a finite number."""

    exit_code = 3


class ResourceError(JaxsegError):
    """Too little memory or disk space, or a folder that cannot be written."""

    exit_code = 4


class InputError(JaxsegError):
    """A file that is missing, damaged, unpaired, or not what it should be."""

    exit_code = 5


class Interrupted(JaxsegError):
    """The run was asked to stop; starting it again continues where it stopped."""

    exit_code = 75


class Problems(JaxsegError):
    """Several problems found together, reported at once; of very many the first ones.

    The exit code is that of the first problem.
    """

    most = 40

    def __init__(self, problems: Iterable[JaxsegError]) -> None:
        self.problems = tuple(problems)
        self.exit_code = self.problems[0].exit_code if self.problems else 1
        lines = [str(problem) for problem in self.problems[: self.most]]
        more = len(self.problems) - self.most
        super().__init__("\n".join([*lines, *([f"and {more} more problems"] if more > 0 else [])]))


def raise_all(problems: Iterable[JaxsegError]) -> None:
    """Raise the problems as one error; do nothing when there is none."""
    found = tuple(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        raise Problems(found)


class JaxsegWarning(UserWarning):
    """Something in the data that the user should know, though the result stands."""
