"""Tools written along the two trees, and what is refused of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM
from scripted_agents import LEAVES, TOOLS, tool_as_asked

from looptool_kit.checks import contamination
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.trees.tools import alike, write_tools


def test_tools_are_written_along_the_trees_and_checked(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> str:
        asked.append(body)
        return json.dumps(tool_as_asked(body))

    with MockLLM(answer) as server:
        endpoint = Endpoint(base_url=server.url, model="mock")
        rows = write_tools(30, endpoint, tmp_path / "calls.sqlite", seed=1)
        assert write_tools(30, endpoint, tmp_path / "calls.sqlite", seed=1) == rows and len(asked) == len(
            rows
        )
    tools = [r.tool for r in rows if r.accepted and r.tool]
    assert len(tools) == 30 and all(c.passed for r in rows if r.accepted for c in r.checks)
    assert len({t.name for t in tools}) == 30 and len({r.spec.domain for r in rows}) >= 8
    assert not any(alike(a, b) for i, a in enumerate(tools) for b in tools[:i])
    assert {t for r in rows for t in LEAVES["types"] if r.spec.leaves["types"]["words"] == t} == set(
        LEAVES["types"]
    )


DESCRIBED = {"type": "string", "description": "It."}
Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def taking(**properties: Any) -> Change:
    """The tool with these parameters and no others."""
    return lambda tool: tool | {"parameters": {"type": "object", "properties": properties}}


BROKEN: dict[str, tuple[str, Change]] = {
    "not JSON": ("form", lambda tool: None),
    "not an object": ("schema", lambda tool: tool | {"parameters": {"type": "array"}}),
    "bad schema": ("schema", taking(a={"type": "text"})),
    "properties a list": (
        "schema",
        lambda tool: tool | {"parameters": {"type": "object", "properties": ["a"]}},
    ),
    "required unknown": (
        "schema",
        lambda tool: tool | {"parameters": tool["parameters"] | {"required": ["nothing"]}},
    ),
    "blank in the name": ("name", lambda tool: tool | {"name": "a tool"}),
    "other style": ("name", lambda tool: tool | {"name": "x" if "_" in tool["name"] else "snake_cased_name"}),
    "too many": ("constraints", taking(**dict.fromkeys("abcdefghi", DESCRIBED))),
    "silent parameter": ("constraints", taking(p={"type": "string"})),
    "benchmark name": ("contamination", lambda tool: tool),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_tool_that_breaks_a_rule_is_rejected(case: str, tmp_path: Path) -> None:
    check, change = BROKEN[case]
    (tmp_path / "benchmark").mkdir()

    def answer(body: dict[str, Any]) -> str:
        changed = change(tool_as_asked(body))
        return "no tool" if changed is None else json.dumps(changed)

    with MockLLM(answer) as server:
        endpoint = Endpoint(base_url=server.url, model="mock")
        known = None
        if case == "benchmark name":
            clean = write_tools(2, endpoint, tmp_path / "first.sqlite", seed=3)
            named = [
                {"name": r.tool.name.upper(), "description": "", "parameters": {}} for r in clean if r.tool
            ]
            (tmp_path / "benchmark" / "functions.jsonl").write_text("\n".join(map(json.dumps, named)))
            known = contamination.build([tmp_path / "benchmark"])
        rows = write_tools(2, endpoint, tmp_path / "calls.sqlite", seed=3, known=known)
    first = rows[0]
    failed = [c.name for c in first.checks if not c.passed]
    assert failed[0] == check and not first.accepted and all(c.detail for c in first.checks if not c.passed)


def test_a_near_duplicate_is_merged_into_the_first(tmp_path: Path) -> None:
    level = (
        "Tell the water level of the old canal lock, in metres, right now or at noon. Returns a record:"
        " level, trend, time of the reading, state of both gates, name of the keeper on duty, number of boats"
        " waiting above and below, and a short warning while ice or flood close the passage."
    )

    def answer(body: dict[str, Any]) -> str:
        return json.dumps(tool_as_asked(body) | {"description": level})

    with MockLLM(answer) as server:
        rows = write_tools(3, Endpoint(base_url=server.url, model="mock"), tmp_path / "calls.sqlite", seed=5)
    taken = [r.tool.name for r in rows if r.accepted and r.tool]
    merged = [r.checks[-1].detail for r in rows if not r.accepted and r.checks[-1].name == "novelty"]
    assert merged and all(m.removeprefix("merged into ") in taken for m in merged)


def twin(name: str, description: str, *properties: str) -> Tool:
    parameters = {"type": "object", "properties": {p: {"type": "string"} for p in properties}}
    return Tool(name=name, description=description, parameters=parameters)


def test_tools_about_different_things_are_not_alike() -> None:
    ids = "appointment_id", "new_start"
    visit = twin("move_vet_appointment", "Move a vet appointment to another date and time.", *ids)
    viewing = twin("move_viewing", "Move a home viewing to another date and time.", "viewing_id", "new_start")
    haircut = twin("move_hair_appointment", "Move a hair appointment to another date and time.", *ids)
    tools = [visit, viewing, haircut, *TOOLS]
    assert not any(alike(a, b) for i, a in enumerate(tools) for b in tools[:i])
    for other in (
        visit,
        twin("MoveVetAppointment", "Give a vet visit another time.", "visit"),
        twin("reschedule_vet_appointment", "Reschedule a vet appointment to another date and time.", *ids),
        twin(
            "change_vet_appointment",
            "Change a vet appointment to a new date and time.",
            "appointment_id",
            "start",
        ),
        twin("move_appointments", "Move a vet's appointment to another date and time.", *ids),
    ):
        assert alike(visit, other) and alike(other, visit), other.name
