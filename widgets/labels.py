"""A label as text for editing, and back."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from looptool_kit.checks.rules import call_errors, markup_errors
from looptool_kit.core.grading import reply_fault
from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.widgets.detail import as_json

_CALLS = TypeAdapter(tuple[ToolCall, ...])


def label_text(label: Label) -> str:
    """The label as text for editing.

    Calls become a JSON list, a plain reply stays as it is. A reply with demands becomes the whole label as
    JSON.
    """
    if label.calls:
        return as_json([c.model_dump() for c in label.calls], indent=1)
    if label.mentions or label.asks:
        return as_json(label.model_dump(exclude={"calls"}), indent=1)
    return label.reply


def read_label(text: str, sample: Sample) -> Label:
    """The label that a text stands for.

    Args:
        text: a JSON list of calls (or one call), a JSON object with a label's fields, or a plain reply.
        sample: whose label it becomes.

    Raises:
        ValueError: names what is wrong. JSON that does not parse, with its place; a field that is missing,
            unknown or of the wrong type; a call that the sample's tools do not allow; a reply that is empty
            or does not meet its own demands.
    """
    text = text.strip()
    if text[:1] not in ("[", "{"):
        return checked(Label(reply=text), sample)
    try:
        value = strict_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    if isinstance(value, dict) and "name" in value:
        value = [value]
    try:
        label = (
            Label(calls=_CALLS.validate_python(value))
            if isinstance(value, list)
            else Label.model_validate(value)
        )
    except ValidationError as error:
        raise ValueError(
            "; ".join(f"{_place(e['loc'], value)}: {e['msg']}" for e in error.errors()[:5])
        ) from None
    return checked(label, sample)


def tools_of(label: Label) -> tuple[str, ...]:
    """Return the tools that a label calls, each once.

    As tables of the views show them.
    """
    return tuple(dict.fromkeys(c.name for c in label.calls)) or ("(plain reply)",)


def predicted_label(answer: Answer) -> Label:
    """The prediction as a label; raises `ValueError` where it did not parse."""
    if answer.error:
        raise ValueError(f"the prediction is {answer.error} ({answer.detail}), so it cannot be a label")
    return answer.label


def checked(label: Label, sample: Sample) -> Label:
    """The label, if the sample can have it and does not yet.

    Raises:
        ValueError: names what is wrong.
    """
    errors = [error for call in label.calls for error in call_errors(call, sample.tools)] + markup_errors(
        label
    )
    if label.calls and (label.reply or label.mentions or label.asks):
        errors.append("a label is calls or a plain reply, not both")
    if not label.calls and not label.reply.strip():
        errors.append("there is neither a call nor a reply")
    elif not label.calls and (fault := reply_fault(label.reply, label)):
        expected = fault.expected if isinstance(fault.expected, list) else [fault.expected]
        errors.append(f"the reply must be or hold: {' or '.join(map(str, expected))}")
    if not errors and _content(label) == _content(sample.label):
        errors.append(
            "the sample has this label already: if it is right, the verdict is PRED_WRONG or BOTH_CORRECT"
        )
    if errors:
        raise ValueError("; ".join(errors))
    return label


def _place(path: tuple[int | str, ...], value: Any) -> str:
    words = [
        f"call {p + 1}" if isinstance(p, int) and at == 0 and isinstance(value, list) else str(p)
        for at, p in enumerate(path)
    ]
    return ".".join(words) or "the label"


def _content(label: Label) -> str:
    # As a sample's id sees it: by value, but true apart from 1.
    return json.dumps(label.model_dump(), sort_keys=True)
