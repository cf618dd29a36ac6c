"""Rounds of proposals: what a proposer proposes, which of it the policy solves, what the proposer learns."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import accumulate, product
from math import ceil
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.checks.rules import check_sample
from looptool_kit.config.strategies import ReverseSettings
from looptool_kit.core.grading import consistency, grade
from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table, write_json, write_text
from looptool_kit.policy.engines import Completion, Engine, Sampling
from looptool_kit.policy.engines.prompts import fits
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import find
from looptool_kit.world.plans import WEIGHTS, kind_deck
from looptool_kit.world.proposed import Line, Preferred, Prompt, drawn, line_of, read_plan, rendered
from looptool_kit.world.spec import specs

PROPOSERS = "looptool_kit.stages.train.proposers"
"""Found by name: a proposer is trained by the policy's own trainers, and stages never import each other."""
GROUP = 8
"""Proposals to one prompt: a pair needs a failed and a solved one."""
EXAMPLES = 3
"""Plans that a prompt shows (ReverseGen)."""
TOO_LONG = "its prompt fills the model's context"
"""Why a proposal is not asked that is an allowed, new one."""
ANSWERS, TEMPERATURE = 10, 1.0
"""Answers that say how uncertain the policy is, as in ReverseGen, and how they are sampled."""


class Proposal(Frozen):
    """One proposed plan, and what the policy made of it."""

    round: int
    prompt: int
    """The number of its prompt in the round."""
    plan: str
    """As the proposer wrote it: a line of JSON, or what it wrote in place of one."""
    sample: Sample | None = None
    """The plan rendered; None where it is none that the world allows."""
    passed: bool = False
    """Whether the policy was asked: an allowed plan, whose sample passes the rules, is new and fits."""
    why: str = ""
    """Why it was not asked."""
    solved: bool = False
    """Whether the policy's greedy answer is right."""
    right: float | None = None
    """Share of its sampled answers that are right; None where none were sampled."""
    entropy: float | None = None
    """Of the sampled answers' classes, in nats."""
    generated: int = 0
    """Tokens of the proposal and of the answers to it."""

    @property
    def pay(self) -> float:
        """4 p (1 - p), for a share p of right answers.

        That is 1 where half are right, and 0 where none or all are (a choice of ours). What did not pass
        earns nothing: that is the gate of validity.
        """
        return 4 * self.right * (1 - self.right) if self.right is not None else 0.0


class Proposals(Table[Proposal]):
    """All proposals of an iteration; `reverse/proposals.parquet`."""

    row_type = Proposal


class Tried(Frozen):
    """The policy's answers to one proposal, counted."""

    right: int
    answers: int
    entropy: float
    generated: int


class TriedTable(Table[Tried]):
    """One row a sample."""

    row_type = Tried


def proposals(
    run: Run, j: int, key: str, lists: Sequence[tuple[str, ...]], known: Sequence[Sample]
) -> Proposals:
    """All rounds of iteration j, each kept when it is done.

    Args:
        run: Gets the folder `reverse` in the iteration: `proposals.parquet` and `proposer.json`.
        j: The iteration; its policy answers.
        key: What decides the result; what was made by another one is moved aside.
        lists: The tool lists to propose for.
        known: What no proposal may repeat.
    """
    place, settings = folder(run, j), run.settings.reverse
    if (place / "key").exists() and (place / "key").read_text(encoding="utf-8") != key:
        run.supersede(place)
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / "key", key)
    table = place / "proposals.parquet"
    rows = list(Proposals.read(table)) if table.exists() else []
    proposer = find(PROPOSERS, settings.proposer).make(run, j, place, key, run.settings.seed)
    earlier = [row.sample for row in rows if row.sample and (row.passed or row.why == TOO_LONG)]
    seen = Deduplicator([*known, *earlier])
    for number in range(1, settings.rounds + 1):
        asked = prompts(run, j, number, lists)
        if not any(row.round == number for row in rows):
            rows += _round(run, j, key, number, asked, proposer, seen)
            Proposals(rows).write(table)
        for name in _names(number):
            shutil.rmtree(run.folder(j) / f"{name}.parts", ignore_errors=True)
        if number < settings.rounds:
            mine = [row for row in rows if row.round == number]
            proposer.learn(pairs(mine, asked, settings.pay), number)
        write_json(place / "proposer.json", _told(rows, settings, proposer.facts()))
    return Proposals(rows)


def folder(run: Run, j: int) -> Path:
    """Where the proposals of an iteration are kept."""
    return run.folder(j) / "reverse"


def _names(number: int) -> tuple[str, str]:
    """The batches of a round: greedy answers, and sampled ones."""
    return f"proposals_{number}", f"proposals_{number}_sampled"


def _told(rows: Sequence[Proposal], settings: ReverseSettings, facts: dict[str, Any]) -> dict[str, Any]:
    """What `proposer.json` says: each round in figures, and what the proposer has learnt."""
    told: list[dict[str, Any]] = []
    for number in sorted({row.round for row in rows}):
        mine = [row for row in rows if row.round == number]
        asked = [row for row in mine if row.passed]
        kinds = {k: sum(r.sample.kind == k for r in asked if r.sample) for k in WEIGHTS}
        told.append(
            {
                "round": number,
                "proposed": len(mine),
                "passed": len(asked),
                "failed": sum(not row.solved for row in asked),
                **(
                    {"mean_pay": round(fmean(row.pay for row in mine), 4)}
                    if settings.pay == "uncertainty"
                    else {}
                ),
                "kinds": kinds,
            }
        )
    generated = sum(row.generated for row in rows)
    about = {"proposer": settings.proposer, "pay": settings.pay}
    return {**about, "generated": generated, "rounds": told, **facts}


def prompts(run: Run, j: int, number: int, lists: Sequence[tuple[str, ...]]) -> list[Prompt]:
    """Draw the prompts of a round.

    Tool lists come in turn, each with plans that the world draws for it.
    """
    count = max(1, run.settings.reverse.proposals // GROUP)
    rng = Random(f"{run.settings.seed}/{j}/prompts/{number}")
    order: list[tuple[str, ...]] = []
    while len(order) < count:
        order += rng.sample(lists, len(lists))
    return [Prompt(tools=tools, examples=_examples(tools, rng)) for tools in order[:count]]


def _examples(names: Sequence[str], rng: Random) -> tuple[str, ...]:
    tools = [specs()[name] for name in names]
    found: list[str] = []
    while len(found) < EXAMPLES:  # a single call is possible for every list
        kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if plan := drawn(kind, tools, rng):
            found.append(line_of(plan))
    return tuple(found)


def deck(count: int, share: float, rng: Random) -> list[str | None]:
    """Draw the kinds that a round's proposals must have.

    None leaves one to the proposer. Each kind is prescribed in that share of what the world's own proportions
    would give, rounded up.
    """
    least = [kind for kind in kind_deck(count, None, rng)] if share == 1 else []
    least = least or [k for k, w in WEIGHTS.items() for _ in range(ceil(share * w * count - 1e-9))]
    kinds: list[str | None] = [*least, *([None] * (count - len(least)))][:count]
    rng.shuffle(kinds)
    return kinds


def _round(
    run: Run, j: int, key: str, number: int, asked: Sequence[Prompt], proposer: Any, seen: Deduplicator
) -> list[Proposal]:
    """The proposals of one round, answered."""
    settings, seed = run.settings.reverse, f"{run.settings.seed}/{j}/{number}"
    kinds = deck(len(asked) * GROUP, settings.kinds, Random(f"{seed}/kinds"))
    rows: list[Proposal] = []
    for at, prompt in enumerate(asked):
        lines = proposer.propose(prompt, kinds[at * GROUP : (at + 1) * GROUP], Random(f"{seed}/{at}"))
        for index, line in enumerate(lines):
            row = checked(line, prompt, Random(f"{seed}/{at}/{index}"), seen)
            rows.append(row.model_copy(update={"round": number, "prompt": at}))
    engine = open_engine(policy_of(run, j), run.settings.probe.batch)
    rows = [_fitting(engine, row) for row in rows]
    greedy, sampled = _names(number)
    rows = _tried(run, j, key, greedy, rows, engine, [row.passed for row in rows], Sampling(n=1))
    last = number == settings.rounds
    more = [row.passed and (settings.pay == "uncertainty" or (last and not row.solved)) for row in rows]
    sampling = Sampling(n=ANSWERS, temperature=TEMPERATURE, seed=run.settings.seed * 1000 + j)
    return _tried(run, j, key, sampled, rows, engine, more, sampling)


def checked(line: Line, prompt: Prompt, rng: Random, seen: Deduplicator) -> Proposal:
    """Read, render and check a line.

    Where it passes, it is added to `seen`.
    """
    plan, why = read_plan(line.text, prompt.specs)
    sample = None
    if plan is not None:
        try:
            sample = rendered(plan, prompt.specs, rng)
        except ValueError as reason:
            why = str(reason)
    if sample is not None:
        broken = [c for c in check_sample(sample) if not c.passed]
        twin = seen.duplicate_of(sample)
        why = f"{broken[0].name}: {broken[0].detail}" if broken else f"repeats {twin}" if twin else ""
        if not why:
            seen.add(sample)
    passed = sample is not None and not why
    return Proposal(
        round=0, prompt=0, plan=line.text, sample=sample, passed=passed, why=why, generated=line.tokens
    )


def _fitting(engine: Engine, row: Proposal) -> Proposal:
    if not row.passed or fits(engine, row.sample):
        return row
    return row.model_copy(update={"passed": False, "why": TOO_LONG})


def _tried(
    run: Run,
    j: int,
    key: str,
    name: str,
    rows: Sequence[Proposal],
    engine: Engine,
    wanted: Sequence[bool],
    sampling: Sampling,
) -> list[Proposal]:
    """The rows, those that are `wanted` with what the policy answers."""
    sampling = sampling._replace(max_new_tokens=run.settings.probe.max_new_tokens)
    asked = Samples(row.sample for row, wants in zip(rows, wanted, strict=True) if wants and row.sample)

    def work(batch: Sequence[int]) -> TriedTable:
        samples = [asked[i] for i in batch]
        return TriedTable(map(_counted, samples, engine.generate(samples, sampling)))

    plan = engine.plan(asked) if asked else []
    found = iter(run.batches(name, j, f"{key}/{name}", plan, TriedTable, work))
    out = []
    for row, wants in zip(rows, wanted, strict=True):
        if wants:
            tried = next(found)
            told: dict[str, Any] = {"generated": row.generated + tried.generated}
            if sampling.temperature:
                told |= {"right": tried.right / tried.answers, "entropy": tried.entropy}
            else:
                told["solved"] = tried.right > 0
            row = row.model_copy(update=told)
        out.append(row)
    return out


def _counted(sample: Sample, completions: Sequence[Completion]) -> Tried:
    answers = [c.answer(sample.tools) for c in completions]
    return Tried(
        right=sum(grade(a, sample.label, sample.tools).correct for a in answers),
        answers=len(answers),
        entropy=consistency(answers)[1],
        generated=sum(len(c.token_ids) for c in completions),
    )


def pairs(rows: Sequence[Proposal], asked: Sequence[Prompt], pay: str) -> list[Preferred]:
    """Pair proposals to one prompt, for the proposer to learn from.

    `failure`: each that the policy failed is preferred to each that it solved. `uncertainty`: with advantages
    a_1, a_2, ... in falling order (pay less the group's mean, over its deviation, as in GRPO), each proposal
    is preferred to the next one by the sum of the advantages so far. They add up to zero, so that the sum of
    gap times (f_i - f_(i+1)) is that of a_i f_i, whatever f is: the group's policy gradient. What did not
    pass was paid nothing.
    """
    found: list[Preferred] = []
    for at, prompt in enumerate(asked):
        mine = [row for row in rows if row.prompt == at]
        if pay == "failure":
            tried = [row for row in mine if row.passed]
            both = product((r for r in tried if not r.solved), [r for r in tried if r.solved])
            found += [Preferred(prompt, a.plan, b.plan) for a, b in both]
            continue
        spread = pstdev(row.pay for row in mine) if mine else 0.0
        if spread:
            mine.sort(key=lambda row: -row.pay)
            mean = fmean(row.pay for row in mine)
            sums = accumulate((row.pay - mean) / spread for row in mine)
            both_and_gap = zip(mine, mine[1:], sums, strict=False)
            found += [Preferred(prompt, a.plan, b.plan, gap) for a, b, gap in both_and_gap]
    return found
