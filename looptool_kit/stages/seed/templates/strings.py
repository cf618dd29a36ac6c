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
from looptool_kit.stages.seed.templates.names import Unusable, asked, examples_of, is_id, words_of
from looptool_kit.text.words import stem, tokens
from looptool_kit.world import types as wt
from looptool_kit.world.core import Surface, Type, quoted, text, verbatim
from looptool_kit.world.moments import BIRTH_DATE, DATE, DATETIME, TIME

_CODES = re.compile(r"(?:^| )(?:ref|reference|code|sku|isbn|token|no|key|number)$")
_FREE = (
    None,
    lex.NAME,
    lex.KEYWORD,
    wt.TITLE,
    wt.TASK,
    lex.NOTE,
    lex.QUERY,
    lex.TEAM,
    lex.TAG,
    wt.PRODUCT,
    wt.MESSAGE,
)
"""Types so wide that examples say more."""
_NAMES_OF_THINGS = (
    None,
    lex.NAME,
    wt.PERSON,
    wt.PRODUCT,
    lex.TEAM,
    wt.COMPANY,
    wt.WORK,
)
_NAMED_BY_ID = re.compile(r"\b(?:id|ids|identifier|sid|uuid) (?:of|for) |\bids?$|\bids? [a-z]|\bid\b\.?$")
"""Descriptions of what is told by an ID, whatever its parameter is called: "The identifier of the charge"."""
_VAGUE = (lex.NAME, lex.KEYWORD, wt.TITLE, wt.TASK, wt.CITY, wt.TIME)
"""Types that a description may correct, unless the name is exact."""
_GOODS = re.compile(r"\b(?:items?|objects?|products?|goods)\b")
"""Whose description is a product's, not a task's."""


SLUG_NAME = replace(kinds.SLUG, name="name", draw=lambda r, _: kinds.SLUG.draw(r, _).rsplit("-", 1)[0])
"""Names as software has them: "billing-report"."""
UNKNOWN = replace(lex.NAME, name="unknown")
"""Of texts of which nothing is known but what they are called: made-up names."""


def string(name: str, schema: Mapping[str, Any], description: str, owner: str, context: str) -> Type:
    """The type of a string; days that are over where the name or the tool speaks of them."""
    kind = _string(name, schema, description, owner, context)
    moment = kind.question in (DATE.question, DATETIME.question)
    return kinds.gone_by(kind) if moment and is_over(words_of(name), description, context) else kind


_DONE = re.compile(
    r"\b(?:created|updated|modified|changed|since|issued|purchased?|recorded|observed|posted|paid|sold|received|joined"
    r"|hired|founded|installed|invoiced|completed|inspected|reported|occurred|happened|measured|taken|logged|died"
    r"|acquired|brewed|visited|harvested|caught|baked|collected|filed|seen|noticed|infected|found|lost|uploaded"
    r"|submitted|registered|first registered|discovered|built|spent|ridden|last (?:visit|seen|service|login|update))\b"
    r"|^as of$|^arrived$"
)
_TO_COME = re.compile(
    r"\b(?:availab\w+|forecast\w*|upcoming|future|slots?|book\w*|reserv\w+|schedul\w+|calendar|events?|flights?"
    r"|trains?|hotels?|rooms?|trips?|weather|due|deadlines?|meetings?|appointments?|departures?|shows?|tours?"
    r"|class|classes|sessions?|expir\w+|shifts?|plan\w*|tides?|menus?|rent\w*|rates?|quotes?|routes?|remind\w*"
    r"|next|free|open|vacan\w+|timetable|concerts?|tickets?|courses?|sunrise|sunset|moon|holidays?)\b"
)
_LOGGING = re.compile(r"\b(?:logs?|records?|recorded|reconcile|audit|expenses?|refuel\w*)\b")
_LOOKING_BACK = re.compile(
    r"\b(?:list|get|search|find|show|export|summari[sz]e|reports?|statistics|stats|fetch|retrieve|returns?|count|query"
    r"|pull|usage|history)\b.*\b(?:orders|payments|shipments|messages|e-?mails|commits|measurements|incidents"
    r"|tickets|complaints|returns|refunds|visits|transactions|invoices|expenses|sales|revenue|readings|history"
    r"|statistics|stats|usage|spending|logs?|purchases|donations|reviews|emissions|consumption|progress|report)\b"
)


def is_over(words: str, description: str, context: str) -> bool:
    """Whether a date is one of the past.

    By its name, since the tool keeps records, or since it begins or ends a range of what is looked up.
    """
    told = f"{words} {description.lower()}"
    if re.search(r"\b(?:future|upcoming|due|expir\w+|planned|scheduled|next|expected)\b", told):
        return False
    if _DONE.search(words):
        return True
    if (done := re.fullmatch(r"(\w+ed) (?:on|at|since|after|before|date)", words)) and done[1] not in (
        "needed", "required", "wanted", "desired", "requested", "delivered", "started", "ended",
    ):  # fmt: skip
        return True
    if _TO_COME.search(f"{context} {told}"):
        return False
    ranged = re.fullmatch(
        r"(?:from|to|since|until|start|end|after|before|begin)(?: (?:date|day|time))?|(?:date|day) (?:from|to)",
        words,
    )
    return bool(
        _LOGGING.search(context)
        or _LOOKING_BACK.search(context)
        or re.search(r"\bhistor(?:y|ical)\b", told)
        or (ranged and _READS.search(context))
    )


_READS = re.compile(
    r"\b(?:list|get|search|find|show|export|summari[sz]e|reports?|fetch|retrieve|returns?|count|query|pull|read)\b"
)


def _string(name: str, schema: Mapping[str, Any], description: str, owner: str, context: str) -> Type:
    """The type of a string.

    It is of a format, one of the choices or like the examples that a description gives, or what the words of
    name and description tell.
    """
    words = words_of(name)
    if not re.match(r"from|to\b", words):  # a "message to guest" is a message
        words = re.split(r" (?:to|for|of|from|with|about) ", words)[0]
    if words == "name" and owner in _PEOPLE:
        return wt.PERSON
    by_format = _FORMATS.get(str(schema.get("format") or ""))
    if by_format is not None:
        past = schema["format"] == "date" and re.search(r"\b(birth|born|dob|birthday)\b", words)
        return BIRTH_DATE if past else by_format
    choices = _told_choices(description)
    if len(choices) >= 2:
        return choice(choices, name, description)
    examples = [e for e in (*examples_of(schema), *_told_examples(description)) if isinstance(e, str)]
    if (shaped := _like(examples, is_id(words))) is not None:
        return shaped
    # without a format that holds place holders
    told = re.sub(r"[`'\"][^`'\"]*\{[^`'\"]*[`'\"]", "", description.lower())
    if (stated := next((t for p, t in kinds.STATED if re.search(p, told)), None)) is not None:
        return _between(stated, told)
    if words == "owner" and re.search(
        r"\b(?:repo|repository|issue|pull request|branch|fork|commit)s?\b", context
    ):
        return lex.USER_NAME
    if (path := kinds.in_a_folder(words, description, context)) is not None:
        return path
    if (place := next((t for p, t in kinds.BY_NAME if re.search(p, words)), None)) in (
        kinds.SMALL_NUMBER,
        kinds.FLIGHT,
    ) and place is not None:
        return place
    if is_id(words) and not examples:
        return _identifier(words, owner)
    if (in_context := _by_context(words, context)) is not None:
        return in_context
    if not schema.get("format") and (moment := _WHEN_DONE.fullmatch(words)):
        named_by = moment[1] == "by" and not re.search(r"\bdate|\bday\b|deadline", description.lower())
        if not named_by:
            return DATETIME if moment[2] == "at" else DATE
    if not description and words in _SAYS_NOTHING:
        raise Unusable(f"nothing tells what {name} is: give it a description, choices or examples")
    git = re.search(
        r"\b(?:git|repos?|repository|repositories|commits?|pull requests?|merge|rebase)\b", context
    )
    if git and re.search(r"\bbranch\b", description.lower()) and not words.endswith(("name", "message")):
        return kinds.BRANCH
    if re.fullmatch(r"(?:week ?)?days?|days? of (?:the )?week", words) and re.search(
        r"week ?days?", f"{words} {told}"
    ):
        return kinds.WEEKDAY
    if words == "by" and re.search(r"\bdate|\bday\b|deadline|due|when", description.lower()):
        return DATE
    if re.search(r"\bbranch$", words) and not git:
        return lex.LANDMARK
    if words == "nickname" and owner not in _PEOPLE | {"account", "profile", "login"}:
        return lex.NAME
    if (thing := things.kind_of(words)) is not None and not examples:
        return thing
    if words.endswith("name") and re.search(
        rf"\b(?:{'|'.join(_PEOPLE)})\b", re.sub(r"[^a-z ]", " ", description.lower())
    ):
        return wt.PERSON
    if re.fullmatch(r"(?:\w+ )?items?(?: name)?", words) and re.search(
        r"\b(?:dish(?:es)?|drinks?|meals?|menu|food|restaurant)\b", f"{told} {context}"
    ):
        return wt.DISH
    if re.fullmatch(r"alt(?:ernative)? text|image description|(?:photo )?caption", words):
        return kinds.SCENE
    if words == "description" and re.fullmatch(
        r"(?:line |order )?(?:lines?|items?|positions?|products?|goods)", owner
    ):
        return wt.PRODUCT
    kind = _ends(words, context) or next(
        (t for p, t in (*kinds.BY_NAME, *lex.BY_NAME) if re.search(p, words)), None
    )
    if kind is None or (kind in _VAGUE and not re.search(r"^(city|title|task)|name$", words)):
        prose = _INSTANCES.split(description.lower())[0]  # without its examples
        kind = next((t for p, t in lex.BY_DESCRIPTION if re.search(p, prose)), None) or kind
    if kind is wt.TASK and words.endswith("description") and _GOODS.search(context):
        return wt.PRODUCT
    if is_id(words) or (kind is None and _CODES.search(words)):
        return _identifier(words, owner)
    if (
        _NAMED_BY_ID.search(told)
        and not re.search(r"name|title|description", words)
        and kind in _NAMES_OF_THINGS
    ):
        return _identifier(words, owner)
    if kind in _FREE and len(set(examples)) >= 2:
        return _one_of(examples)
    if kind is kinds.ROOM and not re.search(
        r"\b(?:lights?|lamps?|thermostat|vacuum\w*|heating|speakers?|temperature|devices?|home|blinds?|curtains?|scenes?"
        r"|air conditioning|house|clean)\b",
        f"{context} {told}",
    ):
        kind = kinds.ROOM_NUMBER
    if (kind is lex.TEAM and "categor" in words) or (kind is wt.CITY and re.search(r"region|area", words)):
        kind = None
    if kind is None and things.has_names(words):
        kind = SLUG_NAME if things.is_of_software(words) else lex.NAME
    kind = kind or UNKNOWN
    if (
        kind is wt.PRODUCT
        and not re.search(r"product|goods", words)
        and not _SHOPS.search(f"{told} {context}")
    ):
        kind = UNKNOWN
    if kind is wt.TITLE and words == "title" and not _AGENDA.search(context):
        kind = lex.NAME
    if kind is wt.MESSAGE and not re.search(
        r"\b(?:sends?|messag\w+|sms|texts?|e-?mails?|mail|reply|replies|posts?|chat|notif\w+|announce\w*|invit\w+|tell|translat\w+"
        r"|broadcast|publish|remind\w*|greet\w*|card)\b",
        f"{context} {told}",
    ):
        kind = lex.NOTE
    if kind in (lex.QUERY, lex.KEYWORD) and (about := _subject_of(context)):
        return replace(about, name=kind.name, say=lex.QUERY.say, question=kind.question, words=kind.words)
    if kind is lex.NOTE and words in ("description", "summary", "details"):
        kind = _subject_of(context) or lex.DETAILS
    if kind is lex.QUERY and not re.search(
        r"\b(?:products?|shops?|stores?|items?|goods|catalog\w*|markets?|offers?|listings|inventory|buy)\b",
        context,
    ):
        kind = lex.SUBJECT_QUERY
    return kind if not examples or _looks_like(kind, examples) else _one_of(examples)


def _subject_of(context: str) -> Type | None:
    """The kind of thing that a tool's name or description speaks of: "search the tool library"."""
    found = (things.kind_of(w) or things.kind_of(stem(w)) for w in re.findall(r"[a-z]+", context))
    return next((kind for kind in found if kind is not None), None)


def _one_of(examples: list[str]) -> Type:
    values = tuple(dict.fromkeys(examples))
    return text(
        "example",
        "as in the examples",
        lambda r: values[int(r.random() * len(values))],
        say=_quoted_if_long,
        splits=len(values) >= 12,
    )


def _looks_like(kind: Type, examples: list[str]) -> bool:
    """Whether values of a kind are written as examples are: with spaces, dots, digits, capitals or without."""

    def signs(text: str) -> tuple[bool, ...]:
        return tuple(bool(re.search(p, text)) for p in (r"[./:@_#]", r"\d", r"^[A-Z]", r"[A-Z]{2}|^[A-Z]$"))

    wanted = {signs(e) for e in examples}
    return any(signs(str(kind.draw(Random(n), date(2026, 1, 1)))) in wanted for n in range(12))


_WHEN_DONE = re.compile(
    r"(?:(?:\w+ed|sent|paid|sold|lost|found|taken|best) (since|after|before|until|by)|(?:\w+ )?(on|at)|until|since)"
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
_SHOPS = re.compile(
    r"\b(?:shops?|shopping|stores?|carts?|baskets?|inventory|stock|warehouses?|buy|sell|products?|purchases?|prices?"
    r"|retail|invoices?|quotes?|suppliers?|catalog\w*|sku|lost|packages?|parcels?|rent|lend|auctions?|checkout)\b"
)
"""Tools in which an item is something from a shop; in others nobody knows."""
_AGENDA = re.compile(
    r"\b(?:meetings?|calendar|appointments?|agenda|issues?|tickets?|tasks?|pages?|articles?|posts?|documents?|reports?"
    r"|newsletters?|milestones?|projects?|notes?|e-?mails?|messages?|presentations?|calls?|sessions?|workshops?"
    r"|interviews?|wiki|threads?|topics?|cards?|reminders?|events?)\b"
)
"""Tools whose titles are those of an office."""
_PEOPLE = lex.word_set("""
    addressee address applicant attendee author buyer client contact customer driver employee guest guardian instructor
    member owner participant passenger patient payer payee person player receiver recipient reporter sender
    speaker student subscriber supervisor teacher technician tenant user visitor volunteer witness worker
    """)
"""Owners whose `name` is a person's."""


def _by_context(words: str, context: str) -> Type | None:
    """The type of a name that means one thing only in some tools: a title of books, an item of a fridge."""
    if words in ("text", "term", "keywords", "pattern", "contains") and re.search(
        r"\b(?:find|search|filter|look)", context
    ):
        return lex.QUERY
    if words == "title" and re.search(
        r"\b(?:books?|films?|movies?|songs?|albums?|library|author)\b", context
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
    if not hours or t.question != TIME.question or not hours[1] < hours[2]:
        return t

    def make(rng: Random, today: date) -> Any:
        every = (t.draw(rng, today) for _ in range(10_000))
        return next((v for v in every if hours[1] <= v[:5] <= hours[2]), hours[1])

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


_FORMATS: dict[str, Type] = {
    "date": DATE, "date-time": kinds.with_seconds(DATETIME), "time": kinds.with_seconds(TIME),
    "email": wt.EMAIL, "idn-email": wt.EMAIL, "uri": wt.URL, "url": wt.URL, "uri-reference": wt.URL,
    "uuid": lex.UUID, "ipv4": lex.IP, "hostname": lex.HOST, "phone": wt.PHONE, "password": lex.PASSWORD,
}  # fmt: skip
_QUOTE = r"""['"`‘“]([^'"`’”\n]{1,40})['"`’”]"""
_OFFERS = re.compile(
    r"\b(?:one of|either|options?|allowed|must be|can be|choices?|possible values|valid values|supported)\b",
    re.IGNORECASE,
)
_INSTANCES = re.compile(r"\be\.?g\b|for example|such as|\blike\b", re.IGNORECASE)
_LISTED = re.compile(
    r"\b(?:one of|(?:allowed|possible|valid) values(?: are)?|options(?: are)?|either):? ((?:[\w-]+, )+(?:or"
    r" |and )?[\w-]+|[\w-]+ or [\w-]+)",
    re.IGNORECASE,
)


def _told_choices(description: str) -> list[str]:
    """Choices that a description lists.

    As in "'asc' or 'desc'", "one of: low, medium, high".
    """
    words = re.findall(_QUOTE, description)
    if (
        len(words) >= 2
        and not _INSTANCES.search(description)
        and (_OFFERS.search(description) or re.search(rf"{_QUOTE},? or {_QUOTE}", description))
    ):
        return list(dict.fromkeys(words)) if all(map(_is_choice, words)) else []
    match = _LISTED.search(description)
    listed = [w for w in re.split(r", (?:or |and )?| or | and ", match[1]) if w] if match else []
    return listed if all(map(_is_choice, listed)) else []


def _is_choice(word: str) -> bool:
    """Whether a quoted word can be a value: no code as `after: null` or `{name}`, no null or true."""
    literal = word.lower() in ("null", "none", "nil", "undefined", "true", "false")
    return not literal and re.fullmatch(r"[\w.+/#*-]+(?: [\w.+/#-]+){0,2}", word) is not None


def _told_examples(description: str) -> list[str]:
    """Examples that a description gives.

    As in "(e.g. 'Paris')", "such as AAPL or MSFT".
    """
    match = re.search(
        r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as|\bexamples?:|\blike)[: ]+(.+)", description, re.IGNORECASE
    )
    if not match:
        return []
    if inside := re.findall(_QUOTE, match[1]):
        return [w for w in inside if _is_example(w)]
    listed = re.split(r", (?:or |and )?| or | and ", re.split(r"[);]|\.(?:\s|$)", match[1])[0])
    return [w for w in (w.strip() for w in listed) if w and len(w.split()) <= 3 and _is_example(w)]


def _is_example(word: str) -> bool:
    """Whether it can be a value: no place holder as `{name}` or `<id>`, no null, no `key: value`."""
    return not re.search(
        r"[{}<>=$|]|: |^(?:null|none|true|false|etc\.?|the|a|an)\b|\.\.\.", word, re.IGNORECASE
    )


_SHAPES: tuple[tuple[str, Type], ...] = (
    (r"\+\d[\d ()-]{7,}|\d+[ ()-][\d ()-]{6,}", wt.PHONE), (r"\d{4}-\d\d-\d\d", DATE),
    (r"\d\d:\d\d", TIME), (r"\d\d:\d\d:\d\d", _FORMATS["time"]),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d", DATETIME), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", _FORMATS["date-time"]),
    (r"[^@\s]+@[^@\s]+\.\w+", wt.EMAIL), (r"https?://\S+", wt.URL),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-.+", lex.UUID),
    (r"[\w.-]*[a-z][\w.-]*/[\w.-]*[a-z][\w.-]*", lex.REPOSITORY), (r"\d+\.\d+\.\d+\.\d+/\d+", lex.CIDR), (r"#[\w-]+", lex.CHANNEL), (r"/\S*", lex.FOLDER),
    (r"(?:[\w-]+\.)+(?:com|org|net|io|dev|example)", kinds.DOMAIN),
    (r"/\S+\.\w+", lex.PATH), (r"[\w-]+\.(?:pdf|txt|csv|docx?|xlsx?|png|jpe?g|md|json)", wt.FILE),
    (r"(?:AAPL|MSFT|GOOGL?|TSLA|AMZN|NVDA)", wt.TICKER), (r"[A-Z][a-z]+/[A-Z]\w+", wt.TIME_ZONE),
)  # fmt: skip


def _like(examples: list[str], ids: bool) -> Type | None:
    """The type of values shaped as the examples are.

    These are dates, times, e-mail addresses, codes with digits, and what numbers an ID has. None where the
    shape tells nothing.
    """
    if not examples:
        return None
    for pattern, t in reversed(_SHAPES):
        if all(re.fullmatch(pattern, e) for e in examples):
            return t
    if match := re.fullmatch(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d)(:\d\d)?(Z?)", examples[0]):
        tail, gap = (":00" if match[4] else "") + match[5], match[2]
        return replace(
            DATETIME,
            draw=lambda r, today: DATETIME.draw(r, today).replace("T", gap) + tail,
            say=lambda v, today: DATETIME.say(v[:16].replace(" ", "T"), today),
            accepts=lambda v: isinstance(v, str),
        )
    slug = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)+|[a-z]+\d{1,2}"
    if all(re.fullmatch(slug, e) and not (ids and re.search(r"\d\d", e)) for e in examples):
        return text("slug", "as in the examples", lambda r: r.choice(examples), splits=False)
    if all(re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z0-9_]+", e) for e in examples):  # "light.kitchen"
        return text("dotted", "as in the examples", lambda r: _of_a_room(r.choice(examples), r))
    if all(re.fullmatch(r"[A-Z]{1,4}(?:-[A-Z]{2,5})+", e) for e in examples):  # "OY-KBH"
        return text(
            "code", "as in the examples", lambda r: _other_letters(r.choice(examples), r), question=""
        )
    if all(re.fullmatch(r"[A-Za-z]+(?: [a-z]+)* \d{1,2}", e) for e in examples):  # "treadmill 4"
        return text("numbered", "as in the examples", lambda r: _other_digits(r.choice(examples), r))
    coded = [
        e
        for e in examples
        if re.fullmatch(r"[A-Za-z#_:/.-]*\d[\w#:/.-]*", e) and sum(c.isdigit() for c in e) >= 2
    ]
    if len(coded) == len(examples):
        return text(
            "code",
            "as in the examples",
            lambda r: _other_digits(coded[int(r.random() * len(coded))], r),
            question="",
        )
    return None


def _of_a_room(example: str, r: Random) -> str:
    room = str(kinds.ROOM.draw(r, date(2026, 1, 1)))
    return f"{example.partition('.')[0]}.{room.replace(' ', '_')}_{r.randint(2, 9)}"


def _other_letters(code: str, r: Random) -> str:
    head, _, tail = code.partition("-")
    return f"{head}-" + re.sub(r"[A-Z]", lambda _: r.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), tail)


def _other_digits(code: str, r: Random) -> str:
    return re.sub(
        r"\d",
        lambda m: str(r.randint(1 if m.start() == 0 or not code[m.start() - 1].isdigit() else 0, 9)),
        code,
    )


def _quoted_if_long(value: Any, today: date) -> list[Surface]:
    return quoted(value, today) if " " in value else verbatim(value, today)


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
