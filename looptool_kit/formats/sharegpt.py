"""The form `sharegpt`: `conversations` as for LLaMA-Factory.

Calls are `function_call` turns, results `observation` turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.formats._conversations import COLUMNS, read_conversation
from looptool_kit.formats._parts import json_or_text, response, turns_of
from looptool_kit.formats._turns import Left, Unusable

_SPEAKERS = {"user": "human", "assistant": "gpt", "tool": "observation"}

__all__ = ["COLUMNS", "detect", "read", "write"]


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `conversations` of this form.

    That is one with its own turns or the column `tools`.
    """
    if "conversations" not in row:
        return False
    turns = json_or_text(row["conversations"]) or []
    speakers = {t.get("from") for t in turns if isinstance(t, Mapping)}
    return bool(speakers & {"function_call", "observation"} or row.get("tools"))


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
    """Yield what each assistant turn gives."""
    yield from read_conversation(row, source, left)


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Results that follow each other become one observation. Earlier assistant turns get weight 0: they are
    samples of their own.
    """
    turns, system = list[dict[str, Any]](), ""
    whole = turns_of(sample)
    for m in whole:
        if m.role == "system":
            system = m.content
        elif m.tool_calls:
            if m.content:
                raise ValueError(
                    f"sample {sample.id}: a turn with words and calls has no place in sharegpt; take openai"
                    " or hermes"
                )
            calls = [c.model_dump() for c in m.tool_calls]
            value = json.dumps(calls if len(calls) > 1 else calls[0], ensure_ascii=False)
            turns.append({"from": "function_call", "value": value})
        elif m.role == "tool" and turns and turns[-1]["from"] == "observation":
            turns[-1]["value"] += response(m.content)
        else:
            several = m.role == "tool" and turns and turns[-1]["value"].startswith("[")
            value = response(m.content) if several else m.content
            turns.append({"from": _SPEAKERS[m.role], "value": value})
        if m.role == "assistant" and m is not whole[-1]:
            turns[-1]["weight"] = 0
    tools = json.dumps([t.model_dump() for t in sample.tools], ensure_ascii=False)
    return {"conversations": turns, "tools": tools} | ({"system": system} if system else {})
