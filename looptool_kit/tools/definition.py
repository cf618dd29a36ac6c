"""Definitions of tools in every form that people keep them in.

The one reader of the catalogue and of all importers. It knows OpenAI's form (bare, under `function`, of the
Responses API, or a `custom` tool with its free text as `input`), Anthropic's (`input_schema`), MCP's
(`inputSchema`, a whole answer of `tools/list`), Gemini's (`functionDeclarations`), Bedrock's (`toolSpec`),
pydantic's (`title` and `properties`), and flat parameters as in xLAM's, ToolBench's and smolagents' data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Tool
from looptool_kit.tools.schema import plain_parameters

_CONTAINERS = (
    "tools", "functions", "functionDeclarations", "function_declarations", "toolConfig", "result", "apis",
)  # fmt: skip
"""Keys of an object that holds definitions."""
_WRAPPERS = ("function", "toolSpec", "custom")
"""Keys of an object that holds one definition."""
_SCHEMAS = (
    "parameters", "inputSchema", "input_schema", "parametersJsonSchema", "parameters_json_schema",
    "args_schema", "inputs", "args", "arguments", "parameter_definitions",
)  # fmt: skip
"""Keys of the arguments' schema."""
_RESULTS = (
    "outputSchema", "output_schema", "response", "responses", "returns", "output", "annotations", "_meta",
    "meta", "metadata", "responseJsonSchema", "examples", "results",
)  # fmt: skip
"""Keys that may hold a schema of something else."""
_SCHEMA_WORDS = {
    "properties", "$ref", "allOf", "anyOf", "oneOf", "$defs", "$schema", "additionalProperties",
    "patternProperties", "prefixItems", "propertyNames", "dependentSchemas", "dependentRequired",
    "unevaluatedProperties", "unevaluatedItems", "minProperties", "maxProperties",
}  # fmt: skip
"""Keys that no parameter has for its name: with one of them an object is a schema."""


def definitions(document: Any) -> Iterator[Any]:
    """Yield the definitions of a document, in order.

    Its list, or itself.
    """
    if isinstance(document, list | tuple):
        for item in document:
            yield from definitions(item) if isinstance(item, Mapping) else (item,)
        return
    if isinstance(document, Mapping) and not any(key in document for key in (*_SCHEMAS, *_WRAPPERS)):
        for key in _CONTAINERS:
            if isinstance(document.get(key), list | Mapping):
                yield from definitions(document[key])
                return
    yield document


def tool_of(item: Any) -> Tool:
    """One definition as a tool; its name stays as it is.

    Raises:
        ValueError: It has no name, its schema is not legal, or its parameters stand where no form has them.
    """
    body = item
    for key in _WRAPPERS:
        if isinstance(item, Mapping) and isinstance(item.get(key), Mapping):
            body = item[key]
    if not isinstance(body, Mapping):
        raise ValueError(
            "a tool is an object with name, description and parameters, bare or under `function`, not"
            f" {str(item)[:60]!r}"
        )
    name, description = body.get("name"), body.get("description") or ""
    parameters = _parameters(body)
    if parameters is None and item.get("type") == "custom":
        parameters = _object({"input": {"type": "string"}}, ["input"])
    if name is None and isinstance(body.get("properties"), Mapping):  # a pydantic model's schema
        name, parameters = body.get("title"), {k: v for k, v in body.items() if k != "description"}
    if not isinstance(name, str) or not name.strip():
        raise ValueError("the tool has no name")
    if not isinstance(description, str):
        raise ValueError("the description must be text")
    return Tool(name=name, description=description, parameters=plain_parameters(parameters))


def _parameters(body: Mapping[str, Any]) -> Any:
    """The arguments' schema, wherever the definition has it; None where it takes none."""
    if "required_parameters" in body or "optional_parameters" in body:  # ToolBench
        listed = [(p, True) for p in body.get("required_parameters") or []]
        listed += [(p, False) for p in body.get("optional_parameters") or []]
        return _of_list([{**p, "required": must} for p, must in listed if isinstance(p, Mapping)])
    for key in _SCHEMAS:
        if body.get(key) is None:
            continue
        value = body[key]
        if isinstance(value, str):
            value = strict_json(value) if value.strip() else None
        if isinstance(value, Mapping) and set(value) == {"json"}:  # Bedrock
            value = value["json"]
        if isinstance(value, list):
            return _of_list(value)
        return of_flat(value) if _is_flat(value) else value
    if isinstance(body.get("properties"), Mapping):  # beside the name
        return {"type": "object", **{k: body[k] for k in ("properties", "required") if k in body}}
    for key, value in body.items():
        if key not in _RESULTS and _looks_like_parameters(value):
            raise ValueError(f"its parameters seem to stand under {key!r}; call that key `parameters`")
    return None


def _looks_like_parameters(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(v, Mapping) and {"name", "type"} <= set(v) for v in value)
    if not isinstance(value, Mapping) or not value:
        return False
    return "properties" in value or all(isinstance(v, Mapping) and "type" in v for v in value.values())


def _is_flat(value: Any) -> bool:
    """Tell whether it maps names to types or schemas instead of being a schema."""
    if not isinstance(value, Mapping) or not value or _SCHEMA_WORDS & set(value):
        return False
    if isinstance(value.get("type"), str) and not isinstance(value.get("description"), Mapping):
        return False  # a schema without properties
    return all(isinstance(v, Mapping | str) for v in value.values())


def _of_list(listed: list[Any]) -> dict[str, Any]:
    """Parameters as a list of objects with a `name`; `required` or `optional` stands in each."""
    properties: dict[str, Any] = {}
    required = []
    for p in listed:
        if not isinstance(p, Mapping) or not isinstance(p.get("name"), str):
            raise ValueError(f"a parameter of a list is an object with a name, not {str(p)[:60]!r}")
        must = p.get("required", not p.get("optional", "default" in p))
        schema = p["schema"] if isinstance(p.get("schema"), Mapping) else {}
        rest = {k: v for k, v in p.items() if k not in ("name", "required", "optional", "schema", "in")}
        properties[p["name"]] = {**schema, **rest}
        if must is True or str(must).lower() == "true":
            required.append(p["name"])
    return _object(properties, required)


def of_flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Flat parameters, name -> type, description and default, as JSON Schema.

    Those with a default, and those whose type says "optional" or that are `nullable`, are optional.
    """
    properties, required = {}, []
    for name, p in parameters.items():
        p = dict(p) if isinstance(p, Mapping) else {"type": str(p)}
        must = p.pop("required", None) if not isinstance(p.get("required"), list) else None
        optional = p.pop("optional", None) is True or p.get("nullable") is True
        kind = p.get("type")
        optional |= isinstance(kind, str) and "optional" in kind.lower()
        optional |= "default" in p
        if p.get("default") in (None, ""):  # xLAM writes an empty default where there is none to give
            p.pop("default", None)
        properties[name] = {k: v for k, v in p.items() if v not in (None, "")}
        if must is True or (must is not False and not optional):
            required.append(name)
    return _object(properties, required)


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})
