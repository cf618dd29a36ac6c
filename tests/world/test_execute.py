"""Tools of the procedural world run, and their results fit the calls."""

from __future__ import annotations

import json
from datetime import date
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import calls_of

from looptool_kit import world
from looptool_kit.core.samples import ToolCall
from looptool_kit.world import chains, core, plans, spec, types
from looptool_kit.world.execute import execute, new_state, remember, run

SPECS = spec.specs()


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
        remember(s, args, state)
        result = execute(ToolCall(name=s.name, arguments=args), state, rng)
        assert "error" not in result, (s.name, args, result)
        json.dumps(result)
        for name, t in s.out.items():
            if s.picks and name not in args[s.picks[0]]:
                assert name not in result
            elif isinstance(t, types.Type) and s.lists is None:
                assert t.accepts(result[name]), (s.name, name, result)


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
    more = spec.T(
        "move_token",
        "Move a token.",
        [spec.P("token_id", ticket), spec.P("city", types.CITY, opt=True)],
        do=["move {token_id}"],
        out={},
        reply="Done.",
        changes=ticket,
    )
    assert all(len(plans._call(more, Random(i))["mention"]) > 1 for i in range(100))


def test_listings_keep_to_the_bounds_of_the_call() -> None:
    lot = types.identifier("LT", "lot")
    listing = spec.T(
        "list_lots",
        "List lots.",
        [spec.P("max_price", types.money(10, 50))],
        do=["list the lots"],
        lists=lot,
        reply="Done.",
        out={"lots": types.list_of(types.record(lot_id=lot, price=types.money(10, 500)), 3, 3)},
    )
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
    assert chains.shared(one, two, {"city": "Rome", "note": "Hello"}, call) == {"city": "Rome"}  # type: ignore[arg-type]


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


def test_a_record_is_dealt_with_once() -> None:
    assert [
        p.name for p in SPECS["transfer_tickets"].params if plans.varies(SPECS["transfer_tickets"], p)
    ] == []
    for s in SPECS.values():
        for p in s.params:
            if plans.varies(s, p) and not p.type.record_id:
                assert not [q for q in s.params if not q.optional and q.type.record_id], (s.name, p.name)
    for sample in world.generate(300, 6, kinds=["parallel", "multi_turn"]):
        calls = calls_of(sample)
        same = [c for c in calls if c.name == calls[0].name]
        for key in (k for k in same[0].arguments if SPECS[same[0].name].by_name[k].type.record_id):
            assert len({str(c.arguments[key]) for c in same}) == len(same), calls
