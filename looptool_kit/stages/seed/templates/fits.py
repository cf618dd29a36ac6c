"""Does a request fit another tool on offer as well?

The check runs on all samples. Another tool fits where three things hold: what is said fills its required
parameters, it has a place for everything that is said, and no word of the request tells the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.values import Group, Many
from looptool_kit.stages.seed.templates.verbs import READING
from looptool_kit.stages.seed.templates.wording import Able
from looptool_kit.text.words import STOP, alike, stem, stems
from looptool_kit.world.grammar import CLOSE, OPEN
from looptool_kit.world.spec import Param

_VALUE = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")
_ALIKE = tuple(
    lex.word_set(line)
    for line in (
        "create make add insert generate new open register issue post put write set append place build start",
        "update change edit modify set adjust patch put rename replace configure",
        "delete remove cancel clear drop destroy discard erase kill disband dissolve",
        "send post message notify share email forward deliver transmit publish submit",
        "stop end halt terminate kill cancel abort finish close",
        "run execute start trigger launch begin invoke",
        "kick ban expel evict remove block",
        "assign allocate give grant attach add",
        "move transfer shift relocate",
    )
)
"""Verbs that people use for one another: these alone tell no two tools apart."""


def other_fits(target: Able, args: dict[str, Any], text: str, offered: Iterable[Able]) -> str:
    """Name another tool on offer that serves a request.

    Empty where there is none.

    Args:
        target: The tool that the request is for.
        args: Its arguments.
        text: The request before its frame, values between marks.
        offered: The tools on offer.
    """
    words = frozenset(stems(_VALUE.sub(" ", text))) - STOP
    given = [p for p in target.spec.params if p.name in args]
    for other in offered:
        if other is not target and _takes(other, given) and not _told_apart(target, other, words):
            return other.tool.name
    return ""


def ambiguous_without(target: Able, offered: Sequence[Able]) -> str:
    """Name another tool about the same thing.

    Where a request leaves something out. It may find what is missing, or be meant instead.
    """
    for other in offered:
        if other is not target and any(alike(a, b) for a in target.subject for b in other.subject):
            return other.tool.name
    return ""


def _takes(other: Able, given: Sequence[Param]) -> bool:
    """Whether what is given fills the tool's required parameters, and all of it has a place there."""
    params = other.spec.params
    needed = [q for q in params if not q.optional]
    return all(any(_same(p, q) for p in given) for q in needed) and all(
        any(_same(p, q) for q in params) for p in given
    )


def _same(p: Param, q: Param) -> bool:
    """Whether a value of one may be meant for the other: a name in common, or values of one sort."""
    a, b = _noun(p), _noun(q)
    if any(alike(x, y) for x in a for y in b):
        return True
    if p.type.name == q.type.name == "id" and a and b:
        return False  # a queue's and an account's
    if isinstance(p.type, Group | Many) or isinstance(q.type, Group | Many):
        return type(p.type) is type(q.type)
    if "enum" in p.type.schema or "enum" in q.type.schema:
        return p.type.schema.get("enum") == q.type.schema.get("enum")
    return p.type.name == q.type.name or p.type is q.type


def _noun(p: Param) -> set[str]:
    """Stems of what a parameter names: of `id` what it is the ID of."""
    common = {"id", "name", "number", "sid"}
    return (set(stems(p.name)) - common) or ({s for w in p.words[:1] for s in stems(w)} - common)


def _told_apart(target: Able, other: Able, words: frozenset[str]) -> bool:
    """Whether the request has a word for the one tool that does not go with the other."""
    mine, theirs = _verbs(target), _verbs(other)
    if not mine & theirs and any(any(alike(w, stem(v)) for v in mine) for w in words):
        return True
    if not mine & theirs and (mine <= READING) != (theirs <= READING):
        return True
    own = {w for w in words if any(alike(w, s) for s in target.subject)}
    return any(not any(alike(w, s) for s in _vocabulary(other)) for w in own)


@lru_cache(maxsize=20_000)
def _verb_group(verb: str) -> frozenset[str]:
    found = {verb, *verb.split()} - {"or", "and"}
    if found & READING or verb in ("look up",):
        return READING | found
    ways = {w for v in tuple(found) for w in lex.SAME.get(v, ()) if " " not in w}
    return frozenset(found | ways).union(*(group for group in _ALIKE if group & found))


def _verbs(tool: Able) -> frozenset[str]:
    return _verb_group(headline(tool.tool)[0])


def _vocabulary(tool: Able) -> frozenset[str]:
    """Stems of what is said of a tool: its name, its description, its parameters."""
    return _vocabulary_of(tool.tool.name, tool.tool.description, tuple(p.name for p in tool.spec.params))


@lru_cache(maxsize=20_000)
def _vocabulary_of(name: str, description: str, params: tuple[str, ...]) -> frozenset[str]:
    return frozenset(stems(name)) | frozenset(stems(description)) | {s for p in params for s in stems(p)}
