"""From a parameter's schema, name and description to the type of its values: how to draw one, and how a person says it.

What tells the type, in this order: const, enum, choices or a format in the schema, examples (also those that a description gives), words of the name,
words of the description, the JSON type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from random import Random
from typing import Any

import jsonschema_rs

from looptool_kit.seeders.templates import lexicon as lex
from looptool_kit.seeders.world import core
from looptool_kit.seeders.world.core import TEXT, Surface, Type, held_out, quoted, text, verbatim
from looptool_kit.seeders.world.moments import BIRTH_DATE, DATE, DATETIME, PAST_DATE, TIME
from looptool_kit.seeders.world.numbers import in_words, is_int, is_number
from looptool_kit.words import tokens


class Unusable(Exception):
    """No value of this schema can be drawn and said; the message says why."""


@dataclass(frozen=True, eq=False)
class Group(Type):
    """An object: parts by name, of which `needed` are always given."""

    parts: Mapping[str, Type] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Many(Type):
    """A list of `sizes` different values of `each`."""

    each: Type | None = None


def words_of(name: str) -> str:
    """A name's words in lower case between single spaces: "maxPrice_USD" -> "max price usd"."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", parted)).lower()


def draw(t: Type, rng: Random, today: date, held: bool = False) -> Any:
    """A value of type `t`, of the train values or (`held`) of the held-out ones where the type splits. Raises `ValueError` where there are none."""
    if isinstance(t, Group):
        optional = [n for n in t.parts if n not in t.needed]
        chosen = t.needed | {n for n in optional if rng.random() < 0.4} or frozenset(optional[:1])
        return {n: draw(p, rng, today, held) for n, p in t.parts.items() if n in chosen}
    if isinstance(t, Many) and t.each is not None:
        wanted, out = rng.randint(*t.sizes), list[Any]()
        for _ in range(wanted * 8):
            value = draw(t.each, rng, today, held)
            if len(out) < wanted and value not in out:
                out.append(value)
        if len(out) < t.sizes[0]:
            raise ValueError(f"fewer than {t.sizes[0]} different values of {t.each.name}")
        return out
    return core.draw(t, rng, today, held)


def atoms(t: Type, value: Any) -> list[bool]:
    """For each value inside `value` that splits: is it held out?"""
    if isinstance(t, Group):
        return [h for n, v in value.items() for h in atoms(t.parts[n], v)]
    if isinstance(t, Many) and t.each is not None:
        return [h for v in value for h in atoms(t.each, v)]
    return [held_out(value)] if t.splits and value is not None else []


# --------------------------------------------------------------------- types


def type_of(name: str, schema: Any, owner: str = "") -> Type:
    """The type of a parameter. `owner` names what the tool is about ("order"), for a parameter that is just `id`. Raises `Unusable`."""
    schema = _alternative(schema)
    told = str(schema.get("description") or "")
    if "const" in schema:
        return _choice([schema["const"]], name)
    if isinstance(schema.get("enum"), list):
        return _choice([v for v in schema["enum"] if v is not None and v != ""], name)
    kind = _json_kind(schema)
    if kind == "boolean":
        return _boolean(name, told)
    if kind == "object":
        return _group(name, schema)
    if kind == "array":
        return _many(name, schema, owner)
    if kind in ("integer", "number"):
        return _within(_number(name, schema, told, kind == "integer"), schema)
    if kind == "null":
        raise Unusable(f"{name} can only be null")
    return _within(_string(name, schema, told, owner), schema)


def _alternative(schema: Any) -> dict[str, Any]:
    """The first alternative of `anyOf` / `oneOf` that is not null, under the words that stand beside it; `allOf` as one."""
    schema = dict(schema) if isinstance(schema, Mapping) else {}
    for word in ("anyOf", "oneOf"):
        options = [o for o in schema.pop(word, ()) if isinstance(o, Mapping) and o.get("type") != "null"]
        if options:
            schema = {**_alternative(options[0]), **schema}
    for part in schema.pop("allOf", ()):
        schema = {**_alternative(part), **schema}
    return schema


def _json_kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    known = [*_examples(schema), *([schema["default"]] if schema.get("default") is not None else [])]
    names = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(known[0]), "string") if known else "string"


def _examples(schema: Mapping[str, Any]) -> list[Any]:
    found = schema.get("examples")
    out = list(found) if isinstance(found, list) else []
    return [v for v in out if v is not None and v != ""]


def _within(t: Type, schema: Mapping[str, Any]) -> Type:
    """The type with only those values that satisfy the schema."""
    limits = {k: v for k, v in schema.items() if k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
                                                        "pattern")}  # fmt: skip
    if not limits:
        return t
    try:
        fits = jsonschema_rs.validator_for(limits).is_valid
    except ValueError:  # a pattern that this regular-expression engine does not read
        return t
    some = Random(0)
    if sum(fits(t.draw(some, date(2026, 1, 1))) for _ in range(60)) >= 3:

        def make(rng: Random, today: date) -> Any:
            return next((v for v in (t.draw(rng, today) for _ in range(400)) if fits(v)), None) or t.draw(rng, today)

        return replace(t, draw=make)
    made = _from_pattern(schema) if "pattern" in schema else _of_length(schema) if t.schema.get("type") == "string" else None
    if made is None:
        raise Unusable(f"no value was found within {json.dumps(limits)}")
    return replace(t, draw=made, say=verbatim, splits=True)


def _from_pattern(schema: Mapping[str, Any]) -> Callable[[Random, date], str] | None:
    from looptool_kit.seeders.templates.patterns import sampler

    make, fits = (
        sampler(str(schema["pattern"])),
        jsonschema_rs.validator_for({k: schema[k] for k in schema if k.endswith("Length") or k == "pattern"}).is_valid,
    )
    if make is None or not any(fits(make(Random(n))) for n in range(40)):
        return None
    return lambda rng, _: next(v for v in (make(rng) for _ in range(4000)) if fits(v))


def _of_length(schema: Mapping[str, Any]) -> Callable[[Random, date], str]:
    low = max(1, int(schema.get("minLength") or 1))
    high = min(int(schema.get("maxLength") or low + 7), low + 7)
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    return lambda rng, _: "".join(rng.choice(letters if i % 4 < 2 else "23456789") for i in range(rng.randint(low, max(low, high))))


# ------------------------------------------------------- choices and booleans


def said(value: Any) -> str:
    """A choice as a person says it: "in_progress" and "inProgress" -> "in progress"."""
    if not isinstance(value, str):
        return json.dumps(value)
    return (
        value
        if value.isupper()
        else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", value).replace("_", " ").strip()
        if re.search(r"[_a-z]", value)
        else value
    )


def _choice(values: list[Any], name: str) -> Type:
    if not values:
        raise Unusable(f"{name} has no value to choose")
    listed = ", ".join(said(v) for v in values[:-1]) + f" or {said(values[-1])}" if len(values) > 1 else said(values[0])
    noun = words_of(name)
    return Type(
        f"one of {listed}", "a choice", {"enum": values}, lambda r, _: values[int(r.random() * len(values))], lambda v: v in values,
        lambda v, _: [Surface(w) for w in dict.fromkeys((said(v), said(v).lower() if isinstance(v, str) and not v.isupper() else said(v)))],
        TEXT, splits=len(values) > 40,
        question=f"Which {noun}" + (f": {listed}?" if len(values) <= 6 else "?"), words=("which", "what", noun),
    )  # fmt: skip


_WHETHER = re.compile(
    r"(?:(?:boolean )?(?:flag )?(?:indicat(?:es|ing) |to indicate |that indicates |specif(?:ies|ying) |determines |controls )?(?:whether|if)(?: or not)?"
    r"|(?:set (?:this )?to |when |if )?(?:true|set|enabled|yes)(?: to| if| when|,)|(?:set (?:this )?(?:to true )?to))[, ]+",
    re.IGNORECASE,
)


def _boolean(name: str, told: str) -> Type:
    yes, no = boolean_clauses(name, told)
    return Type(
        "boolean", "yes or no", {"type": "boolean"}, lambda r, _: r.random() < 0.6, lambda v: isinstance(v, bool),
        lambda v, _: [Surface("", w) for w in (yes if v else no)], splits=False, clauses=("{@}",),
        question=f"Should {words_of(name)} be on?", words=(*words_of(name).split(), "should"),
    )  # fmt: skip


def boolean_clauses(name: str, told: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Clauses for true and for false: "and notify the guests", "and do not notify the guests"."""
    noun = re.sub(r"^(is|has|should|do|does|flag|enable|use|are) |( flag| enabled)$", "", words_of(name))
    forms = lex.verb_forms()
    what = re.sub(r"\([^)]*\)|\.$", "", told.split(". ")[0].split("\n")[0]).strip()
    lead = _WHETHER.match(what)
    clause = re.sub(r"^(?:or not |to |we should |the \w+ should |should )", "", what[lead.end() :] if lead else what).split(",")[0].strip()
    first = re.split(r"\W", clause.lower(), maxsplit=1)[0]
    short = len(clause.split()) <= 9
    if (
        first in forms | {"include": "", "exclude": "", "allow": "", "ignore": "", "keep": "", "only": ""}
        and short
        and (lead or forms.get(first) == first)
    ):
        verb = forms.get(first) or first
        rest = clause[len(first) :]
        if first in ("include", "only") or verb == first:
            return (f"and {verb}{rest}", f"and please {verb}{rest}"), (f"and do not {verb}{rest}", f"and don't {verb}{rest}")
    if lead and short and (found := re.match(r"((?:the|a|an|this|these|all)\b.+?) (is|are|was|can be|should be|must be|has|have)\b(.+)", clause)):
        subject, link, rest = found.groups()
        subject = re.sub(r"^(a|an) ", "the ", subject)
        negative = {"has": "does not have", "have": "do not have"}.get(link, re.sub(r"^(\w+)", r"\1 not", link))
        return (f", and {subject} {link}{rest}",), (f", and {subject} {negative}{rest}",)
    head, _, tail = noun.partition(" ")
    if head in ("include", "with", "return", "show"):
        return (f"including {tail}", f"with {tail}"), (f"without {tail}", f"not including {tail}")
    if head in forms and tail:
        return (f"and {forms[head]} {tail}",), (f"and do not {forms[head]} {tail}", f"and don't {forms[head]} {tail}")
    return (f"with {noun} turned on", f"with {noun} on"), (f"with {noun} turned off", f"with {noun} off")


# -------------------------------------------------------- objects and arrays


def _group(name: str, schema: Mapping[str, Any]) -> Type:
    properties = schema.get("properties") or {}
    needed = frozenset(schema.get("required") or ())
    parts: dict[str, Type] = {}
    for key, inner in properties.items():
        try:
            parts[key] = type_of(key, inner, words_of(name))
        except Unusable as why:
            if key in needed:
                raise Unusable(f"{name}.{key}: {why}") from None
    extra = schema.get("additionalProperties")
    if not parts:
        if extra is False:
            return Type(
                name,
                "an empty object",
                {"type": "object"},
                lambda r, _: {},
                lambda v: v == {},
                lambda v, _: [Surface(f"no {words_of(name)}")],
                splits=False,
            )
        keys = ("colour", "size", "owner", "priority", "source", "level")
        each = type_of("value", extra) if isinstance(extra, Mapping) and extra else lex.KEYWORD
        parts = dict.fromkeys(keys, replace(each, say=verbatim) if _json_kind({"type": each.schema.get("type")}) == "string" else each)
        needed = frozenset()

    def say(value: Any, today: date) -> list[Surface]:
        out = []
        for at in range(3):
            bits = []
            for key, v in value.items():
                ways = parts[key].say(v, today)
                way = ways[min(at, len(ways) - 1)]
                bits.append(f"{words_of(key)} {way.text}" if way.text else re.sub(r"^(?:and |, and )", "", way.adverb))
            out.append(_joined(bits))
        return [Surface(t) for t in dict.fromkeys(out)]

    return Group(name, "an object", {"type": "object"}, lambda r, _: {}, lambda v: isinstance(v, dict), say, splits=False, parts=parts, needed=needed)


def _joined(bits: list[str]) -> str:
    return bits[0] if len(bits) == 1 else ", ".join(bits[:-1]) + f" and {bits[-1]}"


def _many(name: str, schema: Mapping[str, Any], owner: str) -> Type:
    items = schema.get("items")
    told = {"description": schema["description"]} if schema.get("description") else {}
    each = type_of(name, {**told, **items} if isinstance(items, Mapping) else told, owner)
    low = max(1, int(schema.get("minItems") or 1))
    high = min(max(low, 3), int(schema.get("maxItems") or 3))
    choices = each.schema.get("enum")
    if isinstance(choices, list):
        high = min(high, len(choices))
    if low > 8 or high < low:
        raise Unusable(f"{name} wants lists of at least {low} values")
    nested = isinstance(each, Group | Many)

    def say(value: Any, today: date) -> list[Surface]:
        out = []
        for at in range(3):
            bits = []
            for v in value:
                ways = [w.text for w in each.say(v, today) if w.text] or [json.dumps(v)]
                bits.append(ways[min(at, len(ways) - 1)])
            if nested and len(bits) > 1:
                marks = ("one with ", "another with ", "a third with ", *["one more with "] * 8)
                bits = [mark + b for mark, b in zip(marks, bits, strict=False)]
                out.append("; ".join(bits[:-1]) + f"; and {bits[-1]}")
            else:
                out.append(_joined(bits))
        return [Surface(t) for t in dict.fromkeys(out)]

    return Many(
        f"list of {each.name}", "several", {"type": "array"}, lambda r, _: [], lambda v: isinstance(v, list), say, splits=False,
        question=each.question, words=each.words, clauses=each.clauses, sizes=(low, high), each=each,
    )  # fmt: skip


# ------------------------------------------------------------------- numbers


def _bounds(schema: Mapping[str, Any], whole: bool) -> tuple[float | None, float | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    step = 1 if whole else 0.1
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + step
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = schema["exclusiveMaximum"] - step
    return low, high


_RANGES: tuple[tuple[str, tuple[float, float]], ...] = (
    (r"\bpage( number)?$|\bpage$", (2, 30)),
    (r"\byear\b", (1985, 2035)),
    (r"\bmonth$", (1, 12)),
    (r"\bage\b", (18, 80)),
    (r"\b(limit|count|size|top k|top n|max results|num results|k|n)$|\bmax (results|items|rows|records)", (3, 50)),
    (r"\b(lat|latitude)$", (-60, 70)),
    (r"\b(lon|lng|long|longitude)$", (-170, 170)),
    (r"\b(temperature|temp|degrees)\b", (12, 28)),
    (r"\b(rating|stars|score)\b", (1, 5)),
    (r"\b(radius|distance)\b", (2, 60)),
    (r"\b(weight)\b", (2, 90)),
    (r"\b(volume|brightness|level|battery|percent|percentage|rate|discount|humidity)\b", (5, 95)),
    (r"\b(price|cost|budget|amount|fare|fee|salary|total|balance|value|payment|bid|sum)\b", (20, 900)),
    (r"\b(duration|minutes|mins)\b", (10, 180)),
    (r"\b(seconds|secs|timeout)\b", (5, 90)),
    (r"\b(hours|days|nights|weeks|months|years)\b", (2, 14)),
    (r"\b(guests|people|persons|adults|passengers|quantity|qty|tickets|rooms|seats|copies|children|kids|items|party)\b", (2, 12)),
)


def _number(name: str, schema: Mapping[str, Any], told: str, whole: bool) -> Type:
    words = words_of(name)
    low, high = _bounds(schema, whole)
    if _is_id(words):
        bottom = int(low) if low is not None and low > 100 else 100
        top = int(min(high, 99_999)) if high is not None and high > bottom else bottom + 98_000
        return _id_number(bottom, top, words)
    usual = next((r for p, r in _RANGES if re.search(p, words)), None) or next((r for p, r in _RANGES if re.search(p, told.lower())), None)
    known = [v for v in (*_examples(schema), schema.get("default")) if isinstance(v, int | float) and not isinstance(v, bool)]
    if usual is None:
        top = max((abs(v) for v in known), default=20)
        usual = (2, max(12, 3 * top))
    a = usual[0] if low is None else max(low, usual[0] if high is None or usual[0] <= high else low)
    b = usual[1] if high is None else min(high, usual[1] if usual[1] > a else high)
    if b <= a:
        a, b = (low if low is not None else a), (high if high is not None else (low or a) + 20)
    step = schema.get("multipleOf")
    if whole:
        by = int(step) if isinstance(step, int | float) and step >= 1 else 50 if b - a > 400 else 5 if b - a >= 90 and "year" not in words else 1
        first = int(-(-a // by) * by)
        values = list(range(first, int(b) + 1, by)) or [int(a)]
        return _spoken_number(lambda r: values[int(r.random() * len(values))], len(values), words, told, whole)
    if isinstance(step, int | float) and step > 0:
        steps = max(1, int((b - a) / step))
        return _spoken_number(lambda r: round((-(-a // step) + r.randint(0, steps)) * step, 6), steps, words, told, whole)
    digits = 4 if re.search(r"\b(lat|latitude|lon|lng|longitude)$", words) else 2 if b <= 2 else 1

    def make(r: Random) -> float | int:
        value = round(r.uniform(a, b), digits)
        return int(value) if b - a > 30 and digits == 1 and r.random() < 0.6 and int(value) >= a else value

    return _spoken_number(make, 1000, words, told, whole)


def _asked(words: str) -> dict[str, Any]:
    return {"question": "", "words": tuple(w for w in words.split() if len(w) > 2)}


def _id_number(low: int, high: int, words: str) -> Type:
    return Type("id", "a number that names something", {"type": "integer"}, lambda r, _: r.randint(low, high), is_int, verbatim, **_asked(words))


def _spoken_number(make: Callable[[Random], Any], many: int, words: str, told: str, whole: bool) -> Type:
    unit = unit_of(words, told)

    def say(v: float | int, _: date) -> list[Surface]:
        plain = f"{v:,}" if isinstance(v, int) and v >= 10_000 else str(v)
        spoken = [in_words(v)] if isinstance(v, int) and 2 <= v <= 12 else []
        if unit in ("$", "€", "£"):
            name = {"$": "dollars", "€": "euros", "£": "pounds"}[unit]
            return [Surface(f"{unit}{plain}"), Surface(f"{plain} {name}")]
        if unit == "%":
            return [Surface(f"{plain}%"), Surface(f"{plain} percent")]
        if unit:
            noun = unit if v == 1 or unit in ("kg", "g", "km", "m", "cm", "l", "degrees") else unit + "s"
            return [Surface(f"{p} {noun}") for p in (plain, *spoken)]
        return [Surface(plain), *(Surface(s) for s in spoken)]

    return Type(
        "number", "a number", {"type": "integer" if whole else "number"}, lambda r, _: make(r), is_int if whole else is_number, say,
        splits=many >= 12, **_asked(words),
    )  # fmt: skip


def unit_of(words: str, told: str) -> str:
    """The unit that a number is said with, empty where neither name nor description tells: "timeout_seconds" -> "second"."""
    for word in reversed(words.split()):
        if word in lex.UNITS:
            return lex.UNITS[word]
    found = re.search(r"\bin (?:us )?(\w+)|\((\w+)\)", told.lower())
    return lex.UNITS.get((found[1] or found[2]) if found else "", "")


# ------------------------------------------------------------------- strings

_ID = re.compile(r"(?:^| )(?:id|ids|identifier|uuid|guid|ref|reference|code|sku|isbn|token|no|key|number)$")


def _is_id(words: str) -> bool:
    return bool(
        re.search(
            r"(?:^| )(?:id|ids|identifier|uuid|guid)$|(?:order|account|invoice|booking|ticket|reservation|tracking|confirmation|card|issue|case) (?:number|no|code|reference)$",
            words,
        )
    )


def _string(name: str, schema: Mapping[str, Any], told: str, owner: str) -> Type:
    words = words_of(name)
    by_format = _FORMATS.get(str(schema.get("format") or ""))
    if by_format is not None:
        past = re.search(r"\b(birth|born|dob)\b", words)
        return replace(by_format, **{k: getattr(BIRTH_DATE, k) for k in ("draw",)}) if past and schema["format"] == "date" else by_format
    choices = _told_choices(told)
    if len(choices) >= 2:
        return _choice(choices, name)
    examples = [e for e in (*_examples(schema), *_told_examples(told)) if isinstance(e, str)]
    shaped = _like(examples)
    if shaped is not None:
        return shaped
    meant = next((t for p, t in lex.BY_NAME if re.search(p, words)), None)
    vague = meant in (lex.NAME, lex.KEYWORD, lex.TITLE, lex.TASK, lex.CITY, lex.TIME) and not re.search(r"^(city|title|task)", words)
    if meant is None or vague:
        meant = next((t for p, t in lex.BY_DESCRIPTION if re.search(p, told.lower())), None) or meant
    if meant is None and (_is_id(words) or _ID.search(words)) or _is_id(words):
        return _identifier(words, owner, examples)
    if meant in (None, lex.NAME) and len(set(examples)) >= 2:
        values = tuple(dict.fromkeys(examples))
        return text("example", "as in the examples", lambda r: values[int(r.random() * len(values))], say=_quoted_if_long, splits=len(values) >= 12)
    if meant is None:
        return lex.NAME
    if meant is DATE and re.search(r"\b(past|history|historical|since)\b", f"{words} {told.lower()}"):
        return PAST_DATE
    return meant


def _with_seconds(t: Type) -> Type:
    return replace(t, draw=lambda r, today: t.draw(r, today) + ":00", say=lambda v, today: t.say(v[:-3], today), accepts=lambda v: isinstance(v, str))


_FORMATS: dict[str, Type] = {
    "date": DATE, "date-time": _with_seconds(DATETIME), "time": _with_seconds(TIME), "email": lex.EMAIL, "idn-email": lex.EMAIL, "uri": lex.URL,
    "url": lex.URL, "uri-reference": lex.URL, "uuid": lex.UUID, "ipv4": lex.IP, "hostname": lex.HOST, "phone": lex.PHONE, "password": lex.PASSWORD,
}  # fmt: skip
_QUOTES = r"""['"`‘“]([^'"`’”\n]{1,40})['"`’”]"""


def _told_choices(told: str) -> list[str]:
    """Choices that a description lists: "'asc' or 'desc'", "one of: low, medium, high"."""
    quoted_words = re.findall(_QUOTES, told)
    if len(quoted_words) >= 2 and re.search(
        r"\b(?:one of|either|options?|allowed|must be|can be|choices?|possible values|valid values|supported)\b", told, re.IGNORECASE
    ):
        return list(dict.fromkeys(quoted_words))
    if (
        len(quoted_words) >= 2
        and re.search(rf"{_QUOTES},? or {_QUOTES}", told)
        and not re.search(r"\be\.?g\b|for example|such as|like\b", told, re.IGNORECASE)
    ):
        return list(dict.fromkeys(quoted_words))
    found = re.search(
        r"\b(?:one of|allowed values(?: are)?|possible values(?: are)?|valid values(?: are)?|options(?: are)?|either):? ((?:[\w-]+, )+(?:or |and )?[\w-]+|[\w-]+ or [\w-]+)",
        told,
        re.IGNORECASE,
    )
    return [w for w in re.split(r", (?:or |and )?| or | and ", found[1]) if w] if found else []


def _told_examples(told: str) -> list[str]:
    """Examples that a description gives: "(e.g. 'Paris')", "such as AAPL"."""
    found = re.search(r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as|\bexample:|\blike)[: ]+(.+)", told, re.IGNORECASE)
    if not found:
        return []
    inside = re.findall(_QUOTES, found[1])
    if inside:
        return inside
    plain = re.match(r"([\w@./:#+-]{2,40})(?:, (?:or )?([\w@./:#-]{2,40}))?", found[1].split(")")[0])
    return [w.rstrip(".,") for w in plain.groups() if w and re.search(r"[A-Z0-9@]", w)] if plain else []


def _like(examples: list[str]) -> Type | None:
    """Values shaped as the examples are: dates, times, e-mail addresses, codes with digits; None where the shape tells nothing."""
    if not examples:
        return None
    shapes: tuple[tuple[str, Type], ...] = (
        (r"\d{4}-\d\d-\d\d", DATE), (r"\d\d:\d\d", TIME), (r"\d\d:\d\d:\d\d", _FORMATS["time"]), (r"\d{4}-\d\d-\d\dT\d\d:\d\d", DATETIME),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", _FORMATS["date-time"]), (r"[^@\s]+@[^@\s]+\.\w+", lex.EMAIL), (r"https?://\S+", lex.URL),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-.+", lex.UUID), (r"\+?\d[\d ()-]{7,}", lex.PHONE),
    )  # fmt: skip
    for pattern, t in shapes:
        if all(re.fullmatch(pattern, e) for e in examples):
            return t
    moment = r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d)(:\d\d)?(Z?)"
    if found := re.fullmatch(moment, examples[0]):
        tail, gap = (":00" if found[4] else "") + found[5], found[2]
        return replace(DATETIME, draw=lambda r, today: DATETIME.draw(r, today).replace("T", gap) + tail,
                         say=lambda v, today: DATETIME.say(v[:16].replace(" ", "T"), today), accepts=lambda v: isinstance(v, str))  # fmt: skip
    coded = [e for e in examples if re.fullmatch(r"[A-Za-z#_:/.-]*\d[\w#:/.-]*", e) and sum(c.isdigit() for c in e) >= 2]
    if len(coded) == len(examples):
        return text("code", "as in the examples", lambda r: _shuffled(coded[int(r.random() * len(coded))], r), question="")
    return None


def _shuffled(code: str, r: Random) -> str:
    return re.sub(r"\d", lambda m: str(r.randint(1 if m.start() == 0 or not code[m.start() - 1].isdigit() else 0, 9)), code)


def _quoted_if_long(value: Any, today: date) -> list[Surface]:
    return quoted(value, today) if " " in value or not value[:1].isupper() else verbatim(value, today)


def _identifier(words: str, owner: str, examples: list[str]) -> Type:
    noun = re.sub(r"\s*\b(?:id|ids|identifier|uuid|guid|ref|reference|code|no|key|number|sku|token)$", "", words).strip() or owner or "item"
    letters = "".join(t.stem[0] for t in tokens(noun)) if " " in noun else noun[:3]
    prefix = letters.upper()
    return text("id", f"names one {noun}", lambda r: f"{prefix}-{r.randint(1000, 99999)}", say=verbatim, **_asked(words))
