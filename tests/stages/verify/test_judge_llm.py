"""The LLM judge through a mock server: both orders, votes, several judges, what is unjudged, and what it
costs to judge again.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted
from scripted_judges import EVEN, Judge, Judges, Known, cases, judged, opinion

from looptool_kit.checks.rules import passes
from looptool_kit.config import Settings, load_preset
from looptool_kit.core.endpoint import EndpointError
from looptool_kit.core.records import VERDICTS, Probes
from looptool_kit.core.samples import Samples, ToolCall
from looptool_kit.core.toolcalls import Answer, render_answer
from looptool_kit.policy.engines import Completion
from looptool_kit.run.folder import Run
from looptool_kit.stages.probe import judge_completion
from looptool_kit.stages.verify.llm import prompt
from looptool_kit.stages.verify.stage import verify

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import bench_judge_calls
import judge_consensus


def settings(server: MockLLM, *models: str, **jury: Any) -> Settings:
    first, *others = (
        {"base_url": server.url, "model": m, "key_env": "NO_KEY", "retries": 0} for m in models or ("judge",)
    )
    return load_preset(
        "cpu-quick",
        verify__judge="llm",
        judge_llm=first,
        jury__others=others,
        **{f"jury__{k}": v for k, v in jury.items()},
    )


# -------------------------------------------------------------------- one judge


def test_a_perfect_judge_gives_the_right_one_of_four_verdicts(tmp_path: Path) -> None:
    known = cases(80, 1, dict.fromkeys(VERDICTS, 0.25))
    with MockLLM(Judges(known, {"judge": Judge()})) as server:
        verdicts = judged(known, settings(server), tmp_path)
        assert {r["body"]["response_format"]["json_schema"]["strict"] for r in server.log} == {True}
    assert [v.verdict for v in verdicts] == [c.verdict for c in known] and len(
        {c.verdict for c in known}
    ) == 4
    for v, c in zip(verdicts, known, strict=True):
        assert (v.status, v.sample_id, v.votes, v.confidence, v.judge) == (
            "judged",
            c.sample.id,
            {c.verdict: 1},
            1.0,
            "llm",
        )
        assert v.label == (c.prediction.label if v.verdict == "LABEL_WRONG" else c.sample.label)
        assert (
            "A is the label" in v.rationale
            and "One of them leaves a value out." in v.rationale
            and "Call the tool" in v.rationale
        )
        if v.verdict == "LABEL_WRONG":
            assert passes(c.sample.model_copy(update={"label": v.label}))


def test_nothing_in_the_prompt_tells_label_from_prediction() -> None:
    for sample, prediction, _ in cases(30, 2):
        talkative = (
            prediction.model_copy(update={"text": "I will do that."}) if prediction.calls else prediction
        )
        label = Answer.of(sample.label)
        one, other = prompt(sample, label, talkative), prompt(sample, talkative, label)
        head, _, rest = one.partition("## Answer A")
        a, b, found = re.split("## Answer B|## What the rules found", rest)
        start = f"{head}## Answer A{b.rstrip()}\n\n## Answer B{a.rstrip()}\n"
        assert other.startswith(start)
        findings = json.loads(found)
        swapped = {"A": findings["B"], "B": findings["A"]}
        assert json.loads(other.partition("## What the rules found")[2]) == swapped
        assert "I will do that." not in one and sample.id not in one
        assert [line for line in one.splitlines() if line.startswith("## ")] == [
            "## Tools on offer",
            "## Dialogue so far",
            "## Answer A",
            "## Answer B",
            "## What the rules found",
        ]


def test_the_prompt_holds_what_the_rules_find_in_either_answer() -> None:
    ((sample, right, _),) = cases(1, 6, {"LABEL_WRONG": 1.0})
    call = right.calls[0]
    surprise = Answer(calls=(ToolCall(name=call.name, arguments={**call.arguments, "surprise": 1}),))
    invented = Answer(
        calls=(ToolCall(name=call.name, arguments=dict.fromkeys(call.arguments, "Quetzalcoatl 77")),)
    )
    cut = Answer(text="", error="truncated", detail="cut")
    wrong = {"surprise": surprise, "Quetzalcoatl 77": invented, "cannot be read": cut, "nothing": Answer()}
    for words, answer in wrong.items():
        for pair, place in (((answer, right), "A"), ((right, answer), "B")):
            found = json.loads(prompt(sample, *pair).partition("## What the rules found")[2])
            assert words in "".join(found.pop(place)) and list(found.values()) == [[]]


@pytest.mark.parametrize("place", ["A", "B"])
def test_a_judge_that_sees_only_places_judges_nothing(tmp_path: Path, place: str) -> None:
    known = cases(10, 3, EVEN)
    with MockLLM(lambda _: opinion(place)) as server:
        verdicts = judged(known, settings(server), tmp_path)
    assert all(
        v.status == "unjudged" and v.verdict is None and v.label is None and v.votes == {"none": 1}
        for v in verdicts
    )
    assert all("with the label first" in v.rationale and v.judge == "llm" for v in verdicts)


def test_asking_in_both_orders_removes_the_position_bias(tmp_path: Path) -> None:
    found = judge_consensus.position(240, tmp_path, Judge(accuracy=0.9, bias=0.3))
    assert found["label first"].lean > 0.2 and found["prediction first"].lean < -0.2
    assert abs(found["both orders"].lean) < 0.1
    assert (
        found["both orders"].right > max(found["label first"].right, found["prediction first"].right) + 0.05
    )


UNREADABLE = [
    *(
        "A",
        "The verdict is A.",
        '{"verdict": "A"}',
        opinion("LABEL_WRONG"),
        opinion("a"),
        opinion("A") + " done",
        opinion("A")[:-1],
    ),
    *(
        f"[{opinion('A')}]",
        opinion("A").replace("{", '{"more": 1, '),
        '{"correct_approach": 1, "error_analysis": "", "verdict": "A"}',
    ),
]


@pytest.mark.parametrize("said", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_no_vote_and_is_not_repaired(tmp_path: Path, said: str) -> None:
    known = cases(1, 4, {"PRED_WRONG": 1.0})
    with MockLLM(lambda _: said) as server:
        (verdict,) = judged(known, settings(server), tmp_path)
        assert len(server.log) == 2
    assert verdict.status == "unjudged" and verdict.judge == "llm" and "not" in verdict.rationale


def test_thoughts_and_a_fence_around_the_answer_are_read(tmp_path: Path) -> None:
    known = cases(4, 5, {"BOTH_WRONG": 1.0})
    with MockLLM(lambda _: f"<think>hm</think>\n```json\n{opinion('neither')}\n```") as server:
        assert {v.verdict for v in judged(known, settings(server), tmp_path)} == {"BOTH_WRONG"}


def test_a_prediction_that_breaks_the_rules_never_becomes_the_label(tmp_path: Path) -> None:
    ((sample, right, _),) = cases(1, 6, {"LABEL_WRONG": 1.0})
    call = right.calls[0]
    broken = [
        Answer(calls=(ToolCall(name="launch_rocket", arguments={}),)),
        Answer(calls=(ToolCall(name=call.name, arguments={**call.arguments, "surprise": 1}),)),
        Answer(calls=(ToolCall(name=call.name, arguments=dict.fromkeys(call.arguments, "Quetzalcoatl 77")),)),
        Answer(text="<tool_call> {", error="unparsable", detail="no JSON"),
        Answer(text="", error="truncated", detail="cut"),
        Answer(),
    ]
    known = [Known(sample, p, "LABEL_WRONG") for p in broken]
    with MockLLM(Judges(known, {"judge": Judge()})) as server:
        verdicts = judged(known, settings(server), tmp_path)
    assert all(
        v.status == "unjudged" and v.label is None and "does not pass the rules" in v.rationale
        for v in verdicts
    ), verdicts
    assert all(v.votes == {"LABEL_WRONG": 1} for v in verdicts)


# --------------------------------------------------------------- several votes


def test_several_votes_of_one_judge_decide_by_their_share(tmp_path: Path) -> None:
    known = cases(12, 7, {"PRED_WRONG": 1.0})
    judges = Judges(known, {"judge": Judge()})
    seen: Counter[str] = Counter()

    def wavering(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        seen[text] += 1
        case = judges.asked[text][0]
        return opinion("neither") if seen[text] <= case % 4 else judges(body)

    with MockLLM(wavering) as server:
        verdicts = judged(known, settings(server, votes=3, temperature=0.7), tmp_path)
        assert len(server.log) == 12 * 3 * 2 and {r["body"]["temperature"] for r in server.log} == {0.7}
    for i, v in enumerate(verdicts):
        for_label = 3 - i % 4
        if (
            sum(v.votes.get(name, 0) for name in ("PRED_WRONG", "BOTH_WRONG")) == 3
        ):  # the votes of a case run side by side
            assert v.verdict == (
                "PRED_WRONG" if for_label >= 2 else "BOTH_WRONG"
            ) and v.confidence == pytest.approx(max(for_label, 3 - for_label) / 3, abs=1e-4)
    assert [v.votes for v in verdicts[::4]] == [{"PRED_WRONG": 3}] * 3


def test_two_judges_that_disagree_leave_a_sample_unjudged(tmp_path: Path) -> None:
    known = cases(40, 8, EVEN)
    with MockLLM(Judges(known, {"good": Judge(), "fair": Judge(0.5)})) as server:
        verdicts = judged(known, settings(server, "good", "fair"), tmp_path)
    assert {v.status for v in verdicts} == {"judged", "unjudged"}
    for v, c in zip(verdicts, known, strict=True):
        assert (v.verdict == c.verdict) == (v.votes == {c.verdict: 2})
        assert v.status == "judged" or "good: " in v.rationale and "fair: " in v.rationale


def test_dawid_skene_beats_the_majority(tmp_path: Path) -> None:
    found, believed = judge_consensus.consensus(
        300, tmp_path, {"j90": Judge(0.9), "j75": Judge(0.75), "j60": Judge(0.6)}
    )
    assert found["Dawid-Skene"].right > found["majority"].right > found["j75 alone"].right
    assert found["the llm judge"].right >= found["Dawid-Skene"].right and found["the llm judge"].judged > 0.8
    assert believed == sorted(believed, reverse=True) and believed == pytest.approx([0.9, 0.75, 0.6], abs=0.1)


# ---------------------------------------------------------------------- stage


@pytest.fixture
def known() -> list[Known]:
    return cases(24, 9, {"PRED_WRONG": 0.6, "LABEL_WRONG": 0.4})


@pytest.fixture
def run(tmp_path: Path, known: list[Known]) -> Iterator[Run]:
    """A run whose first dataset is probed; its probes have failed."""
    run = Run.create(tmp_path / "run", "cpu-quick", verify__judge="llm")
    samples = Samples(c.sample for c in known)
    samples.write(run.folder(1) / "samples.parquet")
    done = (Completion(render_answer(c.prediction), (1,), (-0.1,), ("x",), "stop") for c in known)
    Probes(judge_completion(c.sample, d, 1) for c, d in zip(known, done, strict=True)).write(
        run.folder(1) / "probes.parquet"
    )
    yield run


def use(run: Run, server: MockLLM, **changes: Any) -> None:
    run.set(
        judge_llm={
            "base_url": server.url,
            "model": "judge",
            "key_env": "NO_KEY",
            "retries": 0,
            "price_in": 1.0,
            **changes,
        }
    )


def test_verify_judges_in_batches_without_a_policy_and_keeps_the_cost(run: Run, known: list[Known]) -> None:
    with MockLLM(Judges(known, {"judge": Judge()}), latency=0.05) as server:
        use(run, server)
        verdicts = verify(run)
        assert server.in_flight > 20
        assert [v.verdict for v in verdicts] == [c.verdict for c in known] and {
            v.iteration for v in verdicts
        } == {1}
        asked = len(server.log)
        assert verify(run) == verdicts and len(server.log) == asked
        run.set(jury__confidence=0.9)
        assert verify(run) == verdicts and len(server.log) == asked
    facts = run.manifest("verdicts", 1)
    assert facts is not None
    (judge,) = facts["judges"]
    assert (judge["model"], judge["answered"], judge["failed"]) == ("judge", 48, 0) and judge[
        "money"
    ] == pytest.approx(judge["tokens_in"] / 1e6)
    assert facts["unjudged"] == facts["judge_failed"] == 0


def test_calls_that_failed_leave_rows_unjudged_and_are_made_again_on_demand(
    run: Run, known: list[Known]
) -> None:
    with MockLLM(Judges(known, {"judge": Judge()}), fail=0.3) as server:
        use(run, server)
        first = verify(run)
        lost = [v for v in first if v.status == "unjudged"]
        assert lost and all(v.judge == "" and "status 503" in v.rationale for v in lost)
        assert (run.manifest("verdicts", 1) or {})["judge_failed"] == len(lost)
        failed = sum(r["status"] == 503 for r in server.log)
        server.fail = 0
        assert verify(run) == first and len(server.log) == 48
        assert [v.verdict for v in verify(run, again=True)] == [c.verdict for c in known] and len(
            server.log
        ) == 48 + failed


def test_a_judge_that_is_down_stops_the_stage_with_the_remedy(run: Run, known: list[Known]) -> None:
    with MockLLM(lambda _: Scripted("{}", 503)) as server:
        use(run, server)
        with pytest.raises(EndpointError, match="answered none of 48 calls.*503"):
            verify(run)
        assert run.manifest("verdicts", 1) is None
        server.answer = Judges(known, {"judge": Judge()})
        assert [v.verdict for v in verify(run)] == [c.verdict for c in known]


def test_a_judge_that_goes_down_on_the_way_stops_the_stage_and_nothing_is_asked_twice(
    run: Run, known: list[Known]
) -> None:
    judges = Judges(known, {"judge": Judge()})
    with MockLLM(lambda body: judges(body) if len(server.log) <= 12 else Scripted("{}", 503)) as server:
        use(run, server, concurrency=4)
        with pytest.raises(EndpointError, match="stopped answering: .* of 48 calls were not tried"):
            verify(run)
        assert run.manifest("verdicts", 1) is None
        answered, before = sum(r["status"] == 200 for r in server.log), len(server.log)
        server.answer = judges
        assert [v.verdict for v in verify(run)] == [c.verdict for c in known]
        assert answered >= 8 and len(server.log) - before == 48 - answered


def test_without_a_model_it_says_where_to_name_one(run: Run) -> None:
    with pytest.raises(EndpointError, match=r"\[judge_llm\] in run.toml"):
        verify(run)


# ----------------------------------------------------------------- benchmark


def test_the_benchmark_of_calls_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--calls", "100", "--rounds", "1", "--latency", "0.01"])
    bench_judge_calls.main()
    out = capsys.readouterr().out
    assert "100 judge calls" in out and "times the bare client's" in out and "ms a call over" in out
