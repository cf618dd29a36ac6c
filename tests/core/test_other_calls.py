"""Calls in syntaxes of no known family: never a plain reply, and none is left behind in the words."""

from __future__ import annotations

import pytest

from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Label, Tool, ToolCall
from looptool_kit.core.toolcalls import parse
from looptool_kit.core.wire import detect, read_text

CITY = {"city": {"type": "string"}, "days": {"type": "integer"}}
TOOLS = (
    Tool(name="get_weather", parameters={"type": "object", "properties": CITY}),
    Tool(name="list_all"),
)
NAMES = {t.name for t in TOOLS}
GIVEN = '{"city": "Oslo", "days": 2}'
OSLO = ToolCall(name="get_weather", arguments={"city": "Oslo", "days": 2})
OBJECT = f'{{"name": "get_weather", "arguments": {GIVEN}}}'

UNKNOWN = (
    f">>>get_weather\n{GIVEN}",
    f"<|from|>assistant\n<|recipient|>get_weather\n<|content|>{GIVEN}",
    f"get_weather {GIVEN}",
    f"get_weather: {GIVEN}",
    f"get_weather\n{GIVEN}",
    "list_all {}",
    f"Tool: get_weather\nInput: {GIVEN}",
    f"Function: get_weather\nArguments: {GIVEN}",
    '{"tool": "get_weather", "city": "Oslo", "days": 2}',
    '{"name": "list_all"}',
    "<get_weather>\n<city>Oslo</city>\n<days>2</days>\n</get_weather>",
    f'<tool name="get_weather">{GIVEN}</tool>',
    f"<use_tool>\n<name>get_weather</name>\n<arguments>{GIVEN}</arguments>\n</use_tool>",
    f"<|tool_call:begin|>a<|tool_call:name|>get_weather<|tool_call:args|>{GIVEN}<|tool_call:end|>",
    "```yaml\nname: get_weather\narguments:\n  city: Oslo\n  days: 2\n```",
    "get_weather\n```python\ntool_call(city='Oslo', days=2)\n```",
    f"✿FUNCTION✿: get_weather\n✿ARGS✿: {GIVEN}",
    f"**Tool call:** `get_weather` with `{GIVEN}`",
    f"[{OBJECT}] Then list_all {{}}",
    f"<tool_call>\n{OBJECT}\n</tool_call>\nlist_all()",
)


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_call_in_an_unknown_syntax_is_no_reply(text: str) -> None:
    assert detect(text, NAMES) and read_text(text, TOOLS).error == "unparsable"
    assert not grade(parse(text), Label(reply="I cannot."), TOOLS).correct


@pytest.mark.parametrize(
    "text",
    [
        f'[{{"get_weather": {GIVEN}}}]',
        f'<|tools_prefix|>[{{"get_weather": {GIVEN}}}]<|tools_suffix|>',
        f'{{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {GIVEN}}}',
        f'{{"functionCall": {{"name": "get_weather", "args": {GIVEN}}}}}',
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": '
        f"{GIVEN}}}]<|END_ACTION|>",
        f"<TOOLCALL>[{OBJECT}]</TOOLCALL>",
        f"<|action_start|><|plugin|>\n{OBJECT}<|action_end|>",
        "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Oslo</parameter>\n"
        "<parameter=days>2</parameter>\n</function>\n</seed:tool_call>",
    ],
)
def test_marks_of_others_are_not_words(text: str) -> None:
    answer = read_text(text, TOOLS)
    assert (answer.calls, answer.text, answer.error) == ((OSLO,), "", None)


@pytest.mark.parametrize("between", ["\n", "\nThen:\n"])
def test_every_fence_is_read(between: str) -> None:
    text = f'```json\n{OBJECT}\n```{between}```json\n{{"name": "list_all", "arguments": {{}}}}\n```'
    assert [c.name for c in read_text(text, TOOLS).calls] == ["get_weather", "list_all"]


@pytest.mark.parametrize(
    ("block", "between"),
    [
        ("<|tool_call_start|>[get_weather(city='Oslo')]<|tool_call_end|>", ""),
        ("<function_calls>\nget_weather(city='Oslo')\n</function_calls>", "\n"),
        ("```tool_code\nget_weather(city='Oslo')\n```", "\n"),
        (f"<|tool_call|>[{OBJECT}]<|/tool_call|>", ""),
        (OBJECT, " and then "),
    ],
)
def test_a_second_block_of_calls_is_not_lost(block: str, between: str) -> None:
    answer = read_text(f"{block}{between}{block}", TOOLS)
    assert answer.error or len(answer.calls) == 2


@pytest.mark.parametrize(
    "text",
    [
        "I would use get_weather, but which city?",
        "The tools are get_weather (weather of a city) and list_all.",
        'Here is JSON:\n```json\n{"city": "Oslo", "temp": 3}\n```',
        "According to get_weather: it is 3 degrees (cloudy).",
        'I have "get_weather", "list_all" and nothing else.',
        'I ran get_weather for Oslo and it said {"temp": 3}.',
        "get_weather failed: the city is unknown.",
    ],
)
def test_a_reply_that_names_a_tool_is_a_reply(text: str) -> None:
    assert detect(text, NAMES) is None and read_text(text, TOOLS).text == text
