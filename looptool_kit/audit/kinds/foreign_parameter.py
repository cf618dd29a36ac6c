"""Calls with a parameter that their tool does not have."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import ACCEPTABLE, DROPPED, Look, SchemaError, with_value
from looptool_kit.core.samples import Label
from looptool_kit.core.toolcalls import loose

WORDS = "A call, or an acceptable answer, has a parameter that the tool does not have."
HARM = "error"
_NEAR = 0.8
"""How like two names are of which one is taken for the other, by difflib's ratio."""


def look(view: Look) -> Iterator[Found]:
    """Find parameters that the tool does not have.

    Proposes the parameter of that name in another spelling, or nearly of that name where it is required and
    missing; else to leave it out, unless a required one is missing, whose value it may be.
    """
    label = view.sample.label
    for error in view.of_kind("foreign_parameter"):
        words = f"{label.calls[error.at].name}: {error.message}"
        yield Found(words, error.place, _repaired(view, label, error))
    for at, entry in enumerate(view.acceptable or ()):
        for name, values in entry.items():
            tool = view.tools.get(name.replace(".", "_")) or view.tools.get(name)
            known = tool.properties if tool else {}
            # A tool without any described parameter may take all.
            for parameter in values if known else ():
                if parameter not in known:
                    words = f"the acceptable answers speak of {parameter!r}, which {name} does not have"
                    yield Found(words, pointer("meta", ACCEPTABLE, at, name, parameter))


def _repaired(view: Look, label: Label, error: SchemaError) -> Label | None:
    if not error.path:
        return None
    call = label.calls[error.at]
    without = with_value(label, error.at, error.path, DROPPED)
    lacks = any(other.at == error.at for other in view.of_kind("missing_parameter"))
    if len(error.path) > 1:
        return None if lacks else without
    name, tool = str(error.path[0]), view.tools[call.name]
    free = [p for p in tool.properties if p not in call.arguments]
    alike = [p for p in free if loose(p) == loose(name)]
    alike = alike or get_close_matches(name, [p for p in free if p in tool.required], 2, _NEAR)
    if len(alike) != 1:
        return None if lacks else without
    return with_value(without, error.at, (alike[0],), call.arguments[name])
