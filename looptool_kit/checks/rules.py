"""The rule tier: checks by rules that every written sample passes.

Part of EDDE (LoopTool section 3.5).

Tools with valid JSON Schemas and unique names, a dialogue in a legal order, calls that exist on offer and
satisfy their schema, arguments that the dialogue supports. Works on anybody's data: nothing here knows where
a sample came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jsonschema_rs

from looptool_kit.core.records import Check
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import SPECIAL
from looptool_kit.text.grounding import ground
from looptool_kit.text.grounding.scores import CANNOT_TELL, SAID_THRESHOLD
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.passages import Dialogue, Span, dialogue, overlap

GROUNDED = CANNOT_TELL
"""Least support of an argument that passes.

What nothing speaks against passes; what nothing supports, although it could be said, does not.
"""
MAX_CHOICES = 12
"""Choices that a message lists in full."""
MAX_NAMED = 3
"""Faults of one kind that a check's detail names."""

# ------------------------------------------------------------------- schemas

# RFC 3339 wants seconds and an offset; tool schemas use both formats for the local "18:30" and
# "2026-12-04T18:30" as well.
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_DATE = jsonschema_rs.Draft202012Validator({"type": "string", "format": "date"}, validate_formats=True)
_FORMATS: dict[str, Callable[[str], bool]] = {
    "time": lambda text: re.fullmatch(_CLOCK, text) is not None,
    "date-time": (
        lambda text: (
            len(text) > 10
            and text[10] in "T "
            and _DATE.is_valid(text[:10])
            and re.fullmatch(_CLOCK, text[11:]) is not None
        )
    ),
}
MAX_VALIDATORS = 50_000
"""Schemas whose validators are kept; with more all are forgotten, so that memory stays bounded."""
_COMPOSED = {
    "additionalProperties",
    "unevaluatedProperties",
    "patternProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "$ref",
    "if",
    "propertyNames",
}
"""Keywords that may allow properties which are not listed; such a schema is left as it is."""
_validators: dict[int, tuple[dict[str, Any], jsonschema_rs.Validator | None, str]] = {}


def _closed(schema: Any, top: bool = False) -> Any:
    """The schema, closed: no properties beside those that an object lists.

    By JSON Schema anything else would be allowed, and a made-up argument would pass.
    """
    if isinstance(schema, list):
        return [_closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            out[key] = {name: _closed(s) for name, s in value.items()}
        elif key in ("items", "anyOf", "oneOf", "prefixItems"):
            out[key] = _closed(value)
        else:
            out[key] = value
    # Inside, an object without a single described property is free.
    if (top or schema.get("properties")) and not _COMPOSED & set(schema):
        out["additionalProperties"] = False
    return out


@lru_cache(4096)
def _compiled(text: str) -> tuple[jsonschema_rs.Validator | None, str]:
    """The validator of a schema in JSON, or None and why."""
    schema = json.loads(text)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind != "object":
        return None, (
            f"parameters must be a JSON Schema of type object, not {kind!r}; wrap them as {{'type':"
            " 'object', 'properties': ...}"
        )
    try:
        jsonschema_rs.meta.validate(schema)
        unknown = [r for r in schema.get("required", ()) if r not in schema.get("properties", {})]
        if unknown and not _COMPOSED & set(schema):
            return None, f"required names {unknown[0]!r}, which is not among the properties"
        # Offline: a reference must not make the check fetch anything.
        validator = jsonschema_rs.validator_for(
            _closed(schema, top=True), formats=_FORMATS, validate_formats=True, offline=True
        )
        return validator, ""
    except jsonschema_rs.ValidationError as error:
        return None, f"not a valid JSON Schema at {_where(error.instance_path)}: {error.message}"
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return None, f"not a usable JSON Schema: {error}"


def validator_of(tool: Tool) -> tuple[jsonschema_rs.Validator | None, str]:
    """Return the validator of a tool's arguments, closed.

    None and why where its schema is not usable.
    """
    # By identity first: samples share their tools, and hashing a schema costs more than validating a call.
    # The schema is kept alive, so that its id stays its own.
    schema = tool.parameters
    validator = _validators.get(id(schema))
    if validator is None or validator[0] is not schema:
        if len(_validators) > MAX_VALIDATORS:
            _validators.clear()
        try:
            text = json.dumps(schema, sort_keys=True)
        except (TypeError, ValueError) as error:
            return None, f"not JSON: {error}"
        validator = _validators[id(schema)] = (schema, *_compiled(text))
    return validator[1], validator[2]


def _where(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path)) or "the top"


def check_tool(tool: Tool) -> tuple[Check, ...]:
    """One check, `schema`: the parameters are a valid object schema."""
    validator, reason = validator_of(tool)
    return (
        Check(name="schema", passed=validator is not None, detail=f"{tool.name}: {reason}" if reason else ""),
    )


def call_errors(call: ToolCall, tools: Sequence[Tool]) -> list[str]:
    """Say what is wrong with a call; empty where it is valid.

    A tool that is not on offer, or missing, unknown or ill-typed arguments.
    """
    return [fault.words for fault in call_faults(call, tools)]


class CallFault(NamedTuple):
    """One thing that is wrong with a call."""

    argument: str
    """Empty: not any one argument's."""
    words: str
    """With the place in front."""
    reason: str
    """The same without the place."""


def call_faults(call: ToolCall, tools: Sequence[Tool]) -> Iterator[CallFault]:
    """What is wrong with a call, argument by argument."""
    tool = next((t for t in tools if t.name == call.name), None)
    if tool is None:
        yield CallFault("", f"{call.name} is not on offer", "it is not on offer")
        return
    validator, reason = validator_of(tool)
    if validator is None:
        yield CallFault("", f"{call.name}: {reason}", reason)
    elif not validator.is_valid(call.arguments):
        for e in validator.iter_errors(call.arguments):
            path, message = tuple(e.instance_path), _message(e)
            yield CallFault(_argument(e), f"{'.'.join(map(str, (call.name, *path)))}: {message}", message)


def _argument(error: jsonschema_rs.ValidationError) -> str:
    """The argument that an error is about; empty where it is about several."""
    if error.instance_path:
        return str(error.instance_path[0])
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        return str(error.kind.property)
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return str(error.kind.unexpected[0])
    return ""


def _message(error: jsonschema_rs.ValidationError) -> str:
    """What is wrong, with all choices where they are few: the validator's own words name two."""
    kind = error.kind
    if not isinstance(kind, jsonschema_rs.ValidationErrorKind.Enum) or len(kind.options) > MAX_CHOICES:
        return error.message
    given, *choices = (json.dumps(v, ensure_ascii=False) for v in (error.instance, *kind.options))
    return f"{given} is not one of {', '.join(choices)}"


# ------------------------------------------------------------------ dialogue


class DialogueFault(NamedTuple):
    """One thing that is wrong with the form of a context."""

    kind: Literal["empty", "results", "turns"]
    """A turn without content; calls and results that do not go together; the order of roles."""
    turn: int
    """From 1; 0 for the whole dialogue."""
    words: str


def dialogue_errors(messages: Sequence[Message]) -> Iterator[str]:
    """What is wrong with the form of a context, in words."""
    return (fault.words for fault in dialogue_faults(messages))


def dialogue_faults(messages: Sequence[Message]) -> Iterator[DialogueFault]:
    """What is wrong with the form of a context.

    The order of roles, empty turns, tool results without a call, an end that is not the assistant's turn.
    """
    if not messages:
        yield DialogueFault("empty", 0, "the dialogue is empty")
        return
    if not any(m.role == "user" for m in messages):
        yield DialogueFault("turns", 0, "the user never speaks")
    last = messages[-1].role
    if last not in ("user", "tool"):
        words = f"the dialogue ends on {last}, so it is not the assistant's turn"
        yield DialogueFault("turns", len(messages), words)
    waiting: list[str] = []
    before = ""
    for at, m in enumerate(messages, 1):
        if not m.content.strip() and not m.tool_calls and m.role != "tool":  # a tool may return nothing
            yield DialogueFault("empty", at, f"turn {at} ({m.role}) is empty")
        if m.tool_calls and m.role != "assistant":
            yield DialogueFault("turns", at, f"turn {at}: {m.role} makes tool calls")
        if m.role == "tool":
            if not waiting:
                yield DialogueFault("results", at, f"turn {at}: a tool result that answers no call")
            elif m.name is None:  # one observation of all calls
                waiting.clear()
            elif m.name in waiting:
                waiting.remove(m.name)
            else:
                words = f"turn {at}: a result of {m.name}, which was not called"
                yield DialogueFault("results", at, words)
        else:
            if waiting:
                yield DialogueFault("results", at, f"turn {at}: the call of {waiting[0]} has no result")
            waiting = [c.name for c in m.tool_calls]
            if m.role == before and m.role == "assistant":
                yield DialogueFault("turns", at, f"turn {at}: two {m.role} turns in a row")
        before = m.role
    if waiting:
        yield DialogueFault("results", len(messages), f"the call of {waiting[0]} has no result")


# -------------------------------------------------------------------- sample


def markup_errors(label: Label) -> list[str]:
    """Where a label holds markup of a chat template (`toolcalls.SPECIAL`).

    A policy would learn to write it as text.
    """
    texts = [("the reply", label.reply)]
    texts += [
        (f"a call of {c.name}", json.dumps([c.name, c.arguments], ensure_ascii=False)) for c in label.calls
    ]
    return [f"{where} in the label holds {mark}" for where, text in texts for mark in SPECIAL if mark in text]


def label_errors(label: Label) -> list[str]:
    """Say what is wrong with the form of a label.

    Whatever its sample: it is empty, two things, or markup.
    """
    errors = []
    if not label.calls and not label.reply.strip():
        errors.append("the label is empty: neither calls nor a reply")
    if label.calls and (label.asks or label.mentions):
        errors.append("the label has calls, and says what a plain reply must contain")
    return errors + markup_errors(label)


def groundings(call: ToolCall, tools: Sequence[Tool], d: Dialogue) -> dict[str, Grounding]:
    """How far each argument of a call is supported, by name.

    A tool that is not on offer lends no schema.
    """
    tool = next((t for t in tools if t.name == call.name), None)
    properties = tool.properties if tool else {}
    return {name: ground(value, properties.get(name), d, name) for name, value in call.arguments.items()}


def _of_another_call(sample: Sample, call: ToolCall, name: str, d: Dialogue) -> bool:
    """True where another call of the label uses the named choice.

    "Heat the hall and cool the office" names both, each for its call, as "one as a ratio, one as a decimal"
    names a flag that is on in one call and off in the other.
    """
    if call.arguments[name] is False:
        return any(
            c is not call and c.name == call.name and c.arguments.get(name) is True
            for c in sample.label.calls
        )
    tool = next((t for t in sample.tools if t.name == call.name), None)
    schema = tool.properties.get(name) if tool else None
    if (
        len(sample.label.calls) < 2
        or not isinstance(schema, dict)
        or call.arguments[name] not in schema.get("enum", ())
    ):
        return False
    others = [c for c in sample.label.calls if c is not call]
    used = _said_places(g for c in others for g in groundings(c, sample.tools, d).values())
    rivals = [ground(o, schema, d, name) for o in schema["enum"] if o != call.arguments[name]]
    places = _said_places(rivals)
    return any(g.supported >= SAID_THRESHOLD for g in rivals) and all(
        any(overlap(u, s) for u in used) for s in places
    )


def _said_places(grounded: Iterable[Grounding]) -> list[Span]:
    return [s for g in grounded if g.supported >= SAID_THRESHOLD for s in g.spans]


def check_sample(sample: Sample, grounding: bool = True) -> tuple[Check, ...]:
    """Run the rule tier on a sample.

    Tools, dialogue, calls, and if asked for grounding, in order. Grounding takes most of the time.
    `detail` says what is wrong, with the remedy or the reason; of many things the first three.
    """
    names = [t.name for t in sample.tools]
    # Not by `check_tool`: most tools are in order, and each check is a model of its own.
    tools = [f"{t.name}: {reason}" for t in sample.tools for _, reason in (validator_of(t),) if reason]
    tools += [f"{n} appears twice among the tools" for n in dict.fromkeys(names) if names.count(n) > 1]
    form = [*dialogue_errors(sample.messages), *label_errors(sample.label)]
    calls = [e for c in sample.label.calls for e in call_errors(c, sample.tools)]
    # Arguments that break the schema are wrong already.
    results = {"tools": tools, "dialogue": form, "calls": calls}
    if grounding:
        results["grounding"] = list(_grounding_errors(sample)) if sample.label.calls and not calls else []
    return tuple(
        Check(name=name, passed=not wrong, detail="; ".join(wrong[:MAX_NAMED]))
        for name, wrong in results.items()
    )


def form_faults(sample: Sample) -> list[str]:
    """Return what breaks the rule tier, grounding left out.

    In foreign data grounding is for judges.
    """
    checks = check_sample(sample, grounding=False)
    return [f"{c.name}: {c.detail}" for c in checks if not c.passed]


def _grounding_errors(sample: Sample) -> Iterator[str]:
    for at, name, g in ungrounded(sample):
        call = sample.label.calls[at]
        value = json.dumps(call.arguments[name], ensure_ascii=False)
        yield f"{call.name}.{name} = {value}: {g.words}"


def ungrounded(sample: Sample) -> Iterator[tuple[int, str, Grounding]]:
    """The label's arguments that nothing supports: number of the call, parameter, grounding."""
    d = dialogue(sample)
    for at, call in enumerate(sample.label.calls):
        for name, g in groundings(call, sample.tools, d).items():
            if g.supported < GROUNDED and not _of_another_call(sample, call, name, d):
                yield at, name, g


def passes(sample: Sample) -> bool:
    """True where every check of the rule tier passes."""
    return all(c.passed for c in check_sample(sample))
