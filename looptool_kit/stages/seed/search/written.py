"""Dialogues over a file's records: a model writes tools, calls and thoughts, the retrieval is real.

Each is checked by the nine rules, the rule tier and the judge; what fails is rejected with the reason. All
that was asked is counted in `seed/records.json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from pydantic import JsonValue

from looptool_kit.checks.experts import label_checks
from looptool_kit.checks.rules import check_sample, check_tool
from looptool_kit.checks.searches import Record, Searches, Step, check_record, result_text
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Message, Sample, Samples, Tool
from looptool_kit.core.tables import write_json
from looptool_kit.llm.structured import Failed, Prompt
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._band import Sieve
from looptool_kit.stages.seed._draw import Reject, Seeded
from looptool_kit.stages.seed.search.forms import (
    PLAN,
    WRITE,
    Job,
    WrittenDialogue,
    WrittenPlan,
    dialogue_prompt,
    plan_fault,
    steps_of,
)
from looptool_kit.stages.seed.search.hotpot import Read, read_records
from looptool_kit.stages.seed.trees.agents import Agents
from looptool_kit.trust import require_source
from looptool_kit.world.search import patterns_of
from looptool_kit.world.search.dialogues import (
    CHAINS,
    EMPTY_SHARE,
    INSTRUCTIONS,
    ONE_HOP,
    retrieve,
    samples_of,
)

BATCH = 20
"""Records that are written at a time: no more are paid for than the samples need."""
HELD_OUT_ONE_IN, HELD_OUT = 5, "unseen_records"
"""One record in so many is of the held-out split, by its id."""
PILOT, MIN_SHARE = 40, 0.1
"""Records after which, and samples for each, below which no more is asked."""


class Outcome(NamedTuple):
    """What became of a record."""

    job: Job
    samples: tuple[Sample, ...]
    why: str
    """Why it gave no sample, or none of its later turns; empty where all joined."""


def written(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Return the pool and the held-out samples of a file's records.

    All samples of a file are in the first pool.

    Raises:
        RunError: There is no model that writes, no such file, or hardly anything can be used.
    """
    if have is not None:
        return have, Samples(), Samples(), Truths()
    settings, agents = run.settings, _agents(run)
    path = Path(settings.search.file)
    if not path.is_file():
        raise RunError(f"{path} does not exist (search.file in {run.path / 'run.toml'}).")
    require_source(run.path, settings, "search.file")
    rows = read_records(path, lambda row, raw, reason: reject(str(path), row, raw, reason))
    apart = {r.record.id for r in rows if int(r.record.id, 16) % HELD_OUT_ONE_IN == 0}
    if len(rows) < 2 or not apart or len(apart) == len(rows):
        raise RunError(
            f"{path} holds {len(rows)} usable records, too few for seed data and held-out samples;"
            f" {run.path / 'rejected.jsonl'} says of each other row why not."
        )
    outcomes: list[Outcome] = []
    tables: dict[str, list[Sample]] = {}
    for split, wanted in ((HELD_OUT, settings.seeds.held_out), ("train", count)):
        file = f"{path} ({split})"
        jobs, unfit = _jobs(run, [r for r in rows if (r.record.id in apart) == (split == HELD_OUT)], split)
        for row, record in enumerate(unfit, 1):
            reject(file, row, record.model_dump_json(), "no pattern of search.patterns goes with its facts")
        made = tables[split] = []
        for at in range(0, len(jobs), BATCH):
            if len(made) >= wanted:
                break
            outcomes += (some := write(jobs[at : at + BATCH], agents, settings.search.top))
            for row, outcome in enumerate(some, at + 1):
                made += outcome.samples
                if outcome.why:
                    reject(file, row, outcome.job.record.model_dump_json(), outcome.why)
            _refuse_waste(run, outcomes)
        del made[wanted:]
    kept = _within(run, str(path), tables["train"], reject)
    _tell(run, len(rows), outcomes, {"train": len(kept), HELD_OUT: len(tables[HELD_OUT])})
    return Samples(kept), Samples(tables[HELD_OUT]), Samples(), Truths()


def _within(run: Run, path: str, samples: list[Sample], reject: Reject) -> list[Sample]:
    """The samples inside of the band, where there is one; the others are rejected."""
    sieve = Sieve.of(run)
    outside = sieve.outside(samples) if sieve else {}
    for row, sample in enumerate(samples, 1):
        if sample.id in outside:
            reject(path, row, sample.model_dump_json(), outside[sample.id])
    return [s for s in samples if s.id not in outside]


def _tell(run: Run, rows: int, outcomes: Sequence[Outcome], samples: dict[str, int]) -> None:
    """Keep and print what became of the records."""
    reasons = Counter(o.why.split(":")[0] for o in outcomes if o.why)
    facts = {"records": rows, "written": len(outcomes), "rejected": dict(reasons), "samples": samples}
    write_json(run.folder(0) / "records.json", facts)
    few = f", {reasons.total()} of them rejected, whole or in part" if reasons else ""
    print(f"records: {len(outcomes)} of {rows} written{few}; samples: {samples}")


def _agents(run: Run) -> Agents:
    settings = run.settings
    if settings.generator_llm is None:
        raise RunError(
            "search.file needs a model that writes tools and calls: give base_url and model under"
            f" [generator_llm] in {run.path / 'run.toml'}, or leave search.file empty for made-up records."
        )
    judge = settings.judge_llm or settings.generator_llm
    return Agents(
        settings.generator_llm, judge, run.path / "calls.sqlite", settings.calls.most, settings.check.experts
    )


def _refuse_waste(run: Run, outcomes: Sequence[Outcome]) -> None:
    made = sum(len(o.samples) for o in outcomes)
    if len(outcomes) >= PILOT and made < MIN_SHARE * len(outcomes):
        (reason, times), *_ = Counter(o.why for o in outcomes).most_common(1)
        raise RunError(
            f"{len(outcomes)} written records gave {made} samples ({times} of them: {reason}). It stopped"
            f" there; {run.path / 'rejected.jsonl'} says all. Set another model under [generator_llm] or"
            " [judge_llm]."
        )


def _jobs(run: Run, rows: Sequence[Read], split: str) -> tuple[list[Job], list[Record]]:
    """Each record with a pattern that it allows, in turn; and the records for which there is none."""
    wanted = patterns_of(run.settings.search)
    jobs: list[Job] = []
    unfit: list[Record] = []
    used = Counter[str]()
    for record, both in rows:
        facts = len(record.supporting)
        allowed = [p for p in wanted if _fits(p, facts, both)]
        if not allowed:
            unfit.append(record)
            continue
        pattern = min(allowed, key=lambda p: used[p] / wanted.count(p))
        used[pattern] += 1
        rng = Random(f"{run.settings.seed}/{record.id}")
        jobs.append(Job(record, pattern, steps_of(pattern, facts, rng), split))
    return jobs, unfit


def _fits(pattern: str, facts: int, both: bool) -> bool:
    if pattern == "parallel" or both:
        return both and facts > 1 and pattern == "parallel"
    return facts == 1 if pattern in ONE_HOP else facts > 1 or pattern not in CHAINS


# ---------------------------------------------------------------------- writing


def write(jobs: Sequence[Job], agents: Agents, top: tuple[int, int]) -> list[Outcome]:
    """Write the dialogues of some records and check them."""
    why: dict[int, str] = {}
    plans: dict[int, WrittenPlan] = {}
    asked = [Prompt(PLAN, job.prompt(), n) for n, job in enumerate(jobs)]
    for n, plan in enumerate(agents.ask(WrittenPlan, asked, "plan searches")):
        fault = plan.reason if isinstance(plan, Failed) else plan_fault(plan, jobs[n]) or _tool_fault(plan)
        if fault:
            why[n] = f"plan: {fault}"
        else:
            plans[n] = plan
    tools = {n: tuple(t.as_tool() for t in plan.tools) for n, plan in plans.items()}
    prompts = [
        Prompt(WRITE, dialogue_prompt(jobs[n], tools[n], plan), n, tools[n]) for n, plan in plans.items()
    ]
    answers = agents.ask(WrittenDialogue, prompts, "write searches") if prompts else []
    ready: dict[int, tuple[Sample, ...]] = {}
    for (n, plan), answer in zip(plans.items(), answers, strict=True):
        if isinstance(answer, Failed):
            why[n] = f"dialogue: {answer.reason}"
            continue
        made = played(jobs[n], plan, tools[n], answer, top)
        if isinstance(made, str):
            why[n] = made
        else:
            ready[n] = made
    judged = [s for rows in ready.values() for s in rows]
    checks = iter(
        label_checks(judged, agents.judge, agents.store, "judge searches", agents.most, agents.experts)
    )
    outcomes = []
    for n, job in enumerate(jobs):
        kept: list[Sample] = []
        for sample in ready.get(n, ()):
            wrong = next((f"{c.name}: {c.detail}" for c in next(checks) if not c.passed), "")
            why.setdefault(n, wrong) if wrong else None
            if n not in why:  # what follows a wrong turn is not one to learn from
                kept.append(sample)
        outcomes.append(Outcome(job, tuple(kept), why.get(n, "")))
    return outcomes


def _tool_fault(plan: WrittenPlan) -> str:
    checks = [c for t in plan.tools for c in check_tool(t.as_tool())]
    bare = next((t.name for t in plan.tools if not any(p.required for p in t.parameters)), "")
    return next((c.detail for c in checks if not c.passed), f"{bare} requires nothing" if bare else "")


def played(
    job: Job, plan: WrittenPlan, tools: tuple[Tool, ...], answer: WrittenDialogue, top: tuple[int, int]
) -> tuple[Sample, ...] | str:
    """Return a written dialogue's samples, or why it is not used.

    They hold what its calls really find.
    """
    record, rng = job.record, Random(f"{job.record.id}/results")
    where = {p.title: at for at, p in enumerate(record.passages)}
    if len(answer.turns) != len(job.steps):
        return "dialogue: the turns are not those of the plan"
    if job.pattern == "missing":
        hidden = where[plan.steps[-1].passages[-1]]
        rest = [p for at, p in enumerate(record.passages) if at != hidden]
        if any(a.casefold() in f"{p.title} {p.text}".casefold() for a in record.answers for p in rest):
            return "record: another passage holds the answer, so that it cannot be missing"
        support = tuple(rest.index(record.passages[at]) for at in record.supporting if at != hidden)
        record = record.model_copy(update={"passages": tuple(rest), "supporting": support, "answers": ()})
        where = {p.title: at for at, p in enumerate(rest)}
    first = [
        Message(role="system", content=rng.choice(INSTRUCTIONS)),
        Message(role="user", content=record.question),
    ]
    messages, found, steps = first, list[tuple[int, ...]](), list[Step]()
    for turn, step, (_, fails) in zip(answer.turns, plan.steps, job.steps, strict=True):
        calls = tuple(c.as_call() for c in turn.calls)
        messages.append(Message(role="assistant", tool_calls=calls))
        steps.append(Step(tools=step.tools, fails=fails, thought=turn.thought))
        if len(calls) != len(step.passages):
            return "planned_tools: a turn has more or fewer calls than planned"
        for call, title in zip(calls, step.passages, strict=True):
            empty = fails == "argument" or (fails == "missing" and rng.random() < EMPTY_SHARE)
            query, most = " ".join(map(str, call.arguments.values())), rng.randint(*top)
            gold = None if fails else where[title]
            found.append(() if empty else retrieve(record, query, gold, most, rng))
            text = result_text([record.passages[at] for at in found[-1]])
            messages.append(Message(role="tool", name=call.name, content=text))
    messages.append(Message(role="assistant", content=answer.reply))
    dialogue = Searches(tools=tools, messages=tuple(messages), steps=tuple(steps), found=tuple(found))
    if fault := next((f"{c.name}: {c.detail}" for c in check_record(dialogue, record) if not c.passed), ""):
        return fault
    about: dict[str, JsonValue] = {
        "pattern": job.pattern,
        "hops": len(job.record.supporting),
        "record": record.id,
    }
    samples = samples_of(dialogue, record, job.split, about, source="records")
    faults = (f"{c.name}: {c.detail}" for s in samples for c in check_sample(s) if not c.passed)
    return next(faults, "") or samples
