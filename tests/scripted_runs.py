"""Whole loops in a second: a policy that answers by a rule and trains by writing a line, on the world's
samples.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.loop import Loop
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run

_made: dict[str, tempfile.TemporaryDirectory[str]] = {}

SMALL: dict[str, Any] = {
    **{
        "seeds__first": 12,
        "iterations": 2,
        "seeds__fresh": [4, 2],
        "seeds__held_out": 2,
        "seeds__noise": 0.2,
        "seeds__development": 3,
    },
    **{"expand__children": 1, "expand__most": 6, "compose__hppl": 3, "probe__quantile": 0.3},
}


class Scripted:
    """Of each three samples one right and sure, one right and unsure, one wrong."""

    def plan(self, chats: list[Sample]) -> list[list[int]]:
        return [list(range(at, min(at + 5, len(chats)))) for at in range(0, len(chats), 5)]

    def generate(self, chats: list[Sample], sampling: Sampling) -> list[list[Completion]]:
        return [[self.answer(s)] for s in chats]

    def answer(self, sample: Sample) -> Completion:
        number = int(sample.id[:6], 16) % 3
        wrong = Label(reply="I am not sure what you want.") if sample.label.calls else Label(calls=())
        logprob = -0.9 if number else -0.01
        return Completion(
            render_answer(wrong if number == 2 else sample.label),
            (1, 2),
            (logprob, logprob),
            ("a", "b"),
            "stop",
        )

    def score(self, chats: list[Sample], answers: list[str]) -> list[tuple[float, ...]]:
        return [(-0.5, -0.5) for _ in answers]


def scripted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put the scripted policy in place of the model; returns the list to which each training adds its
    iteration.
    """
    trained: list[int] = []

    def train(
        run: Run, samples: Samples, before: Policy, place: Path, seed: int, first: bool
    ) -> list[dict[str, Any]]:
        trained.append(before.iteration + 1)
        (place / "sft" / "adapter").mkdir(parents=True)
        (place / "sft" / "adapter" / "weights").write_text(f"{len(trained)} of {run.path}")
        (place / "sft" / "history.jsonl").write_text("")
        return [{"trainer": "sft", "folder": "sft", "steps": 1, "tokens": 100 * len(samples)}]

    monkeypatch.setattr(import_module("looptool_kit.stages.train.stage"), "_train", train)
    used = (
        "probe",
        "verify.stage",
        "evaluate.stage",
        "compose.augmented",
        "expand.hardgen",
        "expand._failing",
    )
    for stage in used:
        monkeypatch.setattr(
            import_module(f"looptool_kit.stages.{stage}"), "open_engine", lambda policy, batch: Scripted()
        )
    return trained


def finished_loop(path: Path, **settings: Any) -> Run:
    """A run that has gone round to its end; the scripted policy must be in place. It is made once, and then
    copied.
    """
    wanted = json.dumps(settings, sort_keys=True)
    if wanted not in _made:
        _made[wanted] = tempfile.TemporaryDirectory()
        with Run.create(Path(_made[wanted].name) / "run", "cpu-quick", **(SMALL | settings)) as run:
            go(run)
    shutil.copytree(Path(_made[wanted].name) / "run", path)
    return Run.open(path)


def go(run: Run) -> None:
    """Go round to the end, without news."""
    Loop(run, lambda _: None).run()


def files(path: Path) -> dict[str, bytes]:
    """Everything that the stages keep in a run: path -> content."""
    kept = (
        p
        for p in path.rglob("*")
        if p.is_file() and p.name not in (".lock", "run.toml", "report.html", "rejected.jsonl")
    )
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(kept)}
