"""The command `simulate`: time and cost of a loop on many GPUs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from looptool_kit.cli.common import STUDIES, app
from looptool_kit.core.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from looptool_kit.capacity.local import Compared
    from looptool_kit.capacity.scenario import Scenario

PAGE = ("paper", "four-billion", "embedded", "ten-million")
"""The scenarios of the page, in its order."""


@app.command(rich_help_panel=STUDIES)
def simulate(
    scenario: Annotated[
        str,
        typer.Argument(
            help="paper, four-billion, embedded, ten-million, or a .toml file (docs/scale-plan.md)."
        ),
    ] = "paper",
    gpus: Annotated[
        int | None, typer.Option(min=1, help="GPUs of the cluster; as the scenario says if left out.")
    ] = None,
    interruptions: Annotated[
        float | None,
        typer.Option(min=0, help="Of a GPU in an hour, as spot machines have them; as the scenario says."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Run the engine here in one and two processes, simulate the same, and keep both in this JSON"
            " file; where it is there it is read."
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the page about all scenarios, and its picture, to this file.")
    ] = None,
) -> None:
    """Simulate one iteration of the loop on a cluster.

    Time and cost by stage, where the bottleneck is, and how it moves with the number of GPUs. What a run
    folder would do next is `looptool plan`.
    """
    from looptool_kit.capacity import figures, local
    from looptool_kit.capacity import page as pages
    from looptool_kit.capacity.scenario import load

    compared = local.kept(check) if check else []
    if page:
        _write(page, compared, seed)
        return
    plan = _changed(load(scenario), gpus, interruptions)
    say(pages.summary(plan, figures.grow(plan, figures.sizes_around(plan.workers), seed), seed))
    for c in compared:
        say(
            f"checked here: {c.rows} samples by {c.processes} process{'es' * (c.processes > 1)}: real"
            f" {c.real:.1f} s, simulated {c.simulated:.1f} s ({c.simulated / c.real - 1:+z.1%})"
        )


def _changed(plan: Scenario, gpus: int | None, interruptions: float | None) -> Scenario:
    cluster = {} if interruptions is None else {"interruptions": interruptions}
    changes = {} if gpus is None else {"workers": gpus}
    return plan.model_copy(update={**changes, "cluster": plan.cluster.model_copy(update=cluster)})


def _write(target: Path, compared: Sequence[Compared], seed: int) -> None:
    import datetime
    import os
    import platform

    from looptool_kit.capacity import figures
    from looptool_kit.capacity import page as pages
    from looptool_kit.capacity.scenario import load
    from looptool_kit.core.tables import write_text

    plans = []
    for name in PAGE:
        plan = load(name)
        say(f"{name} ...", err=True)
        rows = figures.grow(plan, figures.sizes_around(plan.workers), seed)
        plans.append((plan, rows, figures.troubles(plan, seed)))
    about = (
        f"`{' '.join(['looptool', *sys.argv[1:]])}`, {datetime.date.today()}; {os.cpu_count()} processors,"
        f" load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    write_text(target, pages.page(plans, compared, seed, about))
    plan, rows, _ = plans[-1]
    write_text(target.with_name(pages.PICTURE), pages.plot(plan.title.split(",")[0], rows))
    say(f"{target}, {target.with_name(pages.PICTURE)}")
