"""Commands that check: trust, judge-check, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from looptool_kit.cli.common import CARE, START, STUDIES, RunFolder, Set, app, overrides_of
from looptool_kit.core.terminal import say


@app.command(rich_help_panel=CARE)
def trust(
    path: RunFolder, yes: Annotated[bool, typer.Option("--yes", help="Confirm without asking.")] = False
) -> None:
    """Confirm what the settings of a run from elsewhere run or send.

    It shows which settings run a command or a file or send data; a confirmation is for this folder.
    """
    from looptool_kit import trust as settings
    from looptool_kit.run.folder import Run

    run = Run.open(path, read_only=True)
    acts = settings.acts(run.settings, path)
    for act in acts:
        say(f"{act.setting} {act.words}" + (" (confirmed before)" if settings.confirmed(path, act) else ""))
    if not acts:
        say(f"nothing in {run.path / 'run.toml'} runs a command or a file, or sends data")
    elif settings.unconfirmed(path, run.settings):
        if not yes and not typer.confirm("Shall these be obeyed for this folder?"):
            raise ValueError("nothing was confirmed")
        if not settings.confirm(path, acts):
            raise ValueError(
                "the confirmation cannot be kept: the folder of your user configuration cannot be written to"
            )
        say(f"confirmed. Next: looptool loop {path}")


@app.command(name="judge-check", rich_help_panel=STUDIES)
def judge_check(
    target: Annotated[
        Path,
        typer.Argument(
            help=(
                "A run folder (its seed pool under the true labels), or a file or folder of right labels in"
                " any form that `looptool import` reads."
            )
        ),
    ],
    judge: Annotated[
        str | None, typer.Option(help="The judge; the run's own if left out, else evidence.")
    ] = None,
    iteration: Annotated[
        int | None,
        typer.Option(
            help="Give the judge the log-probabilities of that iteration's policy (0: the base model)."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="At most that many samples, always the same ones.")
    ] = 60,  # SAMPLES and REPEATS of judge_target, which is not imported before it is needed
    repeats: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 2,
    set_: Set = None,
) -> None:
    """Plant known errors and measure the judge on each kind.

    That is its precision, recall and abstention, with intervals; every trial is kept.
    """
    from looptool_kit.studies.judge_target import check_target

    overrides = overrides_of(set_) | ({"verify__judge": judge} if judge else {})
    card, folder = check_target(target, overrides, iteration, samples, repeats)
    say(card)
    say(f"every trial, and the card, in {folder}")


@app.command(rich_help_panel=START)
def doctor(
    model: Annotated[
        str, typer.Argument(help="A model's folder, hub id or a run: in which form its policy writes calls.")
    ] = "embedded",
) -> None:
    """Check this machine: what it can do, and what is missing.

    With the remedy for each.
    """
    from looptool_kit.doctor import print_doctor

    raise typer.Exit(print_doctor(model))
