"""Faults of the reference implementation that this one does not repeat."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from tool_calls import (
    TIME,
    WEATHER,
    call,
    call_lists,
    reply,
    said,
)

from looptool_kit.core.grading import diagnose, grade, reply_fault
from looptool_kit.core.samples import Label, Message
from looptool_kit.core.toolcalls import (
    Answer,
    match,
    parse,
    render_calls,
    render_prompt,
)

# ------------------------------ faults of the reference implementation


def test_fault_sets_instead_of_multisets() -> None:
    a, b = call(city="A"), call(city="B")
    assert not match(reply(a, a, b), reply(a, b, b))
    assert not match(reply(a, a), reply(a))
    assert match(reply(a, b, a), reply(a, a, b))


def test_fault_array_order_ignored() -> None:
    assert not match(reply(call(days=[1, 2])), reply(call(days=[2, 1])))
    assert not match(reply(call(x={"deep": [[1, 2], [3]]})), reply(call(x={"deep": [[3], [1, 2]]})))


def test_fault_true_equals_one() -> None:
    assert not match(reply(call(days=True)), reply(call(days=1)))
    assert not match(reply(call(days=[False])), reply(call(days=[0])))
    assert not match(reply(call(days=True)), reply(call(days=1.0)))
    assert match(reply(call(days=1)), reply(call(days=1.0)))
    assert match(reply(call(days=-0.0)), reply(call(days=0)))
    assert not match(reply(call(days=2**53 + 1)), reply(call(days=float(2**53))))
    assert not match(reply(call(days="1")), reply(call(days=1)))
    assert not match(reply(call(days=None)), reply(call()))


def test_fault_two_unparsable_answers_match() -> None:
    broken = parse("<tool_call>oops</tool_call>")
    assert broken.error == "unparsable" and not match(broken, broken) and not match(broken, Answer())
    assert grade(broken, Label()).correct is False
    assert [f.kind for f in diagnose(broken, Label(calls=(call(city="A"),)))] == ["unparsable"]


def test_fault_an_answer_cut_at_the_length_limit_is_a_plain_reply() -> None:
    for text in ("It is sunny in", render_calls([call(city="A")])):
        cut = parse(text, "length")
        assert cut.error == "truncated" and cut.calls == ()
        for label in (Label(reply="It is sunny."), Label(), Label(calls=(call(city="A"),))):
            assert not match(cut, label) and not grade(cut, label).correct
            assert [f.kind for f in diagnose(cut, label)] == ["truncated"]


def test_fault_any_reply_without_a_tag_earns_reward() -> None:
    ask = Label(reply="Which city?", asks=True, mentions=(("city", "town", "where"),))
    for text in (
        "",
        "  \n",
        "The weather is fine.",
        "Which day?",
        "The city is nice.",
        '{"name": "get_weather", "arguments": {}} city?',
        "{'name': 'get_weather', 'arguments': {}} city?",
        "<think>which city?</think>",
    ):
        result = grade(parse(text), ask)
        assert result.match and not result.correct and result.faults[0].kind == "wrong_reply", text
    assert grade(parse("Sure! For which TOWN?"), ask).correct
    assert not grade(reply(call(city="A"), text="Which city?"), ask).correct
    assert reply_fault("anything said", Label()) is None


def test_two_empty_call_lists_match() -> None:
    assert match(Answer(text="a"), Answer(text="b")) and match(Label(), Answer())
    assert not match(Label(), reply(call()))


def test_fault_prompts_truncated_from_the_left_lose_the_tools() -> None:
    talk = [
        Message(role="system", content="Be brief."),
        *[Message(role="user", content=f"line {i} " * 50) for i in range(200)],
    ]
    prompt = render_prompt([WEATHER, TIME], talk)
    assert prompt.startswith("<|im_start|>system\n") and prompt.endswith("<|im_start|>assistant\n")
    before = prompt.split("Be brief.")[0]
    assert (
        json.dumps({"name": "get_weather"})[1:-1] in before
        and json.dumps({"name": "get_time"})[1:-1] in before
    )
    assert (
        before.index("<tools>") < before.index("get_weather") < before.index("</tools>")
        and prompt.count("<tools>") == 1
    )


@given(
    st.lists(
        st.builds(
            Message,
            role=st.sampled_from(["system", "user", "assistant", "tool"]),
            content=said,
            tool_calls=call_lists,
        ),
        max_size=6,
    )
)
def test_the_template_keeps_all_tools_first_and_shows_calls_as_they_are_written(talk: list[Message]) -> None:
    prompt = render_prompt([WEATHER, TIME], talk)
    assert prompt.index("get_weather") < prompt.index("get_time") < prompt.index("</tools>")
    later = prompt[prompt.index("</tools>") :]
    for m in talk:
        assert m.content in later
        if m.role in ("user", "assistant"):
            assert render_calls(m.tool_calls) in later


def test_without_tools_there_is_no_tools_block() -> None:
    assert (
        render_prompt([], [Message(role="user", content="Hi")])
        == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
