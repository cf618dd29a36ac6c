"""Calls whose arguments are JSON, in the marks of each family."""

from __future__ import annotations

import ast
import re
from typing import Any

from looptool_kit.core.json_text import first_json, strict_json
from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.wire.values import Found, beside, call, call_of_object, calls_of_json, pieces, words

_NAMED = r'["\'](?:name|function|tool|tool_name|function_name|recipient_name|action)["\']\s*:'
_GIVEN = r'["\'](?:arguments|parameters|args|tool_input|action_input|input|kwargs)["\']\s*:'
LLAMA = re.compile(r'<\|python_tag\|>|^\s*\{[^{}]*"name"\s*:[^{}]*"parameters"\s*:\s*\{', re.DOTALL)
BARE = re.compile(
    rf"{_NAMED}[^{{}}]*{_GIVEN}|{_GIVEN}[^\n]*?{_NAMED}"
    r'|["\'](?:tool_calls|function_call|function_calls|tool_uses)["\']\s*:\s*[\[{]',
    re.DOTALL,
)
"""The keys of a call in JSON, wherever they stand."""
_FENCE = re.compile(
    r"```(?:json|tool_call|tool_calls|function_call)?[ \t]*\n?(.*?)(?:^|(?<=[\]}]))[ \t]*```",
    re.DOTALL | re.MULTILINE,
)
"""JSON breaks no line within a text, so a fence in an argument neither opens a line nor follows a bracket."""
_ACTION = re.compile(
    r"^\s*Action\s*:\s*([^\n{}]+?)\s*\n\s*Action[ _]Input\s*:\s*(\{.*?\})\s*"
    r"(?=^\s*(?:Action|Observation|Thought|Final Answer)\s*:|\Z)",
    re.DOTALL | re.MULTILINE,
)
_KIMI = re.compile(
    r"<\|tool_call_begin\|>\s*(?:functions\.)?([^\s:<>]+)(?::\d+)?\s*<\|tool_call_argument_begin\|>(.*?)"
    r"<\|tool_call_end\|>",
    re.DOTALL,
)
_DEEPSEEK = re.compile(
    "<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?(.*?)(?:<｜tool▁sep｜>|\n)(.*?)<｜tool▁call▁end｜>",
    re.DOTALL,
)
_ENDS = re.compile(r"<\|(?:end|call|return)\|>")
_HEADER = re.compile(r"\s*(?:<\|start\|>assistant)?\s*(?:<\|channel\|>\s*(?:analysis|commentary|final))?\s*")
"""That of a message to nobody."""
_RECIPIENT = re.compile(r"to=(?:functions\.)?([\w.-]+)")
_LLAMA_TAG = re.compile(r"<function=([^<>\n]+)>\s*(\{.*?\})\s*</function>", re.DOTALL)
_MISTRAL_NAME = re.compile(r"\s*([\w.-]+)\s*(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*(?=\{)")


def _json_after(text: str, mark: str) -> tuple[str, Any, str]:
    """The words before a mark, the JSON value behind it, and what follows that."""
    before, _, rest = text.partition(mark)
    value, end = first_json(rest)
    return before, value, rest[end:]


def llama(text: str, tools: dict[str, Tool]) -> Found:
    """Read Llama 3.x's calls: JSON objects, several separated by `;`."""
    text = re.sub(r"<\|(?:eom_id|eot_id)\|>", "", text).replace("<|python_tag|>", "").strip()
    return Found(_objects(text), "")


def _objects(text: str) -> list[ToolCall]:
    """The calls of a text that is nothing but JSON values, separated by space, `;` or commas."""
    calls: list[ToolCall] = []
    while text:
        value, end = first_json(text)
        calls += calls_of_json(value)
        text = re.sub(r"^[\s;,]+", "", text[end:])
    return calls


def llama_tag(text: str, tools: dict[str, Tool]) -> Found:
    """Read Llama 3.1's `<function=f>{...}</function>`."""
    found, rest = pieces(text.replace("<|eom_id|>", "").replace("<|eot_id|>", ""), _LLAMA_TAG)
    if "<function=" in rest or not found:
        raise ValueError("a <function=...> without its JSON object or its end")
    return Found([call(m[1], strict_json(m[2])) for m in found], rest)


def mistral(text: str, tools: dict[str, Tool]) -> Found:
    """Read Mistral's calls.

    A list behind one mark, or name and arguments behind each.
    """
    before, *parts = text.replace("</s>", "").split("[TOOL_CALLS]")
    calls: list[ToolCall] = []
    for part in parts:
        if named := _MISTRAL_NAME.match(part):
            value, end = first_json(part[named.end() :])
            calls.append(call(named[1], value))
            rest = part[named.end() + end :]
        else:
            value, end = first_json(part)
            calls += calls_of_json(value)
            rest = part[end:]
        if rest.strip():
            raise ValueError("something stands behind the calls")
    return Found(calls, words(before))


def deepseek(text: str, tools: dict[str, Tool]) -> Found:
    """Read DeepSeek's calls: V3 fences the arguments, V3.1 does not."""
    found, rest = pieces(text, _DEEPSEEK)
    if not found:
        raise ValueError("a call without its end")
    calls = []
    for match in found:
        fenced = _FENCE.fullmatch(match[2].strip())
        calls.append(call(match[1], strict_json((fenced[1] if fenced else match[2]).strip())))
    spoken = words(*re.split("<｜(?:tool▁calls▁(?:begin|end)|end▁of▁sentence)｜>", rest))
    if "｜" in spoken:
        raise ValueError("a call without its end")
    return Found(calls, spoken)


def kimi(text: str, tools: dict[str, Tool]) -> Found:
    """Read Kimi K2's calls; an id is `functions.name:number`."""
    found, rest = pieces(text, _KIMI)
    spoken = words(*re.split(r"<\|tool_calls?_section_(?:begin|end)\|>", rest))
    if not found or "<|tool_call" in spoken:
        raise ValueError("a call without its arguments or its end")
    return Found([call(m[1], strict_json(m[2].strip())) for m in found], spoken)


def harmony(text: str, tools: dict[str, Tool]) -> Found:
    """Read gpt-oss's calls.

    What it says on the channel `analysis` is thinking and dropped.
    """
    calls: list[ToolCall] = []
    said: list[str] = []
    for message in _ENDS.split(text):
        header, mark, body = message.partition("<|message|>")
        recipient = _RECIPIENT.search(header)
        if recipient and not mark:
            raise ValueError("a call without its message")
        if mark and not recipient and not _HEADER.fullmatch(header):
            raise ValueError("a message whose header cannot be read")
        if recipient:
            calls.append(call(recipient[1], strict_json(body.strip() or "{}")))
        elif "analysis" not in header:
            said.append(body if mark else header)
    return Found(calls, words(*said))


def granite(text: str, tools: dict[str, Tool]) -> Found:
    """Read Granite 3's calls: a list behind `<|tool_call|>`."""
    before, value, rest = _json_after(text, "<|tool_call|>")
    if rest.replace("<|end_of_text|>", "").strip():
        raise ValueError("something stands behind the calls")
    return Found(calls_of_json(value), words(before))


def phi(text: str, tools: dict[str, Tool]) -> Found:
    """Read Phi-4-mini's calls: a list between two marks."""
    before, value, rest = _json_after(text, "<|tool_call|>")
    _, mark, after = rest.partition("<|/tool_call|>")
    if not mark:
        raise ValueError("<|/tool_call|> is missing")
    return Found(calls_of_json(value), words(before, after))


def glaive(text: str, tools: dict[str, Tool]) -> Found:
    """Read Glaive's `<functioncall>`, whose arguments are JSON in single quotes."""
    text = re.sub(r"</function_?call>|<\|endoftext\|>", "", text)
    before, *parts = re.split(r"<function_?call>", text)
    calls: list[ToolCall] = []
    for part in parts:
        try:
            calls += _objects(part.strip())
        except ValueError:
            inner = re.fullmatch(
                r"\s*\{\s*\"name\"\s*:\s*\"([^\"]+)\"\s*,\s*\"arguments\"\s*:\s*'(.*)'\s*\}\s*",
                part,
                re.DOTALL,
            )
            if inner is None:
                raise
            calls.append(call(inner[1], strict_json(inner[2].replace("\\'", "'"))))
    return Found(calls, words(before))


def react(text: str, tools: dict[str, Tool]) -> Found:
    """Read ReAct's `Action:` and `Action Input:`; the thoughts around them are dropped."""
    found = list(_ACTION.finditer(text))
    if not found:
        value, _ = first_json(text.partition("Action:")[2])  # LangChain's JSON agents
        return Found([call_of_object(value)], "")
    return Found([call(m[1].strip('`" '), strict_json(m[2])) for m in found], "")


def bare(text: str, tools: dict[str, Tool]) -> Found:
    """Read JSON calls, bare or in a fence, with words around them."""
    within = re.match(r"\s*[\[{]\s*[\"'{]", text)  # a fence may stand in an argument
    if not within and (fences := [f for f in _FENCE.finditer(text) if BARE.search(f[1])]):
        ends, starts = [0, *(f.end() for f in fences)], [*(f.start() for f in fences), len(text)]
        said = words(*(text[a:b] for a, b in zip(ends, starts, strict=True)))
        return Found([c for f in fences for c in calls_of_json(_value(f[1].strip()))], said)
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=0)
    value, end = first_json(text[start:])
    calls = calls_of_json(value)
    rest = text[start + end :].strip()
    if rest[:1] in (";", "{", "[", ","):
        calls += _objects(rest.lstrip(";, \n"))
        rest = ""
    return Found(calls, beside(text[:start], rest))


def _value(text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError:
        return ast.literal_eval(text) if text.startswith(("{'", "[{'")) else _several(text)


def _several(text: str) -> list[Any]:
    values = []
    while text.strip():
        value, end = first_json(text)
        values.append(value)
        text = text[end:].lstrip(";, \n")
    return values
