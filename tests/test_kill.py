"""Loops killed at thirty random changes of their files end with the tables of an undisturbed one."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM
from scripted_loop import loop, processes

KILLS = 30
CONCURRENCY = 4
VERDICT = {"correct_approach": "as the user says", "error_analysis": "one of them leaves something out"}


def part(body: dict[str, Any], title: str) -> Any:
    """A JSON part of a prompt."""
    text = body["messages"][-1]["content"]
    return json.JSONDecoder().raw_decode(text, text.index(f"## {title}\n") + len(f"## {title}\n"))[0]


def answer(body: dict[str, Any]) -> str:
    """A judge that finds each answer with calls right, and a generator that asks for the same calls."""
    form = body["response_format"]["json_schema"]["schema"]["properties"]
    if "correct_approach" in form:
        calls = [bool(part(body, name).get("calls")) for name in ("Answer A", "Answer B")]
        said = {(True, False): "A", (False, True): "B"}.get((calls[0], calls[1]), "neither")
        return json.dumps(VERDICT | {"verdict": said})
    if "reasoning" in form:
        return json.dumps({"reasoning": "It does what is asked.", "verdict": "right"})
    label, scenario = part(body, "Right answer"), part(body, "Scenario of the new item")
    values = [json.dumps(v) for c in label.get("calls", ()) for v in c["arguments"].values()]
    request = f"{scenario['persona']}, {scenario['data']}: I want what goes with {', '.join(values)}."
    return json.dumps(
        {
            "messages": [
                {"role": "system", "content": "Today is Monday, 2027-03-01."},
                {"role": "user", "content": request},
            ],
            "calls": label.get("calls", []),
            "reply": label.get("reply", ""),
            "changed": "Other words.",
        }
    )


def tables(folder: Path) -> dict[str, bytes]:
    """Every table that stands: path -> content; one whose manifest was lost is made again and kept aside."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*.parquet"))
        if "superseded" not in p.parts
    }


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("judge", ["evidence", "llm"])
def test_a_loop_killed_thirty_times_ends_with_the_same_tables(judge: str, tmp_path: Path) -> None:
    context = processes()
    counted = context.Value("i", 0)

    def run(folder: Path, die_at: int) -> bool:
        """Whether the loop was killed on its way."""
        counted.value = 0
        process = context.Process(target=loop, args=(folder, settings, die_at, counted))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode != 0

    with MockLLM(answer, latency=0.002) as server:
        model = {"base_url": server.url, "model": "scripted", "concurrency": CONCURRENCY}
        settings: dict[str, Any] = {"expand__children": 2, "expand__most": 12}
        if judge == "evidence":
            settings |= {"augment__perturbations": ["typos", "tool_order"], "augment__share": 0.5}
        if judge == "llm":
            settings |= {"verify__judge": "llm", "judge_llm": model, "generator_llm": model}
            settings |= {"expand__expanders": ["slots", "llm"]}
        assert not run(tmp_path / "whole", 0)
        changes, calls = counted.value, len(server.log)
        wanted = tables(tmp_path / "whole")
        assert any("expansions" in name for name in wanted) and (calls > 20) == (judge == "llm")
        rng, kills, runs = random.Random(judge), 0, 0
        while kills < KILLS:
            folder, runs, here = tmp_path / f"run{runs}", runs + 1, 0
            server.log.clear()
            while run(folder, rng.randrange(1, changes // 4) if kills < KILLS else 0):
                kills, here = kills + 1, here + 1
            assert tables(folder) == wanted
            assert len(server.log) <= calls + CONCURRENCY * here
        assert runs >= 3
