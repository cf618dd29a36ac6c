"""Parameters that depend on others: what may stand beside them, a request cannot tell.

Where a description relates a parameter to another one, or says when it applies, drawn values contradict each
other sooner or later. An optional one is left out of requests, a required one makes the tool unusable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.choices import said
from looptool_kit.stages.seed.templates.days import direction, follows
from looptool_kit.stages.seed.templates.kinds import MONTH
from looptool_kit.stages.seed.templates.names import Unusable, is_id, words_of
from looptool_kit.stages.seed.templates.nouns import DAYS
from looptool_kit.stages.seed.templates.stated import described, limits_of_number, limits_of_text
from looptool_kit.text.words import STOP, stems
from looptool_kit.world.spec import Param

_CONDITION = re.compile(
    r"\bonly (?:for|if|when|in|with|used|needed|relevant|valid|possible|allowed|applie[sd]|applicable"
    r"|available|together|considered|required|has|takes|on|after|before|as)\b"
    r"|\bfor [\w -]+ only\b|\bignored\b|\bunless\b"
    r"|\bnot (?:allowed|possible|permitted|for|with|valid|applicable|available|both|together|after|before)\b"
    r"|\b(?:cannot|can not|may not|must not)\b(?! (?:be empty|exceed))"
    r"|(?<!indicates )(?<!specifies )(?<!check )(?<!^)(?<!or )(?<!even )\bif (?!known|any|available|needed"
    r"|applicable|possible|left|omitted|empty|not (?:given|set)|absent|unset|true|set)"
    r"|\bone (?:per|for each)\b|\bper (?:entry|element|item) (?:in|of)\b|\bmust be given\b"
    r"|\b(?:earlier|later|sooner|older|newer|longer|shorter|larger|smaller|higher|lower) than\b"
    r"|\b(?:in combination|combined|together|along) with\b|\bdepend(?:s|ing)\b|\bother than\b|\binstead of\b"
    r"|\b(?:relative|counted|measured) (?:to|from)\b|\bsame (?:\w+ )?(?:as|like)\b|\bdiffer(?:s|ent)? from\b"
    r"|\boverrid(?:es|den)\b|\brequires\b|\bat (?:most|least) \w+ (?:days?|weeks?|months?|hours?)\b"
    r"|\b(?:days?|weeks?|months?|hours?|minutes?) (?:before|after|prior|from)\b|\bprior to\b"
    r"|\bday of (?:an?|the|each) (?:week|month|quarter|year)\b|\b(?:working|business) (?:days?|hours?)\b"
)
_ORDER = re.compile(
    r"(?:\w+ )?(?:must|has to|have to|needs to|should|cannot|may not|must not) be"
    r" (?:on or |strictly |\w+ days? )?(?:after|before|later|earlier|greater|less)[^.,;]*"
    r"|\b(?:on or )?(?:after|before|later than|not before) (?:the )?"
    r"(?:start|begin|end|from|to|check-?in|arrival|departure)\w*(?: date)?",
    re.IGNORECASE,
)
"""What a range says of its ends."""
_MUST = re.compile(r"\b(?:must|has to|have to|needs to|should)\b")
_KEPT = re.compile(
    rf"{_MUST.pattern}(?: be)? (?:a |an |the )?(?:valid|unique|existing|exist|one of|between|positive"
    r"|given in|non-negative|in (?:iso|the form|utc|e\.?164)|iso|e\.?164|start|begin|end in|end with"
    r"|match|specified|not be empty|known|registered|whole|integer|number)"
)
"""What a value must be that the readers of ranges and formats see to."""


def bound(name: str, tool: Tool) -> str:
    """Say what binds a parameter to others or to a condition.

    In the words of a description; empty if nothing does.
    That a later end follows its beginning is kept by the draw,
    and is no such tie.
    """
    told = described(tool.properties[name])
    if is_id(words_of(name)) and name in tool.required:
        return ""  # which one it is contradicts nothing
    if any(follows(name, other) for other, _ in _others(name, tool)):
        told = _ORDER.sub("", told)
    if found := _condition(told):
        return found
    for other, choices in _others(name, tool):
        if re.search(rf"(?<![\w-]){re.escape(other)}(?![\w-])", told) and re.search(r"[A-Z_-]", other[1:]):
            return other  # "at least `checkIn`"
        for choice in choices:
            if re.search(
                rf"\b(?i:for|with|if|when|is|are|in case of|=) (?:\w+ )?['\"`]?{re.escape(choice)}\b", told
            ):
                return choice  # "For wrongAmount: the right one"
    if (
        words_of(name) in ("unit", "units", "uom", "unit of measure")
        and len(_schema(tool, name).get("enum") or ()) > 1
    ):
        return "the unit of a number"
    if set(_schema(tool, name).get("enum") or ()) & _AGES and any(
        _BORN.search(words_of(n)) for n in tool.properties
    ):
        return "an age"
    if whole := _part_of(words_of(name), [words_of(n) for n in tool.properties]):
        return f"of a {whole}"
    first = set(words_of(name).split()[:1])
    if (
        name not in tool.required
        and words_of(name) not in first
        and any(first & {said(c) for c in cs} for _, cs in _others(name, tool))
    ):
        return " ".join(first)  # `lost_reason` of the stage "lost"
    if is_id(words_of(name)):
        return ""
    own = {w for w in stems(name) if w not in STOP}
    for sentence in re.split(r"[.;]\s", tool.description)[1:]:
        if any(follows(a, b) for a in tool.properties for b in tool.properties if a != b):
            sentence = _ORDER.sub("", sentence)
        if own and own <= set(stems(sentence)) and _condition(sentence):
            return sentence.strip(" .")
    return ""


def _condition(text: str) -> str:
    """The words of a text that state a condition, apart from limits that the draw keeps."""
    low = text.lower()
    if (must := _MUST.search(low)) and not _KEPT.search(low):
        return "" if limits_of_number(text) or limits_of_text(text) else must[0]
    found = _CONDITION.search(low)
    return found[0] if found else ""


_AGES = frozenset({"adult", "child", "senior", "junior", "youth", "student", "infant", "minor", "pensioner"})
_BORN = re.compile(r"\b(?:birth|born|dob|birthday|age)\b|birthdate")
_PARTS = (
    (r"(?:\w+ )?breed", r"species|animal(?: type)?|pet type"),
    (r"(?:car |vehicle )?model", r"(?:car |vehicle )?(?:make|brand|manufacturer)"),
    (r"sub ?(?:category|type|kind)", r"category|type|kind"),
    (r"city|town|state|province|region", r"country(?: code)?"),
)


def _part_of(words: str, names: list[str]) -> str:
    """The other parameter of whose value this one is a part or a kind: a breed is of one species."""
    pairs = [whole for part, whole in _PARTS if re.fullmatch(part, words)]
    return next((n for whole in pairs for n in names if re.fullmatch(whole, n)), "")


def _schema(tool: Tool, name: str) -> dict[str, Any]:
    schema = tool.properties[name]
    return schema if isinstance(schema, dict) else {}


def _others(name: str, tool: Tool) -> Iterator[tuple[str, list[str]]]:
    """The other parameters, each with its choices."""
    for other in tool.properties:
        if other != name:
            choices = _schema(tool, other).get("enum")
            yield other, [c for c in choices or () if isinstance(c, str) and len(c) > 2]


def with_one_day(params: Sequence[Param], context: str) -> list[Param]:
    """The parameters without the optional dates that nobody knows how to order.

    Two belong together where they are the ends of a range, or one is over and the other is to come.

    Raises:
        Unusable: Two that are required are in no order.
    """
    days = [p for p in params if p.type.question in (*DAYS, MONTH.question)]
    alone = [p for p in days if not any(follows(p.name, q.name) for q in days if q is not p)]
    kept = [p for p in days if not p.optional]
    for a, b in combinations(kept, 2):
        when = {direction(words_of(p.name), p.description, context) for p in (a, b)}
        if not follows(a.name, b.name) and when != {"past", "future"}:
            raise Unusable(
                f"nothing tells which comes first, {a.name} or {b.name}: call them start and end, or make"
                " one optional"
            )
    spare = [p for p in alone if p.optional]
    if not kept and len(spare) == len(days):
        spare = spare[1:]
    return [p for p in params if p not in spare]
