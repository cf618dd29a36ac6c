"""Parameters that depend on others: what may stand beside them, a request cannot tell.

Where a description relates a parameter to another one, or says when it applies, drawn values contradict each
other sooner or later. An optional one is left out of requests, a required one makes the tool unusable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.choices import said
from looptool_kit.stages.seed.templates.days import direction, follows
from looptool_kit.stages.seed.templates.examples import PHRASES
from looptool_kit.stages.seed.templates.kinds import TODAY
from looptool_kit.stages.seed.templates.names import Unusable, is_id, words_of
from looptool_kit.stages.seed.templates.nouns import DAYS
from looptool_kit.stages.seed.templates.pairs import in_order
from looptool_kit.stages.seed.templates.stated import described, sentences
from looptool_kit.text.words import STOP, stem, stems
from looptool_kit.world.spec import Param
from looptool_kit.world.types import DATETIME, TIME, Type

_CONDITION = re.compile(
    r"\b(?:only|ignored|unless|except|otherwise|depend(?:s|ing)|instead|together|combin\w+|relative"
    r"|overrid\w+|requires"
    r"|both|either|must|may|cannot|can not|not (?:allowed|possible|permitted|valid|applicable|with|for"
    r"|both)|per (?!week|day|month|hour|night|person)|same|differ\w*"
    r"|than|prior|(?:days?|weeks?|months?|hours?|minutes?) (?:before|after|from)|if|when|in case|applies"
    r"|applicable|afterwards|exceed)\b"
)
_HARMLESS = re.compile(
    r"\b(?:if|when) (?:known|any|available|needed|applicable|possible|left|omitted|empty|not (?:given|set"
    r"|specified)|absent|unset)"
    r"\b[^.;]*|\bone of\b|\bmust (?:be (?:one of|unique|valid|positive|in)|match|not be empty)\b"
    r"|\b(?:greater|more|less|fewer|other) than (?:or equal to )?-?\d+|\b(?:must|has to"
    r"|should) be (?:on or )?(?:after|later than)"
    r" (?:the )?(?:start|begin|from|check-?in|arrival)\w*(?: date)?|\bmust be (?:between|at (?:least"
    r"|most)) \d+|\bin steps\b"
)
"""What the readers of ranges and formats see to, and what says nothing."""
_NAME = re.compile(r"""["“][^"“”]*\s[^"“”]*["”]|(?<!\w)'[^']*\s[^']*'(?!\w)""")
"""Several words in quotation marks."""


def bound(name: str, tool: Tool) -> str:
    """Say what binds a parameter to others or to a condition.

    In the words of a description; empty if nothing does.
    """
    told = described(tool.properties[name])
    if kind := _kind_of(words_of(name), tool):
        return kind
    if is_id(words_of(name)) and name in tool.required:
        return ""  # which one it is contradicts nothing
    if found := _condition(told):
        return found
    for other, choices in _others(name, tool):
        if re.search(rf"(?<![\w-]){re.escape(other)}(?![\w-])", told) and re.search(r"[A-Z_-]", other[1:]):
            return other  # "at least `checkIn`"
        for choice in choices:
            ways = "|".join(map(re.escape, {choice, said(choice)}))
            if re.search(rf"(?i)(?<!\w)(?:{ways})(?!\w)", _without_longer_names(told, choice)):
                return choice  # "For a wrong amount: the right one"
    first = set(words_of(name).split()[:1])
    if words_of(name) not in first and any(first & {said(c) for c in cs} for _, cs in _others(name, tool)):
        return " ".join(first)  # `lost_reason` of the stage "lost"
    if name not in tool.required and (far := _FAR.search(words_of(name))):
        return far[0]  # how far from where?
    if re.search(r"\b(?:sort|order)(?: by)?$", words_of(name)) and (
        near := _NEAR.search(_choices(tool, name))
    ):
        return near[0]  # nearest to what?
    if whole := _part_of(words_of(name), [words_of(n) for n in tool.properties]):
        return f"of a {whole}"
    if _OF_A_PERSON.search(words_of(name)) and any(_NAMES.search(words_of(n)) for n in tool.properties):
        return "the name"  # a father is not called Elena
    if name in tool.required:
        return ""
    told_of_all = sentences(tool.description)
    for sentence in told_of_all:
        if _TOGETHER.search(sentence.lower()) and set(stems(name)) <= set(stems(sentence)):
            return sentence.strip(" .")
    own = {w for w in stems(name) if w not in STOP | {"id", "date", "name"}}
    for sentence in told_of_all[1:]:
        if own and own <= set(stems(sentence)) and _condition(sentence) and not is_id(words_of(name)):
            return sentence.strip(" .")
    return ""


def _without_longer_names(told: str, choice: str) -> str:
    """A description without the names of several words in it: "Linden 3" says nothing of a kind "linden"."""
    own = {choice.lower(), said(choice).lower()}
    return _NAME.sub(lambda name: name[0] if name[0][1:-1].lower() in own else "", told)


def _kind_of(words: str, tool: Tool) -> str:
    """The parameter that says of what kind the thing is that an ID tells: `target_id` of a `target_type`."""
    noun = re.sub(r" (?:id|no|number|ref|reference|code)$", "", words)
    kinds = {f"{noun} {word}" for word in ("type", "kind")} if noun != words else set()
    return next((n for n, choices in _others("", tool) if choices and words_of(n) in kinds), "")


def _condition(text: str) -> str:
    """The words of a text that state a condition, apart from limits that the draw keeps."""
    found = _CONDITION.search(_HARMLESS.sub("", text.lower()))
    return found[0] if found else ""


_OF_A_PERSON = re.compile(r"\b(?:relation(?:ship)?|gender|sex|salutation|honorific|pronouns?)$")
_NAMES = re.compile(r"(?:^|\b(?:first|last|full|given|contact|guest|customer|person|person's|patient) )name$")
_FAR = re.compile(
    r"\bradius\b|\b(?:within|distance) (?:in )?(?:miles?|km|kilomet\w+|met\w+|m)\b|\bmax distance\b"
)
_NEAR = re.compile(r"\b(?:near(?:est|by)?|closest|distance|proximity|relevance|best match)\b")


def _choices(tool: Tool, name: str) -> str:
    schema = tool.properties[name]
    return " ".join(said(c) for c in schema.get("enum") or () if isinstance(c, str)) if schema else ""


_TOGETHER = re.compile(r"\b(?:plus|together with|combined with|in combination with|along with)\b")


_POSTCODE = r"(?:\w+ )?(?:post ?code|postal code|zip(?: ?code)?)"
_PARTS = (
    (r"(?:\w+ )?breed", r"species|animal(?: type)?|pet type"),
    (r"(?:car |vehicle )?model", r"(?:car |vehicle )?(?:make|brand|manufacturer)"),
    (r"sub ?(?:category|type|kind)|category", r"category|type|kind"),
    (r"city|town|state|province|region", rf"country(?: code)?|state|{_POSTCODE}"),
    (r"country(?: code)?", rf"city|town|state|province|region|phone|{_POSTCODE}"),
    (_POSTCODE, r"city|town|country(?: code)?"),
    (r"unit|units|uom|unit of measure", r".*"),
)


def _part_of(words: str, names: list[str]) -> str:
    """The other parameter of whose value this one is a part or a kind: a breed is of one species."""
    pairs = [whole for part, whole in _PARTS if re.fullmatch(part, words)]
    return next((n for whole in pairs for n in names if n != words and re.fullmatch(whole, n)), "")


def _others(name: str, tool: Tool) -> Iterator[tuple[str, list[str]]]:
    """The other parameters, each with its choices."""
    for other, schema in tool.properties.items():
        if other != name:
            choices = schema.get("enum") if isinstance(schema, dict) else ()
            yield other, [c for c in choices or () if isinstance(c, str) and len(c) > 2]


def with_one_day(params: Sequence[Param], context: str) -> list[Param]:
    """The parameters without the optional dates that nobody knows how to order.

    Two belong together where they are the ends of a range, or one is over and the other is to come.

    Raises:
        Unusable: Two that are required are in no order.
    """
    days = [p for p in params if p.type.question in DAYS]
    kept = [p for p in days if not p.optional]
    if len(kept) > 1 and all(p.type.name == TODAY for p in kept):
        raise Unusable(f"nothing tells whether {kept[0].name} is over or to come: give it `examples`")
    for a, b in combinations(kept, 2):
        when = {direction(words_of(p.name), p.description, context) for p in (a, b)}
        if not follows(a.name, b.name) and when != {"past", "future"}:
            raise Unusable(
                f"nothing tells which comes first, {a.name} or {b.name}: call them start and end, or make"
                " one optional"
            )
    spare = [p for p in days if p.optional and not any(follows(p.name, q.name) for q in kept)]
    if not kept and spare:
        first = spare[0]
        spare = [p for p in spare if p is not first and not follows(p.name, first.name)]
    return [p for p in params if p not in spare]


FREE = re.compile(
    r"(?:\w+ )*(?:priority|severity|urgency|importance|format|language|currency|contact method|payment method"
    r"|payment type|sort|sort by|order by|channel)"
)
"""Choices that go with any others."""
_OF_DAYS = re.compile(
    r"\b(?:(?:week|mon|tues|wednes|thurs|fri|satur|sun|to)days?|week ?ends?|weekly|monthly|yearly|daily"
    r"|quarter"
    r"|past|now|tomorrow|immediate\w*|asap|completed?|done|finished|cancelled|expired|closed|delivered"
    r"|returned"
    r"|paid|overdue)\b",
    re.IGNORECASE,
)
_OF_HOURS = re.compile(r"\b(?:(?:over)?night|morning|(?:after)?noon|midday|evening|am|pm)\b", re.IGNORECASE)
"""Choices that say of a day or an hour what it may contradict."""


def states(kind: Type) -> bool:
    """Tell whether a value is one of a few states or phrases."""
    each = getattr(kind, "each", None) or kind
    return "enum" in each.schema or each.name in ("boolean", PHRASES)


def clash(p: Param, q: Param) -> bool:
    """Tell whether values of two parameters may contradict each other.

    A choice may rule out another, a day or a number; nobody knows but those who wrote the tool.
    """
    if counted_together(p, q):
        return True
    for a, b in ((p, q), (q, p)):
        if states(a.type) and not FREE.fullmatch(words_of(a.name)):
            other = states(b.type) and not FREE.fullmatch(words_of(b.name))
            if other or b.type.question in DAYS or b.type.name == "number":
                return True
    return False


def counted_together(p: Param, q: Param) -> bool:
    """Tell whether two numbers count the same things.

    As in `seeds_sown` and `seeds_germinated`: the one may be no more than the other.
    """
    if p.type.name != "number" or q.type.name != "number" or in_order(p.name, q.name):
        return False
    things = [{w for w in words_of(n.name).split() if w not in STOP and w not in lex.UNITS} for n in (p, q)]
    return bool(set(map(stem, things[0])) & set(map(stem, things[1])))


def agree(params: Sequence[Param]) -> None:
    """See that required values do not contradict each other.

    Raises:
        Unusable: Two choices may, or a choice may contradict a date.
    """
    for a, b in combinations([p for p in params if not p.optional], 2):
        if counted_together(a, b):
            raise Unusable(f"nothing tells which is the larger, {a.name} or {b.name}: make one optional")
        for p, q in ((a, b), (b, a)):
            if not states(p.type) or FREE.fullmatch(words_of(p.name)):
                continue
            told = " ".join(said(v) for v in p.type.schema.get("enum", ()))
            timed = q.type.question in (DATETIME.question, TIME.question) and _OF_HOURS.search(told)
            dated = q.type.question in DAYS and _OF_DAYS.search(told)
            if (states(q.type) and not FREE.fullmatch(words_of(q.name))) or timed or dated:
                raise Unusable(
                    f"nothing tells which {words_of(p.name)} goes with which {words_of(q.name)}: make one"
                    " optional"
                )
