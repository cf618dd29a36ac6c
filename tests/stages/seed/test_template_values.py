"""Values of templates: those that a person would give, within what a description states."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from template_draws import drawn, tool
from typer.testing import CliRunner

import looptool_kit as lt
from looptool_kit.cli import app
from looptool_kit.core.samples import Samples
from looptool_kit.stages.seed.templates.stated import limits_of_number, limits_of_text


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("How many tugs are needed, 0 to 4", {"minimum": 0, "maximum": 4}),
        ("From 1 (minor) to 5 (severe)", {"minimum": 1, "maximum": 5}),
        ("Amount, between 50 and 20000", {"minimum": 50, "maximum": 20000}),
        ("max results (1-50)", {"minimum": 1, "maximum": 50}),
        ("The default is 1000. The maximum is 5000.", {"maximum": 5000}),
        ("A share from 0.1 to 2.5", {"minimum": 0.1, "maximum": 2.5}),
        ("Must be greater than 0", {"exclusiveMinimum": 0}),
        ("At least 5, in steps of 5", {"minimum": 5, "multipleOf": 5}),
        ("From 2024-01-01 to 2024-02-01", {}),
        ("Between 10:00 and 12:00", {}),
        ("The year, from 1990", {}),
    ],
)
def test_ranges_in_descriptions_are_read(text: str, limits: dict[str, Any]) -> None:
    assert limits_of_number(text) == limits


def test_lengths_and_digits_in_descriptions_are_read() -> None:
    assert limits_of_text("IMO number, seven digits") == {"pattern": "^[1-9][0-9]{6}$"}
    assert limits_of_text("A letter and two digits") == {"pattern": "^[A-Z]{1}[0-9]{2}$"}
    assert limits_of_text("up to 64 characters") == {"maxLength": 64}
    assert limits_of_text("at most 8 digits") == {}
    assert re.fullmatch(limits_of_text("must end in `pstn.example.com`")["pattern"], "abcd.pstn.example.com")


HARBOUR = tool(
    "book_berth", "Book a berth for a given arrival.", None,
    vessel_id="ID of the vessel", berth="Berth code, e.g. B107", arrival="Arrival as an ISO 8601 date-time",
    tugs={"type": "integer", "description": "How many tugs are needed, 0 to 4"},
    phone="Phone of the agent, in E.164 format", share={"type": "number", "description": "0-100"},
)  # fmt: skip


@pytest.mark.parametrize("split", ["train", "unseen_values"])
def test_what_a_description_states_of_a_value_holds(split: str) -> None:
    calls = [c.arguments for s in drawn([HARBOUR], 40, kinds=["single"], split=split) for c in s.label.calls]
    assert len(calls) >= 20
    for given in calls:
        assert re.fullmatch(r"[A-Z]\d\d\d", given["berth"]) and 0 <= given["tugs"] <= 4
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", given["arrival"])
        assert re.fullmatch(r"\+\d{8,15}", given["phone"]) and 0 <= given["share"] <= 100


MINED = [
    tool(
        "archive_card", "Archive a card", 1, card_id="The card's number",
        column_id={
            "type": ["string", "null"],
            "description": "A column. The card goes last unless given with `before: null` or `after: null`.",
        },
    ),
    tool("create_box", "Create a new box", 1, box_id="The box",
         friendly_name="By default `Box made at {YYYY-MM-DD HH:MM}`"),
    tool("open_door", "Open a door", door="Either `null` or a name such as {name} or <door>"),
]  # fmt: skip


def test_values_are_never_mined_from_prose() -> None:
    texts = [str(v) for s in drawn(MINED, 60) for c in s.label.calls for v in c.arguments.values()]
    assert texts and not any(re.search(r"null|[{}<>:]|YYYY", t) for t in texts)


def test_an_optional_flag_is_said_only_where_its_name_is_a_clause_and_it_changes_something() -> None:
    force, bell = {"type": "boolean"}, {"type": "boolean", "default": True}
    gate = tool(
        "close_gate", "Close a gate", 1, gate_id="", force=force, notify_guard=force, alert_police=bell
    )
    given = [c.arguments for s in drawn([gate], 40, kinds=["single"]) for c in s.label.calls]
    assert not any("force" in a for a in given)
    assert {a["notify_guard"] for a in given if "notify_guard" in a} == {True}
    assert {a["alert_police"] for a in given if "alert_police" in a} == {False}


def test_a_usable_tool_without_a_sample_is_named_with_its_reason(tmp_path: Path) -> None:
    rows = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in MINED[:2]]
    (tmp_path / "tools.json").write_text(json.dumps(rows))
    run = tmp_path / "run"
    small = ["seeds.first=12", "seeds.fresh=[4]", "seeds.held_out=2"]
    sets = [part for s in small for part in ("--set", s)]
    made = CliRunner().invoke(app, ["init", str(run), "--tools", str(tmp_path / "tools.json"), *sets])
    assert made.exit_code == 0, made.output
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        lt.seed(lt.Run.open(run))
    called = {c.name for s in lt.Run.open(run).table(Samples, "pool", 0) for c in s.label.calls}
    named = (run / "rejected.jsonl").read_text() if (run / "rejected.jsonl").exists() else ""
    for tool_ in MINED[:2]:
        assert tool_.name in called or (tool_.name in named and tool_.name in made.output)


def test_numbers_and_days_are_those_that_people_have() -> None:
    """A range of the tool's only number, what somebody earns, an arrival before the departure."""
    day = {"type": "string", "format": "date"}
    tools = [
        tool(
            "set_weekly_goal",
            "Set how many sessions you want to do a week (1 to 14)",
            sessions={"type": "integer"},
        ),
        tool(
            "hire_employee",
            "Add a new employee.",
            full_name="Full name",
            salary={"type": "integer", "description": "Yearly salary in euros, e.g. 42000 or 51500"},
        ),
        tool("find_rooms", "Find free rooms.", arrival=day, departure=day),
    ]
    rows = drawn(tools, 60, kinds=["single", "choice"])
    calls = [(c, s) for s in rows for c in s.label.calls]
    assert {c.name for c, _ in calls} == {t.name for t in tools}
    for c, s in calls:
        assert "how many" not in s.request, s.request
        assert 1 <= c.arguments.get("sessions", 1) <= 14 and c.arguments.get("salary", 28_000) >= 28_000
        assert c.arguments.get("arrival", "0") <= c.arguments.get("departure", "1"), s.request
