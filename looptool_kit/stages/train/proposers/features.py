"""The proposer `features`: a softmax over features of plans, without a model.

The world draws plans for the tool list, so many of each kind. A plan is proposed with a probability that is
proportional to that of its kind in the world times exp(weights . features). Of two plans of one prompt the
normaliser and the world's own probability cancel in the log-ratio to a reference, so that DPO (arXiv
2305.18290) is a logistic regression on differences of features, and the policy gradient of a group with
advantages that add up to zero is a sum over its pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from looptool_kit.run.folder import Run
from looptool_kit.world.calls import Plan
from looptool_kit.world.plans import WEIGHTS
from looptool_kit.world.proposed import Line, Preferred, Prompt, drawn, features, line_of, read_plan
from looptool_kit.world.spec import Spec

BETA = 0.1
"""DPO's, as in ReverseGen."""
STEPS, RATE = 100, 0.5
"""Gradient steps on a round's pairs, and their size: a feature that tells all pairs apart gains 2.5 nats at
the most. To the end the regression has none where the pairs can be told apart without an error.
"""
PAID_RATE = 1.0
"""Size of the one step by policy gradient: a second one would be on plans of an older proposer."""
DRAWS = 24
"""Plans that are drawn of each kind to choose from."""
Array = NDArray[np.float64]


def make(run: Run, iteration: int, place: Path, key: str, seed: int) -> Features:
    """Make a proposer that proposes as the world draws.

    What it has learnt is in the proposals' table.
    """
    return Features(paid=run.settings.reverse.pay == "uncertainty")


class Features:
    """Weights of features, and what is drawn by them."""

    def __init__(self, paid: bool = False) -> None:
        """Begin with all weights at zero; `paid`: learn by policy gradient in place of DPO."""
        self.weights: dict[str, float] = {}
        self.paid = paid

    def propose(self, prompt: Prompt, kinds: Sequence[str | None], rng: Random) -> list[Line]:
        """Different plans, drawn in proportion to their probabilities without replacement (Gumbel top-k)."""
        tools = prompt.specs
        plans = candidates(tools, rng)
        noise = [-math.log(-math.log(rng.random() or 0.5)) for _ in plans]
        order = np.argsort(-(self.scores(plans, tools) + np.array(noise)), kind="stable")
        left = [plans[i] for i in order]
        lines = []
        for kind in sorted(kinds, key=lambda k: k is None):  # what is prescribed comes first
            at = next((i for i, plan in enumerate(left) if kind in (None, plan["kind"])), 0)
            if left:
                lines.append(Line(line_of(left.pop(at))))
        return lines

    def scores(self, plans: Sequence[Plan], tools: Sequence[Spec]) -> Array:
        """Log-probability of each plan but for a constant."""
        counts = {kind: sum(p["kind"] == kind for p in plans) for kind in WEIGHTS}
        base = [math.log(WEIGHTS[p["kind"]] / counts[p["kind"]]) for p in plans]
        own = [self._score(features(p, tools)) for p in plans]
        scores: Array = np.array(base) + np.array(own)
        return scores

    def _score(self, found: dict[str, float]) -> float:
        return sum(self.weights.get(name, 0.0) * value for name, value in found.items())

    def chances(self, plans: Sequence[Plan], tools: Sequence[Spec]) -> Array:
        """Probability of each of these plans, if one of them is proposed."""
        scores = self.scores(plans, tools)
        odds = np.exp(scores - scores.max())
        chances: Array = odds / odds.sum()
        return chances

    def learn(self, pairs: Sequence[Preferred], number: int = 0) -> None:
        """DPO against the weights of now, or one step of policy gradient."""
        found = [_difference(pair) for pair in pairs]
        names = sorted({name for difference in found for name in difference})
        if not names:
            return
        differences = np.array([[d.get(name, 0.0) for name in names] for d in found])
        if self.paid:
            step = PAID_RATE * payment(differences, np.array([p.gap for p in pairs])) / len(pairs)
        else:
            step = np.zeros(len(names))
            for _ in range(STEPS):
                step -= RATE * dpo(step, differences)[1]
        for name, more in zip(names, step.tolist(), strict=True):
            self.weights[name] = self.weights.get(name, 0.0) + more

    def facts(self) -> dict[str, Any]:
        """The weights, the largest first."""
        ordered = sorted(self.weights.items(), key=lambda item: (-item[1], item[0]))
        return {"weights": {name: round(value, 4) for name, value in ordered if value}}


def candidates(tools: Sequence[Spec], rng: Random) -> list[Plan]:
    """Draw different plans that a tool list allows.

    Each kind is drawn equally often.
    """
    found: dict[str, Plan] = {}
    for kind in WEIGHTS:
        for _ in range(DRAWS):
            if (plan := drawn(kind, tools, rng)) is None:
                break
            found.setdefault(line_of(plan), plan)
    return list(found.values())


def dpo(moved: Array, differences: Array, beta: float = BETA) -> tuple[float, Array]:
    """The mean DPO loss of pairs and its gradient by the weights.

    Args:
        moved: Weights less those of the reference.
        differences: Features of the chosen plan less those of the rejected one, a row a pair.
        beta: How strongly a difference counts.
    """
    margins = beta * differences @ moved
    loss = float(np.logaddexp(0.0, -margins).mean())
    pull = -beta / (1.0 + np.exp(margins))
    gradient: Array = (pull[:, None] * differences).mean(0)
    return loss, gradient


def payment(differences: Array, gaps: Array) -> Array:
    """Return the policy gradient of what pairs of plans were paid.

    It is the sum of gap times difference of features. The normaliser of the probabilities cancels in each
    pair.
    """
    gradient: Array = (gaps[:, None] * differences).sum(0)
    return gradient


def _difference(pair: Preferred) -> dict[str, float]:
    """Features of the chosen plan less those of the rejected one; nothing where a line is no plan."""
    sides = [read_plan(line, pair.prompt.specs)[0] for line in (pair.chosen, pair.rejected)]
    if sides[0] is None or sides[1] is None:
        return {}
    chosen, rejected = (features(plan, pair.prompt.specs) for plan in sides if plan)
    every = {name: chosen.get(name, 0.0) - rejected.get(name, 0.0) for name in {*chosen, *rejected}}
    return {name: value for name, value in every.items() if value}
