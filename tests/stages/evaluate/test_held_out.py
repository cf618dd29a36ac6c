"""The suite `held_out`, and what the stage does for every suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import base_policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import find_suite, held_out, stage


class Scripted:
    """Wrong about unseen tools, else right; one sample does not fit."""

    def __init__(self, too_long: Sample) -> None:
        self.too_long, self.asked = too_long, 0

    def plan(self, chats: Sequence[Any]) -> list[list[int]]:
        if self.too_long in chats:
            raise ValueError("too long")
        return [[i] for i in range(len(chats))]

    def generate(self, chats: Sequence[Any], sampling: Sampling) -> list[list[Completion]]:
        self.asked += len(chats)
        return [[self.answer(c)] for c in chats]

    def answer(self, sample: Sample) -> Completion:
        label = Label(reply="No idea.") if sample.split == "unseen_tools" else sample.label
        return Completion(render_answer(label), (1,), (-0.5,), ("a",), "stop")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = Run.create(tmp_path / "run", "cpu-quick")
    samples = Samples(s for split in world.SPLITS[1:] for s in world.generate(6, 1, split))
    samples.write(run.folder(0) / "held_out.parquet")
    samples[:4].write(run.folder(0) / "development.parquet")
    monkeypatch.setattr(stage, "open_engine", lambda policy, batch: Scripted(samples[0]))
    return run


def test_a_prompt_that_does_not_fit_is_wrong(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    policy, samples = base_policy(run.settings.model), run.table(Samples, "held_out", 0)
    scores = stage.evaluate(run, policy)
    assert [s.sample_id for s in scores] == [s.id for s in samples]
    assert [s.error for s in scores if s.error == "context"] == ["context"] == [scores[0].error]
    assert not scores[0].correct and all(s.correct for s in scores[1:12])
    probes, failed = stage.failures(run, policy)
    assert (
        [p.sample_id for p in probes]
        == [s.id for s in failed]
        == [s.sample_id for s in scores if not s.correct]
    )
    held_out.print_scores(run, policy, scores)
    assert capsys.readouterr().out.count("right (95%:") == 3


def test_development_samples_are_a_category_of_their_own(run: Run) -> None:
    policy = base_policy(run.settings.model)
    assert len(stage.develop(run, policy)) == 4
    assert list(stage.scores(run, "development_scores")) == ["base"] and not stage.scores(run)
    with pytest.raises(ValueError, match="no category 'unseen_tools'; choose from held_out, development"):
        stage.evaluate(run, policy, categories=["unseen_tools"])
    with pytest.raises(ValueError, match="leave out per_category"):
        stage.evaluate(run, policy, per_category=3)
    with pytest.raises(ValueError, match="is not that of"):
        stage.evaluate(run, policy.model_copy(update={"key": "another"}))


def test_an_unknown_suite_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match="'gsm8k'; choose one of acebench, bfcl, held_out, robustness"):
        find_suite("gsm8k")
