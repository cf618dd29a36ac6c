"""What each kind of finding was measured to be worth, and the severity that follows.

`merits.json` is written by `python benchmarks/bench_audit.py`: on each data set how many planted errors of a
kind it caught, and on how many clean samples it raised a false alarm.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from looptool_kit.audit.findings import SEVERITIES, Severity
from looptool_kit.core.stats import wilson

MAX_FALSE_ALARMS = 0.02
"""Share of clean samples, in each data set, above which a kind is not an error."""
WRONG_SHARE = 0.1
"""Share of samples with an error of the kind for which its precision is told."""
MIN_ERROR_PRECISION = 0.9
"""Below it more than one finding in ten is a false alarm: not an error, a warning."""
MIN_WARNING_PRECISION = 0.5
"""Below it a finding is more often a false alarm than not: a note."""


class Merit(NamedTuple):
    """A kind on one data set, or on all."""

    planted: int
    caught: int
    clean: int
    false_alarms: int

    @property
    def recall(self) -> tuple[float, float, float]:
        """The share of planted errors that are found, with its interval.

        Wilson's 95% interval; zeros where no error was planted.
        """
        low, high = wilson(self.caught, self.planted)
        return (self.caught / self.planted if self.planted else 0.0), low, high

    @property
    def false_rate(self) -> tuple[float, float, float]:
        """Of the clean samples those flagged, with the interval."""
        low, high = wilson(self.false_alarms, self.clean)
        return (self.false_alarms / self.clean if self.clean else 0.0), low, high

    @property
    def precision(self) -> tuple[float, float]:
        """Precision where `WRONG_SHARE` of the samples have such an error.

        It is s r / (s r + (1 - s) f), with its lower end. The lower end takes the worse ends of both
        intervals.
        """
        (recall, least, _), (false, _, most) = self.recall, self.false_rate
        return _precision(recall, false), _precision(least, most)


def _precision(recall: float, false: float) -> float:
    right, wrong = WRONG_SHARE * recall, (1 - WRONG_SHARE) * false
    return right / (right + wrong) if right + wrong else 0.0


@cache
def measured() -> dict[str, dict[str, Merit]]:
    """Read the merits: kind -> data set -> merit.

    `any error` stands for all kinds of severity error together.
    """
    raw: Any = json.loads(files(__package__).joinpath("merits.json").read_text(encoding="utf-8"))
    return {kind: {name: Merit(**m) for name, m in of.items()} for kind, of in raw["kinds"].items()}


def pooled(merits: dict[str, Merit]) -> Merit:
    """All data sets together."""
    return Merit(*(sum(column) for column in zip(*merits.values(), strict=True)))


def precision_of(merits: dict[str, Merit]) -> tuple[float, float]:
    """Return the precision on the data set where it is least.

    Zeros where no error was planted.
    """
    return min((m.precision for m in merits.values() if m.planted), default=(0.0, 0.0))


def severity_of(merits: dict[str, Merit], harm: Severity) -> Severity:
    """Return how grave a kind is, at most `harm`.

    Less where it was measured to be less sure. The data set counts on which it is least sure. Without a
    planted error nothing is known, and it is a note.
    """
    most = max((m.false_rate[0] for m in merits.values()), default=1.0)
    precision, _ = precision_of(merits)
    sure: Severity = "note"
    if precision >= MIN_WARNING_PRECISION:
        sure = "warning"
    if most <= MAX_FALSE_ALARMS and precision >= MIN_ERROR_PRECISION:
        sure = "error"
    return max(sure, harm, key=SEVERITIES.index)
