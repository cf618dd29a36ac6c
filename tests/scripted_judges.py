"""Cases whose right verdict is known, and scripted judges of known accuracy and position bias that a mock
server plays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from looptool_kit import world
from looptool_kit.config import Settings
from looptool_kit.core.records import VERDICTS, Verdict, VerdictName
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages.verify import Case, Context
from looptool_kit.stages.verify.llm import judge, prompt

SHARES: dict[VerdictName, float] = {
    "PRED_WRONG": 0.6,
    "LABEL_WRONG": 0.25,
    "BOTH_CORRECT": 0.05,
    "BOTH_WRONG": 0.1,
}
EVEN: dict[VerdictName, float] = {"PRED_WRONG": 0.5, "LABEL_WRONG": 0.5}


class Known(NamedTuple):
    """A failed sample with the verdict that is right."""

    sample: Sample
    prediction: Answer
    verdict: VerdictName


def cases(count: int, seed: int = 0, shares: Mapping[VerdictName, float] = SHARES) -> list[Known]:
    """Samples of the world under their true labels or a planted annotator's error, with a right or another
    wrong prediction.
    """
    rng = Random(seed)
    clean = world.generate(count, seed=seed, kinds=("single", "choice", "parallel"))
    wrongs = [world.plant_noise(clean, 1.0, seed=f"{seed}/{i}")[0] for i in range(2)]
    out = []
    for right, first, second in zip(clean, *wrongs, strict=True):
        verdict = rng.choices(list(shares), list(shares.values()))[0]
        label = right if verdict in ("PRED_WRONG", "BOTH_CORRECT") else first
        said = right if verdict in ("LABEL_WRONG", "BOTH_CORRECT") else second
        out.append(Known(label, Answer.of(said.label), verdict))
    return out


def judged(known: Sequence[Known], settings: Settings, folder: Path) -> list[Verdict]:
    """The verdicts of the `llm` judge, its paid answers kept in the folder."""
    context = Context(settings, folder / "calls.sqlite", lambda: [None] * len(known), {})
    return judge([Case(k.sample, k.prediction) for k in known], context)


class Judge(NamedTuple):
    """How a scripted judge errs."""

    accuracy: float = 1.0
    """Share of the cases on which it holds the right verdict, whatever the order; on the others it holds
    another one.
    """
    bias: float = 0.0
    """Share of the cases on which it names the first answer, whatever it holds."""


class Judges:
    """The answers of scripted judges, by model name, as `MockLLM` takes them."""

    def __init__(self, known: list[Known], judges: Mapping[str, Judge]) -> None:
        self.known, self.judges = known, judges
        self.asked: dict[str, tuple[int, bool]] = {}
        for i, (sample, prediction, _) in enumerate(known):
            label = Answer.of(sample.label)
            self.asked[prompt(sample, prediction, label)] = i, True
            # Where the answers are equal, the order does not matter.
            self.asked[prompt(sample, label, prediction)] = i, False

    def __call__(self, body: dict[str, Any]) -> str:
        name = body["model"]
        case, swapped = self.asked[body["messages"][-1]["content"]]
        scripted, rng = self.judges[name], Random(f"{name}/{case}/{self.known[case].sample.id}")
        held = self.known[case].verdict
        if rng.random() >= scripted.accuracy:
            held = rng.choice([v for v in VERDICTS if v != held])
        said = {"BOTH_CORRECT": "both", "BOTH_WRONG": "neither"}.get(held) or "AB"[
            (held == "LABEL_WRONG") != swapped
        ]
        return opinion("A" if rng.random() < scripted.bias else said)


def opinion(
    verdict: str,
    analysis: str = "One of them leaves a value out.",
    approach: str = "Call the tool with what was said.",
) -> str:
    """A judge's answer in its form."""
    return json.dumps({"correct_approach": approach, "error_analysis": analysis, "verdict": verdict})
