"""The configuration: sections of options, whose docstrings are the ``--help`` text.

Every path is a string, every length is in voxels in (z)yx order unless it says µm, and empty
tuples or strings mean "decide from the data", never "off".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import tyro

from jaxseg.config.architectures import Model, UNet
from jaxseg.config.augment import Augment
from jaxseg.config.channels import Channel
from jaxseg.config.decoders import (
    Agglomeration,
    Decoder,
    EmbedSeg,
    FlowTracking,
    Mutex,
    StarDist,
    Watershed,
)
from jaxseg.config.limits import (
    INSIDE,
    RATE,
    RISING,
    SHARE,
    above,
    at_least,
    between,
    lengths,
    matches,
)
from jaxseg.config.option import option, section
from jaxseg.config.postprocessing import PostProcess
from jaxseg.config.sampling import CrossValidation, PatchGrid, ProbabilityMap, SampleFilter
from jaxseg.errors import ConfigError

PairRule = Literal["name", "order", "name_or_order"]
Phase = Literal["train", "predict", "decode", "instance_creation", "instance_merging", "evaluate"]

NAME = matches(r"(?!\.*$)[A-Za-z0-9._-]+", "letters, digits, '.', '_' and '-'")
SCHEDULER = matches(r"|local:[1-9]\d{0,3}|\w+://\S+", "tcp://HOST:PORT or local:N")
# No result depends on it.
NOTHING: tuple[str, ...] = ()
ALL = ("train", "predict", "create", "merge", "evaluate")


@section
class Source:
    """A folder (or one file) of images and, beside it, one of labels, paired by their names."""

    raw: str = option("")
    """Folder or file of images: TIFF, PNG, JPEG, Zarr, N5, HDF5, precomputed; a path may go on to a
    level or dataset: a.ome.zarr/1, a.h5/volumes/raw, and in all files: train/*.h5/volumes/raw."""
    labels: str = option("")
    """Folder or file of labels, named like the images; as a.ome.zarr/labels/nuclei, too."""


@section
class Data:
    """Where the images are and how to read them."""

    train: Source = option(Source(), read_by=("train",))
    """Images to train on."""
    val: Source = option(Source(), read_by=("train",))
    """Images to validate on; empty = hold out a part of the training images."""
    test: Source = option(Source(), read_by={"raw": ("predict",), "labels": ("evaluate",)})
    """Images to predict, and to evaluate where labels are given."""
    axes: str = option("", read_by=("train", "predict"))
    """Axes of the image files, e.g. YX, YXC, ZYX, CZYX; empty = from the file's own metadata."""
    label_axes: str = option("", read_by=("train", "evaluate"))
    """Axes of the label files; empty = from the file's own metadata."""
    spacing: tuple[float, ...] = option(
        (), lengths(0, 2, 3), above(0), read_by=("train", "predict")
    )
    """Size of a voxel in µm, (z)yx, whatever the files say; empty = from their metadata, else 1."""
    pair: PairRule = option("name", read_by=("train", "evaluate"))
    """How labels are found: name: equal names, or equal but for what all names of a folder share;
    order: the sorted lists of names, which are printed; name_or_order: by order where the names do
    not fit."""
    image_channels: tuple[int, ...] = option((), at_least(0), read_by=("train", "predict"))
    """Channels of the images to use, from 0, e.g. 0 1 2 to leave out opacity; empty = all."""
    formats: tuple[str, ...] = option((), read_by=("train", "predict", "evaluate"))
    """More file formats: module:NAME of a jaxseg.io.Format, asked before the built-in ones."""
    label_components: bool = option(False, read_by=("train", "evaluate"))
    """Labels are masks: make an object of every connected part."""
    val_fraction: float = option(0.15, INSIDE, read_by=("train",))
    """Part of the training images held out for validation when val is empty; one image only: a
    slab."""
    cross_val: CrossValidation = option(CrossValidation(), read_by=ALL)
    """Cross-validation."""
    ignore: int = option(-1, at_least(1).or_(-1), read_by=("train", "evaluate"))
    """A label value of voxels that nobody looked at: counted in no loss and no metric, never an
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
class Normalize:
    """Intensity scaling; statistics are fitted once per image or data set, never per patch."""

    method: Literal["percentile", "zscore", "range", "dtype", "none"] = option("percentile")
    """percentile: the two percentiles become 0 and 1; zscore: mean 0, standard deviation 1; range:
    the smallest and the largest value become 0 and 1; dtype: divide by the largest value of the
    integer type, and floating point by the first of 1, 255 and 65535 that no value exceeds."""
    percentiles: tuple[float, float] = option((1.0, 99.8), between(0, 100), RISING)
    """Percentiles that map to 0 and 1."""
    clip: tuple[float, ...] = option((), lengths(0, 2), between(0, 100), RISING)
    """Two percentiles beyond which values are clipped first, with any method; empty = none."""
    mean: tuple[float, ...] = option(())
    """For zscore: the mean of every channel, or one for all; empty = measured."""
    deviation: tuple[float, ...] = option((), above(0))
    """For zscore: the standard deviation of every channel, or one for all; empty = measured."""
    scope: Literal["image", "dataset"] = option("image")
    """One set of statistics per image, or one for all training images that also serves new ones."""


# Options of the training that act with one choice of another option only.
ONLY_WITH: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("betas", "optimizer", ("adamw", "adam")),
    ("momentum", "optimizer", ("sgd",)),
    ("nesterov", "optimizer", ("sgd",)),
    ("plateau_factor", "schedule", ("plateau",)),
    ("plateau_patience", "schedule", ("plateau",)),
    ("final_lr", "schedule", ("cosine", "plateau")),
    ("warmup", "schedule", ("cosine", "constant", "plateau")),
)


@section
class Train:
    """The training run: optimiser, learning rate, and how long."""

    epochs: int = option(100, at_least(1))
    """Passes over the training images."""
    steps: int = option(0, at_least(0))
    """Steps per epoch; 0 = as many as cover the training images once, at least 25."""
    batch: int = option(8, at_least(1))
    """Patches per step, over all devices."""
    optimizer: Literal["adamw", "adam", "sgd"] = option("adamw")
    """adamw: Adam with decoupled weight decay; adam, sgd: the decay is part of the gradient."""
    betas: tuple[float, float] = option((0.9, 0.999), RATE)
    """Decay of the averages of the gradient and of its square, of adamw and adam."""
    momentum: float = option(0.9, RATE)
    """Share of the last step that the next one keeps, of sgd."""
    nesterov: bool = option(True)
    """Look ahead along the momentum, of sgd."""
    lr: float = option(1e-3, above(0))
    """Largest learning rate."""
    weight_decay: float = option(1e-4, at_least(0))
    """Weight decay, of kernels only."""
    schedule: Literal["cosine", "constant", "plateau", "one_cycle"] = option("cosine")
    """How the learning rate goes on after the warm-up: cosine falls to final_lr; constant; plateau
    falls by plateau_factor whenever validation gets no better; one_cycle rises over three tenths of
    the run and falls to almost nothing, without another warm-up."""
    warmup: int = option(2, at_least(0))
    """Epochs of linear warm-up."""
    final_lr: float = option(0.01, between(0, 1))
    """Learning rate at the end, as a fraction of lr; of plateau the least one."""
    plateau_factor: float = option(0.5, INSIDE)
    """Factor of the learning rate where validation gets no better."""
    plateau_patience: int = option(10, at_least(1))
    """Epochs without a better validation loss after which that happens."""
    accumulation: int = option(1, at_least(1))
    """Parts of a batch whose gradients are added up before a step, in the memory of one part."""
    clip: float = option(1.0, at_least(0))
    """Largest global norm of the gradient; 0 = no clipping."""
    patience: int = option(0, at_least(0))
    """Stop after this many epochs without a better validation loss; 0 = never."""
    minutes: float = option(0.0, at_least(0))
    """Shorten the run, decay included, so that it ends after about this many minutes; 0 = no limit.
    """
    ema: float = option(0.0, RATE)
    """Decay of the exponential moving average of the weights that is validated and kept; 0 = off.
    """
    precision: Literal["float32", "bfloat16"] = option("float32")
    """Element type of the network's arithmetic; parameters stay float32."""
    remat: bool = option(False)
    """Compute inner results of the network again in the backward pass instead of keeping them: the
    same numbers; meant for GPUs, on a CPU it saved no memory."""
    val_patches: int = option(0, at_least(0))
    """Validation patches; 0 = as many as cover the validation images once."""
    save_every: int = option(1, at_least(1))
    """Epochs between two checkpoints of the full state."""
    start_from: str = option("", read_by=NOTHING)
    """Folder checkpoints/<name>_<run> of a trained run whose weights the network begins with, as
    far as names and sizes agree; empty = random weights."""
    freeze: tuple[str, ...] = option(())
    """Parts of the network that keep the weights they begin with, as patterns of names such as
    "enc0_*"; batch normalisation in them keeps its statistics, too."""
    extend: bool = option(False, read_by=NOTHING)
    """Let a training go on that was begun with fewer epochs; from then on the learning rate
    follows the longer plan, and the record says so."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Options that act with one choice of another only, and a batch that has no equal parts."""
        usual = type(self)()
        for field, choice, values in ONLY_WITH:
            found = getattr(self, field)
            if found != getattr(usual, field) and getattr(self, choice) not in values:
                yield ConfigError(
                    f"this option has no effect unless {where}.{choice} is {' or '.join(values)}",
                    file=f"{where}.{field}",
                    found=found,
                )
        if self.batch % max(self.accumulation, 1):
            yield ConfigError(
                "the batch does not divide into equal parts",
                file=f"{where}.batch",
                found=self.batch,
                expected=f"a multiple of {where}.accumulation ({self.accumulation})",
            )


@section
class Loss:
    """How much a voxel counts in the loss, in all channels; channels have options beside."""

    border_weight: float = option(0.0, at_least(0))
    """How much more the background between two objects counts, at most (Ronneberger et al. 2015,
    who take 10); 0 = no more than elsewhere."""
    border_sigma: float = option(5.0, above(0))
    """How near the two objects must be, in the finest voxels."""
    balance: bool = option(False)
    """In channels of yes and no, let the rarer answer weigh as much as the other, up to 19 times
    itself, patch by patch."""


@section
class Predict:
    """Sliding-window prediction."""

    checkpoint: str = option("")
    """Folder checkpoints/<name>_<run> of a trained run to use; empty = this run's own."""
    reuse: bool = option(False, read_by=NOTHING)
    """Leave the planes as an earlier start of this run predicted them: the phase predict is passed
    over, whatever the other values here, and planes that are missing are refused."""
    tile: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1))
    """What the network sees; empty = chosen from the training patch."""
    full_image: bool = option(False)
    """Show every image to the network as a whole, without tiles; it must fit the memory."""
    halo: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Context on each side of a tile that is thrown away; empty = from the network."""
    overlap: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Width over which neighbouring tiles are blended; empty = from the halo."""
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
    border_crop: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(0))
    """Voxels cut from every side before the comparison; empty = none."""


@section
class Blocks:
    """Images larger than memory: predicted, decoded and merged block by block."""

    size: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1), read_by=("blocks",))
    """Sides of a block in voxels, (z)yx; empty = every image in memory as a whole."""
    halo: tuple[int, ...] = option((), lengths(0, 2, 3), at_least(1), read_by=("blocks",))
    """Context on each side when the objects of a block are made: at least the radius of an object,
    better its diameter; empty = a quarter of the size; agglomeration knows what it needs."""
    band: int = option(4, at_least(1), read_by=("blocks",))
    """Voxels on each side of a boundary in which the objects of two blocks are compared."""
    decode: Literal["by_blocks", "whole"] = option("by_blocks", read_by=NOTHING)
    """by_blocks: objects and classes are made block by block; whole: in memory, as without blocks,
    of planes that were predicted by blocks."""
    merge_threshold: float = option(0.5, RATE, read_by=("join",))
    """Two objects are one if they share more than this part of their union there."""
    z_start: int = option(-1, at_least(0).or_(-1), read_by=NOTHING)
    """First voxel along the first axis that this job does; -1 = from the start."""
    z_end: int = option(-1, at_least(1).or_(-1), read_by=NOTHING)
    """One past the last voxel along the first axis that this job does; -1 = to the end."""
    shard: str = option("", read_by=NOTHING)
    """Part of that range for this job, i/n for job i of n, counted from 0; empty for all of it."""
    workers: int = option(2, at_least(1), read_by=NOTHING)
    """Blocks that are decoded or merged at a time."""
    wait: float = option(0.0, at_least(0), read_by=NOTHING)
    """Minutes to wait for other jobs where all their blocks are needed, before this one ends with
    exit code 75 and is to be run again."""
    scheduler: str = option("", SCHEDULER, read_by=NOTHING)
    """Dask scheduler that hands out the blocks of instances: tcp://HOST:PORT, or local:N for N
    processes here; empty for threads of this process."""
    measure: bool = option(True, read_by=NOTHING)
    """Measure the objects after merging."""
    tiff: bool = option(False, read_by=NOTHING)
    """Write labels as TIFF, too, plane by plane."""

    @property
    def is_part(self) -> bool:
        """Whether this job is one of several that share the work."""
        return bool(self.shard) or self.z_start != -1 or self.z_end != -1

    @property
    def decodes(self) -> bool:
        """Whether objects and classes are made block by block."""
        return bool(self.size) and self.decode == "by_blocks"

    def problems(self, where: str) -> Iterator[ConfigError]:
        """The part of the work that a job is to do."""
        if -1 not in (self.z_start, self.z_end) and self.z_start >= self.z_end:
            yield ConfigError(
                "an empty range",
                file=f"{where}.z_start",
                expected=f"below z_end {self.z_end}",
                found=self.z_start,
            )
        if self.shard and parse_shard(self.shard) is None:
            yield ConfigError(
                "not a part of the work",
                file=f"{where}.shard",
                expected="i/n with i from 0 to n - 1",
                found=repr(self.shard),
            )


def parse_shard(shard: str) -> tuple[int, int] | None:
    """Job and number of jobs out of ``"i/n"``; None if it is not of that form.

    >>> parse_shard("2/8"), parse_shard("8/8")
    ((2, 8), None)
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard)
    place, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    return (place, parts) if place < parts else None


@section
class Config:
    """All that defines a run; the resolved values are saved as JSON beside its results."""

    name: str = option("experiment", NAME, read_by=NOTHING)
    """Name of the experiment, a folder below out."""
    run: str = option("1", NAME, read_by=NOTHING)
    """Name of this run of it."""
    out: str = option("out", read_by=NOTHING)
    """Folder of all results."""
    task: Literal["instances", "semantic"] = option("instances", read_by=ALL)
    """instances: objects, each with an id of its own; semantic: a class for every voxel."""
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
    decoder: Decoder = option("auto", read_by=("create", "merge"))
    """How planes become instances; auto: as the channels call for."""
    watershed: Watershed = option(Watershed(), read_by=("create",))
    """Options of that decoder."""
    stardist: StarDist = option(StarDist(), read_by=("create",))
    """Options of that decoder, of rays."""
    embedseg: EmbedSeg = option(EmbedSeg(), read_by=("create",))
    """Options of that decoder, of embeddings."""
    agglomeration: Agglomeration = option(Agglomeration(), read_by=("create",))
    """Options of that decoder, of affinities: fragments that are joined."""
    mutex: Mutex = option(Mutex(), read_by=("create",))
    """Options of that decoder, of affinities."""
    flow: FlowTracking = option(FlowTracking(), read_by=("create",))
    """Options of that decoder, of flows."""
    semantic: SemanticOutput = option(SemanticOutput(), read_by=("classes", "evaluate"))
    """From predicted planes to classes."""
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
    """CPU devices to spread a batch over; 0 = one per core as far as the batch divides."""
