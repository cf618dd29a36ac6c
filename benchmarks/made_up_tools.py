"""Training samples on made-up tools, with labels that are right by construction.

    samples = generate(1000, "a seed")        # up to six in a row share one tool list

Tools are combined from `made_up_bank.toml` (records x verbs, things x facts, calculations, actions), each
time with other names, descriptions and parameters (`made_up_tasks`); values and their words come from
`made_up_values`. A request is built from the values of its calls (`made_up_requests`), so that the calls are
right whatever else is said. Nothing is from a benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from made_up_requests import different, dressed, question, same, wanted
from made_up_tasks import FAMILIES, SMALL, Made, Style, Task, make, style_of, tasks
from made_up_values import BANK, POOLS, split

from looptool_kit.core.samples import Label, Message, Sample, Samples
from looptool_kit.world.tasks import ASKED, CANT, DECLINED

SHARES = {"single": 0.22, "choice": 0.25, "same": 0.16, "different": 0.14, "decline": 0.15, "ask": 0.08}
"""Of the tasks; `same` and `different` are the two sorts of kind `parallel`."""
SIZES = {2: 0.36, 3: 0.27, 4: 0.17, 5: 0.08, 6: 0.05, 7: 0.04, 8: 0.03}
"""Of the lists of several tools."""
ALONE = 0.4
"""Share of the tasks that one tool allows which get a list of one."""
TOGETHER = {2: 0.6, 3: 0.28, 4: 0.12}
"""Different tools of one request."""
NEAR = 0.45
"""Share of the declined requests that are close to what the tools do."""
CHATTY = 0.12
"""Share of the declined requests that no tool could ever serve."""
_READING = {"get", "list", "count", "track", "check"}
_MAKING = {"duplicate", "reschedule", "restart", "merge"}
"""Acts that a few others together may stand for."""


def generate(n: int, seed: str, per_list: int = 6) -> Samples:
    """`n` samples, no two alike; up to `per_list` in a row share one tool list. Deterministic."""
    rng = Random(f"made up/{seed}")
    exact = {sort: n * share for sort, share in SHARES.items()}
    count = {sort: int(x) for sort, x in exact.items()}
    for sort in sorted(SHARES, key=lambda s: count[s] - exact[s])[: n - sum(count.values())]:
        count[sort] += 1
    decks: dict[str, list[str]] = {"alone": [], "near": [], "far": []}
    for sort, k in count.items():
        for _ in range(k):
            if sort not in ("choice", "different") and rng.random() < ALONE:
                decks["alone"].append(sort)
            else:
                near = sort == "choice" or (sort != "single" and rng.random() < 0.5)
                decks["near" if near else "far"].append(sort)
    chunks: list[tuple[str, list[str]]] = []
    for name, deck in decks.items():
        rng.shuffle(deck)
        chunks += [(name, deck[i : i + per_list]) for i in range(0, len(deck), per_list)]
    rng.shuffle(chunks)
    seen: set[str] = set()
    return Samples([sample for name, sorts in chunks for sample in _chunk(name, sorts, rng, seen)])


def _chunk(name: str, sorts: Sequence[str], rng: Random, seen: set[str]) -> list[Sample]:
    """The samples of one tool list."""
    for _ in range(200):
        tools = _tools(name, max(2, 1 + ("different" in sorts)), rng)
        rows: list[Sample] = []
        fresh: set[str] = set()
        for sort in sorts:
            for _ in range(12):
                row = _sample(sort, tools, rng)
                if row and row.request.lower() not in fresh and row.request.lower() not in seen:
                    rows.append(row)
                    fresh.add(row.request.lower())
                    break
            else:
                break
        if len(rows) == len(sorts):
            seen |= fresh
            return rows
    wanted_sorts = ", ".join(sorts)
    raise ValueError(f"no tool list allows {wanted_sorts} with new requests; ask for fewer samples a seed")


# ------------------------------------------------------------------ lists


@lru_cache(1)
def _kin() -> dict[tuple[str, str], list[Task]]:
    """Tasks by what they have in common."""
    out: dict[tuple[str, str], list[Task]] = {}
    for family, all_of_it in tasks().items():
        for t in all_of_it:
            for key in (("about", t.about), ("area", t.area), ("act", f"{family} {t.act}")):
                out.setdefault(key, []).append(t)
    return out


@lru_cache(None)
def _topic(task: Task) -> frozenset[str]:
    """The telling words of what a task is about."""
    text = task.act if task.family == "fact" else task.gist if task.family == "action" else task.about
    return frozenset(w.rstrip("s") for w in re.findall(r"[a-z]{3,}", text.lower()) if w not in SMALL)


def _any(rng: Random) -> Task:
    return rng.choice(tasks()[rng.choices(list(FAMILIES), list(FAMILIES.values()))[0]])


def _within(a: Task, b: Task) -> bool:
    return _topic(a) <= _topic(b) or _topic(b) <= _topic(a)


def _apart(a: Task, b: Task) -> bool:
    """Whether no request for one could be meant for the other."""
    if (a.about, a.act) == (b.about, b.act):
        return False
    if a.area != b.area and (a.family, b.family) != ("fact", "fact"):
        records = a.family == b.family == "record"
        return not _topic(a) & _topic(b) or (records and not _within(a, b))
    if a.family == b.family == "record" and a.about != b.about:
        return not _within(a, b)
    return True


def _tools(name: str, least: int, rng: Random) -> list[Made]:
    """A tool list: of one (`alone`), of tools like each other (`near`), of others (`far`)."""
    size = 1 if name == "alone" else max(least, rng.choices(list(SIZES), list(SIZES.values()))[0])
    first = _any(rng)
    chosen = [first]
    for _ in range(60):
        if len(chosen) == size:
            break
        roll = rng.random()
        if name != "near" or roll > 0.85:
            other = _any(rng)
        elif roll < 0.4:
            other = rng.choice(_kin()["about", first.about])
        elif roll < 0.6 and first.family in ("record", "fact"):
            other = rng.choice(_kin()["act", f"{first.family} {first.act}"])
        else:
            other = rng.choice(_kin()["area", first.area])
        fits = all(_apart(other, t) and (name == "near" or other.area != t.area) for t in chosen)
        if fits:
            chosen.append(other)
    rng.shuffle(chosen)
    style = style_of(rng)
    out: list[Made] = []
    for task in chosen:
        made = make(task, style if rng.random() < 0.8 else style_of(rng), rng)
        if all(made.tool.name != m.tool.name for m in out):
            out.append(made)
    return out


# ------------------------------------------------------------------ samples


def _sample(sort: str, tools: Sequence[Made], rng: Random) -> Sample | None:
    if sort in ("single", "choice"):
        if sort == "choice" and len(tools) < 2:
            return None
        text, calls = wanted(rng.choice(tools), rng)
        return _row(sort, tools, text, Label(calls=tuple(calls)))
    if sort == "same":
        made = same(rng.choice(tools), rng)
        return _row("parallel", tools, dressed(made[0], rng), Label(calls=tuple(made[1]))) if made else None
    if sort == "different":
        several = rng.choices(list(TOGETHER), list(TOGETHER.values()))[0]
        if len(tools) < 2:
            return None
        text, calls = different(rng.sample(tools, min(several, len(tools))), rng)
        return _row("parallel", tools, dressed(text, rng), Label(calls=tuple(calls)))
    return _ask(tools, rng) if sort == "ask" else _decline(tools, rng)


def _row(kind: str, tools: Sequence[Made], text: str, label: Label) -> Sample:
    return Sample(
        tools=tuple(m.tool for m in tools),
        messages=(Message(role="user", content=text),),
        label=label,
        kind=kind,
        split="train",
        source="made_up",
    )


def _ask(tools: Sequence[Made], rng: Random) -> Sample | None:
    made = rng.choice(tools)
    ways = [s for s in made.slots if s.required and s.kind.schema["type"] != "boolean"]
    if not ways:
        return None
    slot = rng.choice(ways)
    related = {m.task.act for m in tools if m.task.about == made.task.about and m is not made}
    if related & _READING:  # what is missing could be looked up
        return None
    text, _ = wanted(made, rng, skip=slot.param.name)
    asked, words = question(slot, made.task, rng)
    label = Label(reply=rng.choice(ASKED).format(x=asked), mentions=(words,), asks=True)
    return _row("ask", tools, text, label)


def _decline(tools: Sequence[Made], rng: Random) -> Sample | None:
    offered = [m.task for m in tools]
    if rng.random() < CHATTY:
        gist, _, ways = rng.choice(BANK["chat"].strip().splitlines()).partition("=")
        gist = gist.format(a=rng.choice(split(ways)), topic=rng.choice(POOLS["topic"]))
        return _row("decline", tools, dressed(re.sub("^tell", "tell me", gist), rng), _refusal(gist, rng))
    if rng.random() < NEAR:
        near = rng.choice(offered)
        key = ("about", near.about) if near.family in ("record", "fact") else ("area", near.area)
        other = rng.choice(_kin()[key])
        kin = {t.act for t in offered if t.about == other.about}
        if other.act in _MAKING or (other.act in _READING and kin & _READING):
            return None
        for t in offered:
            kept = t.about == other.about or t.family == "calculation" or not _topic(t) & _topic(other)
            if not (kept and _apart(other, t)):
                return None
    else:
        other = _any(rng)
        if not all(other.area != t.area and not _topic(t) & _topic(other) for t in offered):
            return None
    text, _ = wanted(make(other, Style("snake", ""), rng), rng)
    return _row("decline", tools, text, _refusal(other.gist, rng))


def _refusal(gist: str, rng: Random) -> Label:
    return Label(reply=rng.choice(DECLINED).format(x=gist), mentions=CANT)
