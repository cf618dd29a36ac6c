"""Recognising what a text mentions."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.text.mentions import Kind, Readings
from looptool_kit.text.recognise import recognise, today_in

TODAY = date(2026, 11, 23)
"""A Monday."""


@settings(max_examples=300)
@given(st.text(max_size=80))
def test_a_mention_stands_where_it_says_and_has_a_reading(text: str) -> None:
    for m in recognise(text, TODAY):
        assert text[m.start : m.end] == m.text and m.readings


@settings(max_examples=200)
@given(st.dates(date(2026, 11, 24), date(2027, 9, 1)))
def test_written_dates_are_read_back(day: date) -> None:
    for said in (
        f"{day:%B} {day.day}",
        f"{day.day} {day:%b}",
        f"{day:%A}, {day:%B} {day.day}",
        day.isoformat(),
    ):
        (mention,) = recognise(f"on {said} please", TODAY)
        assert mention.readings[0] == day.isoformat()


@pytest.mark.parametrize(
    ("text", "kind", "readings"),
    [
        ("a hundred and fifty", "number", (150.0,)),
        ("minus 5", "number", (-5.0,)),
        ("20%", "number", (20.0, 0.2)),
        ("an hour and a half", "duration", (5400.0,)),
        ("2h30", "duration", (9000.0,)),
        ("a fortnight", "duration", (1209600.0,)),
        ("last Friday", "date", ("2026-11-20", "2026-11-13")),
        ("next Friday", "date", ("2026-12-04", "2026-11-27")),
        ("Friday week", "date", ("2026-12-04",)),
        ("the 31st", "date", ("2026-12-31", "2027-01-31")),
        ("04.12.2026", "date", ("2026-12-04",)),
        ("February 30", "number", (30.0,)),
        ("half past six in the evening", "time", ("18:30",)),
        ("quarter to nine", "time", ("08:45", "20:45")),
        ("06:30", "time", ("06:30",)),
        ("PL-32615", "code", ("PL-32615",)),
        ("3kg", "number", (3.0,)),
        ("boil 1/2 liter of water", "number", (0.5,)),
        ("2 1/2 cups", "number", (2.5,)),
        ("3/4 of the class", "number", (0.75,)),
        ("on 3/4 we meet", "date", ("2027-03-04", "2027-04-03")),
        ("1,82m tall", "number", (1.82, 1.0, 82.0)),
        ("€3,50", "number", (3.5, 3.0, 50.0)),
        ("12,5%", "number", (12.5, 0.125)),
        ("1,250 kg", "number", (1250.0,)),
        ("rooms 3,5", "number", (3.0,)),
        ("“Road Trip”", "quote", ("road trip",)),
    ],
)
def test_readings_the_likeliest_first(text: str, kind: Kind, readings: Readings) -> None:
    mention = next(m for m in recognise(text, TODAY) if m.kind == kind)
    assert mention.readings == readings


def test_without_today_a_relative_day_is_unknown() -> None:
    assert [m.readings for m in recognise("tomorrow or Friday")] == [("?",), ("?",)]
    assert recognise("December 4")[0].readings == ("-12-04",)


def test_what_day_it_is() -> None:
    assert today_in("You help. Today is Monday, 2026-11-23.") == (TODAY, 10, 37)
    assert today_in("Today is a good day to leave on 2026-11-23.") is None
