"""Rules about post-processing, its operations and measurements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jaxseg.config.option import nearest
from jaxseg.config.postprocessing import PostProcess, Refine
from jaxseg.config.properties import (
    ALIASES,
    EXTRA,
    ONLY_2D,
    SHAPE,
    Measured,
    extra_names,
    is_extra,
    name_of,
    table_columns,
)
from jaxseg.config.schema import Config
from jaxseg.config.stack import of_results
from jaxseg.errors import ConfigError

# Channels that tell where objects are, in the order in which the mask of Voronoi is taken from
# them.
MASKS = ("M", "F", "B", "C")
RADII, SIZES = ("dilation", "erosion"), ("remove_small_objects", "remove_large_objects")


def plane_problems(config: Config) -> Iterator[ConfigError]:
    """Every mistake in what is done to planes."""
    config = of_results(config)
    yield from _filters(config.postprocess, config.ndim)


def object_problems(config: Config) -> Iterator[ConfigError]:
    """Every mistake in what is done to objects, where there are any."""
    config = of_results(config)
    options = config.postprocess
    for index, one in enumerate(options.refine):
        yield from _refine(one, f"postprocess.refine.{index}", config.ndim)
    for index, own in enumerate(options.own):
        if len(own.margin) not in (0, config.ndim):
            field, expected = f"postprocess.own.{index}.margin", f"{config.ndim} values, or none"
            yield ConfigError("illegal margin", where=field, expected=expected, found=own.margin)
    yield from _voronoi(config)
    yield from _properties(options, config.ndim)
    yield from _conditions(options, config.ndim)


def _filters(options: PostProcess, ndim: int) -> Iterator[ConfigError]:
    along_z = [f"median.{i}.axes" for i, one in enumerate(options.median) if "z" in one.axes]
    along_z += [name for name in ("z_filtering", "yz_filtering") if getattr(options, name)]
    for name in along_z if ndim == 2 else ():
        yield ConfigError("z needs three dimensions", where=f"postprocess.{name}", expected="xy")


def without_objects(config: Config) -> Iterator[ConfigError]:
    """Everything that is to be done to objects, where there are none."""
    options = config.postprocess
    used = {
        "refine": options.refine,
        "own": options.own,
        "repair.size": options.repair.size,
        "voronoi.mode": options.voronoi.mode != "none",
        "properties": options.properties,
        "remove": options.remove,
    }
    for name in (name for name, value in used.items() if value):
        yield ConfigError(
            "there are no objects in this task", where=f"postprocess.{name}", fix="remove it"
        )


def _refine(one: Refine, field: str, ndim: int) -> Iterator[ConfigError]:
    operation = "remove_large_objects" if one.operation == "remove_big_objects" else one.operation
    lengths = (1, ndim) if operation in RADII else (1,) if operation in SIZES else (0,)
    if len(one.value) not in lengths or (one.value and not any(one.value)):
        expected = {
            RADII: f"one radius, or {ndim} ({'zyx'[-ndim:]}), not all 0",
            SIZES: "one size above 0",
        }
        wanted = next((text for names, text in expected.items() if operation in names), "no value")
        yield ConfigError(
            f"illegal value of {one.operation}",
            where=f"{field}.value",
            expected=wanted,
            found=one.value,
        )
    if one.unit != "voxel" and operation not in (*RADII, *SIZES):
        yield ConfigError(f"{one.operation} has no value to have a unit", where=f"{field}.unit")
    if not one.z_faces and (operation != "clear_border" or ndim == 2):
        yield ConfigError("only for clear_border in 3D", where=f"{field}.z_faces")


def _voronoi(config: Config) -> Iterator[ConfigError]:
    voronoi, names = config.postprocess.voronoi, [channel.name for channel in config.channels]
    if voronoi.mode == "none":
        if voronoi.channel or voronoi.threshold != "rule" or voronoi.islands:
            yield ConfigError(
                "options of a Voronoi tessellation that is not asked for",
                where="postprocess.voronoi",
                fix="--postprocess.voronoi.mode objects",
            )
        return
    legal = [name for name in MASKS if name in names]
    if not legal or voronoi.channel not in ("", *legal):
        yield ConfigError(
            "no channel for the mask of the Voronoi tessellation",
            where="postprocess.voronoi.channel",
            expected=f"one of {' '.join(legal or MASKS)}, among the channels",
            found=voronoi.channel or " ".join(names),
        )


def _properties(options: PostProcess, ndim: int) -> Iterator[ConfigError]:
    legal, standard = extra_names(ndim), set(table_columns(ndim))
    for one in options.properties:
        name, own = name_of(one), not isinstance(one, str)
        taken = name in standard or any(column.startswith(f"{name}-") for column in standard)
        if is_extra(one, ndim) and not (own and (taken or name in EXTRA)):
            continue
        if name in ONLY_2D or (own and not is_extra(one, ndim)):
            what = f"{name} is not measured in {ndim}D"
        elif taken or own:
            what = f"{name} is measured anyway" if taken else f"{name} has a meaning already"
        else:
            what = f"unknown property {name!r}{nearest(name, legal)}"
        expected = f"some of {', '.join(legal)}"
        yield ConfigError(what, where="postprocess.properties", expected=expected)
    names = [name_of(one) for one in options.properties]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigError(f"{name} is listed twice", where="postprocess.properties")


def _conditions(options: PostProcess, ndim: int) -> Iterator[ConfigError]:
    extra = [one for one in options.properties if is_extra(one, ndim)]
    for number, group in enumerate(options.remove):
        field = f"postprocess.remove.{number}"
        if not group:
            yield ConfigError(
                "a group without conditions would remove everything", where=field, fix="remove it"
            )
        for index, one in enumerate(group):
            yield from property_problems(one.name, f"{field}.{index}.name", ndim, extra=extra)


def property_problems(
    name: str, field: str, ndim: int, *, extra: Sequence[Measured], channels: int | None = None
) -> Iterator[ConfigError]:
    """What is wrong with the name of a column in a condition.

    Parameters
    ----------
    name, field : of the condition
    ndim : 2 or 3
    extra : further measurements that are asked for
    channels : of the image; None = not known yet, any number is legal
    """
    legal = table_columns(ndim, channels=channels or 1, extra=extra)[1:]
    legal += list(ALIASES) if ndim == 3 else []
    # Without the number of channels, a name that lacks or has one more number may be right.
    stem = re.sub(r"-\d+$", "", name)
    if name in legal or (channels is None and stem in legal and "weighted" in stem):
        return
    if channels is None and stem in legal and stem.startswith("intensity"):
        return
    if name in SHAPE[5 - ndim]:
        what = f"{name} is measured in {5 - ndim}D only"
    elif re.sub(r"(-\d+)+$", "", name) in extra_names(ndim):
        what = f"{name} is not measured"
    else:
        what = f"unknown property {name!r}{nearest(name, legal)}"
    listed = [column for column in legal if not re.search(r"-\d+$", column)]
    yield ConfigError(
        what,
        where=field,
        expected=f"{', '.join(listed)}, or centroid-0, bbox-0, ...",
        fix="add it to postprocess.properties" if what.endswith("not measured") else "",
    )
