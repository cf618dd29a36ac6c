"""Whether a call says something: what is changed, written down, made or looked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.conditions import clash
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.names import Unusable, is_id, words_of
from looptool_kit.stages.seed.templates.nouns import DAYS, plural
from looptool_kit.stages.seed.templates.numbers import LIMIT
from looptool_kit.stages.seed.templates.verbs import CHANGING, MAKING, READING
from looptool_kit.text.words import stems
from looptool_kit.world.spec import Param
from looptool_kit.world.types import Type

IDS = ("id", "uuid", "code")
"""Names of the types of which a value tells which one is meant."""
_ACTIONS = ("action", "operation", "command", "mode_of_change")
_RECORDS = ("log", "record", "write", "enter", "track", "note")
_FINDS = ("search", "find", "filter", "query", "look up", "lookup")
_PARTS = re.compile(r"(?:\w+_)?(?:lines?|items|positions|products|articles|goods)|\w+(?:Lines?|Items)")
"""What an order is made of."""
_REMARK = re.compile(r"\b(?:comment|notes?|reason|justification|message|remarks?|memo)$")
_OF = re.compile(r" (?:of|for|in|at|on) ")


def changes(tool: Tool) -> bool:
    """Tell whether a tool changes a thing that is there.

    A call that gives no new value would do nothing.
    """
    first, own = headline(tool)[0].split()[0], words_of(tool.name).split()
    if first in READING or any(n in _ACTIONS for n in tool.required):
        return False  # what it does may be said by a choice
    verbs = {first, *own[:1], *own[-1:]} & CHANGING
    return bool(verbs - {"set"}) or ("set" in verbs and _is_set_by_options(tool))


def _is_set_by_options(tool: Tool) -> bool:
    """Whether what is required tells only which thing is set: its ID, or one of few that no word names."""
    if any(map(_is_an_id, tool.required)):
        return True
    kinds = {n: s for n, s in tool.properties.items() if isinstance(s, dict)}
    which = [n for n in tool.required if "enum" in kinds.get(n, {}) and not _what(tool) & set(stems(n))]
    left = [s for n, s in kinds.items() if n not in tool.required]
    to = [s for s in left if "enum" in s or s.get("type") != "string"]
    return bool(which and to) and len(which) == len(tool.required)


def _what(tool: Tool) -> set[str]:
    """Stems of what is changed: "set the status of a room" changes the status."""
    return set(stems(_OF.split(headline(tool)[1])[0]))


def records(tool: Tool) -> bool:
    """Tell whether a tool writes something down.

    A call without a word of it would leave the record empty.
    """
    return headline(tool)[0] in _RECORDS


def searches(tool: Tool) -> bool:
    """Tell whether a tool looks for something.

    Without a word of what, a call would find all, or nothing.
    """
    verb, subject_words = headline(tool)
    return verb in _FINDS or not (plural(subject_words) or verb in MAKING)


def see_that_it_says_something(tool: Tool, params: Sequence[Param]) -> None:
    """See that what is changed, written down, made or sought is left.

    Raises:
        Unusable: Of that nothing can be said.
    """
    verb = headline(tool)[0]
    left = [p for p in params if p.type.name != "boolean" and not LIMIT.fullmatch(words_of(p.name))]
    unsaid = [n for n in tool.properties if n not in {p.name for p in params}]
    if changes(tool):
        if (unsaid or any(p.optional for p in left)) and not _new_values(tool, params, left, unsaid):
            raise Unusable("of what it changes nothing can be said surely: give the new values `examples`")
    elif verb in MAKING and any(map(_PARTS.fullmatch, unsaid)):
        raise Unusable("of what it makes the parts cannot be said: require them, or take them out")
    elif verb in _RECORDS and unsaid:
        if all(p.type.name in IDS or p.type.question in DAYS or p.optional for p in left):
            raise Unusable("of what it writes down nothing can be said surely: give it `examples`")
    elif verb in _FINDS and not left and tool.properties:
        raise Unusable("of what it searches by nothing can be said surely: give it `examples`")
    elif (
        verb in READING
        and not left
        and not plural(headline(tool)[1])
        and any(map(_is_an_id, tool.properties))
    ):
        raise Unusable("of what tells which one is meant nothing can be said surely: make it required")


def _new_values(
    tool: Tool, params: Sequence[Param], left: Sequence[Param], unsaid: Sequence[str]
) -> list[Param]:
    """What may be a new value of what is changed.

    Required values are where words name them, or where nothing but remarks goes unsaid.
    """
    told = _what(tool) | set(stems(f"{words_of(tool.name)} new to"))
    given = [p for p in params if not p.optional]
    all_said = all(map(_is_a_remark, unsaid)) and not any(p.optional for p in left)
    return [
        p
        for p in left
        if p.type.name not in IDS
        and (
            (p.optional and not any(clash(p, q) for q in given))
            or (not p.optional and (all_said or told & set(stems(p.name))))
        )
    ]


def _is_an_id(name: str) -> bool:
    return is_id(words_of(name))


def beside(name: str, kind: Type) -> bool:
    """Tell whether it is no new value of what is changed.

    A flag, or a remark.
    """
    return kind.name == "boolean" or _is_a_remark(name)


def _is_a_remark(name: str) -> bool:
    return _REMARK.search(words_of(name)) is not None
