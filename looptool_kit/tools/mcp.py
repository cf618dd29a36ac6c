"""The tools of an MCP server."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.tools._rows import Rows, one_line
from looptool_kit.tools.schema import plain_parameters

MAX_WAIT = timedelta(seconds=60)
MAX_TOOLS = 10_000
"""Of one server: its list comes in pages, and one that never ends would fill the memory first."""


def _tool(tool: Any) -> Tool:
    parameters = plain_parameters(tool.input_schema)
    return Tool(name=tool.name, description=tool.description or "", parameters=parameters)


def mcp_rows(target: str) -> Rows:
    for number, tool in enumerate(_listed(target), 1):
        yield number, tool.name, partial(_tool, tool)


def _listed(target: str) -> list[Any]:
    """The tools that an MCP server lists.

    `target` is its URL (streamable HTTP) or the command line that starts it (stdio).
    """
    try:
        from mcp import Client, StdioServerParameters
    except ImportError:
        raise ImportError(
            "tools from an MCP server need the official `mcp` package, version 2 or later: pip install"
            " 'looptool-kit[mcp]'"
        ) from None
    import asyncio
    import shlex
    from concurrent.futures import ThreadPoolExecutor

    words = shlex.split(target)
    if not words:
        raise ValueError("`mcp:` must be followed by a command line or a URL, as in `mcp:python server.py`")
    server: Any = (
        target if re.match(r"https?://", target) else StdioServerParameters(command=words[0], args=words[1:])
    )

    async def ask() -> list[Any]:
        tools: list[Any] = []
        async with asyncio.timeout(MAX_WAIT.total_seconds()), Client(server) as client:
            cursor: str | None = None
            seen = set[str]()
            while True:
                page = await client.list_tools(cursor=cursor)
                tools.extend(page.tools)
                if len(tools) > MAX_TOOLS:
                    raise ValueError(f"it lists more than {MAX_TOOLS:,} tools")
                if page.next_cursor in seen:
                    raise ValueError("its list of tools comes back to a page that it has given before")
                if not (cursor := page.next_cursor):
                    return tools
                seen.add(cursor)

    # In a thread of its own, because a notebook's loop is already running.
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(asyncio.run, ask()).result()
        except Exception as error:  # transports raise whatever their libraries raise, often in groups
            raise ValueError(
                f"mcp:{target} gave no tools: {_root(error)}; run the command (or open the URL) by itself to"
                " see why"
            ) from None


def _root(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {one_line(error)}"
