"""Earlier calls of the dialogue that its tools do not allow."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look, schema_errors

WORDS = "An earlier call in the dialogue uses a tool that is not offered, or breaks its schema."
HARM = "warning"
_SLIPS = ("null_value", "own_default")


def look(view: Look) -> Iterator[Found]:
    """Yield one finding for each call of the context.

    The context teaches it as well as the label does.
    """
    for turn, message in enumerate(view.sample.messages):
        for at, call in enumerate(message.tool_calls):
            place = pointer("messages", turn, "tool_calls", at)
            if call.name not in view.tools:
                yield Found(f"turn {turn + 1}: {call.name} is not on offer", place)
                continue
            errors = [e for e in schema_errors(call, view.tools[call.name]) if e.kind not in _SLIPS]
            if errors:
                yield Found(f"turn {turn + 1}: {call.name}: {errors[0].message}", place)
