"""Text for a terminal: shown, never obeyed, whoever wrote it."""

from __future__ import annotations

import re
from typing import Any

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


def visible(text: object) -> str:
    """The text with everything that a terminal would obey made visible.

    That is control characters, terminal codes, direction marks and lone surrogates. New lines and tabs stay.
    """
    return _INVISIBLE.sub(sign, str(text))


def sign(match: re.Match[str]) -> str:
    """What is shown in place of one invisible character."""
    code = ord(match[0])
    return chr(0x2400 + code) if code < 32 else f"⟨U+{code:04X}⟩"


def say(text: object = "", **style: Any) -> None:
    """Print a text, made visible; `style` as for `typer.secho` (fg, err, ...)."""
    import typer

    typer.secho(visible(text), **style)


def cell(text: object) -> Any:
    """A visible text for rich's tables, its brackets not markup."""
    from rich.text import Text

    return Text(visible(text))


def show(table: Any) -> None:
    """Print a table of rich's, whose cells `cell` has made."""
    from rich.console import Console

    console = Console()
    # Without a terminal the width is that of a page, or words would be broken to nothing; a notebook cuts off
    # what is wider than its cells.
    (console if console.is_terminal else Console(width=96 if console.is_jupyter else 110)).print(table)


def amount(n: int, noun: str) -> str:
    """A number with its noun: `1 sample`, `1,200 samples`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them; a dash for None.

    For example `4.2 s`, `13 min 05 s`, `2 h 10 min`.
    """
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
