"""The configuration: frozen dataclasses whose field comments are the ``--help`` text.

Every path is a string, every length is in voxels in (z)yx order unless it says µm, and empty
tuples or strings mean "decide from the data", never "off".
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
from jaxseg.config.postprocessing import PostProcess
from jaxseg.config.sampling import CrossValidation, ProbabilityMap, SampleFilter

PairRule = Literal["name", "order", "name_or_order"]
Phase = Literal["train", "predict", "decode", "instance_creation", "instance_merging", "evaluate"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A folder (or one file) of images and, beside it, one of labels, paired by their names."""

    # folder or file of images: TIFF, PNG, JPEG, Zarr, N5, HDF5, precomputed; a path may go on to a
    # level or dataset: a.ome.zarr/1, a.h5/volumes/raw, and in all files: train/*.h5/volumes/raw
    raw: str = ""
    # folder or file of labels, named like the images; as a.ome.zarr/labels/nuclei, too
    labels: str = ""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where the images are and how to read them."""

    # images to train on
    train: Source = field(default_factory=Source)
    # images to validate on; empty = hold out a part of the training images
    val: Source = field(default_factory=Source)
    # images to predict, and to evaluate where labels are given
    test: Source = field(default_factory=Source)
    # axes of the image files, e.g. YX, YXC, ZYX, CZYX; empty = from the file's own metadata
    axes: str = ""
    # axes of the label files; empty = from the file's own metadata
    label_axes: str = ""
    # size of a voxel in µm, (z)yx, whatever the files say; empty = from their metadata, else 1
    spacing: tuple[float, ...] = ()
    # how labels are found: name: equal names, or equal but for what all names of a folder share;
    # order: the sorted lists of names, which are printed; name_or_order: by order where the names
    # do not fit
    pair: PairRule = "name"
    # channels of the images to use, from 0, e.g. 0 1 2 to leave out opacity; empty = all
    image_channels: tuple[int, ...] = ()
    # more file formats: module:NAME of a jaxseg.io.Format, asked before the built-in ones
    formats: tuple[str, ...] = ()
    # labels are masks: make an object of every connected part
    label_components: bool = False
    # part of the training images held out for validation when val is empty; one image only: a slab
    val_fraction: float = 0.15
    # cross-validation
    cross_val: CrossValidation = field(default_factory=CrossValidation)
    # a label value of voxels that nobody looked at: counted in no loss and no metric, never an
    # object; -1 = none
    ignore: int = -1
    # probability that a training patch is centred on an object instead of anywhere
    foreground: float = 0.5
    # where the centres of training patches lie, voxel by voxel
    probability_map: ProbabilityMap = field(default_factory=ProbabilityMap)
    # images or patches that are left out
    filter: SampleFilter = field(default_factory=SampleFilter)
    # keep the training images in memory when they take less than this many GiB
    cache_gib: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Normalize:
    """Intensity scaling; statistics are fitted once per image or data set, never per patch."""

    # percentile: the two percentiles become 0 and 1; zscore: mean 0, standard deviation 1;
    # dtype: divide by the largest value of the integer type
    method: Literal["percentile", "zscore", "dtype", "none"] = "percentile"
    # percentiles that map to 0 and 1
    percentiles: tuple[float, float] = (1.0, 99.8)
    # one set of statistics per image, or one for all training images that also serves new ones
    scope: Literal["image", "dataset"] = "image"


@dataclass(frozen=True, kw_only=True)
class Train:
    """The training run: optimiser, learning rate, and how long."""

    # passes over the training images
    epochs: int = 100
    # steps per epoch; 0 = as many as cover the training images once, at least 25
    steps: int = 0
    # patches per step, over all devices
    batch: int = 8
    # adamw: Adam with decoupled weight decay; adam, sgd: the decay is part of the gradient
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    # decay of the averages of the gradient and of its square, of adamw and adam
    betas: tuple[float, float] = (0.9, 0.999)
    # share of the last step that the next one keeps, of sgd
    momentum: float = 0.9
    # look ahead along the momentum, of sgd
    nesterov: bool = True
    # largest learning rate
    lr: float = 1e-3
    # weight decay, of kernels only
    weight_decay: float = 1e-4
    # how the learning rate goes on after the warm-up: cosine falls to final_lr; constant; plateau
    # falls by plateau_factor whenever validation gets no better; one_cycle rises over three tenths
    # of the run and falls to almost nothing, without another warm-up
    schedule: Literal["cosine", "constant", "plateau", "one_cycle"] = "cosine"
    # epochs of linear warm-up
    warmup: int = 2
    # learning rate at the end, as a fraction of lr; of plateau the least one
    final_lr: float = 0.01
    # factor of the learning rate where validation gets no better
    plateau_factor: float = 0.5
    # epochs without a better validation loss after which that happens
    plateau_patience: int = 10
    # parts of a batch whose gradients are added up before a step, in the memory of one part
    accumulation: int = 1
    # largest global norm of the gradient; 0 = no clipping
    clip: float = 1.0
    # stop after this many epochs without a better validation loss; 0 = never
    patience: int = 0
    # shorten the run, decay included, so that it ends after about this many minutes; 0 = no limit
    minutes: float = 0.0
    # decay of the exponential moving average of the weights that is validated and kept; 0 = off
    ema: float = 0.0
    # element type of the network's arithmetic; parameters stay float32
    precision: Literal["float32", "bfloat16"] = "float32"
    # compute inner results of the network again in the backward pass instead of keeping them: the
    # same numbers; meant for GPUs, on a CPU it saved no memory
    remat: bool = False
    # validation patches; 0 = as many as cover the validation images once
    val_patches: int = 0
    # epochs between two checkpoints of the full state
    save_every: int = 1
    # folder checkpoints/<name>_<run> of a trained run whose weights the network begins with, as far
    # as names and sizes agree; empty = random weights
    start_from: str = ""
    # parts of the network that keep the weights they begin with, as patterns of names such as
    # "enc0_*"; batch normalisation in them keeps its statistics, too
    freeze: tuple[str, ...] = ()
    # let a training go on that was begun with fewer epochs; from there on the learning rate follows
    # the longer plan, and the record says so
    extend: bool = False


@dataclass(frozen=True, kw_only=True)
class Loss:
    """How much a voxel counts in the loss, in all channels; channels have options beside."""

    # how much more the background between two objects counts, at most (Ronneberger et al. 2015,
    # who take 10); 0 = no more than elsewhere
    border_weight: float = 0.0
    # how near the two objects must be, in the finest voxels
    border_sigma: float = 5.0
    # in channels of yes and no, let the rarer answer weigh as much as the other, up to 19 times
    # itself, patch by patch
    balance: bool = False


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Sliding-window prediction."""

    # folder checkpoints/<name>_<run> of a trained run to use; empty = this run's own
    checkpoint: str = ""
    # leave the planes as an earlier start of this run predicted them: the phase predict is passed
    # over, whatever the other values here, and planes that are missing are refused
    reuse: bool = False
    # what the network sees; empty = chosen from the training patch
    tile: tuple[int, ...] = ()
    # context on each side of a tile that is thrown away; empty = from the network
    halo: tuple[int, ...] = ()
    # width over which neighbouring tiles are blended; empty = from the halo
    overlap: tuple[int, ...] = ()
    # orientations averaged: none 1, flips 4 (2D) or 8 (3D), full 8 (2D) or 16 (3D)
    tta: Literal["none", "flips", "full"] = "none"
    # tiles per call of the network
    batch: int = 4
    # element type of the network's arithmetic; parameters stay float32
    precision: Literal["float32", "bfloat16"] = "float32"
    # element type of the stored planes
    dtype: Literal["float32", "float16"] = "float32"
    # of semantic segmentation store the class of every voxel only, found on the device: one byte
    # instead of four per class; tiles meet without blending
    classes_only: bool = False


@dataclass(frozen=True, kw_only=True)
class SemanticOutput:
    """What becomes of the class planes."""

    # probability above which a voxel is foreground, for two classes
    threshold: float = 0.5
    # names of the classes for tables and pictures, background first; empty = their numbers
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Comparison with the labels of the test images."""

    # IoU at which an object counts as found
    thresholds: tuple[float, ...] = (0.3, 0.5, 0.75)
    # IoU of the objects drawn as found in the pictures and named in the association tables
    overlay: float = 0.5
    # IoU, each a picture of the labels in colours: found green, spurious blue, missed red
    coloured: tuple[float, ...] = ()
    # voxels cut from every side before the comparison; empty = none
    border_crop: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Images larger than memory: predicted, decoded and merged block by block."""

    # sides of a block in voxels, (z)yx; empty = every image in memory as a whole
    size: tuple[int, ...] = ()
    # context on each side when the objects of a block are made: at least the radius of an object,
    # better its diameter; empty = a quarter of the size; agglomeration knows what it needs
    halo: tuple[int, ...] = ()
    # voxels on each side of a boundary in which the objects of two blocks are compared
    band: int = 4
    # by_blocks: objects and classes are made block by block; whole: in memory, as without blocks,
    # of planes that were predicted by blocks
    decode: Literal["by_blocks", "whole"] = "by_blocks"
    # two objects are one if they share more than this part of their union there
    merge_threshold: float = 0.5
    # first voxel along the first axis that this job does; -1 = from the start
    z_start: int = -1
    # one past the last voxel along the first axis that this job does; -1 = to the end
    z_end: int = -1
    # part of that range for this job, i/n for job i of n, counted from 0; empty for all of it
    shard: str = ""
    # blocks that are decoded or merged at a time
    workers: int = 2
    # minutes to wait for other jobs where all their blocks are needed, before this one ends with
    # exit code 75 and is to be run again
    wait: float = 0.0
    # dask scheduler that hands out the blocks of instances: tcp://HOST:PORT, or local:N for N
    # processes here; empty for threads of this process
    scheduler: str = ""
    # measure the objects after merging
    measure: bool = True
    # write labels as TIFF, too, plane by plane
    tiff: bool = False

    @property
    def is_part(self) -> bool:
        """Whether this job is one of several that share the work."""
        return bool(self.shard) or self.z_start != -1 or self.z_end != -1

    @property
    def decodes(self) -> bool:
        """Whether objects and classes are made block by block."""
        return bool(self.size) and self.decode == "by_blocks"


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that defines a run; the resolved values are saved as JSON beside its results."""

    # name of the experiment, a folder below out
    name: str = "experiment"
    # name of this run of it
    run: str = "1"
    # folder of all results
    out: str = "out"
    # instances: objects, each with an id of its own; semantic: a class for every voxel
    task: Literal["instances", "semantic"] = "instances"
    # dimensions of an image
    ndim: Literal[2, 3] = 2
    # the representation that the network learns
    channels: tuple[Channel, ...] = ()
    # size of a training patch in voxels, (z)yx
    patch: tuple[int, ...] = (256, 256)
    # where the images are and how to read them
    data: Data = field(default_factory=Data)
    # scaling of the intensities
    normalize: Normalize = field(default_factory=Normalize)
    # random changes of the training patches
    augment: Augment = field(default_factory=Augment)
    # the network; --model NAME chooses another one
    model: Model = field(default_factory=UNet)
    # the training run
    train: Train = field(default_factory=Train)
    # how much a voxel counts in the loss
    loss: Loss = field(default_factory=Loss)
    # sliding-window prediction
    predict: Predict = field(default_factory=Predict)
    # how planes become instances; auto: as the channels call for
    decoder: Decoder = "auto"
    # options of that decoder
    watershed: Watershed = field(default_factory=Watershed)
    # options of that decoder, of rays
    stardist: StarDist = field(default_factory=StarDist)
    # options of that decoder, of embeddings
    embedseg: EmbedSeg = field(default_factory=EmbedSeg)
    # options of that decoder, of affinities: fragments that are joined
    agglomeration: Agglomeration = field(default_factory=Agglomeration)
    # options of that decoder, of affinities
    mutex: Mutex = field(default_factory=Mutex)
    # options of that decoder, of flows
    flow: FlowTracking = field(default_factory=FlowTracking)
    # from predicted planes to classes
    semantic: SemanticOutput = field(default_factory=SemanticOutput)
    # filters on planes, and what is done to objects after decoding
    postprocess: PostProcess = field(default_factory=PostProcess)
    # images larger than memory
    blocks: Blocks = field(default_factory=Blocks)
    # comparison with the test labels
    evaluate: Evaluate = field(default_factory=Evaluate)
    # phases to run, in this order; by blocks decode is instance_creation and instance_merging
    phases: Annotated[tuple[Phase, ...], tyro.conf.arg(metavar="PHASE ...")] = (
        "train",
        "predict",
        "decode",
        "evaluate",
    )
    # seed of all randomness
    seed: int = 0
    # start anew where results of another configuration lie; they are moved to _trash, not deleted
    overwrite: bool = False
    # CPU devices to spread a batch over; 0 = one per core as far as the batch divides
    cpu_devices: int = 0
