"""Swap values of a label, consistently in dialogue and label.

A slot is one value with every place where it stands literally: in the label's calls, in earlier calls, in
what was said, in tool results. A value is replaced by another of the same type and shape and said in the same
way ("half past six" stays spoken, "Dec 4" stays short), so the label stays exact. A value that stands in two
roles is left alone.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from looptool_kit.core.samples import Message, Sample, Samples, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.mentions import Mention
from looptool_kit.text.numbers import number
from looptool_kit.text.passages import dialogue
from looptool_kit.text.recognise import recognise, today_in
from looptool_kit.text.wording import NUMERAL, say_like

LINKED = "pattern"
"""Samples with this in `meta` are of a dialogue of searches: a name in it has facts in results, may stand
misspelt in a call that failed, and leads to the next name. None of their values can be changed alone.
"""


class Slot(NamedTuple):
    """A value of the label that can be swapped."""

    parameter: str
    value: Any
    schema: dict[str, Any]
    tool: str


class Edit(NamedTuple):
    """Replace the characters from `start` to `end` of a message."""

    message: int
    start: int
    end: int
    text: str


def slots_of(sample: Sample) -> Iterator[Slot]:
    """Every string or number of the label that plays one role.

    The same value under two parameters is not a slot, and a dialogue of searches has none.
    """
    if LINKED in sample.meta:
        return
    roles: dict[str, dict[str, Slot]] = defaultdict(dict)
    for call in sample.label.calls:
        tool = sample.tool(call.name)
        for name, value in call.arguments.items():
            for leaf, schema in leaves(value, (tool.properties.get(name) if tool else None) or {}):
                roles[canonical(leaf)].setdefault(name, Slot(name, leaf, schema, call.name))
    texts = [k for k in roles if k.startswith('"')]
    for key, slots in roles.items():
        inside = (
            any(other != key and re.search(bounded(json.loads(key)), json.loads(other)) for other in texts)
            if key in texts
            else False
        )
        if len(slots) == 1 and not inside:
            yield from slots.values()


def leaves(value: Any, schema: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        for k, v in value.items():
            yield from leaves(v, (schema.get("properties") or {}).get(k))
    elif isinstance(value, list):
        for v in value:
            yield from leaves(v, schema.get("items"))
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield value, schema


Values = dict[tuple[str, str], list[Any]]

_cache: list[tuple[Samples, Values]] = []


def values_in(pool: Samples) -> Values:
    """What labels of the pool hold, by parameter.

    (Tool, parameter) and ("", parameter) -> distinct values. The last pool's result is kept.
    """
    if not _cache or _cache[0][0] is not pool:
        found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        for sample in pool:
            for slot in (
                s
                for call in sample.label.calls
                for n, v in call.arguments.items()
                for s in _pairs(call.name, n, v)
            ):
                found[slot[0]][canonical(slot[1])] = slot[1]
        _cache[:] = [(pool, {k: [v[c] for c in sorted(v)] for k, v in found.items()})]
    return _cache[0][1]


def _pairs(tool: str, name: str, value: Any) -> Iterator[tuple[tuple[str, str], Any]]:
    for leaf, _ in leaves(value, None):
        yield (tool, name), leaf
        yield ("", name), leaf


def swap(sample: Sample, slot: Slot, rng: Random, values: Values) -> Sample | None:
    """The sample with one slot swapped everywhere.

    None where it does not stand literally or stands ambiguously.
    """
    today = dialogue(sample).today
    places = _places(sample, slot, today)
    if not places:
        return None
    heard = " ".join(m.content for m in sample.messages).casefold()
    taken = {
        canonical(leaf)
        for call in sample.label.calls
        for v in call.arguments.values()
        for leaf, _ in leaves(v, None)
    }
    for new in _others(slot, rng, values, today):
        if canonical(new) in taken or (isinstance(new, str) and re.search(bounded(new.casefold()), heard)):
            continue
        edits = [_edit(sample, place, slot, new, today) for place in places]
        if all(e is not None for e in edits):
            return _apply(sample, slot, new, [e for e in edits if e is not None])
    return None


class _Place(NamedTuple):
    message: int
    start: int
    end: int
    mention: Mention | None
    """None where the value stands to the letter."""


def bounded(text: str) -> str:
    return rf"(?<!\w){re.escape(text)}(?!\w)"


def _spoken(value: str) -> str:
    return value.replace("_", " ")


def _places(sample: Sample, slot: Slot, today: date | None) -> list[_Place]:
    """Everywhere that a value stands in the messages.

    Empty where nowhere, or where a number, date or time appears twice in a message or in a tool result.
    """
    places: list[_Place] = []
    text = slot.value if isinstance(slot.value, str) else None
    kinds = _kinds(slot.value)
    for at, m in enumerate(sample.messages):
        if m.role == "tool":
            # The request may rest on how numbers and dates of a result compare ("the cheapest"), so those are
            # left alone.
            if not kinds and text and re.search(bounded(text), m.content):
                places += [
                    _Place(at, f.start(), f.end(), None) for f in re.finditer(bounded(text), m.content)
                ]
            elif kinds and _equal_leaves(m.content, slot.value):
                return []
            continue
        if not kinds and text:
            wording = text if re.search(bounded(text), m.content) else _spoken(text)
            places += [_Place(at, f.start(), f.end(), None) for f in re.finditer(bounded(wording), m.content)]
            continue
        stated = today_in(m.content)
        found = [
            x
            for x in recognise(m.content, today)
            if x.kind in kinds and _means(x, slot.value) and not (stated and stated[1] <= x.start < stated[2])
        ]
        if len(found) > 1:
            return []
        places += [_Place(at, x.start, x.end, x) for x in found]
    # A place that says the value in other letters (case, JSON escapes) would stay as it is and contradict the
    # rest.
    heard = (
        sum(
            len(re.findall(bounded(_spoken(text).casefold()), _spoken(_plain(m)).casefold()))
            for m in sample.messages
        )
        if text and not kinds
        else 0
    )
    return places if heard <= len(places) else []


def _plain(message: Message) -> str:
    """What a message says, strings of JSON results without escapes."""
    try:
        return (
            "\n".join(str(leaf) for leaf, _ in leaves(json.loads(message.content), None))
            if message.role == "tool"
            else message.content
        )
    except ValueError:
        return message.content


def _kinds(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str):
        return ("number", "duration")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return ("date",)
    return ("time",) if re.fullmatch(r"\d\d:\d\d", value) else ()


def _means(mention: Mention, value: Any) -> bool:
    if mention.kind == "duration":
        found = NUMERAL.match(mention.text)
        return found is not None and number(found[0]) == value
    return bool(mention.readings) and mention.readings[0] == value


def _equal_leaves(content: str, value: Any) -> list[Any]:
    try:
        return [leaf for leaf, _ in leaves(json.loads(content), None) if canonical(leaf) == canonical(value)]
    except ValueError:
        return []


def _edit(sample: Sample, place: _Place, slot: Slot, new: Any, today: date | None) -> Edit | None:
    """The replacement at one place.

    None where the new value cannot be said in the way the old one is.
    """
    text = sample.messages[place.message].content
    old, said = slot.value, text[place.start : place.end]
    if place.mention is None:
        told = sample.messages[place.message].role == "tool"
        # Nobody says the "living_room speaker" after "the bedroom speaker".
        choice = isinstance(slot.schema.get("enum"), list) and "_" not in str(old) and not told
        wording = str(new) if said == old and not choice else _spoken(str(new))
        if told:
            wording = json.dumps(wording, ensure_ascii=False)[1:-1]
    else:
        wording = say_like(place.mention, old, new, today) or ""
        if not wording or not any(
            _means(x, new)
            for x in recognise(text[: place.start] + wording + text[place.end :], today)
            if x.start >= place.start - 12
        ):
            return None
    start = place.start
    if article := re.search(r"\b([Aa])(n?) $", text[:start]):
        # Only the article changes where it no longer fits the sound.
        start -= len(article[0]) - 1
        wording = f"{'n' if wording[:1].lower() in 'aeiou' else ''} {wording}"
    return Edit(place.message, start, place.end, wording)


def _apply(sample: Sample, slot: Slot, new: Any, edits: list[Edit]) -> Sample:
    def swapped(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: swapped(v) for k, v in value.items()}
        if isinstance(value, list):
            return [swapped(v) for v in value]
        return new if canonical(value) == canonical(slot.value) else value

    def argument(name: str, value: Any) -> Any:
        # The same number under another name is another number; the same text is the same thing.
        return swapped(value) if name == slot.parameter or isinstance(value, str | list | dict) else value

    def in_calls(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        return tuple(
            c.model_copy(update={"arguments": {k: argument(k, v) for k, v in c.arguments.items()}})
            for c in calls
        )

    messages: list[Message] = []
    for at, m in enumerate(sample.messages):
        content = m.content
        for e in sorted((e for e in edits if e.message == at), key=lambda e: -e.start):
            content = content[: e.start] + e.text + content[e.end :]
        messages.append(m.model_copy(update={"content": content, "tool_calls": in_calls(m.tool_calls)}))
    label = sample.label.model_copy(update={"calls": in_calls(sample.label.calls)})
    return Sample(
        **{n: getattr(sample, n) for n in Sample.model_fields} | {"messages": tuple(messages), "label": label}
    )


def _others(slot: Slot, rng: Random, values: Values, today: date | None) -> list[Any]:
    """Other values of the same type and shape, likeliest kinds first.

    Those of one kind are in random order.
    """
    value, enum = slot.value, slot.schema.get("enum")
    if isinstance(enum, list):
        return _shuffled([e for e in enum if type(e) is type(value) and e != value], rng)
    if not isinstance(value, str):
        return _numbers(slot, rng, values)
    if _kinds(value) == ("date",):
        return _days(value, rng, today)
    if _kinds(value) == ("time",):
        return [
            f"{h:02d}:{value[3:]}" for h in _shuffled([h for h in range(7, 22) if h != int(value[:2])], rng)
        ]
    if re.search(r"\d", value) and " " not in value or re.fullmatch(r"[+()\d -]{7,}", value):
        return [_pattern(value, rng) for _ in range(4)]
    same = [
        *_shuffled(values.get((slot.tool, slot.parameter), []), rng),
        *_shuffled(values.get(("", slot.parameter), []), rng),
    ]
    return [v for v in same if isinstance(v, str) and v != value and _shape(v) == _shape(value)][:12]


def _shuffled(values: Sequence[Any], rng: Random) -> list[Any]:
    return rng.sample(list(values), len(values))


def _shape(text: str) -> tuple[bool, bool, bool, bool, bool]:
    return text[:1].isupper(), text.isupper(), "@" in text, "://" in text, len(text.split()) > 4


def _pattern(value: str, rng: Random) -> str:
    """Other digits for the digits of a code.

    A country prefix stays, and so does whether it begins with a zero.
    """
    fixed = re.match(r"\+\d{1,3}(?=[ -])", value)
    start = fixed.end() if fixed else 0
    return value[:start] + re.sub(
        r"\d", lambda m: "0" if m[0] == "0" and m.start() == 0 else str(rng.randint(1, 9)), value[start:]
    )


def _numbers(slot: Slot, rng: Random, values: Values) -> list[Any]:
    value = slot.value
    known = [
        v
        for v in values.get((slot.tool, slot.parameter), [])
        if type(v) is type(value) and v != value and (v > 1 or value <= 1)
    ]
    if isinstance(value, int):
        step = 10 ** max(0, len(str(abs(value))) - 2) if value % 10 == 0 else 1
        near: list[Any] = [
            n
            for n in range(value - 8 * step, value + 9 * step, step)
            if n != value and (n > 1 if value > 0 else n < 0)
        ]
    else:
        digits = len(repr(value).split(".")[-1])
        near = [round(value * rng.uniform(0.5, 1.8), digits) for _ in range(6)]
    return _shuffled(known, rng)[:6] + _shuffled(near, rng)


def _days(value: str, rng: Random, today: date | None) -> list[str]:
    day = date.fromisoformat(value)
    days = [day + timedelta(n) for n in range(-25, 26) if n]
    if today:
        days = [d for d in days if (d - today).days * ((day - today).days or 1) > 0]
    return [d.isoformat() for d in _shuffled(days, rng)]
