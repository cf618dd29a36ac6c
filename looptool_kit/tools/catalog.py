"""Tools from anywhere: functions, OpenAI lists, OpenAPI files, MCP servers.

`load_tools` takes "my_tools.py", "tools.json", "api.yaml", "mcp:python server.py", "mcp:https://host/mcp" or
[function, ...], and gives checked tools with legal, unique names. `schema` says what is simplified in their
schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.tools._rows import Rows, one_line
from looptool_kit.tools.functions import function_rows, public_functions
from looptool_kit.tools.mcp import mcp_rows
from looptool_kit.tools.openapi import openapi_rows
from looptool_kit.tools.schema import legal_name, plain_parameters
from looptool_kit.trust import tools_kind

OnReject = Callable[[int, str, str], None]


def load_tools(
    spec: str | Path | Sequence[Callable[..., Any]], on_reject: OnReject | None = None
) -> list[Tool]:
    """Load tools from a file, an MCP server or functions.

    Names are made legal ([A-Za-z0-9_-], at most 64) and unique. Every schema is checked against JSON Schema
    2020-12.

    Args:
        spec: A Python file, an OpenAI tools file (JSON or JSON lines), an OpenAPI 3 file (JSON or YAML),
            `mcp:` and a command line or URL, or functions. A `Path` is always a file.
        on_reject: Called with row (from 1), raw text and reason for each tool that cannot be used; the others
            are returned. Rows are lines, list items, operations or functions in order.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The source cannot be read or holds no tools. Without `on_reject` also for the first tool
            that cannot be used; it names source, row and reason.
        ImportError: An MCP server is named and the package `mcp` is missing.
    """
    if not isinstance(spec, str | Path):
        source, rows = "the list of functions", function_rows(spec)
    elif (kind := tools_kind(spec)) == "mcp":
        source, rows = str(spec), mcp_rows(str(spec)[4:].strip())
    else:
        path = Path(spec)
        source = str(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist: give a .py, .json, .jsonl, .yaml or .yml file, or `mcp:` and a"
                " command line or URL"
            )
        rows = function_rows(public_functions(path)) if kind == "python" else _file_rows(path)
    tools: list[Tool] = []
    taken: set[str] = set()
    rejected = 0
    for number, raw, make in rows:
        try:
            tool = make()
        except (ValueError, TypeError) as error:
            reason = one_line(error)
            if on_reject is None:
                raise ValueError(f"{source}, row {number} ({raw[:80]}): {reason}") from None
            on_reject(number, raw, reason)
            rejected += 1
            continue
        tools.append(tool.model_copy(update={"name": legal_name(tool.name, taken)}))
    if not tools and not rejected:
        raise ValueError(
            f"{source} holds no tools: expected public functions, function objects with a name, or OpenAPI"
            " operations"
        )
    return tools


def _file_rows(path: Path) -> Rows:
    text = path.read_bytes().decode("utf-8-sig", "replace")
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, line.strip(), partial(_openai_line, line)
        return
    document = _document(path, text)
    if isinstance(document, Mapping) and "swagger" in document:
        raise ValueError(f"{path} is Swagger {document['swagger']}: convert it to OpenAPI 3 first")
    if isinstance(document, Mapping) and "openapi" in document:
        yield from openapi_rows(path, document)
        return
    if isinstance(document, Mapping):
        document = document["tools"] if isinstance(document.get("tools"), list) else [document]
    if not isinstance(document, list):
        raise ValueError(f"{path} holds neither a list of tools nor an OpenAPI document")
    for number, item in enumerate(document, 1):
        yield number, json.dumps(item, ensure_ascii=False, default=str), partial(_openai_tool, item)


def _document(path: Path, text: str) -> Any:
    if path.suffix in (".yaml", ".yml"):
        import yaml

        class Loader(yaml.SafeLoader):
            """JSON's types only, as in YAML 1.2.

            Dates, yes, no, on and off stay text.
            """

        Loader.yaml_implicit_resolvers = {
            first: [
                (tag, pattern)
                for tag, pattern in resolvers
                if tag.rpartition(":")[2] not in ("timestamp", "bool")
            ]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        Loader.add_implicit_resolver(
            "tag:yaml.org,2002:bool", re.compile("^(true|false|True|False|TRUE|FALSE)$"), list("tfTF")
        )
        try:
            return yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"{path} is not YAML: {one_line(error)}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not JSON: {error}; a file with one tool a line is to end in .jsonl"
        ) from None


def _openai_line(line: str) -> Tool:
    return _openai_tool(json.loads(line))


def _openai_tool(item: Any) -> Tool:
    function = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(function, Mapping):
        raise ValueError(
            "a tool is an object with name, description and parameters, bare or under `function`"
        )
    name, description = function.get("name"), function.get("description") or ""
    if not isinstance(name, str) or not name.strip():
        raise ValueError("the tool has no name")
    if not isinstance(description, str):
        raise ValueError("the description must be text")
    return Tool(name=name, description=description, parameters=plain_parameters(function.get("parameters")))
