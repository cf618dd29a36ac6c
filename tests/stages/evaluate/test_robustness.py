"""The suite `robustness`: what a policy loses under perturbations, on the same held-out samples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy, base_policy
from looptool_kit.report.data import ReportData
from looptool_kit.report.html import render
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import robustness
from looptool_kit.stages.evaluate import stage as evaluate_stage
from looptool_kit.stages.evaluate.stage import evaluate, failures, finished


class Scripted:
    """Answers as it is told, and counts what it was asked; prompts of `too_long` do not fit."""

    def __init__(self, say: Callable[[Sample], str], too_long: str = "") -> None:
        self.say, self.too_long, self.asked = say, too_long, 0

    def plan(self, chats: Sequence[Any]) -> list[list[int]]:
        if any(c.split == self.too_long for c in chats):
            raise ValueError("too long")
        return [list(range(i, min(i + 3, len(chats)))) for i in range(0, len(chats), 3)]

    def generate(
        self, chats: Sequence[Any], sampling: Sampling, on_batch: Any = None
    ) -> list[list[Completion]]:
        self.asked += len(chats)
        return [[Completion(self.say(c), (1, 2), (-0.5, -0.5), ("a", "b"), "stop")] for c in chats]

    def score(self, chats: Any, answers: Any) -> Any:
        raise NotImplementedError


def _fragile(sample: Sample) -> str:
    """Right on everything, except under typos, and where the tools stand in another order on every second
    sample.
    """
    wrong = sample.split == "typos" or (sample.split == "tool_order" and int(sample.id, 16) % 2)
    return "I do not know." if wrong and sample.label.calls else render_answer(sample.label)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__held_out=8)
    held = Samples(s for split in world.SPLITS[1:] for s in world.generate(8, 1, split))
    held.write(run.folder(0) / "held_out.parquet")
    held[:2].write(run.folder(1) / "samples.parquet")
    return run


def _use(engine: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setattr(evaluate_stage, "open_engine", lambda policy, batch: engine)
    return engine


def test_the_drop_is_measured_on_the_same_samples(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = _use(Scripted(_fragile), monkeypatch)
    policy = base_policy("embedded")
    scores = evaluate(run, policy, "robustness", ["typos", "tool_order", "lower_case"], 6)
    assert Counter(s.split for s in scores) == {"typos": 6, "lower_case": 6, "tool_order": 6}
    found = {c.perturbation: c.result for c in robustness.changes(scores)}
    calls = {
        s.id: bool(s.label.calls)
        for name in found
        for s in run.table(Samples, f"robustness/{name}.samples", 0)
    }
    hit = sum(calls[s.sample_id] for s in scores if s.split == "typos")
    assert (
        found["typos"].mean_a == 1
        and found["typos"].broken == hit > 0
        and found["typos"].difference == pytest.approx(-hit / 6)
    )
    assert found["lower_case"].difference == 0 and -1 < found["tool_order"].difference <= 0
    held = run.table(Samples, "held_out", 0).by_id()
    assert all(s.extra["of"] in held and s.extra["before"] is True for s in scores)
    asked = engine.asked
    assert (
        evaluate(run, policy, "robustness", ["typos", "tool_order", "lower_case"], 6) == scores
        and engine.asked == asked
    )
    probes, samples = failures(run, policy, "robustness")
    assert (
        {x.sample_id for x in probes}
        == {s.sample_id for s in scores if not s.correct}
        == set(samples.by_id())
    )
    assert {x.error for x in probes} == {"should_have_called"}
    robustness.print_scores(run, policy, scores)
    said = capsys.readouterr().out
    assert f"{found['typos'].difference:+.2f}" in said and "tool_order" in said
    with pytest.raises(ValueError, match="no perturbation 'rain'"):
        evaluate(run, policy, "robustness", ["rain"])


def test_held_out_scores_are_the_reference_where_they_exist(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(Scripted(lambda s: "Well?"), monkeypatch)
    policy = Policy(name="D1", iteration=1, model="embedded", adapter="a", key="k")
    evaluate(run, policy)
    engine = _use(Scripted(_fragile), monkeypatch)
    scores = evaluate(run, policy, "robustness", ["tool_order"])
    assert engine.asked == len(scores) and run.manifest("robustness/none", 1) is None
    known = {s.sample_id: s.correct for s in run.table(Scores, "scores", 1)}
    assert [s.extra["before"] for s in scores] == [known[str(s.extra["of"])] for s in scores] and not all(
        known.values()
    )


def test_a_smaller_choice_is_part_of_a_larger_one_and_all_follows_from_the_seed(run: Run) -> None:
    for name in ("entities", "formats"):
        small, large = ([b.id for _, b in robustness.perturbed(run, name, n)[0]] for n in (3, None))
        pairs, left_out = robustness.perturbed(run, name)
        assert (
            small == large[:3] and len(pairs) + sum(left_out.values()) == 24 and left_out.get("do not apply")
        )
        assert all(passes(b) and b.parent == a.id for a, b in pairs)


def test_what_was_answered_is_kept_when_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, told = base_policy("embedded"), []

    def until_the_fifth(sample: Sample) -> str:
        told.append(sample.id)
        if len(told) > 4:
            raise KeyboardInterrupt
        return render_answer(sample.label)

    _use(Scripted(until_the_fifth), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        evaluate(run, policy, "robustness", ["renamed_tools"], 6)
    engine = _use(Scripted(lambda s: render_answer(s.label)), monkeypatch)
    scores = evaluate(run, policy, "robustness", ["renamed_tools"], 6)
    assert engine.asked == 12 - 3 and all(s.correct for s in scores)


def test_prompts_that_fill_the_context_count_as_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(Scripted(lambda s: render_answer(s.label), too_long="longer_context"), monkeypatch)
    scores = evaluate(run, base_policy("embedded"), "robustness", ["longer_context"], 4)
    assert [s.error for s in scores] == ["context"] * 4 and robustness.changes(scores)[
        0
    ].result.difference == -1
    assert len(failures(run, base_policy("embedded"), "robustness")[0]) == 4


def test_policies_are_compared_on_what_both_were_given(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(i: int, policy: str, before: bool, after: bool) -> Score:
        return Score(
            sample_id=str(i),
            suite="robustness",
            split="typos",
            kind="single",
            policy=policy,
            correct=after,
            extra={"before": before},
        )

    rows = Scores(
        [
            *(row(i, "base", True, i < 4) for i in range(10)),
            *(row(i, "D2", True, i < 8) for i in range(5, 15)),
        ]
    )
    first, last = robustness.changes(rows)
    assert (first.policy, first.result.n, first.result.difference) == ("base", 5, -1.0)
    assert (last.policy, last.result.n, last.result.difference) == ("D2", 5, pytest.approx(-0.4))
    assert robustness.changes(rows, ["base"])[0].result.n == 10
    engine = _use(Scripted(_fragile), monkeypatch)
    evaluate(run, base_policy("embedded"), "robustness", ["typos"], 5)
    engine.say = lambda s: render_answer(s.label)
    trained = Policy(name="D1", iteration=1, model="embedded", adapter="a", key="k")
    evaluate(run, trained, "robustness", ["typos"], 5)
    assert [c.policy for c in robustness.changes(finished(run, "robustness"))] == ["base", "D1"]
    robustness.print_scores(run, trained, Scores())
    said = capsys.readouterr().out
    assert "base" in said and "D1" in said and "+0.00" in said


def test_the_command_prints_figures_and_what_was_left_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from looptool_kit.cli import app

    _use(Scripted(_fragile), monkeypatch)
    command = [
        "evaluate",
        str(run.path),
        "--iteration",
        "0",
        "--suite",
        "robustness",
        "--categories",
        "typos,formats",
        "--per-category",
        "20",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    left = run.manifest("robustness/formats", 0)["left_out"]["do not apply"]  # type: ignore[index]
    assert (
        "typos" in said
        and f"formats: {left} do not apply" in said
        and "ProbeView(*looptool_kit.failures(run, policy, 'robustness'))" in said
    )


def test_the_report_shows_the_first_and_the_last_policy() -> None:
    rows = [
        Score(
            sample_id=str(i),
            suite="robustness",
            split=name,
            kind="single",
            policy=policy,
            correct=i < right,
            extra={"before": i < 20},
        )
        for name, policy, right in (
            ("lower_case", "base", 8),
            ("lower_case", "D1", 14),
            ("lower_case", "D2", 18),
            ("typos", "D2", 20),
        )
        for i in range(30)
    ]
    page = render(ReportData(name="r", policies=["base", "D1", "D2"], robustness=rows))
    section = page[
        page.index('<section id="robustness">') : page.index(
            "</section>", page.index('<section id="robustness">')
        )
    ]
    assert [t for t in re.findall(r"<th scope=\"(?:col|row)\">([^<]*)", section)] == [
        *("perturbation", "n", "base, before", "after", "change", "D2, before", "after", "change"),
        *("typos", "lower case"),
    ]
    assert re.findall(r'<span class="([a-z]*)">([^<]*)</span><span', section) == [
        ("", "+0.0"),
        ("bad", "−40.0"),
        ("", "−6.7"),
    ]
    assert (
        section.count("66.7 %") == 4
        and "26.7 %" in section
        and "60.0 %" in section
        and section.count("<td>–</td>") == 3
    )
    assert section.count('class="lt-forest"') == 1 and '<section id="robustness">' not in render(
        ReportData(name="r")
    )
