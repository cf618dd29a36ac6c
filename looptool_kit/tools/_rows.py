"""Rows of a source of tools, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from looptool_kit.core.samples import Tool

Rows = Iterator[tuple[int, str, Callable[[], Tool]]]
"""Row number, what stands there (for the report), and what makes the tool or raises `ValueError`."""


def one_line(error: BaseException) -> str:
    """The words of an error on one line, else its kind."""
    try:
        words = " ".join(str(error).split())[:500]
    except Exception:  # a person's own error may raise when it is asked what it says
        words = ""
    return words or type(error).__name__
