"""What a judge weighed, and how it led to the probabilities: as the page shows it."""

from __future__ import annotations

from typing import Any

from looptool_kit.core.records import Evidence, Verdict
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._odds import UNWEIGHED

_BY_RULES = ("evidence", "combined")
"""Judges whose probabilities start from the same shares, and whose likelihood has no weight."""
START = (
    weights.PRIOR["PRED_WRONG"] + weights.PRIOR["BOTH_CORRECT"],
    weights.PRIOR["LABEL_WRONG"] + weights.PRIOR["BOTH_CORRECT"],
)
"""Probabilities that label and prediction of a failed sample are right, before anything is weighed."""
_EVEN = weights.MIN_TOLD - 1e-9
"""Differences below tell nothing; without the last place in which 0.6 - 0.5 falls short of 0.1."""
_CLEAR = weights.MIN_AGAINST - 1e-9


def weighed(verdict: Verdict) -> dict[str, Any]:
    """A verdict as `judgement` in `js/judgement.js` draws it: a `Judgement` of `js/types.d.ts`."""
    right = None
    if verdict.for_label is not None and verdict.for_prediction is not None:
        right = [verdict.for_label, verdict.for_prediction]
    return {
        "name": verdict.verdict or "unjudged",
        "rationale": verdict.rationale,
        "confidence": verdict.confidence,
        "start": list(START) if right and verdict.judge in _BY_RULES else None,
        "right": right,
        "judge": verdict.judge,
        "votes": verdict.votes,
        "evidence": [
            [e.name, e.for_label, e.for_prediction, e.words, _says(e, verdict.judge)]
            for e in verdict.evidence
        ],
        "why": _why(verdict, right) if right else "",
    }


def _says(piece: Evidence, judge: str) -> str:
    """How a piece of evidence counts, in words."""
    if judge in _BY_RULES and piece.name == UNWEIGHED:
        return "not counted: a policy finds its own answer likely, right or wrong"
    if abs(piece.lean) < _EVEN:
        return "tells the two not apart"
    side = "prediction" if piece.lean > 0 else "label"
    return f"speaks for the {side}" + ("" if abs(piece.lean) >= _CLEAR else ", a little")


def _why(verdict: Verdict, right: list[float]) -> str:
    """Why the probabilities do not lean as the evidence does; empty where they do."""
    by_rules = verdict.judge in _BY_RULES
    pieces = [e for e in verdict.evidence if not (by_rules and e.name == UNWEIGHED)]
    told, outcome = _side(sum(e.lean for e in pieces)), _side(right[1] - right[0])
    if told == outcome or not verdict.evidence:
        return ""
    if not by_rules:
        return "This judge gives the probabilities itself: they are not the sum of what stands above."
    above = f"What counts above {f'speaks for the {told}' if told else 'tells the two not apart'}"
    if verdict.judge == "combined":
        return f"{above}; what the model says weighs more."
    if not outcome:
        return f"{above}; all the same both answers are about as likely to be right."
    if outcome == _side(START[1] - START[0]):
        return f"{above}, too little to turn around where the judge starts: mostly the label is right."
    return f"{above}; but not every kind of evidence weighs the same."


def _side(lean: float) -> str:
    return "" if abs(lean) < _EVEN else "prediction" if lean > 0 else "label"
