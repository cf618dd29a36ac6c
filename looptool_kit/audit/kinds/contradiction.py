"""Samples with the same tools and the same dialogue, and different labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.kinds.refused import refusal
from looptool_kit.audit.look import Look, shown
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import MatchOptions, canonical_calls, match

WORDS = "Another sample has the same tools and the same dialogue, and a label with other calls."
HARM = "error"
_AS_MEANT = MatchOptions(ignore_defaults=True)
"""An argument that repeats the tool's default says nothing else."""


def across(views: Sequence[Look], against: Samples | None) -> Iterator[tuple[int, Found]]:
    """Find equal requests with labels that differ; each of them is named.

    Whatever is answered, one of the labels counts it as wrong.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for at, view in enumerate(views):
        groups[_asked(view)].append(at)
    for group in groups.values():
        # One of each label is enough to compare with.
        different = {canonical_calls(views[at].sample.label.calls): at for at in reversed(group)}
        for at in group if len(different) > 1 else ():
            others = (o for o in different.values() if _contradict(views[at], views[o]))
            if (other := next(others, None)) is not None:
                first, second = (_words(views[i]) for i in (at, other))
                words = f"row {views[other].row} has the same input and {second}, this one {first}"
                yield at, Found(words, pointer("label"))


def _asked(view: Look) -> bytes:
    """What is the same for twins: tools in any order, turns whatever their case and spaces."""
    sample = view.sample
    tools = sorted(t.canonical for t in sample.tools)
    turns = [f"{m.role} {' '.join(m.content.casefold().split())} {m.tool_calls}" for m in sample.messages]
    text = "\n".join((*tools, "", *turns))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _contradict(a: Look, b: Look) -> bool:
    if a is b:
        return False
    if bool(a.sample.label.calls) != bool(b.sample.label.calls):
        return True
    if a.acceptable is not None or b.acceptable is not None:
        return not any(
            x.acceptable is not None and not refusal(x, y.sample.label) for x, y in ((a, b), (b, a))
        )
    try:
        return not match(a.sample.label, b.sample.label, _AS_MEANT, a.sample.tools)
    except (TypeError, ValueError, AttributeError):  # of tools that `schema` tells of
        return True


def _words(view: Look) -> str:
    calls = view.sample.label.calls
    return ", ".join(f"{c.name}({shown(c.arguments)})" for c in calls) or "no call"
