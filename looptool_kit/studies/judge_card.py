"""The cards that `looptool judge-check` left in a run, read again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from looptool_kit.core.errors import RunError
from looptool_kit.core.tables import read_json
from looptool_kit.run.folder import Run
from looptool_kit.studies.judge_check import SHARE

FLOOR = 0.9
"""Least precision of LABEL_WRONG at `SHARE` wrong labels below which a run is warned of its judge."""


class Card(BaseModel):
    """What every reader of a card takes for granted."""

    model_config = ConfigDict(extra="allow")
    judge: str = ""
    samples: int = 0
    repeats: int = 0
    precision: Annotated[float, Field(ge=0, le=1)]


def read_card(run: Run, file: Path) -> dict[str, Any]:
    """Return the facts of a card.

    Raises:
        RunError: The file is damaged; says the command that makes another.
    """
    remedy = f"Make another in a terminal: looptool judge-check {run.path.resolve()}"
    return read_json(file, Card, remedy).model_dump()


def warning(run: Run) -> str:
    """Warn where the run's judge is unchecked or weak.

    Never checked, checked with another model, or below `FLOOR`: one line that names the command; empty where
    all is well. The evidence judge on the world's samples has a published card (docs/judge-report.md) and is
    not warned of for want of one.
    """
    judge = run.settings.verify.judge
    cards = sorted((run.path / "judge_check").glob(f"{judge}*/card.json"))
    if not cards:
        known = judge == "evidence" and run.settings.seeds.source == "world"
        return (
            ""
            if known
            else f"The judge {judge!r} was never checked on this run's data: looptool judge-check {run.path}"
        )
    try:
        card = read_card(run, cards[-1])
    except RunError as error:
        return str(error)
    asked = [j["model"] for j in card.get("repeat_1", {}).get("judges", ())]
    first = run.settings.judge_llm or run.settings.generator_llm
    now = [e.model for e in (first, *run.settings.jury.others) if e]
    if asked and asked != now:
        return (
            f"{cards[-1]} is of {', '.join(asked)}, and the judge {judge!r} asks {', '.join(now)}:"
            f" looptool judge-check {run.path}"
        )
    precision = card["precision"]
    if precision >= FLOOR:
        return ""
    return (
        f"Where {SHARE:.0%} of labels are wrong, {precision:.0%} of what the judge {judge!r} calls"
        f" LABEL_WRONG is wrong, and {FLOOR:.0%} should be: {cards[-1]}"
    )
