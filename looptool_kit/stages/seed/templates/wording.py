"""From a tool to what people say to get it called.

The result is a `Spec` as the world's grammar takes it. Phrases are written from the description's first
sentence and from the name (`headlines.py`). Where a phrase speaks of a parameter ("the weather for a city"),
its value takes that place; what else a call needs is said in clauses of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.clauses import plural, wordings
from looptool_kit.stages.seed.templates.headlines import from_name, headline, owner_of, subject_of
from looptool_kit.stages.seed.templates.names import Unusable, words_of
from looptool_kit.stages.seed.templates.values import Group, Many, type_of
from looptool_kit.text.words import STOP, alike, stems
from looptool_kit.world.spec import NOTHING, SLOT, Param, Spec
from looptool_kit.world.types import CITY, DATE, DATETIME, TIME, WORK


class Able(NamedTuple):
    """A tool that can be spoken of."""

    tool: Tool
    spec: Spec
    subject: frozenset[str]
    """Stems of what it is about."""
    verbs: frozenset[str]
    """Verbs of the other tools of the catalogue."""

    def leaving_out(self, name: str) -> Spec:
        """The spec with phrases that need no value of one parameter."""
        verb, subject_words = headline(self.tool)
        others = [p for p in self.spec.params if p.name != name]
        do, ask, need = phrases(verb, subject_words, self.tool, others, self.verbs)
        return replace(self.spec, do=do + self.spec.do, ask=ask + self.spec.ask, need=need + self.spec.need)


def able(tool: Tool, others: Iterable[Tool] = ()) -> Able:
    """The tool with its wordings.

    `others` are the tools of the catalogue, whose verbs stay theirs. Raises `Unusable` where a required
    parameter has no values.
    """
    verb, subject_words = headline(tool)
    context = f"{words_of(tool.name)} {tool.description.lower()}"
    params: list[Param] = []
    for name, schema in tool.properties.items():
        try:
            kind = type_of(name, schema, owner_of(tool), context)
        except Unusable:
            if name in tool.required:
                raise
            continue
        schema = schema if isinstance(schema, dict) else {}
        clauses, also, question, words = wordings(
            words_of(name), str(schema.get("description") or ""), kind, owner_of(tool)
        )
        settable = kind.name == "number" or "enum" in kind.schema
        if (
            verb in ("set", "change", "adjust")
            and settable
            and name in tool.required
            and set(stems(name)) - STOP <= set(stems(subject_words))
        ):
            clauses = ("to {}",)
        optional = name not in tool.required
        default = schema["default"] if schema.get("default") is not None else NOTHING
        params.append(
            Param(
                name,
                kind,
                clauses,
                also,
                str(schema.get("description") or ""),
                optional,
                default,
                question,
                words,
            )
        )
    verbs = frozenset(headline(o)[0] for o in others if o.name != tool.name)
    do, ask, need = phrases(verb, subject_words, tool, params, verbs)
    return Able(
        tool,
        Spec(tool.name, f"{verb} {_plain(subject_words)}".strip(), tuple(params), do, ask, need, {}, ""),
        subject_of(tool),
        verbs,
    )


# ------------------------------------------------------------------- phrases

_DETERMINER = r"(?:an?|the|your|my|their|its|his|her|any|one|each|some|another)"
_VAGUE = (
    r"(?:given|specified|specific|particular|provided|certain|single|selected|chosen|existing|desired"
    r"|requested|named)"
)
_PREPOSITION = (
    r"(?:for|in|at|from|to|on|by|with|between|into|near|within|during|about|of|as|under|against|over|after"
    r"|before|until|along|across|around|matching)"
)
_EMPTY_PART = lex.word_set("""
    all another date different more multiple new one other place several time two
    """)
_MAKING = lex.word_set("""
    add book buy create generate insert issue make open order post register rent request reserve schedule send
    start submit write
    """)

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
    if (
        from_its_name
        and from_its_name[0] == verb
        and from_its_name[1]
        and len(from_its_name[1]) < len(subject_words)
    ):
        bodies += _bodies(verb, from_its_name[1], params, owner)
    bodies = list(dict.fromkeys(bodies))
    taken = set(verbs)
    ways = [w for w in lex.SAME.get(verb, ()) if w.split()[0] not in taken]
    first = {"search": "search for", "show": "show me", "tell": "tell me", "give": "give me"}.get(verb, verb)
    do = [
        f"{w} {body}".strip()
        for body in bodies
        for w in (first, *(ways if body and not (verb == "get" and body.startswith("a")) else ()))
    ]
    ask: list[str] = []
    need: list[str] = []
    for body in bodies:
        if not body or body.startswith(("whether", "if ", "how ", "up ", "out ", "{", "that ", "me ")):
            continue
        if verb in lex.ASKABLE and not re.match(
            r"(?:a|an|all|my|details|information|info|every|detailed|one|multiple)\b", body
        ):
            noun = body if re.match(rf"{_DETERMINER}\b", body) else f"the {body}"
            ask += [f"what are {noun}"] if plural(noun) else [f"what is {noun}", f"what's {noun}"]
        if verb in lex.NEEDABLE:
            need.append(body)
    return tuple(dict.fromkeys(do)), tuple(dict.fromkeys(ask)), tuple(dict.fromkeys(need))


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
    for text in dict.fromkeys((slotted, subject_words)):
        inside = {m[1] for m in SLOT.finditer(text)}
        out.append(_without_hints(text, [p for p in params if p.name not in inside]))
    for p in used:  # the same with fewer slots, for calls that leave some out
        if p.optional or len(used) > 1:
            out += [
                _without_hints(b, [p])
                for b in _bodies(verb, subject_words, [q for q in params if q is not p], owner)
            ]
    return [o for o in dict.fromkeys(out) if o or not subject_words]


def _slotted(verb: str, text: str, p: Param, params: Sequence[Param], owner: str) -> str | None:
    """The text with a parameter's slot where it speaks of it.

    None where it does not.
    """
    if isinstance(p.type, Group | Many) or p.type.name == "boolean" or "enum" in p.type.schema:
        return None
    outside = re.sub(r"\{[^}]*\}", lambda m: "#" * len(m[0]), text)
    by = rf"(?: (?:by|with) (?:{_DETERMINER} )?(?:unique )?(?:id|identifier|name|number|path))?"
    for noun in _nouns(p, params, owner):
        pattern = (
            rf"\b(?:{_DETERMINER} )?(?:{_VAGUE} )?{re.escape(noun)}(?: of money)?(?:'s)?{by}(?="
            rf" (?:{_PREPOSITION}|aside|back|away|up|down)\b| and |$)"
        )
        match = re.search(pattern, outside, re.IGNORECASE)
        if not match:
            continue
        before = outside[: match.start()].rstrip().rsplit(" ", 1)[-1].lower()
        if before in ("by", "via", "using", "with") or (not before and _thing(p) and verb in _MAKING):
            continue
        if p.type in (DATE, DATETIME, TIME) and before not in ("for", "on", "at"):
            continue
        if p.type.name == "number" and (before or noun != "amount"):
            continue
        if (
            not before
            and not _thing(p)
            and p.type not in (lex.QUERY, lex.KEYWORD)
            and p.type.name != "number"
        ):
            continue
        lead = f"{noun} " if p.type.name in ("id", "uuid", "code") else f"the {noun} " if _thing(p) else ""
        return text[: match.start()] + f"{lead}{{{p.name}}}" + text[match.end() :]
    return None


_NAMING = (lex.PATH, lex.FILE, lex.FOLDER, lex.NAME, lex.USER_NAME, lex.TITLE, WORK)


def _thing(p: Param) -> bool:
    """Whether the value names the thing that a phrase is about.

    As in "order ORD-12", "the file notes.txt".
    """
    return p.type.name in ("id", "uuid", "code") or (p.type in _NAMING and not p.optional)


def _nouns(p: Param, params: Sequence[Param], owner: str) -> list[str]:
    """What a description calls a parameter: "user_id" -> "user id", "user"."""
    words = words_of(p.name)
    bare = re.sub(r" (?:id|name|code|number|address|symbol|title|key|ids|path)$", "", words)
    out = [words, bare] if bare != words else [words]
    if _thing(p):
        alone = sum(not q.optional for q in params) == 1
        out = [bare] if bare not in ("id", "path", "name", "title") else []
        out += [p.words[0]] if p.words and p.type.name in ("id", "uuid", "code") else []
        out += [owner] if alone and words in ("path", "name", "title", "file name", "filename") else []
    if p.type is CITY and words in ("location", "place", "city name", "city", "town"):
        out += ["city", "location", "place"]
    return [o for o in dict.fromkeys(out) if len(o) > 2 and o not in ("from", "with", "text", "name", "type")]


def _without_hints(text: str, params: Sequence[Param]) -> str:
    """The text without phrases about parameters, which clauses will say."""
    about = {
        w for p in params for w in (*stems(p.name), *stems(p.description)) if w not in STOP | {"id", "name"}
    }
    if about & {"day", "date", "weekday", "when"}:
        about |= {"day", "date", "week"}
    ties = {p.clauses[0].split(" ")[0] for p in params if p.clauses[0].startswith(("to ", "from "))} | {
        words_of(p.name) for p in params
    }
    kept: list[str] = []
    for at, part in enumerate(re.split(rf"\s+(?={_PREPOSITION}\b)", text)):
        words = [w for w in stems(re.sub(r"\{[^}]*\}", "", part)) if w not in STOP and w not in _EMPTY_PART]
        vague = (
            bool(re.search(rf"\b{_VAGUE}\b", part))
            or (at and not words)
            or (words == ["name"] and any("name" in p.name for p in params))
        )
        spoken_of = (
            any(w in about or any(alike(w, a) for a in about) for w in words)
            or part.split(" ")[0] in ties
            or part.startswith("between two")
        )
        if at == 0 or "{" in part or not (vague or spoken_of):
            kept.append(part)
    joined = re.sub(rf"\b(?:{_VAGUE}) ", "", " ".join(kept).strip())
    return re.sub(rf"\s+(?:{_PREPOSITION}|and|or|an?|the)$", "", joined)


def _plain(said: str) -> str:
    return re.sub(rf"\b(?:{_VAGUE}) ", "", said)
