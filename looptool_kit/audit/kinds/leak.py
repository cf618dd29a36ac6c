"""Samples that one's own test set holds too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look
from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.core.samples import Samples

WORDS = "With --against: the sample repeats, or nearly repeats, one of the test set."
HARM = "error"
COMPARES = True
"""With a test set: without one it finds nothing."""


def across(views: Sequence[Look], against: Samples | None) -> Iterator[tuple[int, Found]]:
    """What counts as nearly the same is what deduplication drops."""
    if against is None:
        return
    ids, seen = set(against.by_id()), Deduplicator(against)
    for at, view in enumerate(views):
        if view.sample.id in ids:
            yield at, Found(f"sample {view.sample.id} of the test set is the same")
        elif (other := seen.duplicate_of(view.sample)) is not None:
            yield at, Found(f"sample {other} of the test set is nearly the same")
