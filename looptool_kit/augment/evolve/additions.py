"""Operators that add: `add_optional`, `returns`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from random import Random
from typing import Any, Literal, NamedTuple

from looptool_kit.augment.evolve.step import (
    Added,
    Ground,
    Step,
    Words,
    is_plain,
    of_arguments,
    styled,
    with_properties,
)
from looptool_kit.augment.renaming import parts_of
from looptool_kit.core.samples import Tool

LANGUAGES = {"es": "Spanish", "fr": "French", "de": "German", "pt": "Portuguese", "nl": "Dutch"}
"""None whose code is an English word, which a request could seem to say."""
NOTES = (
    "call before noon", "second attempt", "ask for Robin", "no rush", "agreed by phone", "keep the receipt",
    "left at the desk", "talk to the manager first", "same as last month", "bring the blue folder",
)  # fmt: skip
RECORDS = frozenset(
    {
        "book", "reserve", "rent", "create", "make", "schedule", "order", "buy", "transfer", "send", "add",
        "post", "publish", "report", "cancel", "delete", "remove", "change", "update", "move", "modify",
        "refund", "return", "renew", "pay", "request", "submit", "refill",
    }
)  # fmt: skip
"""First words of tools that make a record or change one: it can be confirmed, and carry a note."""
CHANNELS = {"email": "email", "sms": "SMS", "phone": "phone"}


class Addition(NamedTuple):
    """An optional parameter that many tools could have."""

    words: tuple[str, ...]
    """Of its name."""
    schema: dict[str, Any]
    suits: Literal["lists", "acts", "keeps", "any"]
    near: frozenset[str]
    """Words of parameters that mean much the same: a tool that has one does not get it."""
    draw: Callable[[Random], Any] | None = None
    say: tuple[str, ...] = ()
    """Sentences of which one says the value; none for what no user speaks of."""
    shown: Callable[[Any], str] = str


def _of(*words: str) -> frozenset[str]:
    return frozenset(words)


ADDITIONS = (
    Addition(
        ("limit",), {"type": "integer", "description": "Maximum number of results"}, "lists",
        _of("limit", "max", "count", "top", "number"), lambda rng: rng.randint(3, 12),
        ("Show me at most {} results.", "No more than {} results, please.", "Just give me up to {} results."),
    ),
    Addition(
        ("language",), {"type": "string", "description": "ISO 639-1 code of the language of the results"},
        "lists", _of("language", "locale", "lang"), lambda rng: rng.choice(list(LANGUAGES)),
        ("I need the results in {}.", "Results in {}, please."), lambda v: LANGUAGES[v],
    ),
    Addition(
        ("page", "token"), {"type": "string", "description": "Where to continue an earlier listing"}, "lists",
        _of("page", "cursor", "token", "offset"),
    ),
    Addition(
        ("confirm", "by"),
        {"type": "string", "enum": list(CHANNELS), "description": "How to send the confirmation"}, "acts",
        _of("confirm", "notify", "notification", "email", "reminders", "contact", "alert"),
        lambda rng: rng.choice(list(CHANNELS)),
        ("Please send the confirmation by {}.", "I'd like the confirmation by {}.", "Confirm it by {}."),
        lambda v: CHANNELS[v],
    ),
    Addition(
        ("internal", "note"), {"type": "string", "description": "Note kept with the record"}, "keeps",
        _of("note", "text", "reference", "line", "message", "comment", "reason", "label", "title", "task"),
        lambda rng: rng.choice(NOTES),
        ('Add the internal note "{}".', 'Please put "{}" as the internal note.'),
    ),
    Addition(
        ("idempotency", "key"),
        {"type": "string", "description": "Set by the client to make a repeated call safe"}, "acts",
        _of("idempotency", "key"),
    ),
    Addition(
        ("trace", "id"), {"type": "string", "description": "For debugging by the client"}, "any",
        _of("trace", "debug"),
    ),
)  # fmt: skip
"""Of each value a sentence says it beyond doubt, so that the label stays exact."""


def add_optional(tool: Tool, addition: Addition) -> Step:
    """One more optional parameter; a call that does not use it stays.

    A request that gains a sentence about it, and its label, are the business of `samples.follow`.
    """
    name = styled(addition.words, [tool.name, *tool.properties])
    new = with_properties(tool, {**tool.properties, name: addition.schema}, tool.required)

    def draw(rng: Random) -> Words:
        value = addition.draw(rng) if addition.draw else None
        return Words(rng.choice(addition.say).format(addition.shown(value)), value)

    added = Added(new.name, name, draw if addition.draw and addition.say else None)
    return of_arguments("add_optional", name, tool, new, lambda a: a, lambda a: a, added=added)


def draw_add_optional(ground: Ground) -> Step | None:
    """Draw a new parameter that suits what the tool does."""
    tool = ground.tool
    verb = parts_of(tool.name)[0]
    kinds = {"any"} | ({"acts"} if verb in RECORDS else set())
    kinds |= {"keeps"} if verb in RECORDS - {"delete", "remove"} else set()
    kinds |= {"lists"} if verb in ("search", "find", "list") else set()
    has = {word for p in tool.properties for word in parts_of(p)}
    fitting = [
        a
        for a in ADDITIONS
        if a.suits in kinds
        and not a.near & has
        and styled(a.words, list(tool.properties)) not in tool.properties
    ]
    return add_optional(tool, ground.rng.choice(fitting)) if is_plain(tool) and fitting else None


# ------------------------------------------------------------------- returns


def _nested(result: Any) -> Any:
    return {"status": "ok", "data": result} if isinstance(result, dict) and "error" not in result else result


def _with_request(result: Any) -> Any:
    if not isinstance(result, dict) or "error" in result or "request_id" in result:
        return result
    text = json.dumps(result, sort_keys=True, ensure_ascii=False)
    mark = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return {**result, "request_id": f"req-{mark}"}


RETURNS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "nested": ("Returns status and data.", _nested),
    "more": ("The result carries a request_id for support.", _with_request),
}
"""Way -> what the description says of it, and what becomes of a result."""


def returns(tool: Tool, way: str) -> Step:
    """Other output; calls stay, and earlier results of the tool follow."""
    words, change = RETURNS[way]
    described = f"{tool.description.rstrip('.')}. {words}" if tool.description else words
    new = tool.model_copy(update={"description": described})
    return of_arguments("returns", way, tool, new, lambda a: a, lambda a: a, result=change)


def draw_returns(ground: Ground) -> Step | None:
    """Draw a sentence on output, where the description has none."""
    if "return" in ground.tool.description.lower():
        return None
    return returns(ground.tool, ground.rng.choice(list(RETURNS)))
