"""Faults by their kind, and pairs of calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from tool_calls import (
    TIME,
    WEATHER,
    call,
    full_lists,
    reply,
)

from looptool_kit.core.grading import align, diagnose, grade
from looptool_kit.core.samples import Label, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical

# ------------------------------------------------------------- diagnose


@pytest.mark.parametrize(
    ("predicted", "label", "kinds"),
    [
        ([call("get_time", city="A")], [call(city="A")], ["wrong_tool"]),
        ([call("get_wether", city="A")], [call(city="A")], ["unknown_tool"]),
        ([call()], [call(city="A")], ["missing_parameter"]),
        ([call(city="A", town="B")], [call(city="A")], ["hallucinated_parameter"]),
        ([call(city="A", unit="f")], [call(city="A")], ["redundant_parameter"]),
        ([call(city="B")], [call(city="A")], ["wrong_value"]),
        ([call(city="A", days="3")], [call(city="A", days=3)], ["wrong_type"]),
        ([call(city="A", days=True)], [call(city="A", days=1)], ["wrong_type"]),
        ([call(city="A", days=3.5)], [call(city="A", days=3)], ["wrong_value"]),
        ([call(city="A")], [call(city="A"), call(city="B")], ["missing_call"]),
        ([call(city="A"), call(city="A")], [call(city="A")], ["extra_call"]),
        ([call(city="A"), call("nope")], [call(city="A")], ["unknown_tool"]),
        ([call(city="A")], [], ["should_have_declined"]),
        ([], [call(city="A")], ["should_have_called"]),
        ([call(town="A")], [call(city="A")], ["missing_parameter", "hallucinated_parameter"]),
    ],
)
def test_diagnose_names_the_kind_of_error(
    predicted: list[ToolCall], label: list[ToolCall], kinds: list[str]
) -> None:
    faults = diagnose(reply(*predicted), Label(calls=tuple(label)), [WEATHER, TIME])
    assert [f.kind for f in faults] == kinds
    assert all(str(f) for f in faults)


def test_calls_are_compared_with_their_likeliest_counterpart() -> None:
    a, b = call(city="A", days=1), call(city="B", days=2)
    assert align([a, b], [call(city="B", days=3), a]) == [(a, a), (b, call(city="B", days=3))]
    assert align([call("get_time")], [call("get_time"), call("get_time", city="A")])[0][1] == call("get_time")


@given(full_lists, full_lists)
def test_align_uses_each_call_once(a: tuple[ToolCall, ...], b: tuple[ToolCall, ...]) -> None:
    pairs = align(a, b)
    assert [p[0] for p in pairs if p[0] is not None] == list(a)
    assert sorted(map(canonical, (p[1].model_dump() for p in pairs if p[1] is not None))) == sorted(
        map(canonical, (c.model_dump() for c in b))
    )


@pytest.mark.parametrize("question", ["Which city?", "哪个城市？", "أي مدينة؟", " For how many? "])
def test_the_label_of_a_question_wants_a_question(question: str) -> None:
    label = Answer(text=question).label
    assert label.asks and grade(Answer(text=question), label).correct
    assert not grade(Answer(text="It is done."), label).correct
    assert (
        not Answer(text=f"{question} I guess.").label.asks
        and not Answer(calls=(call(),), text=question).label.asks
    )
