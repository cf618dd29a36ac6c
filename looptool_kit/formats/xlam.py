"""The form `xlam`: `query`, `tools` and `answers`.

xLAM's and APIGen's data have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Label, Sample
from looptool_kit.formats._parts import call_of, json_or_text, tools_of
from looptool_kit.formats._turns import Left, Turn, sample_of

COLUMNS = frozenset({"query", "tools", "answers"})


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `query` and `answers`."""
    return "query" in row and "answers" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample]:
    """Yield the row's one sample."""
    tools = tools_of(row.get("tools"))
    calls = tuple(call_of(c, tools) for c in json_or_text(row["answers"]) or [])
    if not isinstance(row["query"], str) or not calls:
        raise ValueError("`query` must be text and `answers` a list with at least one call")
    yield sample_of(tools, [Turn("user", row["query"])], Label(calls=calls), source)


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a single request answered by calls.

    Nothing else fits.
    """
    if [m.role for m in sample.messages if m.role != "system"] != ["user"] or not sample.label.calls:
        raise ValueError(
            f"sample {sample.id} ({sample.kind or 'unnamed'}) is not a single request answered by calls, and"
            " xlam holds nothing else"
        )
    if sample.messages[0].role == "system":
        raise ValueError(
            f"sample {sample.id} has a system message, for which xlam has no place; take openai, sharegpt or"
            " hermes"
        )
    answers = [c.model_dump() for c in sample.label.calls]
    return {
        "query": sample.request,
        "tools": json.dumps([t.model_dump() for t in sample.tools], ensure_ascii=False),
        "answers": json.dumps(answers, ensure_ascii=False),
    }
