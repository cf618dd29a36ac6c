"""Samples that nearly repeat another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look
from looptool_kit.checks.dedup import repeats
from looptool_kit.core.samples import Samples

WORDS = "Another sample says nearly the same in its dialogue, and has the same label."
HARM = "note"


def across(views: Sequence[Look], against: Samples | None) -> Iterator[tuple[int, Found]]:
    """Every row but the first of those alike.

    Exact repeats are `duplicate`. Turns of one row, whose dialogues hold each other, do not count.
    """
    places: dict[str, int] = {}
    for at, view in enumerate(views):
        places.setdefault(view.sample.id, at)
    once = list(places.values())
    for at, other in repeats([views[at].sample for at in once]).items():
        row = views[places[other]].row
        if row != views[once[at]].row:
            yield once[at], Found(f"nearly the same as row {row}")
