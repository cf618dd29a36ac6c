"""Requests that share a run of words with one's own test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.checks.contamination import RUN_WORDS, word_runs
from looptool_kit.core.samples import Sample, Samples

WORDS = f"With --against: a user's turn shares {RUN_WORDS} words in a row with one of the test set."
HARM = "warning"
COMPARES = True
"""With a test set: without one it finds nothing."""


def across(views: Sequence[Look], against: Samples | None) -> Iterator[tuple[int, Found]]:
    """Find users' turns that share words with the test set.

    As for public benchmarks, of what users say: tools and system turns are rightly shared.
    """
    if against is None:
        return
    theirs = {run: sample.id for sample in against for _, text in _said(sample) for run in word_runs(text)}
    for at, view in enumerate(views):
        for turn, text in _said(view.sample):
            if run := next((r for r in word_runs(text) if r in theirs), None):
                words = f"the words {run!r} stand in sample {theirs[run]} of the test set"
                yield at, Found(words, pointer("messages", turn, "content"))
                break


def _said(sample: Sample) -> Iterator[tuple[int, str]]:
    return ((at, m.content) for at, m in enumerate(sample.messages) if m.role == "user")
