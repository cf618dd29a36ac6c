"""Gemma's `call:f{key:value}`: text in marks, everything else bare."""

from __future__ import annotations

import re
from typing import Any

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.wire.values import Found, call, words

_NAME = re.compile(r"\s*call:\s*([^\s{]+)\s*")
_KEY = re.compile(r"\s*([^\s:{}\[\],]+)\s*:")
_BARE = re.compile(r"\s*([^,{}\[\]]+)")
_MOST = 50
"""Levels of nesting."""


def functiongemma(text: str, tools: dict[str, Tool]) -> Found:
    """Read FunctionGemma's calls."""
    return _read(text, "<start_function_call>", "<end_function_call>", "<escape>")


def gemma4(text: str, tools: dict[str, Tool]) -> Found:
    """Read Gemma 4's calls."""
    return _read(text, "<|tool_call>", "<tool_call|>", '<|"|>')


def _read(text: str, start: str, end: str, quote: str) -> Found:
    before, *parts = text.split(start)
    calls: list[ToolCall] = []
    spoken = [before]
    for part in parts:
        named = _NAME.match(part)
        if named is None:
            raise ValueError("a call begins with call: and its name")
        value, at = _object(part, named.end(), quote, 0)
        rest = part[at:].lstrip()
        if not rest.startswith(end):
            raise ValueError(f"{end} is missing")
        calls.append(call(named[1], value))
        spoken.append(rest[len(end) :])
    return Found(calls, words(*spoken))


def _object(text: str, at: int, quote: str, depth: int) -> tuple[dict[str, Any], int]:
    if not text.startswith("{", at):
        raise ValueError("the arguments stand in braces")
    value: dict[str, Any] = {}
    at = _skip(text, at + 1)
    while not text.startswith("}", at):
        if text.startswith(quote, at):
            key, at = _quoted(text, at, quote)
            at = _skip(text, at)
            if not text.startswith(":", at):
                raise ValueError("a key without a value")
            at += 1
        elif named := _KEY.match(text, at):
            key, at = named[1], named.end()
        else:
            raise ValueError("a key without a value")
        if key in value:
            raise ValueError(f"key {key!r} appears twice")
        value[key], at = _value(text, at, quote, depth + 1)
        at = _after(text, at, "}")
    return value, at + 1


def _value(text: str, at: int, quote: str, depth: int) -> tuple[Any, int]:
    if depth > _MOST:
        raise ValueError(f"nested more than {_MOST} deep")
    at = _skip(text, at)
    if text.startswith(quote, at):
        return _quoted(text, at, quote)
    if text.startswith("{", at):
        return _object(text, at, quote, depth)
    if text.startswith("[", at):
        listed: list[Any] = []
        at = _skip(text, at + 1)
        while not text.startswith("]", at):
            item, at = _value(text, at, quote, depth + 1)
            listed.append(item)
            at = _after(text, at, "]")
        return listed, at + 1
    bare = _BARE.match(text, at)
    if bare is None:
        raise ValueError("a value is missing")
    return strict_json(bare[1].strip()), bare.end()


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    start = at + len(quote)
    end = text.find(quote, start)
    if end < 0:
        raise ValueError(f"{quote} without its counterpart")
    return text[start:end], end + len(quote)


def _after(text: str, at: int, close: str) -> int:
    """The place of the next item or of the end; `ValueError` where neither stands there."""
    at = _skip(text, at)
    if text.startswith(",", at):
        return _skip(text, at + 1)
    if not text.startswith(close, at):
        raise ValueError(f"{close} is missing")
    return at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
