"""THE TABLE: one row per channel.

A new channel is options in ``jaxseg.config.channel_options``, a row here and a function that makes
its true values; the tests of ``tests/channels`` then hold for it, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from jaxseg import losses, targets
from jaxseg.channels.embeddings import (
    embedding_link,
    embedding_loss,
    embedding_metric,
    embedding_names,
    embedding_target,
    embedding_width,
)
from jaxseg.channels.links import (
    binary_cross_entropy,
    binary_divergence,
    class_link,
    class_loss,
    class_overlap,
    compared,
    flow_loss,
    foreground_if_asked,
    foreground_if_asked_or_in_micrometres,
    identity,
    normalised_link,
    radial_error,
    sigmoid,
    signed_distance_link,
)
from jaxseg.channels.sites import SITES
from jaxseg.channels.sources import (
    MEASURES,
    affinities,
    affinity_offsets,
    class_planes,
    radial,
    single,
)
from jaxseg.channels.spec import ChannelSpec, Joint, Roles, always
from jaxseg.channels.widths import (
    affinity_names,
    affinity_width,
    class_names,
    class_width,
    ray_kind,
    ray_names,
    ray_width,
)
from jaxseg.config.channel_options import (
    Affinity,
    Background,
    BoundaryDistance,
    CentreDistance,
    CentreGaussian,
    Contour,
    ContourOrForeground,
    Embedding,
    Flow,
    Foreground,
    Marker,
    NeighbourCloseness,
    Offset,
    Radial,
    Semantic,
    SignedDistance,
    Touching,
)
from jaxseg.config.channels import Channel
from jaxseg.symmetry import Component, Corner, Edges, Embedded, Kind, Scalar


def contour_kind(ndim: int, options: Contour) -> Kind:
    """Subpixel boundaries lie between voxels."""
    return Corner() if options.mode == "subpixel" else Scalar()


def signed_distance_seeds(options: SignedDistance) -> float | None:
    """A third of the way from the surface to the centre; in µm there is no such number."""
    deep = options.beta / 3
    if not options.norm:
        return None
    return math.tanh(deep) if options.activation == "tanh" else deep


def mark_size(ndim: int, options: Marker) -> int:
    """The ellipsoid about the middle, unless that is all there is."""
    grow, shrink = targets.radii(options.dilation, ndim), targets.radii(options.erosion, ndim)
    return 1 if any(shrink) else len(targets.ellipsoid(grow))


def closeness_seeds(options: NeighbourCloseness) -> float | None:
    """A third of the way from the neighbour to the voxels farthest from it."""
    return (2 / 3) ** options.decline_power if options.norm else None


def offset(axis: int, *, ndims: tuple[int, ...] = (2, 3)) -> ChannelSpec:
    """The row of one component of the offset from the centre of the object."""
    return ChannelSpec(
        options=Offset,
        ndims=ndims,
        target=single(
            targets.centre_offset,
            context=("spacing", "max_label"),
            options=("norm", "direction"),
            axis=axis,
        ),
        link=identity,
        loss=compared(losses.absolute_error, identity),
        where=foreground_if_asked,
        binary=False,
        symmetry=lambda ndim, options: Component(axis, "centre"),
    )


def flow(axis: int, *, ndims: tuple[int, ...] = (2, 3)) -> ChannelSpec:
    """The row of one component of the flow to the centre of the object."""
    return ChannelSpec(
        options=Flow,
        ndims=ndims,
        target=single(
            targets.flow, context=("spacing", "max_label"), options=("max_distance",), axis=axis
        ),
        link=identity,
        loss=flow_loss,
        binary=False,
        symmetry=lambda ndim, options: Component(axis, "flow"),
    )


CHANNELS: Mapping[str, ChannelSpec] = MappingProxyType(
    {
        "F": ChannelSpec(
            options=Foreground,
            target=single(targets.foreground, options=("dilation", "erosion")),
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            watershed=Roles(
                seed=+1,
                seed_threshold=always(0.5),
                growth=7,
                growth_threshold=always(0.5),
                surface=2,
                surface_sign=-1,
            ),
        ),
        "B": ChannelSpec(
            options=Background,
            target=single(targets.background, options=("dilation", "erosion")),
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            watershed=Roles(
                seed=-1,
                seed_threshold=always(0.5),
                growth=6,
                growth_threshold=always(0.5),
                surface=1,
                surface_sign=+1,
            ),
        ),
        "C": ChannelSpec(
            options=Contour,
            target=single(targets.boundary, options=("mode",)),
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            symmetry=contour_kind,
            watershed=Roles(
                seed=-1,
                relief=1.0,
                seed_threshold=always(0.5),
                surface=5,
                surface_sign=+1,
                encloses=True,
            ),
        ),
        "P": ChannelSpec(
            options=Marker,
            target=single(
                targets.markers,
                context=("spacing", "max_label"),
                options=("type", "dilation", "erosion", "skeleton_mode"),
            ),
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            watershed=Roles(
                seed=+1,
                seed_threshold=always(0.5),
                mark_size=mark_size,
                surface_sign=-1,
            ),
        ),
        "T": ChannelSpec(
            options=Touching,
            target=single(targets.touching, options=("thickness",)),
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            watershed=Roles(
                seed=-1,
                relief=1.0,
                seed_threshold=always(0.5),
                surface=4,
                surface_sign=+1,
            ),
        ),
        "M": ChannelSpec(
            options=ContourOrForeground,
            target=single(targets.boundary_or_foreground, options=("mode",)),
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            watershed=Roles(
                seed=+1,
                seed_threshold=always(0.5),
                surface_sign=-1,
            ),
        ),
        "Db": ChannelSpec(
            options=BoundaryDistance,
            target=single(targets.boundary_distance, context=MEASURES, options=("norm",)),
            link=normalised_link,
            loss=compared(losses.absolute_error, normalised_link),
            where=foreground_if_asked,
            binary=False,
            watershed=Roles(
                seed=+1,
                relief=1.0,
                seed_threshold=lambda options: 0.3 if options.norm else None,
                growth=3,
                surface=9,
                surface_sign=-1,
            ),
        ),
        "Dc": ChannelSpec(
            options=CentreDistance,
            target=single(
                targets.centre_distance, context=("spacing", "max_label"), options=("type", "norm")
            ),
            link=normalised_link,
            loss=compared(losses.absolute_error, normalised_link),
            where=foreground_if_asked_or_in_micrometres,
            binary=False,
            watershed=Roles(
                seed=-1,
                relief=1.0,
                seed_threshold=lambda options: 0.4 if options.norm else None,
                from_centre=True,
                growth=1,
                # The outermost voxels of an object have almost the value of the background.
                growth_threshold=lambda options: 0.995 if options.norm else None,
                bounds=lambda options: options.norm,
                surface=7,
                surface_sign=+1,
            ),
        ),
        "G": ChannelSpec(
            options=CentreGaussian,
            target=single(
                targets.centre_gaussian, context=("spacing", "max_label"), options=("sigma",)
            ),
            link=sigmoid,
            loss=binary_divergence,
            binary=False,
            watershed=Roles(
                seed=+1,
                seed_threshold=always(0.5),
            ),
        ),
        "Dn": ChannelSpec(
            options=NeighbourCloseness,
            target=single(
                targets.neighbour_closeness,
                context=("spacing", "max_label"),
                options=("norm", "closing_size", "decline_power"),
            ),
            link=normalised_link,
            loss=compared(losses.absolute_error, normalised_link),
            where=foreground_if_asked,
            binary=False,
            watershed=Roles(
                seed=-1,
                relief=0.5,
                seed_threshold=closeness_seeds,
                surface=3,
                surface_sign=+1,
            ),
        ),
        "D": ChannelSpec(
            options=SignedDistance,
            target=single(
                targets.signed_distance,
                context=MEASURES,
                options=("alpha", "beta", "norm", "activation"),
            ),
            link=signed_distance_link,
            loss=compared(losses.squared_error, signed_distance_link),
            binary=False,
            watershed=Roles(
                seed=+1,
                relief=1.0,
                seed_threshold=signed_distance_seeds,
                growth=5,
                growth_threshold=always(0.0),
                surface=8,
                surface_sign=-1,
            ),
        ),
        "H": offset(-1),
        "V": offset(-2),
        "Z": offset(-3, ndims=(3,)),
        "A": ChannelSpec(
            options=Affinity,
            target=affinities,
            width=affinity_width,
            target_width=affinity_width,
            link=sigmoid,
            loss=binary_cross_entropy,
            binary=True,
            symmetry=lambda ndim, options: Edges(affinity_offsets(options, ndim)),
            column_names=affinity_names,
            watershed=Roles(
                seed=+1,
                relief=1.0,
                seed_threshold=always(0.5),
                growth=2,
                growth_threshold=always(0.5),
                surface=6,
                surface_sign=-1,
            ),
        ),
        "E": ChannelSpec(
            options=Embedding,
            target=embedding_target,
            width=embedding_width,
            target_width=embedding_width,
            link=embedding_link,
            loss=Joint(embedding_loss, embedding_metric),
            binary=False,
            symmetry=lambda ndim, options: Embedded(),
            column_names=embedding_names,
        ),
        "Gv": flow(-2),
        "Gh": flow(-1),
        "Gz": flow(-3, ndims=(3,)),
        "S": ChannelSpec(
            options=Semantic,
            target=class_planes,
            width=class_width,
            target_width=class_width,
            link=class_link,
            loss=class_loss,
            overlap=class_overlap,
            binary=True,
            column_names=class_names,
        ),
        "R": ChannelSpec(
            options=Radial,
            target=radial,
            width=ray_width,
            target_width=ray_width,
            link=identity,
            loss=radial_error,
            where=foreground_if_asked,
            binary=False,
            symmetry=ray_kind,
            column_names=ray_names,
        ),
        **SITES,
    }
)


def spec_of(channel: Channel) -> ChannelSpec:
    """The row of a channel: its own, or the one of the table.

    >>> from jaxseg.config import ch
    >>> spec_of(ch("S")).exclusive
    True
    """
    return CHANNELS[channel.name] if channel.spec is None else channel.spec
