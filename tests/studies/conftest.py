"""What the tests of studies share: a policy that needs no model, and trainings that only count."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run


class Scripted:
    """A policy that answers by a rule: of each three samples one right and sure, one right and unsure, one
    wrong; planted errors are seen through.
    """

    def __init__(self, policy: Policy) -> None:
        run = Path(policy.adapter or "").parents[4]
        self.arm = run.name
        self.truth = {t.sample_id: t.label for t in Truths.read(run / "seed" / "truth.parquet")}

    def plan(self, chats: list[Sample]) -> list[list[int]]:
        return [list(range(len(chats)))]

    def generate(self, chats: list[Sample], sampling: Sampling) -> list[list[Completion]]:
        return [[self.answer(s)] for s in chats]

    def answer(self, sample: Sample) -> Completion:
        number = int(sample.id[:6], 16)
        label = self.truth.get(sample.id, sample.label)
        if number % 3 == 2 and sample.id not in self.truth:
            label = Label(reply="I am not sure what you want.") if label.calls else Label(calls=())
        if sample.split != "train":  # held out: each arm has others right
            label = sample.label if (number + len(self.arm)) % 3 else Label(reply="No.")
        logprob = -0.9 if number % 3 else -0.01
        return Completion(render_answer(label), (1, 2), (logprob, logprob), ("a", "b"), "stop")

    def score(self, chats: list[Sample], answers: list[str]) -> list[tuple[float, ...]]:
        return [(-0.5, -0.5) for _ in answers]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(run, iteration) of every training, in order."""
    calls: list[tuple[str, int]] = []

    def train(
        run: Run, samples: Samples, before: Policy, place: Path, seed: int, first: bool
    ) -> list[dict[str, Any]]:
        calls.append((run.path.name, before.iteration + 1))
        (place / "sft" / "adapter").mkdir(parents=True)
        (place / "sft" / "adapter" / "weights").write_text(f"{run.path.name} {before.iteration + 1}")
        return [{"trainer": "sft", "folder": "sft", "steps": 1, "tokens": 100 * len(samples)}]

    monkeypatch.setattr(import_module("looptool_kit.stages.train.stage"), "_train", train)
    for name in ("stages.probe", "stages.verify.stage", "stages.evaluate.stage", "studies.likelihood"):
        module = import_module(f"looptool_kit.{name}")
        monkeypatch.setattr(module, "open_engine", lambda policy, batch: Scripted(policy))
    return calls
