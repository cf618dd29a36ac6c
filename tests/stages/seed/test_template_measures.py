"""How large numbers are, what people write, and what is refused since nobody knows it."""

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
from looptool_kit.stages.seed.templates.measures import measure_of
from looptool_kit.stages.seed.templates.names import Unusable, unit_of
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
    ("name", "description", "context", "low", "high"),
    [
        ("weight_kg", "", "log a home measurement", 45, 110), ("weight_kg", "", "register a cat", 1, 40),
        ("weight_kg", "", "create a parcel", 0.5, 31), ("systolic", "mmHg", "record vitals", 90, 180),
        ("temp_c", "", "record the vital signs of a patient", 35, 41),
        ("temp", "Degrees Celsius", "set the oven's temperature", 120, 280),
        ("price", "in EUR", "change the price of a croissant in a bakery", 0.5, 30),
        ("per_minute", "Price per minute in EUR", "set pricing", 0.01, 2),
        ("salary", "a month", "monthly salary of an employee", 1500, 9000),
        ("hours_per_day", "", "search daycare places", 1, 12), ("vat", "percent", "create an invoice", 2, 27),
        ("annual_use", "Electricity use per year in kWh", "create a lead", 1000, 9000),
        ("speed", "km/h", "start a treadmill program", 3, 20), ("draft", "in m", "reserve a berth", 0.5, 4),
        ("deposit", "EUR", "lend a tool to a member", 5, 150), ("bags", "", "order flour", 2, 12),
        ("share", "e.g. 250 or 400", "", 250, 400), ("gap", "like 30", "", 20, 50),
    ],
)  # fmt: skip
def test_numbers_are_as_large_as_people_say(
    name: str, description: str, context: str, low: float, high: float
) -> None:
    schema = {"type": "integer" if name == "bags" else "number", "description": description}
    kind = type_of(name, schema, context=context)
    values = [draw(kind, Random(n), date(2026, 3, 1)) for n in range(60)]
    assert all(low <= v <= high for v in values) and len(set(values)) > 1, values


@pytest.mark.parametrize("name", ["threshold", "blend_pct", "silage_kg", "energy", "size_of_it"])
def test_of_what_no_one_knows_the_size_nothing_is_guessed(name: str) -> None:
    assert (
        measure_of(name.replace("_", " "), "", unit_of(name.replace("_", " "), ""), "adjust a thing") is None
    )
    with pytest.raises(Unusable, match="how large"):
        type_of(name, NUMBER)
    required, optional = (
        tool("adjust_thing", "Adjust a thing", n, thing_id=TEXT, **{name: NUMBER}) for n in (2, 1)
    )
    assert "give it a minimum and a maximum" in usable([required])[1]["adjust_thing"]
    assert all(
        name not in c for c in given(tool("show_thing", "Show a thing", 1, thing_id=TEXT, **{name: NUMBER}))
    )
    assert not usable([optional])[1]
    bounded = type_of(name, NUMBER | {"minimum": 10, "maximum": 20})
    assert 10 <= draw(bounded, Random(1), date(2026, 1, 1)) <= 20


def test_the_end_of_a_range_is_near_its_beginning() -> None:
    book = tool("book_car", "Book a car", start=MOMENT, end=MOMENT)
    lease = tool("create_lease", "Create a lease", start=DAY, end=DAY)
    free = tool("find_slots", "Find free slots", earliest=DAY, latest=DAY)
    for call in given(book):
        assert call["start"] < call["end"] and call["start"][:10] == call["end"][:10]
    for call in given(lease):
        assert (date.fromisoformat(call["end"]) - date.fromisoformat(call["start"])).days >= 20
    assert all(c["earliest"] < c["latest"] for c in given(free))


def test_a_flag_of_two_ends_is_said_by_one_of_them() -> None:
    """Not "turn a light off. Enabled: yes"."""
    light = tool("set_light", "Turn a light on or off", light_id=TEXT, enabled=FLAG)
    door = tool("door", "Lock or unlock a door", door_id=TEXT, locked=FLAG)
    for sample in drawn(light):
        on = sample.label.calls[0].arguments["enabled"]
        assert re.search(rf"\b{'on' if on else 'off'}\b", sample.request) or "typo" in sample.meta
        assert "nabled" not in sample.request
    said = [bool(re.search(r"\bunlock", s.request.lower())) for s in drawn(door)]
    locked = [s.label.calls[0].arguments["locked"] for s in drawn(door)]
    assert sum(a is not b for a, b in zip(said, locked, strict=True)) >= 0.85 * len(said), "but for typos"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("class_schedule", "Class schedule of a week.", ("get", "the class schedule of a week")),
        ("milk_report", "Report of the milk delivered.", ("get", "the report of the milk delivered")),
        ("clean_tank", "Start cleaning the tank.", ("start", "cleaning the tank")),
        ("scale_recipe", "Scale a recipe up or down.", ("scale", "a recipe")),
        ("left", "How much filament is left on a spool.", ("tell", "how much filament is left on a spool")),
        ("rentGear", "Rent equipment", ("rent", "equipment")),
        ("order_status", "Where is my order?", ("get", "the order status")),
    ],
)
def test_headlines_of_noun_phrases_and_questions(name: str, text: str, expected: tuple[str, str]) -> None:
    assert headline(Tool(name=name, description=text)) == expected


def test_examples_say_which_of_a_kind() -> None:
    car = tool("add_car", "Add a car", model=TEXT | {"description": "Make and model, e.g. 'Renault Zoe'"})
    photo = tool("print", "Print photos", file=TEXT | {"description": "e.g. beach.jpg or cake.jpg"})
    shelf = tool(
        "store",
        "Store a sample",
        shelf=TEXT | {"description": "A-F"},
        cold=WHOLE | {"description": "-80 or -20"},
    )
    code = tool("redeem", "Redeem a voucher", code=TEXT | {"description": "12 characters"})
    assert {c["model"] for c in given(car)} == {"Renault Zoe"}
    assert {c["file"] for c in given(photo)} == {"beach.jpg", "cake.jpg"}
    assert {c["shelf"] for c in given(shelf)} <= set("ABCDEF") and {c["cold"] for c in given(shelf)} == {
        -80,
        -20,
    }
    assert all(re.fullmatch(r"[A-Z0-9]{12}", c["code"]) for c in given(code))


def test_people_and_animals_are_of_their_age_and_name() -> None:
    student = tool("enrol_student", "Enrol a student", date_of_birth=DAY, name=TEXT)
    dog = {
        "type": "object",
        "properties": {"name": TEXT, "breed": TEXT, "born": DAY},
        "required": ["name", "breed", "born"],
    }
    register = tool("register_dog", "Register a dog", dog=dog)
    mail = tool("invite", "Invite a guest", guest_name=TEXT, email=TEXT)
    today = {s.label.calls[0].arguments["date_of_birth"]: s.messages[0].content for s in drawn(student)}
    assert all(int(t[-11:-7]) - 17 <= int(str(b)[:4]) <= int(t[-11:-7]) - 5 for b, t in today.items())
    assert all(c["dog"]["born"] > "2010" and " " not in c["dog"]["name"] for c in given(register))
    for call in given(mail):
        assert call["guest_name"].split()[-1].lower() in call["email"] or not call["guest_name"].isascii()


def test_free_text_is_left_out_or_refused() -> None:
    reminder = tool("send_reminder", "Send a payment reminder to a tenant", 1, lease_id=TEXT, text=TEXT)
    assert all("text" not in c for c in given(reminder))
    for name in ("title", "name", "note", "reason", "description", "query", "subject", "tags", "project"):
        ticket = tool("open_ticket", "Open a ticket", ticket_id=TEXT, **{name: TEXT})
        assert name in usable([ticket])[1]["open_ticket"]
        told = tool(
            "open_ticket", "Open a ticket", ticket_id=TEXT, **{name: "e.g. 'stuck door' or 'no heat'"}
        )
        assert {c[name] for c in given(told)} == {"stuck door", "no heat"}


def test_two_owners_do_not_share_an_address() -> None:
    change = tool("update_owner", "Update an owner", 1, owner_id=TEXT, email=TEXT)
    assert not drawn(change, n=6, kinds=("parallel",))
