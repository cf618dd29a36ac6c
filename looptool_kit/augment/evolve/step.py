"""One step of evolution: what becomes of a tool, and what becomes of its calls.

A step is a pair of maps (tool -> tool', call -> call'), so that a label follows its tool exactly (ToolACE,
arXiv 2409.00920, section 2.1: evolution; the call maps are ours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from looptool_kit.augment.renaming import parts_of
from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.toolcalls import canonical

Arguments = dict[str, Any]
CallMap = Callable[[ToolCall], ToolCall | None]
"""A call under the other tools; None where it has not the form that the map is about."""
_PLAIN = {"type", "properties", "required", "additionalProperties", "description", "title"}
"""Keywords of a schema that a step can follow; with any other it may mean more than its properties say."""


class Words(NamedTuple):
    """A sentence that a request may gain, and its argument."""

    text: str
    value: Any


class Added(NamedTuple):
    """An optional parameter that a tool gains."""

    tool: str
    name: str
    words: Callable[[Random], Words] | None
    """Draws what a request says of it; None for a parameter that no user speaks of."""


@dataclass(frozen=True)
class Step:
    """An operator applied to the tools of a list."""

    operator: str
    about: str
    """What it does, for a person."""
    before: tuple[Tool, ...]
    """The tools whose place it takes; on others, be their names the same, it says nothing."""
    new: tuple[Tool, ...]
    """The tools that stand there instead."""
    forward: CallMap
    backward: CallMap
    result: Callable[[Any], Any] | None = None
    """What becomes of a tool's result; None where it stays."""
    demands: bool = False
    """Whether a question may have to ask for something else, since a call has to give more than before, or
    the tool's name says what a value did.
    """
    added: Added | None = None

    @property
    def old(self) -> tuple[str, ...]:
        """Names of the tools whose place it takes."""
        return tuple(t.name for t in self.before)

    def follow(self, call: ToolCall) -> ToolCall | None:
        """Return the call under the new tools, or None.

        None where the step cannot carry it over and back.
        """
        made = self.forward(call)
        back = None if made is None else self.backward(made)
        return made if back is not None and _same(back, call) else None

    def call(self, call: ToolCall) -> ToolCall:
        """Map any call so that equal calls stay equal.

        Two calls are equal exactly where they were before, whoever made them. What the step does not
        carry over stays, and what has the new form already takes the old one: the map is its own
        inverse, and so no two calls become one.
        """
        if (made := self.follow(call)) is not None:
            return made
        back = self.backward(call)
        made = None if back is None else self.forward(back)
        return back if back is not None and made is not None and _same(made, call) else call

    def on(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """Return the tool list after the step.

        The new tools stand where the first of the old ones stood.
        """
        at = next(i for i, t in enumerate(tools) if t.name in self.old)
        rest = [t for t in tools if t.name not in self.old]
        return (*rest[:at], *self.new, *rest[at:])


def _same(a: ToolCall, b: ToolCall) -> bool:
    return a.name == b.name and canonical(a.arguments) == canonical(b.arguments)


class Ground(NamedTuple):
    """What an operator is drawn for."""

    tool: Tool
    tools: Sequence[Tool]
    """The whole list, the tool among them."""
    calls: Sequence[ToolCall]
    """The calls of the tool that are known."""
    rng: Random


Draw = Callable[[Ground], Step | None]
"""Draws a step; None where the operator does not suit the tool."""


def is_plain(tool: Tool) -> bool:
    """Tell whether the parameters are only optional or required properties."""
    return not set(tool.parameters) - _PLAIN and all(isinstance(p, dict) for p in tool.properties.values())


def with_properties(
    tool: Tool, properties: Mapping[str, Any], required: Sequence[str], description: str | None = None
) -> Tool:
    """Return the tool with other parameters.

    Those that are required stand in the order of the properties.
    """
    schema = {k: v for k, v in tool.parameters.items() if k != "required"}
    schema = {"type": "object", **schema, "properties": dict(properties)}
    if needed := [n for n in properties if n in required]:
        schema["required"] = needed
    words = tool.description if description is None else description
    return Tool(name=tool.name, description=words, parameters=schema)


def replaced(tool: Tool, old: Sequence[str], new: Mapping[str, Any], required: Sequence[str]) -> Tool:
    """Return the tool with some parameters replaced by others.

    `required` names those of the new that are.
    """
    properties: dict[str, Any] = {}
    for name, schema in tool.properties.items():
        if name not in old:
            properties[name] = schema
        elif not new.keys() & properties.keys():
            properties |= new
    return with_properties(tool, properties, [*(r for r in tool.required if r not in old), *required])


def in_place(arguments: Arguments, old: Sequence[str], new: Mapping[str, Any]) -> Arguments:
    """Replace some arguments by others, in the same places."""
    out: Arguments = {}
    for name, value in arguments.items():
        if name not in old:
            out[name] = value
        elif not new.keys() & out.keys():
            out |= new
    return out


def of_arguments(
    operator: str,
    about: str,
    tool: Tool,
    new: Tool,
    forward: Callable[[Arguments], Arguments | None],
    backward: Callable[[Arguments], Arguments | None],
    **more: Any,
) -> Step:
    """A step that changes one tool and the arguments of its calls."""

    def on(name: str, other: str, change: Callable[[Arguments], Arguments | None]) -> CallMap:
        def mapped(call: ToolCall) -> ToolCall | None:
            made = change(dict(call.arguments)) if call.name == name else None
            return None if made is None else ToolCall(name=other, arguments=made)

        return mapped

    maps = on(tool.name, new.name, forward), on(new.name, tool.name, backward)
    return Step(operator, f"{operator} {tool.name}: {about}", (tool,), (new,), *maps, **more)


def one_value(
    operator: str,
    about: str,
    tool: Tool,
    names: tuple[str, str],
    schema: Mapping[str, Any],
    forward: Callable[[Any], Any],
    backward: Callable[[Any], Any],
) -> Step:
    """Make a step that changes one parameter's values and its name.

    The name changes from the first of `names` to the second. `forward` and `backward` return None for a
    value that has not the form that they are about. A call without the parameter, or with null where the
    schema allows it, stays.
    """
    old, name = names
    nullable = "null" in _types(tool.properties[old])
    new = replaced(tool, [old], {name: dict(schema)}, [name] if old in tool.required else [])

    def change(here: str, there: str, turn: Callable[[Any], Any]) -> Callable[[Arguments], Arguments | None]:
        def mapped(arguments: Arguments) -> Arguments | None:
            if here != there and there in arguments:
                return None
            if here not in arguments:
                return arguments
            value = arguments[here]
            made = None if value is None else turn(value)
            if made is None and not (value is None and nullable):
                return None
            return in_place(arguments, [here], {there: made})

        return mapped

    maps = change(old, name, forward), change(name, old, backward)
    return of_arguments(operator, about, tool, new, *maps)


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return list(kind) if isinstance(kind, list) else [kind]


def is_type(schema: Mapping[str, Any], *kinds: str) -> bool:
    """Tell whether a schema allows values of these types alone.

    Null may stand beside them.
    """
    rest = set(_types(schema)) - {"null"}
    return bool(rest) and rest <= set(kinds)


def typed(schema: Mapping[str, Any], kind: str) -> str | list[str]:
    """Return the new type; null stays where it was allowed."""
    return [kind, "null"] if "null" in _types(schema) else kind


def styled(words: Sequence[str], like: Sequence[str]) -> str:
    """Write a name of words in the style of other names.

    `camelCase` where one of them is, else `snake_case`.
    """
    if any("_" not in n and parts_of(n)[1:] and n[0].islower() for n in like):
        return words[0] + "".join(w.capitalize() for w in words[1:])
    return "_".join(words)
