"""Operators on names and on what a tool does: `rename`, `split_tool`, `join_tools`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.augment.evolve.step import (
    Arguments,
    Ground,
    Step,
    is_plain,
    is_type,
    of_arguments,
    styled,
    with_properties,
)
from looptool_kit.augment.perturb_words import VERBS
from looptool_kit.augment.renaming import AFFIXES, STYLES, parts_of, redescribed
from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.words import stem

MAX_SPLIT = 4
"""Tools that one becomes at the most."""
ACTION = "action"
"""The parameter of a joined tool that says which of the two is meant."""
ACTION_WORDS = {"list": "browse"}
"""Word of a name -> of an action. Who says "the first one on the list" asks for no listing."""
_LITTLE = {"to", "of", "for", "in", "on", "by", "from", "with", "up", "a", "the"}
"""Words that do not name what a tool is about."""


# -------------------------------------------------------------------- rename


def rename(tool: Tool, name: str, parameters: Mapping[str, str]) -> Step:
    """Another name for a tool, and for some of its parameters."""
    names = {p: parameters.get(p, p) for p in tool.properties}
    moved = {p: n for p, n in names.items() if p != n}
    back = {n: p for p, n in moved.items()}
    properties = {names[p]: s for p, s in tool.properties.items()}
    new = with_properties(tool, properties, [names[p] for p in tool.required])
    new = redescribed(new, {tool.name: name, **moved}).model_copy(update={"name": name})

    def turn(table: Mapping[str, str], fresh: Mapping[str, str], arguments: Arguments) -> Arguments | None:
        if arguments.keys() & fresh.keys():
            return None
        return {table.get(k, k): v for k, v in arguments.items()}

    about = ", ".join(f"{a} as {b}" for a, b in {tool.name: name, **moved}.items() if a != b)
    maps = (lambda a: turn(moved, back, a)), (lambda a: turn(back, moved, a))
    return of_arguments("rename", about, tool, new, *maps)


def draw_rename(ground: Ground) -> Step | None:
    """Draw another name for the tool, or for its parameters.

    Another verb and another style for the tool, or another style and one more word for its parameters.
    """
    tool, rng = ground.tool, ground.rng
    style, taken = rng.choice(STYLES), {t.name for t in ground.tools}
    words = parts_of(tool.name)
    if rng.random() < 0.5 and is_plain(tool) and tool.properties:
        first, last = rng.choice(AFFIXES)
        names = {p: style([w for w in (first, *parts_of(p), last) if w]) for p in tool.properties}
        fresh = set(names.values())
        fits = len(fresh) == len(names) and not fresh & set(names)
        return rename(tool, tool.name, names) if fits else None
    name = style([VERBS.get(words[0], words[0]), *words[1:]])
    return None if name in taken else rename(tool, name, {})


# ---------------------------------------------------------------- split_tool


def split_tool(tool: Tool, name: str) -> Step:
    """Split a tool by the choices of a required parameter.

    Each new tool stands for one choice and does not take the parameter.
    """
    choices = list(tool.properties[name]["enum"])
    rest = {p: s for p, s in tool.properties.items() if p != name}
    said = " ".join(parts_of(name))
    tools = {
        choice: Tool(
            name=styled([*parts_of(tool.name), *parts_of(choice)], [tool.name]),
            description=f"{tool.description.rstrip('.')} ({said}: {choice.replace('_', ' ')}).",
            parameters=with_properties(tool, rest, tool.required).parameters,
        )
        for choice in choices
    }
    choice_of = {t.name: choice for choice, t in tools.items()}

    def forward(call: ToolCall) -> ToolCall | None:
        choice = call.arguments.get(name)
        if call.name != tool.name or not isinstance(choice, str) or choice not in tools:
            return None
        return ToolCall(name=tools[choice].name, arguments=_without(call.arguments, name))

    def backward(call: ToolCall) -> ToolCall | None:
        if call.name not in choice_of or name in call.arguments:
            return None
        return ToolCall(name=tool.name, arguments={**call.arguments, name: choice_of[call.name]})

    about = f"split_tool {tool.name} by {name}"
    # Where a question asks for the choice, calls of all the new tools would answer the request as well.
    return Step("split_tool", about, (tool,), tuple(tools.values()), forward, backward, demands=True)


def _without(arguments: Mapping[str, Any], name: str) -> Arguments:
    return {k: v for k, v in arguments.items() if k != name}


def draw_split_tool(ground: Ground) -> Step | None:
    """A required parameter with a few choices."""
    tool = ground.tool
    few = [
        n
        for n in tool.required
        if is_type(tool.properties[n], "string")
        and "null" not in tool.properties[n].get("type", ())
        and 2 <= len(tool.properties[n].get("enum") or ()) <= MAX_SPLIT
        and all(isinstance(c, str) and parts_of(c)[0].isalnum() for c in tool.properties[n]["enum"])
    ]
    if not is_plain(tool) or not few:
        return None
    step = split_tool(tool, ground.rng.choice(few))
    taken = {t.name for t in ground.tools}
    names = [t.name for t in step.new]
    return step if len(set(names)) == len(names) and not taken & set(names) else None


# ---------------------------------------------------------------- join_tools


def join_tools(first: Tool, second: Tool, name: str, actions: tuple[str, str]) -> Step:
    """Join two tools into one with a choice of the action.

    What only one of them takes is optional.
    """
    both = {first.name: actions[0], second.name: actions[1]}
    names = {action: tool for tool, action in both.items()}
    properties = {ACTION: {"type": "string", "enum": list(actions)}, **first.properties, **second.properties}
    needed = [ACTION, *(p for p in first.required if p in second.required)]
    told = [
        f"{action}: {_lower(tool.description)}{_needs(tool, needed)}."
        for tool, action in ((first, actions[0]), (second, actions[1]))
    ]
    blank = Tool(name=name, parameters={"type": "object", "properties": {}})
    joined = with_properties(blank, properties, needed, " ".join(told).replace(". ", "; ", 1))

    def forward(call: ToolCall) -> ToolCall | None:
        if call.name not in both or ACTION in call.arguments:
            return None
        return ToolCall(name=name, arguments={ACTION: both[call.name], **call.arguments})

    def backward(call: ToolCall) -> ToolCall | None:
        action = call.arguments.get(ACTION)
        if call.name != name or not isinstance(action, str) or action not in names:
            return None
        return ToolCall(name=names[action], arguments=_without(call.arguments, ACTION))

    about = f"join_tools {first.name} and {second.name} into {name}"
    return Step("join_tools", about, (first, second), (joined,), forward, backward)


def _lower(description: str) -> str:
    text = description.rstrip(".")
    return text[:1].lower() + text[1:]


def _needs(tool: Tool, needed: Sequence[str]) -> str:
    """What a call of one action must give although the schema does not say so."""
    more = [p for p in tool.required if p not in needed]
    return f" (needs {', '.join(more)})" if more else ""


def draw_join_tools(ground: Ground) -> Step | None:
    """Draw a tool about the same thing to join with.

    Parameters of the same name must be the same.
    """
    tool, words = ground.tool, parts_of(ground.tool.name)
    ways = []
    for other in ground.tools:
        theirs = parts_of(other.name)
        both = {stem(w) for w in words} & {stem(w) for w in theirs} - _LITTLE
        shared = [w for w in words if stem(w) in both]
        actions = [
            "_".join(ACTION_WORDS.get(w, w) for w in ws if stem(w) not in both | _LITTLE)
            for ws in (words, theirs)
        ]
        same = tool.properties.keys() & other.properties.keys()
        if (
            other.name != tool.name
            and shared
            and not both & {stem(words[0]), stem(theirs[0])}
            and all(actions)
            and actions[0] != actions[1]
            and is_plain(tool)
            and is_plain(other)
            and ". " not in tool.description + other.description
            and ACTION not in {**tool.properties, **other.properties}
            and all(canonical(tool.properties[p]) == canonical(other.properties[p]) for p in same)
        ):
            name = styled(["manage", *shared], [tool.name])
            if name not in {t.name for t in ground.tools}:
                ways.append(join_tools(tool, other, name, (actions[0], actions[1])))
    return ground.rng.choice(ways) if ways else None
