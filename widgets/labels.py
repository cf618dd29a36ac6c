"""A label as text for editing, and back; what is wrong with one while it is typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from looptool_kit.checks.rules import call_errors, call_faults, markup_errors
from looptool_kit.core.grading import reply_fault
from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Label, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.core.wire import json_forms
from looptool_kit.text.forms import breaks_form
from looptool_kit.widgets.detail import as_json
from looptool_kit.widgets.view import View

_CALLS = TypeAdapter(tuple[ToolCall, ...])
_FORM = "not of the form "
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "no such field",
    "dict_type": "must be an object, {...}",
    "model_type": "must be an object, {...}",
    "string_type": 'must be text, "..."',
    "bool_type": "must be true or false",
    "tuple_type": "must be a list, [...]",
}
"""What a person reads of a field that does not fit, by pydantic's type of error; others have its words."""


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
            unknown or of the wrong type; a call that the sample's tools do not allow, by their schemas or the
            forms that these describe; a reply that is empty or does not meet its own demands.
    """
    label = _parsed(text)
    wrong = [
        f"{label.calls[at].name}.{name}: {words}"
        for at, name, words in typed_faults(label.calls, sample.tools)
        if words.startswith(_FORM)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return checked(label, sample)


def _parsed(text: str) -> Label:
    text = text.strip()
    if text[:1] not in ("[", "{"):
        if json_forms.BARE.search(text):
            raise ValueError("this is read as a plain reply: calls stand alone, beginning with a bracket")
        return Label(reply=text)
    try:
        value = strict_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    if isinstance(value, dict) and "name" in value:
        value = [value]
    try:
        return (
            Label(calls=_CALLS.validate_python(value))
            if isinstance(value, list)
            else Label.model_validate(value)
        )
    except ValidationError as error:
        raise ValueError(
            "; ".join(
                f"{_place(e['loc'], value)}: {_WORDS.get(e['type'], e['msg'])}" for e in error.errors()[:5]
            )
        ) from None


def typed_faults(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> list[tuple[int, str, str]]:
    """What a tool's schema or its descriptions' forms refuse of typed calls.

    Returns:
        Number of the call, argument (empty: not any one's), and words.
    """
    found = []
    for at, call in enumerate(calls):
        faults = [(at, fault.argument, fault.reason) for fault in call_faults(call, tools)]
        wrong = {name for _, name, _ in faults}
        properties = next((t.properties for t in tools if t.name == call.name), {})
        for name, value in call.arguments.items():
            schema = properties.get(name)
            said = schema.get("description") if isinstance(schema, dict) else None
            if name in wrong or not (isinstance(value, str) and isinstance(said, str)):
                continue
            if form := breaks_form(value, said):
                faults.append((at, name, f"{_FORM}{form}"))
        found += faults
    return found


class LabelForm(View):
    """A view in which a label is typed."""

    def on_check(self, text: str, tools: list[dict[str, str]]) -> dict[str, Any]:
        """What is wrong with a label while it is typed.

        Args:
            tools: those on offer, as the page has them (`SampleDetail` in `js/types.d.ts`).

        Returns:
            `faults`: number of the call, argument, and words. Number -1: of the text itself.
        """
        try:
            calls = _parsed(text).calls
        except ValueError as error:
            return {"faults": [[-1, "", str(error)]]}
        offered = [Tool(**(t | {"parameters": json.loads(t["parameters"])})) for t in tools]
        return {"faults": [list(fault) for fault in typed_faults(calls, offered)]}


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
