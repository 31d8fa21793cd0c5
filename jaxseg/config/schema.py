"""The configuration: sections of options, whose docstrings are the ``--help`` text.

Every path is a string, every length is in voxels in (z)yx order unless it says µm, and empty
tuples or strings mean "decide from the data", never "off".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import tyro

from jaxseg.config.architectures import Model, UNet
from jaxseg.config.augment import Augment
from jaxseg.config.blocks import Blocks
from jaxseg.config.channels import Channel
from jaxseg.config.decoders import (
    Agglomeration,
    EmbedSeg,
    FlowTracking,
    Mutex,
    StarDist,
    Tune,
    Watershed,
)
from jaxseg.config.detection import Detection
from jaxseg.config.limits import (
    INSIDE,
    PATH,
    SHARE,
    above,
    at_least,
    between,
    lengths,
    matches,
)
from jaxseg.config.normalize import Normalize
from jaxseg.config.option import NOTHING, option, section
from jaxseg.config.places import WORD
from jaxseg.config.postprocessing import PostProcess
from jaxseg.config.preprocess import Preprocess
from jaxseg.config.sampling import CrossValidation, PatchGrid, ProbabilityMap, SampleFilter
from jaxseg.config.synapses import Synapses
from jaxseg.config.training import Loss, Train

TaskName = Literal["instances", "semantic", "detection", "synapses"]
PairRule = Literal["name", "order", "name_or_order"]
Phase = Literal[
    "train", "predict", "tune", "decode", "instance_creation", "instance_merging", "evaluate"
]
# Phases that decoding is divided into where it works by blocks.
BY_BLOCKS = ("instance_creation", "instance_merging")

NAME = matches(r"(?!\.*$)[A-Za-z0-9._-]+", "letters, digits, '.', '_' and '-'")
RESULTS = ("create", "merge", "process", "measure", "classes", "evaluate")
ALL = ("train", "predict", "create", "merge", "evaluate")


@section
class Source:
    """A folder (or one file) of images and, beside it, one of labels, paired by their names."""

    raw: str = option("", PATH)
    """Folder or file of images: TIFF, PNG, JPEG, Zarr, N5, HDF5, precomputed; a path may go on to a
    level or dataset: a.ome.zarr/1, a.h5/volumes/raw, and in all files or groups:
    train/*.h5/volumes/raw, a.h5/*/raw."""
    labels: str = option("", PATH)
    """Folder or file of labels, named like the images; as a.ome.zarr/labels/nuclei, too."""


@section
class Data:
    """Where the images are and how to read them."""

    # Of files their content decides a result, and not where they are.
    train: Source = option(Source(), read_by=NOTHING)
    """Images to train on."""
    val: Source = option(Source(), read_by=NOTHING)
    """Images to validate on; empty = hold out a part of the training images."""
    test: Source = option(Source(), read_by=NOTHING)
    """Images to predict, and to evaluate where labels are given."""
    axes: str = option("", read_by=("train", "predict"))
    """Axes of the image files, e.g. YX, YXC, ZYX, CZYX; empty = from the file's own metadata."""
    label_axes: str = option("", read_by=("train", "evaluate"))
    """Axes of the label files; empty = from the file's own metadata."""
    spacing: tuple[float, ...] = option(
        (), lengths(0, 2, 3), above(0), read_by=("train", "predict")
    )
    """Size of a voxel in µm, (z)yx, whatever the files say; empty = from their metadata, else 1."""
    spacing_table: bool = option(False, read_by=("train", "predict"))
    """Where resolution.json lies beside a folder of images, it maps the names of their files to the
    sizes of their voxels, (z)yx: {"a.tif": [1, 0.2, 0.2]}; it counts before the files themselves,
    and that of the training images for validation images without one."""
    resample: tuple[float, ...] = option(
        (), lengths(0, 2, 3), at_least(0), read_by=("train", "predict", *RESULTS)
    )
    """Size of a voxel in µm, (z)yx, that all images and labels are resampled to, 0 = as it is along
    that axis; labels are written at the size of the image, too, beside the others in a folder
    _at_image_size. Empty = nothing is resampled."""
    pair: PairRule = option("name", read_by=("train", "evaluate"))
    """How labels are found: name: equal names, or equal but for what all names of a folder share;
    order: the sorted lists of names, which are printed; name_or_order: by order where the names do
    not fit."""
    image_channels: tuple[int, ...] = option((), at_least(0), read_by=("train", "predict"))
    """Channels of the images to use, from 0, e.g. 0 1 2 to leave out opacity; empty = all."""
    gray_as_rgb: bool = option(False, read_by=("train", "predict"))
    """Images of one channel have it three times, so that gray images go with coloured ones."""
    formats: tuple[str, ...] = option((), read_by=("train", "predict", "evaluate"))
    """More file formats: module:NAME of a jaxseg.io.Format, asked before the built-in ones."""
    label_components: bool = option(False, read_by=("train", "evaluate"))
    """Labels are masks: make an object of every connected part."""
    val_fraction: float = option(0.15, INSIDE, read_by=("train",))
    """Part of the training images held out for validation when val is empty; one image only: a
    slab."""
    cross_val: CrossValidation = option(CrossValidation(), read_by=ALL)
    """Cross-validation."""
    as_3d_stack: bool = option(False, read_by=RESULTS)
    """2D test images are the planes of one stack, in the order of the numbers in their names: they
    are predicted one by one, then objects or classes are made, filtered and compared in 3D."""
    plane_spacing: float = option(0.0, at_least(0), read_by=RESULTS)
    """Distance of two planes of that stack in µm; 0 = the size of a voxel along y."""
    ignore: int = option(-1, at_least(1).or_(-1), read_by=("train", "evaluate"))
    """Label value of unannotated voxels, which count in no loss and no metric and are never an
    object; -1 = none."""
    foreground: float = option(0.5, between(0, 1), read_by=("train",))
    """Probability that a training patch is centred on an object instead of anywhere."""
    probability_map: ProbabilityMap = option(ProbabilityMap(), read_by=("train",))
    """Where the centres of training patches lie, voxel by voxel."""
    grid: PatchGrid = option(PatchGrid(), read_by=("train",))
    """Train on a grid of patches."""
    filter: SampleFilter = option(SampleFilter(), read_by=("train", "predict", "evaluate"))
    """Images or patches that are left out."""
    cache_gib: float = option(2.0, at_least(0), read_by=NOTHING)
    """Keep the training images in memory when they take less than this many GiB."""


@section
class Predict:
    """Sliding-window prediction."""

    checkpoint: str = option("", PATH, read_by=NOTHING)
    """Folder checkpoints/<name>_<run> of a trained run to use; empty = this run's own."""
    weights: Literal["best", "last"] = option("best")
    """The network of the training to use: the best on the validation images, or the last one."""
    reuse: bool = option(False, read_by=NOTHING)
    """Skip prediction and use the planes already stored for this run, whatever the other values
    here; planes that are missing are refused."""
    tile: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1))
    """What the network sees; empty = chosen from the training patch."""
    full_image: bool = option(False)
    """Show every image to the network as a whole, without tiles; it must fit the memory."""
    full_image_names: bool = option(False, read_by=NOTHING)
    """Call the folders of their results full_image, full_image_instances and so on, not per_image.
    """
    halo: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Context on each side of a tile that is thrown away; empty = what was measured after the
    training, so that tiles agree with the whole image to a thousandth of a plane's range."""
    overlap: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Width over which neighbouring tiles are blended; empty = from the halo."""
    border: Literal["none", "reflect", "replicate", "median"] = option("none")
    """What the network sees beyond the ends of an image: its mirror image, its last voxels again,
    the median of its last plane along that axis, or none of these where one tile holds the axis, as
    beyond a training patch, and its mirror image elsewhere."""
    tta: Literal["none", "flips", "full"] = option("none")
    """Orientations averaged: none 1, flips 4 (2D) or 8 (3D), full 8 (2D) or 16 (3D)."""
    tta_mode: Literal["mean", "min", "max"] = option("mean")
    """What is taken of the values of the orientations; of vectors and affinities always the mean.
    """
    batch: int = option(4, at_least(1))
    """Tiles per call of the network."""
    precision: Literal["float32", "bfloat16"] = option("float32")
    """Element type of the network's arithmetic; parameters stay float32."""
    dtype: Literal["float32", "float16"] = option("float32")
    """Element type of the stored planes."""
    tiff: bool = option(False, read_by=NOTHING)
    """Write the planes as TIFF, too, beside the Zarr store."""
    rescale: bool = option(False)
    """Resample images whose voxels differ in size from those of the training images to that size;
    everything is made at that size, and labels are written at the size of the image, too, beside
    the others in a folder _at_image_size."""
    zoom: tuple[float, ...] = option((), lengths(0, 2, 3), above(0))
    """Factor of the size of the test images, (z)yx, 2 = twice as many voxels: everything is made at
    that size, and labels are written at the size of the image, too. Empty = as they are."""
    classes_only: bool = option(False)
    """Of semantic segmentation store the class of every voxel only, found on the device: one byte
    instead of four per class; tiles meet without blending."""


@section
class SemanticOutput:
    """What becomes of the class planes."""

    threshold: float = option(0.5, INSIDE, read_by=("classes", "evaluate"))
    """Probability above which a voxel is foreground, for two classes."""
    names: tuple[str, ...] = option((), read_by=("classes", "evaluate"))
    """Names of the classes for tables and pictures, background first; empty = their numbers."""


@section
class Evaluate:
    """Comparison with the labels of the test images."""

    thresholds: tuple[float, ...] = option((0.3, 0.5, 0.75), SHARE)
    """IoU at which an object counts as found."""
    overlay: float = option(0.5, SHARE)
    """IoU of the objects drawn as found in the pictures and named in the association tables."""
    coloured: tuple[float, ...] = option((), SHARE)
    """IoU, each a picture of the labels in colours: found green, spurious blue, missed red."""
    planes: bool = option(False)
    """Compare the predicted planes with the true ones as well: IoU or error of every channel, over
    whole images and as the mean over patches, of images in memory."""
    border_crop: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Voxels cut from every side before the comparison; empty = none."""


@section
class Config:
    """All that defines a run; the resolved values are saved as JSON beside its results."""

    name: str = option("experiment", NAME, read_by=NOTHING)
    """Name of the experiment, a folder below out."""
    run: str = option("1", NAME, read_by=NOTHING)
    """Name of this run of it."""
    out: str = option("out", PATH, read_by=NOTHING)
    """Folder of all results."""
    task: Annotated[TaskName | Callable[..., Any], WORD] = option("instances", read_by=ALL)
    """instances: objects, each with an id of its own; semantic: a class for every voxel; detection:
    points; synapses: pairs of points; in a configuration file also a jaxseg.tasks.Task of your own.
    """
    ndim: Literal[2, 3] = option(2, read_by=ALL)
    """Dimensions of an image."""
    channels: tuple[Channel, ...] = option((), read_by=ALL)
    """The representation that the network learns."""
    patch: tuple[int, ...] = option(
        (256, 256), lengths(2, 3), at_least(1), read_by=("train", "predict")
    )
    """Size of a training patch in voxels, (z)yx."""
    data: Data = option(Data())
    """Where the images are and how to read them."""
    preprocess: Preprocess = option(Preprocess(), read_by=("train", "predict"))
    """What is done to images before their intensities are scaled."""
    normalize: Normalize = option(Normalize(), read_by=("train", "predict"))
    """Scaling of the intensities."""
    augment: Augment = option(Augment(), read_by=("train",))
    """Random changes of the training patches."""
    model: Model = option(UNet(), read_by=("train", "predict"))
    """The network; --model NAME chooses another one."""
    train: Train = option(Train(), read_by=("train",))
    """The training run."""
    loss: Loss = option(Loss(), read_by=("train",))
    """How much a voxel counts in the loss."""
    predict: Predict = option(Predict(), read_by=("predict",))
    """Sliding-window prediction."""
    decoder: Annotated[Any, WORD] = option("auto", read_by=("tune", "create", "merge"))
    """How planes become instances: stardist, embedseg, flow, agglomeration, mutex, watershed; auto:
    as the channels call for; in a configuration file also a row of your own, see
    jaxseg.decoding.table, which is stored as module:name."""
    tune: Tune = option(Tune())
    """The search for better options of the decoder, in the phase tune."""
    watershed: Watershed = option(Watershed(), read_by=("tune", "create"))
    """Options of that decoder."""
    stardist: StarDist = option(StarDist(), read_by=("tune", "create"))
    """Options of that decoder, of rays."""
    embedseg: EmbedSeg = option(EmbedSeg(), read_by=("tune", "create"))
    """Options of that decoder, of embeddings."""
    agglomeration: Agglomeration = option(Agglomeration(), read_by=("tune", "create"))
    """Options of that decoder, of affinities: fragments that are joined."""
    mutex: Mutex = option(Mutex(), read_by=("tune", "create"))
    """Options of that decoder, of affinities."""
    flow: FlowTracking = option(FlowTracking(), read_by=("tune", "create"))
    """Options of that decoder, of flows."""
    semantic: SemanticOutput = option(SemanticOutput(), read_by=("classes", "evaluate"))
    """From predicted planes to classes."""
    detection: Detection = option(Detection())
    """Points: how they are drawn, found and compared."""
    synapses: Synapses = option(Synapses())
    """Synapses: their annotations, and how sites are paired."""
    postprocess: PostProcess = option(PostProcess(), read_by=("process", "evaluate"))
    """Filters on planes, and what is done to objects after decoding."""
    blocks: Blocks = option(Blocks())
    """Images larger than memory."""
    evaluate: Evaluate = option(Evaluate(), read_by=("evaluate",))
    """Comparison with the test labels."""
    phases: Annotated[tuple[Phase, ...], tyro.conf.arg(metavar="PHASE ...")] = option(
        (
            "train",
            "predict",
            "tune",
            "decode",
            "evaluate",
        ),
        read_by=NOTHING,
    )
    """Phases to run, in this order; by blocks decode is instance_creation and instance_merging."""
    seed: int = option(0, between(0, 2**32 - 1), read_by=("train",))
    """Seed of all randomness."""
    overwrite: bool = option(False, read_by=NOTHING)
    """Start anew where results of another configuration lie; they are moved to _trash, not deleted.
    """
    cpu_devices: int = option(0, at_least(0), read_by=NOTHING)
    """CPU devices to spread a batch over; 0 = 1 with compiled kernels, else one per core as far as
    the batch divides."""
