"""The expander `reverse`: plans that a proposer finds hard for the policy (ReverseGen, arXiv 2410.16736).

A request that a model proposes has no label; a plan of the world has. In each round a proposer writes plans
for the error seeds' tool lists, the world renders them, the policy answers, and the proposer learns to prefer
what the policy failed over what it solved, for the same prompt. The last round's failures become children,
each of the error seed that it is most like. With `reverse.pay = "uncertainty"` the proposer is paid for plans
that the policy solves sometimes: self-play, after Tool-R0 (arXiv 2602.21320).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import ceil, floor
from random import Random
from typing import Any

from looptool_kit.config import deciding
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import key
from looptool_kit.stages.expand import Candidate
from looptool_kit.stages.expand._proposals import Proposal, folder, proposals
from looptool_kit.stages.expand.stage import held_out
from looptool_kit.world import plan_of
from looptool_kit.world.plans import WEIGHTS
from looptool_kit.world.proposed import distance, features
from looptool_kit.world.spec import Spec, is_held, specs

STRATEGY = "expanders.reverse"
EXACT_LABELS = True
AT_ONCE = True
SETTINGS = ("reverse",)
WARMUP = ("lora", "sft.batch", "sft.micro_batch", "sft.learning_rate", "sft.warmup_steps", "seeds.domains")
"""What the proposer `lm` is trained with, as the policy was."""


def candidates(
    seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
) -> list[list[Candidate]]:
    """Give each of the last round's failures to a seed.

    It is the nearest one that has room. Data of other sources gets none.
    """
    found: list[list[Candidate]] = [[] for _ in seeds]
    lists = _lists(seeds)
    if not lists:
        return found
    j, settings = seeds[0].verdict.iteration, run.settings.reverse
    known = [*pool, *held_out(run)]
    rows = [r for r in proposals(run, j, _key(seeds, run), lists, known) if r.round == settings.rounds]
    failed = [r for r in rows if r.passed and (not r.solved or (settings.pay == "uncertainty" and r.pay))]
    # The stage takes `expand.children` of each seed, and asks for `expand.tries` times as many.
    room = [ceil(count / run.settings.expand.tries) for count in k]
    places = [(i, about) for i, seed in enumerate(seeds) if (about := _about(seed.sample))]
    for row in within(failed, run.settings.expand.most, settings.unsolved, settings.kinds):
        child = _child(row)
        own = _about(child) or {}
        free = [(distance(own, about), i) for i, about in places if len(found[i]) < room[i]]
        if free:
            _, i = min(free)
            parent = {"parent": seeds[i].sample.id}
            found[i].append(Candidate(child.model_copy(update=parent)))
    return found


def inputs(run: Run, j: int) -> dict[str, Any]:
    """Return what else decides the children.

    These are who answers the proposals, and how the proposer is made.
    """
    return {
        "policy": policy_of(run, j).key,
        "proposer": deciding(run.settings, ("probe.max_new_tokens", *WARMUP)),
    }


def facts(seeds: Sequence[ErrorSeed], run: Run) -> dict[str, Any]:
    """Return what the manifest tells of proposing.

    It is how many plans were proposed, and how many tokens that took.
    """
    place = folder(run, seeds[0].verdict.iteration) if seeds else None
    if place is None or not (place / "proposer.json").exists():
        return {}
    if (place / "key").read_text(encoding="utf-8") != _key(seeds, run):
        return {}
    told = json.loads((place / "proposer.json").read_text(encoding="utf-8"))
    counts = {name: sum(r[name] for r in told["rounds"]) for name in ("proposed", "passed")}
    spent = {"generated": told["generated"], "proposer_tokens": told.get("trained", 0)}
    return {**counts, "failed_last": told["rounds"][-1]["failed"], **spent}


def _key(seeds: Sequence[ErrorSeed], run: Run) -> str:
    """What decides the proposals: all that decides the stage but how many children are wanted."""
    j = seeds[0].verdict.iteration
    settings = deciding(run.settings, (*SETTINGS, "seed"))
    tables = run.table(Samples, "samples", j), held_out(run)
    return key("reverse", j, inputs(run, j), [seed.sample.id for seed in seeds], settings, *tables)


def _lists(seeds: Sequence[ErrorSeed]) -> list[tuple[str, ...]]:
    """The different tool lists of seeds that are of the world's train tools, in order."""
    lists = {tuple(t.name for t in s.sample.tools): _specs(s.sample) for s in seeds}
    return [names for names, known in lists.items() if known and not any(map(is_held, names))]


def _specs(sample: Sample) -> list[Spec] | None:
    """The tools on offer as the world knows them; None where one of them is not as the world has it."""
    known = specs()
    if any(t.name not in known or known[t.name].tool != t for t in sample.tools):
        return None
    return [known[t.name] for t in sample.tools]


def _about(sample: Sample) -> dict[str, float] | None:
    """The features of a sample's plan; None where the world did not make it."""
    tools = _specs(sample)
    if not tools or not {"kind", "calls", "mode", "part", "link"} <= sample.meta.keys():
        return None
    plan = plan_of(sample)
    return features(plan, tools) if all(c["tool"] in specs() for c in plan["calls"]) else None


def _child(row: Proposal) -> Sample:
    assert row.sample is not None, "what passed has a sample"
    return row.sample.model_copy(update={"source": "expander", "strategy": STRATEGY})


def within(rows: Sequence[Proposal], most: int, unsolved: float, kinds: float) -> list[Proposal]:
    """Choose at most `most` rows that become children.

    Those that the policy solves most uncertainly come first. A row that none of the sampled answers solved
    may be impossible, and at most the share `unsolved` are such. Each kind gets the share `kinds` of its part
    of the world's samples, where it has as many rows.
    """
    ordered = sorted(rows, key=lambda row: -row.pay)
    solvable = sum(bool(row.right) for row in ordered)
    hopeless = len(ordered) - solvable
    if unsolved < 1:
        hopeless = min(hopeless, floor(unsolved * solvable / (1 - unsolved) + 1e-9))
    count = min(most, solvable + hopeless)
    left = floor(unsolved * count + 1e-9)
    quota = {kind: ceil(kinds * weight * count - 1e-9) for kind, weight in WEIGHTS.items()}
    chosen: list[int] = []
    for strict in (True, False):
        for at, row in enumerate(ordered):
            kind = row.sample.kind if row.sample else ""
            if at in chosen or len(chosen) == count or (strict and quota[kind] < 1):
                continue
            if not row.right:
                if left < 1:
                    continue
                left -= 1
            quota[kind] -= 1
            chosen.append(at)
    return [ordered[at] for at in sorted(chosen)]
