"""Only values that are right whatever the tool: what is taken, what is refused, and what the remedy does."""

from __future__ import annotations

import re
import warnings
from datetime import date
from random import Random
from typing import Any

import pytest
from template_draws import tool

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.stages.seed.templates import generate, usable
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.names import Unusable
from looptool_kit.stages.seed.templates.values import draw, type_of

TEXT, WHOLE, NUMBER, FLAG = ({"type": t} for t in ("string", "integer", "number", "boolean"))
DAY, MOMENT = TEXT | {"format": "date"}, TEXT | {"format": "date-time"}


def drawn(*tools: Tool, n: int = 30, kinds: tuple[str, ...] = ("single",)) -> list[Sample]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(generate(tools, n, seed=7, kinds=kinds))


def given(*tools: Tool, n: int = 30) -> list[dict[str, Any]]:
    calls = [dict(c.arguments) for s in drawn(*tools, n=n) for c in s.label.calls]
    assert calls
    return calls


@pytest.mark.parametrize(
    ("name", "schema", "low", "high"),
    [
        ("guests", WHOLE, 2, 6), ("nights", WHOLE | {"minimum": 1, "maximum": 365}, 2, 6),
        ("limit", WHOLE | {"maximum": 20}, 5, 20), ("children", WHOLE, 2, 6),
        ("stars", WHOLE | {"maximum": 5}, 1, 5),
        ("score", WHOLE | {"description": "0 to 4"}, 1, 4),
        ("share", NUMBER | {"description": "250 or 400"}, 250, 400),
        ("delay", WHOLE | {"minimum": 10, "maximum": 180}, 10, 70),
        ("weight_kg", NUMBER | {"examples": [3.5, 8]}, 3.5, 8),
    ],
)  # fmt: skip
def test_numbers_are_counts_examples_or_of_a_stated_range(
    name: str, schema: dict[str, Any], low: float, high: float
) -> None:
    values = [draw(type_of(name, schema), Random(n), date(2026, 3, 1)) for n in range(60)]
    assert all(low <= v <= high for v in values) and len(set(values)) > 1, values


UNKNOWN: dict[str, dict[str, Any]] = {
    "weight_kg": NUMBER | {"minimum": 30, "maximum": 250},
    "limit": WHOLE | {"description": "Daily limit in EUR"},
    "price": NUMBER | {"minimum": 0},
    "latitude": NUMBER | {"minimum": -90, "maximum": 90},
    "threshold": NUMBER | {"description": "in mm"}, "year": WHOLE | {"minimum": 1900, "maximum": 2100},
    "urgent": FLAG, "destination": TEXT, "reason": TEXT, "photo_url": TEXT | {"format": "uri"},
    "quarter": TEXT | {"description": "e.g. 2025-Q3"}, "season": WHOLE | {"description": "e.g. 2025"},
    "vat_id": TEXT, "assignee": TEXT | {"description": "User name of the engineer"}, "passport_number": TEXT,
    "field_name": TEXT | {"description": "Name of the field"}, "programming_language": TEXT,
    "tags": {"type": "array", "items": TEXT}, "readings": {"type": "array", "items": NUMBER},
    "filter": {"type": "object", "properties": {"a": TEXT}}, "product_code": TEXT,
    "at": TEXT | {"description": "HH:MM, between 18:00 and 21:30"},
    "visit_day": DAY | {"description": "Tuesday to Friday"},
    "born": DAY | {"description": "Birth date of the pupil"},
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_only_those_know_who_wrote_the_tool_is_refused_and_has_a_remedy(name: str) -> None:
    required, optional = (
        tool("show_thing", "Show a thing", n, thing_id=TEXT, **{name: UNKNOWN[name]}) for n in (2, 1)
    )
    reason = usable([required])[1]["show_thing"]
    assert re.search(r"examples|enum|`required`|make it optional|minimum", reason), reason
    assert all(set(c) == {"thing_id"} for c in given(optional))


@pytest.mark.parametrize("name", ["weight_kg", "year", "destination", "reason", "product_code", "visit_day"])
def test_examples_in_the_schema_are_taken_as_they_are(name: str) -> None:
    some = {"weight_kg": [61.5, 80], "year": [2019, 2021], "visit_day": ["2027-03-02", "2027-03-05"]}
    values = some.get(name, ["alpha", "north wing"])
    show = tool("show_thing", "Show a thing", thing_id=TEXT, **{name: UNKNOWN[name] | {"examples": values}})
    assert {c[name] for c in given(show)} == set(values)


def test_at_most_two_optional_parameters_and_none_that_may_contradict_another() -> None:
    """A choice may rule out another choice, a day or a number; a priority or a customer rules out nothing."""
    state, kind = (
        {"type": "string", "enum": ["ready", "broken"]},
        {"type": "string", "enum": ["van", "car"]},
    )
    tools = tool(
        "list_orders", "List orders", 0, state=state, kind=kind, created_after=DAY, guests=WHOLE,
        priority={"type": "string", "enum": ["low", "high"]}, customer_id=TEXT, email=TEXT,
    )  # fmt: skip
    calls = given(tools, n=120)
    assert max(map(len, calls)) == 2
    for call in calls:
        assert len({"state", "kind"} & set(call)) < 2
        assert not ({"state", "kind"} & set(call) and {"created_after", "guests"} & set(call))
    assert {frozenset(c) for c in calls} >= {frozenset({"priority", "state"}), frozenset({"created_after"})}
    two = tool("order_part", "Order a part", state=state, kind=kind)
    assert "nothing tells which" in usable([two])[1]["order_part"]


def test_a_number_of_a_thing_is_no_value_that_something_is_set_to() -> None:
    room = WHOLE | {"minimum": 101, "maximum": 532}
    status = {"type": "string", "enum": ["clean", "dirty"]}
    clean = tool("set_room_status", "Set the status of a room", room_number=room, status=status)
    assert not any(re.search(r"to \d", s.request) for s in drawn(clean))


def test_a_search_says_what_for_and_an_update_what_to() -> None:
    find = tool("find_lamps", "Find lamps", 0, lamp_id=TEXT, limit=WHOLE, room_no=TEXT | {"examples": ["A1"]})
    assert all(set(c) - {"limit"} for c in given(find))
    nothing = tool("search_lamps", "Search lamps", 0, query=TEXT, limit=WHOLE)
    change = tool("update_lamp", "Update a lamp", 1, lamp_id=TEXT, note=TEXT)
    _, why = usable([nothing, change])
    assert "searches by" in why["search_lamps"] and "what it changes" in why["update_lamp"]


def test_what_is_required_in_some_cases_makes_a_tool_unusable_where_nobody_can_say_it() -> None:
    pay = {"type": "string", "enum": ["card", "voucher"]}
    code = TEXT | {"description": "Required if payment is voucher"}
    order = tool("create_order", "Create an order", 2, order_id=TEXT, payment=pay, voucher_code=code)
    assert "voucher_code" in usable([order])[1]["create_order"]


def test_the_end_of_a_range_is_near_its_beginning() -> None:
    book = tool("book_car", "Book a car", start=MOMENT, end=MOMENT)
    lease = tool("plan_lease", "Plan a lease", start=DAY, end=DAY)
    free = tool("find_slots", "Find free slots", earliest=DAY, latest=DAY)
    for call in given(book):
        assert call["start"] < call["end"] and call["start"][:10] == call["end"][:10]
    for call in given(lease):
        assert (date.fromisoformat(call["end"]) - date.fromisoformat(call["start"])).days >= 20
    assert all(c["earliest"] < c["latest"] for c in given(free))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("clean_tank", "Start cleaning the tank.", ("start", "cleaning the tank")),
        ("scale_recipe", "Scale a recipe up or down.", ("scale", "the recipe")),
        ("rentGear", "Rent equipment", ("rent", "equipment")),
        ("get_order", "Get an order that is not older than a year.", ("get", "the order")),
        ("cancel_trip", "Cancels a trip (free of charge until departure).", ("cancel", "a trip")),
        ("check_in_guest", "Check-in", ("check in", "the guest")),
        ("tell", "Retrieves a booking, with its payments.", ("get", "a booking")),
        ("close_case", "Close a case once the work is done.", ("close", "the case")),
        ("moveStock", "Move stock from one place to another", ("move", "stock")),
        ("find_vet", "Find vets who are free.", ("find", "vets")),
        ("find_track", "Find a track in the log by time of day.", ("find", "a track in the log")),
    ],
)
def test_a_headline_says_one_thing(name: str, text: str, expected: tuple[str, str]) -> None:
    assert headline(Tool(name=name, description=text)) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_schedule", "Class schedule of a week."), ("order_status", "Where is my order?"),
        ("milk_report", "Report of the milk delivered."), ("vacuum", "Start or stop the vacuum"),
        ("heat_demand_forecast", "Heat demand forecast"), ("left", "How much filament is left on a spool."),
    ],
)  # fmt: skip
def test_what_has_no_sure_verb_or_says_two_things_is_refused(name: str, text: str) -> None:
    with pytest.raises(Unusable, match="with a verb first"):
        headline(Tool(name=name, description=text))


def test_examples_say_which_of_a_kind() -> None:
    car = tool("add_car", "Add a car", model=TEXT | {"description": "Make and model, e.g. 'Renault Zoe'"})
    photo = tool("print", "Print photos", file=TEXT | {"description": "e.g. beach.jpg or cake.jpg"})
    cool = tool("store", "Store a sample", cold=WHOLE | {"description": "-80 or -20"})
    code = tool("redeem", "Redeem a voucher", voucher_id=TEXT | {"description": "12 characters"})
    assert {c["model"] for c in given(car)} == {"Renault Zoe"}
    assert {c["file"] for c in given(photo)} == {"beach.jpg", "cake.jpg"}
    assert {c["cold"] for c in given(cool)} == {-80, -20}
    assert all(re.fullmatch(r"[A-Z0-9]{12}", c["voucher_id"]) for c in given(code))


def test_an_address_is_that_of_the_person() -> None:
    mail = tool("invite", "Invite a guest", guest_name=TEXT, email=TEXT)
    for call in given(mail):
        assert call["guest_name"].split()[-1].lower() in call["email"] or not call["guest_name"].isascii()


def test_free_text_is_left_out_or_refused() -> None:
    reminder = tool("send_reminder", "Send a payment reminder to a tenant", 1, lease_id=TEXT, text=TEXT)
    assert all("text" not in c for c in given(reminder))
    for name in ("title", "name", "note", "reason", "description", "query", "subject", "project"):
        ticket = tool("open_ticket", "Open a ticket", ticket_id=TEXT, **{name: TEXT})
        assert name in usable([ticket])[1]["open_ticket"]
        told = tool(
            "open_ticket", "Open a ticket", ticket_id=TEXT, **{name: "e.g. 'stuck door' or 'no heat'"}
        )
        assert {c[name] for c in given(told)} == {"stuck door", "no heat"}


def test_what_a_remark_may_be_about_is_no_remark() -> None:
    trip = tool("book_trip", "Book a trip", 1, slot_id=TEXT, driver_note="Max 200 chars, e.g. gate code")
    assert all("driver_note" not in c for c in given(trip))


def test_one_of_several_that_has_to_be_given_is_no_option() -> None:
    told = "Search the catalogue. At least one of `title`, `author` or `isbn` should be supplied."
    by = {"title": "e.g. 'Emma' or 'Ulysses'", "author": "e.g. 'Woolf' or 'Eliot'", "isbn": TEXT}
    search = tool("search_catalogue", told, 0, **by, page={"type": "integer", "minimum": 1, "maximum": 9})
    assert "At least one" in usable([search])[1]["search_catalogue"]
    told = "Find a member by number or by e-mail. Give at least one."
    find = tool("member_lookup", told, 0, membership_id=TEXT, email=TEXT | {"format": "email"})
    assert "at least one" in usable([find])[1]["member_lookup"]


def test_what_is_given_together_is_left_out_alone() -> None:
    told = "Find a member by e-mail or by surname plus date of birth"
    by = {"surname": TEXT, "date_of_birth": DAY, "email": TEXT | {"format": "email"}}
    find = tool("member_lookup", told, 0, **by)
    assert all(set(c) <= {"email"} for c in given(find))


@pytest.mark.parametrize(
    "told", ["Minimum one hour, 15-minute steps.", "At most 3 days.", "In increments of 15 minutes."]
)
def test_how_long_a_booking_may_be_is_kept(told: str) -> None:
    book = tool("create_booking", f"Book a car. {told}", 2, starts_at=MOMENT, ends_at=MOMENT)
    assert "starts_at" in usable([book])[1]["create_booking"]


def test_what_is_written_down_is_said() -> None:
    told = NUMBER | {"examples": [1.04, 1.012]}
    log = tool("batch_log", "Log a reading on a batch", 1, batch_no=TEXT, taken_at=MOMENT, gravity=told)
    assert all("gravity" in c for c in given(log))
    empty = tool("batch_log", "Log a reading on a batch", 1, batch_no=TEXT, taken_at=MOMENT, remark=TEXT)
    assert "writes down" in usable([empty])[1]["batch_log"]


def test_nearest_is_left_out_where_no_point_is_given() -> None:
    how = {"type": "string", "enum": ["newest", "nearest"]}
    search = tool(
        "search_sightings", "Search sightings of birds", 0, rare_only=FLAG, sort=how, species="e.g. 'Tit'"
    )
    assert all("sort" not in c for c in given(search))


def test_what_is_corrected_is_said() -> None:
    edit = tool("edit_sighting", "Correct an earlier sighting", 1, sighting_id=TEXT, comment=TEXT)
    assert "changes" in usable([edit])[1]["edit_sighting"]


def test_light_verbs_give_way_to_those_of_the_name() -> None:
    renew = tool("renew_loan", "Give a family more time with a toy", 1, toy_id=TEXT)
    assert all("more time" not in s.request for s in drawn(renew)) and drawn(renew)


def test_what_is_done_to_nothing_is_done_to_what_the_name_says() -> None:
    cancel = tool("cancel_subscription", "Cancel at the end of the notice period", 1, subscription_id=TEXT)
    requests = [s.request for s in drawn(cancel)]
    assert requests and all("subscription" in r and "at the end" not in r for r in requests)


def test_what_is_moved_is_moved_to_a_day() -> None:
    move = tool(
        "reschedule_appointment", "Reschedule an appointment", 2, appointment_id=TEXT, starts_at=MOMENT
    )
    requests = [s.request for s in drawn(move)]
    assert requests and all(" to " in r and "starting" not in r for r in requests)


@pytest.mark.parametrize("told", ["Is a room free?", "Which rooms are free", "Does a room stand empty?"])
def test_a_question_is_no_verb(told: str) -> None:
    kind = {"type": "string", "enum": ["hall", "kitchen"]}
    check = tool("check_room", told, 1, room=kind)
    requests = [s.request for s in drawn(check)]
    assert requests and not any(re.search(r"\bi a\b|free|stand", r) for r in requests)


def test_our_shelves_are_searched_and_not_looked_for() -> None:
    kind = {"type": "string", "enum": ["puzzle", "game"]}
    find = tool("find_toys", "Search our toy shelves", 0, kind=kind)
    assert {s.request for s in drawn(find) if "look for" in s.request or "find our" in s.request} == set()


def test_what_is_counted_is_not_more_than_all() -> None:
    count = WHOLE | {"minimum": 1, "maximum": 60}
    counts = {"seeds_sown": count, "seeds_germinated": count}
    record = tool("record_germination", "Record a germination test", 3, lot_id=TEXT, **counts)
    assert "seeds_sown" in usable([record])[1]["record_germination"]
    record = tool("record_germination", "Record a germination test", 2, lot_id=TEXT, **counts)
    assert all("seeds_germinated" not in c for c in given(record))
    prices = {"price_min": count, "price_max": count}
    assert any(len(c) == 2 for c in given(tool("find_seeds", "Find seeds on sale", 0, **prices)))


def test_two_owners_do_not_share_an_address() -> None:
    change = tool("update_owner", "Update an owner", 1, owner_id=TEXT, email=TEXT)
    assert not drawn(change, n=6, kinds=("parallel",))


def test_the_lower_pressure_is_below_the_upper_one() -> None:
    pressure = {name: WHOLE | {"minimum": 40, "maximum": 120} for name in ("systolic", "diastolic")}
    calls = given(tool("log_reading", "Save a blood pressure reading.", 2, **pressure))
    assert all(call["diastolic"] < call["systolic"] for call in calls)
