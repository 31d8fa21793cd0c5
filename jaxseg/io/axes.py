"""Which axis of a stored array is which: from the file's metadata or from the user, never guessed.

A reader hands over one letter per stored axis: T, C, Z, Y, X, S for samples such as RGB, and
anything else where the file does not say. Only one reading of unnamed axes is accepted, the one
that cannot be otherwise: exactly as many axes as the image has dimensions, in the order that all
formats share, slowest first: (z)yx. So the pages of a plain multi-page TIFF are z planes in 3D,
and an error in 2D, where they could be channels, time points or single images.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxseg.errors import InputError
from jaxseg.volume import NEW

KNOWN = "TCZYX"
UNKNOWN = "?"
# An axis without a name of a file that may not keep the slowest axis first.
ASK = "!"
# What a person could mean by an array, by its number of axes more than the image has dimensions.
READINGS = {
    2: (("YX", "XY"), ("CYX", "YXC", "ZYX")),
    3: (("ZYX", "XYZ"), ("CZYX", "ZCYX", "ZYXC")),
}
MEANING = {"C": "channels", "Z": "planes", "Y": "rows", "X": "columns"}


def axis_order(
    shape: Sequence[int],
    letters: str,
    *,
    ndim: int,
    declared: str = "",
    channels: bool = True,
    classes: bool = False,
    file: str = "",
    option: str = "--data.axes",
) -> tuple[int, ...]:
    """The stored axis behind every axis of ``(z)yxc``, or ``(z)yx`` without channels.

    Parameters
    ----------
    shape : of the stored array
    letters : one per stored axis, from the metadata
    ndim : spatial dimensions of the image
    declared : axes according to the user; they override the metadata, and may leave out axes of
        length 1
    channels : whether the result ends in a channel axis, ``NEW`` where the file has none
    classes : the two channels are instances and classes, and must both be there
    file, option : named in errors

    Returns
    -------
    tuple of positions in ``shape``

    Raises
    ------
    InputError : axes that are unknown, contradictory, or do not fit ``ndim``

    >>> axis_order((2, 7, 8), "CYX", ndim=2)
    (1, 2, 0)
    """
    letters = normal(letters)
    if declared:
        letters = declare(shape, letters, declared, file, option)
    letters = name_plain(shape, letters, ndim)
    problem = misfit(shape, letters, ndim, channels)
    if classes and not problem:
        problem = no_classes(shape, letters)
    if problem:
        what, fix = problem
        raise InputError(
            what,
            where=file,
            expected=f"a {ndim}D {'image' if channels and not classes else 'label image'}",
            found=f"shape {tuple(shape)}, axes {letters.replace(ASK, UNKNOWN)}",
            fix=fix.format(option=option),
        )
    wanted = "ZYX"[-ndim:] + ("C" if channels else "")
    return tuple(letters.find(axis) if axis in letters else NEW for axis in wanted)


def normal(letters: str) -> str:
    """Metadata letters as known or unknown ones; S is the channel axis where there is no C.

    >>> normal("QYXS"), normal("XYX"), normal("!!")
    ('?YXC', '?YX', '!!')
    """
    letters = letters.upper()
    if "C" not in letters:
        letters = letters.replace("S", "C", 1)
    return "".join(
        letter
        if letter == ASK or (letter in KNOWN and letter not in letters[at + 1 :])
        else UNKNOWN
        for at, letter in enumerate(letters)
    )


def letter_of(name: object) -> str:
    """The letter of an axis that has a one-letter name.

    >>> letter_of("x"), letter_of("depth"), letter_of(None)
    ('X', '?', '?')
    """
    return name.upper() if isinstance(name, str) and len(name) == 1 and name != ASK else UNKNOWN


def declare(shape: Sequence[int], letters: str, declared: str, file: str, option: str) -> str:
    """Letters as the user gives them, for all stored axes."""
    given = normal(declared)
    long = [at for at, size in enumerate(shape) if size > 1]
    if not set(given) <= set(KNOWN) or "Y" not in given or "X" not in given:
        raise InputError(
            f"{option} {declared} names no legal axes",
            where=file,
            expected="Y, X and any of Z, C, T, each once",
        )
    if len(given) == len(shape):
        return given
    if len(given) == len(long):
        return "".join(given[long.index(at)] if at in long else UNKNOWN for at in range(len(shape)))
    kept = "".join(letter for letter in letters if letter in given)
    if kept == given and all(letters[at] in given for at in long):
        return letters
    raise InputError(
        f"{option} {declared} has {len(given)} axes",
        where=file,
        expected=f"one letter for each axis of {tuple(shape)}",
    )


def name_plain(shape: Sequence[int], letters: str, ndim: int) -> str:
    """Names for unnamed axes, where no other reading is possible."""
    long = [at for at, size in enumerate(shape) if size > 1]
    spatial = "ZYX"[-ndim:]
    if UNKNOWN not in letters:
        return letters
    # A single channel or frame that is named is no axis of space.
    kept = [at for at, size in enumerate(shape) if size > 1 or letters[at] not in "TC"]
    if len(kept) == ndim and all(
        letters[at] in (UNKNOWN, axis) for at, axis in zip(kept, spatial, strict=True)
    ):
        return "".join(
            spatial[kept.index(at)] if at in kept else letters[at] for at in range(len(shape))
        )
    if set(letters) == {UNKNOWN} and ndim == len(long) == 2:
        return "".join(
            spatial[long.index(at)] if at in long else UNKNOWN for at in range(len(shape))
        )
    return letters


def misfit(shape: Sequence[int], letters: str, ndim: int, channels: bool) -> tuple[str, str] | None:
    """What is wrong with the axes for this use, and the remedy; None if nothing is."""
    size = {letter: n for letter, n in zip(letters, shape, strict=True) if letter != UNKNOWN}
    unnamed = [n for letter, n in zip(letters, shape, strict=True) if letter == UNKNOWN and n > 1]
    if "Y" not in size or "X" not in size or unnamed:
        return f"the axes are not known: {readings(shape, ndim)}", "say which with {option}"
    if size.get("T", 1) > 1:
        return (
            f"a time series of {size['T']} frames",
            "save each frame as a file, or {option} with Z in place of T if these are planes",
        )
    if ndim == 2 and size.get("Z", 1) > 1:
        return f"a stack of {size['Z']} planes", "--ndim 3, or save each plane as a file"
    if ndim == 3 and "Z" not in size:
        return "no z axis", "--ndim 2, or name the axes with {option}"
    if not channels and size.get("C", 1) == 2:
        return (
            "labels with two channels, perhaps instance and class",
            "learn the classes, too, with channel S; or save each of the two as a file of its own",
        )
    if not channels and size.get("C", 1) > 1:
        way = f"np.unique(image.reshape(-1, {size['C']}), axis=0, return_inverse=True)[1] numbers "
        colours = letters.endswith("C") and size["C"] in (3, 4)
        return (
            f"labels with {size['C']} channels{', perhaps colours' if colours else ''}",
            "labels are one number per voxel: "
            + (way + "the colours" if colours else "save them so")
            + "; or name the axes with {option}",
        )
    return None


def no_classes(shape: Sequence[int], letters: str) -> tuple[str, str] | None:
    """What is wrong with an image of instances and classes, and the remedy."""
    found = dict(zip(letters, shape, strict=True)).get("C", 1)
    if found == 2:
        return None
    what = f"labels with {found} channel{'s' * (found != 1)}, where classes are to be learned, too"
    return what, "give two, first the instance, then its class; or remove channel S"


def readings(shape: Sequence[int], ndim: int) -> str:
    """The ways to read a shape, spelt out."""
    long = [size for size in shape if size > 1]
    sizes = long if len(long) == ndim + 1 else shape
    if len(sizes) not in (ndim, ndim + 1):
        return f"{len(sizes)} axes without names"
    spelt = [
        f"{axes} ({', '.join(f'{n} {MEANING[a]}' for a, n in zip(axes, sizes, strict=True))})"
        for axes in READINGS[ndim][len(sizes) - ndim]
    ]
    return " or ".join(spelt)
