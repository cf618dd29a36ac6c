"""What a judge's trials say of trusting it: reliability, what it throws away, from where it is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from looptool_kit.core.records import VerdictName
from looptool_kit.core.stats import wilson
from looptool_kit.stages.verify._weights import PRIOR

BINS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
"""Bounds of the probabilities that are told together: narrow where verdicts are decided."""
MAX_MISSED = 3
"""Kinds that the line of what is missed names: a few, the card's table has them all."""
SIDES: dict[VerdictName, tuple[bool, bool]] = {
    "PRED_WRONG": (True, False),
    "LABEL_WRONG": (False, True),
    "BOTH_CORRECT": (True, True),
    "BOTH_WRONG": (False, False),
}
"""Which of label and prediction are right."""


class Told(Protocol):
    """A question whose answer is known, with the judge's."""

    @property
    def expected(self) -> VerdictName: ...
    @property
    def verdict(self) -> str: ...
    @property
    def for_label(self) -> float | None: ...
    @property
    def for_prediction(self) -> float | None: ...


class Share(NamedTuple):
    """`k` of `n` with Wilson's 95% interval."""

    k: int
    n: int
    lo: float
    hi: float

    def __str__(self) -> str:
        return f"{self.k / self.n:.2f} [{self.lo:.2f}, {self.hi:.2f}]" if self.n else "-"

    @property
    def percent(self) -> str:
        """The same in percent."""
        return f"{self.k / self.n:.0%} [{self.lo:.0%}, {self.hi:.0%}]" if self.n else "-"


def share(flags: Sequence[bool]) -> Share:
    """How many are true, with an interval."""
    return Share(sum(flags), len(flags), *wilson(sum(flags), len(flags)))


class Reliability(NamedTuple):
    """One row of a reliability table."""

    low: float
    high: float
    answers: int
    said: float
    """Mean probability that an answer is right."""
    right: float
    """Share of the answers that are."""


def reliability(answered: Sequence[Told]) -> list[Reliability]:
    """Compare a judge's probabilities with how often it is right.

    Labels and predictions together. Each trial counts as its verdict does among the failed samples of a
    run (`PRIOR`), not as among the trials, where wrong labels are frequent. Empty where the judge gives
    no probabilities.
    """
    counts = {name: sum(t.expected == name for t in answered) for name in PRIOR}
    rows = [
        (said, right, PRIOR[t.expected] / counts[t.expected])
        for t in answered
        for said, right in zip((t.for_label, t.for_prediction), SIDES[t.expected], strict=True)
        if said is not None
    ]
    table = []
    for low, high in zip(BINS, BINS[1:], strict=False):
        inside = [r for r in rows if low <= r[0] < high or high == r[0] == 1.0]
        weight = sum(w for _, _, w in inside)
        if inside:
            said = sum(p * w for p, _, w in inside) / weight
            right = sum(w for _, ok, w in inside if ok) / weight
            table.append(Reliability(low, high, len(inside), said, right))
    return table


def discarded(answered: Sequence[Told]) -> Share:
    """Of the right labels, those that are thrown away or replaced.

    That is BOTH_WRONG; and LABEL_WRONG where the prediction is wrong.
    """
    lost = [
        t.verdict == "BOTH_WRONG" or t.verdict == "LABEL_WRONG" and t.expected == "PRED_WRONG"
        for t in answered
        if SIDES[t.expected][0]
    ]
    return share(lost)


def worth_from(answered: Sequence[Told]) -> tuple[float, float]:
    """Find from which share of wrong labels LABEL_WRONG pays.

    From there on it fixes more labels than it spoils. b / (a + b), with a and b the rates of LABEL_WRONG
    on wrong and on right labels, one answer being right.

    Returns:
        That share, and the one that the intervals of both rates allow at worst. 1 where it fixes none.
    """
    found, false = (
        share([t.verdict == "LABEL_WRONG" for t in answered if t.expected == expected])
        for expected in ("LABEL_WRONG", "PRED_WRONG")
    )
    if not found.k:
        return 1.0, 1.0
    a, b = found.k / found.n, false.k / max(1, false.n)
    return b / (a + b), false.hi / (found.lo + false.hi)


def worth_words(answered: Sequence[Told]) -> str:
    """Say in words what `worth_from` finds."""
    low, high = worth_from(answered)
    if low == 1:
        return "It found no wrong label here: it fixes none, however many labels are wrong (the worst case)."
    if low == 0:
        return (
            "It replaced no right label by a wrong one here. It fixes more labels than it spoils wherever"
            f" {high:.1%} of the labels or more are wrong, by the 95% intervals (less is better)."
        )
    return (
        f"It fixes more labels than it spoils where more than {low:.1%} of the labels are wrong; by the 95%"
        f" intervals, {high:.1%} at worst (less is better)."
    )


def missed_words(recalls: Sequence[tuple[str, Share]]) -> str:
    """Name the kinds of wrong labels of which the least are found.

    Args:
        recalls: Each kind with the share that was called LABEL_WRONG.
    """
    partly = [(kind, found) for kind, found in recalls if found.k < found.n]
    least = sorted(partly, key=lambda row: (row[1].k / row[1].n, row[1].hi))[:MAX_MISSED]
    if not least:
        return "What it misses: no kind of wrong label of this test."
    kinds = ", ".join(f"{kind.replace('_', ' ')} (finds {found})" for kind, found in least)
    return f"What it misses: {kinds}; 1 is all, 0 is none of such wrong labels."
