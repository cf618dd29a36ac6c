"""What tests read off samples of the procedural world."""

from __future__ import annotations

from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.world import core
from looptool_kit.world.spec import specs


def calls_of(sample: Sample) -> list[ToolCall]:
    """The calls of the label and of the context."""
    return [*sample.label.calls, *(c for m in sample.messages for c in m.tool_calls)]


def values_of(sample: Sample) -> list[tuple[str, bool]]:
    """The values that were drawn for the calls, each with whether it is held out."""
    return [
        pair
        for c in calls_of(sample)
        for k, v in c.arguments.items()
        for pair in core.seen_values(specs()[c.name].by_name[k].type, v)
    ]
