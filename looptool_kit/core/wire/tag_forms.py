"""Calls whose arguments stand each in a tag of its own."""

from __future__ import annotations

import re
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.core.wire.values import Found, beside, call, pieces, refuse_marks, value_of_text

_QWEN_CALL = re.compile(
    r"(?:<tool_call>\s*)?<function=([^<>\n]+)>\s*(.*?)\s*</function>(?:\s*</tool_call>)?", re.DOTALL
)
_QWEN_ARGUMENT = re.compile(r"<parameter=([^<>\n]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_GLM_CALL = re.compile(r"<tool_call>\s*([^\s<>]+)\s*(.*?)\s*</tool_call>", re.DOTALL)
_GLM_ARGUMENT = re.compile(r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_INVOKE_CALL = re.compile(r"<invoke\s+name=[\"']?([^\"'>]+)[\"']?\s*>(.*?)</invoke>", re.DOTALL)
_INVOKE_ARGUMENT = re.compile(
    r"<parameter\s+name=[\"']?([^\"'>]+)[\"']?\s*>\n?(.*?)\n?</parameter>", re.DOTALL
)
_MINIMAX_ARGUMENT = re.compile(r"<parameter\s+name=\"([^\">]+)\">(.*?)</parameter>", re.DOTALL)
"""Without line ends around the value: those that stand there are its own."""
_INVOKE_WRAP = re.compile(r"</?(?:minimax:tool_call|function_calls|antml:function_calls)>")


def qwen3_coder(text: str, tools: dict[str, Tool]) -> Found:
    """Read Qwen3-Coder's calls."""
    return _read(text, tools, _QWEN_CALL, _QWEN_ARGUMENT, ("<function=", "<tool_call>", "</tool_call>"))


def glm(text: str, tools: dict[str, Tool]) -> Found:
    """Read GLM-4.5's calls."""
    return _read(text, tools, _GLM_CALL, _GLM_ARGUMENT, ("<arg_key>", "<tool_call>", "</tool_call>"))


def invoke(text: str, tools: dict[str, Tool]) -> Found:
    """Read MiniMax M2's calls, and those of others who write `<invoke>`."""
    argument = _MINIMAX_ARGUMENT if "<minimax:tool_call>" in text else _INVOKE_ARGUMENT
    text = _INVOKE_WRAP.sub("\n", text)
    return _read(text, tools, _INVOKE_CALL, argument, ("<invoke", "</invoke>", "minimax:tool_call"))


def _read(
    text: str,
    tools: dict[str, Tool],
    whole: re.Pattern[str],
    argument: re.Pattern[str],
    marks: tuple[str, ...],
) -> Found:
    found, rest = pieces(text, whole)
    refuse_marks(rest, marks)
    calls = []
    for match in found:
        name = match[1].strip()
        arguments: dict[str, Any] = {}
        for part in argument.finditer(match[2]):
            if part[1].strip() in arguments:
                raise ValueError(f"the argument {part[1].strip()!r} appears twice")
            arguments[part[1].strip()] = value_of_text(part[2], tools.get(name), part[1].strip())
        if argument.sub("", match[2]).strip():
            raise ValueError("a call holds something else than its arguments")
        calls.append(call(name, arguments))
    return Found(calls, beside(rest))
