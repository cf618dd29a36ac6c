"""What a review of verdicts amounts to: how far it is, how person and judge agree, and what is next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from looptool_kit.core.records import Probe, Verdict, VerdictName
from looptool_kit.core.samples import Label, Sample
from looptool_kit.core.stats import Kappa, cohen_kappa
from looptool_kit.run.decisions import Decision
from looptool_kit.widgets.decision import has, verdict_of
from looptool_kit.widgets.labels import checked, predicted_label

_REQUEST_CHARACTERS = 40
"""Of a sample's request, where a message names the sample by it."""
BLIND = "the judge's verdicts are hidden while you decide blind: switch blind off first"
MIN_FOR_KAPPA = 10
"""Rows that both judged from which Cohen's kappa is shown: its interval is still about 1 wide there."""
MEANINGS: dict[VerdictName, tuple[str, str]] = {
    "PRED_WRONG": ("prediction wrong", "the label stands, the sample is an error seed"),
    "LABEL_WRONG": ("label wrong", "the prediction takes the label's place"),
    "BOTH_CORRECT": ("both correct", "kept only at high perplexity"),
    "BOTH_WRONG": ("both wrong", "the sample is discarded"),
}
"""Each verdict in words, and what becomes of the sample."""


def words_of(verdicts: Collection[str]) -> list[list[str]]:
    """What the verdicts among these say, and whose they are."""
    among = [[name, words] for name, (words, _) in MEANINGS.items() if name in verdicts]
    return among and [*among, ["verdicts", "the judge's, or a person's in its place"]]


def agreement(decisions: Mapping[str, Decision], verdicts: Mapping[str, Verdict]) -> Kappa:
    """Cohen's kappa between person and judge, over rows both judged.

    Rows accepted in bulk are the judge's opinion and not a second one, so they do not count. Where rows were
    decided blind, only these count.

    Args:
        decisions: those in force, by sample id.
        verdicts: the judge's, by sample id.
    """
    return cohen_kappa(*_raters(decisions, verdicts))


def _raters(
    decisions: Mapping[str, Decision], verdicts: Mapping[str, Verdict]
) -> tuple[list[str], list[str]]:
    """The verdicts of person and judge on the rows that count."""
    counted = [d for d in decisions.values() if not has(d, "together")]
    counted = [d for d in counted if has(d, "blind")] or counted
    both = [(verdict_of(d), judge) for d in counted if (judge := verdicts[d.row].verdict) is not None]
    return [person for person, _ in both], [judge for _, judge in both]


def progress(decisions: Mapping[str, Decision], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return how far the review is.

    As the page shows it (`progress` in `js/types.d.ts`).
    """
    raters = _raters(decisions, verdicts)
    agreed = cohen_kappa(*raters)
    # A rater with one verdict on all rows agrees by chance alone, whatever the other says.
    says = agreed.n >= MIN_FOR_KAPPA and all(len(set(of)) > 1 for of in raters)
    return {
        "reviewed": len(decisions),
        "left": len(verdicts) - len(decisions),
        "n": agreed.n,
        "observed": agreed.observed if agreed.n else None,
        "kappa": [agreed.kappa, *agreed.interval()] if says else None,
        "needs": MIN_FOR_KAPPA,
        "together": sum(has(d, "together") for d in decisions.values()),
        "blind": any(has(d, "blind") for d in decisions.values()),
    }


def accepted_with(decision: Decision, decisions: Mapping[str, Decision]) -> list[str]:
    """The rows that were accepted together with this one, if any."""
    together = decision.value.get("together") if isinstance(decision.value, dict) else None
    return [
        row
        for row, d in decisions.items()
        if together and isinstance(d.value, dict) and d.value.get("together") == together
    ]


def next_open(order: np.ndarray, codes: np.ndarray, row: int | None) -> int | None:
    """Return the next row not reviewed after a row.

    In a circle; None where there is no other.

    Args:
        order: the rows shown.
        codes: for each row 0 where it is not reviewed.
        row: the row to start at.
    """
    at = np.flatnonzero(order == row)
    rolled = np.roll(order, -int(at[0]) - 1) if len(at) else order
    left = rolled[codes[rolled] == 0]
    left = left[left != row]
    return int(left[0]) if len(left) else None


def standing(verdict: Verdict, probe: Probe, sample: Sample) -> Label:
    """The label after LABEL_WRONG: the judge's, else the prediction.

    Raises:
        ValueError: the sample cannot have that label.
    """
    own = verdict.label if verdict.verdict == "LABEL_WRONG" else None
    return checked(own or predicted_label(probe.answer), sample)


def stands(verdict: Verdict, probe: Probe, sample: Sample, label: Label | None = None) -> bool:
    """Whether there is a label after LABEL_WRONG.

    With `label`, whether it is that one.
    """
    try:
        found = standing(verdict, probe, sample)
    except ValueError:
        return False
    return label is None or label == found


def named(sample: Sample) -> str:
    """A sample as a person knows it: by its request's first words."""
    request = sample.request
    return f"“{request[:_REQUEST_CHARACTERS]}{'…' if len(request) > _REQUEST_CHARACTERS else ''}”"


def without(texts: Mapping[str, str], id: str) -> dict[str, str]:
    """The texts without that of one row."""
    return {k: v for k, v in texts.items() if k != id}
