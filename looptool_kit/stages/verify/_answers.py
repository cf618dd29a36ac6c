"""An answer with what is known of it; comparing and showing values."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical, loose
from looptool_kit.text.grounding import is_default
from looptool_kit.text.grounding.moments import moment
from looptool_kit.text.grounding.places import STATES
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.words import SYNONYMS, stems


class Side(NamedTuple):
    """One of the two answers with what is known of it."""

    answer: Answer
    errors: list[str]
    """Why it does not parse or breaks a schema."""
    found: list[dict[str, Grounding]]
    """For each call, argument name -> its grounding."""

    def found_of(self, call: ToolCall) -> dict[str, Grounding]:
        """The groundings of one of its calls.

        The call is found by identity: an answer may hold equal ones.
        """
        return next(f for c, f in zip(self.answer.calls, self.found, strict=True) if c is call)


def schema_of(sample: Sample, call: ToolCall, name: str) -> dict[str, Any]:
    """The schema of a parameter, empty where there is none."""
    tool = sample.tool(call.name)
    schema = tool.properties.get(name) if tool else None
    return schema if isinstance(schema, dict) else {}


def same_call(a: ToolCall, b: ToolCall) -> bool:
    """True where two calls use one tool with the same arguments."""
    return a.name == b.name and canonical(a.arguments) == canonical(b.arguments)


def show(value: Any) -> str:
    """A value as JSON."""
    return json.dumps(value, ensure_ascii=False)


def is_left_out(value: Any, schema: dict[str, Any]) -> bool:
    """Tell whether a value means leaving the parameter out.

    Null, or the default.
    """
    return value is None or is_default(value, schema)


def equivalent(a: Any, b: Any) -> bool:
    """True for values that mean the same.

    They are equal up to case, punctuation, plural, and the form of a date or time.
    """
    if canonical(a) == canonical(b):
        return True
    if isinstance(a, str) and isinstance(b, str):
        return _same_text(a, b)
    if isinstance(a, list) and isinstance(b, list):
        if len(a) == len(b) and all(equivalent(x, y) for x, y in zip(a, b, strict=True)):
            return True
        # Names in another order are the same names; the order of numbers says something.
        return all(isinstance(x, str) for x in (*a, *b)) and sorted(map(loose, a)) == sorted(map(loose, b))
    return False


def _same_text(a: str, b: str) -> bool:
    if re.search(r"\d", a + b) and moment(a) is None:  # in a code every sign counts
        return a.casefold().split() == b.casefold().split()
    if loose(a) == loose(b) or stems(a) == stems(b) != ():
        return True
    if moment(a) is not None or moment(b) is not None:
        return moment(a) == moment(b)
    return bool(_names(a) & _names(b))


def _names(text: str) -> set[str]:
    """A text and what else it is called: a town with and without its region, the synonyms of either."""
    head, _, tail = (part.strip(" .") for part in text.partition(","))
    named = {text} | ({head} if tail in STATES or tail in STATES.values() else set())
    found = {" ".join(stems(form)) for name in named for form in (name, STATES.get(name, name))}
    return found | {" ".join(stems(other)) for name in found for other in SYNONYMS.get(name, ())} - {""}
