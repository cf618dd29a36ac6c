"""The rows that the stages hand on.

Probes, verdicts, expansions and scores, each with its table.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import JsonValue, model_validator

from looptool_kit.core.grading import Fault
from looptool_kit.core.samples import Frozen, Label, Sample
from looptool_kit.core.tables import Table
from looptool_kit.core.toolcalls import Answer

HELD_OUT_SPLITS = ("unseen_values", "unseen_phrasings", "unseen_tools")
"""What a held-out sample has that no seed sample has: values, wordings, or tools."""
State = Literal["mastered", "borderline", "failed"]
VerdictName = Literal["PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG"]
STATES: tuple[State, ...] = get_args(State)
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)


class Probe(Frozen):
    """One sample under greedy decoding (GCP, LoopTool section 3.3)."""

    sample_id: str
    iteration: int
    text: str
    """The completion as written, special tokens removed."""
    finish_reason: Literal["stop", "length"]
    tokens: tuple[str, ...] = ()
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Natural-log probability of each output token, the end token included; same length as `token_ids`."""
    perplexity: float
    """exp(-mean(logprobs)), at least 1."""
    match: bool
    """ToolMatch against the label."""
    correct: bool
    """Matched, and a plain reply says what it must."""
    state: State
    """mastered: correct; borderline: correct at high perplexity; failed: not correct."""
    answer: Answer
    faults: tuple[Fault, ...] = ()

    @property
    def error(self) -> str:
        """The first fault's kind, empty when correct."""
        return self.faults[0].kind if self.faults else ""


TOKENS = ("tokens", "token_ids", "logprobs")
"""Columns of a probe that make up the half of it, and that only views and judges read."""


class Probes(Table[Probe]):
    """A table of probes, one for each sample of D_j."""

    row_type = Probe


class Evidence(Frozen):
    """One piece of what a judge weighed."""

    name: str
    """schema, grounding, coverage, likelihood, ..."""
    for_label: float
    """Support for the label in [0, 1]."""
    for_prediction: float
    """Support for the prediction in [0, 1]."""
    words: str = ""
    """Why, for a person."""

    @property
    def lean(self) -> float:
        """How it speaks: -1 for the label, 1 for the prediction."""
        return self.for_prediction - self.for_label


class Verdict(Frozen):
    """A judge's decision on one failed sample (JGLV, LoopTool section 3.4)."""

    sample_id: str
    iteration: int
    status: Literal["judged", "unjudged"]
    verdict: VerdictName | None = None
    """None exactly where the row is unjudged."""
    rationale: str = ""
    """A short error analysis and the correct approach, in words."""
    confidence: float = 0.0
    for_label: float | None = None
    """The probability that the label is right; None where a judge gives none."""
    for_prediction: float | None = None
    """The same of the prediction."""
    evidence: tuple[Evidence, ...] = ()
    votes: dict[str, int] = {}
    judge: str = ""
    """Who decided: a judge's name, or `person:<author>`; empty where judging failed and may be tried again.
    """
    label: Label | None = None
    """The label that stands after the verdict; the prediction where LABEL_WRONG."""


EVIDENCE = ("evidence", "votes")
"""Columns of a verdict that make up the most of it, and that only views read."""


class Verdicts(Table[Verdict]):
    """A table of verdicts, one for each failed sample."""

    row_type = Verdict


class Check(Frozen):
    """One test that a candidate passed or failed."""

    name: str
    passed: bool
    detail: str = ""


class Expansion(Frozen):
    """A candidate child of an error seed (EDDE, LoopTool section 3.5)."""

    seed_id: str
    iteration: int
    sample: Sample
    """The child."""
    strategy: str
    """Which expander wrote it."""
    pattern: str = ""
    """The error pattern that it keeps, e.g. `wrong_value at book_table.date`."""
    changed: str = ""
    """What changed against the seed, in words."""
    checks: tuple[Check, ...] = ()
    accepted: bool = False
    group: str = ""
    """Candidates of one group are accepted together or not at all: the steps of a trace."""
    generated: int = 0
    """Tokens that the policy generated to try it."""


class Expansions(Table[Expansion]):
    """A table of candidates, accepted and rejected."""

    row_type = Expansion


class Score(Frozen):
    """One evaluated sample of a suite."""

    sample_id: str
    suite: str
    split: str
    kind: str
    policy: str
    correct: bool
    text: str = ""
    error: str = ""
    faults: tuple[Fault, ...] = ()
    extra: dict[str, JsonValue] = {}


class Scores(Table[Score]):
    """A table of evaluated samples."""

    row_type = Score


Part = Literal["ES", "EE", "HPPL", "seed", "unjudged", "AUG"]

PARTS: tuple[Part, ...] = get_args(Part)
OPTIONAL_PARTS: tuple[Part, ...] = ("AUG",)
"""Those that only some settings make: they are counted only there."""


class Member(Frozen):
    """Why a row is in a dataset."""

    sample_id: str
    part: Part
    """ES: error seed; EE: error-driven expansion; HPPL: correct (or both correct) at high perplexity; seed:
    new from the pool; unjudged: failed, but the judge abstained; AUG: a perturbed sample.
    """
    came_from: str
    """Id of the row of D_j that it is or was made from; for seed rows its own id, for AUG rows that of the
    seed sample that was perturbed.
    """
    why: str


class Members(Table[Member]):
    """One row for each row of a composed dataset, in its order.

    A row that is repeated has as many.
    """

    row_type = Member


class Truth(Frozen):
    """The right label of a sample that carries a planted error."""

    sample_id: str
    label: Label


class Truths(Table[Truth]):
    """The planted errors' right labels."""

    row_type = Truth


class Rollout(Frozen):
    """One sampled completion of a GRPO step."""

    step: int
    sample_id: str
    text: str
    finish_reason: str
    reward: float
    error: str = ""
    """The kind of the first fault; empty where the completion is right."""
    correct: bool = False
    """Whether the completion is exactly right, whatever the reward is."""

    @model_validator(mode="before")
    @classmethod
    def _as_it_was(cls, values: Any) -> Any:
        # Tables without the column are from when the reward was 1 for what is right, else 0.
        if isinstance(values, dict) and values.get("correct") is None:
            return {**values, "correct": values.get("reward") == 1.0}
        return values


class Rollouts(Table[Rollout]):
    """The completions of one step; `policy/grpo/rollouts/step-NNNN.parquet`."""

    row_type = Rollout


class Pair(Frozen):
    """Two answers to one sample, of which one is better.

    A row of preference training; both are the policy's.
    """

    sample_id: str
    chosen: str
    """The better answer, whole, as text; the end token follows it in training."""
    rejected: str
    """The worse one, in the same form."""
    branch: int = 0
    """The first token in which they differ."""
    gap: float = 0.0
    """By how much the one is better: the difference of the values that they were compared by."""
    why: str = ""
    """Where it comes from, in words."""


class Pairs(Table[Pair]):
    """The pairs of one preference training; `policy/preference/pairs.parquet`."""

    row_type = Pair


Place = Literal["retired", "above", "zone", "below"]
HARD_PASS_RATE = HARD_AGREEMENT = 0.5
"""What InfTool (arXiv 2512.23611) calls hard; its threshold is not published, so that these are ours."""


class Measured(Frozen):
    """One sample by several rollouts of a policy."""

    sample_id: str
    n: int
    """Rollouts."""
    pass_rate: float
    """Share of them that is right."""
    reward_mean: float
    variance: float
    """Of the reward."""
    agreement: float
    """Share of the largest class of equal calls; an answer that does not parse agrees with nothing."""
    entropy: float
    """Of the classes, in nats."""
    place: Place
    """By the pass rate: retired (above .95), above, in (.20 to .85) or below RODS' zone."""
    wrong: str = ""
    """A rollout with the commonest fault; empty where all are right."""
    faults: tuple[Fault, ...] = ()
    """Its faults."""

    @property
    def inconsistent(self) -> bool:
        """Of InfTool's hard set: at most half of the rollouts are right."""
        return self.pass_rate <= HARD_PASS_RATE

    @property
    def inconsistent_without_label(self) -> bool:
        """Whether fewer than half of the answers agree.

        The same as `inconsistent`, where no label says what is right.
        """
        return self.agreement < HARD_AGREEMENT


class Frontier(Table[Measured]):
    """One row for each sample of D_j; `frontier.parquet`."""

    row_type = Measured
