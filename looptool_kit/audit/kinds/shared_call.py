"""One call that is accepted twice, where two different ones are wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import ACCEPTABLE, Look, shown
from looptool_kit.core.toolcalls import canonical

WORDS = "Two acceptable calls differ, and one and the same call is accepted for both."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Find two acceptable calls that one call satisfies.

    The same call twice passes, and one of the two things that were asked for is never done.
    """
    entries = view.acceptable or []
    for first, second in combinations(range(len(entries)), 2):
        common = shared(entries[first], entries[second])
        if common is not None:
            words = f"calls {first + 1} and {second + 1} differ, and {shown(common)} is accepted for both"
            yield Found(words, pointer("meta", ACCEPTABLE, second))


def shared(a: dict[str, dict[str, list[Any]]], b: dict[str, dict[str, list[Any]]]) -> dict[str, Any] | None:
    """Return arguments that two different entries accept, or None."""
    (name, of_a), (other, of_b) = next(iter(a.items())), next(iter(b.items()))
    if name != other or _sets(of_a) == _sets(of_b):
        return None
    call: dict[str, Any] = {}
    for parameter in dict.fromkeys((*of_a, *of_b)):
        # "" stands for leaving the parameter out, and so does saying nothing of it.
        mine, others = of_a.get(parameter, [""]), of_b.get(parameter, [""])
        there = {canonical(v) for v in others}
        both = [v for v in mine if canonical(v) in there]
        if not both:
            return None
        if said := [v for v in both if v != ""]:
            call[parameter] = said[0]
    return call


def _sets(values: dict[str, list[Any]]) -> str:
    return json.dumps({k: sorted(map(canonical, v)) for k, v in values.items()}, sort_keys=True)
