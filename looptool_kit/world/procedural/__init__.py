"""Procedural environments: sampled tools over typed things, tasks over them, and samples of single turns.

    rows = generate(1000, seed=1, how=Procedural())  # split "train"
    made = environment(Random(3), how, "unseen_types")  # tools, request, plan: `episode` plays it

Labels are exact: what a request names and what it wants fix every call (`plans`). Its language is plain and
repeats; the source `world` reads better (RandomWorld, arXiv 2506.11045; no code of it is public).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from looptool_kit.core.samples import Label, Message, Sample, Samples, ToolCall
from looptool_kit.world.calls import Impossible
from looptool_kit.world.core import draw
from looptool_kit.world.episode import Task, Told
from looptool_kit.world.grammar import Scene
from looptool_kit.world.procedural.kinds import Kind
from looptool_kit.world.procedural.plans import Plan, draw_plan
from looptool_kit.world.procedural.tools import Signature, pool, signatures
from looptool_kit.world.procedural.words import question, reply_of, request
from looptool_kit.world.session import Session
from looptool_kit.world.spec import Spec, specs

__all__ = ["Environment", "Procedural", "environment", "generate", "running", "sample_of", "tools_of"]

ASKED, FINISHED = 0.08, 0.12
"""Shares of the samples that lack something, and that only have the result to tell."""
MAX_TRIES = 400
"""Draws of a plan or a sample, after which there are no more."""


class Procedural(NamedTuple):
    """How environments are drawn; the fields of the section `[procedural]`."""

    tools: int = 550
    inputs: tuple[int, int] = (0, 4)
    length: tuple[int, int] = (1, 6)
    branch: float = 0.3
    distractors: tuple[int, int] = (1, 5)
    unions: bool = True
    seed: int = 0
    """Of the tools."""


class Environment(NamedTuple):
    """A task with the tools that run it.

    Its calls are in turns.
    """

    task: Task
    known: Mapping[str, Spec]
    plan: Plan
    turns: tuple[tuple[Told, ...], ...]
    """The calls that can be made at once, with their results."""
    asks: str = ""
    """What the request lacks: the question for it; empty where it lacks nothing."""
    words: tuple[str, ...] = ()
    """Of these one stands in any such question."""


def tools_of(how: Procedural) -> tuple[Signature, ...]:
    """All tools of these settings, of every split."""
    return signatures(how.tools, tuple(how.inputs), how.unions, how.seed)  # JSON has no tuples


def running(how: Procedural | None = None) -> dict[str, Spec]:
    """Return all tools that run, by name.

    They are the world's, and the procedural ones of these settings.
    """
    return {**({s.spec.name: s.spec for s in tools_of(how)} if how else {}), **specs()}


def environment(rng: Random, how: Procedural, split: str = "train", lacking: bool = False) -> Environment:
    """Draw an environment of a split: `train`, `unseen_values`, `unseen_tools`, `unseen_types`, ...

    Args:
        rng: Where chance comes from.
        how: The settings.
        split: Which tools and values it takes.
        lacking: Leave one thing out of the request, which then has to be asked for.

    Raises:
        ValueError: These settings allow hardly any plan.
    """
    tools = _pool(how, split)
    for _ in range(MAX_TRIES):
        length, distractors = rng.randint(*how.length), rng.randint(*how.distractors)
        try:
            plan = draw_plan(tools, rng, 1 if lacking else length, how.branch, distractors)
        except Impossible:
            continue
        if not lacking or _plain(plan):
            return _realised(plan, rng, split, lacking)
    raise ValueError(
        f"the {len(tools)} procedural tools of the split {split} allow no plan of {how.length[0]} to"
        f" {how.length[1]} calls; raise procedural.tools"
    )


@lru_cache(maxsize=32)
def _pool(how: Procedural, split: str) -> list[Signature]:
    return pool(tools_of(how), split)


def _plain(plan: Plan) -> list[Kind]:
    """What is said for a parameter that takes nothing else, so that one question asks for it."""
    taken = ((i, s.takes[i.parameter]) for s in plan.steps for i in s.tool.inputs)
    return [k for i, k in taken if i is k and k in plan.said]


def _realised(plan: Plan, rng: Random, split: str, lacking: bool) -> Environment:
    """Values, words and results for a plan."""
    today = date(2026, 1, 1) + timedelta(days=rng.randrange(3 * 365))
    held = split == "unseen_values"
    scene = Scene(rng, today, held, unseen=split == "unseen_phrasings")
    values = {kind: draw(kind.type, rng, today, held) for kind in plan.said}
    signed = [*(s.tool for s in plan.steps), *plan.distractors]
    rng.shuffle(signed)
    known = {s.spec.name: s.spec for s in signed}
    session = Session(known, today, seed := str(rng.getrandbits(48)), held)
    missing = rng.choice(_plain(plan)) if lacking else None
    words = request(plan, {k: v for k, v in values.items() if k is not missing}, scene)
    turns = []
    for level in plan.levels():
        told = []
        for step in level:
            arguments = {p.name: values[step.takes[p.name]] for p in step.tool.spec.params}
            call = ToolCall(name=step.tool.spec.name, arguments=arguments)
            told.append(Told(call=call, result=session.call(call)))
        for step, done in zip(level, told, strict=True):
            assert done.result is not None
            values[step.tool.output] = done.result[step.tool.output.parameter]
        turns.append(tuple(told))
    task = Task(
        tools=tuple(s.spec.tool for s in signed),
        system=(Message(role="system", content=f"Today is {today:%A}, {today.isoformat()}."),),
        turns=(words,),
        plan=tuple(t for level in turns for t in level),
        today=today,
        held=held,
        seed=seed,
    )
    made = Environment(task, known, plan, tuple(turns))
    return made._replace(asks=question(missing, rng), words=missing.type.words) if missing else made


def sample_of(made: Environment, turn: int, split: str = "train") -> Sample:
    """Return one turn of an environment as a sample.

    The turn behind the last call tells the result.
    """
    task, rng = made.task, Random(f"{made.task.seed}/{turn}")
    messages = [*task.system, Message(role="user", content=task.turns[0])]
    for level in made.turns[:turn]:
        messages.append(Message(role="assistant", tool_calls=tuple(t.call for t in level)))
        messages += [
            Message(role="tool", name=t.call.name, content=json.dumps(t.result, ensure_ascii=False))
            for t in level
        ]
    if made.asks:
        kind, label = "ask", Label(reply=made.asks, mentions=(made.words,), asks=True)
    elif turn == len(made.turns):
        reply, mentions = reply_of(made.plan.goal, made.turns[-1][-1].result or {}, task.today, rng)
        kind, label = "finish", Label(reply=reply, mentions=mentions)
    else:
        calls = tuple(t.call for t in made.turns[turn])
        kind = "multi_step" if len(made.turns) > 1 else "single"
        label = Label(calls=calls)
        if len(calls) > 1:
            kind = "parallel"
    meta: dict[str, Any] = {
        "plan": [s.tool.spec.name for s in made.plan.steps],
        "turn": turn,
        "turns": len(made.turns),
    }
    about = {"split": split, "source": "procedural", "strategy": "seeders.procedural", "kind": kind}
    return Sample(tools=task.tools, messages=tuple(messages), label=label, meta=meta, **about)


def generate(
    n: int, seed: int | str, how: Procedural, split: str = "train", besides: Iterable[Sample] = ()
) -> Samples:
    """Draw `n` samples, no two alike.

    Each is one turn of an environment of its own.

    Raises:
        ValueError: The settings allow too few.
    """
    rng = Random(f"{seed}/procedural/{split}")
    found: dict[str, Sample] = {}
    known = {s.id for s in besides}
    for _ in range(MAX_TRIES + 4 * n):
        if len(found) == n:
            return Samples(found.values())
        lacking = rng.random() < ASKED
        made = environment(rng, how, split, lacking)
        last = not lacking and rng.random() < FINISHED
        turn = 0 if lacking else len(made.turns) if last else rng.randrange(len(made.turns))
        sample = sample_of(made, turn, split)
        if sample.id not in known:
            found.setdefault(sample.id, sample)
    raise ValueError(
        f"only {len(found)} of {n} procedural samples differ; ask for fewer (seeds.first, seeds.fresh), or"
        " raise procedural.tools"
    )
