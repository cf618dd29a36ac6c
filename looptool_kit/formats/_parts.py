"""What the forms share: turns, tools and calls of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from looptool_kit.checks.tool_errors import error_behind
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import render_prompt, strict_json
from looptool_kit.tools.schema import plain_parameters


class Turn(NamedTuple):
    """One turn of a foreign dialogue."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    tool: str | None = None
    """Whose result it is."""


# ---------------------------------------------------------------------- read


def json_or_text(value: Any) -> Any:
    """A value, parsed where it is an object's or list's text."""
    return strict_json(value) if isinstance(value, str) and value.strip()[:1] in ("[", "{") else value


FAILED_CALL = "failed_call"
"""In `meta` of a sample: the error that its label's calls led to in the dialogue that it is from."""


def samples_of_turns(tools: tuple[Tool, ...], turns: Sequence[Turn], source: str) -> Iterator[Sample]:
    """Yield one sample for each assistant turn but an opening one."""
    for at, turn in enumerate(turns):
        if turn.role == "assistant" and at:
            label = Label(calls=turn.calls) if turn.calls else Label(reply=turn.content)
            sample = sample_of(tools, turns[:at], label, source)
            error = error_behind(turns, at) if turn.calls else ""
            yield sample.model_copy(update={"meta": {FAILED_CALL: error}}) if error else sample


def sample_of(tools: tuple[Tool, ...], turns: Iterable[Turn], label: Label, source: str) -> Sample:
    """The sample of a context and a label."""
    messages = tuple(
        Message(role=t.role, content=t.content, tool_calls=t.calls, name=t.tool)  # type: ignore[arg-type]
        for t in turns
    )
    kind = "call" if label.calls else "reply"
    return Sample(tools=tools, messages=messages, label=label, kind=kind, source=source)


def call_of(item: Any) -> ToolCall:
    """A call in OpenAI form or bare.

    Its arguments may be JSON text.
    """
    function = item.get("function", item) if isinstance(item, Mapping) else {}
    arguments = json_or_text(function.get("arguments") or {})
    if not isinstance(function.get("name"), str) or not isinstance(arguments, dict):
        raise ValueError(f"a call is an object with name and arguments, not {str(item)[:80]!r}")
    return ToolCall(name=function["name"], arguments=arguments)


def tools_of(value: Any) -> tuple[Tool, ...]:
    """Tools in OpenAI form, bare, or flat as in xLAM rows.

    The list may be JSON text.
    """
    return tuple(_tool(json.dumps(i, ensure_ascii=False, default=str)) for i in json_or_text(value) or [])


@lru_cache(4096)
def _tool(text: str) -> Tool:
    # By text, because rows share their tools, and checking a schema takes longer than all else of a row.
    item = json.loads(text)
    function = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError(f"a tool is an object with a name, not {str(item)[:60]!r}")
    parameters = json_or_text(function.get("parameters"))
    described = isinstance(parameters, Mapping) and parameters
    if described and "properties" not in parameters and parameters.get("type") != "object":
        parameters = _schema_of_flat(parameters)
    return Tool(
        name=function["name"],
        description=function.get("description") or "",
        parameters=plain_parameters(_without_none(parameters)),
    )


_PYTHON_TYPES = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array",
    "dict": "object", "tuple": "array", "set": "array",
}  # fmt: skip


def _schema_of_flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """xLAM's parameters as JSON Schema; those with a default are optional.

    They are name -> type in Python's words, description and default.
    """
    properties, required = {}, []
    for name, p in parameters.items():
        p = p if isinstance(p, Mapping) else {"type": str(p)}
        kind, _, more = str(p.get("type") or "").partition(",")
        outer, _, inner = kind.strip().rstrip("]").partition("[")
        schema: dict[str, Any] = {}
        if json_type := _json_type(outer):
            schema["type"] = json_type
        if json_type == "array" and (each := _PYTHON_TYPES.get(inner.strip().lower())):
            schema["items"] = {"type": each}
        schema |= {k: p[k] for k in ("description", "enum") if p.get(k)}
        if p.get("default") not in (None, ""):
            schema["default"] = p["default"]
        properties[name] = schema
        if "optional" not in more and "default" not in p:
            required.append(name)
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _json_type(name: str) -> str:
    """JSON's name of a type, empty where there is none.

    The type is given in Python's words or JSON's own.
    """
    word = name.strip().lower()
    return _PYTHON_TYPES.get(word, word if word in _PYTHON_TYPES.values() else "")


def _without_none(value: Any) -> Any:
    # Arrow fills the keys that a row does not have with None.
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None or k == "default"}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


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
