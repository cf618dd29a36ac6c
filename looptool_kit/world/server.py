"""The world's tools as an MCP server, with state: what one call has made the next one finds.

One process serves one client over its standard input and output, and keeps its records until it ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.versions import version
from looptool_kit.world.session import Session


def serve(session: Session) -> None:
    """Answer an MCP client on standard input and output until it goes.

    Raises:
        ImportError: The package `mcp` is missing.
    """
    try:
        import mcp_types as types
        from mcp.server.lowlevel import Server
        from mcp.server.stdio import stdio_server
    except ImportError:
        raise ImportError(
            "the MCP server needs the official `mcp` package, version 2 or later: pip install"
            " 'looptool-kit[mcp]'"
        ) from None
    import asyncio

    async def listed(_: Any, __: Any) -> types.ListToolsResult:
        tools = (s.tool for s in session.known.values())
        return types.ListToolsResult(
            tools=[
                types.Tool(name=t.name, description=t.description, input_schema=t.parameters) for t in tools
            ]
        )

    async def called(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        result = answer(session, params.name, params.arguments or {})
        text = json.dumps(result, ensure_ascii=False)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)],
            structured_content=result,
            is_error="error" in result,
        )

    async def run() -> None:
        server: Any = Server("looptool-world", version=version(), on_list_tools=listed, on_call_tool=called)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    asyncio.run(run())


def answer(session: Session, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a call from outside.

    It is `{"error": ...}` where the call cannot be executed.
    """
    return session.call(ToolCall(name=name, arguments=dict(arguments)))
