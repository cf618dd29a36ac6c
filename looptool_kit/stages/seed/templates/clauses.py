"""How a request mentions a parameter, and how one asks."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.kinds import ROOM
from looptool_kit.stages.seed.templates.names import acronyms, unit_of
from looptool_kit.stages.seed.templates.values import Group, Many
from looptool_kit.text.words import stems
from looptool_kit.world import types as wt
from looptool_kit.world.types import (
    AIRPORT,
    CITY,
    COUNTRY,
    CURRENCY,
    DATE,
    DATETIME,
    EMAIL,
    LANGUAGE,
    MESSAGE,
    PERSON,
    PHONE,
    TIME,
    TITLE,
    WORK,
    Type,
)

_FROM = re.compile(r"^(from|origin|source|departure|pickup|sender|start)\b|\b(origin|source|sender)$")
_TO = re.compile(
    r"^(to|destination|target|dest|dropoff|recipients?|receiver|arrival|payee|beneficiary|end)\b"
    r"|\b(destination|recipients?|receiver)$"
)
_DAYS = (DATE.question, DATETIME.question)
_WEEKDAYS = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
_PLACES = (CITY.question, COUNTRY.question, AIRPORT.question)

Wordings = tuple[tuple[str, ...], tuple[str, ...], str, tuple[str, ...]]


def wordings(words: str, description: str, kind: Type, owner: str) -> Wordings:
    """The wordings of a parameter whose name has these words.

    They are clauses, sentences of its own, a question, and words of which one occurs in any question.
    """
    noun = noun_of(words, kind, owner)
    if (
        kind.name == "number"
        and noun not in lex.UNITS
        and _UNIT_WORDS.sub("", noun) not in ("maximum", "minimum")
    ):
        noun = _UNIT_WORDS.sub("", noun)
    if kind.name == "number" and noun in _QUANTITY:  # "with kilograms 42 kg"
        noun = _QUANTITY[noun]
    clauses = _clauses(words, description, kind, noun)
    in_list = kind.name == "boolean" or isinstance(kind, Group) or plural(noun)
    in_list = in_list or _is_weekday(kind) or clauses[0].startswith((f"{words} ", "for {}"))
    also = () if in_list else (f"the {noun} is {{}}", f"{noun}: {{}}", f"use {{}} as the {noun}")
    question = kind.question
    if "enum" in kind.schema:
        question = question.replace(f"Which {words}", f"Which {noun}")
    elif kind is PERSON and not re.search(r"name|who", noun):
        question = f"What are the {noun}?" if plural(noun) else f"What is the name of the {noun}?"
    elif kind not in (MESSAGE, lex.QUERY) and not (
        question and set(stems(question)) & set(stems(f"{words} {description}"))
    ):
        question = (
            f"How many {noun}?"
            if noun in lex.KEEP_COUNT
            else f"Which {noun}?"
            if plural(noun)
            else f"Which {noun}?"
            if kind.name in ("code", "name") and not re.search(r"name|code|number|key|token", noun)
            else f"What is the {noun}?"
        )
    hints = [w for w in (noun, *noun.split()) if len(w) > 2 and w not in ("the", "for")] + [
        w for w in kind.words if w in question.lower()
    ]
    if kind.name in ("id", "uuid", "code"):
        hints.insert(0, re.sub(r" (?:S?ID|number|code|reference)$", "", noun))
    return clauses, also, question, tuple(dict.fromkeys(hints))


_LONE: dict[str, dict[str, str]] = {
    "day": {
        "from": "start date", "to": "end date", "start": "start date", "end": "end date", "due": "due date",
        "when": "date", "until": "end date", "since": "start date", "at": "time", "on": "date",
        "begin": "start date", "before": "latest date", "after": "earliest date",
    },
    "place": {
        "from": "place of departure", "to": "destination", "start": "place of departure",
        "end": "destination", "where": "place", "at": "place",
    },
    "other": {
        "from": "sender", "to": "recipient", "cc": "copy recipients", "bcc": "hidden copy recipients",
        "start": "starting point", "end": "end point", "what": "thing", "who": "person", "why": "reason",
    },
}  # fmt: skip
_SHORT = (
    ("max", "maximum"), ("min", "minimum"), ("qty", "quantity"), ("lat", "latitude"), ("lng", "longitude"),
    ("lon", "longitude"), ("lang", "language"), ("desc", "description"), ("addr", "address"),
    ("msg", "message"), ("temp", "temperature"), ("dest", "destination"), ("src", "source"),
    ("tz", "time zone"), ("timezone", "time zone"), ("q", "query"), ("ids", "IDs"), ("ts", "timestamp"),
    ("dob", "date of birth"), ("born", "date of birth"), ("repo", "repository"),
)  # fmt: skip
_UNIT = f"(?:{'|'.join(lex.UNITS)})"
_UNIT_WORDS = re.compile(rf" (?:in )?{_UNIT}(?: per {_UNIT})?$")


_QUANTITY = {
    "kilograms": "weight", "kg": "weight", "grams": "weight", "km": "distance", "kilometers": "distance",
    "kilometres": "distance", "miles": "distance", "meters": "distance", "metres": "distance", "cm": "length",
    "mm": "length", "celsius": "temperature", "fahrenheit": "temperature", "degrees": "temperature",
    "percent": "percentage", "pct": "percentage", "usd": "amount", "eur": "amount", "euros": "amount",
    "dollars": "amount", "litres": "volume", "liters": "volume", "ml": "volume", "mg": "dose",
}  # fmt: skip
"""A parameter that is called by its unit alone -> what it is."""


_IN_FORCE = ("valid", "active", "effective")
_ENDS = ({"from": "source ", "to": "target "}, {"from": "start ", "to": "end "})
"""What `from_...` and `to_...` begin with in words: of anything, and of days and times."""
_OF_VERB = {
    "deliver": "delivery", "publish": "publication", "ship": "shipping", "expire": "expiry",
    "pay": "payment", "paid": "payment",
    "ends": "end", "starts": "start", "begins": "start", "expires": "expiry",
    "arrive": "arrival", "depart": "departure", "renew": "renewal", "invoice": "invoice",
    "opens": "opening", "open": "opening", "closes": "closing", "close": "closing",
}  # fmt: skip


def noun_of(words: str, kind: Type, owner: str = "") -> str:
    """A parameter's name as a noun.

    "order_id" -> "order ID", "num_guests" -> "guests", "id" of an order -> "order ID".
    """
    if words in ("id", "identifier", "uuid", "guid", "sid"):
        return f"{owner} {'SID' if words == 'sid' else 'ID'}".strip()
    words = re.sub(r"^(?:the|new|is|user defined) (?=\w)", "", words)
    sort = (
        "day"
        if kind.question in (*_DAYS, TIME.question)
        else "place"
        if kind.question in _PLACES
        else "other"
    )
    if kind is CURRENCY and words in ("from", "to", "from currency", "to currency"):
        return "source currency" if words.startswith("from") else "target currency"
    if words in _LONE[sort]:
        noun = _LONE[sort][words]
        return noun.replace("date", "time") if kind.question in (DATETIME.question, TIME.question) else noun
    if words in ("per page", "items per page", "results per page"):
        return "page size"
    timed = sort == "day" or re.search(r"\b(?:hour|day|week|month|year|minute|date|time|page)$", words)
    words = re.sub(r"^(from|to) (?=\w)", lambda m: _ENDS[bool(timed)][m[1]], words)
    if sort == "day" and (planned := re.fullmatch(r"(\w+) (?:on|at|by)", words)) and planned[1] != "due":
        return (
            f"{_OF_VERB.get(planned[1], planned[1])} {'date' if kind.question == DATE.question else 'time'}"
        )
    noun = re.sub(r"\bid$", "ID", re.sub(r"^(?:num|number of|n|no of|total) ", "", words))
    noun = re.sub(r" (?:count|str|string|value|param|parameter)$", "", noun)
    for short, full in _SHORT:
        noun = re.sub(rf"\b{short}\b", full, noun)
    if bound := re.fullmatch(r"(.+) (from|since|after|min|to|until|before|max)", noun):
        first = bound[2] in ("from", "since", "after", "min")
        if bound[1] in _IN_FORCE:
            return f"{'start' if first else 'end'} of validity"
        dated = re.search(r"year|date|day|time|month|created|updated", bound[1])
        ends = ("earliest", "latest") if dated else ("minimum", "maximum")
        noun = f"{ends[not first]} {bound[1]}" + (" time" if bound[1].endswith("ed") else "")
    return acronyms(noun or words)


def plural(noun: str) -> bool:
    """True where the head of a noun phrase is plural."""
    head = re.split(r" (?:for|of|in|at|from|to|on|by|with|about|near|between|that) ", noun)[0].split()
    return (
        bool(head)
        and head[-1].endswith("s")
        and not head[-1].endswith(("ss", "us", "is"))
        and (
            head[-1].lower()
            not in ("sms", "dns", "gps", "tls", "css", "https", "news", "address", "aws", "ops")
        )
    )


def _is_weekday(kind: Type) -> bool:
    return {str(v)[:3].lower() for v in kind.schema.get("enum", ["none"])} <= _WEEKDAYS


def _clauses(words: str, description: str, kind: Type, noun: str) -> tuple[str, ...]:
    """How a request mentions the parameter, `{}` being its value."""
    if kind.name == "boolean":
        return kind.clauses
    if re.match(r"new \w", words) and not isinstance(kind, Group | Many):
        return ("to {}", f"with {{}} as the new {noun}", f"with {noun} changed to {{}}")
    if _is_weekday(kind):
        return ("on {}",)
    if (kind is PERSON or "enum" in kind.schema) and re.fullmatch(r"(?:paid|\w+(?:ed|wn|en|de)) by", words):
        return (f"{words} {{}}",)
    if "enum" in kind.schema and re.fullmatch(r"(?:found|lost|born|made|left|\w+ed) in", words):
        return (f"{words} the {{}}",)
    if told := re.fullmatch(r"(notify|alert|ping|inform) \w+", words):
        return (f"and {told[1]} {{}}",)
    if kind.question in _DAYS:
        return _when(words, noun)
    if kind.question == TIME.question:
        if bound := re.match(r"(after|since|before|until)\b", words):
            return (f"{bound[1]} {{}}",)
        if re.match(r"start|begin|from", words):
            return ("starting {@}", "from {}")
        return ("ending {@}", "until {}") if re.match(r"end|until|to\b", words) else ("{@}",)
    if kind.name == "number" and re.fullmatch(r"(?:sold|bought|\w+ed) for", words):
        return ("for {}",)
    if kind.name == "number":
        return _amount(words, description, noun)
    if kind.name in ("id", "uuid", "code"):
        return _named(words, noun)
    each = kind.each if isinstance(kind, Many) and kind.each is not None else kind
    if _FROM.search(words) or _TO.search(words):
        return ("from {}",) if _FROM.search(words) else ("to {}",)
    if isinstance(kind, Group) or isinstance(each, Group):
        return (
            (f"with this {noun}: {{}}", f"with the following {noun}: {{}}")
            if not plural(noun)
            else (f"with these {noun}: {{}}", f"with {noun}: {{}}")
        )
    special = _special(words, each, noun)
    return special or _generic(noun, kind)


_HOLDERS = re.compile(
    r"\b(?:accounts?|projects?|organi[sz]ation|org|workspace|tenant|team|guild|server|repository|store|shop|company"
    r"|group|customer|client|order|room|site|cluster)$"
)
"""What other things belong to: something is done for an account, but not for a queue."""


def _named(words: str, noun: str) -> tuple[str, ...]:
    thing = re.sub(r" (?:S?ID|number|code|reference)$", "", noun)
    if thing == noun or not _HOLDERS.search(thing):
        return (f"with {noun} {{}}", f"with {{}} as the {noun}", f"with the {noun} {{}}")
    return (f"for {thing} {{}}", f"with {noun} {{}}", f"for the {thing} {{}}")


def _special(words: str, kind: Type, noun: str) -> tuple[str, ...]:
    """Clauses that go with what the value is."""
    if kind is ROOM:
        return ("in the {}", f"with the {noun} {{}}")
    if kind is AIRPORT:
        return ("at {}", f"for {noun} {{}}")
    if kind.question in _PLACES:
        return ("in {}", "in {}", f"with {{}} as the {noun}")
    if kind in (LANGUAGE, CURRENCY):
        return ("in {}", f"with {noun} {{}}", f"with {{}} as the {noun}")
    if kind is wt.TIME_ZONE:
        return ("in time zone {}", "for the time zone {}", "in the {} time zone")
    if kind in (EMAIL, PHONE):
        return (f"with {noun} {{}}", f"with the {noun} {{}}", f"with {{}} as the {noun}")
    if kind is PERSON:
        if re.search(r"attendee|participant|invitee|guests$|people|members|friends", words):
            return ("with {}", f"with {{}} as {noun}", "together with {}")
        if re.search(r"author|sender|organi[sz]er|host|artist|director", words):
            return ("by {}", f"with {{}} as the {noun}")
        if re.search(r"name|customer|guest|patient|passenger|client|user|member", words):
            return ("for {}", "under the name {}", f"with {{}} as the {noun}")
        return (f"with {{}} as the {noun}", f"with {noun} {{}}", f"with the {noun} {{}}")
    if kind in (lex.QUERY, lex.KEYWORD):
        return ("for {}", f"with the {noun} {{}}", "matching {}")
    if kind is MESSAGE:
        return ("saying {}", f"with the {noun} {{}}", "that says {}")
    if kind in (TITLE, lex.NAME, WORK) and re.fullmatch(r"(?:\w+ )?(?:title|name)", words):
        return (
            ("called {}", f"with the {noun} {{}}", "named {}")
            if "name" in words
            else ("titled {}", f"with the {noun} {{}}", "called {}")
        )
    return ()


def _generic(noun: str, kind: Type) -> tuple[str, ...]:
    if "enum" in kind.schema and noun == "use":
        return ("for {} use",)
    if "enum" in kind.schema:
        return (f"with {noun} {{}}", f"with the {noun} set to {{}}", f"with the {noun} {{}}")
    if isinstance(kind, Many) or plural(noun):
        return (
            f"with the {noun} {{}}",
            f"with {{}} as the {noun}",
            f"with {noun} {{}}",
            f"with {noun} set to {{}}",
        )
    return (
        f"with {noun} {{}}",
        f"with {{}} as the {noun}",
        f"with the {noun} {{}}",
        f"with the {noun} set to {{}}",
    )


_WHEN: tuple[tuple[str, str], ...] = (
    (r"\b(?:birth|born|dob)\b", "born {@}"),
    (r"\b(?:due|deadline)\b", "due {@}"),
    (r"^expir(?:es|y|ation)\b", "expiring {@}"),
    (r"^check ?in", "checking in {@}"),
    (r"^check ?out", "checking out {@}"),
    (r"^(?:departure|depart|leave)", "leaving {@}"),
    (r"^(?:arrival|arrive)", "arriving {@}"),
    (r"^return", "returning {@}"),
    (r"^opens?\b", "opening {@}"),
    (r"^closes?\b", "closing {@}"),
    (r"^(?:valid|active|effective) (?:from|since)", "valid from {}"),
    (r"^(?:valid|active|effective) (?:to|until|till)", "valid until {}"),
    (r"^(?:since)", "since {}"),
    (r"^(?:after)", "after {}"),
    (r"^(?:before)", "before {}"),
    (r"^(?:pick ?up)", "picking up {@}"),
    (r"^(?:drop ?off)", "dropping off {@}"),
    (r"^(?:start|from|begin)|\bstart\b", "starting {@}"),
    (r"^(?:end|until|to|finish)\b|\bend\b", "until {}"),
)


def _when(words: str, noun: str) -> tuple[str, ...]:
    if words == "until":
        return ("until {}",)
    if bound := re.fullmatch(r"(\w+ed) (since|after|before|until)", words):
        return (f"{bound[0]} {{}}", f"{bound[0]} {{}}", f"with {{}} as the {noun}")
    for pattern, clause in _WHEN:
        if re.search(pattern, words):
            more = {"starting {@}": ("from {}",), "until {}": ("ending {@}",)}.get(clause, (clause,))
            sure = more != (clause,) or clause.startswith("valid ")
            return (clause, *more) if sure else (clause, clause, f"with {{}} as the {noun}")
    if " " not in words or re.fullmatch(
        r"date time|(?:event|reservation|booking|appointment|travel|meeting|delivery|visit) date", words
    ):
        return ("{@}", "{@}", "{@}")
    return (f"with {noun} {{}}", f"with {{}} as the {noun}")


_TIMES = ("second", "minute", "hour", "day", "night", "week", "month", "year")


def _amount(words: str, description: str, noun: str) -> tuple[str, ...]:
    unit = unit_of(words, description)
    if re.search(r"^(?:page size|per page|page limit|items per page|results per page)$", words):
        return ("with {} results per page", "showing {} per page")
    if re.search(
        r"^(limit|top k|k|n|count|size)$|^(max|num|number of|limit)"
        r" ?(results?|items|rows|records|entries)$",
        words,
    ):
        return ("limited to {} results", "and give me at most {} results", "with at most {} results")
    if unit == "" and noun in lex.KEEP_COUNT:
        return (f"for {{}} {noun}", f"with {{}} {noun}", f"for {{}} {noun}")
    short = "" if noun in lex.UNITS else noun
    if unit in _TIMES and (not short or re.search(r"duration|length|stay|period", short)):
        told = description.lower()
        if re.search(r"\b(?:ahead|in advance|next|coming|upcoming)\b", told):
            return ("within the next {}", "in the next {}")
        if re.search(r"\b(?:past|last|previous|look ?back|ago)\b", told):
            return ("over the last {}", "in the last {}")
        return ("for {}", "for {}") if not short else ("for {}", f"with a {short} of {{}}", "lasting {}")
    noun = short or noun
    bound = re.match(r"(maximum|minimum) (.+)", noun)
    if bound:
        most = "at most" if bound[1] == "maximum" else "at least"
        bare = _UNIT_WORDS.sub("", bound[2])
        if bare != bound[2]:
            return (f"with a{'n' if bare[0] in 'aeiou' else ''} {bare} of {most} {{}}",)
        if bound[2] in lex.UNITS:  # the value is said with its unit
            return (f"taking {most} {{}}",) if lex.UNITS[bound[2]] in _TIMES else (f"with {most} {{}}",)
        if plural(bound[2]) and not unit:
            return (f"with {most} {{}} {bound[2]}",)
        return (
            f"with a {noun} of {{}}",
            f"with {{}} as the {noun}",
            f"with {'an' if bound[2][0] in 'aeiou' else 'a'} {bound[2]} of {most} {{}}",
        )
    if noun in ("page", "year", "floor", "level", "month"):
        return {
            "month": ("for month {}", "in month {}"), "year": ("for {}", "for year {}"),
            "page": ("on page {}", "with page {}"), "floor": ("on floor {}", "for floor {}"),
        }.get(noun, (f"with {noun} {{}}",))  # fmt: skip
    if plural(noun):
        return (
            (f"with {{}} {noun}", f"with {noun} set to {{}}", f"with {{}} {noun}")
            if not unit
            else (f"with {noun} {{}}", f"with {{}} as {noun}")
        )
    a = "an" if noun[:1] in "aeiou" else "a"
    return (
        f"with {a} {noun} of {{}}",
        f"with {noun} {{}}",
        f"with the {noun} set to {{}}",
        f"with {{}} as the {noun}",
    )
