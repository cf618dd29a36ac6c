"""ToolMatch and the parser: their properties, on any calls and any text."""

from __future__ import annotations

import copy
import json
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tool_calls import (
    WEATHER,
    answers,
    call,
    call_lists,
    full_lists,
    reply,
    said,
    wild,
)

from looptool_kit.core import toolcalls
from looptool_kit.core.grading import diagnose, grade
from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Label, ToolCall
from looptool_kit.core.toolcalls import (
    Answer,
    MatchOptions,
    canonical,
    canonical_calls,
    match,
    parse,
    render_answer,
    render_calls,
)

# --------------------------------------------------------------- parser


@given(wild, st.sampled_from(["stop", "length"]), st.builds(Label, calls=call_lists, reply=said))
@example('<tool_call>{"name":"f","arguments":{"a":"\\ud800"}}</tool_call>', "stop", Label())
@example("<tool_call>" + "[" * 50_000, "stop", Label())
def test_nothing_raises_on_any_text(text: str, finish: str, label: Label) -> None:
    answer = parse(text, finish)
    match(answer, label)
    assert bool(diagnose(answer, label, [WEATHER])) is not match(answer, label)
    assert grade(answer, label).correct in (True, False)
    if finish == "length":
        assert answer.error == "truncated"


@given(answers)
def test_render_then_parse_gives_the_answer_back(answer: Answer) -> None:
    assert parse(render_answer(answer)) == answer
    assert parse("\n\n " + render_answer(answer) + "\n ") == answer


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<tool_call>{}</tool_call>", "exactly name and arguments"),
        ('<tool_call>{"name":"f"}</tool_call>', "exactly name and arguments"),
        ('<tool_call>{"name":"f","arguments":{},"id":1}</tool_call>', "exactly name and arguments"),
        ('<tool_call>[{"name":"f","arguments":{}}]</tool_call>', "exactly name and arguments"),
        ('<tool_call>{"name":"","arguments":{}}</tool_call>', "non-empty"),
        ('<tool_call>{"name":1,"arguments":{}}</tool_call>', "non-empty"),
        ('<tool_call>{"name":"f","arguments":"{}"}</tool_call>', "arguments an object"),
        ('<tool_call>{"name":"f","arguments":null}</tool_call>', "arguments an object"),
        ('<tool_call>{"name":"f","arguments":{}}', "is missing"),
        ('<tool_call>{"name":"f","arguments":{}}<tool_call>', "is missing"),
        ('<tool_call>{"name":"f","arguments":{}} {}</tool_call>', "is missing"),
        ('{"name":"f","arguments":{}}</tool_call>', "without"),
        ('<tool_call>{"name":"f","arguments":{"a":1,"a":2}}</tool_call>', "twice"),
        ('<tool_call>{"name":"f","arguments":{"a":NaN}}</tool_call>', "NaN"),
        ('<tool_call>{"name":"f","arguments":{"a":-Infinity}}</tool_call>', "Infinity"),
        ('<tool_call>{"name":"f","arguments":{"a":1e999}}</tool_call>', "out of range"),
        ('<tool_call>{"name":"f","arguments":{"a":"\\ud800"}}</tool_call>', "surrogates"),
        ('<tool_call>{"name":"f","arguments":{"\\udfff":1}}</tool_call>', "surrogates"),
        ("<tool_call>{'name':'f','arguments':{}}</tool_call>", "double quotes"),
        ('<tool_call>{"name":"f","arguments":{"a":1,}}</tool_call>', ""),
        ('<tool_call>{"name":"f","arguments":{"a":"\x00"}}</tool_call>', "control character"),
        ('<tool_call>{"name":"f","arguments":{"a":' + "9" * 5000 + "}}</tool_call>", "4300"),
        ('<tool_call>{"name":"f","arguments":{"a":' + "[" * 120 + "]" * 120 + "}}</tool_call>", "nested"),
        (
            '<tool_call>{"name":"f","arguments":{"a":' + "[" * 90_000 + "]" * 90_000 + "}}</tool_call>",
            "nested",
        ),
        ("<think>hm", "not closed"),
    ],
)
def test_json_is_strict(text: str, error: str) -> None:
    answer = parse(text)
    assert (
        answer.error == "unparsable"
        and answer.calls == ()
        and error in answer.detail
        and len(answer.detail) <= 300
    )


PIECES = (
    ['{"name": "f", "arguments": {', '"a": 1', '"a": 1', '"b" : 2', '"b":{"c":[{"d":1},{"d":2}]}', ", "]
    + [
        "}}",
        "}",
        "{",
        "[",
        "]",
        ":",
        '"',
        '"x:y"',
        '"t": "10:30"',
        '"t": "a \\":b"',
        "1e999",
        "-1e999",
        "NaN",
    ]
    + ["1e5", "-0.0", "-0", "01", "1" * 400, "9" * 30, "8" * 5000, '"\\ud83d\\ude00"', '"\\ud800"', "\ud800"]
    + ['"\\u00e9"', "é", "\n", "\t", "\x00", "\xa0", "\ufeff", "[" * 101 + "]" * 101, '"name"', '"arguments"']
    + [
        "null",
        "true",
        "</tool_call>",
        "<tool_call>",
        "</tool_call>\n<tool_call>",
        "<think>",
        "</think>",
        " x ",
    ]
)
pieces = st.sampled_from(PIECES)
"""What two readers of JSON may differ in."""


def without_the_quick_reader(text: str) -> Answer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toolcalls, "quick_call", lambda body: None)
        return parse(text)


def exactly(answer: Answer) -> str:
    """All of an answer, with the type of each value and the order of keys."""
    return repr([answer.model_dump(), [(c.name, c.arguments) for c in answer.calls], answer.model_fields_set])


@settings(max_examples=400)
@given(full_lists, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12), pieces), max_size=3))
def test_the_quick_reader_and_the_strict_one_say_the_same(
    made: tuple[ToolCall, ...], edits: list[tuple[int, int, str]]
) -> None:
    text = render_calls(made)
    for at, cut, piece in edits:
        at %= len(text) + 1
        text = text[:at] + piece + text[at + cut :]
    assert exactly(parse(text)) == exactly(without_the_quick_reader(text))


@settings(max_examples=300)
@given(st.lists(pieces, max_size=12).map("".join), st.booleans())
def test_they_say_the_same_of_what_is_hardly_a_call(text: str, whole: bool) -> None:
    call = f'{{"name": "f", "arguments": {{{text}}}}}' if whole else text
    for wrapped in (f"<tool_call>{call}</tool_call>", f"<tool_call>\n{call}\n</tool_call> {text}"):
        assert exactly(parse(wrapped)) == exactly(without_the_quick_reader(wrapped))


def test_the_quick_reader_is_used_for_what_policies_write() -> None:
    """Else it would be for nothing, and the tests above true of one reader alone."""
    for arguments in ({}, {"a": "10:30", "b": [1.5, {"c": None}]}, {"q": "{Größe: 3}"}):
        body = render_calls([call("f", **arguments)]).removeprefix("<tool_call>").removesuffix("</tool_call>")
        assert toolcalls.quick_call(body) == call("f", **arguments)
    assert toolcalls.quick_call('{"name": "f", "arguments": {"a": 1, "a": 1}}') is None


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r", " \n", ""])
@pytest.mark.parametrize("value", ['"10:30"', '"a \\":"', "1", '{"a": [{"b": 2}]}'])
def test_a_key_that_appears_twice_is_seen_whatever_stands_before_its_colon(space: str, value: str) -> None:
    for twice in (f'"at"{space}: {value}, "at": {value}', f'"at": {value}, "at"{space}:{value}'):
        body = f'{{"name": "f", "arguments": {{{twice}}}}}'
        assert toolcalls.quick_call(body) is None
        assert parse(f"<tool_call>\n{body}\n</tool_call>").error == "unparsable"


def test_white_space_several_calls_text_around_and_thoughts_are_fine() -> None:
    one = '<tool_call>\n\t {"arguments": {"city": "Bern"}, "name": "get_weather"} \n</tool_call>'
    answer = parse(f"<think>or <tool_call> maybe?</think>\nSure:{one}and<think>{one}</think>\n{one}bye")
    assert answer == Answer(calls=(call(city="Bern"), call(city="Bern")), text="Sure: and bye")
    assert parse(f"what was asked?</think>{one}").calls == (call(city="Bern"),)
    assert parse(render_calls([call(city="</tool_call></think>")])).calls == (
        call(city="</tool_call></think>"),
    )


def test_a_very_long_text_takes_linear_time() -> None:
    size = 2_000_000
    texts = [
        "<think></think>" * (size // 15),
        "<think>" * (size // 7),
        "<tool_call>" * (size // 11),
        "</think>" * (size // 8),
        " " * size,
    ]
    texts += [
        "<tool_call>" + " " * size,
        render_calls([call(city="x" * size)]),
        render_calls([call(city="Bern")] * (size // 80)),
    ]
    start = time.process_time()
    for text in texts:
        parse(text)
    assert time.process_time() - start < 10  # quadratic search takes minutes


# ---------------------------------------------------------------- match


def shuffled(value: object) -> object:
    """The same JSON value, keys in reverse order and whole numbers in the other of their two types."""
    if isinstance(value, dict):
        return {k: shuffled(value[k]) for k in reversed(value)}
    if isinstance(value, list):
        return [shuffled(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is int and abs(value) < 2**53:
        return float(value)
    return value


@given(answers, answers)
def test_match_is_symmetric_and_diagnose_is_empty_exactly_on_match(a: Answer, b: Answer) -> None:
    assert match(a, b) is match(b, a)
    assert match(a, a)
    assert (diagnose(a, b) == ()) is match(a, b)
    assert grade(a, Label(calls=b.calls)).match is match(a, b)


few = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 0.0, 1.0, -0.0, 0.5, 2**53 + 1, float(2**53), "1", ""]),
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("ab"), v, max_size=2),
    max_leaves=3,
)
like_calls = st.lists(
    st.builds(
        ToolCall,
        name=st.sampled_from("fg"),
        arguments=st.dictionaries(st.sampled_from("xy"), few, max_size=1),
    ),
    max_size=10,
)


@given(like_calls, like_calls, st.booleans(), st.randoms(use_true_random=False))
def test_match_is_equality_of_the_canonical_multisets(
    a: list[ToolCall], b: list[ToolCall], mixed: bool, random: object
) -> None:
    if mixed:
        b = [*a[1:], *b[:1]]
        random.shuffle(b)  # type: ignore[attr-defined]
    assert match(reply(*a), reply(*b)) is (canonical_calls(a) == canonical_calls(b))


@given(call_lists, st.randoms(use_true_random=False))
def test_order_of_keys_and_of_calls_does_not_count(made: tuple[ToolCall, ...], random: object) -> None:
    mixed = [ToolCall(name=c.name, arguments=shuffled(c.arguments)) for c in made]  # type: ignore[arg-type]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert match(reply(*made), reply(*mixed))


CORRUPTIONS = (
    "drop_parameter",
    "add_parameter",
    "rename_parameter",
    "other_value",
    "text_of_value",
    "null",
    "in_list",
    "boolean_of_number",
    "reverse_list",
    "shorter_list",
    "rename_tool",
    "extra_call",
    "missing_call",
    "repeat_another",
    "cut",
    "no_answer",
)


def corrupt(kind: str, made: tuple[ToolCall, ...], pick: int) -> Answer | None:
    """The calls with one thing wrong, None where that kind does not apply."""
    which = pick % len(made)
    name, arguments = made[which].name, copy.deepcopy(dict(made[which].arguments))
    keys = sorted(arguments)
    key = keys[pick % len(keys)] if keys else None
    if kind == "cut":
        return parse(render_calls(made), "length")
    if kind == "no_answer":
        return Answer(text="Sorry.")
    if kind == "extra_call":
        return reply(*made, made[which])
    if kind == "missing_call":
        return reply(*made[:which], *made[which + 1 :])
    if kind == "repeat_another":
        other = made[(which + 1) % len(made)]
        return (
            None
            if canonical(other.model_dump()) == canonical(made[which].model_dump())
            else reply(*made[:which], other, *made[which + 1 :])
        )
    if kind == "rename_tool":
        name += "_"
    elif kind == "add_parameter":
        arguments["".join(keys) + "_new"] = 1
    elif key is None:
        return None
    elif kind == "drop_parameter":
        del arguments[key]
    elif kind == "rename_parameter":
        arguments["".join(keys) + "_new"] = arguments.pop(key)
    else:
        old = arguments[key]
        new = {
            "other_value": lambda: [old, 1],
            "text_of_value": lambda: None if isinstance(old, str) else json.dumps(old),
            "null": lambda: None,
            "in_list": lambda: [old],
            "boolean_of_number": lambda: (
                bool(old) if type(old) in (int, float) else not old if type(old) is bool else old
            ),
            "reverse_list": lambda: old[::-1] if isinstance(old, list) else old,
            "shorter_list": lambda: old[1:] if isinstance(old, list) else old,
        }[kind]()
        if canonical(new) == canonical(old):
            return None
        arguments[key] = new
    return reply(*made[:which], ToolCall(name=name, arguments=arguments), *made[which + 1 :])


@pytest.mark.parametrize("kind", CORRUPTIONS)
@given(full_lists, st.integers(0, 1000))
@settings(max_examples=60)
def test_a_corrupted_answer_never_matches(kind: str, made: tuple[ToolCall, ...], pick: int) -> None:
    if kind in ("reverse_list", "shorter_list"):
        made = (ToolCall(name="find", arguments={"tags": [1, "two", made[0].arguments]}),)
    if kind in ("drop_parameter", "rename_parameter", "other_value", "text_of_value", "null", "in_list"):
        made = tuple(ToolCall(name=c.name, arguments={"n": pick, **c.arguments}) for c in made)
    if kind == "boolean_of_number":
        made = tuple(ToolCall(name=c.name, arguments={"n": pick % 2}) for c in made)
    wrong = corrupt(kind, made, pick)
    assume(wrong is not None)
    assert wrong is not None
    assert not match(wrong, reply(*made))
    result = grade(wrong, Label(calls=made), [WEATHER])
    assert not result.correct and result.faults


# -------------------------------------------------------------- options


def test_options_are_off_unless_asked_for() -> None:
    a, b = reply(call(city="New York", unit="c")), reply(call(city="new-york"))
    assert not match(a, b)
    assert not match(a, b, MatchOptions(loose_strings=True), [WEATHER]) and not match(
        a, b, MatchOptions(ignore_defaults=True), [WEATHER]
    )
    both = MatchOptions(ignore_defaults=True, loose_strings=True)
    assert match(a, b, both, [WEATHER]) and match(b, a, both, [WEATHER])
    assert not match(reply(call(city="A", unit="f")), reply(call(city="A")), both, [WEATHER])


def test_strict_json_is_as_strict_as_the_parser() -> None:
    assert strict_json(' [{"name": "a", "arguments": {"x": 1.5}}] ') == [
        {"name": "a", "arguments": {"x": 1.5}}
    ]
    for text in (
        '{"a": 1, "a": 2}',
        "[NaN]",
        "[1e999]",
        '["\\ud800"]',
        "[" * 200 + "]" * 200,
        "[" * 100_000,
        "[1] 2",
        "",
    ):
        with pytest.raises(ValueError):
            strict_json(text)
