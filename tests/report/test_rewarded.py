"""The graded reward of an evaluation's answers, from tables that are there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.report.rewarded import reward_lines, rewards_of
from looptool_kit.report.summary import print_scoreboard
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.stage import seed


def scored(run: Run, iteration: int, policy: str, text: dict[str, str], error: str = "") -> Scores:
    facts = {"suite": "held_out", "split": "unseen_values", "kind": "", "policy": policy}
    rows = Scores(
        Score(sample_id=at, correct=not error, text=said, error=error, **facts) for at, said in text.items()
    )
    rows.write(run.folder(iteration) / "scores.parquet")
    run.finish("scores", iteration, "key", time.monotonic(), policy=policy)
    return rows


def test_answers_are_rewarded_and_paired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=4, seeds__held_out=4)
    seed(run)
    held = run.table(Samples, "held_out", 0)
    called: list[Sample] = [s for s in held if s.label.calls][:4]
    right = {s.id: render_answer(s.label) for s in called}
    cut = scored(run, 0, "base", right, "truncated")
    assert set(rewards_of(held, cut).values()) == {-2.0}
    assert reward_lines(run) == []
    wrong = called[0].label.calls[0].model_copy(update={"name": "no_such_tool"})
    after = {**right, called[0].id: render_answer(Label(calls=(wrong,)))}
    scores = scored(run, 1, "D1", after)
    assert (
        rewards_of(held, scores)[called[1].id] == 1.0 and rewards_of(held, scores, "match")[called[0].id] == 0
    )
    (line,) = reward_lines(run)
    mean = sum(rewards_of(held, scores).values()) / 4
    assert f"n = 4: -2.00 base, {mean:.2f} D1, difference {mean + 2:+.2f} [+" in line
    print_scoreboard(run)
    assert "Graded reward (-2 to 1)" in capsys.readouterr().out
