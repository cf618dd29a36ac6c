"""The tools and types of the procedural world."""

from __future__ import annotations

import json
from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from looptool_kit import world
from looptool_kit.core.samples import Label
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world import core, show, spec, types

SPECS = spec.specs()


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


def test_phrases_hold_their_slots() -> None:
    for s in SPECS.values():
        for phrase in (*s.do, *s.ask, *s.need):
            assert spec.slots(phrase) <= set(s.by_name), (s.name, phrase)
        assert canonical(s.tool.parameters)
    assert isinstance(Label(), Label)
