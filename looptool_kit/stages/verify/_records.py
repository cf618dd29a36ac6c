"""Which of two records of a tool's result the request means.

By what else it says of them, or by their place in the list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from looptool_kit.core.samples import Sample

_PLACE = re.compile(
    r"\b(?:the|that|my) (first|last) (?:\w+ )?(?:\w+ )?(?:on|in|of) (?:the|that|my) list\b", re.IGNORECASE
)


def meant(sample: Sample, values: tuple[Any, Any]) -> tuple[bool, bool] | None:
    """Whether the request means each of two values of a list.

    They stand in different records of it. None where the request does not tell, or no list holds both.
    """
    request = sample.request
    for records in _lists(sample):
        places = [[at for at, r in enumerate(records) if value in r.values()] for value in values]
        if not all(places) or set(places[0]) & set(places[1]):
            continue
        others_said = [
            max(_told(records[at], value, request) for at in indices)
            for indices, value in zip(places, values, strict=True)
        ]
        if others_said[0] != others_said[1]:
            return others_said[0] > others_said[1], others_said[1] > others_said[0]
        if place := _PLACE.search(request):
            index = 0 if place[1].lower() == "first" else len(records) - 1
            if (index in places[0]) != (index in places[1]):
                return index in places[0], index in places[1]
    return None


def _lists(sample: Sample) -> Iterator[list[dict[str, Any]]]:
    """The lists of records in tool results, the newest result first."""
    for message in reversed(sample.messages):
        if message.role != "tool":
            continue
        try:
            result = json.loads(message.content)
        except ValueError:
            continue
        for value in (result, *(result.values() if isinstance(result, dict) else ())):
            if isinstance(value, list) and len(value) > 1 and all(isinstance(r, dict) for r in value):
                yield value


def _told(record: dict[str, Any], value: Any, request: str) -> int:
    """How many of a record's other values the request says."""
    others = (
        str(v) for v in record.values() if v != value and isinstance(v, str | int) and not isinstance(v, bool)
    )
    return sum(
        len(o) > 1 and bool(re.search(rf"(?<!\w){re.escape(o)}(?!\w)", request, re.IGNORECASE))
        for o in others
    )
