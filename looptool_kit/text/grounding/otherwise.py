"""Texts that are said in other words than their own, as their parameter tells.

A choice that only the description lists, the full name of a month, a month with its year, the language of the
request, a street's short form, initials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from looptool_kit.text.dates import MONTHS
from looptool_kit.text.grounding.named import named_places
from looptool_kit.text.grounding.phrases import phrase_places
from looptool_kit.text.grounding.places import STATES
from looptool_kit.text.grounding.scores import (
    CODED,
    EXACT,
    LANGUAGE_OF_TEXT,
    LISTED_FAMILY,
    SYNONYM,
)
from looptool_kit.text.grounding.support import Support, mentions_of, user_passages
from looptool_kit.text.passages import Dialogue
from looptool_kit.text.words import STOP, stem, stems, whole_stems

_LISTED = re.compile(
    r"['‘\"“`]([^'’\"”`]{2,40})['’\"”`]|(?<=[.:,]) ?(?:e\.g\.|such as|like|or)? ?([A-Za-z]+)(?=[,.)])"
)
"""What a description lists: words in quotes, or single words between commas."""
_MIN_LISTED = 2
"""So many of them are a list of choices."""
_SHARED = 5
"""Letters with which a listed choice and a word that means it begin: "vaporizing" for "vaporization"."""
_SHARE = 0.5
"""Share of the longer of the two that these letters are; less than two choices of a list have in common."""
_MEANS = (
    r"['‘\"“`]?{}['’\"”`]? (?:refers to|means|is for|stands for|represents|=) (?:an? |the )?['‘\"“`]?(\w+)"
)
_MONTH_YEAR = re.compile(r"(?P<m>0[1-9]|1[0-2])[-/](?P<y>\d{4})|(?P<y2>\d{4})[-/](?P<m2>0[1-9]|1[0-2])")
_STREETS = {
    "st": "street", "ave": "avenue", "av": "avenue", "rd": "road", "blvd": "boulevard", "dr": "drive",
    "ln": "lane", "sq": "square", "hwy": "highway", "pl": "place", "ct": "court",
}  # fmt: skip
_ENGLISH = ("english", "en", "eng", "en-us", "en-gb")
_MIN_ENGLISH = 2
"""So many common English words in the request tell that it is English."""
_VOWELS = re.compile("[aeiouy]")


def otherwise_places(value: str, schema: dict[str, Any], d: Dialogue, name: str) -> Iterator[Support]:
    """The places where other words say the text."""
    described = str(schema.get("description", ""))
    words = {*stems(name), *stems(described)}
    yield from _listed(value, described, d)
    yield from _months(value, d)
    yield from named_places(value, words, d)
    if "language" in words and value.lower() in _ENGLISH:
        yield from _english(d)
    if value.lower().startswith("square ") and "area" in words:
        yield from ((CODED, text, span) for _, text, span in phrase_places(whole_stems(value)[1:], d, CODED))
    yield from _street(value, d)
    yield from _short(value, d)


def _listed(value: str, described: str, d: Dialogue) -> Iterator[Support]:
    """By a word of the family of a choice that the description lists, or that it gives to this one."""
    for match in re.finditer(_MEANS.format(re.escape(value)), described, re.IGNORECASE):
        yield from ((CODED, text, span) for _, text, span in phrase_places(whole_stems(match[1]), d, CODED))
    listed = [a or b for a, b in _LISTED.findall(described)]
    if len(listed) < _MIN_LISTED or value not in listed or re.search(r"\W", value):
        return
    own = stem(value)
    for n, p in user_passages(d):
        for t in p.tokens:
            shared = _common(own, t.stem)
            others = max((_common(stem(o), t.stem) for o in listed if o != value), default=0)
            if shared >= _SHARED and shared > others and shared >= _SHARE * max(len(own), len(t.stem)):
                yield LISTED_FAMILY, f"“{p.text[t.start : t.end]}”", (n, t.start, t.end)


def _common(a: str, b: str) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _months(value: str, d: Dialogue) -> Iterator[Support]:
    """The name of a month by its short form, or a month with its year by their names."""
    if value.lower() in MONTHS:
        number = MONTHS.index(value.lower()) + 1
        for n, m in mentions_of(d, "date"):
            if any(re.match(rf"(?:.{{4}})?-{number:02d}", str(r)) for r in m.readings):
                yield SYNONYM, f"“{m.text}”", (n, m.start, m.end)
    if match := _MONTH_YEAR.fullmatch(value):
        month = f"{match['y'] or match['y2']}-{match['m'] or match['m2']}"
        for n, m in mentions_of(d, "date"):
            if any(str(r).startswith(month) for r in m.readings):
                yield EXACT, f"“{m.text}”", (n, m.start, m.end)


def _english(d: Dialogue) -> Iterator[Support]:
    for n, p in user_passages(d):
        common = [t for t in p.tokens if t.stem in STOP]
        if len(common) >= _MIN_ENGLISH and p.text.isascii():
            yield LANGUAGE_OF_TEXT, "the language of the request", (n, common[0].start, common[0].end)
            return


def _street(value: str, d: Dialogue) -> Iterator[Support]:
    """A street by its short form: "Main St" for "Main Street"."""
    words = whole_stems(value)
    for short, full in _STREETS.items():
        for a, b in ((short, full), (full, short)):
            if a in words and len(words) > 1:
                other = [b if w == a else w for w in words]
                yield from ((SYNONYM, text, span) for _, text, span in phrase_places(other, d, SYNONYM))


def _short(value: str, d: Dialogue) -> Iterator[Support]:
    """Letters without a vowel that are the initials of words in a row, as "ssn"; two letters of names."""
    if not re.fullmatch(r"[A-Za-z]{2,5}", value) or value in STATES:
        return
    letters = value.lower()
    if _VOWELS.search(letters):
        return
    for n, p in user_passages(d):
        firsts = "".join(t.stem[0] for t in p.tokens)
        at = firsts.find(letters)
        while at >= 0:
            row = p.tokens[at : at + len(letters)]
            if len(letters) > 2 or all(p.text[t.start].isupper() for t in row):
                yield (
                    LISTED_FAMILY,
                    f"initials of “{p.text[row[0].start : row[-1].end]}”",
                    (
                        n,
                        row[0].start,
                        row[-1].end,
                    ),
                )
                break
            at = firsts.find(letters, at + 1)
