"""Dialogues that answer a question by searches, along eight patterns of which some hold failures.

After ToolForge (arXiv 2512.16149, section 3.2). A failed turn is context; it is never a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from pydantic import JsonValue

from looptool_kit.checks.searches import NOT_FOUND, Passage, Record, Searches, Step, result_text
from looptool_kit.core.samples import Label, Message, Sample, ToolCall
from looptool_kit.text.bm25 import BM25
from looptool_kit.world.search.facts import Base, Fact
from looptool_kit.world.search.questions import Question, chain, missed, pair, told
from looptool_kit.world.search.tools import ASIDE, GENERAL, SPECIFIC, Search

Fails = Literal["", "argument", "tool", "missing"]
PATTERNS: dict[str, str] = {
    "direct": "one search answers it",
    "bad_argument": "a misspelt name finds nothing, the right one does",
    "bad_tool": "the wrong tool finds what is off-topic, the right one does not",
    "parallel": "two searches at once, for two questions",
    "chain_one": "several searches with one tool, each for what the one before has found",
    "chain_many": "the same over several tools",
    "chain_failure": "the same with a search that fails on the way",
    "missing": "the passages do not hold the answer, and the reply says so",
}
"""Pattern -> what happens in it."""
ONE_HOP = ("direct", "bad_argument", "bad_tool", "parallel")
CHAINS = ("chain_one", "chain_many", "chain_failure")
GENERAL_SHARE = 0.3
"""How often one tool for everything is on offer where either would do."""
LIMIT_SHARE, LIMIT = 0.5, (2, 5)
"""How often a request bounds the results, where the tools can, and by how many."""
LIMITS = (
    "Look at {0} results a search at most.",
    "Please ask for no more than {0} results in each search.",
    "No search should return more than {0} results.",
)
EMPTY_SHARE = 0.5
"""How often a search for what is not there finds nothing at all, and not something else."""
OTHERS = (1, 3)
"""Fewest and most tools on offer that are not called."""
NEIGHBOURS = 3
"""Passages that state the same relation of somebody else, for each fact of the question."""
INSTRUCTIONS = (
    "Answer from what the searches find, never from memory. Look up one fact a search; facts that do not wait"
    " for each other are searched at once. Where a search fails because its name or its tool was wrong,"
    " correct that and search again. Where it was right and the fact is not there, say that you could not"
    " find it.",
    "You answer questions with the search tools on offer. Each search gives one fact. Make independent"
    " searches in the same turn. A name goes into a search exactly as it is written; correct a search that"
    " had a mistake. If a correct one does not find the fact, tell the user so.",
    "Find the answer with the tools: one fact for each search, several searches in one turn if none of them"
    " needs the result of another. After a mistake in a name or in the choice of a tool, repeat the search"
    " without it. When there was no mistake and nothing fits, reply that it was not found.",
)


class Setup(NamedTuple):
    """What dialogues are made of."""

    base: Base
    tools: dict[str, list[Search]]
    """Kind -> the tools that it may be."""
    hops: tuple[int, int] = (1, 3)
    top: tuple[int, int] = (2, 4)
    """Fewest and most passages that a search finds."""
    path: tuple[str, ...] = ()
    """The relations of the question by name; empty: any."""


class Made(NamedTuple):
    """A dialogue with its record and its samples."""

    dialogue: Searches
    record: Record
    samples: tuple[Sample, ...]


class Planned(NamedTuple):
    """One call that is going to be made."""

    search: Search
    arguments: dict[str, JsonValue]
    fact: Fact
    """What it is for."""
    fails: Fails


def possible(hops: tuple[int, int]) -> list[str]:
    """The patterns that questions of so many relations allow."""
    low, high = hops
    return [p for p in PATTERNS if (p not in ONE_HOP or low == 1) and (p not in CHAINS or high > 1)]


def dialogue(setup: Setup, pattern: str, rng: Random, split: str = "train") -> Made:
    """One dialogue of a pattern.

    Raises:
        ValueError: The base has no question for it.
    """
    general = pattern == "chain_one" or (
        pattern not in ("chain_many", "bad_tool") and rng.random() < GENERAL_SHARE
    )
    question = _question(setup, pattern, rng, general)
    offered = _offered(setup, question, general, pattern, rng)
    # Where nothing is found, a bound would leave open whether more results had it.
    limit = 0 if pattern == "missing" else _limit(offered, rng)
    turns = _turns(setup, question, pattern, offered, limit, rng)
    record, found = _retrieved(setup, question, turns, limit, rng)
    steps = tuple(Step(tools=tuple(p.search.tool.name for p in turn), fails=turn[0].fails) for turn in turns)
    tools = [s.tool for s in offered.values()]
    rng.shuffle(tools)
    said = f"{question.text} {rng.choice(LIMITS).format(limit)}" if limit else question.text
    messages = [Message(role="system", content=rng.choice(INSTRUCTIONS)), Message(role="user", content=said)]
    waiting = iter(found)
    for turn in turns:
        calls = tuple(ToolCall(name=p.search.tool.name, arguments=p.arguments) for p in turn)
        messages.append(Message(role="assistant", tool_calls=calls))
        for call in calls:
            passages = [record.passages[at] for at in next(waiting)]
            messages.append(Message(role="tool", name=call.name, content=result_text(passages)))
    messages.append(Message(role="assistant", content=_reply(question, pattern)))
    made = Searches(tools=tuple(tools), messages=tuple(messages), steps=steps, found=tuple(found))
    about: dict[str, JsonValue] = {
        "pattern": pattern,
        "hops": 1 if question.both else len(question.facts),
        "facts": [[f.subject.name, f.relation.name, f.value] for f in question.facts],
    }
    return Made(made, record, samples_of(made, record, split, about))


# ------------------------------------------------------------------------- plan


def _kind(fact: Fact) -> str:
    """The kind of tool that finds a fact."""
    return "organisation" if fact.subject.kind in ("company", "club") else fact.subject.kind


def _question(setup: Setup, pattern: str, rng: Random, general: bool) -> Question:
    low, high = setup.hops
    if pattern == "parallel":
        return pair(setup.base, rng)
    hops = 1 if pattern in ONE_HOP else rng.randint(max(2, low) if pattern in CHAINS else low, high)
    hops = len(setup.path) or hops
    return chain(setup.base, hops, rng, named=general and hops > 1, path=setup.path)


def _offered(setup: Setup, question: Question, general: bool, pattern: str, rng: Random) -> dict[str, Search]:
    """Kind -> the tool on offer; one that searches everything stands beside those of other matters alone."""
    called = [GENERAL] if general else list(dict.fromkeys(_kind(f) for f in question.facts))
    others = list(ASIDE) if general else [k for k in (*SPECIFIC, *ASIDE) if k not in called]
    kinds = called + rng.sample(others, rng.randint(*OTHERS))
    if (
        pattern in ("bad_tool", "chain_failure")
        and not general
        and not set(kinds) & set(SPECIFIC) - set(called)
    ):
        kinds.append(rng.choice([k for k in SPECIFIC if k not in called]))
    return {kind: rng.choice(setup.tools[kind]) for kind in kinds}


def _limit(offered: dict[str, Search], rng: Random) -> int:
    """The most results that the request allows; 0 where it does not say."""
    able = all(s.limit for kind, s in offered.items() if kind not in ASIDE)
    return rng.randint(*LIMIT) if able and rng.random() < LIMIT_SHARE else 0


def _turns(
    setup: Setup, question: Question, pattern: str, offered: dict[str, Search], limit: int, rng: Random
) -> list[list[Planned]]:
    """The calls of each turn."""

    def call(fact: Fact, fails: Fails = "", kind: str = "") -> Planned:
        search = offered[kind or (GENERAL if GENERAL in offered else _kind(fact))]
        choices: list[str] = search.tool.properties[search.about]["enum"]
        about = (
            fact.relation.name
            if fact.relation.name in choices
            else _nearest(fact.relation.name, choices, rng)
        )
        name = misspelt(fact.subject.name, rng, setup.base) if fails == "argument" else fact.subject.name
        arguments: dict[str, JsonValue] = {search.entity: name, search.about: about}
        return Planned(search, arguments | ({search.limit: limit} if limit else {}), fact, fails)

    if question.both:
        return [[call(f) for f in question.facts]]
    turns = [[call(f)] for f in question.facts]
    wrong = [k for k in offered if k in SPECIFIC and k not in {_kind(f) for f in question.facts}]
    if pattern == "missing":
        turns[-1] = [call(question.facts[-1], "missing")]
    elif pattern in ("bad_argument", "bad_tool", "chain_failure"):
        at = rng.randrange(len(turns))
        by_tool = pattern == "bad_tool" or (pattern == "chain_failure" and bool(wrong) and rng.random() < 0.5)
        failing = (
            call(question.facts[at], "tool", rng.choice(wrong))
            if by_tool
            else call(question.facts[at], "argument")
        )
        turns.insert(at, [failing])
    return turns


def _nearest(relation: str, choices: Sequence[str], rng: Random) -> str:
    """The choice of a wrong tool that is most like what is wanted: one that shares a word, or any."""
    alike = [c for c in choices if set(c.split("_")) & set(relation.split("_"))]
    return rng.choice(alike or list(choices))


def misspelt(name: str, rng: Random, base: Base) -> str:
    """A name with one slip of the keyboard.

    Two letters are swapped, one is lost, or one is typed twice.
    """
    inner = [i for i in range(1, len(name) - 1) if name[i - 1 : i + 2].isalpha()]
    while True:
        at, slip = rng.choice(inner), rng.randrange(3)
        if slip == 0:
            wrong = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        else:
            wrong = name[:at] + (name[at + 1 :] if slip == 1 else name[at] + name[at:])
        if wrong != name and wrong not in base.entities:
            return wrong


def _reply(question: Question, pattern: str) -> str:
    if pattern == "missing":
        return missed(question.facts)
    if question.both:
        first, second = (told([f]) for f in question.facts)
        return f"{first}. {second}."
    return f"{told(question.facts)}."


# -------------------------------------------------------------------- retrieval


def _retrieved(
    setup: Setup, question: Question, turns: Sequence[Sequence[Planned]], limit: int, rng: Random
) -> tuple[Record, list[tuple[int, ...]]]:
    """The record, and what each call finds in it."""
    gold = [setup.base.passage(f) for f in question.facts]
    lacking = any(p.fails == "missing" for turn in turns for p in turn)
    passages = _passages(setup.base, question, turns, rng)
    kept = gold[: len(gold) - lacking]
    passages = [*kept, *passages]
    rng.shuffle(passages)
    support = tuple(passages.index(p) for p in kept)
    where = dict(zip(question.facts, support, strict=False))
    record = Record(
        id=" ".join(f"{f.subject.name}/{f.relation.name}" for f in question.facts),
        question=question.text,
        answers=() if lacking else question.answers,
        passages=tuple(passages),
        supporting=support,
    )
    found: list[tuple[int, ...]] = []
    for planned in (p for turn in turns for p in turn):
        most = rng.randint(*setup.top)
        most = min(most, limit) if limit else most
        found.append(_found(record, planned, where, most, rng))
    return record, found


def _found(
    record: Record, planned: Planned, where: dict[Fact, int], most: int, rng: Random
) -> tuple[int, ...]:
    """What a call finds: by BM25, what it is for at a random rank, or without it where it fails."""
    if planned.fails == "argument" or (planned.fails == "missing" and rng.random() < EMPTY_SHARE):
        return ()
    kind = planned.search.kind
    kinds = {GENERAL: (), "organisation": ("company", "club")}.get(kind, (kind,))
    query = " ".join(str(v) for v in planned.arguments.values() if isinstance(v, str))
    gold = None if planned.fails else where[planned.fact]
    return retrieve(record, query, gold, most, rng, kinds)


def retrieve(
    record: Record, query: str, gold: int | None, most: int, rng: Random, kinds: Sequence[str] = ()
) -> tuple[int, ...]:
    """The passages that a search finds.

    Args:
        record: What is searched. Its supporting passages are found by nothing but `gold`.
        query: The words searched for.
        gold: The passage that the search is for, by index; it comes at a random rank. None: it fails.
        most: How many passages are found.
        rng: The random stream.
        kinds: The kinds of passages that the tool finds; empty: all.
    """
    allowed = [
        at
        for at, p in enumerate(record.passages)
        if at not in record.supporting and (not kinds or p.kind in kinds)
    ]
    scores = BM25([f"{p.title} {p.text}" for p in record.passages]).scores(query.replace("_", " "))
    best = sorted(allowed, key=lambda at: (-scores[at], at))
    if gold is None:
        return tuple(best[:most])
    found = best[: most - 1]
    found.insert(rng.randint(0, len(found)), gold)
    return tuple(found)


def _passages(
    base: Base, question: Question, turns: Sequence[Sequence[Planned]], rng: Random
) -> list[Passage]:
    """What searches find beside: the same relation of others, other relations of the same, off-topic ones."""
    secret = {f.value for f in question.facts}
    known = {f.subject.name for f in question.facts}
    free = [f for f in base.facts.values() if f not in question.facts and f.value not in secret]
    chosen: list[Fact] = []
    for fact in question.facts:
        chosen += [f for f in free if f.subject == fact.subject]
        others = [f for f in free if f.relation == fact.relation and f.subject.name not in known]
        name = set(fact.subject.name.lower().split())
        rng.shuffle(others)  # of equally near names any
        others.sort(key=lambda f, name=name: -len(name & set(f.subject.name.lower().split())))  # type: ignore[misc]
        chosen += others[:NEIGHBOURS]
    wrong = {p.search.kind for turn in turns for p in turn if p.fails == "tool"}
    aside = [f for f in free if _kind(f) in wrong]
    chosen += rng.sample(aside, min(len(aside), 2 * NEIGHBOURS))
    return [base.passage(f) for f in dict.fromkeys(chosen)]


# ---------------------------------------------------------------------- samples


def samples_of(
    dialogue: Searches, record: Record, split: str, about: dict[str, JsonValue], source: str = "search"
) -> tuple[Sample, ...]:
    """Return one sample for each turn of the assistant.

    Turns that fail by mistake have none.
    """
    out: list[Sample] = []
    turns = [at for at, m in enumerate(dialogue.messages) if m.role == "assistant"]
    plan = [*dialogue.steps, Step(tools=())]
    for number, (at, step) in enumerate(zip(turns, plan, strict=True)):
        if step.fails in ("argument", "tool"):
            continue
        before = plan[number - 1].fails if number else ""
        turn = dialogue.messages[at]
        out.append(
            Sample(
                tools=dialogue.tools,
                messages=dialogue.messages[:at],
                label=_label(turn, record),
                kind=_sort(turn, number, before),
                split=split,
                source=source,
                strategy="seeders.search",
                meta={**about, "step": number, **({"thought": step.thought} if step.thought else {})},
            )
        )
    return tuple(out)


def _label(turn: Message, record: Record) -> Label:
    if turn.tool_calls:
        return Label(calls=turn.tool_calls)
    mentions = tuple((answer,) for answer in record.answers) or (NOT_FOUND,)
    return Label(reply=turn.content, mentions=mentions)


def _sort(turn: Message, number: int, before: str) -> str:
    """The kind of a sample."""
    if not turn.tool_calls:
        return "not_found" if before == "missing" else "finish"
    if before:
        return "recovery"
    return "multi_step" if number else "parallel" if len(turn.tool_calls) > 1 else "single"
