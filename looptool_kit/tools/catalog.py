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
from looptool_kit.tools.bundle import bundled
from looptool_kit.tools.definition import definitions, tool_of
from looptool_kit.tools.functions import function_rows, public_functions
from looptool_kit.tools.mcp import mcp_rows
from looptool_kit.tools.openapi import openapi_rows
from looptool_kit.tools.schema import legal_name
from looptool_kit.trust import tools_kind

MAX_UNFOLDED, MAX_TIMES_UNFOLDED = 200_000, 20
"""Values that YAML aliases may stand for, and how many times those that are written, whichever is more."""
OnReject = Callable[[int, str, str], None]
OnRename = Callable[[str, str], None]


def load_tools(
    spec: str | Path | Sequence[Callable[..., Any]],
    on_reject: OnReject | None = None,
    on_rename: OnRename | None = None,
) -> list[Tool]:
    """Load tools from a file, an MCP server or functions.

    Names are made legal ([A-Za-z0-9_-], at most 64) and unique. Every schema is checked against JSON Schema
    2020-12.

    Args:
        spec: A Python file, an OpenAI tools file (JSON or JSON lines), an OpenAPI 3 file (JSON or YAML),
            `mcp:` and a command line or URL, or functions. A `Path` is always a file.
        on_reject: Called with row (from 1), raw text and reason for each tool that cannot be used; the others
            are returned. Rows are lines, list items, operations or functions in order.
        on_rename: Called with the legal and the original name of each tool whose name is changed.

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
            tool.canonical.encode("utf-8")  # raises UnicodeEncodeError, a ValueError, on lone surrogates
        except (ValueError, TypeError) as error:
            reason = one_line(error)
            if on_reject is None:
                raise ValueError(f"{source}, row {number} ({raw[:80]}): {reason}") from None
            on_reject(number, raw, reason)
            rejected += 1
            continue
        name = legal_name(tool.name, taken)
        if name != tool.name and on_rename:
            on_rename(name, tool.name)
        tools.append(tool.model_copy(update={"name": name}))
    if not tools and not rejected:
        raise ValueError(
            f"{source} holds no tools: expected public functions, function objects with a name, or OpenAPI"
            " operations"
        )
    return tools


def _file_rows(path: Path) -> Rows:
    if path.suffix == ".jsonl":
        text = path.read_bytes().decode("utf-8-sig", "replace")
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, line.strip(), partial(_line_tool, line)
        return
    document = _loaded(path)
    if isinstance(document, Mapping) and ("openapi" in document or "swagger" in document):
        yield from openapi_rows(path, bundled(path, document, _loaded))
        return
    if not isinstance(document, Mapping | list):
        raise ValueError(f"{path} holds neither a list of tools nor an OpenAPI document")
    for number, item in enumerate(definitions(document), 1):
        yield number, json.dumps(item, ensure_ascii=False, default=str), partial(tool_of, item)


def _loaded(path: Path) -> Any:
    return _document(path, path.read_bytes().decode("utf-8-sig", "replace"))


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
            document = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"{path} is not YAML: {one_line(error)}") from None
        if reason := _unfolding(document):
            raise ValueError(f"{path} {reason}: write out what they stand for, or use $ref")
        return document
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not JSON: {error}; a file with one tool a line is to end in .jsonl"
        ) from None


def _unfolding(document: Any) -> str:
    """Why a document with YAML aliases cannot be read as the tree that it stands for; empty where it can.

    Few bytes of aliases to aliases stand for billions of values.
    """
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    waiting = [document]
    while waiting:
        value = waiting[-1]
        parts = [v for v in _parts(value) if isinstance(v, Mapping | list)]
        if id(value) in open_ or id(value) in sizes:
            waiting.pop()
            open_.discard(id(value))
            sizes.setdefault(id(value), 1 + len(_parts(value)) + sum(sizes[id(v)] for v in parts))
            continue
        if any(id(v) in open_ for v in parts) or any(v is value for v in parts):
            return "has YAML aliases that hold themselves"
        open_.add(id(value))
        waiting += [v for v in parts if id(v) not in sizes]
    if sizes[id(document)] > max(MAX_UNFOLDED, MAX_TIMES_UNFOLDED * len(sizes)):
        return f"has YAML aliases that stand for {sizes[id(document)]:,} values"
    return ""


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []


def _line_tool(line: str) -> Tool:
    try:
        return tool_of(json.loads(line))
    except RecursionError:
        raise ValueError("nested too deeply") from None
