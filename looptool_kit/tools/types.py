"""Names of types as people write them, as JSON Schema.

Tool definitions in the wild name types in the words of Python (`dict`, `list[str]`, `Optional[int]`), Java
(`ArrayList<String>`), Gemini (`STRING`) or plain English ("array of strings").
"""

from __future__ import annotations

import ast
import re
from typing import Any

JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_NAMES: dict[str, tuple[str, ...]] = {
    "string": ("str", "string", "text", "char", "character", "varchar", "enum", "bytes", "file", "binary"),
    "integer": ("int", "integer", "long", "short", "byte", "bigint", "int32", "int64"),
    "number": ("float", "double", "number", "decimal", "numeric", "real"),
    "boolean": ("bool", "boolean"),
    "array": ("list", "array", "tuple", "set", "sequence", "iterable", "arraylist", "vector", "frozenset"),
    "object": ("dict", "object", "map", "mapping", "hashmap", "json", "struct", "record", "hash"),
    "null": ("none", "null", "nonetype", "void"),
    "": ("any", "mixed", "unknown", "type_unspecified", ""),
}
_TYPES = {word: kind for kind, words in _NAMES.items() for word in words}
_FORMATS = {
    "date": "date", "datetime": "date-time", "timestamp": "date-time", "time": "time", "url": "uri",
    "uri": "uri", "uuid": "uuid", "email": "email",
}  # fmt: skip
"""Words that name a string of a format."""
_OF = re.compile(r"(array|list|set)s? of (\w+?)s?", re.IGNORECASE)
_LONGEST = 200
"""Characters of a type's name; a longer one is a sentence."""


def typed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its `type` in JSON Schema's words.

    What the schema says itself, such as its `items`, stays. An unknown word stays too, so that the check of
    the schema names it.
    """
    kind = schema.get("type")
    if isinstance(kind, str):
        if kind in JSON_TYPES:
            return schema
        read = of_name(kind)
    elif isinstance(kind, list):
        read = _either([of_name(k) if isinstance(k, str) else None for k in kind])
    else:
        return schema
    if read is None:
        return schema
    rest = {k: v for k, v in schema.items() if k != "type"}
    return {**read, **rest}


def of_name(name: str) -> dict[str, Any] | None:
    """Return the schema of a type's name, or None.

    None where the type is not known.
    """
    word = name.strip()
    if word.lower() in JSON_TYPES:
        return {"type": word.lower()}
    if len(word) > _LONGEST:
        return None
    if listed := _OF.fullmatch(word):
        return {"type": "array"} | _items(of_name(listed[2]))
    # "str, optional" is a type with a remark; Java writes List<String>.
    code = re.sub(r",\s*(optional|required)$", "", word, flags=re.IGNORECASE)
    code = code.replace("<", "[").replace(">", "]").replace(" or ", " | ").removesuffix("[]")
    try:
        read = _of_node(ast.parse(code.strip() or "any", mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return {"type": "array"} | _items(read) if word.endswith("[]") and read is not None else read


def _of_node(node: ast.expr) -> dict[str, Any] | None:
    if isinstance(node, ast.Constant) and node.value is None:
        return {"type": "null"}
    if isinstance(node, ast.Attribute):  # typing.List, datetime.date
        return _of_word(node.attr)
    if isinstance(node, ast.Name):
        return _of_word(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _either([_of_node(node.left), _of_node(node.right)])
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _of_generic(getattr(node.value, "attr", getattr(node.value, "id", "")).lower(), inner)
    return None


def _of_generic(outer: str, inner: list[ast.expr]) -> dict[str, Any] | None:
    if outer == "literal":
        values = [c.value for c in inner if isinstance(c, ast.Constant)]
        return {"enum": values} if len(values) == len(inner) else None
    if outer in ("optional", "union"):
        parts = [_of_node(node) for node in inner]
        return _either([*parts, {"type": "null"}] if outer == "optional" else parts)
    if outer == "annotated":
        return _of_node(inner[0])
    whole = _of_word(outer)
    if whole == {"type": "array"}:
        same = len({ast.dump(n) for n in inner if not _is_ellipsis(n)}) == 1
        return whole | (_items(_of_node(inner[0])) if same else {})
    if whole == {"type": "object"} and len(inner) == 2:
        values_ = _of_node(inner[1])
        return whole | ({"additionalProperties": values_} if values_ else {})
    return whole


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _of_word(word: str) -> dict[str, Any] | None:
    word = word.lower()
    if word in _FORMATS:
        return {"type": "string", "format": _FORMATS[word]}
    kind = _TYPES.get(word)
    return None if kind is None else {"type": kind} if kind else {}


def _items(inner: dict[str, Any] | None) -> dict[str, Any]:
    return {"items": inner} if inner else {}


def _either(parts: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """One schema for "this or that"; None where a part is not known."""
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    if any(not p for p in known):  # any type
        return {}
    if all(set(p) == {"type"} for p in known):
        kinds = list(dict.fromkeys(k for p in known for k in _kinds(p["type"])))
        return {"type": kinds[0] if len(kinds) == 1 else kinds}
    rest = [p for p in known if p != {"type": "null"}]
    if len(rest) == 1 and len(rest) < len(known) and isinstance(rest[0].get("type"), str):
        return {**rest[0], "type": [rest[0]["type"], "null"]}
    return {"anyOf": known}


def _kinds(kind: Any) -> list[str]:
    return kind if isinstance(kind, list) else [kind]
