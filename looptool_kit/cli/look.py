"""Commands that look: runs, settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from looptool_kit.cli.common import LOOK, RUNS, app
from looptool_kit.core.terminal import say, show


@app.command(name="runs", rich_help_panel=LOOK)
def runs_command(
    folder: Annotated[
        Path, typer.Argument(help="The folder that holds runs, three deep at the most.")
    ] = RUNS,
) -> None:
    """List the runs in a folder.

    How far each is, how its policies score, and when it last changed.
    """
    from rich.table import Table as Grid

    from looptool_kit.core.terminal import cell
    from looptool_kit.report.runs import runs

    if folder == RUNS and not folder.exists():
        say("no run yet: looptool loop")
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: name the one that holds your runs")
    found = runs(folder)
    if not found:
        say(f"there is no run in {folder}. Make one with `looptool loop {folder / 'mine'}`.")
        return
    grid = Grid(title="held-out exact match of the first and the last policy")
    for name in ("run", "state", "first", "last", "preset", "changed"):
        grid.add_column(name, overflow="fold")
    for line in found:
        when = line.changed.astimezone().strftime("%Y-%m-%d %H:%M") if line.changed else ""
        place = line.path.relative_to(folder) if line.path != folder else line.path
        grid.add_row(*map(cell, (place, line.state, line.first, line.last, line.preset, when)))
    show(grid)
    for line in found:
        if line.error:
            say(line.error, fg="yellow", err=True)


@app.command(name="settings", rich_help_panel=LOOK)
def settings_command(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Only settings whose name, meaning or stages hold all these words, e.g. sft."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Show the values of this run in place of a preset's.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Show the values of this preset.", show_default="cpu")
    ] = None,
) -> None:
    """Explain a setting, and what a change of it makes again.

    Its meaning, its value in a preset or run, its possible values, and the stages.
    """
    from looptool_kit.config import load_preset
    from looptool_kit.core.errors import did_you_mean
    from looptool_kit.report.settings import settings
    from looptool_kit.run.run_toml import read_settings

    if run and preset:
        raise ValueError("give --run or --preset, not both")
    of = read_settings(run) if run else load_preset(preset or "cpu")
    found = settings(tuple(word.partition("=")[0] for word in words or ()), of)
    for line in found:
        say(f"{line.name} = {line.default}", bold=True)
        say(f"  {line.values}; a change redoes: {line.redoes}")
        if line.meaning:
            say(f"  {line.meaning}")
    if not found:
        names = [line.name for line in settings()]
        near = next(filter(None, (did_you_mean(word, names) for word in words or ())), "")
        raise ValueError(f"no setting is about {' '.join(words or ())}{near}; `looptool settings` lists all")
    count = f"{len(found)} setting{'s' if len(found) != 1 else ''}"
    whose = f"of {run}" if run else f"of the preset {preset or 'cpu'}"
    say(f"{count}, with the values {whose}. Of a new run --set NAME=VALUE changes one, then its run.toml.")
