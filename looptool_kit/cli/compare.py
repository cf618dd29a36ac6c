"""Commands that run whole loops side by side: compare, ablate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from looptool_kit.cli.common import STUDIES, Set, app, overrides_of, refuse_existing
from looptool_kit.core.terminal import say

PresetOfArms = Annotated[str, typer.Option("--preset", help="Settings that all arms start from.")]
Seeds = Annotated[
    str,
    typer.Option("--seeds", help="Random seeds, by commas; three or more for intervals that mean something."),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", min=1, help="Runs at once, each in a process of its own that writes to a log."),
]


@app.command(rich_help_panel=STUDIES)
def compare(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="The folder that holds the arms' runs, the table and the page (runs/compare). Or two or more"
            " run folders: they are compared as they are."
        ),
    ] = None,
    arms: Annotated[
        Path | None, typer.Option(help="TOML file of the arms; left out: every strategy of the package.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only these arms of the file beside its first one, by commas.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Tokens of each arm after D1, for training and what is generated for it. Left out: as many"
            " as the first arm spends; 0: no budget.",
        ),
    ] = None,
    preset: PresetOfArms = "cpu",
    seeds: Seeds = "0,1,2",
    jobs: Jobs = 1,
    out: Annotated[
        Path | None, typer.Option(help="Write the results as a Markdown page too, e.g. docs/compare.md.")
    ] = None,
    set_: Set = None,
) -> None:
    """Compare arms of settings under one budget of tokens.

    Which strategy learns more? All start from one policy D1 a random seed and are scored on the same
    held-out samples. It says first about how long it takes. What has finished is kept, and a stopped one
    resumes where it stopped.

    Several run folders are compared without another training: paired on the held-out samples they share.
    """
    from looptool_kit.core.tables import write_text
    from looptool_kit.studies.arms import read_arms, shipped
    from looptool_kit.studies.compare import Comparison
    from looptool_kit.studies.compare_page import is_page, markdown

    if paths and len(paths) > 1:
        given_too = {"--arms": arms, "--only": only, "--budget": budget, "--set": set_, "--out": out}
        if unused := [name for name, value in given_too.items() if value is not None]:
            raise ValueError(f"{', '.join(unused)}: runs that have finished are compared as they are")
        _finished(paths)
        return
    if out and not is_page(out):
        refuse_existing(out)
    path = paths[0] if paths else Path("runs/compare")
    every = read_arms(arms or shipped("arms"))
    plan = Comparison(path, every, preset, _numbers(seeds), budget, overrides_of(set_), _names(only))
    found = _run(plan, jobs)
    if out:
        options = {"arms": arms, "only": only, "budget": budget, "preset": preset, "seeds": seeds}
        write_text(out, markdown(found, plan, _command(path, options, set_ or ())))
        say(f"page: {out}")


@app.command(rich_help_panel=STUDIES)
def ablate(
    path: Annotated[
        Path, typer.Argument(help="The folder that holds the arms' runs, the table and the plot.")
    ] = Path("runs/ablation"),
    preset: PresetOfArms = "cpu",
    seeds: Seeds = "0,1,2",
    arms: Annotated[
        str | None,
        typer.Option(
            help="Only these beside the full loop, by commas: no-hppl,no-jglv,no-edde,repeat,control."
        ),
    ] = None,
    jobs: Jobs = 1,
    set_: Set = None,
) -> None:
    """Run the loop, the loop without each part, and a control.

    Does the loop help? The control is seed data alone for as many tokens. All start from one policy D1 a
    random seed. It says first how long it will take. What has finished is kept, and a stopped one resumes
    where it stopped.
    """
    from looptool_kit.studies.arms import ARMS
    from looptool_kit.studies.compare import Comparison

    wanted = _names(arms)
    _run(Comparison(path, ARMS, preset, _numbers(seeds), 0, overrides_of(set_), wanted, "ablation"), jobs)


def _command(path: Path, options: Mapping[str, Any], set_: Sequence[str]) -> str:
    """The command line that repeats a comparison."""
    given = [f"--{k} {v}" for k, v in options.items() if v is not None]
    return " ".join(["looptool compare", str(path), *given, *(f"--set '{s}'" for s in set_)])


def _finished(paths: list[Path]) -> None:
    """Print what finished runs did, side by side."""
    from looptool_kit.studies.finished import compare_runs
    from looptool_kit.studies.page import text

    say(text(*compare_runs(paths)))


def _run(plan: Any, jobs: int) -> Any:
    """Run a comparison and print its tables."""
    from looptool_kit.studies.compare import compare
    from looptool_kit.studies.page import text

    found = compare(plan, jobs, say)
    say(f"\n{text(found, plan.arms)}\n\nforest plots: {plan.root / f'{plan.name}.html'}")
    return found


def _numbers(seeds: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(n) for n in seeds.split(",")))
    except ValueError:
        raise ValueError(
            f"--seeds {seeds}: write whole numbers with commas between them, e.g. --seeds 0,1,2"
        ) from None


def _names(arms: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in arms.split(",")) if arms else None
