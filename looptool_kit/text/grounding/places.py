"""Is a place said whose state or country nobody says?

"Berkeley, CA" for a parameter that asks for city and state, where the user says Berkeley.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from looptool_kit.text.grounding.phrases import phrase_places
from looptool_kit.text.grounding.scores import EXACT, PLACE_COMPLETED, SAID_THRESHOLD
from looptool_kit.text.grounding.support import Support
from looptool_kit.text.passages import Dialogue, Passage
from looptool_kit.text.words import COMMANDS, STOP, SYNONYMS, whole_stems

_STATES = """
AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut, DE Delaware,
DC District of Columbia, FL Florida, GA Georgia, HI Hawaii, ID Idaho, IL Illinois, IN Indiana, IA Iowa,
KS Kansas, KY Kentucky, LA Louisiana, ME Maine, MD Maryland, MA Massachusetts, MI Michigan, MN Minnesota,
MS Mississippi, MO Missouri, MT Montana, NE Nebraska, NV Nevada, NH New Hampshire, NJ New Jersey,
NM New Mexico, NY New York, NC North Carolina, ND North Dakota, OH Ohio, OK Oklahoma, OR Oregon,
PA Pennsylvania, RI Rhode Island, SC South Carolina, SD South Dakota, TN Tennessee, TX Texas, UT Utah,
VT Vermont, VA Virginia, WA Washington, WV West Virginia, WI Wisconsin, WY Wyoming
"""
STATES = dict(entry.strip().split(" ", 1) for entry in _STATES.replace("\n", " ").split(","))
"""The states of the USA by their postal codes (ISO 3166-2:US)."""
_TAIL = re.compile(r"[A-Z]{2,3}|[A-Z][^\W\d_]+(?: [A-Z]?[^\W\d_]+){0,2}")
"""A region as it stands behind a town: a code, or one to three words."""
_REGION = re.compile(r"\b(?:state|country|region|province|nation)\b|[A-Z]\w+, ?[A-Z]\w", re.IGNORECASE)
"""What a description says that asks for one: the word, or an example as "Boston, MA"."""
_NEXT = re.compile(r",? (?:in )?([A-Z]{2}\b|[A-Z][a-z]+(?: [A-Z][a-z]+)?)")


def completed_places(value: str, description: str, d: Dialogue) -> Iterator[Support]:
    """The places where a town stands without the region behind its comma.

    Not where another region stands behind it in the text, or another word of its name before it.
    """
    head, comma, tail = value.partition(",")
    head, tail = head.strip(), tail.strip(" .")
    asked = tail in STATES or _REGION.search(description)
    if not comma or not head or not asked or not _TAIL.fullmatch(tail):
        return
    names = (head, *SYNONYMS.get(" ".join(whole_stems(head)), ()))
    for name in names:
        for score, words, span in phrase_places(whole_stems(name), d, EXACT):
            p = d.passages[span[0]]
            if score < SAID_THRESHOLD or _longer_name(p, span[1]):
                continue
            behind = _region_behind(p, span[2])
            if not behind or _same_region(behind, tail):
                yield PLACE_COMPLETED, f"{words}, of which {tail} is not said", span


def _longer_name(p: Passage, start: int) -> bool:
    """True where the word before is a part of the name, as in "New York" for York."""
    before = re.search(r"(?<![\w.!?])([A-Z][^\W\d_]+) $", p.text[:start])
    if before is None or not before.start() or re.search(r"[.!?\n] *$", p.text[: before.start()]):
        return False
    return not {*whole_stems(before[1])} & {*STOP, *COMMANDS}


def _region_behind(p: Passage, end: int) -> str:
    """The region that the text names behind a place, empty where there is none."""
    match = _NEXT.match(p.text, end)
    if match is None or not p.text[end:].startswith(","):
        return ""
    return match[1] if match[1] in STATES or match[1] in STATES.values() else ""


def _same_region(said: str, tail: str) -> bool:
    return STATES.get(said, said).lower() == STATES.get(tail, tail).lower() or tail.upper() in ("US", "USA")
