"""Grounding: which values a dialogue supports."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.core.samples import Label, Message, Sample
from looptool_kit.text.grounding import ground

TODAY = "Today is Monday, 2026-11-23."
_plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_values = st.recursive(
    _plain, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3), max_leaves=5
)


def sample(request: str) -> Sample:
    messages = (Message(role="system", content=TODAY), Message(role="user", content=request))
    return Sample(tools=(), messages=messages, label=Label(reply="Yes."))


@pytest.mark.parametrize(
    ("text", "name", "value", "supported"),
    [
        ("a table for six", "guests", 6, True),
        ("half a dozen eggs", "count", 6, True),
        ("a couple of tickets", "count", 2, True),
        ("a hundred and fifty chairs", "count", 150, True),
        ("1.5k followers", "count", 1500, True),
        ("two and a half kilos", "weight", 2.5, True),
        ("for an hour and a half", "minutes", 90, True),
        ("for an hour and a half", "minutes", 80, False),
        ("for 2 hours", "duration_hours", 2, True),
        ("for 2 hours", "minutes", 2, False),
        ("three nights", "nights", 3, True),
        ("under $1,500", "budget", 1500, True),
        ("a 15% tip", "tip_percent", 15, True),
        ("a 15% tip", "tip", 0.15, True),
        ("room 12", "room", 13, False),
        ("tomorrow", "date", "2026-11-24", True),
        ("tomorrow", "date", "2026-11-25", False),
        ("this Friday", "date", "2026-11-27", True),
        ("next Friday", "date", "2026-12-04", True),
        ("in three days", "date", "2026-11-26", True),
        ("on December 4th", "date", "2026-12-04", True),
        ("on the 4th of December", "date", "2026-12-04", True),
        ("on the 4th of December", "date", "2026-12-05", False),
        ("on 4/12", "date", "2026-12-04", True),
        ("a week from today", "date", "2026-11-30", True),
        ("at 08:30 on Tuesday", "date", "2026-11-24", True),
        ("leave out those, excluding the shared", "include_shared", False, True),
        ("at 6.09% interest", "rate", 6.09, True),
        ("7:30 pm", "loan_id", "19:30", False),
        ("at 5.42% over 30 years", "rate", 5.42, True),
        ("at 5.42% over 30 years", "rate", 5.4, False),
        ("at 19:20 on Monday, November 30", "start", "2026-11-30T19:20", True),
        ("under $340 on Thursday, December 3", "date", "2026-12-03", True),
        ("at 10:00 on Friday, January 29", "start", "2027-01-29T10:00", True),
        ("at 10:00 on Friday, January 29", "date", "2026-11-27", False),
        ("fly on December 3 and return on December 9", "return_date", "2026-12-09", True),
        ("fly on December 3 and return on December 9", "return_date", "2026-12-05", False),
        ("leaving out the shared ones", "include_shared", False, True),
        ("leave the shared ones out", "include_shared", True, False),
        ("with reminders switched off", "reminders", False, True),
        ("do not wait and notify everyone", "notify", True, True),
        ("I have no time. Notify everyone", "notify", True, True),
        ("without pets and kids", "kids", False, True),
        ("from December 4 to 7", "until", "2026-12-07", True),
        ("at half past six in the evening", "time", "18:30", True),
        ("at half past six in the evening", "time", "06:30", False),
        ("6:30 pm", "time", "18:30", True),
        ("at noon", "time", "12:00", True),
        ("tomorrow at 6:30 pm", "start", "2026-11-24T18:30", True),
        ("tomorrow at 6:30 pm", "start", "2026-11-24T19:30", False),
        ("at chez louis", "restaurant", "Chez Louis", True),
        ("at Anna's Kitchen", "restaurant", "Anna's Kitchen", True),
        ("fly to Copenhagen", "city", "Copenhagn", False),
        ("add tomatoes and basil", "items", ["tomato", "basil"], True),
        ("add tomatoes and basil", "items", ["tomato", "thyme"], False),
        ("mail bob@x.com", "to", "bob@x.com", True),
        ("mail bob@x.com", "to", "rob@x.com", False),
        ("order AB-1234", "order_id", "AB-1234", True),
        ("order AB-1234", "order_id", "AB-1235", False),
        ("without pets", "pets", False, True),
        ("without pets", "pets", True, False),
        ("bring my pets", "pets", True, True),
        ("one way please", "return_date", None, True),
        ("2 x Pho and 3 x Ramen", "items", [{"dish": "Pho", "quantity": 2}], True),
        ("2 x Pho and 3 x Ramen", "items", [{"dish": "Pho", "quantity": 4}], False),
        ("Paris", "city", "", False),
    ],
)
def test_grounding(text: str, name: str, value: Any, supported: bool) -> None:
    assert (ground(value, {}, sample(text), name).supported >= 0.5) is supported


def test_grounding_by_the_schema_and_by_synonyms() -> None:
    units = {"enum": ["celsius", "fahrenheit"]}
    assert ground("celsius", units, ["how warm is it in °C"], "unit").supported >= 0.9
    assert ground("fahrenheit", units, ["how warm is it in celsius"], "unit").supported < 0.5
    assert ground(7, {"default": 7}, ["hello"], "n").by_schema
    assert ground("x", {"const": "x"}, ["hello"], "n").supported == 1.0
    assert ground(7, {}, ["hello"], "n").supported == 0.0


@pytest.mark.parametrize("name", ["birthdate", "birth_date", "birthday", "startTime", "dates_of_person"])
def test_a_parameter_named_for_a_date_takes_one_whatever_it_is_of(name: str) -> None:
    of_person = {"type": "string", "description": "Of the person with this name."}
    said = sample("I was born on 1990-05-15.")
    assert ground("1990-05-15", of_person, said, name).supported >= 0.9
    assert ground("1990-05-15", of_person, said, "candidate").supported < 0.5
    assert ground("1990-05-15", of_person, said, "person").supported < 0.5


RHYTHM = {"enum": ["weekly", "biweekly", "monthly", "quarterly"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("every two weeks", "biweekly"),
        ("every other week", "biweekly"),
        ("every week", "weekly"),
        ("once a month", "monthly"),
        ("every three months", "quarterly"),
    ],
)
def test_a_reworded_choice_is_the_one_it_names(text: str, value: str) -> None:
    scores = {o: ground(o, RHYTHM, [f"pay 50 dollars {text}"], "frequency").supported for o in RHYTHM["enum"]}
    assert [o for o, score in scores.items() if score >= 0.5] == [value], scores


def test_a_bare_clock_is_read_as_it_stands() -> None:
    said = sample("at 10:00 please")
    assert ground("10:00", {}, said, "time").supported > ground("22:00", {}, said, "time").supported >= 0.5


def test_today_supports_no_date_that_nobody_asked_for() -> None:
    assert ground(23, {}, sample("hello"), "n").supported == 0.0
    assert ground("2026-11-23", {}, sample("hello"), "date").supported == 0.5
    assert ground("2026-11-23", {}, sample("what is on today?"), "date").supported == 1.0


@settings(max_examples=300)
@given(st.text(max_size=80), _values)
def test_support_stays_in_range(text: str, value: Any) -> None:
    assert 0.0 <= ground(value, {}, [text], "x").supported <= 1.0


@pytest.mark.parametrize(
    ("text", "name", "value", "supported"),
    [
        ("把这句法语翻译成英语", "source_language", "fr", True),
        ("把这句法语翻译成英语", "target_language", "en", True),
        ("把这句法语翻译成英语", "target_language", "French", True),
        ("把这句法语翻译成英语", "source_language", "de", False),
        ("traduis ce texte en italien", "target_language", "it", True),
        ("traduis ce texte en italien", "target_language", "no", False),
        ("Übersetze das auf Portugiesisch", "lang", "pt-BR", True),
        ("Übersetze das auf Portugiesisch", "lang", "nl", False),
        ("请将500美元转换成欧元", "from_currency", "USD", True),
        ("请将500美元转换成欧元", "to_currency", "EUR", True),
        ("请将500美元转换成欧元", "to_currency", "JPY", False),
        ("pogoda w kraju: Niemcy", "country", "DE", True),
        ("pogoda w kraju: Niemcy", "country", "Germany", True),
        ("pogoda w kraju: Niemcy", "country", "FR", False),
        # only where the parameter speaks of such a thing
        ("把这句法语翻译成英语", "title", "French", False),
        ("贷款金额为20万美元", "amount", 200_000, True),
        ("贷款金额为20万美元", "amount", 2_000_000, False),
        ("人口1.4亿", "people", 140_000_000, True),
    ],
)
def test_languages_currencies_and_countries_are_said_by_their_names_in_other_languages(
    text: str, name: str, value: Any, supported: bool
) -> None:
    kind = "string" if isinstance(value, str) else "number"
    assert (ground(value, {"type": kind}, sample(text), name).supported >= 0.5) == supported
