"""Tools, calls and answers for the tests of the parser and the matcher: two tools, and strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.toolcalls import Answer

words = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.sampled_from(["find", "book", "pay", "größe", "get.weather"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(words, v, max_size=3), max_leaves=8
)
calls = st.builds(ToolCall, name=names, arguments=st.dictionaries(words, values, max_size=4))
call_lists = st.lists(calls, max_size=4).map(tuple)
full_lists = st.lists(calls, min_size=1, max_size=4).map(tuple)
said = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=30).map(str.strip)
answers = st.builds(Answer, calls=call_lists, text=said)
tags = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        "<think>",
        "</think>",
        '{"name":',
        '"f"',
        ',"arguments":{',
        '"a":1',
        "}}",
        "\n",
        "[",
        "\\ud800",
        " x ",
    ]
)
wild = st.text(max_size=60) | st.lists(tags, max_size=14).map("".join)

WEATHER = Tool(
    name="get_weather",
    description="Weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "default": "c"},
            "days": {"type": "integer"},
        },
        "required": ["city"],
    },
)
TIME = Tool(name="get_time", parameters={"type": "object", "properties": {"city": {"type": "string"}}})


def call(name: str = "get_weather", **arguments: object) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)  # type: ignore[arg-type]


def reply(*said: ToolCall, text: str = "") -> Answer:
    return Answer(calls=said, text=text)
