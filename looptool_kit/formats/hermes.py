"""The form `hermes`: `conversations` with calls as `<tool_call>` text.

The tools stand in the system turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import render_calls
from looptool_kit.formats._conversations import COLUMNS, read_conversation
from looptool_kit.formats._parts import has_system, response, system_text, turns_of
from looptool_kit.formats._turns import Left, Unusable

__all__ = ["COLUMNS", "detect", "read", "write"]


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `conversations`."""
    return "conversations" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
    """Yield what each assistant turn gives."""
    yield from read_conversation(row, source, left)


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Its system turn is what the project's template renders. Earlier assistant turns get weight 0: they are
    samples of their own.
    """
    whole = turns_of(sample)
    turns: list[dict[str, Any]] = (
        [{"from": "system", "value": system}] if (system := system_text(sample)) else []
    )
    for m in whole[has_system(sample) :]:
        if m.role == "tool" and turns[-1]["from"] == "tool":
            turns[-1]["value"] += "\n" + response(m.content)
        elif m.role == "tool":
            turns.append({"from": "tool", "value": response(m.content)})
        else:
            text = "\n".join(p for p in (m.content, render_calls(m.tool_calls)) if p)
            turns.append({"from": "human" if m.role == "user" else "gpt", "value": text})
        if m.role == "assistant" and m is not whole[-1]:
            turns[-1]["weight"] = 0
    return {"conversations": turns}
