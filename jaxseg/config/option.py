"""Options: what is true of a field of a configuration stands at the field.

A section of a configuration is a frozen dataclass whose fields are options: a default, limits, what
reads it, and an attribute docstring, which ``--help`` and editors show.

```python
@section
class StarDist:
    nms_threshold: float = option(0.4, SHARE, read_by=("create",))
    \"\"\"Of two objects that share more than this part of the smaller, keep the better.\"\"\"
```
One walk over the fields, :func:`problems`, checks types and limits of a configuration file, a saved
JSON, a command line and the options that a notebook gives to a function. What must hold between
the fields of one section is its method ``problems(where)``; what must hold between sections is in
:mod:`jaxseg.config.rules`.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import itertools
import math
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from jaxseg.config.limits import Limit
from jaxseg.errors import ConfigError, raise_all

T = TypeVar("T")
# What reads an option; None = as the option whose section this is.
Readers = tuple[str, ...] | None
NOTHING: tuple[str, ...] = ()

# No list or text of a configuration is longer, and no whole number is larger.
MOST_VALUES, MOST_LETTERS, LARGEST = 100_000, 32_768, 2**63 - 1


@overload
def section(kind: type[T], /) -> type[T]: ...
@overload
def section(*, kw_only: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(kind: Any = None, /, *, kw_only: bool = True) -> Any:
    """A class as a section of a configuration: a frozen dataclass, its fields given by name."""
    make = dataclasses.dataclass(frozen=True, kw_only=kw_only)
    return make if kind is None else make(kind)


def option(
    default: T,
    *limits: Limit,
    read_by: Readers = None,
    kw_only: bool | None = None,
) -> T:
    """A field of a section.

    Parameters
    ----------
    default : T
        Its value where none is given; a section stands for itself.
    *limits : Limit
        All of them must allow a value.
    read_by : tuple of str, optional
        What reads the option, so that its result is another one with another value; ``()`` where
        no result depends on it. None = as the option whose section this is.
    kw_only : bool, optional
        Given by name only, in a section whose other options are not.
    """
    metadata = {"limits": limits, "read_by": read_by}
    given = {} if kw_only is None else {"kw_only": kw_only}
    return dataclasses.field(default=default, metadata=metadata, **given)  # type: ignore


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of one option."""

    name: str
    hint: Any
    default: Any
    limits: tuple[Limit, ...]
    read_by: Readers


@functools.cache
def options_of(kind: Any) -> tuple[Option, ...]:
    """The options of a section, in their order; any dataclass is one, perhaps without limits."""
    hints = _hints(kind)
    return tuple(
        Option(
            field.name,
            bare(hints[field.name]),
            field.default,
            field.metadata.get("limits", ()),
            field.metadata.get("read_by"),
        )
        for field in dataclasses.fields(kind)
    )


def _hints(kind: type) -> Mapping[str, Any]:
    """Annotations of a dataclass; Any where a name in them is known only inside a function."""
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError:
        names = [field.name for field in dataclasses.fields(kind)]
        return dict.fromkeys(names, Any)


def bare(hint: Any) -> Any:
    """An annotation without the notes for the command line."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


@functools.cache
def docs_of(kind: Any) -> Mapping[str, str]:
    """The docstrings of the options of a section, each as one line, inherited ones too."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                found[ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return found


# ------------------------------------------------------------------------------- checking


class Misfit(ConfigError):
    """A value of another type than its option."""


def checked(options: T | None, kind: type[T], where: str = "") -> T:
    """Options as a function was given them, or the defaults, refused if they are illegal.

    Parameters
    ----------
    options : a section, e.g. ``StarDist(nms_threshold=0.3)``; None = the defaults
    kind : its class
    where : str
        Its name in messages; by default that of its class.

    Raises
    ------
    ConfigError
        All that is wrong with the options by themselves.

    Examples
    --------
    >>> from jaxseg.config import StarDist
    >>> checked(StarDist(nms_threshold=7), StarDist)
    Traceback (most recent call last):
    jaxseg.errors.ConfigError: StarDist.nms_threshold: value out of range
      expected above 0 and at most 1; found 7
    """
    if options is None:
        return kind()
    raise_all(problems(options, where or kind.__name__, kind))
    return options


def checked_each(options: Iterable[T], kind: type[T], where: str = "") -> tuple[T, ...]:
    """Several sections as a function was given them, refused if any is illegal.

    Parameters
    ----------
    options, kind, where : as for :func:`checked`

    Raises
    ------
    ConfigError
        All that is wrong with them.
    """
    given = tuple(options)
    name = where or kind.__name__
    raise_all(
        problem
        for number, one in enumerate(given)
        for problem in problems(one, f"{name}.{number}", kind)
    )
    return given


def problems(value: Any, where: str = "", hint: Any = None) -> Iterator[ConfigError]:
    """All that is wrong with a section by itself: types, limits, and its own fields together.

    Parameters
    ----------
    value : a section
    where : the dotted name of its field
    hint : the annotation that it must fit; None = its own class
    """
    hint = bare(hint if hint is not None else type(value))
    if _is_section(hint):
        yield from _section_problems(value, hint, where)
    elif get_origin(hint) in (Union, types.UnionType):
        if not any(_fits(value, option) for option in get_args(hint)):
            yield _illegal(value, hint, where)
        elif _is_section(type(value)):
            yield from _section_problems(value, type(value), where)
    elif get_origin(hint) is tuple:
        yield from _tuple_problems(value, hint, where)
    elif not _fits(value, hint):
        yield _illegal(value, hint, where)


def _section_problems(value: Any, hint: Any, where: str) -> Iterator[ConfigError]:
    if not isinstance(value, hint):
        yield _illegal(value, hint, where)
        return
    misfit, kind = False, value.__class__
    for one in options_of(kind):
        for problem in _option_problems(getattr(value, one.name), one, join(where, one.name)):
            misfit |= isinstance(problem, Misfit)
            yield problem
    # A row of a user's own may have a field of that name.
    fields = {one.name for one in options_of(kind)}
    if not misfit and hasattr(value, "problems") and "problems" not in fields:
        yield from value.problems(where)


def _option_problems(value: Any, one: Option, where: str) -> Iterator[ConfigError]:
    wrong = list(problems(value, where, one.hint))
    yield from wrong
    if any(isinstance(problem, Misfit) for problem in wrong):
        return
    broken = [limit.text for limit in one.limits if not limit.allows(value)]
    if broken or not _is_finite(value):
        expected = " and ".join(broken) or "a finite number"
        yield ConfigError("value out of range", where=where, expected=expected, found=shown(value))


def _tuple_problems(value: Any, hint: Any, where: str) -> Iterator[ConfigError]:
    kinds = get_args(hint)
    repeated = kinds[-1] is Ellipsis
    if not isinstance(value, tuple):
        yield Misfit("illegal value", where=where, expected="a tuple", found=shown(value))
    elif not repeated and len(kinds) != len(value):
        expected = f"{len(kinds)} values"
        yield Misfit("illegal value", where=where, expected=expected, found=shown(value))
    elif len(value) > MOST_VALUES:
        expected = f"at most {MOST_VALUES} values"
        yield Misfit("illegal value", where=where, expected=expected, found=len(value))
    else:
        for index, item in enumerate(value):
            yield from problems(item, f"{where}.{index}", kinds[0] if repeated else kinds[index])


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _fits(value: Any, hint: Any) -> bool:
    hint = bare(hint)
    if hint is Any:
        return True
    if get_origin(hint) is Literal:
        return any(value == legal and type(value) is type(legal) for legal in get_args(hint))
    if get_origin(hint) is tuple:
        return next(_tuple_problems(value, hint, ""), None) is None
    if hint in (int, float):
        return _is_number(value, whole=hint is int)
    if hint is str:
        return isinstance(value, str) and _is_text(value)
    if Callable in (hint, get_origin(hint)):
        return callable(value)
    return isinstance(value, hint)


def _is_number(value: Any, *, whole: bool) -> bool:
    """Whether a value is a number, a NumPy scalar too; bool is none."""
    return isinstance(value, Integral if whole else Real) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    """Whether every number in a value can be computed with."""
    if isinstance(value, tuple):
        return all(_is_finite(item) for item in value)
    if isinstance(value, Integral):
        return abs(int(value)) <= LARGEST
    return not isinstance(value, Real) or math.isfinite(value)


def _is_text(value: str) -> bool:
    """Whether text can stand in a path and in a file."""
    legal = len(value) <= MOST_LETTERS and "\0" not in value
    return legal and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _illegal(value: Any, hint: Any, where: str) -> ConfigError:
    return Misfit("illegal value", where=where, expected=_said(hint, value), found=shown(value))


def _said(hint: Any, value: Any = None) -> str:
    """An annotation in words."""
    hint = bare(hint)
    if get_origin(hint) is Literal:
        legal = [str(item) for item in get_args(hint)]
        return "one of " + ", ".join(legal) + nearest(str(value)[:100], legal)
    if Callable in (hint, get_origin(hint)):
        return "a function"
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_said(kind) for kind in get_args(hint))
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        repeated = kinds[-1] is Ellipsis
        return f"a tuple of {_said(kinds[0])}" if repeated else f"a tuple of {len(kinds)} values"
    words = {int: "a whole number", float: "a number", str: "text", bool: "True or False"}
    return words.get(hint) or str(getattr(hint, "__name__", hint))


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    try:
        text = repr(value)
    except Exception:  # the value is anything that a user has given
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 200 else text[:197] + "..."


def join(where: str, name: str) -> str:
    """The dotted name of an option."""
    return f"{where}.{name}" if where else name


def nearest(word: str, legal: Iterable[str]) -> str:
    """``'; did you mean X?'`` for the legal word nearest to a mistyped one, or an empty string."""
    match = difflib.get_close_matches(word, list(legal), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""


# --------------------------------------------------------------------------------- walking


def leaves(
    value: Any, where: str = "", read_by: Readers = None
) -> Iterator[tuple[str, Any, Readers]]:
    """All options that hold no section: dotted name, value, and what reads it.

    Parameters
    ----------
    value : a section
    where, read_by : of the option whose section this is
    """
    for one in options_of(value.__class__):
        inner, readers = getattr(value, one.name), one.read_by
        if readers is None:
            readers = read_by
        if _is_section(type(inner)):
            kind = type(inner)
            if kind not in (one.hint, *get_args(one.hint)):
                yield join(where, f"{one.name}.class"), kind, readers
            yield from leaves(inner, join(where, one.name), readers)
        else:
            yield join(where, one.name), inner, readers


def reads(value: Any, *readers: str) -> tuple[str, ...]:
    """Dotted names of the options of a section that any of some readers reads."""
    return tuple(name for name, _, by in leaves(value) if set(by or ()) & set(readers))
