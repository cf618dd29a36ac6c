"""The operations of an OpenAPI 3 or Swagger 2 document as tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.tools._rows import Rows
from looptool_kit.tools.schema import plain_parameters, resolve

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PLACES = ("path", "query", "header")
_DESCRIBED_ELSEWHERE = ("accept", "content-type", "authorization")
"""Headers that OpenAPI describes by media types and security schemes."""
_FIELDS = re.compile(
    r"\*/\*|application/\*|application/(.+\+)?json|application/x-www-form-urlencoded|multipart/.+"
)
"""Media types whose body is an object of fields."""
_ABOUT = ("name", "in", "required", "description", "schema", "allowEmptyValue", "collectionFormat")
"""What a Swagger 2 parameter says of itself, beside its schema's words."""
MAX_REFERENCES = 10
"""References that lead to references: more are a circle."""


def openapi_rows(path: Path, document: Mapping[str, Any]) -> Rows:
    """Yield a row for each operation of an OpenAPI document.

    OpenAPI 3 or Swagger 2. Raises `ValueError` for another version.
    """
    version = str(document.get("openapi") or document.get("swagger"))
    if not version.startswith(("3.", "2.")) and version not in ("2", "3"):
        raise ValueError(f"{path} is OpenAPI {version}: only 3.x and Swagger 2.0 are read")
    paths = document.get("paths") or {}
    if not isinstance(paths, Mapping):
        raise ValueError(f"{path}: `paths` must be an object")
    number = 0
    for route, item in paths.items():
        if isinstance(item, Mapping) and "$ref" in item:
            try:
                item = resolve(document, item["$ref"])
            except ValueError as error:
                raise ValueError(f"{path}, {route}: {error}") from None
        for method, operation in item.items() if isinstance(item, Mapping) else ():
            if method in _METHODS:
                number += 1
                shared = item.get("parameters")
                read = partial(_operation, document, str(route), method, operation, shared)
                yield number, f"{method.upper()} {route}", read


def _operation(document: Mapping[str, Any], route: str, method: str, operation: Any, shared: Any) -> Tool:
    """One operation as a tool.

    It has the operation's parameters and the fields of its JSON body; one that nothing describes is described
    by its method and path. A field whose name a parameter has
    already is called `body_<name>`.
    """
    operation = _follow(document, operation)
    properties: dict[str, Any] = {}
    required: list[str] = []
    listed = [_follow(document, p) for p in [*(shared or []), *(operation.get("parameters") or [])]]
    if "requestBody" not in operation and (body := _body_of_parameters(listed)):
        operation = {**operation, "requestBody": body}
    for name, schema, needed in _parameters(listed):
        properties[name] = schema
        if needed:
            required.append(name)
    if "requestBody" in operation:
        for field, schema, needed in _body(
            document, _follow(document, operation["requestBody"]), method.lower() != "patch"
        ):
            name = field if field not in properties else f"body_{field}"
            properties[name] = schema
            if needed:
                required.append(name)
    texts = (str(operation[k]).strip() for k in ("summary", "description") if operation.get(k))
    schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
    return Tool(
        name=re.sub(r"[{}]", "", str(operation.get("operationId") or f"{method}_{route.strip('/')}")),
        description="\n".join(dict.fromkeys(texts)) or f"{method.upper()} {route}",
        parameters=plain_parameters(schema, document),
    )


def _follow(document: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    """The object that a node is or refers to."""
    for _ in range(MAX_REFERENCES):
        if not isinstance(node, Mapping):
            raise ValueError(f"expected an object, found {str(node)[:60]!r}")
        if "$ref" not in node:
            return node
        node = resolve(document, node["$ref"])
    raise ValueError("a chain of $ref never ends")


def _parameters(listed: list[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield name, schema and need of what a caller sets.

    Cookies are left out.
    """
    # An operation's own parameter replaces the path's one of that name and place.
    for (name, place), parameter in {(p.get("name"), p.get("in")): p for p in listed}.items():
        if place not in _PLACES or (place == "header" and str(name).lower() in _DESCRIBED_ELSEWHERE):
            continue
        if not isinstance(name, str):
            raise ValueError("a parameter has no name")
        in_media = next((c.get("schema") for c in _media(parameter).values()), None)
        schema = parameter.get("schema") or in_media or _inline(parameter)
        texts = {k: parameter[k] for k in ("description", "example") if k in parameter}
        described = {"allOf": [schema], **texts} if "$ref" in schema else {**schema, **texts}
        yield name, described, place == "path" or parameter.get("required") is True


def _inline(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a Swagger 2 parameter writes beside its name."""
    return {k: v for k, v in parameter.items() if k not in _ABOUT} if "type" in parameter else {}


def _body_of_parameters(listed: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The request body that a Swagger 2 operation has among its parameters."""
    whole = next((p for p in listed if p.get("in") == "body"), None)
    if whole is not None:
        schema, must = whole.get("schema") or {}, whole.get("required") is True
        return {"required": must, "content": {"application/json": {"schema": schema}}}
    fields = {str(p.get("name")): p for p in listed if p.get("in") == "formData"}
    if not fields:
        return None
    required = [name for name, p in fields.items() if p.get("required") is True]
    described = ({"description": p["description"]} if "description" in p else {} for p in fields.values())
    properties = {n: _inline(p) | d for (n, p), d in zip(fields.items(), described, strict=True)}
    schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
    return {"required": bool(required), "content": {"multipart/form-data": {"schema": schema}}}


def _body(
    document: Mapping[str, Any], body: Mapping[str, Any], whole_thing: bool
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield name, schema and need of a body's fields.

    A body that is not an object is the one field `body`. What an object requires is needed whether the body
    is said to be required or not (many documents leave that word out, whose default is false), unless it
    only changes a part of the `whole_thing`.
    """
    must = body.get("required") is True
    media = next((v for k, v in _media(body).items() if _FIELDS.fullmatch(k)), None)
    if media is None:
        if must:
            raise ValueError(f"its body is {', '.join(_media(body)) or 'not described'}, not JSON")
        return
    wrapped = plain_parameters({"properties": {"body": media.get("schema") or {}}}, document)
    whole = wrapped["properties"].get("body", {})
    whole = whole if isinstance(whole, dict) else {}  # true: any body will do
    is_object = whole.get("type") in ("object", None, ["object", "null"])
    fields = whole.get("properties") if is_object and not {"anyOf", "oneOf", "allOf"} & set(whole) else None
    for field, schema in (fields or {"body": whole}).items():
        yield (
            field,
            schema,
            (must or whole_thing) and field in (whole.get("required") or []) if fields else must,
        )


def _media(node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    content = node.get("content") or {}
    if not isinstance(content, Mapping):
        raise ValueError(f"`content` must be an object, not {str(content)[:60]!r}")
    return {str(kind).split(";")[0].strip(): v for kind, v in content.items() if isinstance(v, Mapping)}
