"""Texts that are right whatever the tool: moments, codes, and what a name plainly asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import jsonschema_rs

from looptool_kit.stages.seed.templates import kinds
from looptool_kit.stages.seed.templates.choices import choice
from looptool_kit.stages.seed.templates.days import days_of_the_tool, direction, is_ruled
from looptool_kit.stages.seed.templates.examples import (
    FORMATS,
    is_dated,
    like,
    one_of,
    told_choices,
    told_examples,
)
from looptool_kit.stages.seed.templates.names import Unusable, asked, examples_of, is_id, words_of
from looptool_kit.stages.seed.templates.patterns import is_plain, sampler
from looptool_kit.stages.seed.templates.stated import tells_a_form
from looptool_kit.text.words import tokens
from looptool_kit.world import types as wt
from looptool_kit.world.core import Type, text, verbatim
from looptool_kit.world.moments import BIRTH_DATE, DATE, DATETIME, TIME

MOMENTS = (DATE.question, DATETIME.question, TIME.question)
_CODES = re.compile(
    r"(?:^| )(?:ref|reference|sku|barcode|(?:promo|promotion|voucher|coupon|gift card|tracking|booking"
    r"|confirmation) (?:code|number|no))$"
)
"""What numbers one of many. Other codes and keys have a meaning, which nobody knows."""
_AMOUNT = re.compile(r"^\d[\d.,]* ?[a-z%]|(?<!\d)20\d\d(?!\d)")
"""An amount is right for one thing only ("50 ml" of this), "2025-Q3" before it is over or after that."""
_REMARK = re.compile(r"\b(?:notes?|comments?|messages?|remarks?|memo|instructions?|reason|details)$")
"""Of a remark a description tells what it may be about: "e.g. gate code" is no text unless it is quoted."""
_NAMED = re.compile(r"\b(?:slugs?|names?|initials|one of|lower-?case)\b")
"""An ID that is one of few, or no ID."""
_PARTED = re.compile(
    r"\b(?:years?|yy(?:yy)?|dates?|months?|quarters?|weeks?|check ?(?:sum|digit)s?|luhn|country|region|state"
    r"|initials|area|yyyymmdd|yymm(?:dd)?"
    r"|(?:site|store|branch|depot|station|zone|department|category|type)(?:'s)?"
    r" (?:code|letters?|prefix|number))\b"
)
"""Parts of a code that have a meaning: other digits may be no year, or no check digit."""
_WRITTEN = re.compile(r"\b(?:digits?|spaces?|characters?|without|hyphens?|dashes)\b")
"""Of a phone number: "digits only"."""
_PLACES = (
    r"house|street|room|floor|gate|seat|table|platform|line|bus|track|page|chapter|step|version|week|row|bay"
    r"|level"
)
_OFFICIAL = re.compile(
    r"\b(?:or|vat|tax|national|social|passport|licen[cs]e|plate|vin|imo|bic|swift|credit|debit|bank"
    r"|routing)\b"
)
"""Numbers of a form that everybody knows, and one of two."""
_NUMBERED = re.compile(rf"(?!(?:{_PLACES}|tax|vat|phone|model) )\w+ (?:number|no|nr)")
"""Numbers of which there are too many to know one by heart."""
_NOT_ADULT = re.compile(
    r"\b(?:parents?|guardians?|students?|pupils?|school|child|children|kids?|kindergarten|daycare|camp|minors?|juniors?|pets?"
    r"|dogs?"
    r"|cats?|animals?|horses?|puppy|kitten|breeds?|species|calf|herd|livestock|litter)\b"
)


def string(name: str, schema: Mapping[str, Any], description: str, owner: str, context: str) -> Type:
    """Return the type of a string.

    `context` is what the tool is called and does, its headline first.

    Raises:
        Unusable: Nobody can be sure what a person says for it.
    """
    words, told = words_of(name), description.lower()
    given = [e for e in examples_of(schema) if isinstance(e, str)]
    ids = is_id(words) or (_NUMBERED.fullmatch(words) is not None and not _OFFICIAL.search(words))
    alike = like(given or told_examples(description), ids)
    kind = alike if alike is not None and alike.question in MOMENTS else _moment(words, schema, told)
    if kind is not None:
        try:
            moment = _when(kind, name, words, told, context)
        except Unusable:
            if not given:
                raise
        else:
            if not given or moment.name != kinds.TODAY:
                return moment
        dates = tuple(given)  # what the schema itself gives keeps its rules
        return replace(kind, name="example", draw=lambda r, _: r.choice(dates), splits=False)
    if not given and len(choices := told_choices(description)) >= 2:
        return choice(choices, name, description)
    if not given:
        given = [e for e in told_examples(description) if ids or not _AMOUNT.search(e)]
        if _REMARK.search(words):
            given = [e for e in given if re.search(rf"['\"`‘“]{re.escape(e)}", description)]
    if given and all(map(_is_a_season, given)):
        return _season(words, len(given[0]) > len("2024/25"), given[0][4])
    if given:
        numbered = (
            like(given, ids) if not (ids and _PARTED.search(told)) or all(map(is_dated, given)) else None
        )
        return numbered or one_of(given)
    if (named := FORMATS.get(str(schema.get("format") or ""))) is not None:
        return named
    stated = next((t for p, t in kinds.STATED if re.search(p, told)), None)
    plain = next((t for p, t in kinds.BY_NAME if re.search(p, words)), None)
    coded = ids or _CODES.search(words)
    coded = None if _OFFICIAL.search(words) else coded
    if stated is None and coded and not _NAMED.search(told):
        parted = _PARTED.search(told) or not is_plain(str(schema.get("pattern", "")))
        if not parted and (shaped := _shaped(schema, words)) is not None:
            return shaped
        if tells_a_form(description) or (parted and {"pattern", "minLength", "maxLength"} & schema.keys()):
            raise Unusable(f"what {name} looks like is told in words: give it a `pattern` or `examples`")
        return _identifier(words, owner)
    if stated is not None and not {"pattern", "minLength", "maxLength"} & schema.keys():
        return stated
    if (plain is wt.PHONE and _WRITTEN.search(told)) or (
        plain is kinds.USER_NAME and tells_a_form(description)
    ):
        raise Unusable(f"how {name} is written is told in words: give it a `pattern` or `examples`")
    if plain is not None and not kinds.TAKES_BACK.search(told) and kinds.is_told(plain, words, told):
        return plain
    raise Unusable(
        f"nothing makes sure what a person says for {name}: give it an `enum` or `examples`, or write some"
        " into its description (e.g. 'red', 'blue')"
    )


def _is_a_season(example: str) -> bool:
    """Two years in a row, and no month: an example's are over sooner or later."""
    years = re.fullmatch(r"20(\d\d)([/-])(?:20)?(\d\d)", example)
    return (
        years is not None and int(years[3]) == int(years[1]) + 1 and (years[2] == "/" or int(years[3]) > 12)
    )


def _season(words: str, long: bool, between: str) -> Type:
    """The season of the day, from July to June: "2025/26"."""

    def now(_: Random, today: date) -> str:
        first = today.year - (today.month < 7)
        return f"{first}{between}{first + 1 if long else f'{(first + 1) % 100:02d}'}"

    return replace(text("season", "two years", str, say=verbatim, **asked(words)), draw=now, splits=False)


def _moment(words: str, schema: Mapping[str, Any], told: str) -> Type | None:
    """The type of a day or time, None for other texts."""
    by_format = FORMATS.get(str(schema.get("format") or ""))
    if by_format is not None and by_format.question in MOMENTS:
        return by_format
    if schema.get("format"):
        return None
    if (stated := next((t for p, t in kinds.STATED_MOMENTS if re.search(p, told)), None)) is not None:
        return stated
    return next((t for p, t in kinds.MOMENT_NAMES if re.search(p, words)), None)


def _when(kind: Type, name: str, words: str, told: str, context: str) -> Type:
    """A day of which it is sure that it is over or to come; else today."""
    if is_ruled(told) or days_of_the_tool(context):
        raise Unusable(f"{name} keeps a rule of its own ({told[:60]!r}): give it `examples` in its schema")
    if kind.question == TIME.question:
        return kind
    if re.search(r"\b(?:birth|born|dob|birthday)\b", f"{words} {told}"):
        if _NOT_ADULT.search(f"{context} {told}") or kind.question != DATE.question:
            raise Unusable(f"nobody knows how old who is born on {name} is: give it `examples`")
        return BIRTH_DATE
    over = direction(words, told, context.partition("\n")[0])
    return kinds.gone_by(kind) if over == "past" else kind if over else kinds.of_today(kind)


def _shaped(schema: Mapping[str, Any], words: str) -> Type | None:
    """Codes as a schema's pattern or lengths have them; None where it has none."""
    limits = {k: v for k, v in schema.items() if k in ("pattern", "minLength", "maxLength")}
    if not limits:
        return None
    fits = jsonschema_rs.validator_for(limits).is_valid
    make: Callable[[Random], str] | None = _of_length(schema)
    if "pattern" in schema:
        make = sampler(str(schema["pattern"]))
    if make is None or sum(fits(make(Random(n))) for n in range(60)) < 3:
        raise Unusable(f"no {words} was found for its pattern: give it `examples` in its schema")
    drawn = make
    return text(
        "code",
        "as its pattern says",
        lambda r: next(v for v in (drawn(r) for _ in range(10_000)) if fits(v)),
        say=verbatim,
        **asked(words),
    )


def _of_length(schema: Mapping[str, Any]) -> Callable[[Random], str]:
    low = max(1, int(schema.get("minLength") or 1))
    high = max(low, min(int(schema.get("maxLength") or low + 7), low + 7))
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    return lambda rng: "".join(
        rng.choice(letters if i % 4 < 2 else "23456789")
        for i in range(rng.randint(max(low, min(6, high)), high))
    )


def _identifier(words: str, owner: str) -> Type:
    noun = (
        re.sub(
            r"\s*\b(?:id|ids|identifier|uuid|guid|sid|ref|reference|code|no|key|number|sku|token)$", "", words
        ).strip()
        or (words if words in ("sku", "barcode", "serial") else owner)
        or "item"
    )
    prefix = ("".join(t.stem[0] for t in tokens(noun)) if " " in noun else noun[:3]).upper()
    return replace(
        text("id", f"names one {noun}", str, say=verbatim, **asked(words)),
        draw=lambda r, _: f"{prefix}-{r.randint(1000, 99999)}",
    )
