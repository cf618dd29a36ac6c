"""The loop: the one place that knows the order of stages.

Iteration j: train on D_j, evaluate, probe, verify, expand, compose D_{j+1}. After the last iteration the
policy is trained on the last dataset and evaluated. Every stage does nothing where it has finished, so a
killed loop that is started again resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable

from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.core.terminal import say
from looptool_kit.pilot import estimate
from looptool_kit.policy.policy import policy_of
from looptool_kit.policy.recorded_form import fetch
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import check_strategies
from looptool_kit.stages.compose import PART_WORDS, compose
from looptool_kit.stages.evaluate.stage import best, develop, evaluate, scores
from looptool_kit.stages.expand.stage import expand
from looptool_kit.stages.probe import probe
from looptool_kit.stages.seed.stage import seed
from looptool_kit.stages.train.frontier import frontier, wanted
from looptool_kit.stages.train.stage import train
from looptool_kit.stages.verify.stage import verify

COUNTS: dict[str, dict[str, str]] = {
    "probes": {"mastered": "mastered", "borderline": "right but unsure", "failed": "failed"},
    "frontier": {
        "rows": "samples measured",
        "of_grpo": "by GRPO's own rollouts",
        "in_zone": "neither too easy nor too hard",
        "inconsistent": "right in half of the rollouts or less",
    },
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
"""Manifest -> its counts that are printed -> their names."""
ALWAYS = ("total", "mastered", "failed", "seeds", "accepted")
"""Counts that are printed also where they are zero."""


class Loop:
    """The loop on a run."""

    def __init__(self, run: Run, say: Callable[[str], None] = say, given: int = 0) -> None:
        """Name the run.

        Args:
            say: Called with one line after each stage.
            given: Policies up to D_given are taken as they stand in the run, whatever the settings would now
                make of them: arms that are compared share their D1.
        """
        self._run, self.say, self._given = run, say, given

    def run(self, last: int | None = None) -> None:
        """Run the loop: seed, iterate until D_last, train on it, evaluate.

        Args:
            last: None: as the settings say.
        """
        check_strategies(self._run.settings, str(self._run.path / "run.toml"))
        if self._run.settings.verify.judge == "llm":
            from looptool_kit.stages.verify.llm import models_of

            models_of(self._run.settings)  # raises now, not after hours of training
        fetch(self._run.settings.model)
        if self._run.settings.band.estimate:
            estimate(self._run)
        samples = seed(self._run)
        apart = (self._run.manifest("seed", 0) or {}).get("held_out")
        self.say(
            f"D1: {len(samples)} seed samples" + (f"; {apart} more are held out for scores" if apart else "")
        )
        if self._run.settings.evaluate.base:
            self._evaluate(0)
        last = last or self._run.settings.iterations + 1
        for j in range(1, last):
            self.step(j)
        self._train(last)
        if tables := scores(self._run, "development_scores"):
            count = max(len(table) for table in tables.values())
            right = ", ".join(f"{name} {sum(s.correct for s in table)}" for name, table in tables.items())
            self.say(f"best: {best(self._run)}, by {count} development samples (right: {right})")

    def step(self, j: int) -> Samples:
        """Run iteration j and return D_{j+1}.

        One more iteration than the settings say makes the run longer by it.

        Raises:
            RunError: D_j does not exist.
        """
        if j > self._run.settings.iterations:
            if j not in self._run.iterations:
                raise RunError(
                    f"D{j} of {self._run.path} does not exist: the next iteration is {self._run.iteration}."
                )
            # A longer run draws more seed samples; those drawn before stay.
            self._run.set(iterations=j)
            seed(self._run)
        self._train(j)
        probes = probe(self._run, iteration=j)
        self._print_counts(f"probe {j}", "probes", j)
        if wanted(self._run):
            frontier(self._run, j)
            self._print_counts(f"frontier {j}", "frontier", j)
        verdicts = verify(self._run, probes, iteration=j)
        self._print_counts(f"verify {j}", "verdicts", j)
        expanded = expand(self._run, verdicts, iteration=j)
        self._print_counts(f"expand {j}", "expansions", j)
        samples = compose(self._run, probes, verdicts, expanded, iteration=j)
        self._print_counts(f"compose D{j + 1}", "composition", j)
        return samples

    def train_only(self, last: int | None = None) -> None:
        """Train and evaluate on the datasets that the run holds.

        It ends with D_last, as a control does.
        """
        for j in self._run.iterations:
            if last is None or j <= last:
                self._train(j)

    def _train(self, j: int) -> None:
        if j > self._given:
            train(self._run, self._run.table(Samples, "samples", j), j)
        facts = (self._run.manifest("policy", j) or {}).get("trainings", [])
        parts = [
            f"{f.get('trainer', '').upper()} {f.get('steps', 0)} steps, {f.get('tokens', 0):,} tokens"
            for f in facts
        ]
        parts += [
            f"{f.get('groups_without_variance', 0)} of {f['groups']} groups all right or all wrong"
            for f in facts
            if "groups" in f
        ]
        self.say(f"train {j}: {'; '.join(parts)}")
        self._evaluate(j)

    def _evaluate(self, j: int) -> None:
        policy = policy_of(self._run, j)
        table = evaluate(self._run, policy)
        right = sum(s.correct for s in table)
        self.say(
            f"evaluate {policy.name}: {right} of {len(table)} held-out samples right"
            f" ({right / max(1, len(table)):.0%})"
        )
        if (self._run.manifest("seed", 0) or {}).get("development"):
            develop(self._run, policy)

    def _print_counts(self, title: str, table: str, j: int) -> None:
        manifest = self._run.manifest(table, j) or {}
        counts = [
            f"{manifest.get(key, 0)} {words}"
            for key, words in COUNTS[table].items()
            if manifest.get(key) or key in ALWAYS
        ]
        self.say(f"{title}: {', '.join(counts)}")
        if note := (manifest.get("augment") or {}).get("note"):
            self.say(note)
