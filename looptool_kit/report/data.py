"""What a report shows, read from a run or made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from looptool_kit.core.records import Expansions, Probes, Score, Verdicts
from looptool_kit.core.samples import Samples


@dataclass(frozen=True)
class IterationData:
    """What one iteration left behind.

    Empty tables where a stage has not run.
    """

    samples: Samples = field(default_factory=Samples)
    """At least those that are shown whole, or were answered by a call in place of a reply."""
    probes: Probes = field(default_factory=Probes)
    verdicts: Verdicts = field(default_factory=Verdicts)
    expansions: Expansions = field(default_factory=Expansions)
    history: list[dict[str, Any]] = field(default_factory=list)
    """The trainers' log rows in order, keys as TRL writes them (`loss`, `reward`, `frac_reward_zero_std`,
    `completions/mean_length`); `trainer` (sft or grpo) where known.
    """
    threshold: float | None = None
    """The perplexity above which mastered samples are borderline."""


class Decided(NamedTuple):
    """Decisions of one kind that are in force."""

    what: str
    value: str
    authors: str
    rows: int
    reasons: list[str]
    """The last ones that were given."""


class ToolUse(NamedTuple):
    """A tool, and how often it occurs."""

    name: str
    description: str
    offered: int
    called: int


@dataclass(frozen=True)
class ReportData:
    """Everything the report shows."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Shown in the header as name and value; nested settings are folded away."""
    iterations: list[IterationData] = field(default_factory=list)
    """D_1, D_2, ... in order."""
    scores: list[Score] = field(default_factory=list)
    """Of all policies and suites."""
    policies: list[str] = field(default_factory=list)
    """Names in the order to show; policies with scores that are missing here follow. Those named `control...`
    are not steps of the loop: they are shown like the others, and the loop's last policy is compared with
    them.
    """
    compositions: list[dict[str, Any]] = field(default_factory=list)
    """One row a dataset: `dataset` (D1, ...), then a count for each part (ES, EE, HPPL, seed, ...) and
    `total`.
    """
    noise: dict[str, Any] | None = None
    """How the judge did on planted label errors, counted in failed samples: `planted`, `flagged`
    (LABEL_WRONG), `right` (flagged and planted), `correctable` (planted, and the prediction is the true
    answer), `right_of_correctable`, `judged`, `unjudged`. Other keys are listed as they are.
    """
    timings: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `stage`, `iteration` and `seconds`."""
    verdict: list[str] = field(default_factory=list)
    """The result in sentences, the first thing that is read."""
    flow: str = ""
    """The flow of samples through the loop, drawn (`report.flow.flow_of`)."""
    decided: list[Decided] = field(default_factory=list)
    """What people decided."""
    newer: str = ""
    """How many of these decisions no dataset obeys yet, in words."""
    made_with: list[tuple[str, str]] = field(default_factory=list)
    """The command, and packages with their versions."""
    tools: list[ToolUse] = field(default_factory=list)
    """The tools of the newest dataset."""
    robustness: list[Score] = field(default_factory=list)
    """Rows of the suite `robustness`, of all policies; shown apart, since they are held-out samples again."""
