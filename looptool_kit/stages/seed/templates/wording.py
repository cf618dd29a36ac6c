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
from looptool_kit.stages.seed.templates.beside import (
    ON_OFF,
    beside,
    of_one_choice,
    only_number,
    smaller_unit,
    two_ends,
    with_limits_of,
)
from looptool_kit.stages.seed.templates.choices import said, switch
from looptool_kit.stages.seed.templates.clauses import wordings
from looptool_kit.stages.seed.templates.headlines import from_name, headline, owner_of, subject_of
from looptool_kit.stages.seed.templates.hints import PREPOSITION, VAGUE, plain, without_hints
from looptool_kit.stages.seed.templates.kinds import APP, PAST, PET_NAME, ROOM
from looptool_kit.stages.seed.templates.names import Unusable, is_id, words_of
from looptool_kit.stages.seed.templates.nouns import DAYS, label_of, plural
from looptool_kit.stages.seed.templates.stated import (
    described,
    ever_required,
    is_a_day,
    is_at_times,
    is_of,
    which_day,
)
from looptool_kit.stages.seed.templates.strings import SLUG_NAME, UNKNOWN
from looptool_kit.stages.seed.templates.technical import constants, is_of_the_tool, is_technical
from looptool_kit.stages.seed.templates.values import OF_ANIMALS, Group, Many, type_of, without_number
from looptool_kit.text.words import STOP, stems
from looptool_kit.world import types as wt
from looptool_kit.world.spec import NOTHING, SLOT, Param, Spec
from looptool_kit.world.types import CITY, DATE, DATETIME, EMAIL, PHONE, TIME, TITLE, WORK, Type

CHANGING = lex.word_set("""
    adjust change configure edit extend modify move patch postpone reassign rename reschedule resize set
    update
    """)


_ACTIONS = ("action", "operation", "command", "mode_of_change")


def changes(tool: Tool) -> bool:
    """Tell whether a tool changes a thing that is there.

    What it is said to, and what tells which one.
    """
    first = headline(tool)[0].split()[0]
    if any(n in _ACTIONS for n in tool.required):
        return False  # what it does is said by a choice
    return first in CHANGING and (first != "set" or any(is_id(words_of(n)) for n in tool.required))


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

    @property
    def changes(self) -> bool:
        """Whether it changes something that is there.

        A call that gives no new value would do nothing.
        """
        return changes(self.tool)

    def leaving_out(self, name: str) -> Spec:
        """The spec with phrases that need no value of one parameter."""
        verb, subject_words = headline(self.tool)
        others = [p for p in self.spec.params if p.name != name]
        do, _, _ = phrases(verb, subject_words, self.tool, others, self.verbs)
        return replace(self.spec, do=do + self.spec.do)


def able(tool: Tool, verbs: frozenset[str] = frozenset()) -> Able:
    """The tool with its wordings.

    `verbs` are those of the catalogue's other tools, which stay theirs. Raises `Unusable` where a required
    parameter has no values.
    """
    verb, subject_words = headline(tool)
    others = " ".join(f"{words_of(n)} {described(s)}" for n, s in tool.properties.items())
    said_of_it = " ".join(tool.description.lower().split())
    context = f"{words_of(tool.name)} {said_of_it}\n{' '.join(others.lower().split())}"
    params: list[Param] = []
    fixed, needed = constants(tool), ever_required(tool)
    for name, schema in tool.properties.items():
        if name not in tool.required and (of_one_choice(name, tool) or is_at_times(schema)):
            continue
        if is_technical(name, schema) and not is_of_the_tool(name, tool):
            continue
        try:
            schema = with_limits_of(tool, name, schema)
            kind = without_number(
                name, type_of(name, schema, owner_of(tool, described(schema)), context), tool.properties
            )
            if kind is UNKNOWN:  # a made-up name is wrong: "style: Distant Mountain"
                raise Unusable(
                    f"nothing tells what a person says for {name}: give it choices, or examples in its"
                    " description"
                )
            if OF_ANIMALS & set(tool.properties):
                kind = PAST if kind is wt.BIRTH_DATE else kind
                kind = PET_NAME if name == "name" else kind
            if kind.name == "boolean" and set(stems(name)) - STOP <= set(stems(subject_words)):
                raise Unusable(f"what the tool does names {name} already")
            if kind.name == "boolean" and name in tool.required and (ends := two_ends(tool, name)):
                kind = switch(*ends)
            params.append(
                _param(tool, name, schema if isinstance(schema, dict) else {}, kind, name in needed)
            )
        except Unusable:
            if name in needed:
                raise
    params = [p for p in params if not (p.optional and smaller_unit(p, params))]
    # "Search rides of a member": of which one is always said.
    whose = [p.name for p in params if p.optional and is_of(p.name, subject_words)]
    params = [replace(p, optional=False) if whose == [p.name] else p for p in params]
    do, ask, need = phrases(verb, subject_words, tool, params, verbs)
    return Able(
        tool,
        Spec(tool.name, f"{verb} {plain(subject_words)}".strip(), tuple(params), do, ask, need, {}, ""),
        subject_of(tool),
        verbs,
        fixed,
    )


def _param(tool: Tool, name: str, schema: dict[str, Any], kind: Type, needed: bool) -> Param:
    """A parameter with its wordings, which depend on what the tool does."""
    verb, subject_words = headline(tool)
    description = described(schema)
    clauses, also, question, words = wordings(
        words_of(name), description, kind, owner_of(tool, description), verb, subject_words
    )
    settable = kind.name == "number" or "enum" in kind.schema
    bound = re.match(r"(?:from|to|start|end|min|max|since|until)\b", words_of(name))
    alone = verb in _TO_A_VALUE and kind.name == "number" and only_number(tool) and not bound
    noun = also[0].removesuffix(": {}") if also else ""
    own = [set(stems(n)) - STOP for n in (name, noun)]
    attribute, _, whose = re.sub(r"^(?:an?|the) [\w-]+'s ", "", subject_words).partition(" of ")
    settable = settable or bool(whose)
    named = verb in _TO_A_VALUE and settable and any(n and n <= set(stems(attribute)) for n in own)
    if needed and (alone or named):
        clauses, also = ("to {}",), ()
    elif changes(tool) and verb not in ("set", "move") and not needed and not beside(name, kind):
        noun = noun or label_of(words_of(name), description, kind, owner_of(tool, description))
        noun = noun if noun.startswith("new ") else f"new {noun}"
        clauses, also = (f"with the {noun} {{}}", f"with {{}} as the {noun}"), (f"{noun}: {{}}",)
    if kind.question in DAYS and any(is_a_day(n, s) for n, s in tool.properties.items() if n != name):
        question = which_day(noun or label_of(words_of(name), description, kind, owner_of(tool, description)))
    default = schema["default"] if schema.get("default") is not None else NOTHING
    return Param(name, kind, clauses, also, description, not needed, default, question, words)


_TO_A_VALUE = ("set", "change", "adjust", "update")
"""Verbs that give something a value."""


# ------------------------------------------------------------------- phrases

_DETERMINER = r"(?:an?|the|your|my|their|its|his|her|any|one|each|some|another)"
_MAKING = lex.word_set("""
    add book buy create generate insert issue make open order post register rent request reserve schedule
    send start submit write
    """)

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
    from_its_name = from_name(tool.name)
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
            noun = body if re.match(rf"{_DETERMINER}\b", body) else f"the {body}"
            ask += [f"what are {noun}"] if plural(noun) else [f"what is {noun}", f"what's {noun}"]
        if verb in lex.NEEDABLE and re.match(rf"{_DETERMINER}\b", body) and verb != "search":
            need.append(body)
    return tuple(dict.fromkeys(do)), tuple(dict.fromkeys(ask)), tuple(dict.fromkeys(need))


def _says_verbs(p: Param, verb: str) -> bool:
    """Whether a choice tells which of the two verbs of a headline is meant."""
    if p.type.name == "switch":
        return " or " in verb
    choices = [str(c).lower() for c in p.type.schema.get("enum", ())]
    first, either, second = verb.partition(" or ")
    return bool(either) and not p.optional and first in choices and second in choices


_PLACE = rf"{_DETERMINER} (?!.* for )"
"""What is searched, and not searched for: "search the mailbox"."""


def _leading(first: str, body: str) -> str:
    return "search" if first == "search for" and re.match(_PLACE, body) else first


def _goes_with(verb: str, body: str) -> bool:
    """Whether other verbs go with an object as well: "show me the directory X", but no list of it."""
    if verb == "search" and re.match(_PLACE, body):
        return False
    if re.match(rf"(?:{_DETERMINER} )?(?:[\w-]+ ){{1,2}}(?:in|up|out|off|down|back|on) for\b", body):
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
    slotted, used = subject_words, list[Param]()
    for p in sorted(params, key=lambda p: (p.optional, -len(p.name))):
        if (new := _slotted(verb, slotted, p, params, owner)) is not None:
            slotted = new
            used.append(p)
    out = []
    always = any(not p.optional for p in used)  # "close gate 3", not "close the gate for gate 3"
    for text in dict.fromkeys((slotted,) if always else (slotted, subject_words)):
        inside = {m[1] for m in SLOT.finditer(text)}
        out.append(without_hints(text, [p for p in params if p.name not in inside], verb))
    for p in used:  # the same with fewer slots, for calls that leave some out
        if p.optional:
            out += [
                without_hints(b, [p], verb)
                for b in _bodies(verb, subject_words, [q for q in params if q is not p], owner)
            ]
    return [o for o in dict.fromkeys(out) if o or not subject_words]


def _slotted(verb: str, text: str, p: Param, params: Sequence[Param], owner: str) -> str | None:
    """The text with a parameter's slot where it speaks of it.

    None where it does not.
    """
    if (choices := p.type.schema.get("enum")) and len(choices) == 2:
        either = [re.escape(said(c)) for c in choices]
        between = rf"\b(?:{either[0]} (?:or|and) {either[1]}|{either[1]} (?:or|and) {either[0]})\b"
        if found := re.search(between, text, re.IGNORECASE):  # "switch a light on or off"
            return f"{text[: found.start()]}{{{p.name}}}{text[found.end() :]}"
    if p.type.name == "switch" and (found := ON_OFF.search(text)):
        return f"{text[: found.start()]}{{{p.name}}}{text[found.end() :]}"
    if isinstance(p.type, Group | Many) or p.type.name in ("boolean", "switch") or choices:
        return None
    outside = re.sub(r"\{[^}]*\}", lambda m: "#" * len(m[0]), text)
    by = rf"(?: (?:by|with) (?:{_DETERMINER} )?(?:unique )?(?:id|identifier|name|number|path))?"
    for noun in _nouns(p, params, owner):
        lead = rf"(?:{_DETERMINER} (?:(?!{PREPOSITION} )[\w-]+ ){{0,3}})?(?:{VAGUE} )?"
        pattern = (
            rf"\b{lead}{re.escape(noun)}(?: of money| part| type| category| group)?(?:'s)?{by}(?="
            rf" (?:{PREPOSITION}|aside|back|away|out|that|up|down|who)\b| and |$)"
        )
        match = re.search(pattern, outside, re.IGNORECASE)
        if not match:
            continue
        if verb in _TO_A_VALUE and not match.start() and " of " in outside:
            continue  # "change the image of a deployment": the image is what it is changed to
        before = outside[: match.start()].rstrip().rsplit(" ", 1)[-1].lower()
        if before and match[0].split()[0].lower() not in _STARTS and not re.fullmatch(PREPOSITION, before):
            continue  # "a block storage volume": the noun is not the whole object
        if before in ("by", "via", "using", "with") or (not before and names_a_thing(p) and verb in _MAKING):
            continue
        goods = p.type in (wt.INGREDIENT, wt.DISH)
        if goods and re.search(rf"\w \w+ {re.escape(noun)}", match[0]):
            return None  # "report a lost item"
        if not before and (goods or noun in _ANY) and not p.optional:
            return text[: match.start()] + f"{{{p.name}}}" + text[match.end() :]  # "add milk to the list"
        if p.type.question in _MOMENTS and before not in ("for", "on", "at"):
            continue
        if p.type.name == "number" and not before and plural(noun) and not p.optional:
            return f"{text[: match.start()]}{{{p.name}}} {noun}{text[match.end() :]}"  # "load 42 bags"
        if noun == "year" and p.type.name == "number" and before in ("of", "for", "in"):
            return f"{text[: match.start()]}{{{p.name}}}{text[match.end() :]}"
        if p.type.name == "number" and (before or noun != "amount"):
            continue
        if (
            not before
            and not names_a_thing(p)
            and not (p.type is wt.PERSON and noun == owner and verb not in _MAKING)
            and p.type not in (PHONE, EMAIL, wt.URL)
            and p.type.name != "number"
        ):
            continue
        lead = _lead(p, noun, match[0], bare=not before)
        return text[: match.start()] + f"{lead}{{{p.name}}}" + text[match.end() :]
    return None


def _lead(p: Param, noun: str, found: str, *, bare: bool) -> str:
    """The words in front of a slot: "order ", "the file ", or none; `bare`: no preposition is before it."""
    lead = (
        f"{noun} "
        if p.type.name in ("id", "uuid", "code")
        else f"the {noun} "
        if names_a_thing(p) or p.type in (PHONE, EMAIL)
        else ""
    )
    if p.type is ROOM:
        lead = "the "  # "in the kitchen"
    if bare and (kind_of := re.match(rf"(?:{_DETERMINER} )((?:[\w-]+ ){{0,3}}){re.escape(noun)}", found)):
        lead = lead.replace(noun, f"{re.sub(rf'{VAGUE} |new ', '', kind_of[1])}{noun}")
    return lead


_MOMENTS = (DATE.question, DATETIME.question, TIME.question)
_ANY = ("something", "anything")
_STARTS = lex.word_set("a an the your my their its his her any one each some another given specified")
_NAMING = (lex.PATH, wt.FILE, lex.FOLDER, lex.USER_NAME, SLUG_NAME, wt.TITLE, WORK, APP)


_PEOPLE = lex.word_set("""
    attendee collaborator contact customer employee guest member participant person player user
    """)


def names_a_thing(p: Param) -> bool:
    """Whether the value names the thing that a phrase is about.

    As in "order ORD-12", "the file notes.txt".
    """
    return p.type.name in ("id", "uuid", "code", "numbered") or (p.type in _NAMING and not p.optional)


def _nouns(p: Param, params: Sequence[Param], owner: str) -> list[str]:
    """What a description calls a parameter: "user_id" -> "user id", "user"."""
    words = words_of(p.name)
    bare = re.sub(
        r" (?:id|sid|name|code|number|no|nr|ref|reference|address|symbol|title|key|ids|path)$", "", words
    )
    out = [words, bare] if bare != words else [words]
    if names_a_thing(p):
        alone = sum(not q.optional for q in params) == 1
        out = [bare] if bare not in ("id", "sid", "path", "name", "title") else [owner]
        # "suggest a title for purchase": the title, not the purchase
        out = [words, *out] if words in ("name", "title") else out
        out += [p.words[0]] if p.words and p.type.name in ("id", "uuid", "code") else []
        if bare in _PEOPLE and not any(words_of(q.name).startswith(tuple(_PEOPLE - {bare})) for q in params):
            out += [w for w in sorted(_PEOPLE) if w != bare]  # "kick a member" by `user_id`
        out += [words] if p.type in (TITLE, WORK) and words in ("title", "name") else []
        out += [owner] if alone and words in ("path", "name", "title", "file name", "filename") else []
    goods = p.type in (wt.INGREDIENT, wt.DISH) or words in ("product", "item", "article", "thing")
    if p.type is wt.PERSON and words in ("name", "full name") and not p.optional and owner:
        out += [owner]  # "remove a singer" by `name`
    if goods and not p.optional:
        out += _ANY
    if p.type is CITY and words in ("location", "place", "city name", "city", "town"):
        out += ["city", "location", "place"]
    return [o for o in dict.fromkeys(out) if len(o) > 2 and o not in ("from", "with", "text", "name", "type")]
