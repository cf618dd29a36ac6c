"""A person's decision on a verdict, on disk and on the page.

`decisions.jsonl` keeps it.
"""

from __future__ import annotations

import json
from typing import Any

from looptool_kit.core.samples import Label
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run
from looptool_kit.widgets.detail import answer


def verdict_of(decision: Decision) -> str:
    """The verdict that was decided."""
    return str(decision.value.get("verdict") if isinstance(decision.value, dict) else decision.value)


def label_of(decision: Decision | None) -> Label | None:
    """The label that was decided.

    None: the verdict leaves it as it is.
    """
    if decision is None or not isinstance(decision.value, dict) or "label" not in decision.value:
        return None
    return Label.model_validate(decision.value["label"])


def as_shown(decision: Decision) -> dict[str, Any]:
    """A decision as the page shows it."""
    label = label_of(decision)
    return {
        "verdict": verdict_of(decision),
        "author": decision.author,
        "time": decision.time,
        "reason": decision.reason,
        "label": answer(label) if label else None,
    }


def written_at(run: Run) -> tuple[int, int]:
    """What changes whenever somebody decides something in a run."""
    path = run.path / "decisions.jsonl"
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else (0, 0)


def has(decision: Decision, fact: str) -> bool:
    """Tell whether a decision on a verdict carries a fact.

    `together` or `blind` (see `as_value`).
    """
    return isinstance(decision.value, dict) and bool(decision.value.get(fact))


def as_value(verdict: str, label: Label | None, together: str = "", blind: bool = False) -> dict[str, Any]:
    """The value that `decisions.jsonl` keeps.

    Args:
        verdict: its name.
        label: the one that stands after the verdict; None: the verdict leaves it as it is.
        together: an id shared by rows that are accepted, and taken back, together.
        blind: whether the person decided before seeing the judge's verdict.
    """
    value: dict[str, Any] = {"verdict": verdict}
    if label is not None:
        value["label"] = json.loads(label.model_dump_json())
    return value | ({"together": together} if together else {}) | ({"blind": True} if blind else {})
