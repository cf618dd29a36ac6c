"""Decisions that are newer than the dataset which they would change, in words."""

from __future__ import annotations

import shlex

from looptool_kit.lineage.fates import Fates
from looptool_kit.lineage.newer import newer_decisions, newer_in_words, threshold_is_newer
from looptool_kit.run.folder import Run
from looptool_kit.widgets.view import on_page


def newer_note(run: Run, fate_table: Fates) -> str:
    """Say how many there are, and what makes the datasets with them.

    Empty where there is none.
    """
    newer = newer_decisions(run, fate_table)
    return f"{newer_in_words(newer)} {_how(run, min(newer))}" if newer else ""


def _how(run: Run, j: int) -> str:
    """What obeys the decisions: calls in a notebook, commands on the page.

    The newest dataset is only expanded and composed again, for another threshold after its probes, which are
    not decoded again. What was made from an older one is made again by the loop.
    """
    newest = j + 1 == run.iteration
    what = f"make D{j + 1} again" if newest else f"make D{j + 1} and what follows from it again"
    stages = ("probe", "expand", "compose") if threshold_is_newer(run, j) else ("expand", "compose")
    if not on_page():
        made = ", ".join(f"lt.{stage}(run, iteration={j})" for stage in stages)
        call = made if newest else "lt.Loop(run).run()"
        return f"To {what}: {call}. Then press “refresh”."
    path = shlex.quote(str(run.path.resolve()))
    each = " && ".join(f"looptool {stage} {path} --iteration {j}" for stage in stages)
    command = each if newest else f"looptool loop {path}"
    return f"To {what}, close this page, and in a terminal: {command}"
