"""Where everything of a run is on disk; no other file knows a path.

```
<out>/<name>/config_files/<name>_<run>.json        the resolved configuration
             checkpoints/<name>_<run>/              best and last state of the training
             results/<name>_<run>/manifests/        what every phase read, one JSON each
                                  train_logs/ charts/ per_image/ per_image_instances/ ...
```
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxseg.blocks.grid import BlockGrid
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.runs.division import Division, division_of_results

# How the folders of results of images begin, and how those of whole images do where that is asked.
PER_IMAGE, FULL_IMAGE = "per_image", "full_image"
# Beside a checkpoint: options of the decoder that suit it.
TUNED = "tuned.json"


@dataclass(frozen=True)
class Run:
    """The folders of one run."""

    root: Path
    label: str
    images: str = PER_IMAGE
    """How the folders of results of images begin."""

    @property
    def config_file(self) -> Path:
        """The resolved configuration of the phase that was entered last."""
        return self.root / "config_files" / f"{self.label}.json"

    @property
    def checkpoints(self) -> Path:
        """State of the training."""
        return self.root / "checkpoints" / self.label

    @property
    def tuned(self) -> Path:
        """Options of the decoder that were found by tuning."""
        return self.checkpoints / TUNED

    @property
    def results(self) -> Path:
        """Everything else."""
        return self.root / "results" / self.label

    @property
    def trash(self) -> Path:
        """Results that were replaced."""
        return self.root / "_trash"

    def manifest(self, phase: str) -> Path:
        """What a phase read."""
        return self.results / "manifests" / f"{phase}.json"

    def marker(self, phase: str, stem: str) -> Path:
        """Evidence that a phase has finished one image."""
        return self.results / "manifests" / phase / f"{stem}.json"

    @property
    def logs(self) -> Path:
        """Tables and events of the training."""
        return self.results / "train_logs"

    @property
    def charts(self) -> Path:
        """Pictures of the training."""
        return self.results / "charts"

    def folder(self, name: str) -> Path:
        """A folder of results of images, such as ``per_image_instances``."""
        return self.results / name.replace(PER_IMAGE, self.images, 1)

    def planes(self, name: str) -> Path:
        """Predicted planes of an image."""
        return self.folder(PER_IMAGE) / f"{name}.zarr"

    def stage(self, stage: str, name: str) -> Path:
        """The ledger of a stage of an image."""
        return self.results / "blocks" / stage / name

    def step(self, decoder: str, name: str, step: str) -> Path:
        """A picture of how the objects of an image came about."""
        return self.results / decoder / name / f"{step}.tif"

    def overlay(self, name: str) -> Path:
        """What was found and missed, as a picture."""
        return self.results / "overlays" / f"{name}.png"

    def associations(self, name: str) -> Path:
        """The beginning of the names of tables and pictures of who matches whom."""
        return self.results / "instance_associations" / name

    def point_associations(self, name: str) -> Path:
        """The beginning of the names of tables of who matches whom among points."""
        return self.results / "point_associations" / name

    @property
    def all_points(self) -> Path:
        """The points of all images."""
        return self.results / "all_points.csv"

    @property
    def metrics(self) -> Path:
        """The scores of all images."""
        return self.results / "test_results_metrics.csv"

    @property
    def summary(self) -> Path:
        """The last row of the scores."""
        return self.results / "summary.json"

    def class_metrics(self, mark: str) -> Path:
        """The scores of every class."""
        return self.results / f"class_metrics{mark}.csv"


def run_of(config: Config) -> Run:
    """The folders of a configuration's run, whether they are there or not."""
    whole = config.predict.full_image and config.predict.full_image_names
    images = FULL_IMAGE if whole else PER_IMAGE
    return Run(Path(config.out) / config.name, f"{config.name}_{config.run}", images)


@dataclass(frozen=True)
class Work:
    """One image of a run, and what is to be done with it."""

    config: Config
    run: Run
    sample: Sample

    @property
    def name(self) -> str:
        """Of the image."""
        return self.sample.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels, (z)yx."""
        return self.sample.image.spatial_shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a voxel, (z)yx, µm."""
        return self.sample.image.spacing

    @property
    def division(self) -> Division:
        """How images are divided for results."""
        return division_of_results(self.config)

    @property
    def grid(self) -> BlockGrid:
        """The blocks in which results are made: the one grid of all stages."""
        return self.division.grid(self.shape)

    @property
    def planes(self) -> Path:
        """The predicted planes."""
        return self.run.planes(self.name)

    def labels(self, folder: str) -> Path:
        """Labels of a kind, such as ``per_image_instances``; by blocks they are in chunks."""
        return self.run.folder(folder) / f"{self.name}{self.division.ending}"

    def stage(self, stage: str) -> Path:
        """The ledger of a stage."""
        return self.run.stage(stage, self.name)


def classes_of(labels: Path) -> Path:
    """The classes of objects, as an image beside the objects."""
    return labels.with_name(f"{labels.stem}_classes{labels.suffix}")


def table_of(labels: Path, kind: str) -> Path:
    """A table beside an image of objects, such as ``full_stats``."""
    return labels.with_name(f"{labels.stem}_{kind}.csv")


def at_image_size(labels: Path) -> Path:
    """The same labels at the size of the image, which was resampled, in a folder beside theirs."""
    return labels.parent.with_name(f"{labels.parent.name}_at_image_size") / labels.name
