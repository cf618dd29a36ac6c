"""Which tools a prompt of the run's model has room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from looptool_kit.core.samples import Tool
from looptool_kit.policy.lengths import EMBEDDED_CONTEXT, context_of
from looptool_kit.stages.seed.templates.wording import Able

Fits = Callable[[Sequence[Tool]], bool]
"""Whether a prompt with these tools on offer fits a model's context."""
DIALOGUE = 1024
"""Tokens kept for the request and the answer."""
BYTES_PER_TOKEN = 2.5
"""Bytes of a JSON schema that make a token at the least: tokenizers of 30,000 entries and more take 3 to 4.
What is longer all the same is found by its exact length after the draw.
"""


def room_of(model: str) -> Fits:
    """Return what a model has room for.

    By its config where it is a folder, else as the embedded model.
    """
    return _within(context_of(Path(model)) or EMBEDDED_CONTEXT)


def _within(context: int) -> Fits:
    room = max(context - DIALOGUE, context // 2)
    return lambda tools: sum(map(_tokens, tools)) <= room


def _tokens(tool: Tool) -> float:
    text = tool.canonical
    ascii_only = len(text.encode("ascii", "ignore"))
    # Letters outside of ASCII take a token or more each.
    return ascii_only / BYTES_PER_TOKEN + len(text) - ascii_only


short = _within(EMBEDDED_CONTEXT)
"""What the embedded model has room for."""


def trimmed(offered: Sequence[Able], keep: Able, fits: Fits) -> list[Able]:
    """The tools without the largest ones that leave no room; `keep` stays."""
    left = list(offered)
    while len(left) > 1 and not fits([a.tool for a in left]):
        left.remove(max((a for a in left if a is not keep), key=lambda a: len(a.tool.canonical)))
    return left
