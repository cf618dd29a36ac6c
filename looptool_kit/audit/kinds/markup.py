"""Labels that hold the markup of a chat template."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.checks.rules import markup_errors

WORDS = "The label holds markup of a chat template, which a model would learn to write as text."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """One finding for each mark."""
    return (Found(words, pointer("label")) for words in markup_errors(view.sample.label))
