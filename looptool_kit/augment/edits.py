"""What perturbations share: where values stand, and changed copies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from looptool_kit.augment.slots import bounded, leaves
from looptool_kit.checks.rules import groundings
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.text.passages import dialogue, supporting
from looptool_kit.text.recognise import recognise

Span = tuple[int, int]


def updated(sample: Sample, **update: Any) -> Sample:
    return sample.model_copy(update=update)


def saying(sample: Sample, texts: Mapping[int, str]) -> Sample:
    """The sample with other words in some messages."""
    return updated(
        sample,
        messages=tuple(
            m.model_copy(update={"content": texts.get(at, m.content)}) for at, m in enumerate(sample.messages)
        ),
    )


def request_at(sample: Sample) -> int:
    """The index of the user's last message, -1 without one."""
    return max((at for at, m in enumerate(sample.messages) if m.role == "user" and m.content), default=-1)


def calls_of(sample: Sample) -> Iterator[ToolCall]:
    yield from sample.label.calls
    yield from (c for m in sample.messages for c in m.tool_calls)


def texts_of(sample: Sample) -> set[str]:
    """Every string in a call of the label or the context."""
    return {
        leaf
        for call in calls_of(sample)
        for v in call.arguments.values()
        for leaf, _ in leaves(v, None)
        if isinstance(leaf, str)
    }


def literal_spans(sample: Sample, text: str) -> list[Span]:
    """Where values stand to the letter, quotes and codes."""
    spans = [
        f.span()
        for value in texts_of(sample)
        for v in {value, value.replace("_", " ")}
        for f in re.finditer(bounded(v), text)
    ]
    return spans + [
        (m.start, m.end) for m in recognise(text) if m.kind in ("email", "url", "phone", "code", "quote")
    ]


def value_spans(sample: Sample, at: int) -> list[Span]:
    """Where message `at` carries values, in whatever form.

    These are values of calls, and any other value that can be read.
    """
    text, said = sample.messages[at].content, dialogue(sample)
    passage = supporting(sample.messages).index(at)
    grounds = [g for call in calls_of(sample) for g in groundings(call, sample.tools, said).values()]
    spans = [(start, end) for g in grounds for n, start, end in g.spans if n == passage]
    return spans + literal_spans(sample, text) + [(m.start, m.end) for m in recognise(text, said.today)]


def is_free(span: Span, taken: Sequence[Span]) -> bool:
    return not any(s < span[1] and span[0] < e for s, e in taken)
