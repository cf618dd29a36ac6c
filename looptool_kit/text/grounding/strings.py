"""Is a text said, to the letter, otherwise, or by its words?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from looptool_kit.text.forms import lacks_form
from looptool_kit.text.grounding.moments import ground_moment, moment
from looptool_kit.text.grounding.named import named_places
from looptool_kit.text.grounding.numbers import money_parts, same_number
from looptool_kit.text.grounding.otherwise import otherwise_places
from looptool_kit.text.grounding.phrases import Holding, phrase_places
from looptool_kit.text.grounding.places import STATES, completed_places
from looptool_kit.text.grounding.scores import (
    ALL_WORDS,
    CANNOT_TELL,
    CURRENCY_SIGN,
    EXACT,
    INITIALS,
    LONG_TEXT_SHARE,
    NAMES_NOTHING,
    NUMBER_AS_TEXT,
    OTHER_NOTATION,
    SHORT_TEXT_SHARE,
    SHORT_TEXT_WORDS,
    SYNONYM,
    UNSAID,
    WITHOUT_ARTICLE,
    WRONG_KIND,
    WRONG_SHAPE,
)
from looptool_kit.text.grounding.support import Grounding, Support, best, mentions_of, unknown, user_passages
from looptool_kit.text.mentions import Mention
from looptool_kit.text.numbers import number
from looptool_kit.text.passages import Dialogue
from looptool_kit.text.words import COMMANDS, STOP, SYNONYMS, Token, is_unspaced, stems, whole_stems

_NEVER_WHEN = {"id", "name", "city", "country", "email", "phone", "address", "person", "title", "location"}
"""Words of parameters that take no date or time."""
_WHEN = re.compile(r"(?!update|candidate|mandate|validate)\w*(?:date|time|day|stamp)s?")
"""Names of parameters that take one whatever else is said of them: birthdate, "of the person"."""
_NOTATION = re.compile(r"[\\/=<>{}|*^$]|\w[:(]\w|\w\.\w|\(['\"]")
"""Signs of a command, a query, a path or a formula: nobody says how those are written."""
_CODES = {"code", "symbol", "ticker", "abbreviation", "iso", "iata", "acronym"}
"""Words of a parameter that takes a short code."""
_NO_CODES = {"NASDAQ", "NYSE", "AMEX", "LSE", "LLC", "INC", "US", "USA", "UK", "EU", "API", "ID"}
"""Capitals beside which a ticker is still unsaid: exchanges, forms of companies, countries."""
_MIN_NOTATION_SHARE = 0.3
"""Share of its words that is said, from which such a text may be what the user describes."""
_UNIT_LETTERS = 5
"""A unit of measure has at most so many letters where it stands right behind a number."""
_MIN_PHONE_DIGITS = 7
"""Fewer digits are not a phone number: only then are a text's digits compared without what separates them."""


def ground_string(value: str, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    """How far the dialogue says a free text."""
    if unfit := _unfit(value, schema, d, name):
        return unfit
    parsed = moment(value)
    if parsed:
        by_moment = ground_moment(*parsed, d)
        if by_moment.supported >= CANNOT_TELL:
            return by_moment
    if "@" in value or "://" in value:
        # An address is said to the letter or not at all.
        letters = best(_letters(value, d, ignore_case=True))
        host = re.match(r"\w+://([^/?]+)", value)
        if letters.supported < OTHER_NOTATION and host and host[1] in " ".join(p.text for p in d.passages):
            return Grounding(OTHER_NOTATION, f"of the address {host[1]} is said")
        return letters
    exact = best(string_places(value, d))
    if exact.supported >= CANNOT_TELL or parsed:
        return exact
    if unsaid := _left_to_the_tool(value, schema, d, name):
        return unsaid
    completed = best(completed_places(value, str(schema.get("description", "")), d))
    by_words = _by_words(value, d)
    if max(exact.supported, completed.supported, by_words.supported) >= CANNOT_TELL:
        return max(exact, completed, by_words, key=lambda g: g.supported)
    otherwise = best(otherwise_places(value, schema, d, name))
    return max(exact, completed, by_words, otherwise, key=lambda g: g.supported)


def _unfit(value: str, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding | None:
    """The grounding of a text that its parameter cannot mean, or None."""
    words, description = stems(value), str(schema.get("description", ""))
    described = {*stems(name), *stems(description), str(schema.get("format", ""))}
    if not value.strip() or (
        words
        and all(w in STOP or w in COMMANDS for w in words)
        and not _is_title(value, words, d)
        and not _stands_alone(value, d)
        and not any(_said(other, d) for other in SYNONYMS.get(" ".join(words), ()))
        and not any(True for _ in named_places(value, described, d))
    ):
        return Grounding(NAMES_NOTHING, "names nothing")
    never_when = described & _NEVER_WHEN and not schema.get("format")
    never_when = never_when and not any(_WHEN.fullmatch(w) for w in stems(name))
    if never_when and re.match(r"\d", value) and moment(value):
        return Grounding(WRONG_KIND, f"a date or time, where {name or 'the parameter'} speaks of none")
    if (
        ("id" in stems(name) or "id" in described and not described & _NEVER_WHEN - {"id"})
        and not re.search(r"\d", value)
        and not _in_result(value, d)
        and not _called(value, name, d)
    ):
        return Grounding(WRONG_KIND, "is not an identifier")
    if form := lacks_form(value, description):
        return Grounding(WRONG_SHAPE, f"is not of the form {form}")
    return None


def _left_to_the_tool(value: str, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding | None:
    """The grounding of a code or region that people seldom say: the ticker of a company, a town's state.

    None where one of that form is said, so that this one is wrong.
    """
    described = {*stems(name), *stems(str(schema.get("description", "")))}
    text = " ".join(p.text for p in d.passages)
    if value in STATES or value in STATES.values():
        said = any(re.search(rf"\b{state}\b", text) for pair in STATES.items() for state in pair)
        return None if said or not described & {"state", "region"} else unknown("which state nobody says")
    if re.fullmatch("[A-Z]{2,5}", value) and described & _CODES and not SYNONYMS.get(value.lower()):
        said_codes = set(re.findall(r"\b[A-Z]{2,5}\b", text)) - _NO_CODES
        return None if said_codes else unknown("a code, where no code is said")
    return None


def _is_title(value: str, words: Sequence[str], d: Dialogue) -> bool:
    """True for common words that stand as a name, as the song "With You"."""
    if value in STATES:
        return True
    told = value.isupper() or len(words) > 2 or len(words) > 1 and value.istitle()
    return bool(told) and any(value in p.text for p in d.passages)


def _stands_alone(value: str, d: Dialogue) -> bool:
    """True where common words are a line of what the user says, and so what is spoken of."""
    return any(
        line.strip() == value for _, p in user_passages(d) for line in re.split(r"\n| {2,}", p.text)[1:]
    )


def _said(words: str, d: Dialogue) -> bool:
    return any(True for _ in phrase_places(whole_stems(words), d, EXACT))


def _called(value: str, name: str, d: Dialogue) -> bool:
    """True where one word stands behind the parameter's own, or in quotes, as nothing but a name does.

    As in "user adriel" for `user_id`.
    """
    if re.search(r"\s", value.strip()):
        return False
    if any(m.kind == "quote" and value == str(m.readings[0]) for p in d.passages for m in p.mentions):
        return True
    own = set(stems(name)) | {"id", "identifier"}
    for _, _, (n, start, _) in phrase_places(whole_stems(value), d, EXACT):
        before = [t.stem for t in d.passages[n].tokens if t.end <= start and t.stem not in STOP]
        if stems(name) == ("id",) or before and before[-1] in own:
            return True
    return False


def _in_result(value: str, d: Dialogue) -> bool:
    """True where a tool's result holds a text.

    Some results name things by words, which then are identifiers.
    """
    return any(p.role == "tool" and value in p.text for p in d.passages)


def string_places(value: str, d: Dialogue) -> Iterator[Support]:
    """The places where a text is said.

    In a row, by a synonym, or as a number, phone number or code.
    """
    words, whole = stems(value), whole_stems(value)
    yield from phrase_places(whole, d, EXACT)
    if whole != words:  # "columnCount" is said as one word or as two
        yield from phrase_places(words, d, EXACT)
    if re.fullmatch(rf"[^\W\d_]{{1,{_UNIT_LETTERS}}}|°[CF]", value):
        yield from _unit_places(value, d)
    if words[:1] == ("the",):
        yield from phrase_places(words[1:], d, WITHOUT_ARTICLE)
    other_name = STATES.get(value) or next((code for code, state in STATES.items() if state == value), None)
    if other_name:
        yield from ((SYNONYM, text, span) for _, text, span in _letters(other_name, d))
    for synonym in SYNONYMS.get(" ".join(words), ()):
        yield from phrase_places(whole_stems(synonym), d, SYNONYM)
        if re.fullmatch(rf"[a-z]{{1,{_UNIT_LETTERS}}}", synonym):
            yield from ((SYNONYM, text, span) for _, text, span in _unit_places(synonym, d))
    value_number = number(value)
    for n, m in mentions_of(d, "number", "phone", "code"):
        if m.kind == "number" and m.unit == value.upper():
            yield CURRENCY_SIGN, f"“{m.text}”", (n, *money_parts(m)[1])
        elif m.kind == "number":
            if value_number is not None and same_number(m.readings[0], value_number):
                yield NUMBER_AS_TEXT, f"“{m.text}”", (n, m.start, m.end)
        elif m.kind == "phone":
            if _same_phone(value, m):
                yield EXACT, f"“{m.text}”", (n, m.start, m.end)
        elif _same_code(words, m):
            yield EXACT, f"“{m.text}”", (n, m.start, m.end)
    if not words and value.strip():  # symbols alone
        yield from _letters(value, d)


def _unit_places(unit: str, d: Dialogue) -> Iterator[Support]:
    """The places where a unit stands right behind a number: the "cm" of "6cm"."""
    for n, p in enumerate(d.passages):
        for match in re.finditer(rf"(?<=\d){re.escape(unit)}(?![^\W\d_])", p.text, re.IGNORECASE):
            yield EXACT, f"“{match[0]}”", (n, *match.span())


def _same_phone(value: str, m: Mention) -> bool:
    digits = re.sub(r"\D", "", value)
    return len(digits) >= _MIN_PHONE_DIGITS and re.sub(r"\D", "", m.text) == digits


def _same_code(words: Sequence[str], m: Mention) -> bool:
    """True for the same code, as "PL 32615" for PL-32615."""
    return bool(words) and "".join(whole_stems(m.text)) == "".join(words)


def _letters(value: str, d: Dialogue, ignore_case: bool = False) -> Iterator[Support]:
    """The first place in each passage where the very letters stand."""
    for n, p in enumerate(d.passages):
        at = p.text.lower().find(value.lower()) if ignore_case else p.text.find(value.strip())
        if at >= 0:
            yield EXACT, f"“{value}”", (n, at, at + len(value))


# -------------------------------------------------------- words not in a row


def _by_words(value: str, d: Dialogue) -> Grounding:
    """Support by words of a text that do not stand together.

    All of a short text must be said, most of a long one.
    """
    if is_unspaced(value):
        parts = [whole_stems(part) for part in re.findall(r"\w+", value)]
        said = all(any(True for _ in phrase_places(part, d, EXACT)) for part in parts)
        return Grounding(ALL_WORDS, "all its words are said") if said else best(())
    words = [w for w in whole_stems(value) if w not in STOP] or list(whole_stems(value))
    if len(words) < 2 and len(stems(value)) > 1:
        words = list(stems(value))
    if len(words) < 2:
        if _are_initials(value, d):
            return Grounding(INITIALS, "initials of what is said")
        return Grounding(UNSAID, "nothing in the dialogue says so")
    matched: set[str] = set()
    for p in d.passages:
        codes = Holding([m for m in p.mentions if m.kind == "code"])
        matched |= {t.stem for t in p.tokens if not _part_of_code(t, codes, words)}
    share = sum(w in matched for w in words) / len(words)
    request = d.passages[d.last].tokens if d.last >= 0 else ()
    spans = tuple((d.last, t.start, t.end) for t in request if t.stem in words)
    if share == 1:
        return Grounding(ALL_WORDS, "all its words are said", spans)
    if _NOTATION.search(value) and share >= _MIN_NOTATION_SHARE:
        return Grounding(OTHER_NOTATION, f"{share:.0%} of its words are said, in another notation", spans)
    weight = LONG_TEXT_SHARE if len(words) > SHORT_TEXT_WORDS else SHORT_TEXT_SHARE
    return Grounding(weight * share, f"{share:.0%} of its words are said", spans)


def _are_initials(value: str, d: Dialogue) -> bool:
    """True for the first letters of words in a row, as "NYC"."""
    return (
        len(value) > 2
        and value.isupper()
        and any(value.lower() in "".join(t.stem[0] for t in p.tokens) for p in d.passages)
    )


def _part_of_code(token: Token, codes: Holding, words: Sequence[str]) -> bool:
    """True for a piece of a code that `words` do not complete.

    The 32615 of PL-32615 says nothing of "Song 32615".
    """
    code = codes.at(token.start, token.end)
    return code is not None and any(w not in words for w in stems(code.text))
