"""The form `looptool`: the project's own rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.formats._parts import json_or_text
from looptool_kit.formats._turns import Left

_NESTED = ("tools", "messages", "label", "meta")
"""Columns that a file may hold as JSON text."""
COLUMNS = frozenset(Sample.model_fields)


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `messages` and `label`."""
    return "messages" in row and "label" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample]:
    """Yield the row's one sample; unknown columns are ignored."""
    fields = {k: v for k, v in row.items() if k in Sample.model_fields and v is not None}
    yield Sample.model_validate({k: json_or_text(v) if k in _NESTED else v for k, v in fields.items()})


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample."""
    return sample.model_dump(mode="json")
