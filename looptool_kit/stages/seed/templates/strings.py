"""Types of strings, by what schema, name and description tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from looptool_kit.stages.seed.templates import kinds, things
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.choices import choice
from looptool_kit.stages.seed.templates.days import direction
from looptool_kit.stages.seed.templates.examples import (
    FORMATS,
    INSTANCES,
    like,
    looks_like,
    one_of,
    told_choices,
    told_examples,
)
from looptool_kit.stages.seed.templates.folders import in_a_folder
from looptool_kit.stages.seed.templates.names import Unusable, asked, examples_of, is_id, words_of
from looptool_kit.text.words import stems, tokens
from looptool_kit.world import types as wt
from looptool_kit.world.core import Type, text, verbatim
from looptool_kit.world.moments import BIRTH_DATE, DATE, DATETIME, TIME

_CODES = re.compile(
    r"(?:^| )(?:ref|reference|sku|no|number|(?:promo|promotion|voucher|coupon|gift card) code)$"
)
"""What numbers one of many. Other codes and keys have a meaning, which nobody knows."""
_CODED = re.compile(r"\b(?:code|key|token|plate|initials)$")
_FREE = (
    None,
    wt.TITLE,
    wt.TASK,
    wt.MESSAGE,
)
"""Types so wide that examples say more."""
_OF_WORDS = (lex.DRUG, lex.SPECIES, wt.INGREDIENT, wt.DISH)
"""Types with some words of a kind: examples tell which of them the tool is about."""
_NAMES_OF_THINGS = (None, wt.PERSON, lex.FIRM, wt.WORK)
_NAMED_BY_ID = re.compile(
    r"^(?:[\w-]+ ){1,3}number(?: of\b|\.?$)"
    r"|\b(?:id|ids|identifier|sid|uuid) (?:of|for) |\bids?$|\bids? [a-z]|\bid\b\.?$|'s number\b"
)
"""Descriptions of what is told by an ID, whatever its parameter is called: "The identifier of the charge"."""
_VAGUE = (wt.TITLE, wt.TASK, wt.CITY, wt.TIME)
"""Types that a description may correct, unless the name is exact."""


SLUG_NAME = kinds.SERVICE
"""Names as software has them: "billing-report"."""
UNKNOWN = text("unknown", "nobody knows what", str)
"""Of texts of which nothing is known but what they are called.

What a person would say is not guessed: no note, reason, title or search for a tool of any trade."""
_MADE_UP = (None, UNKNOWN, SLUG_NAME)
"""Types whose values are put together from words that fit anything."""


def string(name: str, schema: Mapping[str, Any], description: str, owner: str, context: str) -> Type:
    """Return the type of a string.

    Days are over where the name or the tool speaks of them.
    """
    kind = _string(name, schema, description, owner, context)
    if kind.question in (TIME.question, DATETIME.question) and not _EVENING.search(
        f"{context} {description}"
    ):
        kind = _between(kind, "08:00-18:30")
    if kind is BIRTH_DATE and _YOUNG.search(context):
        return kinds.YOUNG
    if kind is not kinds.MONTH and kind.question not in (DATE.question, DATETIME.question):
        return kind
    when = direction(words_of(name), description, context)
    if kind is kinds.MONTH:
        return kinds.PAST_MONTH if when == "past" else kind if when else kinds.THIS_MONTH
    return kinds.gone_by(kind) if when == "past" else kind if when else kinds.of_today(kind)


_FOR_A_PERSON = re.compile(
    r"\b(?:appointments?|sign up|reservations?|waiting list|visitors?|patients?|check(?:s|ing)? in)\b"
)
"""Tools whose `name` is that of whoever comes."""
_NETWORK = re.compile(
    r"\b(?:server|ping|dns|ssh|domain|port|network|database|deploy\w*|machine|https?|ip|tcp|socket|hostname|remote|fqdn)\b"
)
_YOUNG = re.compile(
    r"\b(?:students?|pupils?|school|child|children|kids?|kindergarten|daycare|camp|minors?)\b"
)
"""Tools whose birth dates are those of children."""
_EVENING = re.compile(
    r"\b(?:restaurants?|dinner|tables?|shows?|concerts?|part(?:y|ies)|flights?|trains?|sailings?|ferr(?:y|ies)"
    r"|cinema|films?|movies?|alarms?|lights?|lamps?|sleep|bed ?time|matches|games?|events?|medication"
    r"|dose|recordings?|night|evening)\b",
    re.IGNORECASE,
)
"""Tools whose hours are not those of an office."""
_AT_HOME = re.compile(
    r"\b(?:lights?|lamps?|thermostat|vacuum\w*|heating|speakers?|temperature|devices?|home|blinds?|curtains?|scenes?"
    r"|air conditioning|house|clean)\b"
)
"""Tools whose rooms are those of a flat; others' rooms have numbers."""


def _string(name: str, schema: Mapping[str, Any], description: str, owner: str, context: str) -> Type:
    """The type of a string.

    It is of a format, one of the choices or like the examples that a description gives, or what the words of
    name and description tell.
    """
    words = words_of(name)
    if not re.match(r"from|to\b", words):  # a "message to guest" is a message
        words = re.split(r" (?:to|for|of|from|with|about) (?!birth)", words)[0]
    if words == "name" and owner in ("pet", "dog", "cat", "puppy", "kitten", "animal", "horse"):
        words = f"{owner} name"
    if words == "name" and (owner in _PEOPLE or _FOR_A_PERSON.search(context)):
        return wt.PERSON
    by_format = FORMATS.get(str(schema.get("format") or ""))
    if by_format is not None:
        past = schema["format"] == "date" and re.search(r"\b(birth|born|dob|birthday)\b", words)
        return BIRTH_DATE if past else _as_said(by_format, words, description.lower(), context)
    choices = told_choices(description)
    if len(choices) >= 2:
        return choice(choices, name, description)
    examples = [e for e in (*examples_of(schema), *told_examples(description)) if isinstance(e, str)]
    if (shaped := like(examples, is_id(words))) is not None:
        return shaped
    # without a format that holds place holders
    told = re.sub(r"[`'\"][^`'\"]*\{[^`'\"]*[`'\"]", "", description.lower())
    if (stated := next((t for p, t in kinds.STATED if re.search(p, told)), None)) is not None:
        return _between(stated, told)
    place = next((t for p, t in kinds.BY_NAME if re.search(p, words)), None)
    if place is kinds.SMALL_NUMBER or place is kinds.FLIGHT:
        return place
    sure = _in_this_tool(words, told, owner, context, examples)
    if sure is not None:
        return sure
    if not description and words in _SAYS_NOTHING:
        raise Unusable(f"nothing tells what {name} is: give it a description, choices or examples")
    kind = _by_words(words, told, owner, context, examples)
    kind = _as_said(kind or UNKNOWN, words, f"{told} {context}", context)
    if kind is UNKNOWN and "pattern" in schema and _CODED.search(words):
        return _identifier(words, owner)  # the pattern says what such codes are like
    if len(set(examples)) > 1 and (kind in _OF_WORDS or things.kind_of(words) is kind):
        return one_of(examples)
    if kind in _MADE_UP and examples:
        return one_of(examples)  # "Make and model, e.g. 'Renault Zoe'": what is made up is no car
    return kind if not examples or looks_like(kind, examples) else one_of(examples)


def _in_this_tool(words: str, told: str, owner: str, context: str, examples: list[str]) -> Type | None:
    """The type where name, description and what the tool is about leave no doubt."""
    if re.fullmatch(r"hosts?(?: name)?", words) and not _NETWORK.search(f"{told} {context}"):
        return wt.PERSON
    git = re.search(r"\b(?:git|repos?|repositor(?:y|ies)|commits?|pull requests?|merge|rebase)\b", context)
    if words == "owner" and (git or re.search(r"\b(?:issue|branch|fork)s?\b", context)):
        return lex.USER_NAME
    if (path := in_a_folder(words, told, context)) is not None:
        return path
    if is_id(words) and not examples:
        return _identifier(words, owner)
    if (in_context := _by_context(words, context, told)) is not None:
        return in_context
    by_date = re.search(r"\bdate|\bday\b|deadline|due|when", told)
    if (moment := _WHEN_DONE.fullmatch(words)) and (moment[1] != "by" or by_date) and not examples:
        return DATETIME if moment[2] == "at" else DATE
    if words == "by" and by_date:
        return DATE
    if git and re.search(r"\bbranch\b", told) and not words.endswith(("name", "message")):
        return kinds.BRANCH
    days = re.fullmatch(r"(?:week ?)?days?|days? of (?:the )?week", words)
    if days and re.search(r"week ?days?", f"{words} {told}"):
        return kinds.WEEKDAY
    if words.endswith("branch") and not git:
        return UNKNOWN
    if (thing := things.kind_of(words)) is not None and not examples:
        return thing
    if words.endswith("name") and set(re.findall(r"[a-z]+", told)) & _PEOPLE:
        return wt.PERSON
    item = re.fullmatch(r"(?:\w+ )?items?(?: name)?", words)
    if item and re.search(r"\b(?:dish(?:es)?|drinks?|meals?|menu|food|restaurant)\b", f"{told} {context}"):
        return wt.DISH
    return None


def _by_words(words: str, told: str, owner: str, context: str, examples: list[str]) -> Type | None:
    """The type by the words of name and description, and by examples."""
    kind = _ends(words, context) or next(
        (t for p, t in (*kinds.BY_NAME, *lex.BY_NAME) if re.search(p, words)), None
    )
    if kind is None or (kind in _VAGUE and not re.search(r"^(city|title|task)|name$", words)):
        prose = INSTANCES.split(told)[0]  # without its examples
        kind = (
            next((t for p, t in lex.BY_DESCRIPTION if re.search(p, prose) and _is_head(t, p, prose)), None)
            or kind
        )
    named_by_id = _NAMED_BY_ID.search(told) and not re.search(r"name|title|description", words)
    if is_id(words) or (kind is None and _CODES.search(words)) or (named_by_id and kind in _NAMES_OF_THINGS):
        return _identifier(words, owner)
    if kind in _FREE and len(set(examples)) >= 2:
        return one_of(examples)
    if kind in _TOLD_BY_NAME and told and not _speaks_of(kind, words, told):
        kind = None
    whose = re.match(
        r"(?:the )?name of (?:the |an? )?((?:[\w-]+ )*?[\w-]+)(?= (?:to|in|that|which|of|for)\b|[.,;(]|$)",
        told,
    )
    about = whose[1] if whose else owner if words == "name" else words
    return SLUG_NAME if kind is None and things.is_of_software(about) else kind


def _is_head(kind: Type, pattern: str, told: str) -> bool:
    """Whether a description says what is wanted, and not what it belongs to: no "district of a city"."""
    if kind not in _TOLD_BY_NAME:
        return True
    noun = re.split(r"[,.;:(]| (?:of|for|in|at|from|to|on|by|with|where|that|which) ", told)[0]
    return any(m.end() >= len(noun.rstrip()) for m in re.finditer(pattern, noun))


_TOLD_BY_NAME = (wt.PERSON, wt.CITY, wt.COUNTRY, wt.LANGUAGE, wt.ADDRESS, lex.FIRM, wt.HOTEL, wt.RESTAURANT)
"""Kinds that a name may mean and a description take back: the destination of a medicine is no city."""


def _speaks_of(kind: Type, words: str, told: str) -> bool:
    """Whether a description leaves what a name says: it repeats the name, or says whose or which place."""
    if re.search(r"\bcodes?\b|\bnumber\b|\bids?\b", told):
        return False
    said = set(stems(told))
    return bool(said & {*stems(words), *stems(kind.name), "name", "who", "whom", "person", "people", "whose"})


def _as_said(kind: Type, words: str, about: str, context: str) -> Type:
    """The type with values that people give to this tool, `UNKNOWN` where that depends on its trade."""
    if kind is kinds.ROOM and not _AT_HOME.search(about):
        return kinds.ROOM_NUMBER
    if kind is wt.TITLE and not _AGENDA.search(context):
        return wt.TASK if _TO_DO.search(context) else UNKNOWN
    if kind is wt.MESSAGE:
        return kinds.MESSAGE if _TO_A_PERSON.match(context) and not _OFFICIAL.search(context) else UNKNOWN
    if kind in (wt.URL, wt.FILE) and not _OF_FILES.search(context.split(". ")[0]):
        return UNKNOWN  # a photo, a contract: what it shows is not made up
    if kind in (wt.URL, wt.FILE) and _SHOWN.search(f"{words} {about}"):
        return UNKNOWN
    return kind


_OF_FILES = re.compile(
    r"\b(?:files?|folders?|director(?:y|ies)|upload|urls?|uris?|links?|websites?|webpages?|web pages?|pages?"
    r"|webhooks?|browser?|crawl\w*|scrape|screenshot|bookmarks?|download|sites?|fetch|open|visit|navigate|path|documents?)\b"
)
"""Tools that are about files or addresses of pages, whatever stands in them."""
_SHOWN = re.compile(
    r"\b(?:photos?|pictures?|images?|scans?|videos?|logos?|avatars?|attachments?|recordings?|certificates?"
    r"|contracts?)\b"
)
_OFFICIAL = re.compile(
    r"\b(?:reminder|payments?|invoices?|notice|warning|alerts?|announce\w*|broadcast|newsletter|quote|offer|contract"
    r"|tenants?|patients?|banner|campaign|push|press|alarm|dunning|recall|incident)\b"
)
_TO_A_PERSON = re.compile(
    r"(?:\w+ )?(?:send|write|reply|message|text|sms|chat|dm|tweet"
    r"|(?:post|leave) (?:an? |the )?(?:message|comment|tweet))\b"
)
"""Names of tools that bring a message to somebody."""
_TO_DO = re.compile(r"\b(?:to-?dos?|chores?|reminders?)\b")
_WHEN_DONE = re.compile(
    r"(?:(?:\w+ed|sent|paid|sold|lost|found|taken|best) (since|after|before|until|by)"
    r"|(?:\w+ )?(on|at)|until|since)"
)
_SAYS_NOTHING = (
    "value",
    "data",
    "payload",
    "object",
    "expression",
    "key",
    "val",
    "spec",
    "config",
    "args",
    "input",
)
_AGENDA = re.compile(r"\b(?:meetings?|calendar|appointments?|agenda|calls?|interviews?|invit\w+)\b")
"""Tools whose titles are those of an office."""
_PEOPLE = lex.word_set("""
    addressee address applicant attendee author buyer client contact customer driver employee guest guardian
    instructor member owner participant passenger patient payer payee person player receiver recipient
    reporter sender speaker student subscriber supervisor teacher technician tenant user visitor volunteer
    witness worker
    """)
"""Owners whose `name` is a person's."""


def _by_context(words: str, context: str, told: str) -> Type | None:
    """The type of a name that means one thing only in some tools: a title of books, an item of a fridge."""
    if words == "title" and re.search(
        r"\b(?:books?|films?|movies?|songs?|albums?|library|author)\b", f"{context} {told}"
    ):
        return wt.WORK
    if re.fullmatch(r"(?:\w+ )?items?(?: name)?", words) and re.search(
        r"\b(?:pantry|fridge|freezer|kitchen|grocer(?:y|ies)|larder)\b", context
    ):
        return wt.INGREDIENT
    return None


def _between(t: Type, told: str) -> Type:
    """A time of day within hours that a description states: "HH:MM, 08:00 to 18:00"."""
    hours = re.search(r"(\d\d:\d\d)\s?(?:to|and|until|[-–])\s?(\d\d:\d\d)", told)
    if not hours or t.question not in (TIME.question, DATETIME.question) or not hours[1] < hours[2]:
        return t

    def make(rng: Random, today: date) -> Any:
        every = (t.draw(rng, today) for _ in range(10_000))
        return next(v for v in every if hours[1] <= re.findall(r"\d\d:\d\d", v)[0] <= hours[2])

    return replace(t, draw=make)


def _ends(words: str, context: str) -> Type | None:
    """What `from` and `to` are, which depends on the tool."""
    if not re.fullmatch(r"from|to|cc|bcc|recipients?|sender|receiver", words):
        return None
    if re.search(r"\be?-?mails?\b", context):
        return wt.EMAIL
    if re.search(r"\b(?:sms|phone|whatsapp|dial|text message)\b", context):
        return wt.PHONE
    if words in ("from", "to") and re.search(
        r"\b(?:flights?|trains?|rides?|routes?|travel|trips?|bus|buses|taxi|distance|directions?|journey)\b",
        context,
    ):
        return wt.CITY
    if words in ("from", "to") and re.search(r"\b(?:currency|currencies)\b", context):
        return wt.CURRENCY
    if words in ("from", "to") and re.search(r"\b(?:translate|translation)\b", context):
        return wt.LANGUAGE
    return (
        wt.PERSON
        if words not in ("from", "to")
        or re.search(r"\b(?:send|transfer|pay|message|share|forward|invite)\b", context)
        else None
    )


def _identifier(words: str, owner: str) -> Type:
    noun = (
        re.sub(
            r"\s*\b(?:id|ids|identifier|uuid|guid|sid|ref|reference|code|no|key|number|sku|token)$", "", words
        ).strip()
        or owner
        or "item"
    )
    prefix = ("".join(t.stem[0] for t in tokens(noun)) if " " in noun else noun[:3]).upper()
    return text(
        "id",
        f"names one {noun}",
        lambda r: f"{prefix}-{r.randint(1000, 99999)}",
        say=verbatim,
        **asked(words),
    )
