"""How a request mentions a parameter, and how one asks.

In prose ("on March 4", "for 3 nights") only where name and type leave no doubt that it reads well. All others
are details, said with their names: "with temper calm", or "Temper: calm, brood frames: 4."
"""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.kinds import COUNTRY_CODE
from looptool_kit.stages.seed.templates.names import unit_of
from looptool_kit.stages.seed.templates.nouns import (
    DAYS,
    PLACES,
    UNIT_WORDS,
    counted,
    in_singular,
    is_noun,
    label_of,
    plural,
)
from looptool_kit.stages.seed.templates.values import Group, Many
from looptool_kit.stages.seed.templates.verbs import MAKING
from looptool_kit.text.words import stems
from looptool_kit.world.types import (
    AIRPORT,
    CURRENCY,
    DATE,
    EMAIL,
    LANGUAGE,
    PERSON,
    PHONE,
    TIME,
    Type,
)

Wordings = tuple[tuple[str, ...], tuple[str, ...], str, tuple[str, ...]]
_WEEKDAYS = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
_TIMES = ("second", "minute", "hour", "day", "night", "week", "month", "year")
MOVING = lex.word_set("convert copy migrate move route ship transfer translate travel")
_GIVING = lex.word_set(
    "assign deliver email forward give hand invite lend mail pay send share ship text transfer"
)
LOOKING = lex.word_set("browse count export fetch filter find get list look lookup query search show")
"""Verbs whose results a condition narrows."""
_LASTING = lex.word_set("book borrow freeze hire keep lend mute pause rent reserve schedule snooze start")
"""Verbs of what lasts: of others "for 30 minutes" says nothing."""


def wordings(words: str, description: str, kind: Type, owner: str, verb: str, subject: str) -> Wordings:
    """The wordings of a parameter whose name has these words.

    They are clauses, its label as a detail (none where it is said in prose), a question, and words of which
    one occurs in any question.

    Raises:
        Unusable: Nobody says its name.
    """
    words = re.sub(r"^(?:on|at|for) (?=(?:date|day|time)$)", "", words)
    noun = label_of(words, description, kind, owner)
    verb = verb.split()[0]
    prose = _prose(words, description, kind, noun, verb, subject)
    if kind is PERSON and set(stems(noun)) & set(stems(subject)) and verb in MAKING:
        prose = ()  # "register a patient", and not for one
    clauses = prose or (
        _detail(noun, kind, unit_of(words, description)) if is_noun(noun) else (f"({noun} {{}})",)
    )
    also = () if prose else (f"{noun}: {{}}",)
    question = _question(words, description, kind, noun)
    if "date" in question.lower():
        noun = f"{noun} date"
    hints = [w for w in (noun, *noun.split()) if len(w) > 2 and w not in ("the", "for")] + [
        w for w in kind.words if w in question.lower()
    ]
    if kind.name in ("id", "uuid", "code"):
        hints.insert(0, re.sub(r" (?:S?ID|number|code|reference)$", "", noun))
    return clauses, also, question, tuple(dict.fromkeys(hints))


def _question(words: str, description: str, kind: Type, noun: str) -> str:
    if "enum" in kind.schema:
        return kind.question.replace(f"Which {words}", f"Which {noun}")
    if kind is PERSON and not re.search(r"name|who", noun):
        return f"What are the {noun}?" if plural(noun) else f"What is the name of the {noun}?"
    if kind.question and set(stems(kind.question)) & set(stems(f"{words} {description}")):
        return kind.question
    if kind.name == "number" and words in lex.UNITS and unit_of(words, "") in _TIMES:
        return f"How many {unit_of(words, '')}s?"
    if kind.name == "number" and (counted(words) or plural(noun)) and not unit_of(words, description):
        return f"How many {counted(words) or noun}?"
    if not is_noun(noun) and kind.question in DAYS:
        return "Which date?" if kind.question == DATE.question else "What date and time?"
    if kind.question in DAYS and not re.search(_OF_TIME, noun):
        return f"What is the {noun} date?"
    if plural(noun):
        return f"Which {noun}?"
    if not is_noun(noun):
        return f"What shall I enter for {noun}?"
    if kind.name in ("code", "name") and not re.search(r"name|code|number|key|token", noun):
        return f"Which {noun}?"
    return f"What is the {noun}?"


_OF_TIME = (
    r"date|day|deadline|time|start|end|month|birth|arrival|departure|moment|due|slot|when|since|until|at$|on$"
)


def _detail(noun: str, kind: Type, unit: str) -> tuple[str, ...]:
    """How a detail is said where there are one or two."""
    if kind.name == "boolean":
        return kind.clauses
    measured = unit or re.search(
        r"\b(?:amount|price|cost|weight|total|budget|distance|length|height|width|rate)$", noun
    )
    if kind.name == "number" and noun in ("children", "people"):
        return (f"with {{#{in_singular(noun)}/{noun}}}",)
    if kind.name == "number" and not plural(noun) and not noun.startswith("number of") and not measured:
        return (f"with {noun} {{}}", f"with the {noun} {{}}")
    if kind.name == "number" and not plural(noun) and not noun.startswith("number of"):
        return (f"with {_a(noun)} of {{}}", f"with {noun} {{}}")
    if noun.startswith("number of "):
        things = noun.removeprefix("number of ")
        return (f"with {{#{in_singular(things)}/{things}}}",)
    if kind.name == "number" and (unit or noun not in lex.KEEP_COUNT):
        return (f"({noun} {{}})",)  # only in a list: "ways: 4"
    if kind.name == "number":
        return (f"with {{#{in_singular(noun)}/{noun}}}",)
    return (f"with {noun} {{}}", f"with the {noun} {{}}")


def _a(noun: str) -> str:
    return f"a{'n' if re.match(r'[aeio]|u(?!ni|se)', noun.lower()) else ''} {noun}"


def _is_weekday(kind: Type) -> bool:
    return {str(v)[:3].lower() for v in kind.schema.get("enum", ["none"])} <= _WEEKDAYS


def _prose(words: str, description: str, kind: Type, noun: str, verb: str, subject: str) -> tuple[str, ...]:
    """How a request mentions the parameter in prose, `{}` being its value; none where that is not sure."""
    each = kind.each if isinstance(kind, Many) and kind.each is not None else kind
    if kind.name == "boolean" or isinstance(each, Group) or words.startswith("new "):
        return ()
    if _is_weekday(kind) and re.search(r"day|^(?:on|when)$", words):
        return ("on {}",)
    # Not "free the slot cancelled by owner": a choice is tied to a thing only by what can be nothing else.
    tied = "paid" if "enum" in kind.schema else r"(?:paid|\w+(?:ed|wn|en|de))" if kind is PERSON else None
    if tied and re.fullmatch(rf"{tied} by", words):
        return (f"{words} {{}}",)
    if "enum" in kind.schema:
        if re.fullmatch(r"(?:found|lost|born|made|left|\w+ed) in", words):
            return (f"{words} the {{}}",)
        if re.fullmatch(r"sort|(?:sort|sorted|order|ordered)[ _]by", words) and not (
            {"asc", "desc"} & {str(v).lower()[:4] for v in kind.schema["enum"]}
        ):
            return ("sorted by {}",)
        return ("in {}",) if re.fullmatch(r"(?:target )?currency", words) else ()
    if told := re.fullmatch(r"(notify|alert|ping|inform) \w+", words):
        return (f"and {told[1]} {{}}",)
    if kind.question in DAYS:
        return _when(words, verb)
    if kind.question == TIME.question:
        return _clock(words)
    if kind.name == "number":
        return _amount(words, description, noun, verb)
    if kind.name in ("id", "uuid", "code"):
        return ()
    return _end(words, each, verb) or _special(words, each, verb, subject)


_FROM = r"from|origin|departure|pickup|sender"
_TO = r"to|destination|dropoff|recipients?|receiver|payee|beneficiary"
_PLACE = r"(?: (?:city|place|location|airport|station|stop|address|country))?"


def _end(words: str, kind: Type, verb: str) -> tuple[str, ...]:
    """From where, from whom, to where, to whom."""
    where = kind.question in PLACES or kind in (
        PERSON,
        EMAIL,
        PHONE,
        CURRENCY,
        LANGUAGE,
    )
    if re.fullmatch(rf"(?:{_FROM}){_PLACE}", words):
        return ("from {}",) if where else ()
    if re.fullmatch(rf"(?:{_TO}){_PLACE}", words):
        return ("to {}",) if where and (kind is not PERSON or verb in _GIVING) else ()
    if verb in MOVING and (end := re.fullmatch(r"(from|to|source|target|origin|destination) \w+", words)):
        return ("from {}",) if end[1] in ("from", "source", "origin") else ("to {}",)
    return ()


def _special(words: str, kind: Type, verb: str, subject: str) -> tuple[str, ...]:
    """Clauses that go with what the value is."""
    if kind is AIRPORT:
        return ("at {}",) if re.fullmatch(r"airport(?: code)?", words) else ()
    if kind.question in PLACES and kind is not COUNTRY_CODE:
        return (
            ("in {}",) if re.fullmatch(r"(?:city|town|country|location|place|where)(?: name)?", words) else ()
        )
    if kind is CURRENCY or (kind is LANGUAGE and verb in MOVING):
        return ("in {}",) if re.fullmatch(r"(?:target )?(?:language|lang|currency)(?: code)?", words) else ()
    if kind is PERSON:
        if re.fullmatch(r"(?:attendee|participant|invitee|guest)s?(?: names?)?", words) and verb in MAKING:
            return ("with {}",)
        whose = r"(?:customer|guest|patient|passenger|client|user|member|student|tenant)(?: name)?"
        return ("for {}",) if re.fullmatch(whose, words) and verb in MAKING else ()
    return ()


_WHEN: tuple[tuple[str, str], ...] = (
    (r"as of", "as of {}"),
    (r"not before", "not before {}"),
    (r"not after", "not after {}"),
    (r"since(?: date)?|(?:date )?since", "since {}"),
    (r"after|after date", "after {}"),
    (r"before|before date", "before {}"),
    (r"until|until date", "until {}"),
    (r"(?:date of birth|birth ?date|birthday|dob|born|born on)", "born {@}"),
    (r"due|due (?:date|on|by|at)|deadline", "due {@}"),
    (r"check ?in(?: date| on| at)?", "checking in {@}"),
    (r"check ?out(?: date| on| at)?", "checking out {@}"),
    (r"(?:departure|depart)(?: date| time| at)?", "leaving {@}"),
    (r"(?:arrival|arrive)(?: date| time| at)?", "arriving {@}"),
    (r"return date", "returning {@}"),
    (r"opens? (?:on|at)|opening date", "opening {@}"),
    (r"closes? (?:on|at)|closing date", "closing {@}"),
    (r"effective (?:from|since|date)", "effective from {}"),
    (r"effective (?:to|until|till)", "effective until {}"),
    (r"(?:valid|active) (?:from|since)", "valid from {}"),
    (r"(?:valid|active) (?:to|until|till)", "valid until {}"),
    (r"(?:starts?|from|begin|begins)(?: date| day| on| at| time)?|date from", "starting {@}"),
    (r"(?:ends?|to|finish)(?: date| day| on| at| time)?|date to", "until {}"),
)


_BOUNDS = {"from": "since", "to": "until"}


def _when(words: str, verb: str) -> tuple[str, ...]:
    for pattern, clause in _WHEN:
        if re.fullmatch(pattern, words):
            return ("from {}",) if clause == "starting {@}" and verb in LOOKING else (clause,)
    done = r"(\w+ed|\w+ing|sent|paid|sold|lost|found|taken|given|made)"
    if verb in LOOKING and (bound := re.fullmatch(rf"{done} (since|after|before|until|from|to)", words)):
        return (f"{bound[1]} {_BOUNDS.get(bound[2], bound[2])} {{}}",)
    if verb in LOOKING and (on := re.fullmatch(rf"{done} (?:on|at|date)", words)):
        return (f"{on[1]} {{@}}",)
    if re.fullmatch(
        r"date|day|on|at|when|date ?time|(?:event|reservation|booking|appointment|travel|meeting|visit) date",
        words,
    ):
        return ("{@}",)
    return ()


def _clock(words: str) -> tuple[str, ...]:
    if bound := re.fullmatch(r"(after|since|before|until)(?: time)?", words):
        return (f"{bound[1]} {{}}",)
    if re.fullmatch(r"(?:start|begin|from)s?(?: time| at)?", words):
        return ("starting {@}", "from {}")
    if re.fullmatch(r"(?:end|until|to)s?(?: time| at)?", words):
        return ("until {}",)
    when = r"(?:time|at|time of day|(?:appointment|meeting|event|reservation|booking|pickup|call|class) time)"
    return ("{@}",) if re.fullmatch(when, words) else ()


def _amount(words: str, description: str, noun: str, verb: str) -> tuple[str, ...]:
    unit = unit_of(words, description)
    if re.fullmatch(r"(?:sold|bought|\w+ed) for", words):
        return ("for {}",)
    if is_limit(words):
        return ("limited to {} results", "with at most {} results") if verb in LOOKING else ()
    told = f"{words} {description.lower()}"
    if unit in _TIMES and noun in (*lex.UNITS, "days ahead", "hours ahead", "days back", "window", "horizon"):
        if re.search(r"\b(?:ahead|in advance|next|coming|upcoming)\b", told):
            return ("within the next {}", "in the next {}") if verb in LOOKING else ("for the next {}",)
        if re.search(r"\b(?:past|last|previous|look ?back|ago|back)\b", told):
            return ("over the last {}",)
    if unit in _TIMES and (noun in lex.UNITS or noun in ("duration", "length of stay", "stay")):
        return ("for {}",) if verb in _LASTING else ()
    bound = re.match(r"(maximum|minimum) (.+)", noun)
    if bound and verb in LOOKING:
        most = "at most" if bound[1] == "maximum" else "at least"
        thing = UNIT_WORDS.sub("", bound[2])
        return () if plural(thing) or thing in lex.UNITS else (f"with {_a(thing)} of {most} {{}}",)
    if (
        words in ("nights", "guests", "adults", "people", "persons", "passengers")
        and verb in MAKING | LOOKING
    ):
        return (
            (f"for {{#{in_singular(words)}/{words}}}",)
            if words not in ("people", "persons")
            else ("for {#person/people}",)
        )
    return ()


def is_limit(words: str) -> bool:
    """Whether a number says how many results are wanted at most."""
    return (
        re.fullmatch(
            r"limit|top k|top n|k|n|(?:max|num|number of|limit) ?(?:results?|items|rows|records|entries)",
            words,
        )
        is not None
    )
