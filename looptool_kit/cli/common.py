"""The app, and what its commands share: options, and how a run is opened."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from looptool_kit.core.terminal import say

if TYPE_CHECKING:
    from looptool_kit.run.folder import Run

START, LOOK, STAGES = "Start", "Look at a run", "One stage at a time"
STUDIES, DATA, CARE = "Compare and measure", "Data in and out", "Care of run folders"
"""The panels of the help."""
RUNS = Path("runs")
"""Where runs are kept unless a person says otherwise."""
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="The loop and its stages on a run folder.",
)


@app.callback()
def main_options(
    version: Annotated[  # noqa: ARG001 - `_version` has done what it asks for
        bool,
        typer.Option(
            "--version", help="Say which version this is.", callback=lambda v: _version(v), is_eager=True
        ),
    ] = False,
) -> None:
    """The loop and its stages on a run folder."""


def _version(wanted: bool) -> None:
    if wanted:
        from looptool_kit.core.versions import version

        say(f"looptool {version()}")
        raise typer.Exit


RunFolder = Annotated[Path, typer.Argument(help="The run folder.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting, e.g. --set grpo.steps=2; may be given several times. `looptool settings` lists all.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Settings to start from, by default cpu. There are:"
        " cpu, cpu-hard, cpu-quick, single-gpu-0.6b, single-gpu-16gb, single-gpu-4b, single-gpu-8b."
    ),
]
SeedOption = Annotated[int | None, typer.Option(help="Random seed of the run.")]
Yes = Annotated[
    bool, typer.Option("--yes", help="Make again what has finished without asking, also on a terminal.")
]
FormOption = Annotated[
    str | None,
    typer.Option(help="openai, sharegpt, hermes, xlam, trl, verl or looptool; found row by row if left out."),
]
Iteration = Annotated[int | None, typer.Option(min=1, help="Iteration; the newest one if left out.")]


def overrides_of(pairs: list[str] | None, seed: int | None = None) -> dict[str, Any]:
    """The options --set and --seed as overrides of `Run.create`.

    Raises:
        ValueError: A --set is not of the form name=value, or names a strategy that is not there.
    """
    from looptool_kit.config import is_list
    from looptool_kit.stages._find import check_strategy

    overrides: dict[str, Any] = {} if seed is None else {"seed": seed}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: write name=value, e.g. --set grpo.steps=2")
        value = _value(text)
        if is_list(name.strip()) and not isinstance(value, list):
            # As people write one: music,alarm or [music].
            parts = text.strip().removeprefix("[").removesuffix("]").split(",")
            value = [_value(part.strip()) for part in parts if part.strip()]
        check_strategy(name.strip(), value, f"--set {name.strip()}={text}")
        overrides[name.strip().replace(".", "__")] = value
    return overrides


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def open_or_create(path: Path, preset: str | None, overrides: dict[str, Any]) -> Run:
    """Open the run as it is, or create one.

    As it is where neither a preset nor settings are given; else `Run.create`.
    """
    from looptool_kit.audit.desk import refuse_desk
    from looptool_kit.run.folder import Run

    if (path / "run.toml").exists() and preset is None and not overrides:
        return refuse_desk(Run.open(path))
    return refuse_desk(Run.create(path, preset or "cpu", **overrides))


def use_cluster(run: Run, address: str) -> None:
    """Let the work of this command go to a cluster.

    It holds whatever `run.toml` says.
    """
    from looptool_kit import trust
    from looptool_kit.config import with_overrides

    before, given = run.settings, {"cluster__address": address}
    run.settings = with_overrides(before, **given)
    trust.confirm_given(run.path, run.settings, given, before)


def on_terminal() -> bool:
    """Whether a person sits there who can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask_before_redoing(run: Run, yes: bool) -> None:
    """Ask once before a stage makes again what took long.

    Only on a terminal; elsewhere it is only said.
    """
    asks = not yes and on_terminal()

    def announce(text: str) -> None:
        nonlocal asks
        say(text)
        if asks:
            _ask("Make it again?")
            asks = False

    run.announce = announce


def ask_before_loop(run: Run, yes: bool) -> None:
    """Ask as `ask_before_redoing`, for all stages of the loop.

    Before the first of them, since nobody waits beside a loop.
    """
    run.announce = say
    if yes or not run.iterations or not on_terminal():
        return
    from looptool_kit.report import plan as account
    from looptool_kit.run.stage import MIN_ANNOUNCED_SECONDS, UNREADABLE

    steps = account.plan(run)
    again = [s for s in steps if s.state == "again"]
    took = sum(s.seconds for s in steps if s.state in ("again", "follows"))
    if again and (took >= MIN_ANNOUNCED_SECONDS or any(UNREADABLE in s.why for s in again)):
        for step in again:
            say(step)
        say(account.summary(run, steps))
        _ask("Make them again?")


def _ask(question: str) -> None:
    from looptool_kit.core.errors import RunError

    if not typer.confirm(question):
        raise RunError(
            "nothing was made again. What has finished is used again where the settings and inputs are those"
            " that it was made from: set back what was named above, or continue with --yes."
        )


def refuse_existing(out: Path) -> None:
    """Raise where something exists that would be lost.

    Raises:
        FileExistsError: The path exists.
        ValueError: It is inside a run.
    """
    from looptool_kit.core import remote
    from looptool_kit.run.run_toml import run_around

    if url := remote.url_of(out):
        if remote.exists(url):
            raise FileExistsError(
                f"{url} exists already, and nothing is written over it: give another name, or remove it first"
            )
        return
    if out.exists() or out.is_symlink():
        raise FileExistsError(
            f"{out} exists already, and nothing is written over it: give another name, or move it away first"
        )
    if run := run_around(out.absolute().resolve()):
        raise ValueError(
            f"{out} is inside the run {run}, which keeps its own files there: give a place outside of it"
        )
