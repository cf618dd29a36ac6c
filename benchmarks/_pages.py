"""Lines of the written pages: paragraphs and list items wrapped at the width that STYLE.md allows."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise

MAX_LINE = 110
MAX_SPAN = 70
"""A code span up to this length stays on one line."""
_KEPT = ("|", "#", "<!--", "![")
"""Tables, headings, comments and pictures: a line break would change what they are."""
_ITEM = re.compile(r"(\s*)((?:[-*]|\d+\.) )?(.*)")


def wrapped(page: str) -> str:
    """The same Markdown in lines of at most `MAX_LINE`; only paragraphs with a longer line change."""
    out: list[str] = []
    paragraph: list[str] = []
    fenced = False
    for line in [*page.split("\n"), ""]:
        fence = line.lstrip().startswith("```")
        if not (fence or fenced or not line.strip() or line.lstrip().startswith(_KEPT)):
            paragraph.append(line)
            continue
        for item in _items(paragraph):
            out += item if max(map(len, item)) <= MAX_LINE else _wrap(item)
        out.append(line)
        paragraph, fenced = [], fenced != fence
    return "\n".join(out[:-1])


def _items(paragraph: list[str]) -> Iterator[list[str]]:
    """The list items of a paragraph, or all of it."""
    starts = [i for i, line in enumerate(paragraph) if i == 0 or re.match(r"\s*([-*]|\d+\.) ", line)]
    for start, end in pairwise([*starts, len(paragraph)]):
        yield paragraph[start:end]


def _wrap(item: list[str]) -> list[str]:
    indent, mark, first = _ITEM.fullmatch(item[0]).groups(default="")  # type: ignore[union-attr]
    text = " ".join([first, *(line.strip() for line in item[1:])])
    # A span may be broken at a space, which Markdown shows as one; a short one reads better whole.
    text = re.sub(r"`[^`]*`", lambda m: m[0].replace(" ", "\0") if len(m[0]) <= MAX_SPAN else m[0], text)
    # What would begin a list, a heading or a quotation stays with the word before it ("D3 - base").
    text = re.sub(r" (?=([-+*#>|]+|\d+[.)])( |$))", "\0", text)
    lines = textwrap.wrap(
        text,
        MAX_LINE,
        initial_indent=indent + mark,
        subsequent_indent=indent + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]
