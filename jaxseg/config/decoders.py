"""Options of the decoders, from planes to instances, and which channels each of them needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from jaxseg.config.limits import INSIDE, RATE, SHARE, above, at_least, lengths
from jaxseg.config.option import NOTHING, join, option, section
from jaxseg.errors import ConfigError

Threshold = float | Literal["auto"]
Convex = Literal["none", "join", "part", "both"]


@section
class WholeObjects:
    """What becomes of whole objects, for decoders that know how sure each voxel is of one."""

    min_size: int = option(1, at_least(1), read_by=("merge",))
    """Drop objects of fewer voxels."""
    min_mean: float = option(0.0, RATE, read_by=("tune", "merge"))
    """Drop objects whose mean of the channel that they lie in is lower, as debris and noise have
    it; that channel must be F, or B, of which the mean is then that of 1 - B."""
    convex: Convex = option("none", read_by=("tune", "merge"))
    """Make objects more convex: join touching ones that are so together, part those whose parts
    are, or both; for nuclei. Of an image in blocks it looks at all blocks together."""


@section
class Watershed(WholeObjects):
    """Seeds, surface and growth mask for the marker-controlled watershed; empty = by rule."""

    seeds: tuple[str, ...] = option(())
    """Channels whose thresholds together give the seeds."""
    seed_thresholds: tuple[Threshold, ...] = option(())
    """One threshold per seed channel, in the channel's own units, or auto."""
    seed_rule: Literal["auto", "dynamics", "thresholds"] = option("auto")
    """How seeds are found: dynamics, as peaks of the sum of the channels that part objects, such as
    contours and distances; thresholds, as what passes those of all channels; auto: in 2D
    dynamics where a channel parts objects and neither seed_thresholds nor seed_morphology is given,
    in 3D thresholds."""
    seed_height: float = option(0.2, above(0))
    """How far one must go down from a peak to a higher one for both to be seeds, in units of a
    normalised channel; lower splits more; four voxels of a channel in µm are a unit."""
    seed_sigma: float = option(0.7, at_least(0))
    """Standard deviation of the Gaussian that smooths that sum, in finest voxels; 0 = none."""
    growth: tuple[str, ...] = option(())
    """Channels whose thresholds together give the mask that objects grow in."""
    growth_thresholds: tuple[Threshold, ...] = option(())
    """One threshold per growth channel, in the channel's own units, or auto."""
    surface: tuple[str, ...] = option(())
    """Channel flooded from the seeds."""
    seed_morphology: tuple[tuple[Literal["dilate", "erode"], int], ...] = option((), at_least(1))
    """Dilate and erode the seeds within the growth mask, in this order, e.g. erode 1 dilate 1;
    radii in finest voxels, balls in µm or, with by_slices, discs."""
    growth_morphology: tuple[tuple[Literal["dilate", "erode"], int], ...] = option((), at_least(1))
    """The same for the growth mask: dilate 2 erode 2 closes holes, erode 2 dilate 2 cuts thin
    parts."""
    min_seed: int = option(10, at_least(1))
    """Drop seeds of fewer voxels, but never the last seed of a separate part of the mask; of a peak
    all voxels above the way to another count."""
    fill_holes: bool = option(True)
    """Fill holes of every object."""
    by_slices: bool = option(False)
    """Flood every z slice on its own."""
    check_files: bool = option(True, read_by=NOTHING)
    """Write how the objects of every image in memory came about, whatever decoder made them:
    seed_map.tif, the surface as semantic.tif, the growth mask as foreground.tif, and the objects
    before sizes and shapes are judged as watershed.tif."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """One threshold per channel that is named, and shapes that slices do not have."""
        if self.by_slices and self.convex != "none":
            yield ConfigError(
                "slices on their own have no shape in common",
                where=join(where, "convex"),
                found=self.convex,
                fix=f"--{where}.no-by-slices, or --{where}.convex none",
            )
        for field, thresholds in (("seeds", "seed_thresholds"), ("growth", "growth_thresholds")):
            names, given = getattr(self, field), getattr(self, thresholds)
            if given and names and len(given) != len(names):
                yield ConfigError(
                    "one threshold per channel",
                    where=join(where, thresholds),
                    expected=f"{len(names)} for {join(where, field)} {names}",
                    found=given,
                )


@section
class StarDist:
    """From rays to star-convex objects, for the channel R."""

    prob_threshold: float = option(0.4, INSIDE)
    """Voxels of at least this probability propose an object."""
    nms_threshold: float = option(0.4, SHARE)
    """Of two objects that share more than this part of the smaller one, the better one is kept."""
    candidates: Literal["maxima", "all"] = option("maxima")
    """Which of those voxels propose: maxima, those without a better neighbour, or all, which takes
    many times as long, in 3D minutes, and finds no more."""
    min_size: int = option(1, at_least(1))
    """Drop objects of fewer voxels."""


@section
class EmbedSeg:
    """Clustering of the embeddings of channel E, voxels of the highest seediness first."""

    foreground_threshold: float = option(0.5, RATE)
    """Voxels of higher seediness belong to objects."""
    seed_threshold: float = option(0.8, INSIDE)
    """Voxels of at least this seediness start an object; lower, e.g. 0.5, for a network that was
    trained briefly: it is less sure, but rims in the background become objects, too."""
    min_mask_sum: int = option(0, at_least(0))
    """No objects where no more voxels than this are foreground."""
    min_unclustered_sum: int = option(0, at_least(0))
    """Stop when no more foreground voxels than this are left."""
    min_object_size: int = option(10, at_least(1))
    """Drop objects of fewer voxels."""
    min_free: float = option(0.5, RATE)
    """Drop an object unless more than this part of the foreground in its kernel was still left, or
    the rims of objects become objects; 0 = keep."""


@section
class Agglomeration:
    """Affinities to objects: fragments, then the joining of those whose contacts are strong."""

    threshold: tuple[Threshold, ...] = option((), lengths(0, 1))
    """Threshold of the mask that objects lie in, in units of its channel, or auto; empty = by rule.
    """
    # Boundaries are rare, so that networks learn affinities too high: at 0.5 all would be joined.
    inside: float = option(0.8, INSIDE)
    """A voxel whose weakest edge is above this is inside a fragment and not at a boundary."""
    merge: float = option(0.8, INSIDE, read_by=("merge",))
    """Fragments are joined where the score of their contact is at least this."""
    score: Literal["mean", "quantile"] = option("mean", read_by=("merge",))
    """Score of a contact: the mean of its affinities, or a quantile of them."""
    quantile: float = option(0.25, INSIDE, read_by=("merge",))
    """Which quantile."""
    min_contact: int = option(0, at_least(0), read_by=("merge",))
    """Contacts of fewer voxel pairs join nothing; 0 = 2 in 2D, where contacts are lines, 5 in 3D.
    """
    engine: Literal["own", "waterz"] = option("own")
    """own: ours; waterz: the package of that name, of the extra 'affinities'."""
    min_size: int = option(1, at_least(1), read_by=("merge",))
    """Drop objects of fewer voxels."""
    fill_holes: bool = option(True)
    """Fill holes of every object."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """What the other engine cannot do."""
        if self.engine == "waterz" and self.min_contact > 1:
            yield ConfigError(
                "waterz joins contacts of any size",
                where=join(where, "min_contact"),
                found=self.min_contact,
                fix=f"--{where}.engine own",
            )


@section
class Mutex:
    """Affinities to objects by mutex watershed, of the extra 'affinities'."""

    threshold: tuple[Threshold, ...] = option((), lengths(0, 1))
    """Threshold of the mask that objects lie in, in units of its channel, or auto; empty = by rule.
    """
    near_bias: float = option(0.6, INSIDE)
    """An affinity to a direct neighbour joins above this and separates below it."""
    far_bias: float = option(0.5, INSIDE)
    """The same for affinities across longer offsets."""
    far_repulsive: bool = option(True)
    """Longer offsets only separate, never join."""
    stride: int = option(1, at_least(1))
    """Use affinities across longer offsets at every so many voxels along each axis."""
    min_size: int = option(1, at_least(1))
    """Drop objects of fewer voxels."""
    fill_holes: bool = option(True)
    """Fill holes of every object."""


@section
class FlowTracking(WholeObjects):
    """Flows to objects: every voxel follows the flow, those that end together are an object."""

    threshold: tuple[Threshold, ...] = option((), lengths(0, 1))
    """Threshold of the mask that objects lie in, in units of its channel, or auto; empty = by rule.
    """
    steps: int = option(200, at_least(1))
    """Steps of one voxel that a voxel follows the flow; fewer than objects are long tears them."""
    min_sink: int = option(10, at_least(1))
    """An end that fewer voxels reach is no object."""
    fill_holes: bool = option(True)
    """Fill holes of every object."""


@section
class Tune:
    """The search for better options of the decoder after training, on images with labels."""

    minutes: float = option(2.0, at_least(0), read_by=("tune",))
    """No trial begins later than so many minutes after the first; 0 = only the options as given."""
    voxels: int = option(4_000_000, at_least(1), read_by=("tune",))
    """Voxels that are predicted and decoded at most, of validation images first, then of training
    images."""
    training_images: bool = option(True, read_by=("tune",))
    """Tune on training images, too, if there are several; few validation images say little."""
    use: bool = option(True, read_by=("create",))
    """Decode with the options that were found, except for those that are given here; they are kept
    beside the checkpoint, and a prediction with that checkpoint finds them, too."""


# The options of a decoder: its field of the configuration has the same name.
KINDS: Mapping[str, type] = MappingProxyType(
    {
        "stardist": StarDist,
        "embedseg": EmbedSeg,
        "agglomeration": Agglomeration,
        "mutex": Mutex,
        "flow": FlowTracking,
        "watershed": Watershed,
    }
)

# The channels that a decoder cannot do without.
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "stardist": frozenset({"R"}),
        "embedseg": frozenset({"E"}),
        "agglomeration": frozenset({"A"}),
        "mutex": frozenset({"A"}),
        "flow": frozenset({"Gv", "Gh"}),
        "watershed": frozenset(),
    }
)

# Whether a decoder is the one for channels of these names, unasked; the first that says so.
SUITS: Mapping[str, Callable[[frozenset[str]], bool]] = MappingProxyType(
    {
        "stardist": lambda names: "R" in names,
        "embedseg": lambda names: "E" in names,
        "flow": lambda names: names >= NEEDS["flow"],
        "agglomeration": lambda names: names == {"A"},
        "watershed": lambda names: True,
    }
)


def decoder_for(channels: Collection[str]) -> str:
    """Name of the decoder that suits channels, told by their names; classes beside do not matter.

    >>> decoder_for(["F", "C"]), decoder_for(["R", "Db"]), decoder_for(["A"])
    ('watershed', 'stardist', 'agglomeration')
    """
    names = frozenset(channels) - {"S"}
    return next(name for name, suits in SUITS.items() if suits(names))
