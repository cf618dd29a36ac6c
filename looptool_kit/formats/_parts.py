"""What the forms share: turns, tools and calls of rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import render_prompt
from looptool_kit.tools.definition import definitions, tool_of

# ---------------------------------------------------------------------- read


def json_or_text(value: Any) -> Any:
    """A value, parsed where it is an object's or list's text."""
    return strict_json(value) if isinstance(value, str) and value.strip()[:1] in ("[", "{") else value


def call_of(item: Any, tools: Sequence[Tool] = ()) -> ToolCall:
    """Read a call in OpenAI form or bare.

    Its arguments may be JSON text; what goes to a `custom` tool is its argument `input`. An argument that is
    null where the tool has no such parameter, or one that is never null, is absent: tables fill what a row
    does not have.
    """
    function = item.get("function", item) if isinstance(item, Mapping) else {}
    if isinstance(custom := function.get("custom"), Mapping):
        function = {"name": custom.get("name"), "arguments": {"input": custom.get("input")}}
    arguments = json_or_text(function.get("arguments") or {})
    if not isinstance(function.get("name"), str) or not isinstance(arguments, dict):
        raise ValueError(f"a call is an object with name and arguments, not {str(item)[:80]!r}")
    tool = next((t for t in tools if t.name == function["name"]), None)
    if tool is not None and None in arguments.values():
        arguments = {k: v for k, v in arguments.items() if v is not None or _may_be_null(tool, k)}
    return ToolCall(name=function["name"], arguments=arguments)


def _may_be_null(tool: Tool, name: str) -> bool:
    schema = tool.properties.get(name, tool.parameters.get("additionalProperties", False))
    if not isinstance(schema, Mapping):
        return schema is True
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return kinds == [None] or "null" in kinds


def tools_of(value: Any) -> tuple[Tool, ...]:
    """Read tools in any form that `tools.definition` knows.

    The list may be JSON text.
    """
    listed = definitions(json_or_text(value)) if value else ()
    return tuple(_tool(json.dumps(json_or_text(i), ensure_ascii=False, default=str)) for i in listed)


@lru_cache(4096)
def _tool(text: str) -> Tool:
    # By text, because rows share their tools, and checking a schema takes longer than all else of a row.
    return tool_of(without_none(json.loads(text)))


def without_none(value: Any) -> Any:
    """Drop keys that hold None, nested ones too.

    Arrow fills keys that a row does not have.
    """
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None or k == "default"}
    return [without_none(v) for v in value] if isinstance(value, list) else value


# --------------------------------------------------------------------- write


def turns_of(sample: Sample) -> list[Message]:
    """The whole dialogue, with the label as its last turn."""
    label = sample.label
    content = "" if label.calls else label.reply
    return [*sample.messages, Message(role="assistant", content=content, tool_calls=label.calls)]


def response(content: str) -> str:
    """A tool's result in the tags that Hermes puts around it."""
    return f"<tool_response>\n{content}\n</tool_response>"


def has_system(sample: Sample) -> bool:
    """Tell whether the sample begins with its own system message."""
    return bool(sample.messages) and sample.messages[0].role == "system"


def system_text(sample: Sample) -> str:
    """The system turn as the project's template renders it.

    It holds the tools, then the sample's own system message.
    """
    rendered = render_prompt(sample.tools, sample.messages[: has_system(sample)])
    start, end = "<|im_start|>system\n", "<|im_end|>\n<|im_start|>assistant\n"
    return rendered.removeprefix(start).removesuffix(end) if rendered.startswith(start) else ""
