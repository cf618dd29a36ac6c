"""What a parameter is beside the others of its tool."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.names import is_id, words_of
from looptool_kit.stages.seed.templates.numbers import is_number_of
from looptool_kit.stages.seed.templates.stated import limits_of_number
from looptool_kit.text.words import alike, stem
from looptool_kit.world.spec import Param
from looptool_kit.world.types import Type

ON_OFF = re.compile(r"\b(on or off|on/off|off or on)\b", re.IGNORECASE)


def two_ends(tool: Tool, name: str) -> tuple[str, str] | None:
    """What true and false say of a tool with two ends.

    As in ("on", "off"), ("lock", "unlock").

    Only where no other flag may be meant.
    """
    flags = [n for n, s in tool.properties.items() if isinstance(s, dict) and s.get("type") == "boolean"]
    if [n for n in flags if n in tool.required] != [name]:
        return None
    verb, rest = headline(tool)
    if ON_OFF.search(rest):
        return ("off", "on") if words_of(name) in ("off", "disabled") else ("on", "off")
    first, _, second = verb.partition(" or ")
    if not second:
        return None
    return (second, first) if alike(stem(words_of(name).split()[-1]), stem(second)) else (first, second)


_UNITS_OF_TIME = ("second", "minute", "hour", "day", "week")


def smaller_unit(p: Param, params: Iterable[Param]) -> bool:
    """Tell whether it only adds to a larger unit.

    As "seconds" beside "minutes".
    """
    unit = lex.UNITS.get(words_of(p.name), "")
    others = {lex.UNITS.get(words_of(q.name), "") for q in params}
    return unit in _UNITS_OF_TIME and bool(others & {*_UNITS_OF_TIME[_UNITS_OF_TIME.index(unit) + 1 :]})


def beside(name: str, kind: Type) -> bool:
    """Tell whether it is no new value of what is changed.

    A flag, or a remark.
    """
    return kind.name == "boolean" or bool(
        re.search(r"\b(?:comment|note|notes|reason|message|remark|remarks|memo)$", words_of(name))
    )


def with_limits_of(tool: Tool, name: str, schema: Any) -> Any:
    """The schema of a tool's only number, with the tool's limits.

    As in "Set the goal (1 to 14)".
    """
    if not isinstance(schema, dict) or schema.get("type") not in ("integer", "number"):
        return schema
    if not only_number(tool) or limits_of_number(str(schema.get("description") or "")):
        return schema
    return limits_of_number(tool.description) | schema


def only_number(tool: Tool) -> bool:
    """Tell whether one required parameter alone is a number.

    IDs aside; what is set, is set to it.
    """
    kinds = [(n, s) for n, s in tool.properties.items() if n in tool.required and isinstance(s, dict)]
    said = [(n, s) for n, s in kinds if not is_id(words_of(n)) and not is_number_of(s) and "enum" not in s]
    return len(said) == 1 and said[0][1].get("type") in ("integer", "number")
