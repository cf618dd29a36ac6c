"""Simulated dialogues become seed data (LoopTool, section 3.1; ToolACE, section 2)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM
from scripted_agents import Agents, make_run, part, tool_as_asked, wants

import looptool_kit as lt
from looptool_kit.checks.rules import passes
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.label_loss import loss
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.trees.complexity import Band, estimate_band
from looptool_kit.stages.seed.trees.synthesis import synthesise
from looptool_kit.stages.seed.trees.tools import WrittenTools
from looptool_kit.stages.seed.trees.turns import Turns


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
    # Dialogues continue behind a masked turn, and end with a rejected one.
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


def test_a_turn_that_breaks_a_rule_is_shown_its_fault_and_answered_again(tmp_path: Path) -> None:
    """The scripted assistant makes a value up in the mode `rule`; told so, it takes what was said."""
    shown: list[str] = []

    class Learning(Agents):
        def assistant(self, body: dict[str, Any], said: list[dict[str, Any]], mode: str) -> dict[str, Any]:
            if "## What is wrong with it" in body["messages"][-1]["content"]:
                text = body["messages"][-1]["content"]
                assert "## Your last answer\n<tool_call>" in text
                shown.append(text.partition("## What is wrong with it\n")[2].strip())
                mode = "fine"
            return super().assistant(body, said, mode)

    def rejected(name: str, **settings: Any) -> tuple[list[Any], dict[str, Any], int]:
        with MockLLM(Learning()) as server:
            run = make_run(tmp_path / name, server.url, synthesis__rounds=1, **settings)
            lt.seed(run)
            asked = len(server.log)
        sums = json.loads((run.folder(0) / "synthesis.json").read_text())
        return list(run.table(Turns, "turns", 0)), sums, asked

    turns, sums, before = rejected("without")
    broken = [t for t in turns if t.outcome == "rejected" and t.reason.startswith("grounding")]
    assert broken and not any(t.reflected for t in turns) and not shown and sums["reflected"] == {}
    turns, sums, after = rejected("with", synthesis__reflect=1)
    again = [t for t in turns if t.reflected]
    assert {t.dialogue for t in broken} <= {t.dialogue for t in again}
    assert all(t.reflected.startswith("grounding") and len(t.votes) == 4 for t in again)
    assert {t.outcome for t in again} == {"accepted"} and sums["reflected"] == {"accepted": len(again)}
    assert len(shown) == 2 * len(again) and set(shown) == {t.reflected for t in again}
    assert not [t for t in turns if t.outcome == "rejected" and t.reason.startswith("grounding")]
    assert after > before


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
