"""The evidence judge: cases, symmetry, and measured bounds against planted noise and corrupted predictions."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from looptool_kit.core.records import Verdict
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, match
from looptool_kit.stages.verify import find_judge, names
from looptool_kit.stages.verify.evidence import judge
from looptool_kit.world import generate
from looptool_kit.world.noise import plant_noise

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
    return judge(sample(request, right), wrong), judge(sample(request, wrong), right)


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
        (Answer(calls=(*booked().calls, *booked().calls)), "stands twice"),
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
    assert there.label == Label(reply="For how many people?") and "party_size" in there.rationale


@pytest.mark.parametrize("error", ["unparsable", "truncated"])
def test_what_does_not_parse_is_wrong_against_a_good_label(error: Any) -> None:
    verdict = judge(sample(REQUEST, booked()), Answer(error=error, detail="cut"))
    assert verdict.verdict == "PRED_WRONG" and error in verdict.rationale
    assert judge(sample(REQUEST, booked(party_size="6")), Answer(error=error)).verdict == "BOTH_WRONG"


def test_the_same_in_other_words_is_both_correct() -> None:
    assert {v.verdict for v in both_ways(REQUEST, booked(), booked(restaurant="chez louis"))} == {
        "BOTH_CORRECT"
    }
    assert {v.verdict for v in both_ways(REQUEST, booked(), booked(language="en"))} == {"BOTH_CORRECT"}


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
    verdict = judge(bare, booked(seating="bar"))
    assert (
        verdict.status == "unjudged"
        and verdict.verdict is None
        and verdict.label is None
        and verdict.confidence == 0.0
    )


def test_plain_replies_by_what_they_must_say() -> None:
    label = Label(reply="Your table is booked under R-12.", mentions=(("R-12",),))
    done = sample(REQUEST, booked()).model_copy(update={"label": label})
    assert judge(done, Answer(text="All done.")).verdict == "PRED_WRONG"
    assert judge(done, Answer(text="It is R-12.")).verdict == "BOTH_CORRECT"


MOVE = Tool(
    name="move_event",
    description="Move a calendar event to another time.",
    parameters={
        "type": "object",
        "properties": {
            "event_id": {"type": "string"},
            "new_start": {"type": "string", "description": "New start, YYYY-MM-DDTHH:MM."},
            "date": {"type": "string", "format": "date"},
        },
        "required": ["event_id", "new_start"],
    },
)
LIST = Tool(
    name="list_events",
    description="List the events of a day.",
    parameters={
        "type": "object",
        "properties": {"date": {"type": "string", "format": "date"}},
        "required": ["date"],
    },
)
EVENTS = '{"events": [{"event_id": "EV-82663", "date": "2027-06-22", "start": "18:45"}]}'


def moved(turns: tuple[Message, ...], label: Answer, prediction: Answer) -> str | None:
    messages = (Message(role="system", content="Today is Monday, 2027-06-21."), *turns)
    return judge(
        Sample(tools=(LIST, MOVE), messages=messages, label=Label(calls=label.calls)), prediction
    ).verdict


@pytest.mark.parametrize("turns", [1, 2])
def test_what_the_user_asks_last_outweighs_a_result_and_a_date_that_a_call_has_used(turns: int) -> None:
    """A small model copies what it has just read; the copy stands in the dialogue and is wrong all the same."""
    looked_up = (
        Message(
            role="assistant", tool_calls=(ToolCall(name="list_events", arguments={"date": "2027-06-22"}),)
        ),
        Message(role="tool", content=EVENTS),
    )
    if turns == 1:
        dialogue = (
            Message(
                role="user",
                content=(
                    "Please list my events for tomorrow, then shift the one to the 24th of June at 08:30."
                ),
            ),
            *looked_up,
        )
    else:
        dialogue = (
            Message(role="user", content="Please list my events for tomorrow."), *looked_up,
            Message(role="assistant", content="There is one, EV-82663."), Message(role="user", content="Shift it to the 24th of June at 08:30."),
        )  # fmt: skip
    right = Answer(
        calls=(
            ToolCall(name="move_event", arguments={"event_id": "EV-82663", "new_start": "2027-06-24T08:30"}),
        )
    )
    for start in ("2027-06-22T18:45", "2027-06-22T08:30"):
        copied = Answer(
            calls=(ToolCall(name="move_event", arguments={"event_id": "EV-82663", "new_start": start}),)
        )
        assert moved(dialogue, right, copied) == "PRED_WRONG"
        assert moved(dialogue, copied, right) == "LABEL_WRONG"
    surplus = Answer(
        calls=(ToolCall(name="move_event", arguments={**right.calls[0].arguments, "date": "2027-06-22"}),)
    )
    assert moved(dialogue, right, surplus) != "LABEL_WRONG"


def tool(name: str, description: str, *required: str, **properties: Any) -> Tool:
    properties = {k: {"type": "string"} for k in required} | properties
    return Tool(
        name=name,
        description=description,
        parameters={"type": "object", "properties": properties, "required": list(required)},
    )


CANCEL = tool(
    "cancel_rental",
    "Cancel a car rental.",
    "rental_id",
    refund={"type": "string", "enum": ["card", "credit"], "default": "card"},
)
ADD = tool(
    "add_songs",
    "Add songs to a playlist.",
    "playlist_id",
    "titles",
    titles={"type": "array", "items": {"type": "string"}},
)


def test_an_identifier_of_another_thing_does_not_overrule_a_refusal() -> None:
    """The policy uses the only tool that cancels something; what is to be cancelled is not what that tool
    cancels.
    """
    refusal = Label(reply="I'm afraid I'm unable to cancel a plane ticket; I don't have a tool for it.")
    call = Answer(
        calls=(ToolCall(name="cancel_rental", arguments={"rental_id": "TK-254362", "refund": "card"}),)
    )

    def asked(request: str) -> str | None:
        return judge(
            Sample(tools=(CANCEL, LIST), messages=(Message(role="user", content=request),), label=refusal),
            call,
        ).verdict

    assert asked("Get ticket TK-254362 cancelled with the refund as a transfer to my bank.") != "LABEL_WRONG"
    assert (
        asked("Get my rental TK-254362 cancelled with the refund as a transfer to my bank.") == "LABEL_WRONG"
    )


def test_a_piece_of_a_code_supports_no_made_up_value() -> None:
    message = Message(role="user", content="Please add some songs to playlist PL-32615 at the beginning")
    call = Answer(
        calls=(ToolCall(name="add_songs", arguments={"playlist_id": "PL-32615", "titles": ["Song 32615"]}),)
    )
    question = Label(reply="Sure. Which songs should I add?")
    assert judge(Sample(tools=(ADD,), messages=(message,), label=question), call).verdict == "PRED_WRONG"


def test_a_value_said_for_a_later_step_is_not_missing_from_the_first() -> None:
    """The policy puts all it has read into the first call; the label looks up the playlist first, as the user
    said.
    """
    lists = tool("list_playlists", "List the saved playlists.", genre={"type": "string"})
    first, stuffed = (
        Answer(calls=(ToolCall(name="list_playlists", arguments=a),))
        for a in ({}, {"genre": "The Pale Violin"})
    )

    def asked(request: str) -> str | None:
        message = Message(role="user", content=request)
        return judge(
            Sample(tools=(lists, ADD), messages=(message,), label=Label(calls=first.calls)), stuffed
        ).verdict

    assert (
        asked(
            'First show me the saved playlists, then include "The Pale Violin" in the one called "Road Trip".'
        )
        != "LABEL_WRONG"
    )
    assert (
        asked('List my playlists, and once that\'s done put "The Pale Violin" on "Late Night Session".')
        != "LABEL_WRONG"
    )
    assert asked('Show me my saved playlists of "The Pale Violin".') == "LABEL_WRONG"


LIGHTS = tool(
    "set_lights", "Set the lights of a room.", "room", room={"type": "string"}, brightness={"type": "integer"}
)
LOCK = tool(
    "lock_doors_of_house", "Lock doors.", "doors", doors={"type": "array", "items": {"type": "string"}}
)
ADD = tool(
    "add_to_album",
    "Add photos to an album.",
    "album_id",
    album_id={"type": "string"},
    photo={"type": "string"},
)
ALBUMS = [
    {"id": f"AL-{n}", "name": name} for n, name in ((11, "Summer in Rome"), (22, "Old Cars"), (33, "Cats"))
]
FOUND = (
    ToolCall(name="list_albums", arguments={}),
    Message(role="tool", name="list_albums", content=json.dumps({"albums": ALBUMS})),
)


@pytest.mark.parametrize(
    ("of", "request_", "results", "right", "wrong"),
    [
        (LIGHTS, "Set the lights in the home office to 40.", (), {"room": "home office"}, {"room": "office"}),
        (LOCK, "Lock the front door and the gate.", (), {"doors": ["front door", "gate"]}, {"doors": ["gate", "gate"]}),
        (ADD, "List my albums, then add it to the album called Old Cars.", FOUND, {"album_id": "AL-22"}, {"album_id": "AL-11"}),
        (ADD, "List my albums, then add it to the last album on the list.", FOUND, {"album_id": "AL-33"}, {"album_id": "AL-11"}),
        (ADD, "List my albums, then add it to the first one on the list.", FOUND, {"album_id": "AL-11"}, {"album_id": "AL-22"}),
    ],
)  # fmt: skip
def test_of_two_values_that_are_said_the_meant_one_wins(
    of: Tool, request_: str, results: Any, right: Any, wrong: Any
) -> None:
    turns = [Message(role="user", content=request_)]
    if results:
        call, result = results
        turns += [Message(role="assistant", tool_calls=(call,)), result]
    for label, prediction, verdict in ((right, wrong, "PRED_WRONG"), (wrong, right, "LABEL_WRONG")):
        calls = [
            (ToolCall(name=of.name, arguments={**a, **({"brightness": 40} if of is LIGHTS else {})}),)
            for a in (label, prediction)
        ]
        s = Sample(
            tools=(of, tool("list_albums", "List the albums.")),
            messages=tuple(turns),
            label=Label(calls=calls[0]),
        )
        assert judge(s, Answer(calls=calls[1])).verdict == verdict


def test_where_the_rest_of_a_mention_is_the_tools_own_word_nothing_is_decided_by_length() -> None:
    s = Sample(
        tools=(LIGHTS,),
        messages=(Message(role="user", content="Set the kitchen lights to 40."),),
        label=Label(),
    )
    calls = [
        (ToolCall(name="set_lights", arguments={"room": room, "brightness": 40}),)
        for room in ("kitchen", "kitchen lights")
    ]
    found = judge(s.model_copy(update={"label": Label(calls=calls[0])}), Answer(calls=calls[1]))
    assert found.verdict in (None, "PRED_WRONG")


def test_finding_by_name() -> None:
    assert "evidence" in names() and find_judge("evidence") is judge
    with pytest.raises(ValueError, match="evidence"):
        find_judge("nobody")


# ---------------------------------------------------------------- measured


def corrupted(s: Sample, rng: random.Random) -> Answer | None:
    """What a small model answers wrongly: a slip in one argument, the wrong tool, a call too few or too many,
    a reply instead of a call.
    """
    calls = list(s.label.calls)
    if not calls:
        tool = rng.choice(s.tools)
        made: dict[str, Any] = {}
        for name in tool.required:
            schema = tool.properties[name]
            word = rng.choice(s.request.split()).strip(".,?!")
            made[name] = (
                rng.choice(schema["enum"])
                if "enum" in schema
                else {"integer": rng.randint(1, 9), "boolean": True}.get(str(schema.get("type")), word)
            )
        return Answer(calls=(ToolCall(name=tool.name, arguments=made),))
    at = rng.randrange(len(calls))
    call, tool_of = calls[at], s.tool(calls[at].name)
    arguments: dict[str, Any] = dict(call.arguments)
    kind = rng.choice(
        [
            "slot",
            "earlier",
            "drop",
            "extra",
            "typo",
            "date",
            "number",
            "string",
            "tool",
            "fewer",
            "twice",
            "reply",
            "broken",
            "copy",
        ]
    )
    if kind == "broken":
        return Answer(error="unparsable", text="<tool_call>{")
    if kind == "reply":
        return Answer(
            text=rng.choice(
                [
                    "Sure, it is done.",
                    "Could you tell me the date?",
                    "For how many people?",
                    "I'm sorry, I can't do that.",
                ]
            )
        )
    if kind == "fewer" and len(calls) > 1:
        return Answer(calls=(*calls[:at], *calls[at + 1 :]))
    if kind == "twice":
        return Answer(calls=(*calls, call))
    others = [t for t in s.tools if t.name != call.name]
    if kind == "tool" and others and arguments:
        other = rng.choice(others)
        values = list(arguments.values())
        borrowed = {name: arguments.get(name, rng.choice(values)) for name in other.required}
        return Answer(calls=(*calls[:at], ToolCall(name=other.name, arguments=borrowed), *calls[at + 1 :]))
    if not arguments or tool_of is None:
        return None
    key = rng.choice(list(arguments))
    value = arguments[key]
    pool = s.label.calls if kind == "slot" else [c for m in s.messages for c in m.tool_calls]
    values = [v for c in pool for v in c.arguments.values() if type(v) is type(value) and v != value]
    free = [p for p in tool_of.properties if p not in arguments]
    if kind in ("slot", "earlier") and values:
        arguments[key] = rng.choice(values)
    elif kind == "drop":
        del arguments[key]
    elif kind == "extra" and free:
        name = rng.choice(free)
        schema = tool_of.properties[name]
        arguments[name] = (
            rng.choice(schema["enum"])
            if "enum" in schema
            else {"integer": 2, "boolean": True}.get(str(schema.get("type")), "Please")
        )
    elif kind == "typo" and isinstance(value, str) and len(value) > 3:
        cut = rng.randrange(1, len(value) - 1)
        arguments[key] = rng.choice([value[:cut] + value[cut + 1 :], value[:cut] + value[cut] + value[cut:]])
    elif kind == "date" and isinstance(value, str) and len(value) == 10 and value[4] == "-":
        arguments[key] = (date.fromisoformat(value) + timedelta(rng.choice((-7, -1, 1, 7)))).isoformat()
    elif kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        arguments[key] = value + rng.choice((-1, 1, 2, 10))
    elif kind == "string" and not isinstance(value, str):
        arguments[key] = str(value)
    elif kind == "copy" and isinstance(value, str):
        words = s.request.split()
        start = rng.randrange(len(words))
        arguments[key] = " ".join(words[start : start + rng.randint(1, 3)]).strip(".,?!")
    return Answer(calls=(*calls[:at], ToolCall(name=call.name, arguments=arguments), *calls[at + 1 :]))


def test_bounds_against_planted_noise() -> None:
    clean = generate(1600, 2024)  # of some 1,200 clean failures a judge accuses 8 or so: fewer say little
    noisy, truth = plant_noise(clean, 0.15, 5)
    caught = Counter(judge(s, Answer.of(truth[s.id])).verdict for s in noisy if s.id in truth)
    rng = random.Random(6)
    failures = [(s, p) for s in clean for p in [corrupted(s, rng)] if p is not None and not match(p, s.label)]
    # A greedy prediction is always likelier to its own policy than the label is.
    judged = Counter(
        judge(s, p, label_logprobs=[-1.2, -0.4], prediction_logprobs=[-0.1, -0.2]).verdict
        for s, p in failures
    )
    assert len(truth) >= 40 and len(failures) >= 200
    recall = caught["LABEL_WRONG"] / len(truth)
    accused = judged["LABEL_WRONG"] / len(failures)
    # One noisy label to five clean failures.
    precision = recall / (recall + 5 * accused)
    assert recall >= 0.75, caught
    assert precision >= 0.95, (recall, judged)
    assert judged["PRED_WRONG"] / len(failures) >= 0.7, judged


SWAPPED = {
    "PRED_WRONG": "LABEL_WRONG",
    "LABEL_WRONG": "PRED_WRONG",
    "BOTH_CORRECT": "BOTH_CORRECT",
    "BOTH_WRONG": "BOTH_WRONG",
    None: None,
}


def test_swapping_the_sides_swaps_the_verdict() -> None:
    rng = random.Random(7)
    seen: Counter[str | None] = Counter()
    for s in generate(250, 77):
        first, second = corrupted(s, rng), Answer.of(s.label)
        # Of a parsed answer a label keeps calls and text only; replies that a label makes demands on are no
        # pure swap.
        if first is None or first.error or not (first.calls or second.calls):
            continue
        odds = [rng.uniform(-2, 0) for _ in range(3)], [rng.uniform(-2, 0) for _ in range(4)]
        plain = s.model_copy(update={"label": Label(calls=second.calls, reply=second.text)})
        other = s.model_copy(update={"label": first.label})
        here = judge(plain, first, label_logprobs=odds[0], prediction_logprobs=odds[1])
        there = judge(other, second, label_logprobs=odds[1], prediction_logprobs=odds[0])
        assert there.verdict == SWAPPED[here.verdict], (here, there)
        assert there.confidence == pytest.approx(here.confidence)
        seen[here.verdict] += 1
    assert seen["PRED_WRONG"] > 100 and seen[None] > 0


def test_likelihood_alone_decides_nothing() -> None:
    bare = (
        "The usual table, please: Chez Louis, six of us, this Friday 6:30 pm, somewhere with sunshine and"
        " fresh air!"
    )
    for odds in ((-9.0, -0.01), (-0.01, -9.0)):
        verdict = judge(
            sample(bare, booked()),
            booked(seating="bar"),
            label_logprobs=[odds[0]],
            prediction_logprobs=[odds[1]],
        )
        assert verdict.status == "unjudged"
        assert {e.name for e in verdict.evidence} == {"grounding", "likelihood"}


def test_the_prediction_never_replaces_a_label_with_something_that_breaks_the_rules() -> None:
    rng = random.Random(8)
    for s in generate(200, 78):
        noisy, clean = corrupted(s, rng), Answer.of(s.label)
        if noisy is None or noisy.error:
            continue
        spoiled = s.model_copy(update={"label": noisy.label})
        other = corrupted(s, rng)
        for prediction in filter(None, (clean, other)):
            verdict = judge(spoiled, prediction)
            if verdict.verdict == "LABEL_WRONG":
                from looptool_kit.checks.rules import check_sample

                assert verdict.label is not None
                fixed = spoiled.model_copy(update={"label": verdict.label})
                assert all(c.passed for c in check_sample(fixed)), verdict
