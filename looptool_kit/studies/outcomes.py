"""What the arms of a comparison did: held-out results of each policy, what it cost, paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from looptool_kit.core.effects import Needed, mean_difference, needed
from looptool_kit.core.samples import Frozen, Samples
from looptool_kit.core.stats import Clustered, clustered_difference, wilson
from looptool_kit.core.tables import Table, column
from looptool_kit.llm.store import spent as spent_on_models
from looptool_kit.policy.recorded_form import of_run
from looptool_kit.report.rewarded import rewards_of
from looptool_kit.run.folder import Run
from looptool_kit.run.manifest import read_manifest
from looptool_kit.run.stage import SCORES
from looptool_kit.stages.evaluate.stage import scores
from looptool_kit.stages.train.budget import spent
from looptool_kit.studies.arms import ARMS, Arm
from looptool_kit.studies.likelihood import NAME as LIKELIHOOD
from looptool_kit.studies.likelihood import measured

Measure = Literal["match", "graded", "logprob"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
REACH = {"match": 1.0, "graded": 3.0, "logprob": 0.0}
"""The greatest difference between two answers to one sample; 0: no bound."""


class Outcome(Frozen):
    """One policy of one arm on the held-out samples."""

    arm: str
    seed: int
    """Random seed; arms of one seed share the policy D1 and the held-out samples."""
    iteration: int
    samples: int
    """Rows of the dataset that it was trained on last."""
    sft_tokens: int
    """Tokens of prompts and labels that SFT trained on in this iteration, each pass counted."""
    grpo_tokens: int
    """Tokens of prompts and completions that GRPO trained on in this iteration: it has as many steps in every
    arm, but answers differ in length.
    """
    other_tokens: int = 0
    """Tokens of other trainings in this iteration, such as preference training."""
    generated_tokens: int | None = None
    """Tokens that the policy generated for this iteration's training data (`stages/train/budget.py`); None in
    older tables, as for what follows.
    """
    budget: int = 0
    """Tokens that this iteration was given; 0: as the dataset came."""
    probe_tokens: int | None = None
    """Tokens of the answers to the probes that this iteration's dataset was made from."""
    model_tokens: int | None = None
    """Tokens that language models read and wrote for this run, in all its iterations."""
    cpu_seconds: float | None = None
    """Processor seconds of making the dataset and of training on it, evaluation left out; None where a stage
    was recorded without.
    """
    ids: tuple[str, ...]
    """The held-out samples."""
    splits: tuple[str, ...]
    correct: tuple[bool, ...]
    """Exact match of each of `ids`."""
    graded: tuple[float, ...] = ()
    """Graded reward of the greedy answer to each of `ids`; empty in older tables."""
    label_ids: tuple[str, ...] = ()
    """The held-out samples whose labels make calls."""
    label_logprobs: tuple[float, ...] = ()
    """Mean log-probability of a token of each of their labels, in nats."""

    @property
    def tokens(self) -> int:
        """What counts against the budget, as far as it is known."""
        return self.sft_tokens + self.grpo_tokens + self.other_tokens + (self.generated_tokens or 0)

    def values(self, measure: Measure, split: str = "") -> dict[str, float]:
        """Held-out sample -> what was measured.

        With `split` those of that split alone.
        """
        if measure == "logprob":
            found = dict(zip(self.label_ids, self.label_logprobs, strict=True))
        else:
            by_sample = self.correct if measure == "match" else self.graded
            found = dict(zip(self.ids, map(float, by_sample), strict=False))
        kept = {i for i, s in zip(self.ids, self.splits, strict=True) if not split or s == split}
        return {i: value for i, value in found.items() if i in kept}


class Outcomes(Table[Outcome]):
    """A table of arms' policies."""

    row_type = Outcome


# ------------------------------------------------------------ from the runs


def outcomes(run: Run, arm: str) -> Iterator[Outcome]:
    """One row for each evaluated policy of a run but the base."""
    found, budget = scores(run), run.settings.budget.tokens
    held_out = run.table(Samples, "held_out", 0, missing_ok=True)
    totals = spent_on_models(run.path / "calls.sqlite").values()
    for j in run.iterations:
        rows = found.get(f"D{j}")
        if rows is None:
            continue
        tokens, likely = spent(run, j), measured(run, j)
        earned = rewards_of(held_out, rows, form=of_run(run))
        yield Outcome(
            arm=arm,
            seed=run.settings.seed,
            iteration=j,
            samples=len(column(run.folder(j) / "samples.parquet", "id")),
            sft_tokens=tokens.sft,
            grpo_tokens=tokens.grpo,
            other_tokens=tokens.other,
            generated_tokens=tokens.generated,
            budget=budget[min(j - 2, len(budget) - 1)] if budget and j > 1 else 0,
            probe_tokens=_probe_tokens(run, j - 1),
            model_tokens=sum(t.tokens_in + t.tokens_out for t in totals),
            cpu_seconds=_cpu_seconds(run, j),
            ids=tuple(s.sample_id for s in rows),
            splits=tuple(s.split for s in rows),
            correct=tuple(s.correct for s in rows),
            graded=tuple(earned[s.sample_id] for s in rows) if len(earned) == len(rows) else (),
            label_ids=tuple(likely),
            label_logprobs=tuple(likely.values()),
        )


def _probe_tokens(run: Run, j: int) -> int:
    path = run.folder(j) / "probes.parquet"
    return sum(map(len, column(path, "token_ids"))) if j and path.exists() else 0


def _cpu_seconds(run: Run, j: int) -> float | None:
    """Of the stages after the policy of iteration j - 1 and of the training of j; for D1 of that alone."""
    measuring = (*SCORES, LIKELIHOOD, "policy")
    paths = [run.folder(j) / "policy.json"]
    if j > 1:
        paths += [p for p in run.folder(j - 1).glob("*.json") if p.stem not in measuring]
    manifests = [m for path in paths if (m := read_manifest(path))]
    known = [m["cpu_seconds"] for m in manifests if "cpu_seconds" in m]
    return sum(known) if len(known) == len(manifests) else None


# -------------------------------------------------------------- compared


class Effect(NamedTuple):
    """An arm's policy in one measure."""

    n: int
    mean: float
    """Over all seeds' samples."""
    difference: Clustered | None
    """To the first arm after the same iteration, on the same held-out samples, over the seeds that both have.
    None for the first arm itself, for D1, and where no seed has both.
    """
    needed: Needed | None
    """What would tell them apart, where the interval holds zero."""


class Costs(NamedTuple):
    """What an arm's policies since D1 took.

    As in `Outcome`; mean over the seeds.
    """

    sft_tokens: float
    grpo_tokens: float
    other_tokens: float
    generated_tokens: float | None
    tokens: float
    """What counts against the budget, as far as it is known."""
    budget: float
    probe_tokens: float | None
    model_tokens: float | None
    cpu_seconds: float | None


class ArmRow(NamedTuple):
    """An arm's policy after one iteration, all its random seeds pooled."""

    arm: str
    words: str
    iteration: int
    seeds: tuple[int, ...]
    n: int
    correct: int
    accuracy: float
    lo: float
    hi: float
    """Wilson's 95% interval."""
    effects: dict[Measure, Effect]
    """Those that were measured; exact match always is."""
    costs: Costs
    samples: float
    """Rows of the dataset, mean over the seeds."""

    @property
    def difference(self) -> Clustered | None:
        """Of exact match, to the first arm."""
        return self.effects["match"].difference


def summarise(
    table: Iterable[Outcome], split: str = "", arms: Mapping[str, Arm] | None = None
) -> list[ArmRow]:
    """Make one row for each arm and iteration.

    In the order of the arms (None: those of the ablation). With `split`, of that split's held-out samples
    alone.
    """
    arms = ARMS if arms is None else arms
    first = next(iter(arms))
    by = {(o.arm, o.seed, o.iteration): o for o in table}
    rows = []
    for name, arm in arms.items():
        for j in sorted({j for a, _, j in by if a == name}):
            seeds = tuple(sorted(seed for a, seed, i in by if (a, i) == (name, j)))
            mine = {seed: by[name, seed, j] for seed in seeds}
            against = {s: by[first, s, j] for s in seeds if (first, s, j) in by}
            compared = {} if name == first or j == 1 else against
            right = [v for o in mine.values() for v in o.values("match", split).values()]
            hits = int(sum(right))
            since = [o for (a, s, i), o in by.items() if a == name and s in seeds and 1 < i <= j]
            rows.append(
                ArmRow(
                    arm=name,
                    words=arm.words,
                    iteration=j,
                    seeds=seeds,
                    n=len(right),
                    correct=hits,
                    accuracy=hits / max(1, len(right)),
                    **dict(zip(("lo", "hi"), wilson(hits, len(right)), strict=True)),
                    effects=_effects(mine, compared, split),
                    costs=_costs(since, len(seeds)),
                    samples=sum(o.samples for o in mine.values()) / len(seeds),
                )
            )
    return rows


def _costs(since: Sequence[Outcome], seeds: int) -> Costs:
    """What the policies since D1 took."""

    def mean(values: Iterable[float | None]) -> float | None:
        """None where one of them is not known."""
        listed = list(values)
        known = [v for v in listed if v is not None]
        return sum(known) / seeds if len(known) == len(listed) else None

    return Costs(
        sft_tokens=sum(o.sft_tokens for o in since) / seeds,
        grpo_tokens=sum(o.grpo_tokens for o in since) / seeds,
        other_tokens=sum(o.other_tokens for o in since) / seeds,
        generated_tokens=mean(o.generated_tokens for o in since),
        tokens=sum(o.tokens for o in since) / seeds,
        budget=sum(o.budget for o in since) / seeds,
        probe_tokens=mean(o.probe_tokens for o in since),
        model_tokens=mean({o.seed: o.model_tokens for o in since}.values()),
        cpu_seconds=mean(o.cpu_seconds for o in since),
    )


def _effects(mine: Mapping[int, Outcome], others: Mapping[int, Outcome], split: str) -> dict[Measure, Effect]:
    """An arm's policies (random seed -> outcome) in each measure, and against those of the first arm."""
    found: dict[Measure, Effect] = {}
    for measure in MEASURES:
        values = {seed: o.values(measure, split) for seed, o in mine.items()}
        if not all(values.values()) and measure != "match":
            continue
        pairs = []
        for seed, other in others.items():
            theirs, own = other.values(measure, split), values[seed]
            pairs.append(tuple((theirs[i], own[i]) for i in theirs if i in own))
        everything = [v for of_seed in values.values() for v in of_seed.values()]
        difference, more = None, None
        if pairs and all(pairs):
            difference = _difference(measure, tuple(pairs))
            if difference.lo <= 0 <= difference.hi:
                more = needed([[b - a for a, b in of_seed] for of_seed in pairs])
        mean = sum(everything) / max(1, len(everything))
        found[measure] = Effect(len(everything), mean, difference, more)
    return found


@lru_cache(maxsize=1024)
def _difference(measure: Measure, pairs: tuple[tuple[tuple[float, float], ...], ...]) -> Clustered:
    if measure == "match":
        return clustered_difference([([a == 1 for a, _ in of], [b == 1 for _, b in of]) for of in pairs])
    return mean_difference([[b - a for a, b in of] for of in pairs], REACH[measure])


def comparisons(rows: Sequence[ArmRow], measure: Measure = "match") -> list[tuple[str, Clustered]]:
    """Compare each arm with the first, for a forest plot.

    Policies of the same iteration.
    """
    return [
        (f"{r.words}, D{r.iteration}", r.effects[measure].difference)  # type: ignore[misc]
        for r in rows
        if measure in r.effects and r.effects[measure].difference is not None
    ]
