"""Values that follow from what is said, and near misses that do not."""

from __future__ import annotations

from typing import Any

import pytest

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.text.grounding import ground


def described(words: str, **more: Any) -> dict[str, Any]:
    return {"description": words, **more}


CASES: list[tuple[str, str, dict[str, Any], Any, Any]] = [
    # request, parameter, schema, a right value, a wrong one
    ("a coil of 47 mH", "inductance", described("in henries"), 0.047, 0.47),
    ("a capacitor of 220nF", "c", described("Capacitance in farads (F)"), 2.2e-7, 2.2e-6),
    ("he is 6 ft 1 tall", "height", described("in inches"), 73, 61),
    ("she is 5'4\" tall", "height", described("Height in inches"), 64, 54),
    ("forecast for the next week", "days", described("Number of days"), 7, 5),
    ("sales of the past decade", "years", described("Years to look at"), 10, 5),
    ("interest compounded weekly", "n", described("times compounded per year"), 52, 12),
    ("integrate from 0 to 3 pi", "end", described("in radians"), 9.4248, 9.5),
    ("in 2 hours and 15 minutes", "relativeMinute", described("minutes part"), 15, 25),
    ("fewer than 8 ingredients", "limit", described("most ingredients"), 7, 6),
    ("rated above 3.5/5", "rating", described("least rating"), 3.5, 4.5),
    ("mark the third item done", "index", described("The zero-based index"), 2, 1),
    ("a loss of $750 this year", "gain", described("negative for a loss"), -750, -75),
    ("hits of '98", "year", described("Year of release"), 1998, 1989),
    ("a room for myself and two others", "guests", described("Number of guests"), 3, 4),
    ("charge them $12", "amount", described("in the smallest currency unit"), 1200, 120),
    ("a room from May 3rd to May 7th, 2024", "stay_length", described("in days"), 4, 5),
    ("show all P2 tickets", "priority", described("1 to 5"), 2, 3),
    ("on April.9, 2024", "date", described("Format: yyyy-mm-dd"), "2024-04-09", "2024-04-19"),
    ("the 9th of this april 2024", "date", {}, "2024-04-09", "2024-05-09"),
    ("next month (Oct)", "month", described("in full"), "October", "September"),
    ("a show in March 2023", "date", described("in 'mm-yyyy' format"), "03-2023", "04-2023"),
    ("sublimating ice", "phase", described("Can be 'sublimation', 'melting'"), "sublimation", "melting"),
    ("an electric car", "fuel", described("'EV' refers to electric, 'gas' to petrol"), "EV", "gas"),
    ("take me to 5 Oak Ave", "street", {}, "5 Oak Avenue", "5 Oak Road"),
    ("the social security number", "column", {}, "ssn", "ssx"),
    ("What is the mood of this review?", "language", described("Language of the text"), "English", "French"),
    ("the price of Acme Corporation on NYSE", "symbol", described("ticker symbol"), "ACME", "acme of all"),
]


@pytest.mark.parametrize(("request_", "name", "schema", "right", "wrong"), CASES, ids=[c[0] for c in CASES])
def test_what_follows_from_the_request_passes_and_a_near_miss_does_not(
    request_: str, name: str, schema: dict[str, Any], right: Any, wrong: Any
) -> None:
    found = ground(right, schema, [request_], name)
    assert found.supported >= 0.5, found.words
    missed = ground(wrong, schema, [request_], name)
    assert missed.supported < 0.5, missed.words


def test_an_amount_of_half_a_unit_is_not_a_whole_one() -> None:
    assert ground(12, described("in months"), ["a lease of half a year"], "months").supported < 0.5


def test_of_several_choices_of_a_list_none_speaks_against_another() -> None:
    schema = {"type": "array", "items": {"type": "string", "enum": ["opening_hours", "price", "address"]}}
    said = ["What are the working hours and the price of the museum?"]
    assert ground(["opening_hours", "price"], schema, said, "information").supported >= 0.5
    assert ground(["address", "price"], schema, said, "information").supported < 0.5


def test_a_default_that_the_description_names_may_have_any_form() -> None:
    schema = described("Display format like HH:MM (defaults to 'HH:MM:SS')")
    assert ground("HH:MM:SS", schema, ["What time is it?"], "format").supported >= 0.5
    assert ground("DD.MM.", schema, ["What time is it?"], "format").supported < 0.5


def test_a_written_line_break_parts_words_and_a_path_stays_whole() -> None:
    assert ground("Green logo", {}, ["Red logo.\\nGreen logo.\\nBlue logo."], "item").supported == 1
    assert ground(r"C:\new\notes", {}, [r"open C:\new\notes please"], "path").supported == 1


def test_where_weekday_and_date_of_today_disagree_nobody_can_tell_the_next_monday() -> None:
    for today, supported in (("Monday, 2023-10-02", False), ("Monday, 2023-10-01", True)):
        said = [f"Concerts on next Thursday please. Today is {today}"]
        assert (ground("2023-10-20", {}, said, "date").supported >= 0.5) is supported


def test_a_flag_that_is_on_in_one_call_may_be_off_in_the_other() -> None:
    flag = {"type": "boolean", "description": "Give the answer as a ratio"}
    tool = Tool(
        name="odds",
        description="Odds of an event.",
        parameters={"type": "object", "properties": {"event": {"type": "string"}, "as_ratio": flag}},
    )

    def alarmed(*calls: dict[str, Any]) -> bool:
        label = Label(calls=tuple(ToolCall(name="odds", arguments=a) for a in calls))
        ask = Message(role="user", content="The odds of a king, and those of an ace as a ratio.")
        sample = Sample(tools=(tool,), messages=(ask,), label=label)
        return any(c.name == "grounding" and not c.passed for c in check_sample(sample))

    king, ace = {"event": "king", "as_ratio": False}, {"event": "ace", "as_ratio": True}
    assert not alarmed(king, ace)
    assert alarmed({**ace, "as_ratio": False})
