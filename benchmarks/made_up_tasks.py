"""What made-up tools can do, and tools that do it: the bank's entries as tasks, each made into many tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from made_up_values import BANK, Kind, kind, listed, split

from looptool_kit.core.samples import Tool

FAMILIES = {"fact": 0.2, "calculation": 0.28, "record": 0.3, "action": 0.22}
"""Shares of the sorts of tasks."""

THINGS = {"ticker": "stock", "codelang": "programming language"}
_ALIASES = {
    "ticker": "ticker symbol",
    "codelang": "programming language",
    "car": "car model",
    "drug": "drug name",
    "food": "food item",
    "game": "game title",
    "university": "university name",
    "species": "species name",
}
SMALL = {"a", "an", "the", "of", "for", "to", "in", "on", "and", "at", "per", "with", "from", "required"}


class Param(NamedTuple):
    """A parameter as the bank has it."""

    name: str
    kind: str
    unit: str
    clauses: tuple[str, ...]
    default: str
    required: bool


class Task(NamedTuple):
    """Something that a tool may do."""

    family: str
    area: str
    about: str
    act: str
    verbs: tuple[str, ...]
    noun: str
    says: tuple[str, ...]
    gist: str
    params: tuple[Param, ...]
    plural: bool = False
    """Of a fact or calculation: whether one asks what they are."""
    pick: bool = False
    """Whether the optional parameters are a choice, of which the first ones may be required."""

    @property
    def nominal(self) -> bool:
        """Whether a request may ask for it by a noun phrase."""
        return self.family in ("fact", "calculation")


class Slot(NamedTuple):
    """A parameter of a tool."""

    param: Param
    name: str
    kind: Kind
    required: bool


class Made(NamedTuple):
    """A tool with what it does."""

    task: Task
    tool: Tool
    slots: tuple[Slot, ...]


# ------------------------------------------------------------------ bank


def _param(text: str) -> Param:
    head, _, rest = text.strip().partition("=")
    body, _, default = rest.partition("~")
    of, _, clauses = body.partition("@")
    if of in SHORT:
        of, _, usual = SHORT[of].partition("@")
        clauses = clauses or usual
    found = re.fullmatch(r"(.*?)(?:\[(.*)\])?", of)
    assert found
    ways = tuple(filter(None, clauses.split("/")))
    return Param(head.lstrip("?"), found[1], found[2] or "", ways, default, not head.startswith("?"))


def _params(text: str) -> tuple[Param, ...]:
    return tuple(_param(t) for t in re.split(r"[;\n]", text) if "=" in t)


SHORT = {head.strip(): rest for head, rest in re.findall(r"(\w+)=([^;\n]+)", BANK["short"])}
"""Short kinds of calculations."""


def an(words: str) -> str:
    """A noun phrase with its indefinite article."""
    vowel = words[0] in "aeiouAEIOU" and not words.startswith(("uni", "use", "one"))
    return f"{'an' if vowel else 'a'} {words}"


def plural_of(record: str) -> str:
    """The plural of a noun phrase."""
    if re.search("[^aeiou]y$", record):
        return f"{record[:-1]}ies"
    return record + ("es" if record.endswith(("x", "s", "h")) else "s")


def _lines(name: str) -> Iterator[list[str]]:
    for line in BANK[name].strip().splitlines():
        yield [part.strip() for part in line.split(";")]


@lru_cache(1)
def tasks() -> dict[str, list[Task]]:
    """All tasks of the bank by family."""
    out: dict[str, list[Task]] = {family: [] for family in FAMILIES}
    for task in (*_facts(), *_calculations(), *_records(), *_actions()):
        out[task.family].append(task)
    return out


def _facts() -> Iterator[Task]:
    extra = _params(BANK["fact_options"])
    measured = set(split("geography|astronomy|chemistry|materials|biology|automotive|agriculture|nutrition"))
    for area, thing, prep, facts in _lines("facts"):
        name = _ALIASES.get(thing, thing)
        for fact in facts.split("|"):
            words = fact.strip("*+")
            options = tuple(
                o
                for o in extra
                if (o.name != "year" or "*" in fact)
                and (o.name != "unit system" or area in measured)
                and not (o.name == "answer language" and thing == "language")
            )
            gist = f"look up the {words} {prep.split()[0]} {an(THINGS.get(thing, thing))}"
            verbs = split("get|find|lookup|fetch")
            say = f"the {words} {prep} {{{name}}}"
            params = (Param(name, thing, "", (), "", True), *options)
            yield Task("fact", area, thing, words, verbs, words, (say,), gist, params, "+" in fact)


def _calculations() -> Iterator[Task]:
    extra = _params(BANK["calculation_options"])
    verbs = split("calculate|compute|calc|estimate|determine|find")
    for area, phrase, *texts in _lines("calculations"):
        words, params = phrase.strip("+"), (*_params(";".join(texts)), *extra)
        say, gist, plural = (f"the {words}",), f"calculate the {words}", "+" in phrase
        yield Task("calculation", area, words, "calculate", verbs, words, say, gist, params, plural)


def _records() -> Iterator[Task]:
    """What can be done with a record, then the change of each of its attributes."""
    known = {p.name: p for p in _params(BANK["attributes"])}
    acts = list(_lines("verbs"))
    for area, group, record, prefix, attributes in _lines("records"):
        own = tuple(known[a.strip()]._replace(required=False) for a in attributes.split(","))
        code = group == "c"
        identity = Param(record if code else "id", "ident" if code else f"id:{prefix}", "", (), "", True)
        plural = plural_of(record)
        for act, groups, names, says, gist, *texts in acts:
            if group not in groups:
                continue
            named = (identity,) if "{id}" in says else ()
            fill = {"es": plural, "an": an(record), "id": f"{{{identity.name}}}"}
            for key, words in fill.items():
                says = says.replace(f"{{{key}}}", words)
            ways = tuple(says.split("/"))
            taken = _params(";".join(p.replace("*", prefix) for p in texts))
            ps = (*named, *taken, *(own if "!" in texts else ()))
            noun, pick = plural if act in ("list", "count") else record, "!" in texts and not named
            gist = gist.format(**fill)
            yield Task("record", area, record, act, split(names), noun, ways, gist, ps, pick=pick)
        yield from _changes(area, record, identity, () if code else own)


def _changes(area: str, record: str, identity: Param, attributes: Sequence[Param]) -> Iterator[Task]:
    verbs = split("update|change|set")
    for p in attributes:
        if not p.kind.startswith(("bool", "obj", "list")):
            says = tuple(f"{v} the {p.name} of {{e}} {{id}} to {{{p.name}}}" for v in ("change", "set"))
            gist, noun = f"change the {p.name} of {an(record)}", f"{record} {p.name}"
            params = (identity, p._replace(required=True))
            yield Task("record", area, record, f"update {p.name}", verbs, noun, says, gist, params)


def _actions() -> Iterator[Task]:
    for area, name, says, gist, *texts in _lines("actions"):
        verb, _, noun = name.partition("_")
        noun, ways, ps = noun.replace("_", " "), tuple(says.split("/")), _params(";".join(texts))
        yield Task("action", area, name, verb, (verb,), noun, ways, gist, ps)


# ------------------------------------------------------------------ tools


class Style(NamedTuple):
    """How the names of one list are written."""

    case: str
    prefix: str


def style_of(rng: Random) -> Style:
    """How the names of a list are written."""
    return Style(
        rng.choice(("snake",) * 5 + ("camel",) * 3 + ("Pascal",)),
        rng.choice(("", "", "", "", "dot", "dot", "dot verb", "area")),
    )


def _cased(words: Sequence[str], case: str) -> str:
    if case == "snake":
        return "_".join(words).lower()
    joined = "".join(w[0].upper() + w[1:] for w in words)
    return joined if case == "Pascal" else joined[0].lower() + joined[1:]


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", text.replace("'", ""))


def _name(task: Task, style: Style, rng: Random) -> str:
    noun = _words(task.noun)
    if rng.random() < 0.6 or len(noun) > 5:
        noun = [w for w in noun if w not in SMALL] or noun
    if task.family == "fact" and rng.random() < 0.7:
        noun = [*_words(task.about.replace("codelang", "language")), *noun]
    verb = rng.choice(task.verbs).split("_")
    area = task.area.replace(" ", "_")
    if task.nominal and rng.random() < 0.3 and len(noun) > 1:
        verb = []
    words = [w for at, w in enumerate([*verb, *noun]) if at == 0 or w != [*verb, *noun][at - 1]]
    if style.prefix == "dot verb" and task.family == "record":
        return f"{_cased(_words(task.about), style.case)}.{_cased(verb, style.case)}" + (
            f"_{_cased(noun[len(_words(task.about)) :], 'snake')}" if task.act.startswith("update") else ""
        )
    if style.prefix == "area":
        return _cased([*_words(area), *words], style.case)
    name = _cased(words, style.case)
    return f"{area}.{name}" if style.prefix.startswith("dot") else name


def default_of(slot: Param, of: Kind) -> Any:
    """The default of a parameter as its kind writes it, or None."""
    if not slot.default:
        return None
    if of.schema["type"] == "boolean":
        return slot.default == "true"
    if of.schema["type"] in ("integer", "number"):
        return int(slot.default) if slot.default.isdigit() else float(slot.default)
    plain = {re.sub("[_-]", " ", v).lower(): v for v in of.schema.get("enum", ())}
    return plain.get(slot.default, None if ":" in slot.kind else slot.default)


def _explained(slot: Slot, task: Task, rng: Random) -> dict[str, Any]:
    """The schema of a parameter with its description."""
    p, schema = slot.param, dict(slot.kind.schema)
    default = None if slot.required else default_of(p, slot.kind)
    name = f"ID of the {task.about}" if p.name == "id" else f"{p.name[0].upper()}{p.name[1:]}"
    if schema["type"] == "boolean":
        told = p.clauses[0].split()[0] not in ("that", "only", "and", "while") and rng.random() < 0.6
        text = f"True: {p.clauses[0]}; false: {p.clauses[1]}" if told else f"{name} or not"
    elif p.unit:
        text = f"{name} in {p.unit}"
    else:
        text = rng.choice(
            (
                name,
                f"The {name[0].lower() if name[:2] != 'ID' else 'I'}{name[1:]}",
                f"{name} to use" if p.name != "id" else name,
            )
        )
    parts = [text + "."] if rng.random() < 0.92 or p.unit else []
    parts += [slot.kind.note + "."] if slot.kind.note else []
    if default is not None:
        shown = json.dumps(default) if not isinstance(default, str) else rng.choice((default, f"'{default}'"))
        ways = (f"Default is {shown}.", f"Defaults to {shown}.", f"Optional, {shown} if left out.")
        parts.append(rng.choice(ways))
        if rng.random() < 0.25:
            schema["default"] = default
    elif not slot.required and rng.random() < 0.3:
        parts.append("Optional.")
    return {**schema, "description": " ".join(parts)} if parts else schema


def make(task: Task, style: Style, rng: Random) -> Made:
    """A tool for a task, in one of many ways."""
    required = [p for p in task.params if p.required]
    optional = [p for p in task.params if not p.required]
    rng.shuffle(optional)
    if task.pick:
        want = rng.choice((1, 1, 2, 2, 3)) if task.act == "create" else rng.choice((0, 1, 1))
        own = [p for p in optional if not p.default and p.name != "sort order" and p.kind[:3] != "obj"][:want]
        required += own
        optional = [p for p in optional if p not in own]
    more = (0, 0, 1, 1, 2) if task.family == "calculation" else (0, 1, 1, 2, 2, 3, 4, 5)
    optional = optional[: max(0, min(7 - len(required), rng.choice(more)))]
    if task.family == "calculation":  # those of the calculation itself before those of any
        optional.sort(key=lambda p: p not in task.params[:-3])
    kinds: dict[str, Kind] = {}
    slots = []
    case = "camel" if style.case != "snake" else "snake"
    for p in (*required, *optional):
        name = p.name if p.name != "id" or rng.random() < 0.3 else f"{task.about} id"
        of = kinds.setdefault(p.kind, kind(p.kind, rng))
        slots.append(Slot(p, _cased(_words(name), case), of, p in required))
    shown = slots if rng.random() < 0.7 else rng.sample(slots, len(slots))
    gist = task.gist[0].upper() + task.gist[1:]
    text = rng.choice(
        (
            f"{gist}.",
            f"{gist}.",
            gist,
            f"Use this to {task.gist}.",
            f"{gist}, given {_given(required, task)}.",
        )
    )
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        text = f"{text.rstrip('.')}. {rng.choice(sentences('notes'))}"
    parameters = {
        "type": "object",
        "properties": {s.name: _explained(s, task, rng) for s in shown},
        "required": [s.name for s in shown if s.required],
    }
    tool = Tool(name=_name(task, style, rng), description=text, parameters=parameters)
    return Made(task, tool, tuple(slots))


def _given(required: Sequence[Param], task: Task) -> str:
    names = [f"{task.about} ID" if p.name == "id" else p.name for p in required]
    return f"its {listed(names)}" if names else "optional filters"


@lru_cache(None)
def sentences(name: str) -> tuple[str, ...]:
    """The entries of a field of the bank."""
    return split(BANK[name].replace("\n", "|"))
