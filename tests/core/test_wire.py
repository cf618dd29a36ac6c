"""Calls in the syntax of each family: rendered as its template does, they are read back; malformed, never."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Label, Tool, ToolCall
from looptool_kit.core.toolcalls import canonical_calls, parse, render_calls
from looptool_kit.core.wire import FORMS, detect, parse_as, read_text

WEATHER = Tool(
    name="get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)
OSLO = ToolCall(name="get_weather", arguments={"city": "Oslo", "days": 2})


GEMMA_QUOTE = '<|"|>'
GIVEN = '{"city": "Oslo", "days": 2}'


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def bare(key: str) -> Callable[[ToolCall], dict[str, Any]]:
    return lambda c: {"name": c.name, key: c.arguments}


def in_tags(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def qwen3_coder(calls: Sequence[ToolCall]) -> str:
    return "\n".join(
        f"<tool_call>\n<function={c.name}>\n"
        + "".join(f"<parameter={k}>\n{in_tags(v)}\n</parameter>\n" for k, v in c.arguments.items())
        + "</function>\n</tool_call>"
        for c in calls
    )


def glm(calls: Sequence[ToolCall]) -> str:
    return "\n".join(
        f"<tool_call>{c.name}\n"
        + "".join(
            f"<arg_key>{k}</arg_key>\n<arg_value>{in_tags(v)}</arg_value>\n" for k, v in c.arguments.items()
        )
        + "</tool_call>"
        for c in calls
    )


def minimax(calls: Sequence[ToolCall]) -> str:
    inner = "\n".join(
        f'<invoke name="{c.name}">\n'
        + "".join(f'<parameter name="{k}">{in_tags(v)}</parameter>\n' for k, v in c.arguments.items())
        + "</invoke>"
        for c in calls
    )
    return f"<minimax:tool_call>\n{inner}\n</minimax:tool_call>"


def python(c: ToolCall) -> str:
    return f"{c.name}({', '.join(f'{k}={v!r}' for k, v in c.arguments.items())})"


def gemma_value(value: Any, quote: str) -> str:
    if isinstance(value, str):
        return quote + value + quote
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{gemma_value(v, quote)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(gemma_value(v, quote) for v in value) + "]"
    return dumps(value)


RENDER: dict[str, Callable[[Sequence[ToolCall]], str]] = {
    "hermes": render_calls,
    "qwen3_coder": qwen3_coder,
    "glm": glm,
    "minimax": minimax,
    "llama_tag": lambda cs: "".join(f"<function={c.name}>{dumps(c.arguments)}</function>" for c in cs),
    "deepseek": lambda cs: (
        "<｜tool▁calls▁begin｜>"
        + "".join(
            f"<｜tool▁call▁begin｜>{c.name}<｜tool▁sep｜>{dumps(c.arguments)}<｜tool▁call▁end｜>" for c in cs
        )
        + "<｜tool▁calls▁end｜>"
    ),
    "kimi": lambda cs: (
        "<|tool_calls_section_begin|>"
        + "".join(
            f"<|tool_call_begin|>functions.{c.name}:{i}<|tool_call_argument_begin|>{dumps(c.arguments)}"
            "<|tool_call_end|>"
            for i, c in enumerate(cs)
        )
        + "<|tool_calls_section_end|>"
    ),
    "harmony": lambda cs: "".join(
        f"<|start|>assistant<|channel|>commentary to=functions.{c.name} <|constrain|>json<|message|>"
        f"{dumps(c.arguments)}<|call|>"
        for c in cs
    ),
    "mistral": lambda cs: "[TOOL_CALLS]" + dumps([bare("arguments")(c) for c in cs]),
    "functiongemma": lambda cs: "".join(
        f"<start_function_call>call:{c.name}{gemma_value(c.arguments, '<escape>')}<end_function_call>"
        for c in cs
    ),
    "gemma4": lambda cs: "".join(
        f"<|tool_call>call:{c.name}{gemma_value(c.arguments, GEMMA_QUOTE)}<tool_call|>" for c in cs
    ),
    "granite": lambda cs: "<|tool_call|>" + dumps([bare("arguments")(c) for c in cs]),
    "phi": lambda cs: f"<|tool_call|>{dumps([bare('arguments')(c) for c in cs])}<|/tool_call|>",
    "glaive": lambda cs: "\n".join(f"<functioncall> {dumps(bare('arguments')(c))}" for c in cs),
    "lfm": lambda cs: f"<|tool_call_start|>[{', '.join(map(python, cs))}]<|tool_call_end|>",
    "olmo": lambda cs: "<function_calls>\n" + "\n".join(map(python, cs)) + "\n</function_calls>",
    "gemma": lambda cs: "```tool_code\n" + "\n".join(map(python, cs)) + "\n```",
    "react": lambda cs: "\n".join(
        f"Thought: look\nAction: {c.name}\nAction Input: {dumps(c.arguments)}" for c in cs
    ),
    "llama": lambda cs: "; ".join(dumps(bare("parameters")(c)) for c in cs),
    "json": lambda cs: dumps([bare("arguments")(c) for c in cs]),
    "pythonic": lambda cs: f"[{', '.join(map(python, cs))}]",
    "other": lambda cs: dumps([{c.name: c.arguments} for c in cs]),
}
MORE: dict[str, list[str]] = {
    "mistral": [f"[TOOL_CALLS]get_weather[ARGS]{GIVEN}", f"[TOOL_CALLS]get_weather{GIVEN}</s>"],
    "deepseek": [
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
        f"```json\n{GIVEN}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ],
    "json": [
        '```json\n{"name": "get_weather", "arguments": ' + GIVEN + "}\n```",
        'Sure!\n{"name": "get_weather", "arguments": ' + GIVEN + "}",
        '{"tool_calls": [{"type": "function", "function": {"name": "get_weather", "arguments": '
        + dumps(GIVEN)
        + "}}]}",
        '{"function": "get_weather", "arguments": ' + GIVEN + "}",
        '{"arguments": ' + GIVEN + ', "name": "get_weather"}',
        '{"action": "get_weather", "action_input": ' + GIVEN + "}",
    ],
    "llama": [
        '<|python_tag|>{"type": "function", "name": "get_weather", "parameters": ' + GIVEN + "}<|eom_id|>"
    ],
    "pythonic": [
        "get_weather(city='Oslo', days=2)",
        '<|python_start|>[get_weather(city="Oslo", days=2)]<|python_end|>',
    ],
    "gemma": [
        "```tool_code\nprint(get_weather(city='Oslo', days=2))\n```",
        "```tool_call\nget_weather(city='Oslo', days=2)```",
    ],
    "glaive": ['<functioncall> {"name": "get_weather", "arguments": \'' + GIVEN + "'} <|endoftext|>"],
    "minimax": [
        '<function_calls>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n'
        '<parameter name="days">2</parameter>\n</invoke>\n</function_calls>'
    ],
    "harmony": [
        "<|channel|>analysis<|message|>A city.<|end|><|start|>assistant to=functions.get_weather"
        f"<|channel|>commentary json<|message|>{GIVEN}<|call|>"
    ],
}
SHAPES = [(form, RENDER[form]([OSLO])) for form in RENDER] + [
    (f, t) for f, texts in MORE.items() for t in texts
]

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="<>|`"), max_size=12
)
TEXT |= st.sampled_from(
    [
        'a "quoted" word',
        "it's",
        "line\nbreak",
        "2",
        "true",
        "[1, 2]",
        "a, b: {c}",
        "naïve 東京",
        "```",
        "```json\n```",
    ]
)
KEYS = st.sampled_from(["city", "days", "from_place", "tags"])
VALUES = st.recursive(
    st.booleans() | st.none() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6, width=32) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
ONE = st.builds(
    lambda name, arguments: ToolCall(name=name, arguments=arguments),
    st.sampled_from(["get_weather", "find", "set_alarm2"]),
    st.dictionaries(KEYS, VALUES, max_size=4),
)


def tools_for(calls: Sequence[ToolCall]) -> list[Tool]:
    """Tools that say of each argument whether it is text, as a schema does."""
    found: dict[str, dict[str, Any]] = {}
    for c in calls:
        found.setdefault(c.name, {})
        for key, value in c.arguments.items():
            kind = {"type": "string"} if isinstance(value, str) else {}
            found[c.name].setdefault(key, kind)
    return [Tool(name=n, parameters={"type": "object", "properties": p}) for n, p in found.items()]


@pytest.mark.parametrize("form", RENDER)
@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, min_size=1, max_size=3, unique_by=lambda c: c.name))
def test_what_a_template_writes_is_read_back(form: str, calls: list[ToolCall]) -> None:
    in_tag = form in ("qwen3_coder", "glm", "minimax")
    strings = [v for c in calls for v in c.arguments.values() if isinstance(v, str)]
    if in_tag and any(s != s.strip("\n") for s in strings):
        return  # these templates cannot tell a value's line breaks from their own
    if form == "react" and any("\n" in dumps(c.arguments) for c in calls):
        return
    text = RENDER[form](calls)
    answer = parse_as(form, text, tools=tools_for(calls))
    assert not answer.error, (answer.detail, text)
    assert canonical_calls(answer.calls) == canonical_calls(calls)
    assert answer.text == ""
    assert parse_as(form, text, "length").error == "truncated"


def test_each_form_has_a_template_here() -> None:
    assert set(RENDER) == set(FORMS)


@pytest.mark.parametrize(("form", "text"), SHAPES)
def test_each_shape_is_told_and_read(form: str, text: str) -> None:
    assert detect(text, {"get_weather"}) == form
    answer = read_text(text, [WEATHER])
    assert answer.error is None and answer.calls == (OSLO,), answer


@pytest.mark.parametrize(("form", "text"), [s for s in SHAPES if s[0] != "hermes"])
def test_a_call_in_another_syntax_is_never_a_right_plain_reply(form: str, text: str) -> None:
    for said in (text, f"Let me look.\n{text}"):
        assert not grade(parse(said), Label(reply="I cannot."), [WEATHER]).correct


@pytest.mark.parametrize(("form", "text"), SHAPES)
def test_a_call_that_is_cut_is_unparsable_and_no_reply(form: str, text: str) -> None:
    """Without the last third of the text, the arguments at least are not whole."""
    cut = text[: len(text) * 2 // 3]
    answer = parse_as(form, cut, tools=[WEATHER])
    assert answer.error == "unparsable" or not answer.calls or answer.calls != (OSLO,)
    assert answer.error == "unparsable" or form in ("react",), (form, cut, answer)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot do that.",
        "Which city do you mean (Oslo or Bergen)?",
        "The price is $5 [approx].",
        "Your table (for 4) is booked: see {booking}.",
        "Set to 3 < 5.",
        "It returned {\"temp\": 4}.",
        "I would need `get_weather` for that.",
        "Call me (tomorrow).",
        "Here is the list: [1, 2, 3]",
        "The parameters are: name and date.",
        "def f(x): return x",
    ],
)  # fmt: skip
def test_plain_replies_stay_plain(text: str) -> None:
    assert detect(text, {"get_weather"}) is None
    assert read_text(text, [WEATHER]).text == text


@pytest.mark.parametrize(
    "text",
    [
        "[get_weather(city=city_of(user))]",
        "[get_weather(**{'city': 'Oslo'})]",
        "[get_weather(city='Oslo', city='Bergen')]",
        '[__import__("os").system(command="true")]',
        '{"name": "get_weather", "parameters": {"city": "Oslo", "city": "Bergen"}}',
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo",}}]',
        "<start_function_call>call:get_weather{city:<escape>Oslo<escape>",
        "<|tool_call_start|>[get_weather(city='Oslo')]",
        "<function_calls>\nx = get_weather(city='Oslo')\n</function_calls>",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</function>\n</tool_call>",
    ],
)
def test_what_is_malformed_is_unparsable(text: str) -> None:
    form = detect(text)
    assert form is not None
    answer = parse_as(form, text, tools=[WEATHER])
    assert answer.error == "unparsable" or "system" in answer.calls[0].name, answer


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=60)
    | st.sampled_from(["[" * 3000, "{" * 3000, "f(" * 500, "<|tool_call>call:f" + "{a:" * 999])
)
@pytest.mark.parametrize("form", FORMS)
def test_nothing_raises(form: str, text: str) -> None:
    for mark in ("", "[TOOL_CALLS]", "<tool_call>", '{"name": "f", "arguments": '):
        said = mark + text
        detect(said, {"f"})
        parse_as(form, said)
        read_text(said)
