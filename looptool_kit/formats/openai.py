"""The form `openai`: `messages` and `tools`, as for OpenAI's fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.formats._messages import messages_of, turn_of
from looptool_kit.formats._parts import json_or_text, tools_of
from looptool_kit.formats._turns import Left, Unusable, samples_of_turns

COLUMNS = frozenset({"messages", "tools", "functions"})


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `messages`."""
    return "messages" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
    """Yield what each assistant turn gives.

    `function_call` and `functions` of old rows are read too.
    """
    tools = tools_of(row.get("tools") or row.get("functions"))
    turns = [turn_of(m, tools, left) for m in json_or_text(row["messages"])]
    yield from samples_of_turns(tools, turns, source, left)


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Calls have ids, and results those of the calls that they answer. Earlier assistant turns get weight 0:
    they are samples of their own.
    """
    messages, waiting, count = messages_of(sample), list[tuple[str, str]](), 0
    for turn in messages:
        if turn["role"] == "assistant":
            turn["weight"] = int(turn is messages[-1])
        if calls := turn.get("tool_calls"):
            turn["content"] = turn["content"] or None
            waiting = [(f"call_{count + i}", c["function"]["name"]) for i, c in enumerate(calls)]
            count += len(waiting)
            for (id_, _), call in zip(waiting, calls, strict=True):
                call["id"] = id_
                call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        elif turn["role"] == "tool":
            first = waiting[0] if waiting else (f"call_{count}", "")
            answered = next((w for w in waiting if w[1] == turn.get("name")), first)
            waiting = [w for w in waiting if w != answered]
            turn["tool_call_id"] = answered[0]
    return {"messages": messages, "tools": tool_schemas(sample.tools)}
