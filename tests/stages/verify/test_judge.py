"""The evidence judge, case by case: which answer it finds right, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from looptool_kit.config import Settings, with_overrides
from looptool_kit.core.records import Verdict
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages import verify
from looptool_kit.stages._find import names
from looptool_kit.stages.verify import Case, Context, each, find_judge
from looptool_kit.stages.verify.evidence import judge, judge_one

BOOK = Tool(
    name="book_table",
    description="Book a table at a restaurant.",
    parameters={
        "type": "object",
        "properties": {
            "restaurant": {"type": "string"},
            "party_size": {"type": "integer"},
            "date": {"type": "string", "format": "date"},
            "time": {"type": "string", "format": "time"},
            "seating": {"type": "string", "enum": ["indoor", "outdoor", "bar"]},
            "notes": {"type": "string"},
            "language": {"type": "string", "default": "en"},
        },
        "required": ["restaurant", "party_size", "date", "time"],
    },
)
FIND = Tool(
    name="find_restaurants",
    description="Search for restaurants in a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "cuisine": {"type": "string"}},
        "required": ["city"],
    },
)
REQUEST = "Could you book a table for six at Chez Louis this Friday at 6:30 pm, outdoor please?"
RIGHT = {
    "restaurant": "Chez Louis",
    "party_size": 6,
    "date": "2026-11-27",
    "time": "18:30",
    "seating": "outdoor",
}


def sample(request: str, label: Answer) -> Sample:
    messages = (
        Message(role="system", content="Today is Monday, 2026-11-23."),
        Message(role="user", content=request),
    )
    return Sample(tools=(BOOK, FIND), messages=messages, label=Label(calls=label.calls, reply=label.text))


def booked(**changed: Any) -> Answer:
    arguments = {k: v for k, v in {**RIGHT, **changed}.items() if v is not None}
    return Answer(calls=(ToolCall(name="book_table", arguments=arguments),))


def both_ways(request: str, right: Answer, wrong: Answer) -> tuple[Verdict, Verdict]:
    return judge_one(sample(request, right), wrong), judge_one(sample(request, wrong), right)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (booked(party_size=7), "party_size"),
        (booked(party_size="6"), "party_size"),
        (booked(date="2026-11-28"), "date"),
        (booked(time="06:30"), "time"),
        (booked(seating=None), "seating"),
        (booked(seating="indoor"), "seating"),
        (booked(restaurant="Chez Lous"), "restaurant"),
        (booked(restaurant=None), "restaurant"),
        (booked(notes="window"), "notes"),
        (booked(colour="red"), "colour"),
        (Answer(calls=(ToolCall(name="find_restaurants", arguments={"city": "Chez Louis"}),)), "book_table"),
        (Answer(calls=(*booked().calls, *booked().calls)), "appears twice"),
        (Answer(text="For how many people?"), "book_table"),
        (Answer(text="Done!"), "book_table"),
    ],
)
def test_the_wrong_side_loses_whichever_side_it_is_on(wrong: Answer, named: str) -> None:
    here, there = both_ways(REQUEST, booked(), wrong)
    assert (here.verdict, there.verdict) == ("PRED_WRONG", "LABEL_WRONG")
    assert named in here.rationale and named in there.rationale
    assert here.label == Label(calls=booked().calls) == there.label


def test_asking_is_right_where_a_required_value_is_missing() -> None:
    request = "Could you book a table at Chez Louis this Friday at 6:30 pm?"
    here, there = both_ways(request, Answer(text="For how many people?"), booked(seating=None))
    assert (here.verdict, there.verdict) == ("PRED_WRONG", "LABEL_WRONG")
    assert there.label == Label(reply="For how many people?", asks=True) and "party_size" in there.rationale


@pytest.mark.parametrize("error", ["unparsable", "truncated"])
def test_what_does_not_parse_is_wrong_against_a_good_label(error: Any) -> None:
    verdict = judge_one(sample(REQUEST, booked()), Answer(error=error, detail="cut"))
    assert verdict.verdict == "PRED_WRONG" and error in verdict.rationale
    assert judge_one(sample(REQUEST, booked(party_size="6")), Answer(error=error)).verdict == "BOTH_WRONG"


def test_the_same_in_other_words_is_both_correct() -> None:
    assert {v.verdict for v in both_ways(REQUEST, booked(), booked(restaurant="chez louis"))} == {
        "BOTH_CORRECT"
    }
    assert {v.verdict for v in both_ways(REQUEST, booked(), booked(language="en"))} == {"BOTH_CORRECT"}


PLACE = Tool(
    name="get_weather",
    description="Weather in a city.",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "City and state, e.g. Boston, MA"},
            "days": {"type": "integer", "description": "Days ahead. Default is 1."},
            "fields": {"type": "array", "items": {"type": "string"}},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
)


def asked_of(request: str, label: dict[str, Any], prediction: dict[str, Any]) -> Verdict:
    calls = [(ToolCall(name="get_weather", arguments=a),) for a in (label, prediction)]
    given = Sample(
        tools=(PLACE,), messages=(Message(role="user", content=request),), label=Label(calls=calls[0])
    )
    return judge_one(given, Answer(calls=calls[1]))


@pytest.mark.parametrize(
    ("request_", "one", "other"),
    [
        ("Weather in Berkeley?", {"city": "Berkeley, CA"}, {"city": "Berkeley"}),
        ("Weather in Austin, Texas?", {"city": "Austin, TX"}, {"city": "Austin, Texas"}),
        ("Weather in Austin?", {"city": "Austin"}, {"city": "Austin", "days": 1}),
        ("Weather in Austin?", {"city": "Austin"}, {"city": "Austin", "unit": None}),
        (
            "Wind and rain in Austin?",
            {"city": "Austin", "fields": ["wind", "rain"]},
            {"city": "Austin", "fields": ["rain", "wind"]},
        ),
    ],
)
def test_a_second_right_answer_is_both_correct(
    request_: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert asked_of(request_, one, other).verdict == asked_of(request_, other, one).verdict == "BOTH_CORRECT"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"city": "Austin", "unit": "celsius"}, {"city": "Austin", "unit": "fahrenheit"}),
        ({"city": "Austin", "days": 2}, {"city": "Austin", "days": 3}),
    ],
)
def test_two_values_that_nobody_says_are_not_both_wrong(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Before, two unsaid values were thrown away together, right labels with them."""
    assert asked_of("Weather in Austin?", one, other).verdict != "BOTH_WRONG"
    assert asked_of("Weather in Austin?", other, one).verdict != "BOTH_WRONG"


def test_a_label_is_replaced_from_the_floor_on_and_is_unjudged_below() -> None:
    case = Case(sample(REQUEST, booked(party_size=7)), booked())
    alone = judge_one(case.sample, case.prediction)
    assert alone.verdict == "LABEL_WRONG" and alone.for_label is not None

    def by(floor: float) -> Verdict:
        settings = with_overrides(Settings(), verify__floor=floor)
        [verdict] = judge([case], Context(settings, Path("none"), lambda: [None], {}))
        return verdict

    assert by(0.0) == by(alone.confidence) == alone
    below = by(min(1.0, alone.confidence + 1e-9))
    assert (below.status, below.verdict, below.label, below.confidence) == ("unjudged", None, None, 0.0)
    assert below.for_label == alone.for_label < 0.5 and "party_size" in below.rationale


def test_two_bad_answers_are_both_wrong() -> None:
    assert {v.verdict for v in both_ways(REQUEST, booked(party_size=7), booked(date="2026-12-24"))} == {
        "BOTH_WRONG"
    }


def test_thin_evidence_is_unjudged() -> None:
    here, there = both_ways("Tell me something nice.", Answer(text="Roses."), Answer(text="Violets."))
    assert {here.verdict, there.verdict} == {"BOTH_CORRECT"}
    bare = sample(
        "The usual table, please: Chez Louis, six of us, this Friday 6:30 pm, somewhere with sunshine and"
        " fresh air!",
        booked(),
    )
    verdict = judge_one(bare, booked(seating="bar"))
    assert (
        verdict.status == "unjudged"
        and verdict.verdict is None
        and verdict.label is None
        and verdict.confidence == 0.0
    )


def test_likelihood_alone_decides_nothing() -> None:
    bare = (
        "The usual table, please: Chez Louis, six of us, this Friday 6:30 pm, somewhere with sunshine and"
        " fresh air!"
    )
    for odds in ((-9.0, -0.01), (-0.01, -9.0)):
        verdict = judge_one(
            sample(bare, booked()),
            booked(seating="bar"),
            label_logprobs=[odds[0]],
            prediction_logprobs=[odds[1]],
        )
        assert verdict.status == "unjudged"
        assert {e.name for e in verdict.evidence} == {"grounding", "likelihood"}


def test_plain_replies_by_what_they_must_say() -> None:
    label = Label(reply="Your table is booked under R-12.", mentions=(("R-12",),))
    done = sample(REQUEST, booked()).model_copy(update={"label": label})
    assert judge_one(done, Answer(text="All done.")).verdict == "PRED_WRONG"
    assert judge_one(done, Answer(text="It is R-12.")).verdict == "BOTH_CORRECT"


def test_finding_by_name() -> None:
    assert (
        names(verify.__name__) == ["combined", "evidence", "labels", "llm"]
        and find_judge("evidence") is judge
    )
    with pytest.raises(ValueError, match="'nobody'; choose one of combined, evidence, labels, llm"):
        find_judge("nobody")


def test_a_judge_of_one_case_gets_the_logprobs_and_its_failure_costs_one_row() -> None:
    seen: list[Any] = []

    def judge_one(sample: Sample, prediction: Answer, **logprobs: Any) -> Verdict:
        seen.append(logprobs)
        if not prediction.calls:
            raise RuntimeError("no calls")
        return Verdict(sample_id=sample.id, iteration=1, status="judged", verdict="PRED_WRONG")

    cases = [
        Case(sample(REQUEST, booked()), Answer(), [-1.0]),
        Case(sample(REQUEST, booked()), booked(), [-2.0]),
    ]
    failed, made = each(judge_one)(cases, Context(Settings(), Path("none"), lambda: [[-3.0], None], {}))
    assert (failed.status, failed.judge) == ("unjudged", "") and "RuntimeError: no calls" in failed.rationale
    assert made.verdict == "PRED_WRONG"
    assert seen == [
        {"label_logprobs": [-3.0], "prediction_logprobs": [-1.0]},
        {"label_logprobs": None, "prediction_logprobs": [-2.0]},
    ]


EXCHANGES: list[tuple[str, dict[str, str], dict[str, Any], tuple[str, str]]] = [
    (
        "Read me the poem 'Winter Light' by Autumn.",
        {"poem_title": "string", "poet_name": "string"},
        {"poem_title": "Winter Light", "poet_name": "Autumn"},
        ("poem_title", "poet_name"),
    ),
    (
        "What is the force between two masses of 3 and 7 at distance 2?",
        {"mass1": "number", "mass2": "number", "distance": "number"},
        {"mass1": 3, "mass2": 7, "distance": 2},
        ("mass1", "mass2"),
    ),
    (
        "Find the best Thai restaurants in Old Town with ratings above 4.",
        {"location": "string", "cuisine": "string", "rating": "number"},
        {"location": "Old Town", "cuisine": "Thai", "rating": 4},
        ("location", "cuisine"),
    ),
    (
        "I want to see a film with Ada Brook.",
        {"directed_by": "string", "starring": "string"},
        {"directed_by": "any", "starring": "Ada Brook"},
        ("directed_by", "starring"),
    ),
]


@pytest.mark.parametrize(("request_", "types", "right", "places"), EXCHANGES)
def test_values_that_change_places_say_which_answer_is_wrong_and_never_both(
    request_: str, types: dict[str, str], right: dict[str, Any], places: tuple[str, str]
) -> None:
    properties = {name: {"type": kind, "default": "any"} for name, kind in types.items()}
    tool = Tool(
        name="look_up", description="Look up.", parameters={"type": "object", "properties": properties}
    )
    a, b = places
    answers = [
        Answer(calls=(ToolCall(name="look_up", arguments=arguments),))
        for arguments in (right, right | {a: right[b], b: right[a]})
    ]
    for label, prediction in (answers, answers[::-1]):
        asked = Sample(
            tools=(tool,),
            messages=(Message(role="user", content=request_),),
            label=Label(calls=label.calls),
        )
        assert judge_one(asked, prediction).verdict != "BOTH_WRONG"
