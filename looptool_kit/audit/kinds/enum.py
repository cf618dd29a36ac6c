"""Arguments that are not among the values which the tool allows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look, never, shown, value_at, with_value
from looptool_kit.core.toolcalls import loose

WORDS = "An argument is not among the values that the tool allows."
HARM = "error"
_EXAMPLES = re.compile(r"\b(?:examples?|e\.g\.|such as|for instance)", re.IGNORECASE)
_ALLOWED = re.compile(
    r"\b(?:one of|either|allowed|options?|choose|choices?|possible values?|valid)\b",
    re.IGNORECASE,
)


def look(view: Look) -> Iterator[Found]:
    """Proposes the one allowed value that differs in case and punctuation alone."""
    label = view.sample.label
    for error in view.of_kind("enum"):
        if holds_examples(error.schema) or never(error.schema):
            continue
        call = label.calls[error.at]
        value = value_at(call.arguments, error.path)
        choices = error.schema.get("enum")
        listed = choices if isinstance(choices, list) else []
        alike = [c for c in listed if loose(str(c)) == loose(str(value))]
        repair = with_value(label, error.at, error.path, alike[0]) if len(alike) == 1 else None
        where = ".".join(map(str, (call.name, *error.path)))
        words = f"{where} is {shown(value)}, and the tool allows {shown(choices)}"
        yield Found(words, error.place, repair)


def holds_examples(schema: Mapping[str, Any]) -> bool:
    """Tell whether an enum lists examples only, by its own description.

    As "Examples: 'a', 'b'" says.
    """
    described, choices = schema.get("description"), schema.get("enum")
    if not isinstance(described, str) or not isinstance(choices, list) or _ALLOWED.search(described):
        return False
    mark = _EXAMPLES.search(described)
    texts = [c for c in choices if isinstance(c, str)]
    return mark is not None and bool(texts) and all(t in described[mark.end() :] for t in texts)
