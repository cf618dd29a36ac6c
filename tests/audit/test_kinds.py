"""Every kind finds what it is for, and right samples have no error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.audit.audit import audit, kinds, severity
from looptool_kit.audit.findings import SEVERITIES
from looptool_kit.audit.look import ACCEPTABLE
from looptool_kit.audit.merits import MAX_FALSE_ALARMS, Merit, measured, severity_of
from looptool_kit.audit.read import Row
from looptool_kit.audit.repair import repaired
from looptool_kit.augment.planting import values_of
from looptool_kit.checks.rules import call_errors
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall

ROOT = Path(__file__).parents[2]
BY_ROWS = {"unreadable", "failed_call", "leak", "shared_words"}
"""Kinds whose errors are planted in rows or against a test set; `test_command.py` has them."""
WEATHER = Tool(
    name="get_weather",
    description="The weather of a day.",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "days": {"type": "integer", "minimum": 1},
            "units": {"type": "string", "enum": ["metric", "imperial"], "default": "metric"},
            "wind_speed": {"type": "boolean"},
        },
        "required": ["city"],
    },
)


@pytest.fixture
def plants(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import audit_plants

    yield audit_plants
    sys.modules.pop("audit_plants", None)


@pytest.fixture(scope="module")
def right() -> Samples:
    return Samples(world.generate(240, seed=5))


def asked(*calls: ToolCall, said: str = "What is the weather in Rome?", **meta: object) -> Sample:
    return Sample(
        tools=(WEATHER,),
        messages=(Message(role="user", content=said),),
        label=Label(calls=calls),
        meta=meta,  # type: ignore[arg-type]
    )


def call(**arguments: object) -> ToolCall:
    return ToolCall(name="get_weather", arguments=arguments)  # type: ignore[arg-type]


def found(*samples: Sample) -> set[str]:
    return {f.kind for f in audit(Samples(samples), progress=False).findings}


def test_every_kind_has_words_a_harm_and_a_planted_error(plants: ModuleType) -> None:
    assert {*plants.PLANTS, *BY_ROWS} == set(kinds())
    for name, kind in kinds().items():
        assert kind.WORDS.endswith(".") and kind.HARM in SEVERITIES
        assert name == "unreadable" or hasattr(kind, "look") != hasattr(kind, "across")


def test_right_samples_have_no_error(right: Samples) -> None:
    assert [f for f in audit(right, progress=False).findings if f.severity == "error"] == []


@pytest.mark.parametrize("kind", sorted(set(kinds()) - BY_ROWS))
def test_a_planted_error_is_found_and_its_place_is_there(
    kind: str, plants: ModuleType, right: Samples
) -> None:
    values, rng, planted = values_of(right), Random(kind), 0
    for sample in right:
        made = plants.PLANTS[kind](sample, rng, values)
        if not made or planted == 4:
            continue
        *_, wrong = made
        of_kind = [f for f in audit(Samples(made), progress=False).findings if f.kind == kind]
        if kind in ("grounding", "truncated"):  # found by sign: not always
            planted += bool(of_kind)
            continue
        planted += 1
        assert of_kind and all(f.severity == severity(kind) for f in of_kind)
        for finding in of_kind:
            assert finding.reason and _at(wrong if finding.row == len(made) else made[0], finding.place)
    assert planted == 4


def _at(sample: Sample, place: str) -> bool:
    """Whether a JSON pointer leads to something in the sample, or to a key that is missing there."""
    node: object = sample.model_dump(mode="json")
    parts = place.split("/")[1:]
    for depth, part in enumerate(parts):
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return depth == len(parts) - 1
    return True


def test_an_error_is_only_what_was_measured_to_be_one() -> None:
    assert severity_of({"a": Merit(20, 20, 1000, 20)}, "error") == "warning"  # .84 of its findings are right
    assert severity_of({"a": Merit(20, 20, 1000, 0)}, "error") == "error"
    assert severity_of({"a": Merit(20, 20, 1000, 0), "b": Merit(5, 5, 1000, 21)}, "error") == "warning"
    assert severity_of({"a": Merit(20, 20, 1000, 0)}, "note") == "note"
    assert severity_of({"a": Merit(0, 0, 1000, 0)}, "error") == severity_of({}, "error") == "note"
    assert severity_of({"a": Merit(20, 12, 1000, 200)}, "error") == "note"
    for kind, of in measured().items():
        if kind == "any error" or severity(kind) == "error":
            assert all(m.false_rate[0] <= MAX_FALSE_ALARMS for m in of.values()), kind
    assert severity("grounding") != "error" and severity("type") == "error"


# ------------------------------------------------------------------ one by one


@pytest.mark.parametrize(
    ("label", "kind", "repair"),
    [
        (call(city="Rome", days="3"), "type", call(city="Rome", days=3)),
        (call(city=["Rome"]), "type", None),
        (call(city="Rome", wind_speed="yes"), "type", None),
        (call(city="Rome", wind_speed="True"), "type", call(city="Rome", wind_speed=True)),
        (call(city="Rome", units="Metric"), "enum", call(city="Rome", units="metric")),
        (call(city="Rome", units="SI"), "enum", None),
        (call(city="Rome", date="2026/12/01"), "format", None),
        (call(city="Rome", date=" 2026-12-01 "), "format", call(city="Rome", date="2026-12-01")),
        (call(city="Rome", days=0), "format", None),
        (call(days=1), "missing_parameter", None),
        (
            call(city="Rome", windSpeed=True),
            "foreign_parameter",
            call(city="Rome", wind_speed=True),
        ),
        (call(city="Rome", mood="good"), "foreign_parameter", call(city="Rome")),
        (call(citys="Rome", days=2), "foreign_parameter", call(days=2, city="Rome")),
        (call(place="Rome"), "foreign_parameter", None),
        (call(city="Rome", days=None), "null_value", call(city="Rome")),
        (call(city=None), "null_value", None),
        (ToolCall(name="getWeather", arguments={}), "unknown_tool", None),
        (
            ToolCall(name="get.weather", arguments={"city": "Rome"}),
            "unknown_tool",
            call(city="Rome"),
        ),
    ],
)
def test_what_breaks_a_schema_is_told_by_its_kind(
    label: ToolCall, kind: str, repair: ToolCall | None
) -> None:
    sample = asked(label, said="The weather in Rome, please: 3 days from 2026-12-01, imperial or metric.")
    of_kind = [f for f in audit(Samples([sample]), progress=False).findings if f.kind == kind]
    if label.name == "getWeather":
        assert of_kind[0].repair is not None  # the same letters: the name is put right, the rest is told next
        return
    assert [f.repair for f in of_kind] == [Label(calls=(repair,)) if repair else None]
    if repair:
        assert call_errors(repair, sample.tools) == []


def test_an_object_that_describes_nothing_takes_everything() -> None:
    data = {"type": "object", "properties": {}}
    tool = Tool(name="post", parameters={"type": "object", "properties": {"data": data}})

    def posted(**arguments: object) -> Sample:
        label = Label(calls=(ToolCall(name="post", arguments=arguments),))  # type: ignore[arg-type]
        return asked(said="Post a 1").model_copy(update={"tools": (tool,), "label": label})

    assert "foreign_parameter" not in found(posted(data={"a": 1}))
    assert "foreign_parameter" in found(posted(data={}, more=1))


def test_repairs_of_one_label_follow_each_other() -> None:
    wrong = asked(call(city="Rome", days="3", units="METRIC", mood="good"))
    done = repaired(wrong, ("type", "enum", "foreign_parameter"))
    assert done.label == Label(calls=(call(city="Rome", days=3, units="metric"),))
    assert done.parent == wrong.id and done.source == "audit" and done.strategy.startswith("audit.")
    about: Any = done.meta["audit"]
    assert about["before"] == wrong.label.model_dump(mode="json")
    assert {r["kind"] for r in about["repairs"]} == {"type", "enum", "foreign_parameter"}
    assert repaired(wrong, ("enum",)).label.calls[0].arguments["days"] == "3"
    assert repaired(asked(call(city="Rome")), ("type",)) == asked(call(city="Rome"))


def test_an_enum_of_examples_is_the_schema_s_fault() -> None:
    described = "What to do. Examples: 'heat the hall', 'cool the attic'."
    choices = ["heat the hall", "cool the attic"]

    def with_enum(description: str) -> Sample:
        part = {"type": "string", "enum": choices, "description": description}
        tool = Tool(name="do", parameters={"type": "object", "properties": {"what": part}})
        label = Label(calls=(ToolCall(name="do", arguments={"what": "light the attic"}),))
        sample = asked(said="Light the attic")
        return sample.model_copy(update={"tools": (tool,), "label": label})

    assert "odd_enum" in found(with_enum(described)) and "enum" not in found(with_enum(described))
    chosen = f"One of the options. {described}"
    assert "enum" in found(with_enum(chosen)) and "odd_enum" not in found(with_enum(chosen))


def test_twins_contradict_each_other_only_where_they_say_different_things() -> None:
    rome, oslo = asked(call(city="Rome")), asked(call(city="Oslo"))
    assert "contradiction" in found(rome, oslo)
    assert "contradiction" in found(rome, rome.model_copy(update={"label": Label(reply="I cannot.")}))
    assert "contradiction" not in found(rome, asked(call(city="Rome", units="metric")))  # the default
    assert "contradiction" not in found(rome, asked(call(city="Oslo"), said="What is the weather in Oslo?"))
    spoken = [rome.model_copy(update={"label": Label(reply=text)}) for text in ("No.", "I cannot do that.")]
    assert "contradiction" not in found(*spoken)


def test_a_label_its_own_answers_refuse_gets_one_that_they_accept() -> None:
    accepted = [{"get_weather": {"city": ["Rome"], "units": ["metric", ""]}}]
    sample = asked(call(city="Oslo"), **{ACCEPTABLE: accepted})
    (finding,) = [f for f in audit(Samples([sample]), progress=False).findings if f.kind == "refused"]
    assert finding.repair == Label(calls=(call(city="Rome", units="metric"),))
    assert "refused" not in found(asked(call(city="Rome"), **{ACCEPTABLE: accepted}))
    dotted = WEATHER.model_copy(update={"name": "get.weather"})
    under_dots = Label(calls=(call(city="Rome").model_copy(update={"name": "get.weather"}),))
    for name in ("get.weather", "get_weather"):
        sample = asked(**{ACCEPTABLE: [{name: {"city": ["Rome"]}}]})
        assert "refused" not in found(sample.model_copy(update={"tools": (dotted,), "label": under_dots}))
        wrong = Label(calls=(call(city="Oslo").model_copy(update={"name": "get.weather"}),))
        sample = sample.model_copy(update={"tools": (dotted,), "label": wrong})
        (finding,) = [f for f in audit(Samples([sample]), progress=False).findings if f.kind == "refused"]
        assert finding.repair == under_dots, "a proposal calls tools by the names that are on offer"
    for odd in ("x", [1], [{}], [{"get_weather": 1}], [{"get_weather": {"city": "Rome"}}], {"a": 1}):
        assert "refused" in found(asked(call(city="Rome"), **{ACCEPTABLE: odd}))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"city": ["Rome", "Oslo"]}, {"city": ["Oslo"]}, True),
        ({"city": ["Rome"], "days": [1, ""]}, {"city": ["Rome"], "days": [2, ""]}, True),
        ({"city": ["Rome"], "days": [1, ""]}, {"city": ["Rome"]}, True),
        ({"city": ["Rome"], "days": [1]}, {"city": ["Rome"], "days": [2]}, False),
        ({"city": ["Rome"]}, {"city": ["Rome"]}, False),  # the same thing is asked for twice
    ],
)
def test_one_call_accepted_for_two_that_differ(first: object, second: object, same: bool) -> None:
    answers = [{"get_weather": first}, {"get_weather": second}]
    sample = asked(call(city="Rome", days=1), call(city="Rome", days=2), **{ACCEPTABLE: answers})
    assert ("shared_call" in found(sample)) == same


def test_code_ends_in_a_semicolon_and_a_sentence_does_not_end_in_an_article() -> None:
    def said(reply: str) -> Sample:
        return asked().model_copy(update={"label": Label(reply=reply)})

    assert "truncated" not in found(said("Like this:\n\ndisp(total);"))
    assert "truncated" in found(said("To get there, first take the"))


def test_turns_of_one_row_do_not_repeat_each_other() -> None:
    words = "Tell me what the weather in Rome is like on this fine day, since I am going for a walk"
    first, second = (asked(call(city="Rome"), said=f"{words} {end}") for end in ("", "now"))
    assert "near_duplicate" in {f.kind for f in audit([Row(1, first), Row(2, second)]).findings}
    assert "near_duplicate" not in {f.kind for f in audit([Row(1, first), Row(1, second)]).findings}
