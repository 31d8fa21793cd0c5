"""What the documents of BiaPy describe of semantic and instance segmentation, row by row.

A row names keys, whose meaning here is in the table of keys, or says itself what there is instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SAME, OTHER, NONE = "there", "another way", "not there"


class Row(NamedTuple):
    """Something that the documents describe."""

    what: str
    keys: tuple[str, ...] = ()
    """Of BiaPy's configuration files; the table of keys says what becomes of them."""
    verdict: str = ""
    """Where there are no keys, or where they do not say all of it."""
    here: str = ""
    """What it is here, and why it is not the same."""


def keys(what: str, *names: str, here: str = "", verdict: str = "") -> Row:
    """A row whose verdict is that of its keys, unless it has one of its own."""
    return Row(what, names, verdict, here)


def same(what: str, here: str) -> Row:
    """A row of the same meaning without a key."""
    return Row(what, (), SAME, here)


def other(what: str, here: str) -> Row:
    """A row that is done in another way."""
    return Row(what, (), OTHER, here)


def none(what: str, here: str) -> Row:
    """A row that is missing."""
    return Row(what, (), NONE, here)


CHANNELS = "PROBLEM.INSTANCE_SEG."
W = CHANNELS + "WATERSHED."
POST = "TEST.POST_PROCESSING."
CHUNKS = "TEST.BY_CHUNKS."
NORM = "DATA.NORMALIZATION."
SECTIONS: Mapping[str, tuple[Row, ...]] = {
    "Starting": (
        same("`--config F.yaml`", "`jaxseg run --config F.yaml`; a table says what becomes of it"),
        same("`--result_dir`, `--name`, `--run_id`, `--gpu`", "the same flags"),
        other("templates", "`jaxseg new-config`: files in Python; any YAML template is read, too"),
        other("the same name again overwrites", "equal values continue, others are refused unless "
              "`--overwrite`, which moves old results to `_trash`"),
        other("several GPUs by `torchrun`", "one process uses all devices; hosts find one another"),
        keys("CPU cores", "SYSTEM.NUM_CPUS"),
        keys("readers", "SYSTEM.NUM_WORKERS"),
        none("graphical interface, Colab notebooks, Docker image", "the command line and Python"),
    ),
    "Images and labels": (
        keys("folders", "DATA.TRAIN.PATH", "DATA.TRAIN.GT_PATH", "DATA.TEST.PATH",
             "DATA.TEST.GT_PATH", "DATA.VAL.PATH", "DATA.VAL.GT_PATH"),
        other("pairs by sorted order", "equal names, else names equal but for what a folder "
              "shares, else by order with a printed table: `data.pair`"),
        same("masks of 0 and 255", "of classes read as 0 and 1; of objects refused unless "
             "`data.label_components`, as a mask has no objects"),
        same("labels of two channels, objects and classes", "with `S` beside other channels"),
        keys("number of classes", "DATA.N_CLASSES"),
        keys("labels that do not count", "LOSS.IGNORE_INDEX"),
        none("negative values in label files", "refused: labels are numbers from 0; choose a "
             "positive value to ignore"),
        other("channels as last number of PATCH_SIZE", "the images say it; `data.image_channels`"),
        keys("one channel repeated as RGB", "DATA.FORCE_RGB"),
        keys("voxel size", "DATA.TRAIN.RESOLUTION"),
        keys("one voxel size for all", "DATA.RESOLUTION_NORM.ENABLE"),
        keys("small images", "DATA.REFLECT_TO_COMPLETE_SHAPE"),
        keys("images in memory", "DATA.TRAIN.IN_MEMORY"),
        keys("validation images", "DATA.VAL.SPLIT_TRAIN", "DATA.VAL.CROSS_VAL",
             "DATA.TEST.USE_VAL_AS_TEST"),
        other("validation of a single image", "a slab with a gap, not overlapping patches"),
        keys("grid of training patches", "DATA.TRAIN.OVERLAP", "DATA.TRAIN.PADDING"),
        keys("random patches", "DATA.TRAIN.EXTRACT_RANDOM_PATCH"),
        keys("probability map", "DATA.TRAIN.PROBABILITY_MAP", "DATA.TRAIN.W_FOREGROUND"),
        keys("samples left out", "DATA.TRAIN.FILTER_SAMPLES.ENABLE",
             "DATA.VAL.FILTER_SAMPLES.ENABLE", "DATA.TEST.FILTER_SAMPLES.ENABLE",
             "DATA.FILTER_BY_IMAGE"),
        keys("copies of them", "DATA.SAVE_FILTERED_IMAGES"),
        keys("data repeated", "DATA.TRAIN.REPLICATE"),
        keys("training patches on disk", "DATA.CHECK_GENERATORS"),
    ),
    "Intensities": (
        keys("normalisation", NORM + "TYPE", NORM + "ZERO_MEAN_UNIT_VAR.MEAN_VAL",
             here="`scale_range` is (x - min) / (max - min)"),
        keys("by image or patch", NORM + "MEASURE_BY"),
        keys("clipping", NORM + "PERC_CLIP.ENABLE", NORM + "PERC_CLIP.LOWER_PERC",
             NORM + "PERC_CLIP.LOWER_VALUE"),
        other("`.npy` files of mean and deviation", "in the checkpoint; prediction uses them"),
        keys("resizing", "DATA.PREPROCESS.RESIZE.ENABLE"),
        keys("filters", "DATA.PREPROCESS.GAUSSIAN_BLUR.ENABLE",
             "DATA.PREPROCESS.MEDIAN_BLUR.ENABLE", "DATA.PREPROCESS.CLAHE.ENABLE",
             "DATA.PREPROCESS.CANNY.ENABLE", "DATA.PREPROCESS.MATCH_HISTOGRAM.ENABLE"),
        keys("zoom", "DATA.PREPROCESS.ZOOM.ENABLE"),
    ),
    "Augmentation": (
        keys("probabilities", "AUGMENTOR.DA_PROB", "AUGMENTOR.RANDOM_ROT_PROB"),
        *(keys(name.lower().replace("_", " "), f"AUGMENTOR.{name}") for name in (
            "ROT90", "RANDOM_ROT", "SHEAR", "ZOOM", "SHIFT", "VFLIP", "HFLIP", "ZFLIP", "ELASTIC",
            "G_BLUR", "MEDIAN_BLUR", "MOTION_BLUR", "GAMMA_CONTRAST", "BRIGHTNESS", "CONTRAST",
            "DROPOUT", "CUTOUT", "CUTBLUR", "CUTMIX", "CUTNOISE", "MISALIGNMENT",
            "MISSING_SECTIONS", "GRAYSCALE", "CHANNEL_SHUFFLE", "GRIDMASK", "GAUSSIAN_NOISE",
            "POISSON_NOISE", "SALT", "PEPPER", "SALT_AND_PEPPER")),
        keys("borders of turned images", "AUGMENTOR.AFFINE_MODE"),
        keys("examples in `aug/`", "AUGMENTOR.AUG_SAMPLES"),
    ),
    "Channels": (
        keys("channels", CHANNELS + "DATA_CHANNELS", CHANNELS + "DATA_CHANNEL_WEIGHTS",
             CHANNELS + "DATA_CHANNELS_LOSSES",
             here="Db and Dc count outside of objects, too, unless `mask_values`"),
        keys("options of channels", CHANNELS + "DATA_CHANNELS_EXTRA_OPTS"),
        other("T of odd thickness", "half of the band lies in either object, so widths are even"),
        other("D is 0 on the boundary", "the surface lies between voxels: half a voxel from it"),
        other("Dn is small in crowded regions", "closeness: high where objects touch"),
        other("H, V, Z between 0 and 1", "from -1 to 1, as BiaPy computes; `direction`"),
        other("A of all neighbours by default", "faces only; `neighborhood` has 8, 18, 26"),
        keys("rare voxels weigh more", CHANNELS + "CLASS_REBALANCE_WITHIN_CHANNELS",
             "LOSS.CLASS_REBALANCE", "LOSS.CLASS_WEIGHTS"),
        keys("background between objects", CHANNELS + "BORDER_EXTRA_WEIGHTS"),
    ),
    "Networks": (
        keys("architectures", "MODEL.ARCHITECTURE"),
        same("UNETR-Mini, -Small, -Base", "`model=UNETR(embed=192, attention_heads=3)`, `(384, "
             "6)` and `(768, 12)`, the sizes of ViT-Ti, ViT-S and ViT-B"),
        keys("feature maps, dropout, normalisation, kernels", "MODEL.FEATURE_MAPS",
             "MODEL.DROPOUT_VALUES", "MODEL.NORMALIZATION", "MODEL.KERNEL_SIZE",
             "MODEL.ACTIVATION", "MODEL.UPSAMPLE_LAYER", "MODEL.Z_DOWN", "MODEL.LARGER_IO"),
        keys("convolutions of a level, and their order", "MODEL.CONV_LAYERS",
             "MODEL.CONV_BLOCK_ORDER", here="ResUNet++ has one number for all levels"),
        keys("steps along y and x", "MODEL.YX_DOWN", verdict=OTHER, here="2 at every step"),
        keys("HRNet", "MODEL.HRNET.VARIANT", "MODEL.HRNET.Z_DOWN"),
        keys("stages of HRNet", "MODEL.HRNET.NUM_MODULES", "MODEL.HRNET.NUM_BLOCKS",
             "MODEL.HRNET.NUM_CHANNELS"),
        keys("other blocks and heads of HRNet", "MODEL.HRNET.BLOCK_TYPE", "MODEL.HRNET.HEAD_TYPE",
             verdict=NONE, here="BASIC blocks and FCN heads; others raise errors in BiaPy, too"),
        keys("STU-Net", "MODEL.STUNET.VARIANT", "MODEL.STUNET.DEPTH", "MODEL.STUNET.DIMS",
             "MODEL.STUNET.POOL_OP_KERNEL_SIZES", "MODEL.STUNET.CONV_KERNEL_SIZES"),
        keys("trained weights of STU-Net", "MODEL.STUNET.PRETRAINED"),
        keys("networks of the BioImage Model Zoo", "MODEL.SOURCE", "MODEL.BMZ.SOURCE_MODEL_ID",
             verdict=OTHER, here="a package with ONNX weights by its path, for prediction; ids are "
             "not fetched, and packages are not trained further"),
        none("networks of torchvision", "bring them as ONNX files"),
        keys("trained weights", "MODEL.LOAD_CHECKPOINT", "PATHS.CHECKPOINT_FILE",
             here="`.pth` and `.safetensors` are read without running them"),
        keys("frozen layers", "MODEL.FREEZE_LAYERS_MATCHING"),
        keys("parts of a checkpoint", "MODEL.ITEMS_TO_LOAD_FROM_CHECKPOINT",
             "MODEL.LOAD_CHECKPOINT_EPOCH", verdict=SAME,
             here="the weights and what belongs to them"),
        keys("export", "MODEL.BMZ.EXPORT.ENABLE",
             here="ONNX weights in `BMZ_files`; `jaxseg export` at any time"),
    ),
    "Training": (
        keys("optimiser", "TRAIN.OPTIMIZER", "TRAIN.LR", "TRAIN.W_DECAY", "TRAIN.OPT_BETAS"),
        keys("learning rate", "TRAIN.LR_SCHEDULER.NAME", "TRAIN.LR_SCHEDULER.MIN_LR",
             "TRAIN.LR_SCHEDULER.COSINE_DECAY_FRACTION"),
        keys("length", "TRAIN.EPOCHS", "TRAIN.BATCH_SIZE", "TRAIN.ACCUM_ITER", "TRAIN.PATIENCE"),
        keys("losses of classes", "LOSS.TYPE", "LOSS.WEIGHTS",
             here="weights are in the order of the names"),
        keys("contrastive loss", "LOSS.CONTRAST.ENABLE"),
        keys("choice of metrics", "TRAIN.METRICS", "TEST.METRICS"),
        keys("charts", "LOG.CHART_CREATION_FREQ"),
        keys("TensorBoard", "LOG.TENSORBOARD_LOG_DIR",
             here="`train.tensorboard`; needs `pip install 'jaxseg[log]'`"),
        keys("predictions of training images", "TRAIN.SAVE_TRAIN_PREDS_FREQ"),
    ),
    "Prediction": (
        keys("whole images", "TEST.FULL_IMG",
             here="in folders `full_image*` by `predict.full_image_names`"),
        keys("tiles", "DATA.TEST.PADDING", "DATA.TEST.OVERLAP"),
        keys("beyond the image", "DATA.TEST.MEDIAN_PADDING"),
        keys("orientations", "TEST.AUGMENTATION", "TEST.AUGMENTATION_MODE"),
        keys("less memory", "TEST.REDUCE_MEMORY"),
        keys("2D images as a stack", "TEST.ANALIZE_2D_IMGS_AS_3D_STACK",
             here="results have the name `as_3d_stack` in the usual folders"),
        keys("by chunks", CHUNKS + "ENABLE", CHUNKS + "PHASES", CHUNKS + "Z_START",
             CHUNKS + "WORKFLOW_PROCESS.TYPE",
             CHUNKS + "WORKFLOW_PROCESS.INSTANCE_SEG_MERGE_IOU_TH",
             here="objects of two blocks are compared in the voxels that both have"),
        keys("planes as TIFF", "TEST.SAVE_MODEL_RAW_OUTPUT", CHUNKS + "SAVE_OUT_TIF"),
        keys("classes of voxels", "DATA.TEST.ARGMAX_TO_OUTPUT",
             here="two classes are one plane, above 0.5, not by Otsu's threshold"),
    ),
    "Objects": (
        keys("decoder", CHANNELS + "INSTANCE_CREATION_PROCESS"),
        keys("seeds", W + "SEED_CHANNELS", W + "SEED_CHANNELS_THRESH", W + "SEED_MORPH_SEQUENCE"),
        keys("growth", W + "GROWTH_MASK_CHANNELS", W + "TOPOGRAPHIC_SURFACE_CHANNEL",
             W + "ERODE_AND_DILATE_GROWTH_MASK"),
        other("thresholds from statistics everywhere", "fixed by rule per channel; `auto` on "
              "request; noise gives no objects"),
        other("vectors by Sobel filters, affinities by their minimum", "jumps of offsets, and "
              "direct neighbours at both ends of a voxel"),
        keys("small seeds", W + "DATA_REMOVE_BEFORE_MW"),
        keys("pictures of the steps", W + "DATA_CHECK_MW",
             here="seed_map, semantic (the surface), foreground (the growth mask), watershed"),
        none("pictures of EmbedSeg and StarDist", "they have no seeds, surface and mask"),
        keys("EmbedSeg", CHANNELS + "EMBEDSEG.SEED_THRESH", CHANNELS + "EMBEDSEG.MIN_MASK_SUM",
             CHANNELS + "EMBEDSEG.MIN_OBJECT_SIZE",
             here="the default of `min_object_size` is 10 outside of YAML files"),
        keys("StarDist", CHANNELS + "STARDIST.PROB_THRESH", CHANNELS + "STARDIST.NMS_IOU_THRESH",
             here="local maxima propose shapes; `stardist.candidates all` for every voxel"),
        keys("a coarser grid of rays", CHANNELS + "STARDIST.GRID"),
        keys("Cellpose", CHANNELS + "CELLPOSE.FG_THRESH", CHANNELS + "CELLPOSE.FLOW_THRESHOLD"),
        keys("Omnipose", CHANNELS + "OMNIPOSE.MASK_THRESHOLD"),
    ),
    "Synapses": (
        keys("synapses as a type of instances", CHANNELS + "TYPE", here="`task=\"synapses\"`, "
             "[synapses.md](synapses.md)"),
        same("annotations in Zarr or HDF5 beside the image, ids, partners, locations, resolution",
             "`synapses.ids`, `synapses.partners`, `synapses.locations`; also two tables"),
        other("`F_pre`, `F_post`", "cones in the balls, whose peaks are the sites, not masks"),
        other("`H`, `V`, `Z`", "`H_pre`, `V_pre`, `Z_pre`, from the post- to the presynaptic site"),
        none("`F_cleft`, clefts found in the image", "sites of two sides are pairs"),
        keys("thresholds", CHANNELS + "SYNAPSES.TH_TYPE", CHANNELS + "SYNAPSES.MIN_TH_TO_BE_PEAK",
             here="not relative to the largest value"),
        keys("points", CHANNELS + "SYNAPSES.POINT_CREATION_FUNCTION",
             CHANNELS + "SYNAPSES.PEAK_LOCAL_MAX_MIN_DISTANCE"),
        keys("close points", CHANNELS + "SYNAPSES.REMOVE_CLOSE_PRE_POINTS_RADIUS",
             CHANNELS + "SYNAPSES.REMOVE_CLOSE_POST_POINTS_RADIUS"),
        keys("close points of one mask only",
             CHANNELS + "SYNAPSES.REMOVE_CLOSE_POINTS_RADIUS_BY_MASK"),
        other("`pred_pre_locations.csv`, `pre_post_mapping.csv`", "`<image>_pre.csv` and "
              "`<image>_post.csv` with a column `partner`"),
        same("precision, recall and F1 of both sides within a tolerance", "and of pairs, with "
             "associations and what is spurious"),
        other("by chunks, a table per patch, which are put together", "every block tells the sites "
              "of its own voxels; equal to the whole"),
    ),
    "After the objects": (
        keys("median filters", POST + "MEDIAN_FILTER", POST + "Z_FILTERING", POST + "YZ_FILTERING",
             here="of 2D images where they are a stack"),
        keys("masks", POST + "APPLY_MASK", "DATA.TEST.ROI_MASK.ENABLE"),
        keys("refinement", POST + "INSTANCE_REFINEMENT.ENABLE",
             POST + "INSTANCE_REFINEMENT.OPERATIONS"),
        keys("measurements", POST + "MEASURE_PROPERTIES.ENABLE",
             POST + "MEASURE_PROPERTIES.EXTRA_PROPS", here="`diameter` is in µm"),
        keys("removal by properties", POST + "MEASURE_PROPERTIES.REMOVE_BY_PROPERTIES.ENABLE",
             here="all groups are judged by the same measurements; where objects are reshaped "
             "first, only the table after it has the columns about it"),
        keys("large objects", POST + "REPARE_LARGE_BLOBS_SIZE"),
        keys("Voronoi", POST + "VORONOI_ON_MASK", here="by blocks as well"),
    ),
    "Comparison": (
        keys("matching", "TEST.MATCHING_STATS", "TEST.MATCHING_STATS_THS",
             "TEST.MATCHING_STATS_THS_COLORED_IMG"),
        same("IoU of predicted channels, per patch and of whole images", "`evaluate.planes`: a "
             "column `F IoU` and one `F IoU (patch)`, of images in memory"),
        same("IoU of classes, mean of images", "a row beside that of all voxels together"),
        other("IoU of the class map beside objects", "matching of objects within every class"),
        other("metrics after post-processing", "columns `(post)` beside the others"),
        keys("borders", "TEST.EVAL_BORDER_CROP"),
    ),
    "Files": (
        other("the YAML file in `config_files/`", "all values as JSON, which `--config` reads"),
        other("`checkpoints/*.pth`", "folders `best` and `last`, which resume bit for bit"),
        keys("names of folders", "PATHS.RESULT_DIR.PATH", "PATHS.CHARTS", "PATHS.CHECKPOINT"),
        other("a second channel of classes in label images", "`<image>_classes.tif` beside it"),
        other("targets beside the labels", "computed on the device after augmentation"),
    ),
}  # fmt: skip
