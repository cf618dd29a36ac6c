"""Words for what a call finds: "the cheapest flight from FCO to LHR tomorrow", "the day it arrives"."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.samples import ToolCall
from looptool_kit.world import grammar as g
from looptool_kit.world.calls import Impossible
from looptool_kit.world.chains import superlatives
from looptool_kit.world.grammar import Scene
from looptool_kit.world.routes import Edge, Route, outputs
from looptool_kit.world.spec import SLOT, Spec, slots, specs
from looptool_kit.world.types import CITY, DATE, DATETIME, PAST_DATE, Type

_OF_ENTRY, _IF_SAID = re.compile(r"\{\.(\w+)(@?)\}"), re.compile(r"\{\?(\w+)\}")


_LATER = re.compile("\1(\\w+)\1+")


def later(into: Sequence[Edge]) -> dict[str, str]:
    """Return parameter -> a mark for words that come later.

    Such words need the order of the sentence. A mark is as long as a long clause.
    """
    return {e.parameter: f"\1{e.parameter}\1".ljust(g.LONG + 1, "\1") for e in into}


class Found(NamedTuple):
    """What later calls take from a result."""

    template: str
    """Words for the entry, or for the value where the result is no list."""
    word: str
    """"cheapest", or nothing."""
    entry: dict[str, Any]
    """The entry of a list; empty where the result is none."""
    result: dict[str, Any]

    def value(self, field: str) -> Any:
        """The value of `field`, as an edge names it."""
        name, _, sub = field.partition(".")
        return self.entry[sub] if sub else self.result[name]


def is_lookup(route: Route, tool: str) -> bool:
    """Whether a call of a route stays unsaid.

    What it finds is then named by what it is asked. Lists are, and results whose words hold every required
    parameter. What acts is always said.
    """
    spec, fields = specs()[tool], [e.field for e in route.edges if e.first == tool]
    return bool(fields) and all(_named(spec, field) for field in fields)


def _named(spec: Spec, field: str) -> bool:
    name, _, sub = field.partition(".")
    words = spec.refer.get(name, ())
    required = {p.name for p in spec.params if not p.optional}
    return bool(words) and (bool(sub) or all(required <= slots(w) and required for w in words))


def found(
    spec: Spec, args: dict[str, Any], result: dict[str, Any], fields: Collection[str], scene: Scene
) -> Found:
    """Choose the entry that later calls take.

    The words that come with it single it out.

    Raises:
        Impossible: None do, or two different results are taken.
    """
    names = {field.partition(".")[0] for field in fields}
    if len(names) > 1:
        if any("." in field for field in fields):
            raise Impossible("two lists of one result")
        return Found("", "", {}, result)
    (name,) = names
    kind = spec.out[name]
    if not isinstance(kind, Type) or kind.item is None:
        return Found("", "", {}, result)
    rows, entry_fields = result[name], kind.item.fields
    subs = {field.partition(".")[2] for field in fields}
    if any(len({str(r[sub]) for r in rows}) < len(rows) for sub in subs):
        raise Impossible("two results of the same name")
    template = scene.choose(spec.refer[name])
    if "{*}" in template:
        ways = superlatives(rows, entry_fields)
        if not ways:
            raise Impossible("nothing singles a result out")
        word, row = scene.rng.choice(ways)
        return Found(template, word, row, result)
    told = [m[1] for m in _OF_ENTRY.finditer(template)]
    if set(told) & subs or any(len({str(r[t]) for r in rows}) < len(rows) for t in told):
        raise Impossible("nothing singles a result out")
    return Found(template, "", scene.rng.choice(rows), result)


class References:
    """The words of one request for what its calls find.

    What was named once is "that flight" from then on.
    """

    def __init__(
        self,
        route: Route,
        calls: Sequence[ToolCall],
        found: Mapping[str, Found],
        hints: Sequence[tuple[str, ...]],
        scene: Scene,
    ) -> None:
        self.route, self.scene, self.found = route, scene, found
        self.args = {c.name: c.arguments for c in calls}
        self.hints = dict(zip(route.tools, hints, strict=True))
        self.said: set[tuple[str, str]] = set()
        """(Tool, output) of what was named so far."""

    def sources(self, tool: str) -> set[str]:
        """All calls that a call builds on, directly or through unsaid ones."""
        direct = {e.first for e in self.route.into(tool)}
        return direct | {s for t in direct for s in self.sources(t)}

    def words(self, edge: Edge) -> str:
        """Words for what a link hands on.

        Raises:
            Impossible: "That rental" would stand for two things.
        """
        spec, (name, _, sub) = specs()[edge.first], edge.field.partition(".")
        kind: Type = spec.out[name]
        if sub:
            entry, own = self._entry(spec, name, kind), spec.refer.get(edge.field)
            return self.scene.choose(own).format(entry) if own else entry
        if kind.noun and not is_lookup(self.route, edge.first):
            if not self._clear(kind.noun, spec.name):
                raise Impossible(f"two things are that {kind.noun}")
            return f"that {kind.noun}"
        return self._again(_noun(kind), spec, name) or self._rendered(
            spec, self.scene.choose(spec.refer[name])
        )

    def _entry(self, spec: Spec, name: str, kind: Type) -> str:
        found, fields = self.found[spec.name], kind.item.fields if kind.item else {}
        noun = next((t.noun for t in fields.values() if t.noun), "")
        if again := self._again(noun, spec, name):
            return again
        text = self._rendered(spec, found.template).replace("{*}", found.word)
        return _OF_ENTRY.sub(lambda m: self._of_entry(fields[m[1]], found.entry[m[1]], m[2]), text)

    def _again(self, noun: str, spec: Spec, name: str) -> str:
        """ "That flight" for what was named before; empty where something else may be meant."""
        before = (spec.name, name) in self.said
        self.said.add((spec.name, name))
        return f"that {noun}" if before and noun and self._clear(noun, spec.name) else ""

    def _clear(self, noun: str, tool: str) -> bool:
        """Whether "that ..." is a call's result and nothing else: no other such thing is said or made."""
        for other in self.route.tools:
            spec, found = specs()[other], self.found.get(other)
            fed = {e.parameter for e in self.route.into(other)}
            kinds = [p.type for p in spec.params if p.name in self.args[other] and p.name not in fed]
            if other != tool:
                kinds += [spec.makes] if spec.makes else []
                kinds += [t for name, t in outputs(spec) if found and "." in name]
            kinds += [k for t in kinds for k in (*t.fields.values(), *([t.item] if t.item else []))]
            if any(_alike(_noun(kind), noun) for kind in kinds):
                return False
        return True

    def _of_entry(self, kind: Type, value: Any, how: str) -> str:
        return g.surface(kind, value, self.scene, how or None, False).text

    def _rendered(self, spec: Spec, template: str) -> str:
        args, hints = self.args[spec.name], self.hints[spec.name]
        into = self.route.into(spec.name)

        def if_said(m: re.Match[str]) -> str:
            if m[1] not in args:
                return ""
            return f" {g.clause(spec.by_name[m[1]], spec, args, self.scene, hints, later(into))[0]}"

        refs = later(into)
        # Here, since `render` drops the words before a reference: "the day" of "the day {order_id} arrives".
        text = SLOT.sub(lambda m: ("on " * (m[2] == "@") + refs[m[1]]) if m[1] in refs else m[0], template)
        text = _IF_SAID.sub(if_said, text)
        text, _ = g.render(text, spec, args, self.scene, implicit=hints)
        return self.resolved(text, into)

    def resolved(self, text: str, into: Sequence[Edge]) -> str:
        """Return the text with words for `later`'s marks.

        They are read from left to right: "that" comes second.
        """
        edges = {e.parameter: e for e in into}
        return _LATER.sub(lambda m: self.words(edges[m[1]]), text)


def _noun(kind: Type) -> str:
    """What one of a type is called again; empty where it is not."""
    if any(kind.is_a(t) for t in (DATE, PAST_DATE, DATETIME)):
        return "day"
    return "city" if kind.is_a(CITY) else kind.noun


def _alike(one: str, other: str) -> bool:
    """Whether two nouns may be taken for each other: "order" and "food order"."""
    return bool(one and other) and (f" {one}".endswith(f" {other}") or f" {other}".endswith(f" {one}"))
