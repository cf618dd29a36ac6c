"""What a language model's verdict adds to the evidence, by how it did on errors of known kind.

With e the evidence judge's probabilities, q their prior, and C[v, s] how often the model says s of cases
whose right verdict is v:

    p(v) ~ q(v) (e(v) / q(v)) ** evidence * C[v, s] ** model

(normalised to sum 1). With both weights 1 that is Bayes' rule for two judges that err independently. They do
not: both err on what the dialogue leaves open. So the weights are fitted, on cases whose model verdict was
left out of C. C holds pretended ratings too, as in `_consensus`: a model that was asked little, or not at
all, counts as a decent judge.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from looptool_kit.core.records import VERDICTS, VerdictName
from looptool_kit.core.samples import Frozen
from looptool_kit.stages.verify._consensus import RIGHT, WRONG
from looptool_kit.stages.verify._weights import PRIOR

SAID = (*VERDICTS, "unjudged")
"""What a model says of a case."""
GRID = tuple(round(0.1 * i, 1) for i in range(11))
"""Weights that are tried: 0 is not believed at all, 1 as far as it says of itself. Planted errors are no
reason to believe either any further.
"""
Counts = dict[VerdictName, dict[str, int]]


class Merits(Frozen):
    """How a language model did on cases with known verdicts.

    It also says how far the model and the rules are believed.
    """

    models: tuple[str, ...] = ()
    """The models that were asked; empty where none was measured."""
    counts: Counts = {}
    """Right verdict -> what the models said -> of how many cases."""
    evidence: float = 1.0
    model: float = 1.0

    def likelihood(self, said: str) -> dict[VerdictName, float]:
        """How often the model says so where each verdict is right."""
        return likelihood(self.counts, said)


class Rated(NamedTuple):
    """A case whose right verdict is known, as both judges see it."""

    group: str
    """Cases of one sample are one group: they are left out together."""
    expected: VerdictName
    said: str
    odds: Mapping[VerdictName, float]
    """The evidence judge's probabilities."""


def likelihood(counts: Counts, said: str) -> dict[VerdictName, float]:
    """Shares of a saying under each right verdict, with the pretended ratings."""
    return {
        v: (of.get(said, 0) + (RIGHT if v == said else WRONG / (len(SAID) - 1)))
        / (sum(of.values()) + RIGHT + WRONG)
        for v in VERDICTS
        for of in (counts.get(v, {}),)
    }


def posterior(odds: Mapping[VerdictName, float], said: str, merits: Merits) -> dict[VerdictName, float]:
    """The probability of each verdict, where the model has said so.

    Args:
        odds: The evidence judge's probabilities.
        said: One of `SAID`.
    """
    share = merits.likelihood(said)
    logs = {
        v: math.log(PRIOR[v])
        + merits.evidence * math.log(max(odds[v], 1e-12) / PRIOR[v])
        + merits.model * math.log(share[v])
        for v in VERDICTS
    }
    top = max(logs.values())
    whole = sum(math.exp(x - top) for x in logs.values())
    return {v: math.exp(x - top) / whole for v, x in logs.items()}


def counted(rated: Sequence[Rated]) -> Counts:
    """What was said of the cases of each right verdict."""
    pairs = Counter((r.expected, r.said) for r in rated)
    return {v: {s: n for s in SAID if (n := pairs[v, s])} for v in VERDICTS}


def fit(rated: Sequence[Rated], models: Sequence[str]) -> Merits:
    """The merits under which the known verdicts are likeliest.

    Each verdict counts as often as among the failed samples of a run (`PRIOR`), however many cases have it.
    """
    counts = counted(rated)
    groups: dict[str, list[Rated]] = {}
    for r in rated:
        groups.setdefault(r.group, []).append(r)
    without = {name: _less(counts, counted(rows)) for name, rows in groups.items()}
    shares = [likelihood(without[r.group], r.said) for r in rated]
    share = np.array([[s[v] for v in VERDICTS] for s in shares]).reshape(-1, len(VERDICTS))
    prior = np.array([PRIOR[v] for v in VERDICTS])
    odds = np.array([[max(r.odds[v], 1e-12) for v in VERDICTS] for r in rated]).reshape(-1, len(VERDICTS))
    right = np.array([VERDICTS.index(r.expected) for r in rated], dtype=int)
    weight = np.array([PRIOR[r.expected] / sum(counts[r.expected].values()) for r in rated])

    def loss(weights: tuple[float, float]) -> float:
        logs = np.log(prior) + weights[0] * np.log(odds / prior) + weights[1] * np.log(share)
        logs -= logs.max(1, keepdims=True)
        said = logs[np.arange(len(right)), right] - np.log(np.exp(logs).sum(1))
        return float(-(weight * said).sum())

    evidence, model = min(product(GRID, GRID), key=loss) if rated else (1.0, 1.0)
    return Merits(models=tuple(models), counts=counts, evidence=evidence, model=model)


def _less(counts: Counts, own: Counts) -> Counts:
    return {v: {s: n - own[v].get(s, 0) for s, n in of.items()} for v, of in counts.items()}
