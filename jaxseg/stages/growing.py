"""From planes to points, and from points to objects, if that is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxseg import io
from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Noted, Output, Results, Stage, Table, View
from jaxseg.decoding.growing import Around, grown, growth_margin, surface_of
from jaxseg.decoding.point_planes import point_planes
from jaxseg.decoding.streamed import streamed_otsu
from jaxseg.geometry import Box
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Work
from jaxseg.stages.objects import FOLDER, object_changes
from jaxseg.stages.planes import filtered_planes, planes_of, predicted, region_of
from jaxseg.stages.points import found_points
from jaxseg.stages.shown import Shown, Steps


def point_steps(work: Work) -> Steps:
    """The points of an image, and the objects around them."""
    planes = filtered_planes(work, planes_of(work, predicted(work)))
    stage, table = found_points(work, planes)
    shown = (Shown("", table),)
    if not work.config.detection.grow.enable:
        return Steps((stage, table), shown)
    region = region_of(work)
    labels = grown_objects(work, planes, region, table)
    return Steps((stage, table, *object_changes(work, planes, region, labels).steps), shown)


def grown_objects(work: Work, planes: View, region: View | None, table: Table) -> Stage:
    """The stage that grows an object from every point; its label is 1 + the index of the point.

    Parameters
    ----------
    work : which image
    planes : (*S, K) of all channels
    region : (*S) bool, where objects may be; None = everywhere
    table : of the points
    """
    options, spacing, image = work.config.detection.grow, work.spacing, work.sample.image
    grid, margin = work.grid, growth_margin(spacing, options)
    columns = [f"axis-{axis}" for axis in range(work.config.ndim)]

    def intensities(box: Box) -> np.ndarray:
        voxels = image.read(box.start, box.stop)[..., options.image_channel]
        return voxels.astype(np.float32)

    def parts() -> Iterator[np.ndarray]:
        for number in range(len(grid)):
            yield intensities(grid[number].core)

    def summarise(results: Results) -> Arrays:
        frame = results[table].frame
        level = options.threshold
        if level == "auto":
            ends = [(part.min(), part.max()) for part in parts() if part.size]
            span = float(max(high for _, high in ends) - min(low for low, _ in ends))
            found = streamed_otsu(parts, unit=span) if span else None
            level = np.inf if found is None else found
        return {
            "places": frame[columns].to_numpy(float),
            "classes": frame["class"].to_numpy(np.int32),
            "level": np.array(level, np.float64),
        }

    def find(block: Block, results: Results, known: Arrays) -> Made:
        wide = block.core.grown(margin, grid.shape)
        image_part = intensities(wide)
        allowed = image_part > float(known["level"])
        if region is not None:
            allowed &= np.asarray(results[region].array[wide.slices]).astype(bool)
        plane = None
        if options.surface == "plane":
            plane = point_planes(results[planes].array[wide.slices], work.config.channels).plane
        surface = surface_of(image_part, plane, spacing=spacing, options=options)
        around = Around(wide, surface, image_part, allowed)
        labels, seeds = grown(around, np.asarray(known["places"]), np.asarray(known["classes"]),
                              spacing=spacing, options=options)  # fmt: skip
        inner = block.core.relative_to(wide.start).slices
        pictures = {"seed_map": seeds, "surface": surface, "mask": allowed.astype(np.uint8)}
        own = labels[inner]
        return Made(
            own,
            lambda: Noted(counts={"objects": int(np.count_nonzero(np.bincount(own.ravel())[1:]))}),
            {work.run.step("grown", work.name, name): picture for name, picture in pictures.items()}
            if options.check_files and len(grid) == 1
            else {},
        )

    output = Output(
        spacing=spacing, target=work.labels(FOLDER),
        dtype=lambda results, known: io.smallest_label_type(len(known["places"])),
    )  # fmt: skip
    needs = (planes, table, *(() if region is None else (region,)))
    return Stage(
        name="grown", phase=table.phase, grid=grid, needs=needs, work=find, summarise=summarise,
        values=runs.phase_values(table.phase, work.config) | {"spacing": spacing}, output=output,
        reads={"image": image.path}, done="grown",
    )  # fmt: skip
