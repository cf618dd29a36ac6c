"""The loop: the order of the stages, and the only place that knows it.

Iteration j: train on D_j, evaluate, probe, verify, expand, compose D_{j+1}. After the last iteration the
policy is trained on the last dataset and evaluated. Every stage does nothing where it has finished, so a
killed loop started again goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable

from looptool_kit.core.samples import Samples
from looptool_kit.core.terminal import say
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run, RunError
from looptool_kit.stages.compose import PART_WORDS, compose
from looptool_kit.stages.evaluate.stage import best, develop, evaluate, scores
from looptool_kit.stages.expand.stage import expand
from looptool_kit.stages.probe import probe
from looptool_kit.stages.seed.stage import seed
from looptool_kit.stages.train.stage import train
from looptool_kit.stages.verify.stage import verify

COUNTS: dict[str, dict[str, str]] = {
    "probes": {"mastered": "mastered", "borderline": "right but unsure", "failed": "failed"},
    "verdicts": {
        "PRED_WRONG": "predictions wrong",
        "LABEL_WRONG": "labels wrong",
        "BOTH_CORRECT": "both right",
        "BOTH_WRONG": "both wrong",
        "unjudged": "unjudged",
    },
    "expansions": {"seeds": "error seeds", "candidates": "candidates", "accepted": "accepted as new samples"},
    "composition": {"total": "rows", **PART_WORDS},
}
"""What is said of a stage: a count of its manifest and its words."""
ALWAYS = ("total", "mastered", "failed", "seeds", "accepted")
"""Counts that are said also where they are zero."""


class Loop:
    """A run going round; `say` receives one line of news after each stage."""

    def __init__(self, run: Run, say: Callable[[str], None] = say) -> None:
        self.run_, self.say = run, say

    def run(self, last: int | None = None) -> None:
        """Seed, go round until D_last (None: as often as the settings say) is composed, train on it and
        evaluate.
        """
        samples = seed(self.run_)
        self.say(f"D1: {len(samples)} seed samples")
        if self.run_.settings.evaluate.base:
            self._evaluate(0)
        last = last or self.run_.settings.iterations + 1
        for j in range(1, last):
            self.step(j)
        self._train(last)
        if found := scores(self.run_, "development_scores"):
            count = max(len(table) for table in found.values())
            right = ", ".join(f"{name} {sum(s.correct for s in table)}" for name, table in found.items())
            self.say(f"best: {best(self.run_)}, by {count} development samples (right: {right})")

    def step(self, j: int) -> Samples:
        """One iteration; returns D_{j+1}. One more than the settings say makes the run longer by it."""
        if j > self.run_.settings.iterations:
            if j not in self.run_.iterations:
                raise RunError(
                    f"D{j} of {self.run_.path} does not exist: the next iteration is {self.run_.iteration}."
                )
            self.run_.set(iterations=j)
            seed(self.run_)
        self._train(j)
        probes = probe(self.run_, iteration=j)
        self._news(f"probe {j}", "probes", j)
        verdicts = verify(self.run_, probes, iteration=j)
        self._news(f"verify {j}", "verdicts", j)
        expanded = expand(self.run_, verdicts, iteration=j)
        self._news(f"expand {j}", "expansions", j)
        samples = compose(self.run_, probes, verdicts, expanded, iteration=j)
        self._news(f"compose D{j + 1}", "composition", j)
        return samples

    def train_only(self, last: int | None = None) -> None:
        """Train and evaluate on the datasets that the run holds (until D_last), without probing or composing:
        what a control on given data does.
        """
        for j in self.run_.iterations:
            if last is None or j <= last:
                self._train(j)

    def _train(self, j: int) -> None:
        samples = self.run_.table(Samples, "samples", j)
        train(self.run_, samples, j)
        facts = (self.run_.manifest("policy", j) or {}).get("trainings", [])
        parts = [f"{f['trainer'].upper()} {f['steps']} steps, {f['tokens']:,} tokens" for f in facts]
        parts += [
            f"{f['groups_without_variance']} of {f['groups']} groups all right or all wrong"
            for f in facts
            if "groups" in f
        ]
        self.say(f"train {j}: {'; '.join(parts)}")
        self._evaluate(j)

    def _evaluate(self, j: int) -> None:
        policy = policy_of(self.run_, j)
        table = evaluate(self.run_, policy)
        right = sum(s.correct for s in table)
        self.say(
            f"evaluate {policy.name}: {right} of {len(table)} held-out samples right"
            f" ({right / max(1, len(table)):.0%})"
        )
        if (self.run_.manifest("seed", 0) or {}).get("development"):
            develop(self.run_, policy)

    def _news(self, title: str, table: str, j: int) -> None:
        manifest = self.run_.manifest(table, j) or {}
        counts = [
            f"{manifest[key]} {words}"
            for key, words in COUNTS[table].items()
            if manifest[key] or key in ALWAYS
        ]
        self.say(f"{title}: {', '.join(counts)}")
