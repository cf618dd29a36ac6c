"""Errors of every kind that `looptool audit` looks for, planted in right samples.

A plant is a function (sample, rng, values) -> samples, the planted one last, or None where it has no place.
It never asks the audit: what a kind finds is compared with what was planted.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

from looptool_kit.audit.look import ACCEPTABLE
from looptool_kit.augment.planting import Values, plant
from looptool_kit.core.samples import Label, Message, Sample, ToolCall
from looptool_kit.core.toolcalls import canonical

Planted = list[Sample] | None
Plant = Callable[[Sample, Random, Values], Planted]


def _relabel(sample: Sample, label: Label | None) -> Planted:
    return [sample.model_copy(update={"label": label, "meta": {}})] if label is not None else None


def _arguments(sample: Sample, rng: Random) -> tuple[int, ToolCall, dict[str, Any]] | None:
    """A call of the label, with a copy of its arguments to spoil."""
    places = [at for at, c in enumerate(sample.label.calls) if c.arguments and sample.tool(c.name)]
    if not places:
        return None
    at = rng.choice(places)
    return at, sample.label.calls[at], copy.deepcopy(dict(sample.label.calls[at].arguments))


def _spoilt(sample: Sample, at: int, arguments: dict[str, Any], name: str = "") -> Planted:
    calls = list(sample.label.calls)
    calls[at] = ToolCall(name=name or calls[at].name, arguments=arguments)
    return _relabel(sample, Label(calls=tuple(calls)))


def _schemas(sample: Sample, call: ToolCall) -> dict[str, Any]:
    tool = sample.tool(call.name)
    return {k: v for k, v in (tool.properties if tool else {}).items() if isinstance(v, dict)}


def _texts(arguments: dict[str, Any], names: list[str]) -> list[str]:
    """Those of the parameters whose argument is a text."""
    return [k for k in names if isinstance(arguments.get(k), str)]


def schema(sample: Sample, rng: Random, values: Values) -> Planted:
    """A type that JSON Schema does not have, a required name without a property, or a tool twice."""
    if not sample.tools:
        return None
    at = rng.randrange(len(sample.tools))
    tools, tool = list(sample.tools), sample.tools[at]
    parameters = copy.deepcopy(tool.parameters)
    way = rng.randrange(3)
    if way == 0:
        parameters.setdefault("properties", {})["note"] = {"type": "a string, please"}
    elif way == 1:
        parameters["required"] = [*parameters.get("required", []), "not_described"]
    else:
        tools.append(tool)
    tools[at] = tool.model_copy(update={"parameters": parameters})
    return [sample.model_copy(update={"tools": tuple(tools), "meta": {}})]


def unknown_tool(sample: Sample, rng: Random, values: Values) -> Planted:
    """The called tool is not offered, or the call has its name in another spelling."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    rest = tuple(t for t in sample.tools if t.name != call.name)
    if rest and rng.random() < 0.5:
        return [sample.model_copy(update={"tools": rest, "meta": {}})]
    other = call.name.replace("_", "-") if "_" in call.name else f"{call.name}_v2"
    return _spoilt(sample, at, arguments, other)


def missing_parameter(sample: Sample, rng: Random, values: Values) -> Planted:
    """A required argument is gone."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    tool = sample.tool(call.name)
    required = [n for n in (tool.required if tool else ()) if n in arguments]
    if not required:
        return None
    del arguments[rng.choice(required)]
    return _spoilt(sample, at, arguments)


def foreign_parameter(sample: Sample, rng: Random, values: Values) -> Planted:
    """A parameter in another spelling, or one that no tool has."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, _, arguments = picked
    name = rng.choice(list(arguments))
    if rng.random() < 0.5 and "_" in name:
        arguments[name.replace("_", "")] = arguments.pop(name)
    else:
        arguments["urgency_of_it"] = 3
    return _spoilt(sample, at, arguments)


def type_(sample: Sample, rng: Random, values: Values) -> Planted:
    """A number as text, a text as a list, a truth value as a word."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    names = [k for k, s in _schemas(sample, call).items() if k in arguments and s.get("type")]
    if not names:
        return None
    name = rng.choice(names)
    value = arguments[name]
    if isinstance(value, bool):
        arguments[name] = str(value)
    elif isinstance(value, int | float):
        arguments[name] = json.dumps(value)
    elif isinstance(value, str):
        arguments[name] = [value]
    else:
        arguments[name] = json.dumps(value)
    return _spoilt(sample, at, arguments)


def enum(sample: Sample, rng: Random, values: Values) -> Planted:
    """A choice in another case, or another word."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    chosen = _texts(arguments, [k for k, s in _schemas(sample, call).items() if "enum" in s])
    if not chosen:
        return None
    name = rng.choice(chosen)
    old = arguments[name]
    arguments[name] = old.upper() if rng.random() < 0.5 and old.upper() != old else f"{old} or so"
    return _spoilt(sample, at, arguments)


def format_(sample: Sample, rng: Random, values: Values) -> Planted:
    """A date or time in another form than the schema's."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    given = _texts(arguments, [k for k, s in _schemas(sample, call).items() if "format" in s])
    given = [k for k in given if set(arguments[k]) & set("-:")]
    if not given:
        return None
    name = rng.choice(given)
    arguments[name] = arguments[name].replace("-", "/").replace(":", ".")
    return _spoilt(sample, at, arguments)


def acceptable_of(label: Label) -> list[dict[str, Any]] | None:
    """The label's calls as the only acceptable answers; None for objects, whose form is another."""
    if not label.calls or any(isinstance(v, dict | list) for c in label.calls for v in c.arguments.values()):
        return None
    return [{c.name: {k: [v] for k, v in c.arguments.items()}} for c in label.calls]


def _accepting(sample: Sample, acceptable: Any) -> Sample:
    return sample.model_copy(update={"meta": {ACCEPTABLE: acceptable}})


def refused(sample: Sample, rng: Random, values: Values) -> Planted:
    """The acceptable answers stay, the label has another value."""
    acceptable, wrong = acceptable_of(sample.label), plant(sample, "wrong_value", rng, values)
    if acceptable is None or wrong is None:
        return None
    return [_accepting(sample.model_copy(update={"label": wrong}), acceptable)]


def forbidden_answers(sample: Sample, rng: Random, values: Values) -> Planted:
    """All acceptable values of a choice or a number are such as the tool does not take."""
    acceptable = acceptable_of(sample.label)
    if not acceptable:
        return None
    at, call = rng.choice(list(enumerate(sample.label.calls)))
    hard = [
        k
        for k, s in _schemas(sample, call).items()
        if k in call.arguments and ("enum" in s or s.get("type") in ("integer", "number", "boolean"))
    ]
    if not hard:
        return None
    acceptable[at][call.name][rng.choice(hard)] = ["about as before", "as you like"]
    return [_accepting(sample, acceptable)]


def shared_call(sample: Sample, rng: Random, values: Values) -> Planted:
    """The second of two calls of one tool also accepts what the first has."""
    acceptable = acceptable_of(sample.label)
    names = [c.name for c in sample.label.calls]
    if acceptable is None or len(names) < 2 or names[0] != names[1]:
        return None
    first, second = acceptable[0][names[0]], acceptable[1][names[1]]
    if canonical(first) == canonical(second) or first.keys() != second.keys():
        return None
    for parameter, accepted in second.items():
        accepted += [v for v in first[parameter] if canonical(v) not in map(canonical, accepted)]
    return [_accepting(sample, acceptable)]


def contradiction(sample: Sample, rng: Random, values: Values) -> Planted:
    """A twin with another label."""
    wrong = plant(
        sample, rng.choice(("wrong_value", "missing_call", "question_instead_of_call")), rng, values
    )
    return None if wrong is None else [sample, sample.model_copy(update={"label": wrong, "meta": {}})]


def duplicate(sample: Sample, rng: Random, values: Values) -> Planted:
    """The same once more."""
    return [sample, sample.model_copy(update={"meta": {}})]


def near_duplicate(sample: Sample, rng: Random, values: Values) -> Planted:
    """A word more in what the user says, and the same label."""
    if len(sample.request.split()) < 10:
        return None
    return [sample, _said(sample, f"{sample.request} Thanks!")]


def _said(sample: Sample, text: str) -> Sample:
    """The sample with other words in the user's last turn."""
    last = max(i for i, m in enumerate(sample.messages) if m.role == "user")
    messages = list(sample.messages)
    messages[last] = messages[last].model_copy(update={"content": text})
    return sample.model_copy(update={"messages": tuple(messages), "meta": {}})


def repeated_call(sample: Sample, rng: Random, values: Values) -> Planted:
    """One call twice."""
    return _relabel(sample, plant(sample, "extra_call", rng, values))


def empty(sample: Sample, rng: Random, values: Values) -> Planted:
    """A user who says nothing, or a label without anything."""
    return [_said(sample, " ")] if rng.random() < 0.5 else _relabel(sample, Label())


def results(sample: Sample, rng: Random, values: Values) -> Planted:
    """A result that nobody asked for, or a call whose result is gone."""
    messages = list(sample.messages)
    there = [i for i, m in enumerate(messages) if m.role == "tool"]
    if there and rng.random() < 0.5:
        del messages[rng.choice(there)]
        if messages[-1].role == "assistant":
            return None  # then it is the end that is wrong
    else:
        messages.append(Message(role="tool", content='{"ok": true}', name="some_tool"))
    return [sample.model_copy(update={"messages": tuple(messages), "meta": {}})]


def turns(sample: Sample, rng: Random, values: Values) -> Planted:
    """The assistant has spoken already."""
    messages = (*sample.messages, Message(role="assistant", content="Of course."))
    return [sample.model_copy(update={"messages": messages, "meta": {}})]


def markup(sample: Sample, rng: Random, values: Values) -> Planted:
    """The end mark of a chat template in the label."""
    if not sample.label.calls:
        return _relabel(sample, Label(reply=f"{sample.label.reply}<|im_end|>"))
    if not (picked := _arguments(sample, rng)):
        return None
    at, _, arguments = picked
    texts = [k for k, v in arguments.items() if isinstance(v, str)]
    if not texts:
        return None
    arguments[rng.choice(texts)] += "<|im_end|>"
    return _spoilt(sample, at, arguments)


def truncated(sample: Sample, rng: Random, values: Values) -> Planted:
    """A reply, a text in a call or a result is cut at any word or character."""
    answers = [i for i, m in enumerate(sample.messages) if m.role == "tool" and m.content.startswith("{")]
    if answers and rng.random() < 0.5:
        at = rng.choice(answers)
        messages = list(sample.messages)
        content = messages[at].content
        messages[at] = messages[at].model_copy(update={"content": content[: max(3, len(content) * 2 // 3)]})
        return [sample.model_copy(update={"messages": tuple(messages), "meta": {}})]
    words = sample.label.reply.split()
    if len(words) > 6:
        return _relabel(sample, Label(reply=" ".join(words[: rng.randrange(4, len(words) - 1)])))
    return None


def earlier_call(sample: Sample, rng: Random, values: Values) -> Planted:
    """A call in the dialogue has a parameter that its tool does not have."""
    called = [i for i, m in enumerate(sample.messages) if m.tool_calls]
    if not called:
        return None
    at = rng.choice(called)
    messages = list(sample.messages)
    first, *rest = messages[at].tool_calls
    first = first.model_copy(update={"arguments": {**first.arguments, "urgency_of_it": 3}})
    messages[at] = messages[at].model_copy(update={"tool_calls": (first, *rest)})
    return [sample.model_copy(update={"messages": tuple(messages), "meta": {}})]


def grounding(sample: Sample, rng: Random, values: Values) -> Planted:
    """A value that obeys the schema and that the user did not say."""
    return _relabel(sample, plant(sample, "wrong_value", rng, values))


def odd_enum(sample: Sample, rng: Random, values: Values) -> Planted:
    """The enum of a text parameter lists examples, and the label holds none of them."""
    if not (picked := _arguments(sample, rng)):
        return None
    _, call, arguments = picked
    free = [k for k, s in _schemas(sample, call).items() if s.get("type") == "string" and "enum" not in s]
    free = [k for k in free if k in arguments]
    if not free:
        return None
    tools = list(sample.tools)
    at = next(i for i, t in enumerate(tools) if t.name == call.name)
    parameters = copy.deepcopy(tools[at].parameters)
    name = rng.choice(free)
    part = {"type": "string", "enum": ["this one", "that one"]}
    part["description"] = "What it is about. Examples: 'this one', 'that one'."
    parameters["properties"][name] = part
    tools[at] = tools[at].model_copy(update={"parameters": parameters})
    return [sample.model_copy(update={"tools": tuple(tools), "meta": {}})]


def null_value(sample: Sample, rng: Random, values: Values) -> Planted:
    """An argument, or one that was not given, is null."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    typed = [k for k, s in _schemas(sample, call).items() if isinstance(s.get("type"), str)]
    typed = [k for k in typed if _schemas(sample, call)[k].get("default", "") is not None]
    if not typed:
        return None
    arguments[rng.choice(typed)] = None
    return _spoilt(sample, at, arguments)


def own_default(sample: Sample, rng: Random, values: Values) -> Planted:
    """The tool's default is a word outside its enum, and the label repeats it."""
    if not (picked := _arguments(sample, rng)):
        return None
    at, call, arguments = picked
    tools = list(sample.tools)
    place = next(i for i, t in enumerate(tools) if t.name == call.name)
    parameters = copy.deepcopy(tools[place].parameters)
    name = rng.choice(list(arguments))
    parameters["properties"][name] = {"type": "string", "enum": ["this", "that"], "default": "any"}
    tools[place] = tools[place].model_copy(update={"parameters": parameters})
    spoilt = _spoilt(sample, at, {**arguments, name: "any"})
    return [s.model_copy(update={"tools": tuple(tools)}) for s in spoilt or ()] or None


PLANTS: dict[str, Plant] = {
    "schema": schema,
    "unknown_tool": unknown_tool,
    "missing_parameter": missing_parameter,
    "foreign_parameter": foreign_parameter,
    "type": type_,
    "enum": enum,
    "format": format_,
    "refused": refused,
    "forbidden_answers": forbidden_answers,
    "shared_call": shared_call,
    "contradiction": contradiction,
    "duplicate": duplicate,
    "near_duplicate": near_duplicate,
    "repeated_call": repeated_call,
    "empty": empty,
    "results": results,
    "turns": turns,
    "markup": markup,
    "truncated": truncated,
    "earlier_call": earlier_call,
    "grounding": grounding,
    "odd_enum": odd_enum,
    "null_value": null_value,
    "own_default": own_default,
}
