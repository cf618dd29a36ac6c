"""Commands about a whole run: init, loop, plan, convert, report, clean, lab."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from looptool_kit.cli.common import (
    CARE,
    LOOK,
    RUNS,
    START,
    Preset,
    RunFolder,
    SeedOption,
    Set,
    Yes,
    app,
    ask_before_loop,
    open_or_create,
    overrides_of,
    use_cluster,
)
from looptool_kit.core.terminal import say

if TYPE_CHECKING:
    from looptool_kit.run.folder import Run


@app.command(rich_help_panel=START)
def init(
    path: RunFolder,
    tools: Annotated[
        str | None,
        typer.Option(help="Your own tools: a .py file, an OpenAI or OpenAPI file, or mcp:<command or URL>."),
    ] = None,
    preset: Preset = None,
    seed: SeedOption = None,
    set_: Set = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Make one tool of near-duplicates (`looptool settings merge`).")
    ] = False,
) -> None:
    """Make a run folder with the settings of a preset.

    To read and edit before the loop starts. With --tools, for your own tools.
    """
    overrides = overrides_of(set_, seed) | ({"merge__tools": True} if merge else {})
    there = (path / "run.toml").exists()
    if tools is None:
        if merge and "seeds__source" not in overrides:
            raise ValueError(
                "--merge joins near-duplicates of your own tools: name these with --tools, or samples that"
                " have them with --set seeds.source=FILE"
            )
        run = open_or_create(path, preset, overrides)
    else:
        from looptool_kit.cli.own_tools import say_tools
        from looptool_kit.tools.own_tools import init as make
        from looptool_kit.trust import tools_kind

        kind = tools_kind(tools)
        act = {"python": "run", "mcp": "started or asked"}.get(kind)
        if act and (kind == "mcp" or Path(tools).exists()):
            say(f"{tools.removeprefix('mcp:')} is {act} now, to learn its tools", err=True)
        run = make(path, tools, preset or "cpu", **overrides)
        say_tools(run)
    holds = "was there already, and is as it was" if there else "holds the settings"
    say(f"{run.path / 'run.toml'} {holds}. Next: looptool loop {path}")


@app.command(rich_help_panel=START)
def loop(
    path: Annotated[
        Path | None, typer.Argument(help="The run folder; by default runs/ and the preset's name: runs/cpu.")
    ] = None,
    preset: Preset = None,
    seed: SeedOption = None,
    set_: Set = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Ray whose workers probe, score, verify, expand and evaluate: local (on this machine), auto,"
            " HOST:PORT or ray://HOST:PORT. For this command alone; for good set cluster.address."
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Close the loop: seed, train, evaluate, probe, verify, expand, compose, and again.

    Then print the scoreboard and write the report. A loop that was stopped resumes where it stopped.
    """
    from looptool_kit.core.progress import whole
    from looptool_kit.loop import Loop
    from looptool_kit.report.time_left import time_left
    from looptool_kit.run.run_toml import run_beside

    path = path or RUNS / (preset or "cpu")  # as `make loop` has it
    new = not (path / "run.toml").exists()
    run = open_or_create(path, preset, overrides_of(set_, seed))
    if new:
        say(f"{path} is a new run, with the preset {run.settings.preset}{run_beside(path)}", err=True)
    if cluster is not None:
        use_cluster(run, cluster)
    ask_before_loop(run, yes)
    if not run.iterations and (forecast := _forecast(run)):
        say(forecast)
    with whole(time_left(run)):
        Loop(run, say).run()
    _report(run)
    name = _command()
    say(
        f"next: open {run.path / 'report.html'} in a browser\n      {name} view {path}     every sample"
        f" behind it, to look at and decide on\n      {name} lab     the same stages and views"
        f" in notebooks, starting with a tour\n      {name} init runs/mine --tools my_tools.py && {name} loop"
        " runs/mine     the same for tools of your own"
    )


def _forecast(run: Run) -> str:
    """Time, memory and disk that the loop will take, in words; empty where that cannot be known."""
    from looptool_kit.core.terminal import duration
    from looptool_kit.report.forecast import forecast

    needs = forecast(run.settings)
    if needs is None:
        return ""
    count = run.settings.iterations
    return (
        f"{count} iteration{'s' * (count != 1)} of the loop: about"
        f" {duration(60 * max(1, round(needs.seconds / 60)))} on this machine, up to {needs.memory_gb:.0f} GB"
        f" of memory, {needs.disk_gb:.1f} GB of disk. Ctrl-C stops at any time; the same command resumes"
        " there."
    )


def _command() -> str:
    """How the user calls this command: `looptool` where the shell finds it, else its path."""
    import shutil

    called, on_path = Path(sys.argv[0]), shutil.which("looptool")
    if called.stem != "looptool" or (on_path and Path(on_path).resolve() == called.resolve()):
        return "looptool"
    return os.path.relpath(called) if called.is_absolute() else str(called)


@app.command(rich_help_panel=LOOK)
def plan(path: RunFolder) -> None:
    """Say what the loop would do on a run as it stands.

    Which stages are done, which would be made again, why, and how long they took.
    """
    from looptool_kit.audit.desk import refuse_desk
    from looptool_kit.report import plan as account
    from looptool_kit.run.folder import Run

    run = refuse_desk(Run.open(path, read_only=True))
    steps = account.plan(run)
    for step in steps:
        say(step)
    say(account.summary(run, steps))


@app.command(rich_help_panel=CARE)
def convert(path: RunFolder) -> None:
    """Convert a run folder of an earlier version (format 1).

    What is changed is kept in its folder `superseded`. It prints what could not be carried over.
    """
    from looptool_kit.report.plan import stages
    from looptool_kit.run.convert import convert as work

    for line in work(path, stages):
        say(line)
    say(f"{path} is converted. Next: looptool plan {path}")


@app.command(rich_help_panel=LOOK)
def report(path: RunFolder) -> None:
    """Print the scoreboard and write the run's report as one HTML file."""
    from looptool_kit.audit.desk import refuse_desk
    from looptool_kit.core.errors import RunError
    from looptool_kit.report.taken import timings
    from looptool_kit.run.folder import Run

    run = refuse_desk(Run.open(path, read_only=True))
    if not timings(run):
        raise RunError(
            f"nothing has run in {path} yet, so nothing can be reported. Next: looptool loop {path}"
        )
    _report(run)


def _report(run: Run) -> None:
    from looptool_kit.core.errors import full_disk_explained
    from looptool_kit.report.summary import print_scoreboard, report_run
    from looptool_kit.report.taken import took

    print_scoreboard(run)
    say(took(run))
    with full_disk_explained(run.path):
        say(f"report: {report_run(run)}")


@app.command(rich_help_panel=CARE)
def clean(
    path: RunFolder, yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False
) -> None:
    """Delete for good what later results have replaced.

    It lies in the folder `superseded` of a run.
    """
    import shutil

    from looptool_kit.run.folder import SUPERSEDED, Run

    with Run.open(path) as run:
        old = run.path / SUPERSEDED
        files = [p for p in old.rglob("*") if p.is_file()]
        if not files:
            say(f"{old} holds nothing")
            return
        size = sum(p.stat().st_size for p in files) / 2**20
        say(f"{old} holds {len(files)} files, {size:.1f} MiB, of results that others have replaced")
        if not yes and not typer.confirm("Delete them for good?"):
            raise ValueError("nothing was deleted")
        shutil.rmtree(old)
        say("deleted")


@app.command(rich_help_panel=START)
def lab(
    target: Annotated[Path, typer.Argument(help="The notebook or folder to open.")] = Path(
        "notebooks/00_tour.ipynb"
    ),
) -> None:
    """Open copies of the notebooks in JupyterLab, on the tour.

    The copies are in runs/notebooks. What you change there is kept; the repository's stay as they are.
    """
    import importlib.util
    import subprocess

    from looptool_kit.cli.notebooks import own_copies

    if importlib.util.find_spec("jupyterlab") is None or importlib.util.find_spec("anywidget") is None:
        raise ValueError(
            "JupyterLab is not installed here. Use `make lab`, which installs it, or `pip install -e"
            " '.[lab]'`."
        )
    if not target.exists():
        raise ValueError(
            f"{target} does not exist. Call this in the repository's folder, or name a notebook or a folder."
        )
    home, root, environment = target.resolve().parent, Path.cwd(), dict(os.environ)
    if target.is_file() and (home / "start.py").exists():
        root = RUNS.resolve()
        if behind := own_copies(home, root / "notebooks"):
            say(
                f"You have worked in {', '.join(behind)} of {root / 'notebooks'}, and the repository has"
                " newer ones: delete yours to get them."
            )
        target = root / "notebooks" / target.name
        # What the notebooks import lies beside their originals.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "jupyterlab", str(target)]
    if target.is_file():
        # The file browser then shows the runs and the reports in them.
        command += [f"--ServerApp.root_dir={root}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # as in most containers; the server asks for a token all the same
    raise typer.Exit(subprocess.call(command, env=environment))
