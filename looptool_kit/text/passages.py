"""The passages of a dialogue: what can support a value.

A dialogue is read once. What counts is what the user said, the system message, tool results, and an assistant
turn that the user then confirmed. The assistant's own claims never count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from looptool_kit.core.samples import Message, Sample
from looptool_kit.text.mentions import Mention
from looptool_kit.text.recognise import recognise, today_in
from looptool_kit.text.words import Token, tokens

Span = tuple[int, int, int]
"""Passage index, first character, character after the last."""


def holds(outer: Span, inner: Span) -> bool:
    """True where a span holds another one whole."""
    return outer[0] == inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2]


def overlap(a: Span, b: Span) -> bool:
    """True where two spans have a character in common."""
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


class Passage(NamedTuple):
    """One turn that can support a value.

    A tool's JSON result is laid out as `key: value` lines.
    """

    role: str
    text: str
    tokens: tuple[Token, ...]
    line: str
    """The stems between single spaces, one in front and one behind."""
    mentions: tuple[Mention, ...]


class Dialogue(NamedTuple):
    """What supports values, read once."""

    passages: tuple[Passage, ...]
    today: date | None
    last: int
    """Index of the passage that holds the user's last request, -1 without one."""


MAX_KEPT_CHARACTERS = 20_000
"""Longer dialogues are read again each time: what is read takes fifty times the memory of its text."""
_CONFIRMS = re.compile(
    r"\s*(?:yes|yeah|yep|sure|ok|okay|sounds|perfect|great|go ahead|please do|correct|right|exactly|that"
    r" works|do it)\b",
    re.IGNORECASE,
)


_BREAK = re.compile(r"(?<=[\w.,;:!?`)])(?:\\n)+(?=[A-Z\d`\s\\-]|$)|(?<=[a-z.!?])\\n(?=[a-z])")
"""A line break that was written as a backslash and an n, as in text that was escaped twice."""


def _unescaped(text: str) -> str:
    """A text with spaces for written line breaks, letter for letter; paths (`C:\\new`) stay."""
    return text if ":\\" in text else _BREAK.sub(lambda m: " " * len(m[0]), text)


# Keys and values stand in one line each, so that the words around a value include its key.
def _lines(content: str) -> str:
    """A JSON result as `key: value` lines; other text as it is."""
    try:
        value = json.loads(content)
    except ValueError:
        return content
    lines: list[str] = []

    def walk(key: str, value: Any) -> None:
        if isinstance(value, dict):
            for k, v in value.items():
                walk(str(k), v)
        elif isinstance(value, list):
            for v in value:
                walk(key, v)
        else:
            lines.append(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")

    walk("result", value)
    return "\n".join(lines)


def dialogue(source: Sample | Sequence[str] | Dialogue) -> Dialogue:
    """Read a sample's context, or plain texts.

    Each plain text is taken as something the user said, the last one as the request. A dialogue that is
    already read is returned as it is.
    """
    if isinstance(source, Dialogue):
        return source
    if isinstance(source, Sample):
        turns = tuple(
            (source.messages[at].role, source.messages[at].content) for at in supporting(source.messages)
        )
    else:
        turns = tuple(("user", text) for text in source)
    kept = sum(len(text) for _, text in turns) <= MAX_KEPT_CHARACTERS
    return (_read if kept else _read.__wrapped__)(turns)


def supporting(messages: Sequence[Message]) -> list[int]:
    """Which messages can support a value, by index: one for each passage."""
    return list(_supporting(messages))


def _supporting(messages: Sequence[Message]) -> Iterator[int]:
    for at, message in enumerate(messages):
        if message.role == "assistant":
            after = next((m for m in messages[at + 1 :] if m.role == "user"), None)
            if after is None or not _CONFIRMS.match(after.content):
                continue
        if message.content:
            yield at


_WEEKDAY = re.compile(r"\b(mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE)
_WEEKDAY_BEHIND = 12
"""Characters behind the date of today in which its weekday may stand: ", Wednesday"."""


def _weekday_agrees(today: date, text: str) -> bool:
    """False where a text names another weekday than that of its date."""
    named = _WEEKDAY.search(text)
    return named is None or f"{today:%A}".lower() == named[0].lower()


@lru_cache(512)
def _read(turns: tuple[tuple[str, str], ...]) -> Dialogue:
    today, agrees = None, True
    texts: list[tuple[str, str]] = []
    for role, text in turns:
        if role in ("system", "user") and (found := today_in(text)):
            today, start, end = found
            agrees = _weekday_agrees(today, text[start : end + _WEEKDAY_BEHIND])
            # Blanked, or else every sample would support today's date, and its year and day as numbers.
            text = text[:start] + " " * (end - start) + text[end:]
        texts.append((role, _lines(text) if role == "tool" else _unescaped(text)))
    # "Today is Monday, 2023-10-01", a Sunday: from which of the two "next Friday" counts nobody can tell.
    counted_from = today if agrees else None
    passages = []
    for role, text in texts:
        words = tuple(tokens(text))
        passages.append(
            Passage(role, text, words, f" {' '.join(t.stem for t in words)} ", recognise(text, counted_from))
        )
    return Dialogue(
        tuple(passages), today, max((n for n, p in enumerate(passages) if p.role == "user"), default=-1)
    )
