"""Tools of MCP servers."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from looptool_kit.core.samples import Tool
from looptool_kit.tools.catalog import load_tools

needs_mcp = pytest.mark.skipif(
    importlib.util.find_spec("mcp") is None or importlib.metadata.version("mcp") < "2",
    reason="the optional package mcp (2 or later) is not installed",
)
SERVER = """
import sys
from mcp.server import MCPServer
server = MCPServer("demo")

@server.tool()
def add(a: int, b: int = 2) -> int:
    "Add two numbers."
    return a + b

@server.tool(name="get.time")
def get_time(zone: str | None = None) -> str:
    "The time."
    return "now"

if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run("stdio")
"""


@pytest.fixture
def server(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return path


def assert_demo(tools: list[Tool]) -> None:
    assert [(t.name, t.description) for t in tools] == [
        ("add", "Add two numbers."),
        ("get_time", "The time."),
    ]
    assert tools[0].parameters == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}},
        "required": ["a"],
    }
    assert tools[1].properties == {"zone": {"type": ["string", "null"], "default": None}}


@needs_mcp
def test_an_mcp_server_over_stdio(server: Path) -> None:
    spec = f"mcp:{sys.executable} {server}"
    assert_demo(load_tools(spec))

    async def inside_a_notebook() -> list[Tool]:
        return load_tools(spec)

    assert_demo(asyncio.run(inside_a_notebook()))


@pytest.fixture
def url(server: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(server), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@needs_mcp
def test_an_mcp_server_over_http(url: str) -> None:
    assert_demo(load_tools(f"mcp:{url}"))


@needs_mcp
@pytest.mark.parametrize(
    "target", ["no-such-command-at-all --x", f"{sys.executable} -c 1", "http://127.0.0.1:9/mcp"]
)
def test_an_mcp_server_that_does_not_answer_is_named(target: str) -> None:
    with pytest.raises(ValueError, match="gave no tools: .*see why"):
        load_tools(f"mcp:{target}")


def test_without_a_target_or_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ImportError, match=r"pip install 'looptool-kit\[mcp\]'"):
        load_tools(f"mcp:{os.devnull}")


@needs_mcp
@pytest.mark.parametrize(
    ("cursors", "said"),
    [
        (lambda page: str(page), "lists more than 10,000 tools"),
        (lambda page: "again", "comes back to a page"),
        (lambda page: "ab"[page % 2], "comes back to a page"),
    ],
)
def test_a_list_of_tools_without_end_is_not_read_to_its_end(
    cursors: Callable[[int], str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = SimpleNamespace(name="add", description="Add.", input_schema={"type": "object"})

    class Endless:
        def __init__(self, server: object) -> None:
            self.page = 0

        async def __aenter__(self) -> Endless:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

        async def list_tools(self, cursor: str | None) -> SimpleNamespace:
            self.page += 1
            assert self.page < 1000, "it was asked for ever"
            return SimpleNamespace(tools=[tool] * 100, next_cursor=cursors(self.page))

    monkeypatch.setattr("mcp.Client", Endless)
    with pytest.raises(ValueError, match=f"mcp:endless gave no tools: .*{said}"):
        load_tools("mcp:endless")
