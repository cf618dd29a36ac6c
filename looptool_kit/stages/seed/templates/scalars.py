"""Types of single values: choices, booleans, numbers and strings, by what schema, name and description tell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.text.words import tokens
from looptool_kit.world.core import TEXT, Surface, Type, quoted, text, verbatim
from looptool_kit.world.moments import BIRTH_DATE, DATE, DATETIME, PAST_DATE, TIME
from looptool_kit.world.numbers import in_words, is_int, is_number


class Unusable(Exception):
    """No value of this schema can be drawn and said; the message says why."""


def words_of(name: str) -> str:
    """A name's words in lower case between single spaces: "maxPrice_USD" -> "max price usd"."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", parted)).lower()


def examples_of(schema: Mapping[str, Any]) -> list[Any]:
    """The schema's own examples."""
    found = schema.get("examples")
    return [v for v in found if v is not None and v != ""] if isinstance(found, list) else []


# ------------------------------------------------------- choices and booleans


def said(value: Any) -> str:
    """A choice as a person says it: "in_progress" and "inProgress" -> "in progress"."""
    if not isinstance(value, str):
        return json.dumps(value)
    if value.isupper() or not re.search(r"[_a-z]", value):
        return value.replace("_", " ").lower() if "_" in value else value
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", value).replace("_", " ").strip()


def choice(values: list[Any], name: str) -> Type:
    """One of some values."""
    if not values:
        raise Unusable(f"{name} has no value to choose")
    listed = (
        ", ".join(said(v) for v in values[:-1]) + f" or {said(values[-1])}"
        if len(values) > 1
        else said(values[0])
    )
    noun = words_of(name)
    unit = unit_of(noun, "")

    def say(v: Any, _: date) -> list[Surface]:
        return [Surface(f"{said(v)} {unit}" if is_number(v) and unit in lex.UNCOUNTED else said(v))]

    return Type(
        f"one of {listed}", "a choice", {"enum": values}, lambda r, _: values[int(r.random() * len(values))], lambda v: v in values,
        say, TEXT, splits=len(values) > 40,
        question=f"Which {noun}" + (f": {listed}?" if len(values) <= 6 else "?"), words=("which", "what", noun),
    )  # fmt: skip


_WHETHER = re.compile(
    r"(?:(?:boolean )?(?:flag )?(?:indicat(?:es|ing) |to indicate |that indicates |specif(?:ies|ying)"
    r" |determines |controls )?"
    r"(?:whether|if)(?: or not)?|(?:set (?:this )?to |when |if )?(?:true|set|enabled|yes)(?: to| if|"
    r" when|,)|(?:set (?:this )?(?:to true )?to))[, ]+",
    re.IGNORECASE,
)
_PLAIN = frozenset(["include", "exclude", "allow", "ignore", "keep", "only", "require"])


def boolean(name: str, told: str) -> Type:
    """True or false, said in clauses that the description gives."""
    yes, no = boolean_clauses(name, told)
    return Type(
        "boolean", "yes or no", {"type": "boolean"}, lambda r, _: r.random() < 0.6, lambda v: isinstance(v, bool),
        lambda v, _: [Surface("", w) for w in (yes if v else no)], splits=False, clauses=("{@}",),
    )  # fmt: skip


def boolean_clauses(name: str, told: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Clauses for true and for false: "and notify the guests", "and do not notify the guests"."""
    noun = re.sub(r"^(is|has|should|do|does|flag|enable|use|are) |( flag| enabled)$", "", words_of(name))
    forms = lex.verb_forms()
    what = re.sub(r"\([^)]*\)|\.$", "", told.split(". ")[0].split("\n")[0]).strip()
    lead = _WHETHER.match(what)
    clause = (
        re.sub(
            r"^(?:or not |to |we should |the \w+ should |should )", "", what[lead.end() :] if lead else what
        )
        .split(",")[0]
        .strip()
    )
    clause = re.split(r" (?:until|unless|when|if|because|so that|instead) ", clause)[0]
    first = re.split(r"\W", clause.lower(), maxsplit=1)[0]
    if len(clause.split()) <= 9:
        if first in _PLAIN or forms.get(first) == first:
            rest = clause[len(first) :]
            return (f"and {first}{rest}", f"and please {first}{rest}"), (
                f"and do not {first}{rest}",
                f"and don't {first}{rest}",
            )
        found = re.match(
            r"((?:the|a|an|this|these|all)\b.+?) (is|are|was|can be|should be|must be|has|have)\b(.+)",
            clause,
            re.IGNORECASE,
        )
        if lead and found:
            subject, link, rest = found.groups()
            subject = re.sub(r"^(an?|this) ", "the ", subject)
            negative = {"has": "does not have", "have": "do not have"}.get(
                link, re.sub(r"^(\w+)", r"\1 not", link)
            )
            return (f", and {subject} {link}{rest}",), (f", and {subject} {negative}{rest}",)
    head, _, tail = noun.partition(" ")
    if head in ("include", "with", "return", "show") and tail:
        return (f"including {tail}", f"with {tail}"), (f"without {tail}", f"not including {tail}")
    if head in forms and tail:
        return (f"and {forms[head]} {tail}",), (
            f"and do not {forms[head]} {tail}",
            f"and don't {forms[head]} {tail}",
        )
    return (f"with {noun} turned on", f"with {noun} on"), (f"with {noun} turned off", f"with {noun} off")


# ------------------------------------------------------------------- numbers

_RANGES: tuple[tuple[str, tuple[float, float]], ...] = (
    (r"\bpage( number)?$", (2, 30)),
    (r"\byear\b", (1985, 2035)),
    (r"\bmonth$", (1, 12)),
    (r"\bage\b", (18, 80)),
    (
        r"\b(limit|count|size|top k|top n|max results|num results|k|n)$|\bmax (results|items|rows|records)",
        (3, 50),
    ),
    (r"\b(lat|latitude)$", (-60, 70)),
    (r"\b(lon|lng|long|longitude)$", (-170, 170)),
    (r"\b(temperature|temp|degrees)\b", (12, 28)),
    (r"\b(rating|stars|score)\b", (1, 5)),
    (r"\b(radius|distance)\b", (2, 60)),
    (r"\b(weight)\b", (2, 90)),
    (r"\b(volume|brightness|battery|percent|percentage|rate|discount|humidity)\b", (5, 95)),
    (r"\b(price|cost|budget|amount|fare|fee|salary|total|balance|value|payment|bid|sum)\b", (20, 900)),
    (r"\b(duration|minutes|mins)\b", (10, 180)),
    (r"\b(seconds|secs|timeout)\b", (5, 90)),
    (r"\b(hours|days|nights|weeks|months|years)\b", (2, 14)),
    (
        r"\b(guests|people|persons|adults|passengers|quantity|qty|tickets|rooms|seats|copies|children|kids|items|party)\b",
        (2, 12),
    ),
)


def number(name: str, schema: Mapping[str, Any], told: str, whole: bool) -> Type:
    """A number within the schema's bounds, or within what is usual for its name."""
    words = words_of(name)
    low, high = _bounds(schema, whole)
    if _is_id(words):
        bottom = int(low) if low is not None and low > 100 else 100
        top = int(min(high, 99_999)) if high is not None and high > bottom else bottom + 98_000
        return Type(
            "id",
            "names something",
            {"type": "integer"},
            lambda r, _: r.randint(bottom, top),
            is_int,
            verbatim,
            **_asked(words),
        )
    a, b = _range(words, told, schema, low, high)
    step = schema.get("multipleOf")
    if whole:
        by = (
            int(step)
            if isinstance(step, int | float) and step >= 1
            else 50
            if b - a > 400
            else 5
            if b - a >= 90 and "year" not in words
            else 1
        )
        values = list(range(int(-(-a // by) * by), int(b) + 1, by)) or [int(a)]
        return _spoken(lambda r: values[int(r.random() * len(values))], len(values), words, told, True)
    if isinstance(step, int | float) and step > 0:
        steps = max(1, int((b - a) / step))
        return _spoken(
            lambda r: _plain((-(-a // step) + r.randint(0, steps)) * step, 6), steps, words, told, False
        )
    digits = (
        4
        if re.search(r"\b(lat|latitude|lon|lng|longitude)$", words)
        else 2
        if b <= 2 or _unit_is_money(words, told)
        else 1
    )

    def make(r: Random) -> float | int:
        value = _plain(r.uniform(a, b), digits)
        return int(value) if b - a > 30 and digits < 4 and r.random() < 0.6 and int(value) >= a else value

    return _spoken(make, 1000, words, told, False)


def _bounds(schema: Mapping[str, Any], whole: bool) -> tuple[float | None, float | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    step = 1 if whole else 0.1
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + step
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = schema["exclusiveMaximum"] - step
    return low, high


def _range(
    words: str, told: str, schema: Mapping[str, Any], low: float | None, high: float | None
) -> tuple[float, float]:
    usual = next((r for p, r in _RANGES if re.search(p, words)), None) or next(
        (r for p, r in _RANGES if re.search(p, told.lower())), None
    )
    if usual is None:
        known = [v for v in (*examples_of(schema), schema.get("default")) if is_number(v)]
        top = max((abs(v) for v in known), default=20)
        usual = (2, max(12, 3 * top))
    a, b = usual
    if low is not None or high is not None:
        if (low is None or low < b) and (high is None or high > a):
            a, b = max(a, low if low is not None else a), min(b, high if high is not None else b)
        else:  # the usual range lies outside of the bounds
            a = low if low is not None else (high or 0) - 20
            b = high if high is not None else a + 20
    return a, b


def _plain(value: float, digits: int) -> float | int:
    value = round(value, digits)
    return int(value) if float(value).is_integer() else value


def _asked(words: str) -> dict[str, Any]:
    return {"question": "", "words": tuple(w for w in words.split() if len(w) > 2)}


def _spoken(make: Callable[[Random], Any], many: int, words: str, told: str, whole: bool) -> Type:
    unit = unit_of(words, told)

    def say(v: float | int, _: date) -> list[Surface]:
        plain = (
            f"{v:,}"
            if isinstance(v, int) and v >= 10_000
            else f"{v:.2f}"
            if unit in lex.MONEY and isinstance(v, float)
            else str(v)
        )
        spoken = [in_words(v)] if isinstance(v, int) and 2 <= v <= 12 else []
        if unit in lex.MONEY:
            return [Surface(f"{unit}{plain}"), Surface(f"{plain} {lex.MONEY[unit]}")]
        if unit == "%":
            return [Surface(f"{plain}%"), Surface(f"{plain} percent")]
        if unit:
            noun = unit if v == 1 or unit in lex.UNCOUNTED else unit + "s"
            return [Surface(f"{p} {noun}") for p in (plain, *spoken)]
        return [Surface(plain), *(Surface(s) for s in spoken)]

    kind, accepts = ("integer", is_int) if whole else ("number", is_number)
    return Type(
        "number",
        "a number",
        {"type": kind},
        lambda r, _: make(r),
        accepts,
        say,
        splits=many >= 12,
        **_asked(words),
    )


def unit_of(words: str, told: str) -> str:
    """The unit that a number is said with, empty where neither name nor description tells: "timeout_seconds"
    -> "second".
    """
    for word in reversed(words.split()):
        if word in lex.UNITS:
            return lex.UNITS[word]
    found = re.search(r"\bin (?:us |degrees )?(\w+)|\((\w+)\)", told.lower())
    return lex.UNITS.get((found[1] or found[2]) if found else "", "")


def _unit_is_money(words: str, told: str) -> bool:
    return unit_of(words, told) in lex.MONEY


def short_noun(words: str) -> str:
    """A name without its unit: "dose mg" -> "dose"; `lat` and `lon` in full."""
    kept = words.split()
    if len(kept) > 1 and kept[-1] in lex.UNITS:
        kept = kept[:-1]
    return " ".join(
        {"lat": "latitude", "lon": "longitude", "lng": "longitude", "qty": "quantity", "id": "ID"}.get(w, w)
        for w in kept
    )


# ------------------------------------------------------------------- strings

_IDS = re.compile(
    r"(?:^| )(?:id|ids|identifier|uuid|guid)$"
    r"|(?:order|account|invoice|booking|ticket|reservation|tracking|confirmation|card|issue|case|part|policy|serial)"
    r" (?:number|no|code|reference)$"
)
_CODES = re.compile(r"(?:^| )(?:ref|reference|code|sku|isbn|token|no|key|number)$")
_FREE = (
    None,
    lex.NAME,
    lex.KEYWORD,
    lex.TITLE,
    lex.TASK,
    lex.NOTE,
    lex.QUERY,
    lex.TEAM,
    lex.TAG,
    lex.PRODUCT,
    lex.MESSAGE,
)
"""Types so wide that examples say more."""
_VAGUE = (lex.NAME, lex.KEYWORD, lex.TITLE, lex.TASK, lex.CITY, lex.TIME)
"""Types that a description may correct, unless the name is exact."""


def _is_id(words: str) -> bool:
    return _IDS.search(words) is not None


def string(name: str, schema: Mapping[str, Any], told: str, owner: str, context: str) -> Type:
    """A string: of a format, one of the choices or like the examples that a description gives, by the words
    of name and description.
    """
    words = words_of(name)
    by_format = _FORMATS.get(str(schema.get("format") or ""))
    if by_format is not None:
        past = schema["format"] == "date" and re.search(r"\b(birth|born|dob|birthday)\b", words)
        return BIRTH_DATE if past else by_format
    choices = _told_choices(told)
    if len(choices) >= 2:
        return choice(choices, name)
    examples = [e for e in (*examples_of(schema), *_told_examples(told)) if isinstance(e, str)]
    if (shaped := _like(examples)) is not None:
        return shaped
    meant = _ends(words, context) or next((t for p, t in lex.BY_NAME if re.search(p, words)), None)
    if meant is None or (meant in _VAGUE and not re.search(r"^(city|title|task)", words)):
        meant = next((t for p, t in lex.BY_DESCRIPTION if re.search(p, told.lower())), None) or meant
    if _is_id(words) or (meant is None and _CODES.search(words)):
        return _identifier(words, owner)
    if meant in _FREE and len(set(examples)) >= 2:
        values = tuple(dict.fromkeys(examples))
        return text(
            "example",
            "as in the examples",
            lambda r: values[int(r.random() * len(values))],
            say=_quoted_if_long,
            splits=len(values) >= 12,
        )
    if meant is DATE and re.search(r"\b(past|history|historical|since)\b", f"{words} {told.lower()}"):
        return PAST_DATE
    return meant or lex.NAME


def _ends(words: str, context: str) -> Type | None:
    """What `from` and `to` are depends on what the tool is about."""
    if not re.fullmatch(r"from|to|cc|bcc|recipients?|sender|receiver", words):
        return None
    if re.search(r"\be?-?mails?\b", context):
        return lex.EMAIL
    if re.search(r"\b(?:sms|phone|whatsapp|dial|text message)\b", context):
        return lex.PHONE
    if words in ("from", "to") and re.search(
        r"\b(?:flights?|trains?|rides?|routes?|travel|trips?|bus|buses|taxi|distance|directions?|journey)\b",
        context,
    ):
        return lex.CITY
    if words in ("from", "to") and re.search(r"\b(?:currency|currencies)\b", context):
        return lex.CURRENCY
    if words in ("from", "to") and re.search(r"\b(?:translate|translation)\b", context):
        return lex.LANGUAGE
    return (
        lex.PERSON
        if words not in ("from", "to")
        or re.search(r"\b(?:send|transfer|pay|message|share|forward|invite)\b", context)
        else None
    )


def _with_seconds(t: Type) -> Type:
    return replace(
        t,
        draw=lambda r, today: t.draw(r, today) + ":00",
        say=lambda v, today: t.say(v[:-3], today),
        accepts=lambda v: isinstance(v, str),
    )


_FORMATS: dict[str, Type] = {
    "date": DATE, "date-time": _with_seconds(DATETIME), "time": _with_seconds(TIME), "email": lex.EMAIL, "idn-email": lex.EMAIL, "uri": lex.URL,
    "url": lex.URL, "uri-reference": lex.URL, "uuid": lex.UUID, "ipv4": lex.IP, "hostname": lex.HOST, "phone": lex.PHONE, "password": lex.PASSWORD,
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


def _told_choices(told: str) -> list[str]:
    """Choices that a description lists: "'asc' or 'desc'", "one of: low, medium, high"."""
    words = re.findall(_QUOTE, told)
    if (
        len(words) >= 2
        and not _INSTANCES.search(told)
        and (_OFFERS.search(told) or re.search(rf"{_QUOTE},? or {_QUOTE}", told))
    ):
        return list(dict.fromkeys(words))
    found = _LISTED.search(told)
    return [w for w in re.split(r", (?:or |and )?| or | and ", found[1]) if w] if found else []


def _told_examples(told: str) -> list[str]:
    """Examples that a description gives: "(e.g. 'Paris')", "such as AAPL or MSFT"."""
    found = re.search(
        r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as|\bexamples?:|\blike)[: ]+(.+)", told, re.IGNORECASE
    )
    if not found:
        return []
    if inside := re.findall(_QUOTE, found[1]):
        return inside
    listed = re.split(r", (?:or |and )?| or | and ", re.split(r"[).;]|\.$", found[1])[0])
    return [w.strip() for w in listed if w.strip() and len(w.split()) <= 3]


_SHAPES: tuple[tuple[str, Type], ...] = (
    (r"\d{4}-\d\d-\d\d", DATE), (r"\d\d:\d\d", TIME), (r"\d\d:\d\d:\d\d", _FORMATS["time"]), (r"\d{4}-\d\d-\d\dT\d\d:\d\d", DATETIME),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", _FORMATS["date-time"]), (r"[^@\s]+@[^@\s]+\.\w+", lex.EMAIL), (r"https?://\S+", lex.URL),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-.+", lex.UUID), (r"\+?\d[\d ()-]{7,}", lex.PHONE), (r"[\w.-]+/[\w.-]+", lex.REPOSITORY), (r"#[\w-]+", lex.CHANNEL),
    (r"/\S+\.\w+", lex.PATH), (r"/\S*", lex.FOLDER), (r"[\w-]+\.(?:pdf|txt|csv|docx?|xlsx?|png|jpe?g|md|json)", lex.FILE),
    (r"(?:AAPL|MSFT|GOOGL?|TSLA|AMZN|NVDA)", lex.TICKER), (r"[A-Z][a-z]+/[A-Z]\w+", lex.TIME_ZONE),
)  # fmt: skip


def _like(examples: list[str]) -> Type | None:
    """Values shaped as the examples are: dates, times, e-mail addresses, codes with digits; None where the
    shape tells nothing.
    """
    if not examples:
        return None
    for pattern, t in reversed(_SHAPES):
        if all(re.fullmatch(pattern, e) for e in examples):
            return t
    if found := re.fullmatch(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d)(:\d\d)?(Z?)", examples[0]):
        tail, gap = (":00" if found[4] else "") + found[5], found[2]
        return replace(
            DATETIME,
            draw=lambda r, today: DATETIME.draw(r, today).replace("T", gap) + tail,
            say=lambda v, today: DATETIME.say(v[:16].replace(" ", "T"), today),
            accepts=lambda v: isinstance(v, str),
        )
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
            r"\s*\b(?:id|ids|identifier|uuid|guid|ref|reference|code|no|key|number|sku|token)$", "", words
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
        **_asked(words),
    )
