"""Where the words for what a tool does speak of a parameter, its value takes their place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.choices import said
from looptool_kit.stages.seed.templates.hints import PREPOSITION, VAGUE
from looptool_kit.stages.seed.templates.kinds import USER_NAME
from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.stages.seed.templates.nouns import plural
from looptool_kit.stages.seed.templates.values import Group, Many
from looptool_kit.stages.seed.templates.verbs import MAKING, TO_A_VALUE
from looptool_kit.world import types as wt
from looptool_kit.world.spec import Param
from looptool_kit.world.types import CITY, DATE, DATETIME, EMAIL, PHONE, TIME

DETERMINER = r"(?:an?|the|our|your|my|their|its|his|her|any|one|each|some|another)"


def slotted(verb: str, text: str, p: Param, params: Sequence[Param], owner: str) -> str | None:
    """The text with a parameter's slot where it speaks of it.

    None where it does not.
    """
    if not re.fullmatch(r"\w+", p.name):
        return None  # a slot's name has no hyphen
    if (choices := p.type.schema.get("enum")) and len(choices) == 2:
        either = [re.escape(said(c)) for c in choices]
        between = rf"\b(?:{either[0]} (?:or|and) {either[1]}|{either[1]} (?:or|and) {either[0]})\b"
        if found := re.search(between, text, re.IGNORECASE):  # "switch a light on or off"
            return f"{text[: found.start()]}{{{p.name}}}{text[found.end() :]}"
    if isinstance(p.type, Group | Many) or p.type.name == "boolean" or choices:
        return None
    outside = re.sub(r"\{[^}]*\}", lambda m: "#" * len(m[0]), text)
    by = rf"(?: (?:by|with) (?:{DETERMINER} )?(?:unique )?(?:id|identifier|name|number|path))?"
    for noun in _nouns(p, params, owner):
        lead = rf"(?:{DETERMINER} (?:(?!{PREPOSITION} )[\w-]+ ){{0,3}})?(?:{VAGUE} )?"
        pattern = (
            rf"\b{lead}{re.escape(noun)}(?: of money| part| type| category| group)?(?:'s)?{by}(?="
            rf" (?:{PREPOSITION}|aside|back|away|out|that|up|down|who)\b| and |$)"
        )
        match = re.search(pattern, outside, re.IGNORECASE)
        if not match:
            continue
        if verb in TO_A_VALUE and not match.start() and " of " in outside:
            continue  # "change the image of a deployment": the image is what it is changed to
        before = outside[: match.start()].rstrip().rsplit(" ", 1)[-1].lower()
        if before and match[0].split()[0].lower() not in _STARTS and not re.fullmatch(PREPOSITION, before):
            continue  # "a block storage volume": the noun is not the whole object
        if before in ("by", "via", "using", "with") or (not before and names_a_thing(p) and verb in MAKING):
            continue
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
            and not (p.type is wt.PERSON and noun == owner and verb not in MAKING)
            and p.type not in (PHONE, EMAIL)
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
    if bare and (kind_of := re.match(rf"(?:{DETERMINER} )((?:[\w-]+ ){{0,3}}){re.escape(noun)}", found)):
        lead = lead.replace(noun, f"{re.sub(rf'{VAGUE} |new ', '', kind_of[1])}{noun}")
    return lead


_MOMENTS = (DATE.question, DATETIME.question, TIME.question)
_STARTS = lex.word_set("a an the your my their its his her any one each some another given specified")
_NAMING = (USER_NAME,)


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
        out = [bare] if bare != words or bare not in ("id", "sid", "path", "name", "title") else [owner]
        # "suggest a title for purchase": the title, not the purchase
        out = [words, *out] if words in ("name", "title") else out
        out += [p.words[0]] if p.words and p.type.name in ("id", "uuid", "code") else []
        if bare in _PEOPLE and not any(words_of(q.name).startswith(tuple(_PEOPLE - {bare})) for q in params):
            out += [w for w in sorted(_PEOPLE) if w != bare]  # "kick a member" by `user_id`
        out += [owner] if alone and words in ("path", "name", "title", "file name", "filename") else []
    if p.type is wt.PERSON and words in ("name", "full name") and not p.optional and owner:
        out += [owner]  # "remove a singer" by `name`
    if p.type is CITY and words in ("location", "place", "city name", "city", "town"):
        out += ["city", "location", "place"]
    return [o for o in dict.fromkeys(out) if len(o) > 2 and o not in ("from", "with", "text", "name", "type")]
