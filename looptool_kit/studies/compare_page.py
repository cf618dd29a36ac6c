"""The page of the documentation that `looptool compare --out` writes."""

from __future__ import annotations

from pathlib import Path

from looptool_kit import report
from looptool_kit.studies.arms import Arm, chosen
from looptool_kit.studies.compare import Comparison
from looptool_kit.studies.outcomes import Outcomes
from looptool_kit.studies.page import text


def is_page(file: Path) -> bool:
    """Whether a file is a page that `markdown` wrote.

    Another one may replace it.
    """
    template = Path(report.__file__).with_name("compare.md.jinja").read_text(encoding="utf-8")
    title = template.split("\n", 1)[0]
    return file.is_file() and file.read_text(encoding="utf-8", errors="replace").startswith(f"{title}\n")


def markdown(table: Outcomes, plan: Comparison, command: str = "") -> str:
    """How to compare, what was compared, and the results.

    Args:
        table: What `compare` found; empty where nothing was run.
        plan: What was compared.
        command: What wrote the page.
    """
    import jinja2

    # Markdown, not HTML: what is filled in are names, settings and numbers of ours.
    environment = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(Path(report.__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("compare.md.jinja").render(
        command=command,
        setting=_setting(plan, table),
        arms=[_row(name, plan.arms[name]) for name in chosen(plan.arms, plan.only)],
        results=text(table, plan.arms) if table else "Not run yet.",
    )


def _row(name: str, arm: Arm) -> list[str]:
    changes = [f"`{k.replace('__', '.')} = {v!r}`" for k, v in arm.changes.items()]
    settings = ", ".join([*changes, *(['`data = "seed"`'] if arm.data == "seed" else [])])
    return [cell.replace("|", "\\|").replace("\n", " ") for cell in (name, arm.words, settings or "none")]


def _setting(plan: Comparison, table: Outcomes) -> str:
    settings, first = plan.settings, plan.arms[plan.first].words
    budget = (
        f"The budget of an arm is {plan.budget:,} tokens after D1."
        if plan.budget
        else "There is no budget, but for seed data alone, which get what the first arm spends."
        if plan.budget == 0
        else f"The budget of an arm is what the first one ({first}) spends after D1."
    )
    count = len(plan.seeds)
    n = len(next(iter(table)).ids) if table else settings.held_out
    return (
        f"Preset `{plan.preset}`, model `{settings.model}`, {count} random seed{'s' * (count != 1)}"
        f" ({', '.join(map(str, plan.seeds))}), {n} held-out samples a seed, {settings.iterations}"
        f" iterations of the loop. {budget}{_machine() if table else ''}"
    )


def _machine() -> str:
    """Where this runs."""
    import os
    import platform

    import torch
    import transformers
    import trl

    cores = f"{os.cpu_count()} cores, {platform.machine()}"
    where = f"{torch.cuda.get_device_name()}, {cores}" if torch.cuda.is_available() else cores
    return (
        f" Machine: {where}; torch {torch.__version__}, transformers {transformers.__version__}, trl"
        f" {trl.__version__}, Python {platform.python_version()}."
    )
