"""The slots expander: consistent swaps, exact labels, and what it leaves alone."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from looptool_kit.checks.rules import passes
from looptool_kit.core.grading import Fault
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import canonical_calls
from looptool_kit.stages import expand
from looptool_kit.stages._find import names
from looptool_kit.stages.expand import find_expander, slots
from looptool_kit.stages.expand.slots import children
from looptool_kit.text.recognise import recognise
from looptool_kit.world import generate
from looptool_kit.world.execute import problem

TODAY = Message(role="system", content="Today is Monday, 2026-11-23.")


def tool(**properties: Any) -> Tool:
    return Tool(name="act", parameters={"type": "object", "properties": properties})


def seed(
    request: str, schemas: dict[str, Any], *, before: tuple[Message, ...] = (), **arguments: Any
) -> Sample:
    call = ToolCall(name="act", arguments=arguments)
    return Sample(
        tools=(tool(**schemas),),
        messages=(TODAY, *before, Message(role="user", content=request)),
        label=Label(calls=(call,)),
    )


def four(s: Sample, pool: Samples | None = None, faults: tuple[Fault, ...] = ()) -> list[Sample]:
    return children(s, faults, 4, Random(1), pool if pool is not None else Samples([s]))


S, N = {"type": "string"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("request_", "schemas", "arguments"),
    [
        ("Book it for December 4th.", {"day": {**S, "format": "date"}}, {"day": "2026-12-04"}),
        ("Book it for the 4th of December.", {"day": {**S, "format": "date"}}, {"day": "2026-12-04"}),
        ("Book it for this coming Friday.", {"day": {**S, "format": "date"}}, {"day": "2026-11-27"}),
        ("Book it in three days.", {"day": {**S, "format": "date"}}, {"day": "2026-11-26"}),
        ("Wake me at 6:30 pm.", {"at": S}, {"at": "18:30"}),
        ("Wake me at half past six in the evening.", {"at": S}, {"at": "18:30"}),
        ("A table for six.", {"guests": N}, {"guests": 6}),
        ("Spend $1,500.", {"amount": {"type": "number"}}, {"amount": 1500}),
        ("Set it for 90 minutes.", {"minutes": N}, {"minutes": 90}),
        ("Cancel RES-4821.", {"id": S}, {"id": "RES-4821"}),
        ("Call +44 555 123 4567.", {"phone": S}, {"phone": "+44 555 123 4567"}),
        ("Make it express.", {"speed": {**S, "enum": ["express", "standard", "slow"]}}, {"speed": "express"}),
        ("Please set one way.", {"trip": {**S, "enum": ["one_way", "round_trip"]}}, {"trip": "one_way"}),
    ],
)
def test_values_of_every_shape_are_swapped_and_said_alike(
    request_: str, schemas: dict[str, Any], arguments: dict[str, Any]
) -> None:
    s = seed(request_, schemas, **arguments)
    made = four(s)
    assert made
    for child in made:
        assert canonical_calls(child.label.calls) != canonical_calls(s.label.calls)
        assert child.request != s.request and passes(child)
        assert (child.parent, child.strategy, child.source) == (s.id, "expanders.slots", "expander")


def test_names_come_from_the_dataset_and_articles_follow() -> None:
    schemas = {"food": S}
    pool = Samples([seed(f"Find {n} food", schemas, food=n) for n in ("Italian", "Thai", "Greek")])
    s = seed("Find an Ethiopian restaurant.", schemas, food="Ethiopian")
    requests = {c.request for c in four(s, pool)}
    assert requests and requests <= {
        "Find an Italian restaurant.",
        "Find a Thai restaurant.",
        "Find a Greek restaurant.",
    }
    assert four(s, Samples([s])) == []


def test_a_choice_of_two_words_is_said_with_a_space() -> None:
    """Not "the living_room speaker"; a text that is no choice is said to the letter."""
    s = seed(
        "Use the bedroom speaker.", {"speaker": {**S, "enum": ["bedroom", "living_room"]}}, speaker="bedroom"
    )
    assert {(c.request, c.label.calls[0].arguments["speaker"]) for c in four(s)} == {
        ("Use the living room speaker.", "living_room")
    }
    pool = Samples([seed("Ask john_b.", {"user": S}, user="john_b")])
    named = seed("Ask anna.", {"user": S}, user="anna")
    assert {c.request for c in four(named, pool)} == {"Ask john_b."}


def test_what_the_worlds_tools_would_refuse_is_no_child() -> None:
    """The schema has no limit for bags, and the tool has."""
    rows = generate(400, seed="bags", domains=("flights",), kinds=("single", "choice"))
    seeds = [s for s in rows if s.label.calls and "checked_bags" in s.label.calls[0].arguments]
    made = [c for s in seeds for c in four(s, rows)]
    assert len(made) > 40 and not [c for s in made for c in s.label.calls if problem(c)]


def test_a_value_in_two_roles_is_left_alone() -> None:
    schemas = {"origin": S, "destination": S, "day": {**S, "format": "date"}}
    pool = Samples([seed("x", schemas, origin="Oslo", destination="Rome")])
    s = seed(
        "From Paris to Paris on December 4.", schemas, origin="Paris", destination="Paris", day="2026-12-04"
    )
    made = four(s, pool)
    assert made and all("From Paris to Paris" in c.request for c in made)
    inside = seed(
        "Book Paris Bistro in Paris on December 4.",
        {"place": S, "city": S, "day": S},
        place="Paris Bistro",
        city="Paris",
        day="2026-12-04",
    )
    cities = Samples([seed("x", {"city": S}, city="Oslo")])
    assert all("in Paris" in c.request for c in four(inside, cities))
    twice = seed("Six guests, six chairs.", {"guests": N}, guests=6)
    assert four(twice) == []


def test_swaps_reach_results_and_earlier_calls() -> None:
    earlier = ToolCall(name="act", arguments={"city": "Oslo"})
    result = {"id": "RES-4821", "city": "Oslo", "note": "Oslo has 2 halls"}
    before = (
        Message(role="user", content="What is on in Oslo?"),
        Message(role="assistant", tool_calls=(earlier,)),
        Message(role="tool", name="act", content=json.dumps(result)),
        Message(role="assistant", content="I found RES-4821 in Oslo."),
    )
    s = seed("Book the first in Oslo.", {"id": S, "city": S}, before=before, id="RES-4821", city="Oslo")
    pool = Samples([seed("x", {"city": S}, city='Bad "Ems"')])
    for child in four(
        s, pool, (Fault(kind="wrong_value", parameter="city"), Fault(kind="wrong_value", parameter="id"))
    ):
        arguments = child.label.calls[0].arguments
        assert arguments["city"] == 'Bad "Ems"' and arguments["id"] != "RES-4821"
        told = json.loads(child.messages[3].content)
        assert told == {
            "id": arguments["id"],
            "city": arguments["city"],
            "note": f"{arguments['city']} has 2 halls",
        }
        assert child.messages[2].tool_calls[0].arguments == {"city": arguments["city"]}
        assert "Oslo" not in str(child.messages) and "RES-4821" not in str(child.messages)
        break
    else:
        pytest.fail("no children")


def test_numbers_that_results_are_compared_by_stay() -> None:
    before = (
        Message(role="user", content="List shows"),
        Message(role="assistant", tool_calls=(ToolCall(name="act"),)),
        Message(role="tool", name="act", content='[{"price": 20}, {"price": 30}]'),
        Message(role="assistant", content="Two shows."),
    )
    s = seed("Take the cheapest at 20 dollars.", {"price": N}, before=before, price=20)
    assert four(s) == []


def test_faulty_parameters_are_always_swapped() -> None:
    schemas = {"guests": N, "minutes": N, "id": S}
    s = seed("For 5 people, 90 minutes, order AB-12345.", schemas, guests=5, minutes=90, id="AB-12345")
    fault = (Fault(kind="wrong_value", tool="act", parameter="minutes"),)
    for turn in range(5):
        for child in children(s, fault, 4, Random(turn), Samples([s])):
            assert child.label.calls[0].arguments["minutes"] != 90


def test_plain_replies_have_no_slots() -> None:
    s = seed("Book it", {"id": S}).model_copy(update={"label": Label(reply="Which one?", asks=True)})
    assert four(s) == []


def test_repeatable_and_found_by_name() -> None:
    samples = generate(40, 3)
    for s in samples:
        assert [c.id for c in children(s, (), 3, Random(5), samples)] == [
            c.id for c in children(s, (), 3, Random(5), samples)
        ]
    assert (
        names(expand.__name__)
        == ["evolve", "hardgen", "llm", "procedural", "repeat", "reverse", "slots", "world"]
        and find_expander("slots") is slots
    )
    known = "evolve, hardgen, llm, procedural, repeat, reverse, slots, world"
    with pytest.raises(ValueError, match=f"'none'; choose one of {known}"):
        find_expander("none")


def test_on_the_world_labels_stay_exact() -> None:
    samples = generate(150, 17)
    with_calls = [s for s in samples if s.label.calls]
    got = 0
    for s in with_calls:
        made = children(s, (), 2, Random(1), samples)
        got += bool(made)
        for child in made:
            assert passes(child) and canonical_calls(child.label.calls) != canonical_calls(s.label.calls)
            old, new = ([v for c in x.label.calls for v in c.arguments.values()] for x in (s, child))
            changed = [b for a, b in zip(old, new, strict=True) if a != b]
            said = " ".join(m.content for m in child.messages)
            for value in changed:
                if isinstance(value, str) and value.isalpha() and value[0].isupper():
                    assert value in said
            days = [x.readings[0] for x in recognise(child.request, None) if x.kind == "date"]
            assert len(days) == len([x for x in recognise(s.request, None) if x.kind == "date"])
    assert got >= 0.8 * len(with_calls)
