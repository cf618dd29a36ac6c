"""One command a stage: seed, train, probe, frontier, verify, expand, compose, evaluate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from looptool_kit.cli.common import (
    STAGES,
    Iteration,
    Preset,
    RunFolder,
    SeedOption,
    Set,
    Yes,
    app,
    ask_before_redoing,
    open_or_create,
    overrides_of,
)
from looptool_kit.core.terminal import say

if TYPE_CHECKING:
    from looptool_kit.run.folder import Run


def _stage(path: Path, yes: bool, work: Callable[[Run], object]) -> Run:
    """Run a stage and print its result; returns the run."""
    from looptool_kit.audit.desk import refuse_desk
    from looptool_kit.run.folder import Run

    run = refuse_desk(Run.open(path))
    ask_before_redoing(run, yes)
    say(repr(work(run)))
    return run


@app.command(rich_help_panel=STAGES)
def seed(
    path: RunFolder,
    preset: Preset = None,
    seed: SeedOption = None,
    noise: Annotated[
        float | None, typer.Option(help="Share of labels that get a planted annotator's error.")
    ] = None,
    set_: Set = None,
    yes: Yes = False,
) -> None:
    """Make the seed data.

    The pool, D1, the held-out splits and the truth behind planted noise.
    """
    from looptool_kit.stages.seed.stage import seed as stage

    overrides = overrides_of(set_, seed) | ({} if noise is None else {"seeds__noise": noise})
    run = open_or_create(path, preset, overrides)
    ask_before_redoing(run, yes)
    say(f"{stage(run)} in {run.folder(1) / 'samples.parquet'}; held-out splits and truth in {run.folder(0)}")


@app.command(rich_help_panel=STAGES)
def train(
    path: RunFolder,
    iteration: Iteration = None,
    on: Annotated[
        str | None,
        typer.Option("--on", help="verl: this iteration's GRPO on verl (docs/verl.md); here: as before."),
    ] = None,
    python: Annotated[
        str | None, typer.Option(help="With --on verl: the Python of verl's environment, which is started.")
    ] = None,
    gpus: Annotated[int, typer.Option(min=1, help="With --on verl: GPUs of a machine.")] = 8,
    machines: Annotated[int, typer.Option(min=1, help="With --on verl: machines.")] = 1,
    back: Annotated[
        Path | None, typer.Option(help="With --on verl: the folder `back` of another machine.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Train the policy on D_j.

    With --on verl its GRPO runs on verl: started here, or its files and the command for another machine are
    written. The trained adapter is taken back by the same command.
    """
    from looptool_kit.stages.train import verl
    from looptool_kit.stages.train.stage import train as stage

    if on not in (None, "verl", "here"):
        raise ValueError(f"--on {on}: give verl or here")
    if on != "verl" and (python or back):
        raise ValueError("--python and --back go with --on verl")

    def work(run: Run) -> object:
        if on:
            verl.mark(run, iteration or run.iteration, on)
        return stage(run, iteration=iteration)

    launch = verl.Launch(python, gpus, machines, back) if on == "verl" else None
    token = verl.LAUNCH.set(launch)
    try:
        _stage(path, yes, work)
    except verl.Waiting as waiting:
        if on != "verl":
            raise
        say(waiting)
    finally:
        verl.LAUNCH.reset(token)


@app.command(rich_help_panel=STAGES)
def probe(path: RunFolder, iteration: Iteration = None, yes: Yes = False) -> None:
    """Greedy-decode D_j: predictions, perplexities, matches."""
    from looptool_kit.stages.probe import probe as stage

    _stage(path, yes, lambda run: stage(run, iteration=iteration))


@app.command(rich_help_panel=STAGES)
def frontier(path: RunFolder, iteration: Iteration = None, yes: Yes = False) -> None:
    """Measure which samples of D_j the policy gets right sometimes.

    By several rollouts of each.
    """
    from looptool_kit.stages.train.frontier import frontier as stage

    _stage(path, yes, lambda run: stage(run, iteration=iteration))


@app.command(rich_help_panel=STAGES)
def verify(
    path: RunFolder,
    iteration: Iteration = None,
    again: Annotated[
        bool,
        typer.Option(help="Judge again: only calls to a model that failed are made, the rest is kept."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Judge the failed samples' labels."""
    from looptool_kit.stages.verify.stage import verify as stage
    from looptool_kit.studies.judge_card import warning

    run = _stage(path, yes, lambda run: stage(run, iteration=iteration, again=again))
    if text := warning(run):
        say(text, fg="yellow", err=True)


@app.command(rich_help_panel=STAGES)
def expand(
    path: RunFolder,
    iteration: Iteration = None,
    again: Annotated[
        bool,
        typer.Option(
            help="Expand again: of calls to a model only those that failed are made, and what follows."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Write new samples from the error seeds."""
    from looptool_kit.stages.expand.stage import expand as stage

    _stage(path, yes, lambda run: stage(run, iteration=iteration, again=again))


@app.command(rich_help_panel=STAGES)
def compose(path: RunFolder, iteration: Iteration = None, yes: Yes = False) -> None:
    """Compose D_{j+1}, obeying what people decided."""
    from looptool_kit.stages.compose import compose as stage

    _stage(path, yes, lambda run: stage(run, iteration=iteration))


@app.command(rich_help_panel=STAGES)
def evaluate(
    path: Annotated[Path | None, typer.Argument(help="The run folder.")] = None,
    iteration: Annotated[
        int | None, typer.Option(min=0, help="Iteration, 0 for the base model; the newest one if left out.")
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            help="held_out (the run's own held-out splits), bfcl, ...: any other name lists those there are."
        ),
    ] = "held_out",
    setup: Annotated[
        bool,
        typer.Option(
            "--setup", help="Fetch what the benchmark needs first (bfcl: from the package index, once)."
        ),
    ] = False,
    categories: Annotated[
        str | None, typer.Option(help="Benchmarks: categories or groups, by commas.")
    ] = None,
    per_category: Annotated[
        int | None,
        typer.Option(min=1, help="Benchmarks: evaluate that many of each category, always the same ones."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Score the policy of an iteration on a suite.

    Iteration 0 is the base model; without a suite the held-out splits.
    """
    from looptool_kit.audit.desk import refuse_desk
    from looptool_kit.policy.policy import policy_of
    from looptool_kit.run.folder import Run
    from looptool_kit.stages import evaluate as suites
    from looptool_kit.stages.evaluate.stage import evaluate as stage

    module = suites.find_suite(suite)
    if setup and (where := suites.setup(suite)):
        say(f"{suite} is set up in {where}")
    if path is None:
        if setup:
            return
        raise ValueError("name the run folder whose policy is to be evaluated")
    run = refuse_desk(Run.open(path))
    ask_before_redoing(run, yes)
    policy = policy_of(run, run.iteration if iteration is None else iteration)
    scores = stage(run, policy, suite, categories.split(",") if categories else None, per_category)
    module.print_scores(run, policy, scores)
    say(
        f"rows in {run.folder(policy.iteration)}; what failed:"
        f" ProbeView(*looptool_kit.failures(run, policy, {suite!r}))"
    )
