"""Requests in words that a person would use: one case for each kind of fault that readings found."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.stages.seed.templates import generate

TEXT, WHOLE, DAY = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date"}


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
        tool("recordPayment", "Record payment", "amount", amount={"type": "number"}),
        r"record a payment",
        r"record payment",
    ),
    "a verb of its own": (
        tool("prescribe", "Prescribe medication", "drug", drug=TEXT),
        r"prescribe",
        r"the prescribe",
    ),
    "at most four, not an ads of four": (
        tool("set_break", "Configure an ad slot.", "max_ads", max_ads={"type": "integer", "maximum": 4}),
        r"maximum ads: [0-4]",
        r"an? ads|maximum of",
    ),
    "a link is not left alone": (
        tool(
            "invite",
            "Sends an invitation to a guest with a link to the remote recording studio.",
            "email recording_time",
            email=TEXT | {"format": "email"},
            recording_time=TEXT | {"format": "date-time"},
        ),
        r"send an invitation",
        r"with a link (?:with|for|under)",
    ),
    "what is taken stands in the place of something": (
        tool("take", "Take something out of the pantry.", "item", item=TEXT),
        r"take .+ out of the pantry",
        r"something",
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
        tool("rate", "Rate a recipe you cooked.", "stars", stars={"type": "integer", "maximum": 5}),
        r"I cooked",
        r"you cooked",
    ),
    "which ones": (
        tool(
            "expiring", "Pantry items that expire soon.", "days", days=WHOLE | {"description": "days ahead"}
        ),
        r"items that expire soon (?:with)?in the next",
        r"for \w+ days",
    ),
    "which ones, with a place": (
        tool("list_failed", "Lists the tests that failed in a build, with messages.", "suite", suite=TEXT),
        r"tests that failed in a build",
        r"tests with",
    ),
    "a duration in one unit": (
        tool("start_timer", "Start a timer.", "minutes", minutes=WHOLE, seconds=WHOLE),
        r"for \w+ minutes",
        r"second",
    ),
    "one thing that it does": (
        tool("announce", "Make a show visible on the website and send the newsletter.", "title", title=TEXT),
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
        tool("create_show", "Create a new show.", "opens_on closes_on", opens_on=DAY, closes_on=DAY),
        r"opening|closing",
        r"opens date|closes date",
    ),
    "valid from": (
        tool("issue", "Issue permit", "valid_from", valid_from=DAY, valid_to=DAY),
        r"issue a permit",
        r"(?:min|max)imum valid",
    ),
    "from one hour to another": (
        tool("set_fee", "Set the fee.", "from_hour", from_hour=WHOLE, to_hour=WHOLE),
        r"start hour",
        r"source|target",
    ),
    "in metres, per hectare": (
        tool("spray", "Record a spraying", "radius_m dose_l_per_ha", radius_m=WHOLE, dose_l_per_ha=WHOLE),
        r"\d m\b.*\w l/ha|l/ha.*\d m\b",
        r"radius m\b|per ha",
    ),
    "no minutes in a minimum": (
        tool("plots", "List plots", "min_area_ha", min_area_ha={"type": "number", "minimum": 1}),
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
        tool("mark_sold", "Mark a record as sold.", "sold_for", sold_for={"type": "number"}),
        r"mark a record as sold for",
        r"the sold for|with sold",
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
    "drug": (TEXT, r"[a-z]+"),
    "plate": (TEXT, r"[A-Z]{2}-\d{3}-[A-Z]{2}"),
    "iban": (TEXT, r"[A-Z]{2}\d{20}"),
    "worker": (TEXT, r"\w[\w'-]+ [\w'-]+"),
    "episode_id": (TEXT | {"description": "The episode, e.g. ep_4821"}, r"ep_\d{4}"),
    "machine": (TEXT | {"description": 'which one, e.g. "treadmill 4"'}, r"treadmill \d"),
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
    show = tool("create_show", "Create a new show.", "opens_on closes_on", opens_on=DAY, closes_on=DAY)
    for sample in asked(show):
        given = sample.label.calls[0].arguments
        assert str(given["opens_on"]) < str(given["closes_on"])


def test_an_animal_is_not_born_like_a_grandmother() -> None:
    species = chosen("dog", "cat")
    pet = tool("register", "Register a patient.", "born species", born=DAY, species=species)
    person = tool("register", "Register a patient.", "born", born=DAY)
    animals, people = ([str(s.label.calls[0].arguments["born"]) for s in asked(t)] for t in (pet, person))
    assert min(animals) > "2010" > min(people)
