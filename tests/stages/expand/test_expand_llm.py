"""The `llm` expander and the judge tier, against the scripted mock server (EDDE, LoopTool section 3.5)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM, Scripted

import looptool_kit as lt
from looptool_kit.checks import contamination
from looptool_kit.core.errors import RunError
from looptool_kit.core.grading import diagnose
from looptool_kit.core.records import Expansions, Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import parse, render_calls
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.llm.structured import Call
from looptool_kit.report.summary import paid
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand.llm import Child, Turn, child, scenarios

TOOL = Tool(
    name="reserve_desk",
    description="Reserve a study desk at a library branch.",
    parameters={
        "type": "object",
        "properties": {
            "branch": {"type": "string", "description": "The branch."},
            "desk": {"type": "integer", "description": "Number of the desk."},
        },
        "required": ["branch", "desk"],
    },
)
OTHER = Tool(
    name="open_locker",
    description="Open a locker.",
    parameters={"type": "object", "properties": {"number": {"type": "integer"}}},
)
PARAGRAPHS = (
    'Two things.\n\nFirst, my card\tis "lost" \\ stolen.\n\n  Second: please reserve desk {} at the {}'
    " branch.  \n"
)
PLACES = ("Elmfield", "Norrgatan", "Põltsamaa", "Kilimani", "Saint-Roch", "Vinohrady", "Takapuna", "Ollantay")


def sample(n: int) -> Sample:
    said = PARAGRAPHS.format(n, f"Quay {n} Street")
    label = Label(calls=(ToolCall(name="reserve_desk", arguments={"branch": f"Quay {n} Street", "desk": n}),))
    return Sample(
        tools=(TOOL, OTHER), messages=(Message(role="user", content=said),), label=label, kind="single"
    )


def probe(asked: Sample) -> Probe:
    """A probe that got the desk wrong."""
    wrong = parse(render_calls([ToolCall(name="reserve_desk", arguments={"branch": "Main", "desk": 1})]))
    return Probe(
        sample_id=asked.id,
        iteration=1,
        text="",
        finish_reason="stop",
        perplexity=1.5,
        match=False,
        correct=False,
        state="failed",
        answer=wrong,
        faults=diagnose(wrong, asked.label, asked.tools),
    )


def make_run(folder: Path, url: str, count: int = 4, **overrides: Any) -> Run:
    """A run whose policy got the desk wrong on every sample, ready to expand."""
    settings: dict[str, Any] = {
        "expand__expanders": ["llm"],
        "expand__children": 2,
        "expand__tries": 2,
        "expand__most": 100,
        "seeds__noise": 0.0,
        "iterations": 1,
        "generator_llm": {"base_url": url, "model": "mock", "retries": 0, "concurrency": 4},
    }
    run = Run.create(folder, "cpu-quick", **settings | overrides)
    rows = [sample(n) for n in range(11, 11 + count)]
    probes = [probe(s) for s in rows]
    verdicts = [
        Verdict(
            sample_id=s.id,
            iteration=1,
            status="judged",
            verdict="PRED_WRONG",
            judge="evidence",
            rationale="The desk was made up.",
        )
        for s in rows
    ]
    run.folder(1).mkdir(parents=True, exist_ok=True)
    run.folder(0).mkdir(parents=True, exist_ok=True)
    Samples(rows).write(run.folder(1) / "samples.parquet")
    Samples([]).write(run.folder(0) / "held_out.parquet")
    Probes(probes).write(run.folder(1) / "probes.parquet")
    Verdicts(verdicts).write(run.folder(1) / "verdicts.parquet")
    return run


def wants(body: dict[str, Any]) -> set[str]:
    return set(body["response_format"]["json_schema"]["schema"]["properties"])


def part(body: dict[str, Any], title: str) -> Any:
    """A JSON part of a prompt, as the model would read it."""
    text = body["messages"][-1]["content"]
    return json.JSONDecoder().raw_decode(text, text.index(f"## {title}\n") + len(f"## {title}\n"))[0]


def new_child(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A good child, another one for every seed and scenario."""
    number = int(part(body, "Right answer")["calls"][0]["arguments"]["desk"])
    scenario = part(body, "Scenario of the new item")
    place = PLACES[scenarios()["data"].index(scenario["data"])]
    desk = 100 * (1 + scenarios()["style"].index(scenario["style"])) + number
    return {
        "messages": [
            {"role": "user", "content": f"Do you know whether it rains?\r\n\r\n{number} friends ask."},
            {"role": "assistant", "content": "I cannot see the weather,\n\nsorry."},
            {
                "role": "user",
                "content": (
                    f"Never mind.\n\nNumber {desk} over in {place} is what I want to sit at,"
                    f" {scenario['persona']} that I am. "
                ),
            },
        ],
        "calls": [{"name": "reserve_desk", "arguments": {"branch": place, "desk": desk}}],
        "reply": "",
        "changed": "Another branch.",
    } | changes


def generator(body: dict[str, Any]) -> str:
    if "verdict" in wants(body):
        return '{"reasoning": "It does what is asked.", "verdict": "right"}'
    return json.dumps(new_child(body))


def test_children_are_written_checked_judged_and_accepted(tmp_path: Path) -> None:
    with MockLLM(generator) as server:
        run = make_run(tmp_path / "run", server.url)
        rows = lt.expand(run, iteration=1)
        asked = [r["body"] for r in server.log]
        assert lt.expand(run, iteration=1) == rows and len(server.log) == len(asked)  # done is done
    seeds = run.table(Samples, "samples", 1).by_id()
    assert [r.accepted for r in rows] == [True] * 8
    for row in rows:
        assert [c.name for c in row.checks] == [
            "pattern",
            "tools",
            "dialogue",
            "calls",
            "grounding",
            "judge",
            "novelty",
        ]
        assert (
            row.sample.parent == row.seed_id
            and row.sample.strategy == "expanders.llm"
            and row.sample.tools == seeds[row.seed_id].tools
        )
        assert set(row.sample.meta["scenario"]) == {"complexity", "persona", "style", "data"}  # type: ignore[arg-type]
    # Every text byte for byte, both ways.
    shown = [part(b, "Original dialogue")[0]["content"] for b in asked if "calls" in wants(b)]
    assert set(shown) == {s.messages[0].content for s in seeds.values()}
    written = [new_child(b)["messages"][2]["content"] for b in asked if "calls" in wants(b)]
    assert {r.sample.messages[2].content for r in rows} == set(written)
    assert rows[0].sample.messages[0].content.endswith("?\r\n\r\n11 friends ask.")
    # Of two children of a seed, no scenario line is the same; the generator sees the error and its analysis.
    for seed_id in seeds:
        lines = [r.sample.meta["scenario"] for r in rows if r.seed_id == seed_id]
        assert all(lines[0][axis] != lines[1][axis] for axis in lines[0])  # type: ignore[index, union-attr, call-overload]
    text = asked[0]["messages"][-1]["content"]
    assert "The desk was made up." in text and "wrong value at reserve_desk.desk" in text
    # The generator is asked in a form in which only tools on offer can be called.
    schema = asked[0]["response_format"]["json_schema"]["schema"]
    assert schema["$defs"]["Call"]["properties"]["name"]["enum"] == ["reserve_desk", "open_locker"]


BAD = {
    "form": "I would rather not.",
    "twice": '{"messages": [], "messages": [], "calls": [], "reply": "", "changed": ""}',
    "extra": json.dumps({"messages": [], "calls": [], "reply": "", "changed": "", "more": 1}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_an_answer_that_is_no_sample_is_kept_aside_with_its_reason(bad: str, tmp_path: Path) -> None:
    with MockLLM(lambda body: bad) as server:
        run = make_run(tmp_path / "run", server.url, count=2)
        assert len(lt.expand(run, iteration=1)) == 0
        assert len(server.log) == 2 * 2 * 2  # two children of two seeds, two tries
    aside = [json.loads(line) for line in (run.path / "rejected.jsonl").read_text().splitlines()]
    assert len(aside) == 8 and all(
        row["raw"] == bad and row["reason"].startswith("not ") and "expander llm" in row["file"]
        for row in aside
    )
    assert run.manifest("expansions", 1)["unusable_answers"] == 8  # type: ignore[index]


def without_desk(body: dict[str, Any]) -> dict[str, Any]:
    child = new_child(body)
    child["messages"][2]["content"] = "Never mind.\n\nI want to sit somewhere quiet."
    return child


WRONG = {
    "grounding": without_desk,
    "calls": lambda body: new_child(
        body, calls=[{"name": "reserve_desk", "arguments": {"branch": PLACES[0], "desk": "eleven"}}]
    ),
    "pattern": lambda body: new_child(body, calls=[{"name": "open_locker", "arguments": {}}]),
    "dialogue": lambda body: new_child(body, messages=new_child(body)["messages"][:2]),
    "novelty": lambda body: new_child(
        body,
        messages=[{"role": "user", "content": sample(11).messages[0].content}],
        calls=part(body, "Right answer")["calls"],
    ),
}


@pytest.mark.parametrize("check", WRONG)
def test_a_child_that_breaks_a_rule_is_kept_as_a_rejected_row(check: str, tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> str:
        return generator(body) if "verdict" in wants(body) else json.dumps(WRONG[check](body))

    with MockLLM(answer) as server:
        rows = lt.expand(make_run(tmp_path / "run", server.url, count=1, expand__tries=1), iteration=1)
        judged = sum("verdict" in wants(r["body"]) for r in server.log)
    assert len(rows) == 2 and not any(r.accepted for r in rows)
    assert all(any(c.name == check and not c.passed and c.detail for c in r.checks) for r in rows)
    assert judged == (check == "novelty")  # only about what the rules let through, and about equal ones once


def test_children_of_a_question_are_questions() -> None:
    asks = sample(1).model_copy(update={"label": Label(reply="Which desk would you like?", asks=True)})
    seed = ErrorSeed(
        asks, probe(asks), Verdict(sample_id=asks.id, iteration=1, status="judged", verdict="PRED_WRONG")
    )
    call = Call(name="open_locker", arguments={})
    for calls, reply, fault in (
        ((), "Which one?", ""),
        ((), "Done.", "a question"),
        ((call,), "", "plain reply"),
        ((), "", "something said"),
    ):
        made = child(
            seed,
            {},
            Child(
                messages=(Turn(role="user", content="A desk, please."),), calls=calls, reply=reply, changed=""
            ),
        )
        assert made.sample and made.sample.label.asks == (not calls) and made.checks[0].passed == (not fault)
        assert fault in made.checks[0].detail


def test_the_judge_rejects_and_a_judge_that_fails_gives_no_verdict(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> str | Scripted:
        if "verdict" not in wants(body):
            return json.dumps(new_child(body))
        desk = part(body, "Answer to check")["calls"][0]["arguments"]["desk"] % 100
        if desk == 11:
            return '{"reasoning": "Nobody asked for it.", "verdict": "wrong"}'
        return (
            Scripted('{"error": "overloaded"}', 503)
            if desk == 12 and busy[0]
            else '{"reasoning": "", "verdict": "right"}'
        )

    busy = [True]
    with MockLLM(answer) as server:
        run = make_run(tmp_path / "run", server.url, count=3, expand__tries=1)
        rows = lt.expand(run, iteration=1)
        said = {r.sample.label.calls[0].arguments["desk"] % 100: r for r in rows}  # type: ignore[operator]
        assert [said[n].accepted for n in (11, 12, 13)] == [False, False, True]
        judge = {n: next(c for c in r.checks if c.name == "judge") for n, r in said.items()}
        assert judge[11].detail == "wrong: Nobody asked for it." and judge[12].detail.startswith(
            "unjudged: not answered: status 503"
        )
        busy[0], asked, failed = False, len(server.log), sum(r["status"] == 503 for r in server.log)
        assert lt.expand(run, iteration=1) == rows and len(server.log) == asked
        healed = lt.expand(run, iteration=1, again=True)
        assert len(server.log) == asked + failed and sum(r.accepted for r in healed) > sum(
            r.accepted for r in rows
        )
        assert not any(c.detail.startswith("unjudged") for r in healed for c in r.checks)
    run.set(generator_llm__price_in=1e6)
    [line] = paid(run)
    read = sum(
        len(m["content"].split()) for r in server.log if r["status"] == 200 for m in r["body"]["messages"]
    )
    assert f"{asked} answers, {read:,} tokens read" in line and line.endswith(f", {read:,.2f} spent")


def test_an_endpoint_that_answers_nothing_stops_the_stage_and_the_rerun_finishes_it(tmp_path: Path) -> None:
    up = [False]
    with MockLLM(lambda body: generator(body) if up[0] else Scripted("{}", 500)) as server:
        run = make_run(tmp_path / "run", server.url)
        with pytest.raises(ValueError, match="answered none of 8 calls"):
            lt.expand(run, iteration=1)
        up[0] = True
        assert sum(r.accepted for r in lt.expand(run, iteration=1)) == 8


def test_free_expanders_come_first_and_the_budget_holds(tmp_path: Path) -> None:
    with MockLLM(generator) as server:
        run = make_run(
            tmp_path / "run",
            server.url,
            expand__expanders=["llm", "slots"],
            expand__children=2,
            expand__most=5,
        )
        rows = lt.expand(run, iteration=1)
        # One child a seed (5 // 4): the model is asked only where none of slots' is new to the others.
        accepted = [r for r in rows if r.accepted]
        free = {r.seed_id for r in accepted if r.strategy == "expanders.slots"}
        paid = [r for r in accepted if r.strategy == "expanders.llm"]
        assert len(accepted) == 4 == len({r.seed_id for r in accepted}) and free and paid
        assert not free & {r.seed_id for r in rows if r.strategy == "expanders.llm"}
        failed = [c.name for r in rows if r.seed_id == paid[0].seed_id for c in r.checks if not c.passed]
        assert "novelty" in failed


def test_contaminated_children_are_rejected_with_what_they_share(tmp_path: Path) -> None:
    benchmark = tmp_path / "benchmark"
    benchmark.mkdir()
    (benchmark / "items.json").write_text(
        json.dumps({"question": "zero one two Never mind. Number 111 over in Elmfield is what I want! three"})
    )
    contamination.write(contamination.build([benchmark]), tmp_path / "list.json")

    def answer(body: dict[str, Any]) -> str:
        if "verdict" in wants(body):
            return generator(body)
        child = new_child(body)
        if part(body, "Right answer")["calls"][0]["arguments"]["desk"] == 11:
            child["messages"][2]["content"] = "never mind -- number 111, over in Elmfield, is what I want"
            child["calls"] = [{"name": "reserve_desk", "arguments": {"branch": "Elmfield", "desk": 111}}]
        return json.dumps(child)

    with MockLLM(answer) as server:
        run = make_run(
            tmp_path / "run", server.url, count=2, expand__tries=1, contamination=str(tmp_path / "list.json")
        )
        rows = lt.expand(run, iteration=1)
    copied, own = (
        [r for r in rows if "111, over" in r.sample.request],
        [r for r in rows if "111, over" not in r.sample.request],
    )
    assert (
        len(copied) == len(own) == 2 and all(r.accepted for r in own) and not any(r.accepted for r in copied)
    )
    check = next(c for c in copied[0].checks if c.name == "contamination")
    assert not check.passed and re.search(
        r"turn 3 \(user\) shares 4 of 4 runs of words with .*benchmark, e\.g\. 'never mind number 111",
        check.detail,
    )


def test_without_a_generator_the_run_says_what_to_do(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "http://127.0.0.1:9/v1")
    run.set(generator_llm=None)
    with pytest.raises(RunError, match=r"\[generator_llm\]"):
        lt.expand(run, iteration=1)


def test_killed_and_run_again_it_repeats_at_most_the_calls_in_flight(tmp_path: Path) -> None:
    with MockLLM(generator, latency=0.02) as server:
        whole = lt.expand(make_run(tmp_path / "whole", server.url, count=12), iteration=1)
        calls = len(server.log)
        server.log.clear()
        with make_run(tmp_path / "run", server.url, count=12) as run:
            folder = run.path
        script = f"import looptool_kit as lt; lt.expand(lt.Run.open({str(folder)!r}), iteration=1)"
        process = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"TQDM_DISABLE": "1"})
        while len(server.log) < calls // 2 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(server.log) < calls
        again = lt.expand(Run.open(folder), iteration=1)
        assert len(server.log) <= calls + 4
    assert again == whole and isinstance(again, Expansions)
