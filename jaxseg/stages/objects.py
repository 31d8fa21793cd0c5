"""All that is done to the objects of an image: which stages, and which tables."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from jaxseg.blocks.stage import Arrays, Output, Results, Stage, Step, Table, View, whole_grid
from jaxseg.channels import columns
from jaxseg.config import Refine, Reshape
from jaxseg.config.places import content_of, place_of
from jaxseg.decoding import (
    agreement,
    certainty_of,
    class_type,
    class_votes,
    graded,
    of_instances,
)
from jaxseg.geometry import Box
from jaxseg.labels.conditions import judge, removed_ids, survivors
from jaxseg.labels.objects import compact
from jaxseg.labels.refine import refine
from jaxseg.labels.voronoi import voronoi
from jaxseg.labels.votes import Votes, majority, painted
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Work, classes_of, table_of
from jaxseg.stages.changes import (
    All,
    Nearby,
    Operation,
    changed,
    like,
    operated,
    renamed,
    without,
)
from jaxseg.stages.chosen import tuned_decoder
from jaxseg.stages.counting import counted, tallied
from jaxseg.stages.decoders import Decoding, decoded
from jaxseg.stages.measuring import measurement_table, measurements
from jaxseg.stages.operations import confined, refine_kind, voronoi_mask
from jaxseg.stages.planes import filtered_planes, made_of, region_of
from jaxseg.stages.properties import properties, property_columns
from jaxseg.stages.repair import repaired
from jaxseg.stages.shown import POST_MARK, Shown, Steps

FOLDER, POST = "per_image_instances", "per_image_post_processing"
# Names of stages after the objects are joined begin with it.
AFTER = "post_processing"


def decoding_of(work: Work, planes: View, raw: View, region: View | None) -> Decoding:
    """What the decoder of a configuration is given."""
    config = work.config
    row, options, tuned = tuned_decoder(config, work.run)
    creating = runs.phase_values("instance_creation", config) | {"spacing": work.spacing}
    return Decoding(
        planes,
        raw,
        region,
        work.grid,
        config.channels,
        row,
        options,
        Output(spacing=work.spacing, dtype=np.uint32, target=work.labels(FOLDER)),
        creating | {f"tuned.{name}": value for name, value in tuned.items()},
        runs.phase_values("instance_merging", config),
        config.blocks.merge_threshold,
        functools.partial(work.run.step, row.name, work.name)
        if config.watershed.check_files
        else None,
    )


def object_steps(work: Work) -> Steps:
    """Everything from predicted planes to objects, their tables and what becomes of them."""
    raw = made_of(work)
    planes, region = filtered_planes(work, raw), region_of(work)
    return object_changes(work, planes, region, decoded(decoding_of(work, planes, raw, region)))


def object_changes(work: Work, planes: View, region: View | None, labels: Stage) -> Steps:
    """The objects that a stage wrote, their tables and what becomes of them."""
    return _Objects(work, planes, region, labels).steps()


@dataclass(frozen=True)
class _Measured:
    """The stages that measure the objects that a stage wrote."""

    work: Work
    labels: Stage
    where: Stage
    votes: Stage | None
    extra: Stage | None
    grades: Stage | None = None

    @property
    def needs(self) -> tuple[Stage, ...]:
        """All of them."""
        return tuple(stage for stage in (self.where, self.votes, self.extra, self.grades) if stage)

    def table(self, results: Results) -> pd.DataFrame:
        """Measurements and classes of all objects."""
        image, names = self.work.sample.image, self.work.config.postprocess.properties
        table = measurement_table(results[self.where], self.where, image)
        if self.votes is not None:
            votes = self.classes(results).classes
            table.insert(1, "class", votes.astype(class_type(self.work.config.channels)))
        if self.extra is not None:
            found = property_columns(
                results[self.extra], self.extra, names, channels=image.channels
            )
            table = table.assign(**found)
        if self.grades is not None:
            counts = tallied(results[self.grades], self.grades)
            table["certainty"] = certainty_of(*counts.columns, voxels=counts.voxels)[1]
        return table

    def classes(self, results: Results) -> Votes:
        """The class of every object."""
        assert self.votes is not None
        found = tallied(results[self.votes], self.votes)
        return majority(*found.columns, voxels=found.voxels)


class _Objects:
    """What is done to the objects of an image once they are decoded."""

    def __init__(self, work: Work, planes: View, region: View | None, labels: Stage) -> None:
        self.work, self.planes, self.region, self.labels = work, planes, region, labels
        self.config, self.grid = work.config, work.grid
        self.options = work.config.postprocess
        self.has_classes = len(columns(self.config.channels, self.config.ndim)) > len(
            of_instances(self.config.channels)
        )
        path = work.labels(POST)
        self.path = path if self.options.changes_objects else None

    def steps(self) -> Steps:
        """Stages and tables."""
        if not self.config.blocks.measures:
            return Steps((self.labels,), (Shown("", self.labels),))
        options, raw = self.options, self.labels.output.target  # type: ignore[union-attr]
        assert raw is not None
        first = self._measured(self.labels, "")
        before = self._table(first, raw, judged=not options.reshapes)
        classes = self._classes(first, self.labels, raw, "classes")
        steps: list[Step] = [self.labels, before, *classes]
        shown = Shown("", self.labels, *classes)
        if self.path is None:
            return Steps(tuple(steps), (shown,))
        reshaped = self._reshaped(first)
        then, table = first, before
        if options.reshapes:
            then = self._measured(reshaped, f"{AFTER}/")
            table = self._table(then, self.path)
        else:
            steps.append(self._copy(table, self.path))
        last = self._removed(reshaped, table) if options.remove else reshaped
        classes = self._classes(then, last, self.path, f"{AFTER}/classes")
        steps += [last, table, *classes]
        if options.remove:
            rest = lambda results: survivors(results[table].frame)  # noqa: E731
            steps.append(self._of(table, rest, table_of(self.path, "filtered_stats")))
        return Steps(tuple(steps), (shown, Shown(POST_MARK, last, *classes)))

    # -------------------------------------------------------------------------- measurements

    def _measured(self, labels: Stage, folder: str) -> _Measured:
        """The stages that measure objects."""
        work, names = self.work, self.options.properties
        image, reads = work.sample.image, {"image": work.sample.image.path}
        together = names if len(self.grid) == 1 else ()
        where = measurements(
            labels, image, self.grid, name=f"{folder}measurements", extra=together, reads=reads
        )
        votes = extra = None
        if self.has_classes:
            votes = counted(
                f"{folder}votes", self.grid, self._votes(labels), phase=labels.phase,
                needs=(labels, self.planes),
            )  # fmt: skip
        if names and not together:
            extra = properties(
                labels, where, image, names, self.grid, name=f"{folder}properties", reads=reads
            )
        grades = None
        if self.options.certainty:
            grades = counted(
                f"{folder}certainty", self.grid, self._grades(labels), phase=labels.phase,
                needs=(labels, self.planes), slabs=False,
            )  # fmt: skip
        return _Measured(work, labels, where, votes, extra, grades)

    def _grades(self, labels: Stage) -> Any:
        """Every object, and how well the planes agree with it about each of its voxels."""
        channels, grid = self.config.channels, self.grid

        def read(box: Box, results: Results, known: Arrays) -> tuple[np.ndarray, np.ndarray]:
            around = box.grown(grid.halo, grid.shape)
            inner = box.relative_to(around.start).slices
            objects, planes = (results[one].array[around.slices] for one in (labels, self.planes))
            agreed = agreement(compact(objects), planes, channels, spacing=self.work.spacing)
            return objects[inner], graded(agreed)[inner]

        return read

    def _votes(self, labels: Stage) -> Any:
        """Every object, and the class that each of its voxels votes for."""

        def read(box: Box, results: Results, known: Arrays) -> tuple[np.ndarray, np.ndarray]:
            planes = results[self.planes].array[box.slices]
            return results[labels].array[box.slices], class_votes(planes, self.config.channels)

        return read

    def _table(self, measured: _Measured, path: Any, *, judged: bool = True) -> Table:
        """Measurements, with what is to be removed where that is asked for."""
        groups = self.options.remove if judged else ()

        def gather(results: Results) -> pd.DataFrame:
            table = measured.table(results)
            return judge(table, groups) if groups else table

        return Table(
            name="full_stats", phase=self.labels.phase, needs=measured.needs, gather=gather,
            target=table_of(path, "full_stats"),
        )  # fmt: skip

    def _copy(self, table: Table, path: Any) -> Table:
        """The same table beside other objects."""
        return self._of(table, lambda results: results[table].frame, table_of(path, "full_stats"))

    def _of(self, table: Table, gather: Any, target: Any) -> Table:
        return Table(
            name=target.stem, phase=table.phase, needs=(table,), gather=gather, target=target
        )

    # ------------------------------------------------------------------------------- changes

    def _reshaped(self, first: _Measured) -> Stage:
        """The stages that change objects, without removal for what was measured; the last one."""
        makers: list[Any] = [
            (f"{AFTER}/{place}_{one.operation}", self._refined(one))
            for place, one in enumerate(self.options.refine)
        ]
        makers += [
            (f"{AFTER}/own{place}_{one.name}", self._own(one))
            for place, one in enumerate(self.options.own)
        ]
        if self.options.repair.size:
            makers.append((None, self._repaired))
        if self.region is not None and self.options.reshapes:
            makers.append((f"{AFTER}/confined", self._confined))
        if self.options.voronoi.mode != "none":
            makers.append((f"{AFTER}/voronoi", self._filled))
        stage = self.labels
        for place, (name, make) in enumerate(makers, start=1):
            final = place == len(makers) and not self.options.remove
            output = like(stage, self.work.spacing, target=self.path if final else None)
            where = first.where if stage is self.labels else stage
            stage = make(stage, where, output=output, **({"name": name} if name else {}))
        return stage

    def _refined(self, one: Refine) -> Any:
        """A stage of refinement."""
        values = {f"refine.{field}": value for field, value in asdict(one).items()}
        operation = Operation(
            lambda labels: refine(labels, (one,), spacing=self.work.spacing),
            refine_kind(one, self.work.spacing),
            values | {"spacing": self.work.spacing},
        )

        def make(before: Stage, where: Stage, **options: Any) -> Stage:
            return operated(before, operation, self.grid, where, **options)

        return make

    def _own(self, one: Reshape) -> Any:
        """An operation of a user's own."""
        spacing = self.work.spacing
        values = {
            "own.name": one.name,
            "own.margin": one.margin,
            "own.function": place_of(one.function),
            "own.source": content_of(one.function),
        }
        operation = Operation(
            lambda labels: one.function(labels, spacing),
            Nearby(one.margin) if one.margin else All(),
            values | {"spacing": spacing},
        )

        def make(before: Stage, where: Stage, **options: Any) -> Stage:
            return operated(before, operation, self.grid, where, **options)

        return make

    def _repaired(self, before: Stage, where: Stage, **options: Any) -> Stage:
        return repaired(before, self.options.repair, self.grid, where, AFTER, **options)

    def _confined(self, before: Stage, where: Stage, **options: Any) -> Stage:
        """What lies outside of the masks is cut off."""
        region = self.region
        assert region is not None

        def change(box: Box, results: Results, known: Arrays) -> np.ndarray:
            return confined(results[before].array[box.slices], results[region].array[box.slices])

        return changed(before, self.grid, change, needs=(region,), **options)

    def _filled(self, before: Stage, where: Stage, **options: Any) -> Stage:
        """Objects that fill a mask; who is nearest is asked of the whole image."""
        chosen, region, spacing = self.options.voronoi, self.region, self.work.spacing

        def change(box: Box, results: Results, known: Arrays) -> np.ndarray:
            labels = results[before].array[box.slices]
            planes = results[self.planes].array[box.slices]
            # Objects keep their voxels even where the channel does not show them.
            mask = voronoi_mask(self.config, planes, spacing=spacing) | (labels > 0)
            mask = mask if region is None else mask & results[region].array[box.slices]
            return voronoi(
                labels,
                mask,
                spacing=spacing,
                mode=chosen.mode,  # type: ignore[arg-type]
                islands=chosen.islands,
            )

        values = {f"voronoi.{field}": value for field, value in asdict(chosen).items()}
        needs = (self.planes, *(() if region is None else (region,)))
        return changed(before, whole_grid(self.work.shape), change, needs=needs, values=values,
                       **options)  # fmt: skip

    def _removed(self, before: Stage, table: Table) -> Stage:
        """Objects that are removed for what was measured of them."""

        def gone(results: Results) -> Arrays:
            found = results[table].frame
            ids = found.label.to_numpy().astype(results[before].array.dtype)
            return {"table": without(ids, removed_ids(found))}

        groups = [[asdict(one) for one in group] for group in self.options.remove]
        output = like(before, self.work.spacing, target=self.path)
        return changed(
            before, self.grid, renamed(before), name=f"{AFTER}/removed", needs=(table,),
            values={"remove": groups}, summarise=gone, output=output,
        )  # fmt: skip

    def _classes(self, measured: _Measured, labels: Stage, path: Any, name: str) -> list[Stage]:
        """The class of every object as an image."""
        if not self.has_classes:
            return []
        dtype = class_type(self.config.channels)

        def colours(results: Results) -> Arrays:
            votes = measured.classes(results)
            return {"table": painted(np.arange(int(votes.ids.max(initial=0)) + 1), votes)}

        output = Output(spacing=self.work.spacing, dtype=dtype, target=classes_of(path), light=True)
        return [changed(labels, self.grid, renamed(labels), name=name, needs=(measured.votes,),  # type: ignore[arg-type]
                        summarise=colours, output=output)]  # fmt: skip
