"""Types of choices and booleans."""

from __future__ import annotations

import calendar
import json
import re
from datetime import date
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.names import Unusable, unit_of, words_of
from looptool_kit.stages.seed.templates.verbs import is_sure
from looptool_kit.world.core import TEXT, Surface, Type
from looptool_kit.world.numbers import is_number


def said(value: Any) -> str:
    """A choice as a person says it.

    "in_progress" and "inProgress" -> "in progress".
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if value.isupper() or not re.search(r"[_a-z]", value):
        return value.replace("_", " ").lower() if "_" in value else value
    parted = re.sub(r"(?<=[a-z0-9])[A-Z](?=[a-z])", lambda m: f" {m[0].lower()}", value)
    return parted.replace("_", " ").strip()


_DAYS_AND_MONTHS = {w.lower() for w in (*calendar.day_name, *calendar.month_name) if w}


_SHORT_NAMES = {w[:3].lower(): w for w in (*calendar.day_name, *calendar.month_name) if w}


def choice(values: list[Any], name: str, description: str = "") -> Type:
    """One of some values."""
    if not values:
        raise Unusable(f"{name} has no value to choose")
    listed = (
        ", ".join(said(v) for v in values[:-1]) + f" or {said(values[-1])}"
        if len(values) > 1
        else said(values[0])
    )
    noun = words_of(name)
    unit = unit_of(noun, description)
    bare = description.strip(". ").lower()
    if not unit and bare in lex.UNITS and all(map(is_number, values)):
        unit = lex.UNITS[bare]  # described as "minutes" alone

    short = {str(v).lower() for v in values} <= _SHORT_NAMES.keys()

    def say(v: Any, _: date) -> list[Surface]:
        if short:  # "mar"
            return [Surface(_SHORT_NAMES[str(v).lower()])]
        if str(v).lower() in _DAYS_AND_MONTHS:
            return [Surface(str(v).capitalize())]
        if is_number(v) and unit:
            return [Surface(f"{said(v)} {unit if unit in lex.UNCOUNTED or v == 1 else unit + 's'}")]
        return [Surface(said(v))]

    return Type(
        f"one of {listed}",
        "a choice",
        {"enum": values},
        lambda r, _: values[int(r.random() * len(values))],
        lambda v: v in values,
        say,
        TEXT,
        splits=len(values) > 40,
        question=f"Which {noun}" + (f": {listed}?" if len(values) <= 6 else "?"),
        words=("which", "what", noun),
    )


_WHETHER = re.compile(
    r"(?:(?:boolean )?(?:flag )?(?:indicat(?:es|ing) |to indicate |that indicates |specif(?:ies|ying)"
    r" |determines |controls )?"
    r"(?:whether|if(?! true| set| enabled| yes))(?: or not)?"
    r"|(?:set (?:this )?to |when |if )?(?:true|set|enabled|yes)(?: to| if| when|,)"
    r"|(?:set (?:this )?(?:to true )?to))[, ]+",
    re.IGNORECASE,
)


_PLAIN = frozenset(["include", "exclude", "allow", "ignore", "keep", "only", "require"])


def boolean(name: str, description: str) -> Type:
    """True or false, said in clauses that the description gives."""
    yes, no = boolean_clauses(name, description)
    plain = {True: [Surface("yes")], False: [Surface("no")]}
    return Type(
        "boolean",
        "yes or no",
        {"type": "boolean"},
        lambda r, _: r.random() < 0.6,
        lambda v: isinstance(v, bool),
        lambda v, _: [*(Surface("", w) for w in (yes if v else no)), *plain[v]],
        splits=False,
        clauses=("{@}",),
    )


def switch(yes: str, no: str) -> Type:
    """True or false of a tool that does one of two things.

    As in "turn a light on or off".
    """
    return Type(
        "switch",
        "one of two",
        {"type": "boolean"},
        lambda r, _: r.random() < 0.5,
        lambda v: isinstance(v, bool),
        lambda v, _: [Surface(yes if v else no)],
        splits=False,
    )


def boolean_clauses(name: str, description: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Clauses for true and for false.

    As in "and notify the guests", "and do not notify the guests". None where neither description nor name
    gives any that surely read well; then it is said as a detail: "rollover: yes".
    """
    noun = re.sub(r"^(is|has|should|do|does|flag|enable|use|are) |( flag| enabled)$", "", words_of(name))
    forms = lex.verb_forms()
    sentence = re.sub(r"\([^)]*\)|\.$", "", description.split(". ")[0].split("\n")[0]).strip()
    lead = _WHETHER.match(sentence)
    clause = (
        re.sub(
            r"^(?:or not |to |we should |the \w+ should |should )",
            "",
            sentence[lead.end() :] if lead else sentence,
        )
        .split(",")[0]
        .split(";")[0]
        .strip()
    )
    clause = re.sub(r" or not$", "", clause)  # "Show steps or not": what is wanted is one of the two
    clause = re.split(r" (?:until|unless|when|(?<!even )if|because|so that|instead) ", clause)[0]
    if clause[:1].isupper() and clause[1:2].islower() and not lead:
        clause = clause[0].lower() + clause[1:]  # "Only works on display"
    first = re.split(r"\W", clause.lower(), maxsplit=1)[0]
    if first == "only":
        clause = re.sub(
            r"(?<! that) (?:are|is)(?: to be)? (?:returned|shown|listed|included|given)$", "", clause
        )
    if len(clause.split()) <= 9:
        if first == "only":
            return (f"but {clause}",), (f"and not {clause}",)
        sure = (
            first in _PLAIN or forms.get(first) == first and is_sure(first, clause[len(first) :].strip(), [])
        )
        if sure:
            rest = clause[len(first) :]
            if re.search(r"\b(?:all|every|any|each)\b", rest):  # "do not notify all members" says two things
                return (f"and {first}{rest}",), ()
            return (f"and {first}{rest}", f"and please {first}{rest}"), (
                f"and do not {first}{rest}",
                f"and don't {first}{rest}",
            )
        match = re.match(
            r"((?:[\w'-]+ ){0,4}[\w'-]+?) (is|are|was|were|can be|should be|must be|must|should|has"
            r"|have)\b(.+)",
            clause,
            re.IGNORECASE,
        )
        if lead and match:
            subject, link, rest = match.groups()
            if subject.lower() == "there" and link in ("is", "are"):
                return (f"with{rest}",), (f"without{rest}",)
            subject = re.sub(r"^(an?|this) ", "the ", subject)
            if link in ("is", "are") and not re.match(r"(?:the|all|these)\b", subject):
                if " " in subject or subject.endswith("ing"):
                    return _by_name(noun)
                return (f"with {subject}{rest}",), (f"with {subject} not{rest}",)
            negative = {
                "has": "does not have",
                "have": "do not have",
                "must": "does not have to",
                "should": "need not",
            }.get(  # fmt: skip
                link, re.sub(r"^(\w+)", r"\1 not", link)
            )
            return (f", and {subject} {link}{rest}",), (f", and {subject} {negative}{rest}",)
    return _by_name(noun)


def _by_name(noun: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Clauses that the name alone gives."""
    if only := re.fullmatch(r"only (\w+)|(\w+) only", noun):
        kind = only[1] or only[2]
        return (f"(only {kind} ones)",), (f"(not only {kind} ones)",)
    head, _, tail = noun.partition(" ")
    if head in ("include", "with") and tail:
        return (f"including {tail}", f"with {tail}"), (f"without {tail}", f"not including {tail}")
    if head in ("alert", "inform", "notify", "remind", "tell") and tail:
        tail = tail if " " in tail or tail.endswith("s") else f"the {tail}"
        return (f"and {head} {tail}",), (f"and do not {head} {tail}", f"and don't {head} {tail}")
    return (), ()
