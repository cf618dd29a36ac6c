"""Requests in words that a person would use: one case for each kind of fault that readings found."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.stages.seed.templates import generate, usable

TEXT, WHOLE, DAY = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date"}
SOME = {"type": "integer", "examples": [20, 35]}


def tool(name: str, description: str, required: str = "", **properties: Any) -> Tool:
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    return Tool(name=name, description=description, parameters=parameters | {"required": required.split()})


def asked(*tools: Tool, count: int = 16) -> list[Sample]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(generate(tools, count, seed=4, kinds=("single",)))


def requests(*tools: Tool) -> str:
    found = [re.sub(r"[*_]", "", s.request) for s in asked(*tools)]
    assert found
    return "\n".join(found)


def chosen(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


KINDS: dict[str, tuple[Tool, str, str]] = {
    "a thing that changes has an article": (
        tool("deleteRecord", "Remove patient record", "record_id", record_id=TEXT),
        r"(?:remove|delete|get rid of) (?:the )?(?:patient )?record",
        r"(?:remove|delete) patient record with",
    ),
    "a payment is recorded": (
        tool("recordPayment", "Record payment", "amount", amount={"type": "number", "examples": [20, 35.5]}),
        r"record a payment",
        r"record payment",
    ),
    "a verb of its own": (
        tool("prescribe", "Prescribe medication", "drug", drug=TEXT | {"examples": ["ibuprofen", "aspirin"]}),
        r"prescribe",
        r"the prescribe",
    ),
    "at most four, not an ads of four": (
        tool("set_break", "Configure an ad slot.", "max_ads", max_ads={"type": "integer", "maximum": 4}),
        r"maximum ads: [1-4]",
        r"an? ads|maximum of",
    ),
    "what is put has a place": (
        tool(
            "plan_meal",
            "Put a recipe on the week's meal plan.",
            "recipe_id day",
            recipe_id=WHOLE,
            day=chosen("monday", "tuesday", "friday"),
        ),
        r"put recipe \d+ on the week's meal plan.* on (?:Monday|Tuesday|Friday)",
        r"as the day|day is",
    ),
    "you is I": (
        tool("rate", "Rate a recipe you cooked.", "stars", stars=WHOLE | {"maximum": 5}),
        r"I cooked",
        r"you cooked",
    ),
    "which ones": (
        tool(
            "list_expiring_items",
            "Pantry items that expire soon.",
            "days",
            days=WHOLE | {"description": "days ahead", "examples": [3, 7]},
        ),
        r"expiring items (?:with)?in the next",
        r"for \w+ days",
    ),
    "which ones, with a place": (
        tool(
            "list_failed", "Lists the tests that failed in a build, with messages.", "build_id", build_id=TEXT
        ),
        r"(?:list|show|give).* failed",
        r"messages|that failed",
    ),
    "a duration in one unit": (
        tool(
            "start_timer", "Start a timer.", "minutes", minutes=WHOLE | {"examples": [3, 10]}, seconds=WHOLE
        ),
        r"for \w+ minutes",
        r"second",
    ),
    "one thing that it does": (
        tool(
            "announce", "Make a show visible on the website and send the newsletter.", "show_id", show_id=TEXT
        ),
        r"visible on the website",
        r"newsletter",
    ),
    "one of two": (
        tool("visitors", "Returns the number of visitors for a show or for the museum.", "day", day=DAY),
        r"number of visitors",
        r"museum",
    ),
    "a choice that is done": (
        tool(
            "shopping_list",
            "Change the shopping list.",
            "action",
            action=chosen("add", "remove"),
            quantity=WHOLE,
        ),
        r"shopping list with",
        r"new quantity|changed to",
    ),
    "an opening date": (
        tool("plan_show", "Plan a new show.", "opens_on closes_on", opens_on=DAY, closes_on=DAY),
        r"opening|closing",
        r"opens date|closes date",
    ),
    "valid from": (
        tool("issue_permit", "Issue permit", "valid_from", valid_from=DAY, valid_to=DAY),
        r"issue a permit",
        r"(?:min|max)imum valid",
    ),
    "from one hour to another": (
        tool("set_fee", "Set the fee.", "from_hour", from_hour=WHOLE | {"examples": [8, 9]}, to_hour=WHOLE),
        r"start hour",
        r"source|target",
    ),
    "in metres, per hectare": (
        tool("spray", "Record a spraying", "radius_m dose_l_per_ha", radius_m=SOME, dose_l_per_ha=SOME),
        r"\d m\b.*\w l/ha|l/ha.*\d m\b",
        r"radius m\b|per ha",
    ),
    "no minutes in a minimum": (
        tool("list_plots", "List plots", "min_area_ha", min_area_ha=SOME),
        r"area of at least [\d.]+ ha|area \w+",
        r"minutes",
    ),
    "a guest is checked in": (
        tool("checkIn", "Check guest in", "room_number", room_number=WHOLE),
        r"check in the guest",
        r"find out|what's|look up",
    ),
    "found in the kitchen": (
        tool("register", "Register lost item", "found_in", found_in=chosen("kitchen", "lounge")),
        r"found in the (?:kitchen|lounge)",
        r"the found",
    ),
    "marked as sold": (
        tool("mark_sold", "Mark a record as sold.", "sold_for", sold_for=SOME),
        r"mark a record as sold for",
        r"the sold for|with sold",
    ),
    "periods in which": (
        tool("windows", "Find periods in which work is possible, by forecast.", "site_id", site_id=TEXT),
        r"(?:find|look for) periods\b",
        r"periods in\b",
    ),
    "up to a day": (
        tool("fees", "Calculate demurrage up to a given date.", "until", until=DAY),
        r"demurrage until",
        r"demurrage up\b",
    ),
    "incl. is no end": (
        tool("get_member", "Get a member's profile incl. contact details.", "member_id", member_id=TEXT),
        r"profile",
        r"incl(?:uding)?[ .,]*(?:with|member id|$)",
    ),
    "what it does optionally": (
        tool("cordon", "Mark a node as closed and optionally drain it.", "node_id", node_id=TEXT),
        r"mark .*node .* as closed",
        r"optionally|drain",
    ),
    "half of what is traced": (
        tool("trace", "Trace a lot back to vessel, catch and landing, and on.", "lot_id", lot_id=TEXT),
        r"trace lot",
        r"back|vessel",
    ),
    "two things that it does": (
        tool("release", "Releases a case and recalculates its due date.", "case_id", case_id=TEXT),
        r"release case",
        r"recalculate",
    ),
    "one of two things that it does": (
        tool("put", "Creates or overwrites the entry of an item.", "item_id", item_id=TEXT),
        r"create the entry",
        r"overwrite",
    ),
    "a schedule is no verb at the end": (
        tool("list_burials", "Burials of a day", "date", date=DAY),
        r"burials on",
        r"burials of",
    ),
    "a flag that the tool's purpose names": (
        tool(
            "get_unit",
            "Get the live values of a unit.",
            "unit_id",
            unit_id=TEXT,
            live_values={"type": "boolean", "default": True},
        ),
        r"unit",
        r"without|not including|live values: no",
    ),
    "a search that is described as a noun": (
        tool("searchLots", "Full text search over lots in sales.", "sale_id", sale_id=TEXT),
        r"(?:search|look|find).*lots",
        r"what(?:'s| is| are) the|full text",
    ),
    "of whom": (
        tool("search_rides", "Search rides of a member.", member_id=TEXT, bike_id=TEXT),
        r"rides of member MEM-\d+",
        r"rides of a member",
    ),
    "cancelled by whom": (
        tool(
            "cancel",
            "Cancel a visit and free the slot.",
            "visit_id cancelled_by",
            visit_id=TEXT,
            cancelled_by=chosen("owner", "practice"),
        ),
        r"cancelled by: (?:owner|practice)|cancelled by (?:owner|practice) ",
        r"slot cancelled",
    ),
    "paid by": (
        tool("pay_in", "Book a fee that was paid.", "paid_by", paid_by=chosen("cash", "transfer")),
        r"paid by (?:cash|transfer)",
        r"the paid by|reserve",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_requests_read_as_people_write(kind: str) -> None:
    target, wanted, never = KINDS[kind]
    found = requests(target)
    assert re.search(wanted, found, re.IGNORECASE), found
    assert not re.search(never, found, re.IGNORECASE), found


VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "iban": (TEXT, r"[A-Z]{2}\d{20}"),
    "worker_name": (TEXT | {"description": "Who did it"}, r"\w[\w'-]+ [\w'-]+"),
    "full_name": (TEXT | {"description": "First and last name"}, r"\w[\w'-]+ [\w'-]+"),
    "episode_id": (TEXT | {"description": "The episode, e.g. ep_4821"}, r"ep_\d{4}"),
    "composer": (TEXT | {"description": "Composer's surname"}, r"[\w'-]+"),
    "country": (TEXT | {"description": "ISO 3166-1 alpha-2"}, r"[A-Z]{2}"),
    "member_no": (TEXT, r"MEM-\d+"),
    "taken_on": (TEXT | {"description": "e.g. 2024-05-17"}, r"20\d\d-\d\d-\d\d"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_of_the_kind_that_the_name_says(name: str) -> None:
    schema, pattern = VALUES[name]
    values = {
        s.label.calls[0].arguments[name]
        for s in asked(tool("log_it", "Log an entry.", name, **{name: schema}))
    }
    assert len(values) > 4 and all(re.fullmatch(pattern, str(v)) for v in values), values


def test_what_opens_closes_later() -> None:
    show = tool("plan_show", "Plan a new show.", "opens_on closes_on", opens_on=DAY, closes_on=DAY)
    for sample in asked(show):
        given = sample.label.calls[0].arguments
        assert str(given["opens_on"]) < str(given["closes_on"])


def test_an_animal_is_not_born_like_a_grandmother() -> None:
    species = chosen("dog", "cat")
    pet = tool("register", "Register a patient.", "born species", born=DAY, species=species)
    person = tool("register", "Register a patient.", "born", born=DAY)
    assert "how old" in usable([pet])[1]["register"]
    assert max(str(s.label.calls[0].arguments["born"]) for s in asked(person)) < "2010"


REFUSED: dict[str, dict[str, Any]] = {
    "a destination that is no city": {"destination": TEXT | {"description": "Ward code or 'OPD'"}},
    "a text of some length": {"query": TEXT | {"description": "Search text", "minLength": 2}},
    "a message in no sentence": {"text": TEXT | {"description": "Text of the announcement"}},
    "an example that is none": {"note": TEXT | {"description": "Anything, such as roadworks or events"}},
    "what would be liked": {"goals": TEXT | {"description": "What the guest would like to learn or improve"}},
    "a code with a meaning": {"charge_code": TEXT | {"description": "Charge code"}},
    "a number plate": {"plate": TEXT},
    "initials": {"examiner": TEXT | {"description": "Initials of the examiner"}},
    "a picture": {"photo_url": TEXT | {"description": "Link to a photo", "format": "uri"}},
    "a document": {"attachment": TEXT | {"description": "File reference"}},
    "a district of a city": {"district": TEXT | {"description": "City district"}},
    "one of two parameters": {"target": TEXT | {"description": "Either this or contract_id must be set"}},
    "an object of anything": {"extra": {"type": "object"}},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_nobody_can_know_is_not_guessed(kind: str) -> None:
    (name,) = REFUSED[kind]
    assert name in usable([tool("log_it", "Log an entry.", name, **REFUSED[kind])])[1]["log_it"]
    entry = tool("print_it", "Print an entry.", "entry_id", entry_id=TEXT, **REFUSED[kind])
    assert all(name not in c.arguments for s in asked(entry) for c in s.label.calls)


def test_a_parameter_that_some_cases_need_is_always_given_and_one_that_they_forbid_never() -> None:
    answer = tool(
        "plan_answer",
        "Plan an answer. A date is mandatory for rejections.",
        "answer_id",
        answer_id=TEXT,
        date=DAY,
        customer_name=TEXT | {"description": "Required for controlled goods"},
        phone=TEXT | {"description": "Phone number, for visitors only"},
        email=TEXT | {"description": "E-mail, not required"},
    )
    given = [set(c.arguments) for s in asked(answer, count=30) for c in s.label.calls]
    assert all({"answer_id", "date", "customer_name"} <= names and "phone" not in names for names in given)
    assert {"email" in names for names in given} == {True, False}


def test_of_two_dates_the_question_says_which_one() -> None:
    hire = tool("hire", "Book a hire.", "pick_up_date return_date", pick_up_date=DAY, return_date=DAY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rows = generate([hire], 20, seed=4, kinds=("ask",))
    assert len(rows) > 5 and all(re.search("return|pick", s.label.reply) for s in rows)
