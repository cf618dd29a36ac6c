"""The command `serve`: the world's tools for other programs."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from looptool_kit.cli.common import DATA, app
from looptool_kit.core.terminal import say

serve_app = typer.Typer(no_args_is_help=True, help="Serve executable tools to other programs.")
app.add_typer(serve_app, name="serve", rich_help_panel=DATA)


@serve_app.callback()
def serve() -> None:
    """Serve executable tools to other programs."""


@serve_app.command()
def world(
    domains: Annotated[
        str, typer.Option(help="Domains of the world, separated by commas; all if left out.")
    ] = "",
    seed: Annotated[int, typer.Option(help="What results are drawn from.")] = 0,
    today: Annotated[
        str, typer.Option(help="The date that the tools take for today, as 2026-11-27; by default today's.")
    ] = "",
) -> None:
    """Serve the world's tools as an MCP server.

    It reads standard input and writes to standard output. It keeps what calls make, change and cancel until
    it ends. For a client that starts it: `mcp:looptool serve world --domains restaurants`.
    """
    from looptool_kit.world.server import serve as run
    from looptool_kit.world.session import Session, specs_of

    try:
        day = date.fromisoformat(today) if today else date.today()
    except ValueError:
        raise ValueError(f"--today {today}: give a date as 2026-11-27") from None
    known = specs_of([name.strip() for name in domains.split(",") if name.strip()])
    # Standard output belongs to the protocol.
    say(f"{len(known)} tools on standard input and output; Ctrl-C ends", err=True)
    run(Session(known, day, seed))
