"""Make foreign JSON Schemas plain.

Then a small model can read them, and one JSON Schema dialect (2020-12) describes every tool. What is
simplified, everywhere:

- `$ref`s are written out where they stand. A reference back into itself, or nested more than `MAX_DEPTH`
  references deep, or in a schema that has grown beyond `MAX_NODES` nodes, ends as a bare type with a note.
- `allOf` of objects becomes one object; "this or null" becomes `"type": [..., "null"]`.
- Titles, `$defs` and OpenAPI's own words (`discriminator`, `xml`, `externalDocs`) are left out.
- OpenAPI 3.0's `nullable`, boolean `exclusiveMinimum` / `exclusiveMaximum` and `example` take their 2020-12
  form.
- Read-only properties are left out, for no request sets them.
- Types get JSON Schema's names (`types`).
- Earlier drafts' words take their 2020-12 form (`dependencies`, lists of `items`, `divisibleBy`,
  `$recursiveRef`); words that decide nothing (`$anchor`, `$comment`, `x-...`) are left out; a `pattern` that
  is not a regular expression here stands in the description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from looptool_kit.tools.types import typed

MAX_DEPTH = 8
"""References that are written out inside each other; deeper ones end as a bare type."""
MAX_NODES = 2_000
"""Nodes of a schema; once it has more, references end as a bare type: no small model reads a longer one."""
MAX_WALK = 50_000
"""Nodes of a schema at all, so that a hostile one cannot run on."""
_DROPPED = {
    "title",
    "$defs",
    "definitions",
    "$schema",
    "$id",
    "discriminator",
    "xml",
    "externalDocs",
    "nullable",
    "readOnly",
    "writeOnly",
    "example",
    "$recursiveAnchor",
    "$dynamicAnchor",
    "$anchor",
    "$comment",
    "$vocabulary",
    "propertyOrdering",
}
_REFERENCES = ("$ref", "$recursiveRef", "$dynamicRef")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    "items",
    "additionalProperties",
    "not",
    "contains",
    "propertyNames",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "unevaluatedItems",
)


def plain_parameters(schema: Any, root: Any = None) -> dict[str, Any]:
    """The arguments schema of a tool, plain and checked.

    It is always an object with `properties`. `$ref`s resolve in `root`, by default the schema itself. Raises
    `ValueError` that says what is wrong with the schema.
    """
    out = plain_schema(schema if schema is not None else {}, schema if root is None else root)
    if out.get("type", "object") != "object":
        raise ValueError(f"the parameters must be a JSON Schema of type object, not {out['type']!r}")
    # Tools may only be called with an object, so a combination at the top keeps its alternatives and gains
    # the type.
    out = {"type": "object", "properties": {}} | out
    check_schema(out)
    return out


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise `ValueError` where `schema` breaks JSON Schema 2020-12.

    It is one line.
    """
    try:
        jsonschema_rs.meta.validate({**schema, "$schema": _DRAFT})
    except jsonschema_rs.ValidationError as error:
        place = "$" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.instance_path)
        raise ValueError(f"not a JSON Schema at {place}: {error.message[:300]}") from None
    properties, required = schema.get("properties", {}), schema.get("required", [])
    missing = [name for name in required if name not in properties]
    if properties and missing:
        raise ValueError(
            f"`required` names {', '.join(map(repr, missing))}, which `properties` does not describe"
        )


def resolve(root: Any, ref: str) -> Any:
    """What a local reference (`#/a/b`) points to in `root`.

    Raises `ValueError` where it points nowhere or outside of the document.
    """
    if not isinstance(ref, str) or not ref.startswith("#"):
        raise ValueError(f"$ref {ref!r} points outside of the file; bundle the files into one first")
    node = root
    for part in ref[1:].split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(key)] if isinstance(node, list) else node[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"$ref {ref!r} points to nothing in the file") from None
    return node


def plain_schema(schema: Any, root: Any) -> dict[str, Any]:
    """Make one schema plain, as the module says.

    `root` is the document that its references point into.
    """
    seen = 0

    def walk(node: Any, refs: tuple[str, ...]) -> Any:
        nonlocal seen
        seen += 1
        if seen > MAX_WALK:
            raise ValueError(f"the schema holds more than {MAX_WALK} nodes; give the tool a smaller one")
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise ValueError(f"a schema is an object, not {str(node)[:60]!r}")
        pointer = next((word for word in _REFERENCES if isinstance(node.get(word), str)), None)
        if pointer:
            ref, beside = node[pointer], {k: v for k, v in node.items() if k != pointer}
            target = resolve(root, ref)
            if ref in refs or len(refs) >= MAX_DEPTH or seen > MAX_NODES:
                return _cut(target, beside, str(ref).rpartition("/")[2])
            inner = walk(target, (*refs, ref))
            outer = walk(beside, refs) if beside else {}
            return {**inner, **outer} if isinstance(inner, dict) else outer or inner
        kept = _later({k: v for k, v in node.items() if k not in _DROPPED and not str(k).startswith("x-")})
        return _modern(typed({k: part(k, v, refs) for k, v in kept.items()}), node)

    def part(key: str, value: Any, refs: tuple[str, ...]) -> Any:
        if key in _MAPS:
            _require(key, value, Mapping, "an object")
            return {
                str(k): walk(v, refs)
                for k, v in value.items()
                if not (isinstance(v, Mapping) and v.get("readOnly") is True)
            }
        if key in _LISTS:
            _require(key, value, list, "a list")
            return [walk(v, refs) for v in value]
        # Draft 3 and some OpenAPI files say true or false of a property.
        if key == "required" and not isinstance(value, bool):
            _require(key, value, list, "a list")
            for name in value:
                _require(key, name, str, "a list of names")
        if key in _SINGLE:
            return walk(value, refs)
        return value

    try:
        out = walk(schema, ())
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None
    if not isinstance(out, dict):
        raise ValueError("the parameters must be a JSON Schema object, not true or false")
    return out


def _require(word: str, value: Any, kind: type, named: str) -> None:
    if not isinstance(value, kind):
        raise ValueError(f"not a JSON Schema: `{word}` must be {named}, and holds {str(value)[:60]!r}")


def _cut(target: Any, beside: Mapping[str, Any], name: str) -> dict[str, Any]:
    kind = (
        target.get("type", "object" if {"properties", "allOf"} & set(target) else None)
        if isinstance(target, Mapping)
        else None
    )
    out: dict[str, Any] = {"type": kind} if kind else {}
    out["description"] = beside.get("description") or f"A {name}, not described further here."
    return out


def _later(node: dict[str, Any]) -> dict[str, Any]:
    """Put the words of drafts 3 to 7 into those of 2020-12."""
    if isinstance(node.get("items"), list):
        node["prefixItems"] = node.pop("items")
        if "additionalItems" in node:
            node["items"] = node.pop("additionalItems")
    node.pop("additionalItems", None)
    if isinstance(node.get("dependencies"), Mapping):
        named = node.pop("dependencies")
        lists = {k: v for k, v in named.items() if isinstance(v, list)}
        node |= {"dependentRequired": lists} if lists else {}
        schemas = {k: v for k, v in named.items() if isinstance(v, Mapping)}
        node |= {"dependentSchemas": schemas} if schemas else {}
    if "divisibleBy" in node:
        node.setdefault("multipleOf", node.pop("divisibleBy"))
    if isinstance(node.get("id"), str):  # draft 4's $id
        del node["id"]
    if isinstance(node.get("type"), list):
        node["type"] = list(dict.fromkeys(k for k in node["type"] if isinstance(k, str)))
    if isinstance(inner := node.get("properties"), Mapping) and isinstance(node.get("required", []), list):
        # Draft 3 and flat forms say it inside of each property.
        said = [k for k, v in inner.items() if isinstance(v, Mapping) and v.get("required") is True]
        node |= {"required": [*node.get("required", []), *said]} if said else {}
    if isinstance(node.get("required"), list) and all(isinstance(n, str) for n in node["required"]):
        node["required"] = list(dict.fromkeys(node["required"]))
    if isinstance(pattern := node.get("pattern"), str) and not _is_pattern(pattern):
        told = f"Pattern: {node.pop('pattern')}"
        node["description"] = f"{node['description']} {told}" if node.get("description") else told
    return node


@lru_cache(4096)
def _is_pattern(pattern: str) -> bool:
    try:
        jsonschema_rs.validator_for({"$schema": _DRAFT, "pattern": pattern})
        return True
    except ValueError:  # ValidationError is one
        return False


def _modern(out: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Put a schema into the words of JSON Schema 2020-12.

    Those of OpenAPI 3.0 are translated, `allOf` becomes one object, "or null" a type list.
    """
    if "example" in node and "examples" not in out:
        out["examples"] = [node["example"]]
    if isinstance(out.get("examples"), Mapping):  # OpenAPI's named examples
        del out["examples"]
    for word, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(out.get(word), bool) and out.pop(word) and limit in out:
            out[word] = out.pop(limit)
    if isinstance(out.get("required"), bool):
        del out["required"]
    if "properties" in out and isinstance(out.get("required"), list):
        # Read-only properties are gone, so they cannot be required either.
        dropped = {k for k, v in (node.get("properties") or {}).items() if k not in out["properties"]}
        out["required"] = [k for k in out["required"] if k not in dropped]
    if out.get("required") == []:
        del out["required"]
    out = _merge_all(out)
    nullable = node.get("nullable") is True
    for word in ("anyOf", "oneOf"):
        choices = out.get(word)
        if isinstance(choices, list) and {"type": "null"} in choices:
            rest = [c for c in choices if c != {"type": "null"}]
            if len(rest) == 1 and isinstance(rest[0], dict) and isinstance(rest[0].get("type"), str):
                out = {**rest[0], **{k: v for k, v in out.items() if k != word}}
                nullable = True
    return _or_null(out) if nullable else out


def _or_null(out: dict[str, Any]) -> dict[str, Any]:
    kind = out.get("type")
    if isinstance(kind, str) and kind != "null":
        out = {**out, "type": [kind, "null"]}
    elif kind is None and ("anyOf" in out or "oneOf" in out):
        word = "anyOf" if "anyOf" in out else "oneOf"
        out = {**out, word: [*out[word], {"type": "null"}]}
    if isinstance(out.get("enum"), list) and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]
    if "const" in out:
        out["enum"] = [out.pop("const"), None]
    return out


def _merge_all(out: dict[str, Any]) -> dict[str, Any]:
    parts = out.get("allOf")
    if not isinstance(parts, list) or not parts or not all(isinstance(p, dict) for p in parts):
        return out
    rest = {k: v for k, v in out.items() if k != "allOf"}
    if len(parts) == 1 and not set(parts[0]) & set(rest) - {"description", "default", "examples"}:
        return {**parts[0], **rest}
    plain = {"type", "properties", "required", "description", "additionalProperties", "examples", "default"}
    objects = [*parts, rest]
    if not all(set(p) <= plain and p.get("type", "object") == "object" for p in objects):
        return out
    names = [name for p in objects for name in p.get("properties", {})]
    if len(set(names)) < len(names) or any(p.get("additionalProperties") is False for p in objects):
        return out  # not the same thing when merged
    merged: dict[str, Any] = {}
    for p in objects:
        merged.update({k: v for k, v in p.items() if k not in ("properties", "required")})
    required = list(dict.fromkeys(name for p in objects for name in p.get("required", [])))
    merged |= {
        "type": "object",
        "properties": {k: v for p in objects for k, v in p.get("properties", {}).items()},
    }
    return merged | ({"required": required} if required else {})


def legal_name(name: str, taken: set[str]) -> str:
    """Make a name legal and unlike those `taken`; add it there.

    It has at most 64 characters of [A-Za-z0-9_-]; others become underscores. A number tells it from others.
    """
    base = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "tool"
    legal, count = base, 1
    while legal in taken:
        count += 1
        legal = f"{base[: 63 - len(str(count))]}_{count}"
    taken.add(legal)
    return legal
