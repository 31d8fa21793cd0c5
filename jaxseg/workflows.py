"""Straight lines from a configuration to results: train, predict, process, evaluate.

:func:`run` checks everything first, then calls the phases in their order. Each phase reads files
that an earlier one finished, so each can run alone, on another day or machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console

from jaxseg import blocks, hosts, io
from jaxseg.blocks.stage import Step, View, with_needs
from jaxseg.config import Config
from jaxseg.errors import ConfigError
from jaxseg.planning.space import refuse_without_space, space_needed
from jaxseg.prediction.predictor import predictor_of
from jaxseg.progress import progress
from jaxseg.runs import manifest as runs
from jaxseg.runs.division import DECODE, division_of_planes, division_of_results
from jaxseg.runs.executor import run_by_blocks, run_in_memory, run_plans
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.lock import locked, paths_of
from jaxseg.runs.needs import Plan, await_needs, is_complete, published, target_of
from jaxseg.runs.results import is_begun, versions_of
from jaxseg.signals import safe_point
from jaxseg.stages.chosen import versions_of_planes
from jaxseg.stages.planes import PREDICT, planes_as_tiff
from jaxseg.stages.predicting import prediction, prediction_state
from jaxseg.stages.shown import Shown
from jaxseg.tasks import checked, phases_of, plan_of, remote, task_of
from jaxseg.tasks.comparing import EVALUATE
from jaxseg.tasks.exporting import export_trained
from jaxseg.tasks.inputs import Samples
from jaxseg.tasks.left_out import copy_left_out
from jaxseg.tasks.rescaling import write_back
from jaxseg.tasks.stacking import result_works
from jaxseg.tasks.training import train_network
from jaxseg.tasks.tuning import TUNE, tune_decoder


def run(config: Config) -> None:
    """Check the configuration and its data, then run its phases.

    Raises
    ------
    JaxsegError : all that is wrong with the configuration and the data, before any compute
    ResourceError : the results will not fit the disk
    """
    samples = checked(config)
    folders, phases = runs.open_run(config), phases_of(config)
    with ExitStack() as held:

        def enter() -> None:
            locks = paths_of(folders.results, phases, shared=not division_of_planes(config).whole)
            held.enter_context(locked(locks))
            _sweep(folders)
            if not {"train", PREDICT} & set(phases):
                runs.refuse_replaced(
                    folders, {s.name: s.image.path for s in samples.get("test", ())}
                )
            refuse_without_space(space_needed(config, folders, samples, phases), folders.results)

        hosts.first_alone(enter)
        for phase in phases:
            safe_point()
            run_phase(config, folders, samples, phase)


def run_phase(config: Config, run: Run, samples: Samples, phase: str) -> None:
    """One phase of a run whose configuration was checked."""
    if phase == "train":
        train_network(config, run, samples)
        if hosts.is_first():
            export_trained(config, run)
    elif phase == PREDICT:
        predict(config, run, samples)
    elif phase == TUNE:
        tune_decoder(config, run, samples)
    elif phase == EVALUATE:
        evaluate(config, run, samples)
    else:
        process(config, run, samples, phase)


def _sweep(run: Run) -> None:
    """Remove what earlier starts that were killed left half written."""
    found = [io.sweep(place) for place in (run.config_file.parent, run.checkpoints, run.results)]
    if count := sum(map(len, found)):
        print(f"removed {count} half-written files and folders of earlier starts", flush=True)


# ------------------------------------------------------------------------------------ predict


def predict(config: Config, run: Run, samples: Samples) -> None:
    """Predict the planes of every test image; images that are done already are passed over."""
    predictor = predictor_of(config, run.checkpoints, samples["test"])
    read = {"weights": predictor.digest} | runs.reference_inputs(config, "test")
    digest, division = runs.claim(run, PREDICT, config, read), division_of_planes(config)
    if hosts.is_first():
        copy_left_out(config, run, "test", samples)
    for work in works(config, run, samples):
        safe_point()
        state = prediction_state(work, digest)
        if runs.is_done(run, PREDICT, work.name, state, [work.planes]) and _has_all_blocks(work):
            planes_as_tiff(work)
            continue
        plan = Plan(work, (prediction(work, predictor, digest),))
        if run_plans([plan], {PREDICT}, division) is None:
            continue
        # What was made by blocks has the hash of every block.
        whole = [work.planes] if division.whole else []
        runs.mark_done(run, PREDICT, work.name, state, whole)
        planes_as_tiff(work)


def _has_all_blocks(work: Work) -> bool:
    """Whether no block of the planes was taken back since, because it is damaged."""
    folder = work.stage(PREDICT)
    return not (folder / "ledger.json").exists() or is_complete(blocks.read_ledger(folder))


def works(config: Config, run: Run, samples: Samples) -> list[Work]:
    """The test images."""
    return [Work(config, run, sample) for sample in samples["test"]]


# ------------------------------------------------------------------------------------ process


def process(config: Config, run: Run, samples: Samples, phase: str = DECODE) -> None:
    """Make results of predicted planes, and all that is done to them.

    Parameters
    ----------
    config, run, samples : of the run
    phase : decode in memory; by blocks one of the phases of the task

    Raises
    ------
    ConfigError : what the phase reads is missing, or was made in the other way
    Interrupted : other jobs have not done all their blocks yet
    """
    task, division = task_of(config), division_of_results(config)
    plans = [plan_of(work, phase) for work in result_works(config, run, samples["test"])]
    together, order = division.together(phase, task.phases), division.phases(task.phases)
    before = (PREDICT, *order)[order.index(phase)]
    upstream = runs.claimed(run, before)
    if not upstream and before != PREDICT:  # planes may come from elsewhere
        raise ConfigError(
            "no instances were created yet", where=run.results, fix=f"--phases {before} {phase}"
        )
    runs.refuse_other_way(run, sorted({DECODE, *task.phases} - set(order)), config)
    await_needs(plans, together)
    versions = versions_of_planes(config, run, upstream) if before == PREDICT else upstream
    digest = runs.claim(run, phase, config, versions)
    if division.whole:
        _process_in_memory(run, plans, together, digest)
    elif not run_by_blocks(plans, phase):
        return
    write_back(plans, together)


def _process_in_memory(run: Run, plans: list[Plan], phases: Sequence[str], digest: str) -> None:
    """Everything between planes and results, image by image; done ones are passed over."""
    with progress(DECODE) as advance:
        for number, plan in enumerate(plans, start=1):
            safe_point()
            work, results = plan.work, published(plan, phases)
            state = {"digest": digest}
            if not work.sample.parts:  # of a stack the planes are among what its steps read
                state["input"] = runs.input_version(work.planes)
            for step in with_needs(plan.steps):
                state |= versions_of(step) if isinstance(step, View) else {}
            if begun := [stage for stage in results if is_begun(work, stage)]:
                raise ConfigError(
                    "results made by blocks lie here",
                    where=work.stage(begun[0].name),
                    fix="--run ANOTHER_NAME",
                )
            files = [path for stage in results if (path := target_of(stage))]
            if not runs.is_done(run, DECODE, work.name, state, files):
                images = [part.name for part in work.sample.parts] or [work.name]
                with runs.redone_if_damaged(run, PREDICT, images):
                    run_in_memory(plan, phases)
                runs.mark_done(run, DECODE, work.name, state, files)
            advance(number, len(plans))


# ----------------------------------------------------------------------------------- evaluate


def evaluate(config: Config, run: Run, samples: Samples) -> None:
    """Compare every test image that has labels; draw all of them."""
    task, plans = task_of(config), []
    found: list[tuple[Shown, Step]] = []
    paths: dict[str, str] = {}
    for work in result_works(config, run, samples["test"]):
        shown = task.steps(work).shown
        stages = tuple(task.count(work, one) for one in shown)
        found += zip(shown, stages, strict=True)
        plans.append(Plan(work, stages, remote))
        paths |= task.files(work, shown)
    runs.claim(run, EVALUATE, config, runs.input_versions(paths))
    results = run_plans(plans, {EVALUATE}, division_of_results(config))
    if results is None:
        return
    counted = [
        task.gather(plan.work, shown, stage, result)
        for plan, result in zip(plans, results, strict=True)
        for shown, stage in found
        if stage in plan.steps
    ]
    console = Console(width=None if Console().is_terminal else 120)
    task.compare(config, run, counted, console)
    runs.end(run, EVALUATE)
    console.print(f"results: {run.results}", soft_wrap=True)
