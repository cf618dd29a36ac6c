"""What requests must not say: nouns as verbs, ties between parameters, dates in no order."""

from __future__ import annotations

import re
import warnings
from datetime import date
from typing import Any

import pytest

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.stages.seed.templates import generate, usable
from looptool_kit.stages.seed.templates.days import direction, follows
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.text.words import STOP, stems

TEXT, WHOLE, DAY = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "examples": [2, 5]}


def tool(name: str, description: str, required: str = "", **properties: Any) -> Tool:
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    return Tool(name=name, description=description, parameters=parameters | {"required": required.split()})


def said(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return schema | {"description": description}


def rows(*tools: Tool, count: int = 40, kinds: tuple[str, ...] = ("single",)) -> list[Sample]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = list(generate(tools, count, seed=4, kinds=kinds))
    assert found
    return found


def given(*tools: Tool) -> list[dict[str, Any]]:
    return [dict(c.arguments) for s in rows(*tools) for c in s.label.calls]


HEADLINES: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "a noun of the name": ("heat_demand_forecast", "Heat demand forecast", None),
    "a noun of what is listed": ("list_incidents", "Open incidents", ("list", "incidents")),
    "the verb of the name": ("record_vaccination", "Record vaccination", ("record", "a vaccination")),
    "the verb at the end of a name": ("fault_list", "List faults.", ("list", "faults")),
    "another verb for reading": ("query_logs", "Search logs of a service", ("search", "logs of a service")),
    "a setting is no reading": (
        "setRoomStatus",
        "Housekeeping status of room",
        ("set", "the room status"),
    ),
    "a noun that the description has too": ("delay_compensation", "Compensation for a delay", None),
    "the verb behind the name of a part": (
        "accounts__get_invoice",
        "Buyer's invoice with hammer, premium, tax and any right.",
        ("get", "the invoice"),
    ),
    "one of several things": ("keep_offline", "Save an album, playlist or track.", None),
    "no word of what is added": ("addToShortNotice", "Waiting list for cancellations", None),
    "a queue of moves": ("move_queue", "Open moves", None),
    "an issue that is reported": (
        "quality_report_issue",
        "Log an issue found in review or by a client.",
        None,
    ),
    "no word of what is sent": ("robot_charge", "Send to charger.", None),
    "things on an account": ("listInvoices", "Invoices on an account.", ("list", "invoices")),
    "bills by month": ("listBalances", "Balances for a month.", ("list", "balances")),
    "a noun at the end of what is reported": ("reportReject", "Report torn/short items.", None),
    "what is set or read, nobody knows": ("absence_request", "Absence request of an employee", None),
    "one more of these": ("animal-weight-log", "Weight log entry", None),
    "less than all of a list": (
        "update_reservation",
        "Change the date, time or size of a reservation.",
        ("update", "the reservation"),
    ),
    "two things": ("order_and_pay", "Order something and pay for it", None),
    "one of two": ("lock_door", "Lock or unlock a door", ("lock", "the door")),
    "how long before": (
        "cancelOrder",
        "Cancel the order until 48 h before pickup",
        ("cancel", "the order"),
    ),
}


@pytest.mark.parametrize("kind", HEADLINES)
def test_a_word_is_a_verb_only_where_name_or_lexicon_says_so(kind: str) -> None:
    name, description, expected = HEADLINES[kind]
    if expected is None:
        assert "begin its description" in usable([tool(name, description, "id", id=TEXT)])[1][name]
    else:
        assert headline(tool(name, description)) == expected


TIES: dict[str, tuple[str, dict[str, Any]]] = {
    "with one choice of another": ("floor", {"floor": said(COUNT, "Only relevant for full service")}),
    "for one choice of another": (
        "right_amount",
        {
            "reason": {"type": "string", "enum": ["duplicate", "wrongAmount"]},
            "right_amount": said(COUNT, "For wrongAmount: right"),
        },
    ),
    "not with another": ("instant", {"instant": said(FLAG, "Cannot be combined with a date")}),
    "compared with another": ("score", {"score": said(COUNT, "Must be higher than the last one")}),
    "one for each of another": (
        "ages",
        {"ages": said({"type": "array", "items": WHOLE}, "Ages, one per child")},
    ),
    "days before another": ("remind", {"remind": said(COUNT, "Reminder, days before the due date")}),
    "a rule for dates": ("start", {"start": said(DAY, "Must be the first day of a month")}),
    "by its own name": ("rooms", {"roomCount": WHOLE, "rooms": said(COUNT, "At least roomCount / 2")}),
    "a kind of a kind": (
        "breed",
        {"species": {"type": "string", "enum": ["dog", "cat"]}, "breed": TEXT | {"examples": ["beagle"]}},
    ),
    "a country beside a postcode": (
        "country",
        {"postcode": TEXT | {"examples": ["10115"]}, "country": said(TEXT, "ISO 3166-1 alpha-2")},
    ),
    "the unit of a number": ("unit", {"unit": {"type": "string", "enum": ["eur", "percent"]}}),
}  # fmt: skip


@pytest.mark.parametrize("kind", TIES)
def test_a_parameter_that_depends_on_another_is_left_out(kind: str) -> None:
    name, properties = TIES[kind]
    both = {"note_id": TEXT, **properties}
    assert all(name not in a for a in given(tool("pin_note", "Pin a note.", "note_id", **both)))
    assert name in usable([tool("pin_note", "Pin a note.", f"note_id {name}", **both)])[1]["pin_note"]


def test_a_sentence_of_the_tool_ties_its_parameters_too() -> None:
    told = "Open a case. Instruction and lapse cannot be used together."
    case = tool("open_case", told, "case_id", case_id=TEXT, instruction=COUNT, owner_id=TEXT)
    assert all("instruction" not in a for a in given(case)) and any("owner_id" in a for a in given(case))


@pytest.mark.parametrize(
    "words, context, expected",
    [
        ("purchase date", "register a warranty", "past"),
        ("created after", "list orders", "past"),
        ("date", "report a missed collection", "past"),
        ("start time", "get the trip history of a vehicle", "past"),
        ("date", "get the availability report", ""),
        ("preferred date", "order a pickup", "future"),
        ("due date", "create a task", "future"),
        ("date", "book a room", "future"),
        ("from", "find available rooms", "future"),
        ("purchase date", "book a repair", ""),
        ("date", "adjust a price", ""),
    ],
)
def test_a_day_is_over_or_to_come_only_where_that_is_sure(words: str, context: str, expected: str) -> None:
    assert direction(words, "", context) == expected


def test_first_day_of_no_direction_is_todays_or_left_out() -> None:
    price = tool("show_price", "Show a price.", "item_id date", item_id=TEXT, date=DAY)
    for sample in rows(price, count=12):
        today = sample.messages[0].content.rsplit(", ", 1)[1].rstrip(".")
        assert sample.label.calls[0].arguments["date"] == today
    optional = tool("show_price", "Show a price.", "item_id", item_id=TEXT, date=DAY)
    ends = tool("show_price", "Show a price.", "from to", **{"from": DAY, "to": DAY})
    assert "over or to come" in usable([ends])[1]["show_price"]
    assert all("date" not in a for a in given(optional))


def test_two_dates_are_the_ends_of_a_range_or_one_is_left_out() -> None:
    assert follows("validFrom", "validTo") == 1 and follows("check_out", "check-in") == -1
    assert follows("arrival", "departure") == 1 and follows("entry_date", "probation_end") == 0
    assert follows("valid_from", "paid_until") == 0
    spare = tool(
        "plan_entry",
        "Plan an entry.",
        "person_id entry_date",
        person_id=TEXT,
        entry_date=DAY,
        probation_end=DAY,
    )
    assert all("probation_end" not in a for a in given(spare))
    lost = tool(
        "plan_it", "Plan a move.", "unit_id first_day other_day", unit_id=TEXT, first_day=DAY, other_day=DAY
    )
    assert "which comes first" in usable([lost])[1]["plan_it"]


def test_a_period_that_is_over_ends_before_today() -> None:
    history = tool(
        "get_history",
        "Get the history of a truck.",
        "truck_id from to",
        truck_id=TEXT,
        **{"from": DAY, "to": DAY},
    )
    for sample in rows(history, count=20):
        today = date.fromisoformat(sample.messages[0].content.rsplit(", ", 1)[1].rstrip("."))
        call = sample.label.calls[0].arguments
        assert date.fromisoformat(call["from"]) < date.fromisoformat(call["to"]) <= today


def test_a_flag_that_the_headline_names_already_is_not_said() -> None:
    live = {"include_live_values": FLAG, "owner_id": TEXT}
    board = tool("show_board", "Show live values of a board", "board_id", board_id=TEXT, **live)
    assert all("include_live_values" not in a for a in given(board))


def test_a_noun_in_a_flags_description_is_no_verb() -> None:
    note = tool(
        "add_note", "Add a note.", "note_id", note_id=TEXT, follow_up=said(FLAG, "Follow-up certificate")
    )
    assert not re.search(r"and (?:please )?follow", "\n".join(s.request for s in rows(note)).lower())


def test_an_id_of_another_thing_does_not_name_what_is_made() -> None:
    hold = tool("place_hold", "Place a hold on a title.", "title_id", title_id=TEXT)
    appeal = tool("appeal", "Lodge an appeal against a fine.", "reference", reference=TEXT)
    text = "\n".join(s.request for s in rows(hold, appeal)).lower()
    assert not re.search(r"hold \w{3}-\d|appeal \w{3}-\d", text)


def test_a_name_with_a_hyphen_leaves_no_braces() -> None:
    plan = tool("get-plan", "Get the medication plan of an animal", "animal-id", **{"animal-id": TEXT})
    assert not re.search(r"[{}]", "\n".join(s.request for s in rows(plan)))


def test_a_reply_that_declines_says_nothing_that_the_request_does_not() -> None:
    lamp = tool("close_gate", "Close a gate.", "gate_id", gate_id=TEXT)
    for sample in rows(lamp, count=60, kinds=("decline",)):
        said_there = (
            set(stems(sample.request)) | STOP | set(stems("sorry unable tool none cannot afraid help tools"))
        )
        told = {w for w in stems(str(sample.label.reply)) if w not in said_there and len(w) > 3}
        assert not told, (sample.request, sample.label.reply)


LINES = {"type": "array", "items": {"type": "object", "properties": {"sku": TEXT}}}
CHANNELS = {"type": "array", "items": TEXT}
PICKED = {"type": "string", "enum": ["small", "large"]}
OFTEN = {"type": "string", "enum": ["weekly", "monthly"]}


@pytest.mark.parametrize(
    ("name", "text", "required", "properties", "why"),
    [
        ("update_caption", "Replace the caption.", "shot", {"shot": PICKED, "caption": TEXT}, "it changes"),
        (
            "set_consent",
            "Record a donor's consent per channel.",
            "donor_id source",
            {"donor_id": TEXT, "opt_in": CHANNELS, "source": PICKED},
            "it changes",
        ),
        ("place_order", "Place an order.", "buyer_id", {"buyer_id": TEXT, "lines": LINES}, "it makes"),
        (
            "report_absence",
            "Report an absence. For holidays give both dates.",
            "pupil_id",
            {"pupil_id": TEXT, "kind": PICKED},
            "demands",
        ),
        (
            "get_patient",
            "Get a patient by number or by surname + DOB.",
            "",
            {"patient_number": TEXT, "surname": TEXT, "date_of_birth": DAY},
            "demands",
        ),
        (
            "set_slots",
            "Set the slots of an episode.",
            "episode_id slot",
            {
                "episode_id": TEXT,
                "slot": {
                    "type": "object",
                    "properties": {"at": PICKED, "offset": said(TEXT, "Required when at is large.")},
                    "required": ["at"],
                },
            },
            "slot.offset",
        ),
        ("live_snapshot", "Use this when somebody asks.", "site_id", {"site_id": TEXT}, "verb first"),
        (
            "create_move",
            "Queue a move.",
            "to_type to_id",
            {"to_type": {"type": "string", "enum": ["DOCK", "GATE"]}, "to_id": TEXT},
            "to_id depends",
        ),
        ("book_swim", "Book a swim. Each child must have an adult.", "guests", {"guests": COUNT}, "demands"),
        (
            "join_list",
            "Put a swimmer on the waiting list.",
            "born",
            {"born": said(DAY, "date of birth"), "parent_email": TEXT},
            "how old",
        ),
    ],
)
def test_a_call_that_may_say_too_little_or_break_a_rule_is_not_asked_for(
    name: str, text: str, required: str, properties: dict[str, Any], why: str
) -> None:
    assert why in usable([tool(name, text, required, **properties)])[1][name]


def test_what_a_tool_is_said_to_change_is_what_it_changes() -> None:
    change = tool("change_box", "Change the size.", "box_id", box_id=TEXT, size=PICKED, frequency=OFTEN)
    assert all("size" in call for call in given(change))


def test_what_a_description_says_of_the_answer_demands_nothing_of_a_call() -> None:
    find = tool(
        "find_berths", "Find berths. Returns at most five, which later calls need.", "size", size=PICKED
    )
    extend = tool(
        "extend_permit", "Extend a permit.", "permit_id days", permit_id=TEXT, days=COUNT, justification=TEXT
    )
    assert usable([find, extend])[1] == {}


def test_a_thing_is_not_asked_for_as_if_it_were_a_figure() -> None:
    fetch = tool("fetch_booking", "Fetch a booking.", "booking_id", booking_id=TEXT)
    fee = tool("get_late_fee", "Get the late fee of a member.", "member_id", member_id=TEXT)
    asked = {able.tool.name: able.spec.ask for able in usable([fetch, fee])[0]}
    assert asked["fetch_booking"] == () and "what is the late fee of" in asked["get_late_fee"][0]


def test_what_is_declined_is_something_that_a_person_asks_for() -> None:
    lamp = tool("delete_lamp", "Delete a lamp.", "lamp_id", lamp_id=TEXT)
    requests = [s.request for s in rows(lamp, count=900, kinds=("decline",))]
    exchanged = [re.findall(r"\b[A-Z]{3}\b", r) for r in requests]
    assert any(len(codes) == 2 for codes in exchanged)
    assert all(len(codes) == len(set(codes)) for codes in exchanged)
    weights = [re.search(r"\b(cat|rabbit)\b.*?([\d.]+) kg", r) for r in requests]
    assert all(float(found[2]) < 9 for found in weights if found)


def test_a_season_is_the_one_of_the_day() -> None:
    season = TEXT | {"examples": ["2024/25"]}
    renew = tool("renew_pass", "Renew a pass.", "pass_id season", pass_id=TEXT, season=season)
    for sample in rows(renew):
        today = re.search(r"(\d{4})-(\d\d)", str(sample.messages[0].content))
        first = int(today[1]) - (int(today[2]) < 7)
        assert {c.arguments["season"] for c in sample.label.calls} == {f"{first}/{(first + 1) % 100}"}
    month = TEXT | {"examples": ["2024-11"]}
    history = tool("get_history", "Get the history of a pass.", "pass_id since", pass_id=TEXT, since=month)
    assert {c["since"] for c in given(history)} == {"2024-11"}


def test_a_radius_is_not_said_without_its_centre() -> None:
    far = {"radius_km": COUNT, "within_miles": COUNT, "within_days": COUNT}
    calls = given(tool("find_sites", "Find sites.", "", kind=PICKED, **far))
    assert {name for call in calls for name in call} == {"kind", "within_days"}


def test_what_is_set_of_one_of_few_is_said() -> None:
    zone, warm = {"type": "string", "enum": ["upstairs", "office"]}, WHOLE | {"minimum": 5, "maximum": 30}
    heat = tool("SetThermostat", "Set the thermostat of a zone.", "zone", zone=zone, target=warm, mode=PICKED)
    assert "it changes" in usable([heat])[1]["SetThermostat"]


def test_a_relation_is_not_drawn_beside_a_name() -> None:
    person = {"full_name": TEXT, "relation": {"type": "string", "enum": ["mother", "father"]}}
    add = tool("add_contact", "Add a contact.", "full_name", **person)
    assert all("relation" not in call for call in given(add))
    inside = {"type": "object", "properties": person, "required": ["full_name", "relation"]}
    _, why = usable([tool("add_contact", "Add a contact.", "contact", contact=inside)])
    assert "relation" in why["add_contact"]


def test_a_choice_that_another_parameter_explains_is_not_said() -> None:
    stage = {"type": "string", "enum": ["screening", "offer", "rejected"]}
    move = tool(
        "move_application", "Move an application.", "id stage", id=TEXT, stage=stage, rejection_reason=TEXT
    )
    assert {c["stage"] for c in given(move)} == {"screening", "offer"}


def test_a_date_in_a_code_is_of_the_day() -> None:
    sailing = TEXT | {"description": "e.g. OBNCRA-20250614-0955"}
    for sample in rows(tool("get_sailing", "Get a sailing.", "sailing_id", sailing_id=sailing)):
        today = re.search(r"\d{4}-\d\d-\d\d", str(sample.messages[0].content))
        assert f"OBNCRA-{today[0].replace('-', '')}-0955" in sample.request


def test_the_ends_of_a_range_in_an_object_are_in_order() -> None:
    at = {"type": "string", "format": "date-time"}
    period = {"type": "object", "properties": {"from": at, "to": at}, "required": ["from", "to"]}
    outages = tool("list_outages", "List planned outages.", "period", period=period)
    assert all(call["period"]["from"] < call["period"]["to"] for call in given(outages))
    times = {name: said(TEXT, "HH:MM") for name in ("start", "end")}
    for call in given(tool("book_shift", "Book a shift.", "start end", **times)):
        start, end = (60 * int(call[k][:2]) + int(call[k][3:]) for k in times)
        assert end - start >= 30
