"""Tools along the trees and simulated dialogues, against the scripted mock server (LoopTool section 3.1;
ToolACE section 2).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM

import looptool_kit as lt
from looptool_kit.checks import contamination
from looptool_kit.checks.rules import passes
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.core.tables import write_json
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.llm.client import Endpoint
from looptool_kit.run.folder import Run, RunError
from looptool_kit.stages.seed.trees.complexity import Band, estimate_band, loss
from looptool_kit.stages.seed.trees.dialogue import Turns
from looptool_kit.stages.seed.trees.synthesis import synthesise
from looptool_kit.stages.seed.trees.tools import WrittenTools, alike, write_tools
from looptool_kit.tools.of_run import init

NOUNS = ("desk", "boat", "kiln", "studio", "tractor", "costume", "telescope", "allotment", "trailer", "organ")
TOOLS = [
    Tool(
        name=f"reserve_{noun}",
        description=f"Reserve a {noun} at a place, for a party.",
        parameters={
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where."},
                "party": {"type": "integer", "description": "How many people."},
            },
            "required": ["place", "party"],
        },
    )
    for noun in NOUNS
]
MODES = ("fine", "third", "masked", "rule", "judge", "plan", "user", "result", "later", "talk")
PLACES = (
    "Elmfield",
    "Norrgatan",
    "Kilimani",
    "Vinohrady",
    "Takapuna",
    "Ollantay",
    "Quillota",
    "Kerikeri",
    "Sandefjord",
    "Benidorm",
)


def wants(body: dict[str, Any]) -> set[str]:
    return set(body["response_format"]["json_schema"]["schema"]["properties"])


def part(body: dict[str, Any], title: str) -> Any:
    text = body["messages"][-1]["content"]
    return json.JSONDecoder().raw_decode(text, text.index(f"## {title}\n") + len(f"## {title}\n"))[0]


class Agents:
    """Plays planner, user, assistant, tool and judge. The day of a dialogue decides what goes wrong in it."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> str:
        form = wants(body)
        said = part(body, "Dialogue so far")
        day = date.fromisoformat(re.search(r"\d{4}-\d\d-\d\d", said[0]["content"])[0]).toordinal()  # type: ignore[index]
        mode = MODES[day % len(MODES)]
        if "turns" in form:
            if mode == "plan":
                return "{}"
            tool = part(body, "Tools on offer")[0]["name"]
            return json.dumps(
                {
                    "user": "a carpenter",
                    "goal": tool,
                    "values": [PLACES[day % 7], str(20 + day % 61)],
                    "turns": ["one", "two"],
                }
            )
        if "done" in form:
            if mode == "user":
                return "[]"
            plan = part(body, "You")
            noun, (place, party) = plan["goal"].removeprefix("reserve_"), plan["values"]
            if any(m["role"] == "assistant" for m in said):
                if mode != "later":
                    return json.dumps({"message": "", "done": True})
                return json.dumps(
                    {"message": f"And another {noun}\n\nin Sandefjord for {int(party) + 100}.", "done": False}
                )
            return json.dumps(
                {
                    "message": f"Hello,\n\nI need the {noun} of {place}\nfor {party} of us (ref {day}).",
                    "done": False,
                }
            )
        if "verdict" in form:
            wrong = mode == "judge" and part(body, "Answer to check")["calls"]
            return json.dumps({"reasoning": "Checked.", "verdict": "wrong" if wrong else "right"})
        if "result" in form:
            return (
                "nothing"
                if mode == "result"
                else json.dumps({"result": {"booking": f"BK-{day}", "note": "see\nyou"}})
            )
        return json.dumps(self.assistant(body, said, mode))

    def assistant(self, body: dict[str, Any], said: list[dict[str, Any]], mode: str) -> dict[str, Any]:
        vote = self.asked[json.dumps(body)]
        self.asked[json.dumps(body)] += 1
        last = said[-1]
        if last["role"] == "tool":
            return {
                "calls": [],
                "reply": (
                    f"Reserved, {json.loads(last['content'])['booking']}.\n\nAnything else?" + "!" * vote
                ),
            }
        if mode == "talk":
            return {"calls": [], "reply": "For which day?"}
        noun = re.search(r"(?:the|another) (\w+)", last["content"])[1]  # type: ignore[index]
        place = re.search(r"(?:of|in) ([A-Z]\w+)", last["content"])[1]  # type: ignore[index]
        party = int(re.search(r"for (\d+)", last["content"])[1])  # type: ignore[index]
        wrong = {"third": vote == 1, "masked": vote > 0, "rule": True}.get(mode, False)
        call = {
            "name": f"reserve_{noun}",
            "arguments": {
                "place": place,
                "party": party + wrong * (1000 + (vote if mode == "masked" else 0)),
            },
        }
        return {"calls": [call], "reply": ""}


def make_run(folder: Path, url: str, **overrides: Any) -> Run:
    settings: dict[str, Any] = {
        "seeds__source": "trees", "seeds__first": 20, "seeds__fresh": [4, 2], "seeds__held_out": 4, "iterations": 2, "synthesis__turns": 3,
        "generator_llm__base_url": url, "generator_llm__model": "mock", "generator_llm__retries": 0, "generator_llm__concurrency": 8,
    }  # fmt: skip
    tools = folder.with_name(f"{folder.name}-tools.json")
    write_json(tools, tool_schemas(TOOLS))
    return init(folder, tools, "cpu-quick", **settings | overrides)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, int]:
    with MockLLM(Agents()) as server:
        run = make_run(tmp_path_factory.mktemp("synthesis") / "run", server.url)
        lt.seed(run)
        calls = len(server.log)
        lt.seed(run)
        assert len(server.log) == calls  # done is done
    return run, calls


def test_dialogues_become_samples_of_two_tiers(seeded: tuple[Run, int]) -> None:
    run, _ = seeded
    pool, held_out = run.table(Samples, "pool", 0), run.table(Samples, "held_out", 0)
    assert len(pool) >= 26 and len(run.table(Samples, "samples", 1)) == 20
    assert Counter(s.split for s in held_out) == {"unseen_dialogues": 4, "unseen_tools": 4}
    trained = {t.name for s in pool for t in s.tools}
    assert not {t.name for s in held_out if s.split == "unseen_tools" for t in s.tools} & trained
    assert len({s.id for s in [*pool, *held_out]}) == len(pool) + len(held_out)
    for s in [*pool, *held_out]:
        assert passes(s) and s.source == "trees" and s.strategy == "seeders.dialogue"
        if s.label.calls:
            asked = next(m.content for m in reversed(s.messages) if m.role == "user")
            arguments = s.label.calls[0].arguments
            assert str(arguments["party"]) in asked and str(arguments["place"]) in asked
    first = next(s for s in pool if len(s.messages) == 2)
    assert re.fullmatch(
        r"Hello,\n\nI need the \w+ of \w+\nfor \d+ of us \(ref \d+\)\.", first.messages[1].content
    )
    kinds = Counter(s.kind for s in pool)
    assert {"single", "finish", "multi_turn"} <= set(kinds)
    # What both replies say of the results is what a right reply has to mention.
    for s in pool:
        if s.kind == "finish":
            assert s.label.mentions == ((json.loads(s.messages[-1].content)["booking"],),)
        if s.kind == "ask":
            assert s.label.asks


def test_every_turn_is_recorded_with_what_became_of_it_and_why(seeded: tuple[Run, int]) -> None:
    run, _ = seeded
    turns = run.table(Turns, "turns", 0)
    samples = {s.id for s in [*run.table(Samples, "pool", 0), *run.table(Samples, "held_out", 0)]}
    assert {t.sample_id for t in turns if t.outcome == "accepted"} == samples
    reasons = Counter(re.split(r"[:=\d]", t.reason)[0] for t in turns if t.outcome != "accepted")
    assert all(t.reason for t in turns if t.outcome in ("masked", "rejected", "ended"))
    for reason in (
        "no two answers agree",
        "grounding",
        "judge",
        "follows turn ",
        "no plan",
        "the user's turn failed",
        "the user is done",
    ):
        assert reasons[reason], (reason, reasons)
    assert any(r.startswith("the result of reserve_") for r in reasons)
    masked = [t for t in turns if t.outcome == "masked"]
    assert all(len(t.votes) == 3 and len(set(t.votes)) == 3 and t.sample_id not in samples for t in masked)
    third = [t for t in turns if t.outcome == "accepted" and len(t.votes) == 3]
    assert third and all(len(set(t.votes)) == 2 for t in third)
    # Dialogues go on behind a masked turn, and end with a rejected one.
    assert any(
        t.outcome == "accepted" and (t.dialogue, t.turn - 2) in {(m.dialogue, m.turn) for m in masked}
        for t in turns
    )
    for t in turns:
        if t.outcome == "rejected" and t.reason.startswith("judge"):
            assert all(u.outcome != "accepted" for u in turns if u.dialogue == t.dialogue and u.turn > t.turn)
    sums = json.loads((run.folder(0) / "synthesis.json").read_text())
    assert (
        sums["turns"] == {k: sum(t.outcome == k for t in turns) for k in ("accepted", "masked", "rejected")}
        and sums["tools"] == 10
    )


def test_killed_and_run_again_seeding_repeats_at_most_the_calls_in_flight(
    seeded: tuple[Run, int], tmp_path: Path
) -> None:
    whole, calls = seeded
    with MockLLM(Agents(), latency=0.01) as server:
        folder = tmp_path / "run"
        make_run(folder, server.url).close()
        script = f"import looptool_kit as lt; lt.seed(lt.Run.open({str(folder)!r}))"
        process = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"TQDM_DISABLE": "1"})
        while len(server.log) < calls // 2 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(server.log) < calls
        run = Run.open(folder)
        lt.seed(run)
        assert len(server.log) <= calls + 8
    assert run.table(Samples, "pool", 0) == whole.table(Samples, "pool", 0)
    assert run.table(Samples, "held_out", 0) == whole.table(Samples, "held_out", 0)


def test_where_nothing_passes_the_run_says_why(tmp_path: Path) -> None:
    def agents(body: dict[str, Any]) -> str:
        return '{"reasoning": "No.", "verdict": "wrong"}' if "verdict" in wants(body) else Agents()(body)

    with MockLLM(agents) as server:
        run = make_run(
            tmp_path / "run",
            server.url,
            seeds__first=3,
            seeds__fresh=[0],
            seeds__held_out=1,
            synthesis__rounds=2,
        )
        with pytest.raises(RunError, match=r"gave 0 usable samples: .*judge \(\d+\).*turns.parquet"):
            lt.seed(run)
    run.set(generator_llm=None)
    with pytest.raises(RunError, match=r"\[generator_llm\]"):
        lt.seed(run)


def test_the_band_keeps_what_is_neither_too_simple_nor_too_hard(tmp_path: Path) -> None:
    def score(samples: Any) -> list[float]:
        return [{"finish": 0.01, "multi_turn": 3.0}.get(s.kind, 1.0) for s in samples]

    levels: list[str] = []
    agents = Agents()

    def answer(body: dict[str, Any]) -> str:
        if "turns" in wants(body):
            levels.append(body["messages"][-1]["content"].rpartition("turns. ")[2])
        return agents(body)

    with MockLLM(answer) as server:
        run = make_run(tmp_path / "run", server.url, synthesis__band=[0.1, 2.0], synthesis__rounds=3)
        pool, held_out = synthesise(run, score)
    assert {s.kind for s in pool} <= {"single", "ask", "reply", "decline"} and {"finish"} <= {
        s.kind for s in held_out
    }
    turns = run.table(Turns, "turns", 0)
    assert any(t.reason == "too simple: loss 0.010 is outside of 0.1 to 2" for t in turns)
    assert any(
        "demanding" in level for level in levels
    )  # mostly too simple, so the next round asks for harder ones


def test_complexity_is_the_mean_loss_and_the_band_lies_between_right_before_and_wrong_after() -> None:
    assert loss([-0.5, -1.5, -1.0]) == 1.0 and loss([]) == 0.0
    band = estimate_band([0.1, 0.2, 0.3], [1.0, 2.0, 9.0])
    assert band == Band(0.2, 2.0) and [band.place(x) for x in (0.1, 0.2, 2.0, 2.1)] == [
        "simple",
        "inside",
        "inside",
        "hard",
    ]
    with pytest.raises(ValueError, match="no band"):
        estimate_band([2.0], [1.0])
    with pytest.raises(ValueError, match="needs losses"):
        estimate_band([], [1.0])


# ----------------------------------------------------------------------- trees

LEAVES = {
    branch: {leaf["words"]: leaf for leaf in leaves}
    for branch, leaves in tomllib.loads(
        files("looptool_kit.stages.seed.trees").joinpath("constraint_tree.toml").read_text()
    ).items()
}
VALUES: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "enum": ["wet", "dry"]}, "number": {"type": "integer", "minimum": 1}, "boolean": {"type": "boolean"},
    "array": {"type": "array", "items": {"type": "string"}}, "object": {"type": "object", "properties": {"x": {"type": "string"}}},
}  # fmt: skip


def tool_as_asked(body: dict[str, Any]) -> dict[str, Any]:
    """A tool that keeps to the form, its name and words made from the purpose."""
    purpose, form = part(body, "Purpose"), part(body, "Form")
    words = re.findall(r"[a-z]+", f"{purpose['purpose']} {purpose['area']}".lower())
    naming = form["name"].split(",")[0]
    name = {
        "snake_case": "_".join(words),
        "camelCase": words[0] + "".join(w.title() for w in words[1:]),
        "PascalCase": "".join(map(str.title, words)),
    }
    count = LEAVES["count"][form["number of parameters"]]
    needs = LEAVES["types"][form["at least one parameter is"]]["needs"] if count["most"] else []
    kinds = [*needs, *["string"] * max(0, count["least"] - len(needs))]
    properties = {f"{words[0]}_{n}": VALUES[k] | {"description": f"Value {n}."} for n, k in enumerate(kinds)}
    required = list(properties)[1:] if count.get("optional") else list(properties)
    parameters = {"type": "object", "properties": properties, "required": required}
    return {
        "name": name.get(naming, "-".join(words))[:64],
        "description": f"{' '.join(words)} now",
        "parameters": parameters,
    }


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
BROKEN: dict[str, tuple[str, Any]] = {
    "no JSON": ("form", lambda tool: None),
    "no object": ("schema", lambda tool: tool | {"parameters": {"type": "array"}}),
    "bad schema": ("schema", lambda tool: tool | {"parameters": {"type": "object", "properties": {"a": {"type": "text"}}}}),
    "properties a list": ("schema", lambda tool: tool | {"parameters": {"type": "object", "properties": ["a"]}}),
    "required unknown": ("schema", lambda tool: tool | {"parameters": tool["parameters"] | {"required": ["nothing"]}}),
    "blank in the name": ("name", lambda tool: tool | {"name": "a tool"}),
    "other style": ("name", lambda tool: tool | {"name": "x" if "_" in tool["name"] else "snake_cased_name"}),
    "too many": ("constraints", lambda tool: tool | {"parameters": {"type": "object", "properties": dict.fromkeys("abcdefghi", DESCRIBED)}}),
    "silent parameter": ("constraints", lambda tool: tool | {"parameters": {"type": "object", "properties": {"p": {"type": "string"}}}}),
    "benchmark name": ("contamination", lambda tool: tool),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_tool_that_breaks_a_rule_is_no_tool(case: str, tmp_path: Path) -> None:
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


def test_a_run_without_tools_writes_its_own(tmp_path: Path) -> None:
    """From nothing but an endpoint to samples: tools, then dialogues over them."""

    def answer(body: dict[str, Any]) -> str:
        form = wants(body)
        if "parameters" in form:
            return json.dumps(tool_as_asked(body))
        if "turns" in form:
            return json.dumps({"user": "u", "goal": "g", "values": [], "turns": ["one"]})
        if "done" in form:
            talked = len(part(body, "Dialogue so far")) > 1
            today = part(body, "Dialogue so far")[0]["content"]
            asked = f"Of all that, {' '.join(today)}, which things can you do?"
            return json.dumps({"message": "" if talked else asked, "done": talked})
        return (
            '{"reasoning": "", "verdict": "right"}'
            if "verdict" in form
            else '{"calls": [], "reply": "All of them."}'
        )

    with MockLLM(answer) as server:
        run = make_run(
            tmp_path / "run",
            server.url,
            synthesis__count=9,
            seeds__first=8,
            seeds__fresh=[0],
            seeds__held_out=1,
            synthesis__rounds=1,
        )
        (run.path / "tools.json").unlink()
        run.set(synthesis__tools="")
        pool, _ = synthesise(run)
    names = {r.tool.name for r in run.table(WrittenTools, "written_tools", 0) if r.accepted and r.tool}
    assert (
        len(names) == 9 and {t.name for s in pool for t in s.tools} <= names and isinstance(pool[0], Sample)
    )


def test_a_longer_pool_begins_with_the_dialogues_that_were_paid_for(tmp_path: Path) -> None:
    with MockLLM(Agents()) as server:
        run = make_run(
            tmp_path / "run", server.url, seeds__first=8, seeds__fresh=[2], seeds__held_out=1, iterations=1
        )
        first = lt.seed(run)
        before = [list(run.table(Samples, name, 0)) for name in ("pool", "held_out")]
        turns, asked = list(run.table(Turns, "turns", 0)), len(server.log)
        run.set(iterations=1, seeds__fresh=[14])
        assert lt.seed(run) == first and len(server.log) > asked
        pool, held_out, later = (
            run.table(Samples, "pool", 0),
            run.table(Samples, "held_out", 0),
            run.table(Turns, "turns", 0),
        )
        assert list(pool[: len(before[0])]) == before[0] and list(held_out) == before[1] and len(pool) >= 22
        assert list(later[: len(turns)]) == turns and len({s.id for s in pool}) == len(pool)
        assert min(t.dialogue for t in later[len(turns) :]) > max(t.dialogue for t in turns)
        asked = len(server.log)
        run.set(seeds__fresh=[2])
        assert lt.seed(run) == first and len(server.log) == asked
