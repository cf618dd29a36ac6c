"""Longer tasks: which tools follow which, what is said and what is found, and that labels are exact."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from functools import cache
from itertools import islice
from random import Random
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Sample
from looptool_kit.text.recognise import today_in
from looptool_kit.world.building import build
from looptool_kit.world.calls import Call, Impossible, Plan
from looptool_kit.world.execute import problem
from looptool_kit.world.grammar import Scene
from looptool_kit.world.references import is_lookup
from looptool_kit.world.routes import (
    PER_TYPE,
    Edge,
    Route,
    draw_route,
    edges,
    every_link,
    is_held_route,
    open_to,
    walk,
)
from looptool_kit.world.spec import is_held, links, specs
from looptool_kit.world.tasks import sample_of
from looptool_kit.world.traces import SPLIT, Trace, advanced, draw_trace, generate, replay, samples_of
from looptool_kit.world.types import quoted

SIX = ("music", "smart_home", "restaurants", "shopping", "weather", "car_rental")
ALL = open_to()


def drawn(
    count: int, seed: int, domains: tuple[str, ...] = (), length: tuple[int, int] = (2, 6)
) -> list[Trace]:
    rng, names = Random(seed), open_to(domains)
    targets = sorted({tool for e in edges(names) for tool in (e.first, e.second)})
    found = (draw_trace(rng.choice(targets), names, length, rng) for _ in range(4 * count))
    return list(islice(filter(None, found), count))


@cache
def traces() -> list[Trace]:
    return drawn(60, 3) + drawn(40, 4, SIX, (3, 6))


# ------------------------------------------------------------------- which tools


def test_a_walk_calls_what_a_target_needs_in_any_legal_order() -> None:
    """The graph a -> c, b -> c, c -> d."""
    needs = {"c": {"a", "b"}, "d": {"c"}}
    walks = [walk(needs, "d", Random(seed)) for seed in range(40)]
    assert {tuple(w or ()) for w in walks} == {("a", "b", "c", "d"), ("b", "a", "c", "d")}
    for called in walks:
        assert called is not None
        for at, tool in enumerate(called):
            assert needs.get(tool, set()) <= set(called[:at])
    assert walk(needs, "a", Random(0)) == ["a"]
    assert walk(needs | {"x": {"a"}}, "d", Random(0)) in walks, (
        "what is legal but leads nowhere is not called"
    )
    assert walk({"a": {"b"}, "b": {"a"}, "c": {"a"}}, "c", Random(0)) is None, "nothing leads there"


def test_steps_are_calls_that_wait_for_nothing_more() -> None:
    route = Route(
        tuple("abcd"), (Edge("a", "x", "c", "x"), Edge("b", "y", "c", "y"), Edge("c", "z", "d", "z"))
    )
    assert route.steps() == [["a", "b"], ["c"], ["d"]]
    assert [e.first for e in route.into("c")] == ["a", "b"]


def test_links_follow_types_with_a_cap_for_each() -> None:
    found = edges(ALL)
    types: Counter[str] = Counter()
    for e in found:
        name, _, sub = e.field.partition(".")
        kind: Any = specs()[e.first].out[name]
        kind = kind.item.fields[sub] if sub else kind
        wanted = specs()[e.second].by_name[e.parameter].type
        wanted = wanted.item or wanted
        types[wanted.name] += 1
        assert kind.is_a(wanted) and "enum" not in kind.schema and kind.schema.get("type") != "boolean", e
        assert kind.noun or kind.say is not quoted, "no text of the speaker's own"
        assert not is_held(e.first) and not is_held(e.second)
    assert max(types.values()) == types["date"] == PER_TYPE
    assert sum(e.first == "track_order" for e in found) > 1, "over domains"
    uncapped = edges(ALL, True, 1000)
    assert set(found) < set(uncapped) and len(edges(ALL, True, 1)) == len(types)
    dates = [e for e in found if specs()[e.second].by_name[e.parameter].type.name == "date"]
    assert max(Counter(e.second for e in dates).values()) == 1, "the rarest tools first"


def test_closed_links_are_those_of_two_step_tasks() -> None:
    closed = edges(ALL, False)
    assert closed and {tuple(e) for e in closed} <= set(links())
    for e in (*closed, *edges(ALL)):
        first, second = specs()[e.first], specs()[e.second]
        if first.makes is second.by_name[e.parameter].type:
            assert not second.cancels and not second.changes, "nobody makes and undoes in one breath"


def test_what_is_held_out_is_in_no_route_that_is_trained_on() -> None:
    found, rng = edges(open_to(SIX)), Random(5)
    targets = sorted({e.second for e in found})
    held = [r for _ in range(150) if (r := draw_route(found, rng.choice(targets), (3, 4), rng, held=True))]
    free = [r for _ in range(150) if (r := draw_route(found, rng.choice(targets), (2, 6), rng))]
    assert len(held) > 40 and len(free) > 100
    assert all(map(is_held_route, held)) and not any(map(is_held_route, free))
    assert all(3 <= len(r.tools) <= 4 for r in held) and {len(r.tools) for r in free} >= {2, 3, 4, 5}
    for longer in free:
        assert not any(set(r.edges) <= set(longer.edges) for r in held), "not as a part of one either"
    assert any(t in r.tools for r in held for t in ("searchLyrics", "createPlaylist")), "music is in it"


# ---------------------------------------------------------- what is said and found


def test_the_rules_pass_and_executing_gives_the_results_shown() -> None:
    assert len(traces()) >= 90 and {len(t.calls) for t in traces()} >= {2, 3, 4, 5}
    for trace in traces():
        steps = samples_of(trace)
        for sample in steps:
            assert all(c.passed for c in check_sample(sample)), check_sample(sample)
            shown = [json.loads(m.content) for m in sample.messages if m.role == "tool"]
            assert replay(sample) == shown and not any("error" in r for r in shown)
            assert not any(problem(c) for c in sample.label.calls)
        assert [c for s in steps for c in s.label.calls] == list(trace.calls)
    with pytest.raises(ValueError, match="not a step of a trace"):
        replay(sample_of(single("track_order", "order_id"), [specs()["track_order"]], scene(1), "train"))


def test_every_argument_is_said_or_stands_in_exactly_one_earlier_result() -> None:
    for trace in traces():
        assert any(trace.taken), "a trace hangs together"
        for i, call in enumerate(trace.calls):
            assert {**trace.given[i], **{p: call.arguments[p] for p in trace.taken[i]}} == call.arguments
            for parameter, (source, field) in trace.taken[i].items():
                value = call.arguments[parameter]
                (value,) = value if isinstance(value, list) else (value,)
                holders = [json.dumps(r) for r in trace.results[:i] if json.dumps(value) in json.dumps(r)]
                assert source < i and len(holders) == 1 and holders[0].count(json.dumps(value)) == 1, field
                assert str(value).lower() not in trace.request.lower(), "the user does not say it"


def test_no_other_tool_on_offer_would_give_a_value_that_is_taken() -> None:
    for trace in traces():
        filled = {(e.second, e.parameter): e.first for e in trace.route.edges}
        offered = [s.name for s in trace.tools]
        assert set(trace.route.tools) <= set(offered) and len(offered) > len(trace.calls)
        for link in every_link(offered):
            assert filled.get((link.second, link.parameter), link.first) == link.first, link


def test_what_is_changed_is_used_for_nothing_else() -> None:
    for trace in traces():
        for e in trace.route.edges:
            second = specs()[e.second]
            if second.by_name[e.parameter].type in (second.changes, second.cancels):
                assert sum(o.first == e.first for o in trace.route.edges) == 1


def test_calls_in_between_are_not_said_and_references_have_an_antecedent() -> None:
    unsaid = Counter(tool for t in traces() for s in samples_of(t)[:1] for tool in s.meta["unsaid"])  # type: ignore[union-attr,attr-defined]
    assert unsaid["track_order"] and unsaid["list_orders"] and "checkout" not in unsaid
    assert not {t for t in unsaid if specs()[t].makes or specs()[t].cancels or specs()[t].changes}
    for trace in traces():
        words = trace.request.lower()
        assert "\x01" not in words and "{" not in words and "  " not in words
        for noun in ("order", "reservation", "listing", "song", "restaurant", "rental"):
            if f" that {noun}" in words:
                before = words[: words.index(f" that {noun}")]
                rows = {"listing": "for sale", "rental": ""}.get(noun, noun)
                assert rows in before or noun == "listing", trace.request


def test_then_stands_before_what_waits_alone() -> None:
    """Or the label, which makes calls of one step at once, contradicts the words."""
    several = 0
    for trace in traces():
        steps = [{t for t in step if not is_lookup(trace.route, t)} for step in trace.route.steps()]
        order = len(re.findall(r"\bthen\b|after that|once that's done", trace.request.lower()))
        assert order <= sum(map(bool, steps)) - 1, trace.request
        several += order > 0 and max(map(len, steps)) > 1
    assert several >= 3
    route = Route(
        ("reserve_book", "book_table", "list_day_events"),
        (
            Edge("reserve_book", "ready_on", "book_table", "date"),
            Edge("reserve_book", "ready_on", "list_day_events", "date"),
        ),
    )
    built = build(route, [specs()[t] for t in route.tools], scene(3), "3")
    assert re.search(r", then [^,]+ and [^,]+(?: on| for) that day", built.request), built.request


def requests(*links: Edge) -> list[str]:
    """What users say for a route of these links, in some draws."""
    route = Route(tuple(dict.fromkeys(t for e in links for t in (e.first, e.second))), links)
    out = []
    for seed in range(8):
        with suppress(Impossible):
            out.append(build(route, [specs()[t] for t in route.tools], scene(seed), str(seed)).request)
    assert len(out) >= 4
    return [text.lower() for text in out]


def test_references_by_their_type() -> None:
    """An entry by what singles it out, then "that day", "in that city"; calls in between are not said."""

    def says(pattern: str, *links: Edge) -> list[str]:
        texts = requests(*links)
        assert sum(bool(re.search(pattern, text)) for text in texts) >= len(texts) - 2, "but for typos"
        return texts

    # "Rent the cheapest car in Rome from Friday": where and when are said once, the search never.
    cheapest = says(
        "(?:cheapest|most expensive) of the", Edge("search_rental_cars", "cars.car", "rent_car", "car")
    )
    assert not [t for t in cheapest if re.search("search|find|show|list", t) or t.count("start") > 1]
    where = [Edge("track_order", "location", tool, "city") for tool in ("search_restaurants", "get_forecast")]
    assert not [t for t in says("current location of .*(?:in|for) that city", *where) if "track" in t]
    when = [Edge("reserve_book", "ready_on", tool, "date") for tool in ("book_table", "list_day_events")]
    says("on the day the book is ready.*(?:on|for) that day", *when)
    of_an_entry = (
        Edge("list_orders", "orders.order_id", "track_order", "order_id"),
        Edge("track_order", "arrives", "get_forecast", "date"),
    )
    says("on the day (?:my|the) (?:cheapest|most expensive) order", *of_an_entry)


def test_places_and_times_are_not_joined_by_and() -> None:
    """Not "look up my appointments on my family calendar and on that day"."""
    texts = [t.request for t in traces()] + [s.request for s in world.generate(300, seed="joined")]
    joined = re.compile(r"\b(at|in|on) (?:the |my )?\w+(?: \w+)? and \1 ")
    assert not [t for t in texts if joined.search(t.split('"')[0])]


def test_afterthoughts_come_last() -> None:
    """Not "reschedule the event and let the guests know to this coming Tuesday"."""
    rows = world.generate(300, seed="afterthoughts", domains=("calendar",))
    texts = [m.content for s in rows for m in s.messages if m.role == "user"]
    told = [t for t in texts if re.search("and (?:notify everyone|let the guests know)", t)]
    assert len(told) > 5 and not [t for t in told if re.search("(?:everyone|guests know) (?:to|on|at) ", t)]


def test_nothing_is_looked_at_while_it_is_used() -> None:
    """How many seats are left for a show for which tickets are bought: before or after it?"""
    show = "events.show"
    found = (
        Edge("search_events", show, "buy_tickets", "show"),
        Edge("search_events", show, "check_seats", "show"),
    )
    route = Route(("search_events", "buy_tickets", "check_seats"), found)
    for seed in range(5):
        with pytest.raises(Impossible, match="before or after"):
            build(route, [specs()[t] for t in route.tools], scene(seed), str(seed))


def test_a_reference_is_never_only_looked_up() -> None:
    """Or the search alone would do it: "look up the latest flight to LHR"."""
    rng, names = Random(6), open_to(("flights",))
    found = [t for _ in range(80) if (t := draw_trace("getFlightStatus", names, (2, 2), rng))]
    assert len(found) > 50 and not [t.request for t in found if "look up the" in t.request.lower()]


def scene(seed: int) -> Scene:
    return Scene(Random(seed), traces()[0].today)


def single(tool: str, *mention: str) -> Plan:
    return Plan(
        kind="single", calls=[Call(tool=tool, mention=list(mention), implicit=[])], mode="", part="", link=[]
    )


def test_with_the_linked_value_said_it_is_an_ordinary_sample() -> None:
    trace = next(t for t in drawn(400, 8, ("shopping",), (2, 2)) if t.route.tools[1] == "track_order")
    said = scene(2)
    said.values = [dict(trace.calls[1].arguments)]
    ordinary = sample_of(single("track_order", "order_id"), trace.tools, said, "train")
    assert samples_of(trace)[-1].label == ordinary.label
    value = trace.calls[1].arguments["order_id"]
    assert value in ordinary.request and value not in trace.request
    assert samples_of(trace)[0].label.calls == (trace.calls[0],)


def test_the_advanced_tool_takes_what_the_user_gives_and_is_never_on_offer() -> None:
    for trace in traces()[:30]:
        tool: Any = advanced(trace)
        assert tool["name"] not in {s.name for s in trace.tools}
        given = {name for said in trace.given for name in said}
        assert {n for n in tool["parameters"]["properties"] if n in given} == given
        assert tool["output"] == list(trace.results[-1])
        assert samples_of(trace)[0].meta["advanced"] == tool


# ------------------------------------------------------------------ the split


def steps_by_trace(samples: list[Sample]) -> Counter[object]:
    return Counter(s.meta["trace"] for s in samples)  # type: ignore[misc]


def test_the_split_has_one_step_of_each_trace_and_is_repeatable() -> None:
    rows = generate(40, 7, SIX)
    assert len(rows) == 40 and {s.split for s in rows} == {SPLIT} and {s.kind for s in rows} == {"hard"}
    assert max(steps_by_trace(rows).values()) == 1 and len({s.request for s in rows}) == 40
    assert {len(s.meta["targets"]) for s in rows} == {3, 4}  # type: ignore[arg-type]
    assert rows == generate(40, 7, SIX) != generate(40, 8, SIX)
    assert rows[:10] == generate(10, 7, SIX), "more are the same ones first"
    assert len({s.meta["step"] for s in rows}) >= 3
    assert all(today_in(s.messages[0].content) for s in rows)
    assert all(all(c.passed for c in check_sample(s)) for s in rows)


def test_domains_without_traces_say_so() -> None:
    assert generate(0, 7, ("smart_home",)) == []
    with pytest.raises(ValueError, match=r"0 of 3 .* smart_home.*traces.held_out.*seeds.domains"):
        generate(3, 7, ("smart_home",))
