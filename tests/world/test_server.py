"""The world's MCP server books and cancels through real clients."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit import world
from looptool_kit.cli import app
from looptool_kit.tools.catalog import load_tools

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mcp") is None or importlib.metadata.version("mcp") < "2",
    reason="the optional package mcp (2 or later) is not installed",
)
COMMAND = [
    "-m",
    "looptool_kit.cli",
    "serve",
    "world",
    "--domains",
    "restaurants,weather",
    "--today",
    "2026-05-04",
]
TABLE = {"restaurant": "The Copper Fig", "date": "2026-05-08", "time": "19:00", "guests": 4}


def calls(*wanted: tuple[str, Any]) -> list[Any]:
    """The answers of one server to these calls; an argument that is a function gets the answers so far."""
    from mcp import Client, StdioServerParameters

    async def ask() -> list[Any]:
        answers: list[Any] = []
        async with Client(StdioServerParameters(command=sys.executable, args=COMMAND)) as client:
            for name, arguments in wanted:
                given = arguments(answers) if callable(arguments) else arguments
                answers.append(await client.call_tool(name, given))
        return answers

    return asyncio.run(ask())


def key(answers: list[Any]) -> dict[str, str]:
    return {"reservation_id": answers[0].structured_content["reservation_id"]}


def test_a_booked_table_can_be_cancelled_once_and_an_unknown_one_is_an_error() -> None:
    booked, listed, moved, gone, again, unknown, none = calls(
        ("book_table", TABLE),
        ("list_reservations", {"name": "Ada Novak"}),
        ("update_reservation", lambda a: {**key(a), "time": "20:30"}),
        ("cancel_reservation", key),
        ("cancel_reservation", key),
        ("cancel_reservation", {"reservation_id": "RES-0000"}),
        ("list_reservations", {"name": "Ada Novak"}),
    )
    assert [r["reservation_id"] for r in listed.structured_content["reservations"]] == [
        booked.structured_content["reservation_id"]
    ]
    assert not any(a.is_error for a in (booked, listed, moved, gone))
    assert again.is_error and unknown.is_error
    assert unknown.structured_content == {"error": "no reservation RES-0000"}
    assert json.loads(booked.content[0].text) == booked.structured_content
    assert booked.structured_content["reservation_id"] not in none.content[0].text


def test_wrong_calls_are_errors_that_say_why() -> None:
    answers = calls(
        ("book_table", {**TABLE, "guests": "many"}),
        ("book_table", {k: v for k, v in TABLE.items() if k != "date"}),
        ("startSong", {}),
        ("get_forecast", {"city": "Lisbon", "date": "2026-05-08"}),
        ("get_forecast", {"city": "Lisbon", "date": "2026-05-08"}),
    )
    assert [a.is_error for a in answers] == [True, True, True, False, False]
    assert "guests" in answers[0].content[0].text and "unknown tool" in answers[2].content[0].text
    assert answers[3].structured_content == answers[4].structured_content


def test_the_kits_own_client_reads_its_tools() -> None:
    tools = load_tools(f"mcp:{sys.executable} {' '.join(COMMAND)}")
    own = {t.name: t for t in world.catalogue()}
    names = [*world.domains()["restaurants"], *world.domains()["weather"]]
    assert tools == [own[name] for name in names]


def test_standard_output_carries_the_protocol_alone() -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        },
    }
    done = subprocess.run(
        [sys.executable, *COMMAND],
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines and all(json.loads(line)["jsonrpc"] == "2.0" for line in lines)
    assert "tools on standard input and output" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"), [(["--domains", "nowhere"], "nowhere"), (["--today", "soon"], "soon")]
)
def test_a_wrong_option_is_named(options: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["serve", "world", *options])
    assert done.exit_code != 0 and words in str(done.exception)
