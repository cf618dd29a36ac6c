"""What the signs say together: the probabilities of the four verdicts.

A softmax over linear scores (multinomial logistic regression). The signs of one side less those of the other
decide between label and prediction, so that swapping the two swaps their probabilities; signs of both
together tell whether both are right or both wrong. The weights stand in `_weights`; `benchmarks/judge_fit.py`
fits them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from looptool_kit.checks.rules import GROUNDED
from looptool_kit.core.records import Evidence, VerdictName
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._answers import Side
from looptool_kit.text.grounding.scores import UNSAID

KINDS = {
    "schema": ("schema", "reply"),
    **{
        name: (name,)
        for name in (
            "grounding",
            "meant",
            "left out",
            "made up",
            "call",
            "repeat",
            "tool",
            "answer",
            "asking",
        )
    },
}
"""Sign -> the names of the evidence that it sums. A reply that lacks what it must say counts as what breaks a
schema. A question that names what is missing tells more than one that asks for anything at all.
"""
UNWEIGHED = "likelihood"
"""The policy's likelihood is shown and has no weight: in finished loops it leaned to the prediction alike,
whichever side was right.
"""


def between(evidence: Sequence[Evidence], label: Side, prediction: Side) -> dict[str, float]:
    """Return the signs for the prediction and against the label.

    Swapping the two turns every sign around.
    """
    clear = [e for e in evidence if abs(e.lean) >= weights.MIN_AGAINST]
    signs = {kind: _bounded(sum(e.lean for e in clear if e.name in names)) for kind, names in KINDS.items()}
    # What leans a little says little, of whatever kind it is: half of it leans the wrong way.
    signs["weak"] = _bounded(
        sum(e.lean for e in evidence if e.name != UNWEIGHED and abs(e.lean) < weights.MIN_AGAINST)
    )
    signs["unsaid"] = _unsaid(label) - _unsaid(prediction)
    signs["contradicted"] = _contradicted(label) - _contradicted(prediction)
    return signs


def together(evidence: Sequence[Evidence], label: Side, prediction: Side, alike: bool) -> dict[str, float]:
    """Return the signs that two answers give together.

    The same where they are swapped.

    Args:
        alike: Whether the answers say the same in other words.
    """
    leans = [e.lean for e in evidence if e.name != UNWEIGHED]
    forward, back = max([0.0, *leans]), max([0.0, *(-lean for lean in leans)])
    return {
        "even": 1.0,
        "alike": float(alike),
        "telling": max(forward, back),
        "mutual": min(forward, back),
        "one-sided": float(max(forward, back) >= weights.MIN_AGAINST and not min(forward, back)),
        "asked": float(any(e.name == "asking" for e in evidence)),
        "one broken": float(bool(label.errors) != bool(prediction.errors)),
        "both broken": float(bool(label.errors) and bool(prediction.errors)),
        "one unsaid": abs(_unsaid(label) - _unsaid(prediction)),
        "both unsaid": min(_unsaid(label), _unsaid(prediction)),
        "all said": float(not _faults(label) and not _faults(prediction)),
        "differences": min(3.0, float(len(leans))) / 3,
    }


def probabilities(
    between: Mapping[str, float], together: Mapping[str, float], prior: Mapping[VerdictName, float]
) -> dict[VerdictName, float]:
    """Return the probability of each verdict.

    Where the prior gives their shares among failed samples.
    """
    side = sum(weights.BETWEEN.get(name, 0.0) * value for name, value in between.items())
    scores: dict[VerdictName, float] = {
        "PRED_WRONG": -side,
        "LABEL_WRONG": side,
        "BOTH_CORRECT": sum(weights.BOTH_RIGHT.get(name, 0.0) * v for name, v in together.items()),
        "BOTH_WRONG": sum(weights.BOTH_FALSE.get(name, 0.0) * v for name, v in together.items()),
    }
    top = max(scores.values())
    odds = {name: prior[name] * math.exp(score - top) for name, score in scores.items()}
    whole = sum(odds.values())
    return {name: value / whole for name, value in odds.items()}


def _bounded(lean: float) -> float:
    return max(-1.0, min(1.0, lean))


def _faults(side: Side) -> bool:
    return bool(side.errors) or any(g.supported < GROUNDED for f in side.found for g in f.values())


def _unsaid(side: Side) -> float:
    """1 where a value is said nowhere."""
    return float(any(g.supported <= UNSAID for f in side.found for g in f.values()))


def _contradicted(side: Side) -> float:
    """1 where something speaks against a value, or a part of it alone is said."""
    return float(any(UNSAID < g.supported < GROUNDED for f in side.found for g in f.values()))
