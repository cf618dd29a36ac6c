"""What a training's quantities mean and how they changed, in plain words, for TrainingView."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from looptool_kit.run.folder import Run
from looptool_kit.widgets.view import on_page

MEANINGS = {
    "loss": "what the training makes smaller: of SFT how unlikely the labels' tokens are to the policy; of"
    " GRPO it stays near 0 and says little",
    "reward": "what the completions of the step earned on average; an exactly right one earns 1",
    "right completions": "completions of the step whose calls are exactly those of the label; where no reward"
    " stands beside it, it is the reward",
    "groups without variance": "requests whose completions all got the same reward, which teach nothing",
    "completion length": "how many tokens a completion of the step has on average",
    "clip fraction": "tokens that did not count, because the policy had changed too much since it wrote them",
    "entropy": "how undecided the policy is at a token; near 0 it always writes the same",
    "better answer ahead": "pairs in which the policy has come to favour the better answer",
    "speed": "how many tokens a second the step read and wrote",
}
"""Title of a chart (`training.CHARTS`) -> its meaning."""

OUTCOMES = {
    "sft": (("loss", "loss"),),
    "grpo": (("right completions", "correct"), ("reward", "reward")),
    "preference": (("better answer ahead", "preferred"),),
}
"""Trainer -> title and key of the log's rows; the first that is logged is told."""
SHARES = ("correct", "preferred")
OUTCOME_HEAD = ["iteration", "trainer", "steps", "quantity", "at first", "at the end", "change"]
FEW_STEPS = 5
"""Steps of a training below which its rows in a table say more than charts of two or three points."""
FEW_FOR_CHANGE = 15
"""Steps below which no change is told: each sees other samples, and a third of fewer is less than five steps.
"""
WHOLE_FROM = 10
"""Values from here on are shown without a fraction, smaller ones with two digits."""


def nothing_yet(run: Run) -> str:
    """Say that no training has begun, and how a person sees one."""
    words = "No training has logged a step yet."
    if not on_page():
        return f"{words} While a cell trains, its steps appear here."
    if run.read_only:
        return f"{words} While another process trains, its steps appear here."
    command = f"looptool loop {run.path.resolve()}"
    return f"{words} Close this page, and in a terminal: {command}. Then a page shows its steps as they come."


def outcomes(trainings: Sequence[tuple[int, str, list[dict[str, Any]]]]) -> list[list[str]]:
    """What each training changed, as rows under `OUTCOME_HEAD`.

    The means of the first and of the last third of its steps: one step alone says little, and of a training
    with few steps no change is told.
    """
    out = []
    for iteration, trainer, rows in trainings:
        for title, key in OUTCOMES[trainer]:
            logged = [row[key] for row in rows if isinstance(row.get(key), int | float)]
            values = [value for value in logged if math.isfinite(value)]
            if not values:
                continue
            part = max(1, len(values) // 3)
            first, last = sum(values[:part]) / part, sum(values[-part:]) / part
            shown = [share(v) if key in SHARES else short(v) for v in (first, last)]
            few = len(values) < FEW_FOR_CHANGE
            words = "too few steps to say" if few else _change(key, first, last)
            out.append([str(iteration), trainer.upper(), str(rows[-1]["step"]), title, *shown, words])
            break
    return out


def short(value: Any) -> str:
    """A number as a person reads it, empty where there is none."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:.2g}"


def share(value: Any) -> str:
    """A share in percent, empty where there is none."""
    return f"{short(100 * value)}%" if short(value) else ""


def _change(key: str, first: float, last: float) -> str:
    """By how much it changed; not whether for the better, since each step has other samples."""
    if short(100 * (last - first)) == "0":
        return "no change"
    by = abs(last - first)
    share = f"{100 * by:.0f} points" if key in SHARES else short(by)
    part = f"{100 * by / first:.0f}%" if key == "loss" and first > 0 else share
    # What rounds to zero has no sign.
    return "no change" if part in ("0%", "0 points") else f"{'+' if last > first else '−'}{part}"
