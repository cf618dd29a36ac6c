"""BFCL's entries as samples: tools, dialogue, and one answer as label.

The answer is one of those that the label accepts. Views show it, and the check of the checker uses it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.stages.evaluate.bfcl.acceptable import Language, bfcl_tools

_LANGUAGES: dict[str, Language] = {"simple_java": "java", "simple_javascript": "javascript"}


def language_of(category: str) -> Language:
    """The language in which a category's arguments are written."""
    return _LANGUAGES.get(category, "python")


def tools_of(docs: Sequence[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Read BFCL's function documents as tools.

    As BFCL shows them to a model (see `acceptable.bfcl_tools`).
    """
    return tuple(bfcl_tools(docs))


def messages_of(turn: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    """One turn's messages."""
    return tuple(Message(role=m["role"], content=m["content"]) for m in turn)


def sample_of(entry: Mapping[str, Any], category: str) -> Sample:
    """A single-turn entry of BFCL.

    Its label is `first_acceptable`, its BFCL id stands in `meta`.

    For irrelevance the label is a plain reply, whatever it says. For relevance BFCL has no label beyond "some
    call", so it is empty too.
    """
    calls = first_acceptable(entry["truth"], entry["docs"], language_of(category))
    return Sample(
        tools=tools_of(entry["tools"]),
        messages=messages_of(entry["turns"][0]),
        label=Label(calls=calls),
        kind=category,
        split=category,
        source="bfcl",
        meta={"bfcl": entry["id"]},
    )


def first_acceptable(
    truth: Sequence[Mapping[str, Any]], docs: Sequence[Mapping[str, Any]], language: Language = "python"
) -> tuple[ToolCall, ...]:
    """An answer that the label accepts.

    It has the first acceptable value of every parameter and leaves out those that may be left out.

    Names get underscores for dots. Java and JavaScript arguments become source text in that language.
    """
    by_name = {doc["name"]: doc["parameters"] for doc in docs}
    calls = []
    for entry in truth:
        name, parameters = next(iter(entry.items()))
        schema = by_name.get(name, {})
        arguments: dict[str, Any] = {}
        for key, values in parameters.items():
            acceptable = [v for v in values if v != ""]
            described = (schema.get("properties") or {}).get(key)
            if key not in (schema.get("required") or ()) and (
                not acceptable or (described is None and "" in values)
            ):
                continue
            value = _plain(acceptable[0]) if acceptable else ""
            arguments[key] = value if language == "python" else source_text(value, described or {}, language)
        calls.append(ToolCall(name=name.replace(".", "_"), arguments=arguments))
    return tuple(calls)


def _plain(value: Any) -> Any:
    """A value without the lists of acceptable values inside its objects."""
    if isinstance(value, dict):
        return {
            k: _plain(next((v for v in values if v != ""), "")) if isinstance(values, list) else values
            for k, values in value.items()
            if not isinstance(values, list) or any(v != "" for v in values) or not values
        }
    return [_plain(v) for v in value] if isinstance(value, list) else value


def source_text(value: Any, schema: Mapping[str, Any], language: Language) -> str:
    """A label's value as Java or JavaScript source of the declared type.

    Text is taken as it stands (a name or an expression).
    """
    kind, inner = schema.get("type", "any"), (schema.get("items") or {}).get("type", "any")
    if isinstance(value, str):
        return value
    if language == "javascript":
        return json.dumps(value, ensure_ascii=False) + ("n" if kind == "Bigint" else "")
    if isinstance(value, list):
        if kind == "Array":
            # The official reader keeps quotes around an array's strings: only text without them is right.
            items = ", ".join(v if isinstance(v, str) else _java(v, inner) for v in value)
            return f"new {inner}[]{{{items}}}"
        parts = ", ".join(_java(v, inner) for v in value)
        return f"new ArrayList<>(Arrays.asList({parts}))" if value else "new ArrayList<>()"
    if isinstance(value, dict):
        return (
            "new HashMap<>() {{ "
            + " ".join(f'put("{k}", {_java(v, "any")});' for k, v in value.items())
            + " }}"
        )
    return _java(value, kind)


def _java(value: Any, kind: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if kind == "char" else f'"{value}"'
    return str(value) + {"long": "L", "float": "f"}.get(kind, "")
