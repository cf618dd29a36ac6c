"""What two texts have in common, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_MAX_WORDS = 400
"""Longer texts are not compared word by word: the time for it grows with the square of their length."""
_SAME_WORDS_THRESHOLD = 0.5
"""Share of words in common below which a difference word by word is hard to read."""


def word_diff(before: str, after: str) -> list[list[str]]:
    """Two texts compared word by word.

    Texts with less than half of their words in common, and very long ones, are not taken apart.

    Returns:
        Pieces with their white space: ["=", text] is in both, ["-", text] in the first, ["+", text] in the
        second only.
    """
    old, new = (re.findall(r"\s*\S+", t) for t in (before, after))
    if max(len(old), len(new)) > _MAX_WORDS:
        return [["-", before], ["+", after]] if before != after else [["=", after]]
    out: list[list[str]] = []
    compared = SequenceMatcher(None, [w.strip() for w in old], [w.strip() for w in new], autojunk=False)
    if old and new and compared.ratio() < _SAME_WORDS_THRESHOLD:
        return [["-", before], ["+", after]]
    for op, a, b, c, d in compared.get_opcodes():
        pieces = (
            [["=", "".join(new[c:d])]]
            if op == "equal"
            else [["-", "".join(old[a:b])], ["+", "".join(new[c:d])]]
        )
        out += [p for p in pieces if p[1]]
    return out
