"""Calls as Python: `[f(a=1), g(b="x")]`, read as a syntax tree and never run."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterable
from keyword import iskeyword
from typing import Any

from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.wire.values import Found, call, words

_WORDS = {"true": True, "false": False, "null": None, "none": None}
_MOST = 100_000
"""Characters of a text that is looked at as Python."""
BARE = re.compile(r"\A\s*(?:<\|python_start\|>)?\s*\[?\s*[A-Za-z_][\w.]*\(")
_NAMES = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|([A-Za-z_][\w.-]*)(?=\s*(?:=(?!=)|\())""")
"""Text in quotes, or the name of an argument or a call."""
_GEMMA_FENCE = re.compile(r"```tool_(?:code|call)(.*?)(?:^|(?<=[\])]))[ \t]*```", re.DOTALL | re.MULTILINE)
"""Python breaks no line within a text, so a fence in an argument opens none."""
_ENDS = re.compile(r"<\|(?:python_start|python_end|eot|eom|eot_id|eom_id)\|>")


def bare(text: str, tools: dict[str, Tool]) -> Found:
    """Read Llama's pythonic calls; words may stand around the list."""
    clean = _ENDS.sub("", text).strip()
    try:
        return Found(calls_of(clean, tools), "")
    except ValueError:
        inner = re.search(r"\[\s*[A-Za-z_][\w.]*\(.*\)\s*\]", clean, re.DOTALL)
        if inner is None:
            raise
        return Found(calls_of(inner[0], tools), words(clean[: inner.start()], clean[inner.end() :]))


def lfm(text: str, tools: dict[str, Tool]) -> Found:
    """Read LFM2's calls, a list between two marks."""
    before, _, rest = text.partition("<|tool_call_start|>")
    body, mark, after = rest.partition("<|tool_call_end|>")
    if not mark:
        raise ValueError("<|tool_call_end|> is missing")
    return Found(calls_of(body, tools), words(before, after.replace("<|im_end|>", "")))


def write_lfm(calls: Iterable[ToolCall]) -> str:
    """Write calls as LFM2 does; `lfm` reads them back."""
    written = ", ".join(
        f"{c.name}({', '.join(f'{k}={_literal(v)}' for k, v in c.arguments.items())})" for c in calls
    )
    return f"<|tool_call_start|>[{written}]<|tool_call_end|>"


def _literal(value: Any) -> str:
    """A JSON value as Python writes it, text in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)


def olmo(text: str, tools: dict[str, Tool]) -> Found:
    """Read OLMo 3's calls, one a line between two tags."""
    before, _, rest = text.partition("<function_calls>")
    body, mark, after = rest.partition("</function_calls>")
    if not mark:
        raise ValueError("</function_calls> is missing")
    return Found(calls_of(body, tools), words(before, after))


def gemma(text: str, tools: dict[str, Tool]) -> Found:
    """Read Gemma's calls in a `tool_code` fence, with or without `print`."""
    fence = _GEMMA_FENCE.search(text)
    if not fence:
        raise ValueError("the fence is not closed")
    return Found(calls_of(fence[1], tools), words(text[: fence.start()], text[fence.end() :]))


def calls_of(text: str, tools: dict[str, Tool]) -> list[ToolCall]:
    """Read the calls of a piece of Python.

    One expression a line, lists of them opened.

    Raises:
        ValueError: It holds anything but calls with literal arguments. An argument without a name gets that
            of its place in the tool's schema.
    """
    if len(text) > _MOST:
        raise ValueError(f"more than {_MOST} characters")
    try:
        return _parsed(text, tools, {})
    except ValueError:
        # `from` and `user-id` are names of arguments, which Python does not take as such.
        names: dict[str, str] = {}
        aliased = _NAMES.sub(lambda m: m[0] if m[1] else _alias(m[2], names), text)
        if not names:
            raise
        return _parsed(aliased, tools, names)


def _alias(name: str, names: dict[str, str]) -> str:
    """The name, or what stands for one that Python does not take; `names` gets that."""
    if all(part.isidentifier() and not iskeyword(part) for part in name.split(".")):
        return name
    alias = f"_looptool_{len(names)}_"
    names[alias] = name
    return alias


def _parsed(text: str, tools: dict[str, Tool], names: dict[str, str]) -> list[ToolCall]:
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"not calls: {error}") from None
    nodes: list[ast.expr] = []
    for statement in tree.body:
        if not isinstance(statement, ast.Expr):
            raise ValueError("not calls: a statement")
        inner = statement.value
        nodes += inner.elts if isinstance(inner, ast.List | ast.Tuple) else [inner]
    if not nodes:
        raise ValueError("no call")
    return [_call(node, tools, names) for node in nodes]


def _call(node: ast.expr, tools: dict[str, Tool], names: dict[str, str]) -> ToolCall:
    if not isinstance(node, ast.Call):
        raise ValueError("not a call")
    name = ast.unparse(node.func)
    if (
        name == "print"
        and "print" not in tools
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Call)
    ):
        return _call(node.args[0], tools, names)
    if not re.fullmatch(r"[\w.]+", name):
        raise ValueError("the name of a call is not a name")
    name = names.get(name, name)
    places = list(tools[name].properties) if name in tools else []
    if len(node.args) > len(places):
        raise ValueError(f"an argument of {name} has no name")
    arguments = {key: _value(value) for key, value in zip(places, node.args, strict=False)}
    for keyword in node.keywords:
        key = keyword.arg and names.get(keyword.arg, keyword.arg)
        if key is None or key in arguments:
            raise ValueError(f"an argument of {name} appears twice or has no name")
        arguments[key] = _value(keyword.value)
    return call(name, arguments)


def _value(node: ast.expr) -> Any:
    """A literal as a JSON value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bool | int | float | None):
        return node.value
    if isinstance(node, ast.Name) and node.id.lower() in _WORDS:
        return _WORDS[node.id.lower()]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(v) for v in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    if isinstance(node, ast.Dict):
        keys = [_value(k) if k is not None else None for k in node.keys]
        if all(isinstance(k, str) for k in keys) and len(set(keys)) == len(keys):
            return dict(zip(keys, map(_value, node.values), strict=True))
    raise ValueError(f"{ast.unparse(node)[:40]!r} is not a literal")


def is_calls(text: str) -> bool:
    """Tell whether a text is nothing but calls, perhaps malformed.

    As `[f(a=1)]` or `f(a=1)`.
    """
    clean = _ENDS.sub("", text).strip()
    if not BARE.match(clean) or not clean.endswith((")", "]")):
        return False
    if clean.startswith("["):
        return True
    try:
        calls_of(clean, {})
        return True
    except ValueError:
        return False


def mentions_call(text: str, names: Collection[str]) -> bool:
    """Tell whether a text calls one of these tools somewhere, as `name(...)`."""
    return any(
        name in text
        and re.search(rf"(?<![\w.]){re.escape(name)}\((?:\)|\s*[A-Za-z_]\w*\s*=|\s*[\"'{{])", text)
        for name in names
    )
