"""Samples that appear twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look
from looptool_kit.core.samples import Samples

WORDS = "The same sample stands in an earlier row: tools, dialogue and label."
HARM = "warning"


def across(views: Sequence[Look], against: Samples | None) -> Iterator[tuple[int, Found]]:
    """Every row but the first."""
    first: dict[str, int] = {}
    for at, view in enumerate(views):
        before = first.setdefault(view.sample.id, at)
        if before != at:
            yield at, Found(f"the same as row {views[before].row}")
