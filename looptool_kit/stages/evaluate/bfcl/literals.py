"""Read Java and JavaScript literals.

BFCL's Java and JavaScript categories want their arguments written as such.

Text that is not a literal of the declared type stays a string (the label may name a variable or an
expression). Nothing is ever evaluated.
"""

from __future__ import annotations

import re
from typing import Any

_INTEGER, _DECIMAL = r"-?\d+", r"-?\d+(?:\.\d+)?"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_JAVA_NUMBERS = {
    "byte": (_INTEGER, int, ""),
    "short": (_INTEGER, int, ""),
    "integer": (_INTEGER, int, ""),
    "long": (_INTEGER + "[lL]", int, "lL"),
    "float": (_DECIMAL + _EXPONENT + "[fF]", float, "fF"),
    "double": (_DECIMAL + _EXPONENT, float, ""),
}
_JAVASCRIPT_NUMBERS = {
    "integer": (_INTEGER, int, ""),
    "float": (_DECIMAL, float, ""),
    "Bigint": (_INTEGER + "n", int, "n"),
}
_LIST_OF = re.compile(r"new\s+ArrayList<\w*>\(Arrays\.asList\((.+?)\)\)")
_LIST_ADDS = re.compile(r"new\s+ArrayList<\w*>\(\)\s*\{\{\s*(.+?)\s*\}\}", re.DOTALL)
_LIST_EMPTY = re.compile(r"new\s+ArrayList<\w*>\(\)")
_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{(.*?)\}")
_MAP = re.compile(r"new\s+HashMap<.*?>\s*\(\)\s*(?P<body>\{.*\})?", re.DOTALL)
_PUT = re.compile(r'put\("(.*?)",\s*(.*?)\)')


def read_java(text: str, kind: str, inner: str = "") -> Any:
    """The value of a Java literal, or the text itself.

    `kind` is its type under BFCL's name, `inner` the element type of a list.
    """
    if kind in _JAVA_NUMBERS:
        return _number(text, *_JAVA_NUMBERS[kind])
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind == "ArrayList":
        return _java_list(text, inner)
    if kind == "Array":
        match = _ARRAY.search(text)
        return [_java_element(e, inner, unquote=False) for e in _split(match[1])] if match else text
    if kind == "HashMap":
        entries = _MAP.search(text)
        return (
            {k: _plain(v.strip(), java=True) for k, v in _PUT.findall(entries["body"] or "")}
            if entries
            else text
        )
    return text


def _java_list(text: str, inner: str) -> Any:
    if match := _LIST_OF.search(text):
        return [_java_element(e, inner) for e in _split(match[1])]
    if match := _LIST_ADDS.search(text):
        return [_java_element(e.strip(), inner) for e in re.findall(r"add\((.+?)\)", match[1])]
    return [] if _LIST_EMPTY.search(text) else text


def _java_element(text: str, inner: str, unquote: bool = True) -> Any:
    if inner in ("char", "String") and unquote:
        return text[1:-1]
    return read_java(text, inner) if inner else _plain(text, java=True)


def read_javascript(text: str, kind: str, inner: str = "") -> Any:
    """The value of a JavaScript literal, or the text itself.

    `kind` is its type under BFCL's name, `inner` the element type of an array.
    """
    if kind in _JAVASCRIPT_NUMBERS:
        return _number(text, *_JAVASCRIPT_NUMBERS[kind])
    if kind == "Boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind == "String":
        return text[1:-1] if _quoted(text) else text
    if kind == "array":
        return _javascript_array(text.strip(), inner)
    if kind == "dict":
        return _javascript_object(text.strip())
    return text


def _javascript_array(text: str, inner: str) -> Any:
    match = re.match(
        r"\[(.*)\]|new\s+Array\((.*)\)", text, re.DOTALL
    )  # what follows is ignored, as officially
    if not match:
        return text
    parts = _split(match[1] if match[1] is not None else match[2])
    if parts and all(p.startswith("[") for p in parts):
        return [_javascript_array(p, "") for p in parts]
    return [read_javascript(p, inner) if inner else _plain(p) for p in parts]


def _javascript_object(text: str) -> Any:
    match = re.match(r"\{(.*)\}", text)
    if not match:
        return text
    entries: dict[str, Any] = {}
    for part in _split(match[1]):
        key, colon, value = part.partition(":")
        if colon:
            value = value.strip()
            if value.startswith("["):
                read = _javascript_array(value, "")
            elif value.startswith("{"):
                read = _javascript_object(value)
            else:
                read = _plain(value.strip("'\""))
            entries[key.strip().strip("'\"")] = read
    return entries


def _number(text: str, pattern: str, cast: Any, suffix: str) -> Any:
    if not re.fullmatch(pattern, text):
        return text
    try:
        return cast(text.rstrip(suffix) if suffix else text)
    except ValueError:  # more digits than Python reads
        return text


def _plain(text: str, java: bool = False) -> Any:
    """A literal whose type nothing declares."""
    if text in ("true", "false"):
        return text == "true"
    if _quoted(text) and not (java and text[0] == "'"):
        return text[1:-1]
    if java and re.fullmatch(_INTEGER + "[lL]", text):
        return int(text[:-1])
    if java and re.fullmatch(_DECIMAL + _EXPONENT + "[fF]", text):
        return float(text[:-1])
    for cast in (int, float):
        try:
            return cast(text)
        except ValueError:
            pass
    return text


def _quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def _split(text: str) -> list[str]:
    """The parts between top-level commas, stripped.

    Commas in quotes and brackets do not count. No parts in blank text.
    """
    parts, start, depth, quote = [], 0, 0, ""
    for at, char in enumerate(text):
        if quote:
            if char == quote and text[at - 1] != "\\":
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return [*parts, last] if parts or last else []
