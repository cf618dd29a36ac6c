"""What an audit finds."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from looptool_kit.core.samples import Frozen, Label
from looptool_kit.core.tables import Table

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the gravest to the least."""


class Found(NamedTuple):
    """What one kind has found in one sample."""

    reason: str
    """One sentence."""
    place: str = ""
    """JSON pointer (RFC 6901) in the sample; empty for all of it."""
    repair: Label | None = None
    """The label that is proposed instead; None where only a person can tell."""


class Finding(Frozen):
    """One row of an audit."""

    row: int
    """Of the file or table, from 1."""
    sample_id: str
    """Empty where the row cannot be read as a sample."""
    kind: str
    severity: Severity
    reason: str
    place: str = ""
    repair: Label | None = None


class Findings(Table[Finding]):
    """A table of findings, by row."""

    row_type = Finding


def pointer(*parts: str | int) -> str:
    """The JSON pointer of a path: `/label/calls/0/arguments/date`."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)
