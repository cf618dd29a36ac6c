"""From a tool to what people say to get it called.

The result is a `Spec` as the world's grammar takes it. Phrases are written from the description's first
sentence and from the name (`headlines.py`). Where a phrase speaks of a parameter ("the weather for a city"),
its value takes that place; what else a call needs is said in clauses of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import JsonValue

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.choices import said
from looptool_kit.stages.seed.templates.clauses import wordings
from looptool_kit.stages.seed.templates.conditions import agree, bound, with_one_day
from looptool_kit.stages.seed.templates.content import beside, changes, see_that_it_says_something
from looptool_kit.stages.seed.templates.cuts import head_of
from looptool_kit.stages.seed.templates.headlines import from_name, headline, owner_of, subject_of
from looptool_kit.stages.seed.templates.hints import plain, without_hints
from looptool_kit.stages.seed.templates.kinds import TODAY
from looptool_kit.stages.seed.templates.names import Unusable, is_id, words_of
from looptool_kit.stages.seed.templates.nouns import DAYS, label_of, plural
from looptool_kit.stages.seed.templates.numbers import NUMBERED
from looptool_kit.stages.seed.templates.slots import DETERMINER, slotted
from looptool_kit.stages.seed.templates.stated import (
    demanded,
    described,
    ever_required,
    is_a_day,
    is_of,
    limits_of_number,
    one_is_needed,
    which_day,
)
from looptool_kit.stages.seed.templates.technical import constants, is_of_the_tool, is_technical
from looptool_kit.stages.seed.templates.values import Group, Many, type_of
from looptool_kit.stages.seed.templates.verbs import KNOWN, READING, TO_A_VALUE
from looptool_kit.text.words import STOP, stems
from looptool_kit.world.spec import NOTHING, SLOT, Param, Spec
from looptool_kit.world.types import TIME, Type


class Able(NamedTuple):
    """A tool that can be spoken of."""

    tool: Tool
    spec: Spec
    subject: frozenset[str]
    """Stems of what it is about."""
    verbs: frozenset[str]
    """Verbs of the other tools of the catalogue."""
    constants: dict[str, JsonValue]
    """Arguments that nobody says and every call has."""

    def leaving_out(self, name: str) -> Spec:
        """The spec with phrases that need no value of one parameter."""
        verb, subject_words = headline(self.tool)
        others = [p for p in self.spec.params if p.name != name]
        do, _, _ = phrases(verb, subject_words, self.tool, others, self.verbs)
        return replace(self.spec, do=do + self.spec.do)


def able(tool: Tool, verbs: frozenset[str] = frozenset()) -> Able:
    """The tool with its wordings.

    `verbs` are those of the catalogue's other tools, which stay theirs. Raises `Unusable` where a required
    parameter is of no kind whose values are surely right, or where nothing is left to ask for.
    """
    verb, subject_words = headline(tool)
    context = f"{verb} {subject_words} {words_of(tool.name)}".lower()
    beside_it = f"{context}\n{' '.join(map(words_of, tool.properties))} {tool.description.lower()}"
    params: list[Param] = []
    fixed, needed = constants(tool), ever_required(tool)
    for name, schema in tool.properties.items():
        if is_technical(name, schema) and not is_of_the_tool(name, tool):
            continue
        try:
            if tie := bound(name, tool):
                raise Unusable(
                    f"{name} depends on others or on a condition ({tie[:60]!r}): take the words out of its"
                    " description, or make it optional"
                )
            if verb in READING and words_of(name) in ("seconds", "minutes", "hours"):
                raise Unusable(f"nothing tells what lasts {name}: give it a noun, as `hours_ahead`")
            schema = without_explained(tool, with_limits_of(tool, name, schema))
            kind = type_of(name, schema, owner_of(tool, described(schema)), beside_it)
            if _said_already(name, kind, f"{verb} {subject_words}"):
                raise Unusable(f"what the tool does names {name} already: say it in other words")
            if name not in needed and not _may_be_left_out(kind):
                continue
            schema = schema if isinstance(schema, dict) else {}
            params.append(_param(tool, name, schema, kind, name in needed))
        except Unusable:
            if name in needed:
                raise
    if one := one_is_needed(tool, [p.name for p in params if not p.optional]):
        raise Unusable(f"it wants one of several ({one[:60]!r}): make one required, or take the words out")
    if demand := demanded(tool):
        raise Unusable(f"its description demands something of a call ({demand[:60]!r}): take the words out")
    params = with_one_day(params, context)
    # "Search rides of a member": of which one is always said.
    whose = [p.name for p in params if p.optional and is_of(p.name, subject_words)]
    params = [replace(p, optional=False) if whose == [p.name] else p for p in params]
    agree(params)
    see_that_it_says_something(tool, params)
    do, ask, need = phrases(verb, subject_words, tool, params, verbs)
    return Able(
        tool,
        Spec(tool.name, f"{verb} {plain(subject_words)}".strip(), tuple(params), do, ask, need, {}, ""),
        subject_of(tool),
        verbs,
        fixed,
    )


def _may_be_left_out(kind: Type) -> bool:
    """Whether an optional parameter of this kind takes part: no list, no object, no day of no direction."""
    return not isinstance(kind, Group | Many) and kind.name != TODAY and kind.question != TIME.question


def _said_already(name: str, kind: Type, told: str) -> bool:
    """Whether the words for what a tool does say a flag or a choice: "live values", "the daily report"."""
    there = set(stems(told))
    if kind.name == "boolean":
        return bool(set(stems(name)) - STOP - SAYS_NOTHING & there)
    choices = [set(stems(said(c))) for c in kind.schema.get("enum", ()) if isinstance(c, str)]
    return any(c and c <= there for c in choices)


_SHIFTS = ("move", "reschedule", "postpone", "shift", "rebook")
SAYS_NOTHING = lex.word_set("include show with without only return has is")
"""Stems in names of flags that do not tell what is included."""


_EXPLAINS = re.compile(r" (?:reason|notes?|text|details?|comment|explanation|description|name|specify)$")


def without_explained(tool: Tool, schema: Any) -> Any:
    """A choice's schema without what another parameter explains: "rejected" beside `rejection_reason`."""
    choices = schema.get("enum") if isinstance(schema, dict) else None
    if not isinstance(choices, list):
        return schema
    heads = [_EXPLAINS.sub("", w) for w in map(words_of, tool.properties) if _EXPLAINS.search(w)]
    left = [
        c
        for c in choices
        if not any(len(h) > 4 and h[:5] == w[:5] for h in heads for w in said(str(c)).split())
    ]
    return {**schema, "enum": left} if 1 < len(left) < len(choices) else schema


def with_limits_of(tool: Tool, name: str, schema: Any) -> Any:
    """The schema of a tool's only number, with the tool's limits.

    As in "Set the goal (1 to 14)".
    """
    if not isinstance(schema, dict) or schema.get("type") not in ("integer", "number"):
        return schema
    if not only_number(tool) or limits_of_number(str(schema.get("description") or "")):
        return schema
    return limits_of_number(tool.description) | schema


def only_number(tool: Tool) -> bool:
    """Tell whether one required parameter alone is a number.

    IDs aside; what is set, is set to it.
    """
    kinds = [(n, s) for n, s in tool.properties.items() if n in tool.required and isinstance(s, dict)]
    told = [s for n, s in kinds if not (is_id(words_of(n)) or NUMBERED.fullmatch(words_of(n)) or "enum" in s)]
    return len(told) == 1 and told[0].get("type") in ("integer", "number")


def _param(tool: Tool, name: str, schema: dict[str, Any], kind: Type, needed: bool) -> Param:
    """A parameter with its wordings, which depend on what the tool does."""
    verb, subject_words = headline(tool)
    description = described(schema)
    clauses, also, question, words = wordings(
        words_of(name), description, kind, owner_of(tool, description), verb, subject_words
    )
    settable = kind.name == "number" or "enum" in kind.schema
    end = re.match(r"(?:from|to|start|end|min|max|since|until)\b", words_of(name))
    alone = verb in TO_A_VALUE and kind.name == "number" and only_number(tool) and not end
    noun = also[0].removesuffix(": {}") if also else ""
    own = [set(stems(n)) - STOP for n in (name, noun)]
    attribute, _, whose = re.sub(r"^(?:an?|the) [\w-]+'s ", "", subject_words).partition(" of ")
    settable = settable or bool(whose)
    named = verb in TO_A_VALUE and settable and any(n and n <= set(stems(attribute)) for n in own)
    another_day = any(is_a_day(n, s) for n, s in tool.properties.items() if n != name)
    if needed and (alone or named):
        clauses, also = ("to {}",), ()
    elif verb in _SHIFTS and needed and kind.question in DAYS and not another_day:
        clauses, also = ("to {}",), ()  # "starting on" would be when it is now
    elif changes(tool) and verb not in ("set", "move") and not needed and not beside(name, kind):
        noun = noun or label_of(words_of(name), description, kind, owner_of(tool, description))
        noun = noun if noun.startswith("new ") else f"new {noun}"
        clauses, also = (f"with the {noun} {{}}", f"with {{}} as the {noun}"), (f"{noun}: {{}}",)
    if kind.question in DAYS and another_day:
        question = which_day(noun or label_of(words_of(name), description, kind, owner_of(tool, description)))
    default = schema["default"] if schema.get("default") is not None else NOTHING
    return Param(name, kind, clauses, also, description, not needed, default, question, words)


# ------------------------------------------------------------------- phrases

MAX_SUBJECT = 60
"""Letters: where a description says more than that, what the name says serves as a phrase as well."""

Phrases = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def phrases(
    verb: str, subject_words: str, tool: Tool, params: Sequence[Param], verbs: Iterable[str]
) -> Phrases:
    """Commands, questions and needs of a tool, with slots as `{name}`.

    `verbs` are those of the other tools.
    """
    owner = owner_of(tool)
    bodies = _bodies(verb, subject_words, params, owner)
    from_its_name = from_name(tool.name, tool.description)
    if len(subject_words) > MAX_SUBJECT and from_its_name and from_its_name[0] == verb and from_its_name[1]:
        bodies += _bodies(verb, from_its_name[1], params, owner)
    bodies = list(dict.fromkeys(bodies))
    taken = set(verbs)
    ways = [w for w in lex.SAME.get(verb, ()) if w.split()[0] not in taken]
    first = {"search": "search for", "show": "show me", "tell": "tell me", "give": "give me"}.get(verb, verb)
    either = next((p for p in params if _says_verbs(p, verb)), None)
    if either:  # "start or stop the vacuum", which `action` tells
        first, ways = f"{{{either.name}}}", []
    do = [
        f"{w} {body}".strip()
        for body in bodies
        for w in (_leading(first, body), *(ways if _goes_with(verb, body) else ()))
    ]
    ask: list[str] = []
    need: list[str] = []
    for body in bodies:
        if re.match(r"(?:the )?(?:[\w-]+ ){1,3}\{", body):
            continue  # "what is queue QUE-12?"
        if not body or body.startswith(("whether", "if ", "how ", "up ", "out ", "{", "that ", "me ")):
            continue
        if verb in lex.ASKABLE and not re.match(
            r"(?:a|an|all|my|details|information|info|every|detailed|one|multiple)\b", body
        ):
            noun = body if re.match(rf"{DETERMINER}\b", body) else f"the {body}"
            if plural(noun):
                ask.append(f"what are {noun}")
            elif head_of(noun).split()[-1] in KNOWN:  # nobody asks "what is the booking?"
                ask += [f"what is {noun}", f"what's {noun}"]
        if verb in lex.NEEDABLE and re.match(rf"{DETERMINER}\b", body) and verb != "search":
            need.append(body)
    return tuple(dict.fromkeys(do)), tuple(dict.fromkeys(ask)), tuple(dict.fromkeys(need))


def _says_verbs(p: Param, verb: str) -> bool:
    """Whether a choice tells which of the two verbs of a headline is meant."""
    choices = [str(c).lower() for c in p.type.schema.get("enum", ())]
    first, either, second = verb.partition(" or ")
    return bool(either) and not p.optional and first in choices and second in choices


_PLACE = rf"{DETERMINER} (?!.* for )"
"""What is searched, and not searched for: "search the mailbox"."""


def _leading(first: str, body: str) -> str:
    return "search" if first == "search for" and re.match(_PLACE, body) else first


def _goes_with(verb: str, body: str) -> bool:
    """Whether other verbs go with an object as well: "show me the directory X", but no list of it."""
    if verb == "search" and re.match(_PLACE, body):
        return False
    if re.match(rf"(?:{DETERMINER} )?(?:[\w-]+ ){{1,2}}(?:in|up|out|off|down|back|on) for\b", body):
        return False  # "book a vehicle in for maintenance"
    if verb == "book" and re.search(r"\b(?:fee|payment|expense|invoice|cost|charge)s?\b", body):
        return False  # in the accounts
    if verb == "list":
        return plural(body) and "{" not in body.split(" for ")[0]
    return bool(body) and not (verb == "get" and body.startswith("a"))


def _bodies(verb: str, subject_words: str, params: Sequence[Param], owner: str) -> list[str]:
    """The rest of a phrase in several forms.

    Values of parameters stand in their places, and what clauses will say is left out.
    """
    filled, used = subject_words, list[Param]()
    for p in sorted(params, key=lambda p: (p.optional, -len(p.name))):
        if (new := slotted(verb, filled, p, params, owner)) is not None:
            filled = new
            used.append(p)
    out = []
    always = any(not p.optional for p in used)  # "close gate 3", not "close the gate for gate 3"
    for text in dict.fromkeys((filled,) if always else (filled, subject_words)):
        inside = {m[1] for m in SLOT.finditer(text)}
        out.append(without_hints(text, [p for p in params if p.name not in inside], verb))
    for p in used:  # the same with fewer slots, for calls that leave some out
        if p.optional:
            out += [
                without_hints(b, [p], verb)
                for b in _bodies(verb, subject_words, [q for q in params if q is not p], owner)
            ]
    return [o for o in dict.fromkeys(out) if o or not subject_words]
