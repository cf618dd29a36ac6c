"""The procedural world: labels right by construction, splits apart, everything repeatable."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from looptool_kit import world
from looptool_kit.core.samples import Label, Sample, Samples, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical, canonical_calls, grade, match, parse, render_answer
from looptool_kit.world import core, grammar, noise, plans, show, spec, tasks, types
from looptool_kit.world.execute import execute, new_state, problem, run

SPECS = spec.specs()


@pytest.fixture(scope="module")
def splits() -> dict[str, Samples]:
    return {split: world.generate(500 if split == "train" else 200, 11, split) for split in world.SPLITS}


def _calls(sample: Sample) -> list[ToolCall]:
    return [*sample.label.calls, *(c for m in sample.messages for c in m.tool_calls)]


# ------------------------------------------------------------- catalogue


def test_catalogue_is_large_enough_and_valid() -> None:
    assert len(world.catalogue()) >= 80 and len(world.domains()) >= 14
    assert len(world.catalogue("unseen_tools")) >= 16
    assert len({t.name for t in world.catalogue()}) == len(world.catalogue())
    for tool in world.catalogue():
        Draft202012Validator.check_schema(tool.parameters)
        assert tool.description.endswith(".") and len(json.dumps(tool.model_dump())) < 700
    assert not {t.name for t in world.catalogue("train")} & {t.name for t in world.catalogue("unseen_tools")}


# Functions in the data of the Berkeley Function-Calling Leaderboard with names that a tool of these domains
# might have.
BFCL = (
    "convert_currency list_events set_alarm bookFlight playSong setVolume order_food search_products"
    " lock_doors get_air_quality currency_conversion get_weather_forecast calculate_mortgage_payment"
    " find_restaurant concert_availability edit_ticket create_ticket book_flight lockDoors"
    " Homes_2_ScheduleVisit Alarm_1_AddAlarm Services_4_BookAppointment get_current_weather"
)


def test_no_tool_has_the_name_of_a_benchmarks() -> None:
    plain = {name.replace("_", "").casefold() for name in BFCL.split()}
    assert not [t.name for t in world.catalogue() if t.name.replace("_", "").casefold() in plain]


@pytest.mark.parametrize("domain", spec.all_domains(), ids=lambda d: d.name)
def test_domain_files_keep_the_rules(domain: spec.Domain) -> None:
    assert show.faults(domain) == []


# ----------------------------------------------------------------- types


def _all_types() -> dict[int, tuple[str, types.Type]]:
    out: dict[int, tuple[str, types.Type]] = {}

    def add(where: str, t: types.Type) -> None:
        out[id(t)] = (where, t)
        for part in [t.item, *t.fields.values()]:
            if part is not None:
                add(where, part)

    for s in SPECS.values():
        for p in s.params:
            add(f"{s.name}.{p.name}", p.type)
        for name, t in s.out.items():
            if isinstance(t, types.Type):
                add(f"{s.name}->{name}", t)
    return out


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.booleans(), st.dates(date(2025, 1, 1), date(2027, 12, 31)))
def test_every_drawn_value_is_recognised_valid_and_of_its_side_of_the_split(
    seed: int, held: bool, today: date
) -> None:
    rng = Random(seed)
    for where, t in _all_types().values():
        value = core.draw(t, rng, today, held)
        assert t.accepts(value), (where, value)
        assert not list(
            Draft202012Validator(dict(t.schema), format_checker=FormatChecker()).iter_errors(value)
        ), (where, value)
        assert all(side == held for _, side in core.seen_values(t, value)), (where, value)


def test_recognisers_refuse_other_kinds() -> None:
    assert not types.count(1, 9).accepts(True) and not types.count(1, 9).accepts("3")
    assert (
        not types.DATE.accepts("2026-02-30")
        and not types.TIME.accepts("24:00")
        and not types.EMAIL.accepts("nobody")
    )
    assert types.EMAIL.is_a(types.TEXT) and not types.TEXT.is_a(types.EMAIL)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (types.DATE, "2026-11-24", "tomorrow"),
        (types.DATE, "2026-11-27", "this coming Friday"),
        (types.DATE, "2026-11-30", "a week from today"),
        (types.DATE, "2026-12-04", "the 4th of December"),
        (types.DATE, "2027-11-04", "November 4, 2027"),
        (types.TIME, "18:30", "half past six in the evening"),
        (types.TIME, "18:30", "6:30 pm"),
        (types.TIME, "12:00", "noon"),
        (types.TIME, "10:45", "quarter to eleven in the morning"),
        (types.count(1, 20), 6, "half a dozen"),
        (types.duration(), 90, "an hour and a half"),
        (types.money(1, 900), 45, "forty-five dollars"),
    ],
)
def test_surfaces(kind: types.Type, value: object, text: str) -> None:
    assert text in [s.text for s in kind.say(value, date(2026, 11, 23))]  # a Monday


@settings(max_examples=60)
@given(st.dates(date(2025, 1, 1), date(2027, 12, 31)), st.integers(0, 90))
def test_no_two_days_share_a_surface(today: date, off: int) -> None:
    meaning: dict[str, str] = {}
    for other in range(0, 91):
        day = date.fromordinal(today.toordinal() + other).isoformat()
        for s in types.DATE.say(day, today):
            for text in {s.text, s.adverb} - {""}:
                assert meaning.setdefault(text, day) == day, text


def test_no_two_times_share_a_surface() -> None:
    meaning: dict[str, str] = {}
    for minute in range(24 * 60):
        time = f"{minute // 60:02d}:{minute % 60:02d}"
        for s in types.TIME.say(time, date(2026, 1, 1)):
            assert meaning.setdefault(s.text, time) == time, s.text


# --------------------------------------------------------------- samples


def test_labels_satisfy_their_tools_and_recognisers(splits: dict[str, Samples]) -> None:
    for samples in splits.values():
        for s in samples:
            for call in _calls(s):
                tool = s.tool(call.name)
                assert tool is not None, (s.id, call.name)
                validator = Draft202012Validator(
                    {**tool.parameters, "additionalProperties": False}, format_checker=FormatChecker()
                )
                assert not list(validator.iter_errors(call.arguments)), call
                assert problem(call) is None
                assert list(call.arguments) == [k for k in tool.properties if k in call.arguments], (
                    "arguments in schema order"
                )
                for key, value in call.arguments.items():
                    assert "default" not in tool.properties[key] or tool.properties[key]["default"] != value
            assert bool(s.label.calls) != bool(s.label.reply)
            assert grade(parse(render_answer(s.label)), s.label).correct


def test_calls_hold_exactly_what_is_mentioned(splits: dict[str, Samples]) -> None:
    for s in splits["train"].where(lambda s: s.kind in ("single", "choice")):
        (call,) = s.meta["calls"]  # type: ignore[misc]
        assert list(s.label.calls[0].arguments) == [
            p.name for p in SPECS[call["tool"]].params if p.name in call["mention"]
        ]  # type: ignore[index,call-overload]
        for key, value in s.label.calls[0].arguments.items():
            t = SPECS[s.label.calls[0].name].by_name[key].type
            if (
                t.schema["type"] == "string"
                and not t.hints
                and "enum" not in t.schema
                and t.name not in ("past date", "birth date")
                and value is not None
            ):
                assert str(value) in s.request, (s.request, key, value)


def test_texts_are_whole(splits: dict[str, Samples]) -> None:
    for samples in splits.values():
        for s in samples:
            for m in s.messages:
                assert not set("{}\ue000\ue001") & set(m.content) or m.role == "tool", m.content
                assert "  " not in m.content and " ," not in m.content, m.content
            assert not set("{}\ue000\ue001") & set(s.label.reply)


def test_no_two_samples_are_alike_and_lists_are_shared(splits: dict[str, Samples]) -> None:
    for split, samples in splits.items():
        assert len({s.id for s in samples}) == len(samples)
        assert len(
            {(s.request.lower(), canonical_calls(s.label.calls), len(s.messages)) for s in samples}
        ) == len(samples)
        assert all(s.split == split and s.source == "world" and 2 <= len(s.tools) <= 3 for s in samples)
    lists = Counter(tuple(t.name for t in s.tools) for s in splits["train"])
    assert len(lists) < len(splits["train"]) / 7


def test_kinds_come_in_their_proportions(splits: dict[str, Samples]) -> None:
    counted = Counter(s.kind for s in splits["train"])
    for kind, weight in plans.WEIGHTS.items():
        assert abs(counted[kind] - 500 * weight) <= 1
    assert {s.kind for s in world.generate(20, 3, kinds=["ask", "decline"])} == {"ask", "decline"}


def test_each_kind_has_its_form(splits: dict[str, Samples]) -> None:
    for s in splits["train"]:
        label = s.label
        if s.kind in ("single", "choice"):
            assert len(label.calls) == 1 and len(s.messages) == 2
        elif s.kind == "parallel":
            assert len(label.calls) in (2, 3)
        elif s.kind == "ask":
            assert (
                label.asks
                and label.mentions
                and s.meta["part"] in SPECS[str(s.meta["targets"][0])].tool.required
            )  # type: ignore[index]
        elif s.kind == "decline":
            assert s.tool(str(s.meta["targets"][0])) is None and label.mentions  # type: ignore[index]
        elif s.kind == "finish":
            assert s.messages[-1].role == "tool" and label.reply and label.mentions
        elif s.kind == "multi_step" and s.meta["mode"] == "second":
            parameter = s.meta["link"][1]  # type: ignore[index]
            assert json.dumps(label.calls[0].arguments[parameter]) in s.messages[-1].content  # type: ignore[index]
        elif s.kind == "multi_turn":
            assert [m.role for m in s.messages] == [
                "system",
                "user",
                "assistant",
                "tool",
                "assistant",
                "user",
            ]


def test_implicit_share(splits: dict[str, Samples]) -> None:
    calls = [c for s in splits["train"] for c in s.meta["calls"]]  # type: ignore[union-attr]
    share = sum(len(c["implicit"]) for c in calls) / sum(len(c["mention"]) for c in calls)  # type: ignore[index,call-overload,arg-type,misc]
    assert 0.1 < share < 0.25


# ---------------------------------------------------------------- splits


def _values(sample: Sample) -> list[tuple[str, bool]]:
    # What was drawn: the label's and the context's arguments.
    return [
        pair
        for c in _calls(sample)
        for k, v in c.arguments.items()
        for pair in core.seen_values(SPECS[c.name].by_name[k].type, v)
    ]


def test_values_are_held_out(splits: dict[str, Samples]) -> None:
    assert not any(
        held for split in ("train", "unseen_phrasings") for s in splits[split] for _, held in _values(s)
    )
    assert all(held for s in splits["unseen_values"] for _, held in _values(s))
    assert any(_values(s) for s in splits["unseen_values"])


def test_phrasings_are_held_out(splits: dict[str, Samples]) -> None:
    used = {split: {p for s in splits[split] for p in s.meta["phrases"]} for split in world.SPLITS}  # type: ignore[union-attr]
    kept = {p for s in SPECS.values() for options in (s.do, s.ask, s.need) for p in spec.reserved(options)}
    shared_by_tools = {
        p
        for s in SPECS.values()
        for options in (s.do, s.ask, s.need)
        for p in set(options) - spec.reserved(options)
    }
    assert not (used["train"] & kept) - shared_by_tools
    for s in splits["unseen_phrasings"]:
        assert set(s.meta["phrases"]) - used["train"], s.request  # type: ignore[arg-type]


def test_tools_are_held_out(splits: dict[str, Samples]) -> None:
    for split, samples in splits.items():
        assert all(spec.is_held(t.name) == (split == "unseen_tools") for s in samples for t in s.tools)
    assert sum(d.held for d in spec.all_domains()) == 2


# ----------------------------------------------------------- repeatable


def test_repeatable_across_processes() -> None:
    code = (
        "import hashlib; from looptool_kit.seeders import world\n"
        "s = world.generate(150, 4); n, t = world.plant_noise(s, 0.2, 4)\n"
        "print(hashlib.sha256(''.join(r.model_dump_json() for r in (*s, *n)).encode()).hexdigest())"
    )
    got = set()
    for hash_seed in ("0", "123"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        got.add(
            subprocess.run(
                [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
            ).stdout
        )
    s = world.generate(150, 4)
    n, _ = world.plant_noise(s, 0.2, 4)
    got.add(hashlib.sha256("".join(r.model_dump_json() for r in (*s, *n)).encode()).hexdigest() + "\n")
    assert len(got) == 1
    assert world.generate(20, 1) != world.generate(20, 2)


def test_bad_wishes_are_named() -> None:
    with pytest.raises(ValueError, match="unknown split 'test'; the splits are train"):
        world.generate(5, 1, "test")
    with pytest.raises(ValueError, match="unknown task kind 'sing'"):
        world.generate(5, 1, kinds=["sing"])


# --------------------------------------------------------------- execute


def test_state_is_seen_by_later_calls() -> None:
    state, rng = new_state(date(2026, 5, 4)), Random(1)
    call = ToolCall(
        name="book_table",
        arguments={"restaurant": "The Copper Fig", "date": "2026-05-08", "time": "19:00", "guests": 4},
    )
    made = execute(call, state, rng)
    key = made["reservation_id"]
    assert made["restaurant"] == "The Copper Fig"
    listed = execute(ToolCall(name="list_reservations", arguments={"name": "Ada Novak"}), state, rng)
    assert [r["reservation_id"] for r in listed["reservations"]] == [key]
    assert "error" not in execute(
        ToolCall(name="update_reservation", arguments={"reservation_id": key, "time": "20:30"}), state, rng
    )
    listed = execute(ToolCall(name="list_reservations", arguments={"name": "Ada Novak"}), state, rng)
    assert listed["reservations"][0]["time"] == "20:30"
    assert "error" not in execute(
        ToolCall(name="cancel_reservation", arguments={"reservation_id": key}), state, rng
    )
    assert execute(ToolCall(name="cancel_reservation", arguments={"reservation_id": key}), state, rng) == {
        "error": f"no reservation {key}"
    }


def test_results_are_memoised_and_arguments_checked() -> None:
    state, rng = new_state(date(2026, 5, 4)), Random(1)
    call = ToolCall(name="get_forecast", arguments={"city": "Lisbon", "date": "2026-05-08"})
    assert execute(call, state, rng) == execute(call, state, rng)
    assert "error" in execute(ToolCall(name="get_forecast", arguments={"city": "Lisbon"}), state, rng)
    assert "error" in execute(
        ToolCall(name="get_forecast", arguments={"city": "Lisbon", "date": "2026-02-30"}), state, rng
    )
    assert "error" in execute(
        ToolCall(name="get_forecast", arguments={"city": "Lisbon", "date": "2026-05-08", "x": 1}), state, rng
    )
    assert "error" in execute(ToolCall(name="nothing", arguments={}), state, rng)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_every_tool_runs_on_what_it_is_asked(seed: int) -> None:
    rng, today = Random(seed), date(2026, 5, 4)
    for s in SPECS.values():
        args = {
            p.name: core.draw(p.type, rng, today) for p in s.params if not p.optional or rng.random() < 0.5
        }
        state = new_state(today)
        from looptool_kit.world.execute import remember

        remember(s, args, state)
        result = execute(ToolCall(name=s.name, arguments=args), state, rng)
        assert "error" not in result, (s.name, args, result)
        json.dumps(result)
        for name, t in s.out.items():
            if s.picks and name not in args[s.picks[0]]:
                assert name not in result
            elif isinstance(t, types.Type) and s.lists is None:
                assert t.accepts(result[name]), (s.name, name, result)


# --------------------------------------------------------------- wording


def test_titles_and_lists_name_nothing_twice() -> None:
    rng, today = Random(1), date(2026, 11, 23)
    for _ in range(300):
        nouns = [
            w
            for w in core.draw(types.WORK, rng, today).replace("&", " ").split()
            if w not in ("The", "the", "and", "of", "in")
        ]
        assert len(set(nouns)) == len(nouns), nouns
        foods = core.draw(SPECS["logMeal"].by_name["foods"].type, rng, today)
        assert len({f["food"] for f in foods}) == len(foods), foods


def test_large_amounts_have_their_separators() -> None:
    texts = [s.text for s in types.money(100_000, 900_000).say(510_000, date(2026, 11, 23))]
    assert "$510,000" in texts and "510,000 dollars" in texts and not any("510000" in t for t in texts)


def test_frames_suit_what_they_hold() -> None:
    two = grammar.Said("do", f"send {grammar.OPEN}Dr. Rao{grammar.CLOSE} a note. Also, call the bank", "", ())
    mine = grammar.Said("do", f"send me {grammar.OPEN}Dr. Rao{grammar.CLOSE}'s number", "", ())
    seen = set()
    for seed in range(400):
        scene = grammar.Scene(Random(seed), date(2026, 11, 23), unseen=seed % 2 == 0)
        assert "?" not in grammar.frame(two, scene)
        said = grammar.frame(mine, scene, ("I am tired.",))
        assert not grammar._SELF.search(said.replace("send me", "{x}")), said
        assert not said.startswith(("I am tired. Hi", "I am tired. Hey", "I am tired. Hello")), said
        seen.add("?" in said)
    assert seen == {True, False}


def test_a_follow_up_says_about_once() -> None:
    said = [
        m.content
        for s in world.generate(300, 3, kinds=["multi_turn"])
        for m in s.messages
        if m.role == "user"
    ]
    assert not [t for t in said if "about about" in t.lower()]


def test_a_change_without_options_can_be_planned() -> None:
    ticket = types.identifier("ZZ", "token")
    bare = spec.T(
        "touch_token",
        "Touch a token.",
        [spec.P("token_id", ticket)],
        do=["touch {token_id}"],
        out={},
        reply="Done.",
        changes=ticket,
    )
    assert plans._call(bare, Random(1))["mention"] == ["token_id"]
    more = spec.T("move_token", "Move a token.", [spec.P("token_id", ticket), spec.P("city", types.CITY, opt=True)],
                  do=["move {token_id}"], out={}, reply="Done.", changes=ticket)  # fmt: skip
    assert all(len(plans._call(more, Random(i))["mention"]) > 1 for i in range(100))


def test_listings_keep_to_the_bounds_of_the_call() -> None:
    lot = types.identifier("LT", "lot")
    listing = spec.T("list_lots", "List lots.", [spec.P("max_price", types.money(10, 50))], do=["list the lots"], lists=lot, reply="Done.",
                     out={"lots": types.list_of(types.record(lot_id=lot, price=types.money(10, 500)), 3, 3)})  # fmt: skip
    for seed in range(30):
        rows = run(listing, {"max_price": 60}, new_state(date(2026, 11, 23)), Random(seed))["lots"]
        assert rows and all(r["price"] <= 60 for r in rows)


def test_linked_calls_share_facts_but_not_texts() -> None:
    facts = [spec.P("city", types.CITY), spec.P("note", types.MESSAGE)]
    one, two = (
        spec.T(n, "Do it.", facts, do=["do it"], out={}, reply="Done.")
        for n in ("first_of_two", "second_of_two")
    )
    call = {"tool": "second_of_two", "mention": ["city", "note"], "implicit": []}
    assert tasks._shared(one, two, {"city": "Rome", "note": "Hello"}, call) == {"city": "Rome"}  # type: ignore[arg-type]


def test_changes_change_what_was_listed() -> None:
    for s in world.generate(300, 8, kinds=["multi_step", "multi_turn"]):
        if not s.label.calls or len(s.messages) < 4:
            continue
        call, told = s.label.calls[0], json.loads(next(m.content for m in s.messages if m.role == "tool"))
        rows = [r for v in told.values() if isinstance(v, list) for r in v if isinstance(r, dict)]
        key = {p.name for p in SPECS[call.name].params if p.type is SPECS[call.name].changes}
        for row in rows:
            if key and any(row.get(k) == call.arguments.get(k) for k in key):
                assert not [k for k in call.arguments if k not in key and row.get(k) == call.arguments[k]], (
                    row,
                    call,
                )


def test_results_hold_what_was_asked_for_and_replies_say_it() -> None:
    picking = [s for s in SPECS.values() if s.picks]
    assert picking
    for s in picking:
        assert s.picks and (item := s.by_name[s.picks[0]].type.item)
        assert set(s.picks[1]) == set(s.out) == set(item.schema["enum"])
    asked = 0
    for sample in world.generate(60, 2, kinds=["finish"], domains=["fitness"]):
        call = sample.messages[-2].tool_calls[0]
        if SPECS[call.name].picks:
            figures, told = call.arguments["figures"], json.loads(sample.messages[-1].content)
            assert sorted(told) == sorted(figures) and len(sample.label.mentions) == len(figures)
            assert all(name.split("_")[-1] in sample.label.reply for name in figures), sample.label.reply
            asked += 1
    assert asked > 5


def test_a_result_keeps_what_was_asked_for_by_the_same_name() -> None:
    args = {"pet": "Willow", "date": "2026-12-01", "time": "10:00", "vet": "Dr. Becker"}
    for seed in range(9):
        result = run(SPECS["book_vet_appointment"], args, new_state(date(2026, 11, 23)), Random(seed))
        assert result["vet"] == "Dr. Becker"


def test_days_of_the_week_stand_in_their_order() -> None:
    week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    choices = [
        (s, p, p.type.item.schema.get("enum", [""])) for s in SPECS.values() for p in s.params if p.type.item
    ]
    lists = [(s, p) for s, p, values in choices if str(values[0]).startswith("mon")]
    assert {s.name for s, _ in lists} == {"create_device_timer", "set_alarm_clock"}
    for s, p in lists:
        for seed in range(100):
            days = core.draw(p.type, Random(seed), date(2026, 11, 23))
            places = [next(i for i, day in enumerate(week) if day.startswith(d)) for d in days]
            assert places == sorted(places), days
            scene = grammar.Scene(Random(seed), date(2026, 11, 23))
            said = grammar.surface(p.type, days, scene, None, False).text.lower()
            assert [said.index(week[i]) for i in places] == sorted(said.index(week[i]) for i in places), (
                s.name,
                said,
            )


def test_offers_are_near_the_price_that_was_found() -> None:
    checked = 0
    for sample in world.generate(200, 4, kinds=["multi_step", "multi_turn"], domains=["real_estate"]):
        if sample.label.calls[0].name == "make_offer" and sample.meta["link"]:
            call, told = sample.label.calls[0], next(m.content for m in sample.messages if m.role == "tool")
            rows = {r["listing_id"]: r["price"] for r in json.loads(told)["homes"]}
            price = rows[call.arguments["listing_id"]]
            assert 0.8 * price <= call.arguments["amount"] <= 1.05 * price, (price, call)  # type: ignore[operator]
            checked += 1
    assert checked > 10


def test_what_comes_later_is_not_asked_of_what_was_just_made() -> None:
    linked = {(a, b) for a, _, b, _ in spec.links()}
    assert not linked & {("rent_car", "report_rental_damage"), ("add_task", "complete_task")}
    assert {("rent_car", "add_rental_extras"), ("list_tasks", "complete_task")} <= linked


def test_openers_do_not_place_in_time_what_has_a_date() -> None:
    timed = {types.DATE.name, types.TIME.name, types.DATETIME.name}
    kinds = {"date", "time", "datetime"}
    for s in SPECS.values():
        if any(p.type.name in timed or kinds & set(p.type.name.split()) for p in s.params):
            placed = r"\b(just|tonight|today|tomorrow|yesterday|last night|this \w+ing|gym|sweaty)\b"
            bad = [w for w in s.why if re.search(placed, w)]
            assert not bad, (s.name, bad)


def test_a_record_is_dealt_with_once() -> None:
    assert [
        p.name for p in SPECS["transfer_tickets"].params if plans.varies(SPECS["transfer_tickets"], p)
    ] == []
    for s in SPECS.values():
        for p in s.params:
            if plans.varies(s, p) and not p.type.record_id:
                assert not [q for q in s.params if not q.optional and q.type.record_id], (s.name, p.name)
    for sample in world.generate(300, 6, kinds=["parallel", "multi_turn"]):
        calls = _calls(sample)
        same = [c for c in calls if c.name == calls[0].name]
        for key in (k for k in same[0].arguments if SPECS[same[0].name].by_name[k].type.record_id):
            assert len({str(c.arguments[key]) for c in same}) == len(same), calls


def test_nobody_has_to_show_things_themselves() -> None:
    own = re.compile(
        r"(?i)\b(have to|need to|want to|like to|help me|helping me|let's) (show|list|tell|read)\b"
    )
    said = [m.content for s in world.generate(1500, 5) for m in s.messages if m.role == "user"]
    assert not [t for t in said if own.search(t)]
    show = grammar.Said("do", "look up the weather, and once that's done show the timers", "", ())
    for seed in range(300):
        text = grammar.frame(show, grammar.Scene(Random(seed), date(2026, 11, 23)))
        assert not re.match(r"(?i)i(?:'d like| have| want| need) to|let's|help me", text), text


def test_a_reference_brings_its_own_noun() -> None:
    rng, today = Random(3), date(2026, 11, 23)
    for _, _, name, part in spec.links():
        s = SPECS[name]
        noun = s.by_name[part].type.noun
        args = {p.name: core.draw(p.type, rng, today) for p in s.params}
        for ref in (f"the last {noun} on the list", f"that {noun}"):
            for wording in (*s.do, *s.by_name[part].clauses):
                text, _ = grammar.render(
                    wording, s, args, grammar.Scene(Random(1), today), own=part, refs={part: ref}
                )
                text = text.replace(ref, "REF")
                assert not re.search(r"\b(the|an?|my) (\w+ )?REF\b", text) and f"REF {noun}" not in text, text
    refs, scene = {"title": "the last song on the list"}, grammar.Scene(rng, today)
    said, _ = grammar.render("play the song {title}", SPECS["startSong"], {}, scene, refs=refs)
    assert said == "play the last song on the list"


def test_what_is_needed_can_be_got() -> None:
    # "Can I get to be reminded?"
    assert not [(s.name, n) for s in SPECS.values() for n in s.need if n.startswith("to ")]


# -------------------------------------------------------------- variants


def test_variants_keep_the_ground_and_change_the_rest(splits: dict[str, Samples]) -> None:
    rng = Random(5)
    kept_list = 0
    for s in splits["train"][:240]:
        child = world.variant(s, rng)
        assert child.parent == s.id and child.split == "train" and child.kind == s.kind and child.id != s.id
        assert child.meta["targets"] == s.meta["targets"] and child.request != s.request
        assert [c["mention"] for c in child.meta["calls"]] == [c["mention"] for c in s.meta["calls"]]  # type: ignore[index,call-overload,union-attr]
        assert [c.name for c in child.label.calls] == [c.name for c in s.label.calls]
        assert all(problem(c) is None and child.tool(c.name) for c in _calls(child))
        assert not any(held for _, held in _values(child)) and not any(
            spec.is_held(t.name) for t in child.tools
        )
        kept_list += child.tools == s.tools
    assert 0.35 < kept_list / 240 < 0.7


def test_variants_with_wishes(splits: dict[str, Samples]) -> None:
    rng = Random(6)
    s = next(s for s in splits["train"] if s.kind == "single" and s.tool("book_table") is None)
    child = world.variant(s, rng, tools=["book_table"])
    assert child.tool("book_table") and [c.name for c in child.label.calls] == [c.name for c in s.label.calls]
    many = world.generate(1500, 11, kinds=["single", "choice"])
    booked = next(s for s in many if s.meta["targets"] == ["book_table"])
    assert "seating" in world.variant(booked, rng, mention=["seating"]).label.calls[0].arguments
    assert "seating" not in world.variant(booked, rng, mention=[]).label.calls[0].arguments
    asked = world.variant(booked, rng, kind="ask")
    assert asked.kind == "ask" and asked.label.asks and asked.meta["targets"] == ["book_table"]
    with pytest.raises(ValueError, match="not a train tool"):
        world.variant(splits["unseen_tools"][0], rng)
    with pytest.raises(ValueError, match="not made by the world"):
        world.variant(Sample(tools=s.tools, messages=s.messages, label=s.label), rng)


# ----------------------------------------------------------------- noise


def test_noise_is_wrong_hidden_and_recorded(splits: dict[str, Samples]) -> None:
    clean = splits["train"]
    noised, truth = world.plant_noise(clean, 0.1, 9)
    assert len(noised) == len(clean) and len({s.id for s in noised}) == len(noised)
    changed = [(a, b) for a, b in zip(clean, noised, strict=True) if a.id != b.id]
    assert len(changed) == len(truth) and 45 <= len(truth) <= 50
    for a, b in changed:
        assert truth[b.id] == a.label and not match(b.label, a.label)
        assert (b.tools, b.messages, b.meta, b.parent, b.source) == (
            a.tools,
            a.messages,
            a.meta,
            None,
            a.source,
        )
        assert b == b.model_copy() and Samples([b]).by_id()[b.id] is b
        assert not match(Answer.of(b.label), Answer.of(truth[b.id]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        world.plant_noise(clean, 3, 1)
    assert world.plant_noise(clean, 0.0, 1) == (clean, {})


def test_noise_comes_in_many_kinds(splits: dict[str, Samples]) -> None:
    from looptool_kit.core.toolcalls import diagnose

    noised, truth = world.plant_noise(splits["train"], 0.5, 2)
    kinds = Counter(diagnose(s.label, truth[s.id], s.tools)[0].kind for s in noised if s.id in truth)
    wanted = {
        "wrong_value",
        "missing_parameter",
        "redundant_parameter",
        "wrong_tool",
        "wrong_type",
        "missing_call",
        "should_have_declined",
    }
    assert wanted <= set(kinds), kinds


def test_a_wrong_tool_is_one_that_might_be_meant(splits: dict[str, Samples]) -> None:
    """About the same thing, with arguments that the dialogue holds; nobody takes a lock for a search."""
    found = 0
    for sample in (s for s in splits["train"] if s.label.calls):
        wrong = noise.wrong_tool(sample, Random(found))
        if wrong is None:
            continue
        found += 1
        for a, b in zip(sample.label.calls, wrong.calls, strict=True):
            if a == b:
                continue
            said = [v for c in _calls(sample) for v in c.arguments.values()]
            pieces = [str(v) for v in said] + [
                part for v in said if isinstance(v, str) for part in v.split("T")
            ]
            assert noise._akin(SPECS[a.name], SPECS[b.name]) and b.arguments and problem(b) is None, (a, b)
            assert all(str(v) in pieces for v in b.arguments.values()), (a, b)
    assert found > 20
    lock = ToolCall(name="lock_house_doors", arguments={"doors": ["side door"]})
    tools = tuple(SPECS[n].tool for n in ("lock_house_doors", "search_homes"))
    locking = Sample(tools=tools, messages=splits["train"][0].messages[:2], label=Label(calls=(lock,)))
    assert noise.wrong_tool(locking, Random(1)) is None


def test_texts_are_only_mixed_up_with_their_like(splits: dict[str, Samples]) -> None:
    for sample in splits["train"]:
        for seed in range(3 * bool(sample.label.calls)):
            wrong = noise.wrong_slot(sample, Random(seed))
            for a, b in zip(sample.label.calls, wrong.calls if wrong else (), strict=False):
                for key, value in a.arguments.items():
                    if b.arguments[key] != value and isinstance(value, str):
                        p = SPECS[a.name].by_name[key]
                        other = str(b.arguments[key])
                        assert p.type.accepts(other) and (not p.type.record_id or other[:2] == value[:2]), (
                            a,
                            b,
                        )


def test_phrases_hold_their_slots() -> None:
    for s in SPECS.values():
        for phrase in (*s.do, *s.ask, *s.need):
            assert spec.slots(phrase) <= set(s.by_name), (s.name, phrase)
        assert canonical(s.tool.parameters)
    assert isinstance(Label(), Label)
