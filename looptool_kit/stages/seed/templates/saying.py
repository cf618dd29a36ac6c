"""A request for one call in words: a phrase, and clauses for what the phrase does not say.

What belongs to the verb comes first ("to", "for", "on Friday"), then one list of the rest ("with title A,
priority 2 and owner B"), then what is true or false.
"""

from __future__ import annotations

import re
from typing import Any

from looptool_kit.stages.seed.templates.wording import CHANGING
from looptool_kit.world import grammar as g
from looptool_kit.world.grammar import Said, Scene
from looptool_kit.world.spec import Param, Spec, slots

_FIRST = re.compile(
    r"(?:to|from|for|on|at|by|until|since|born|due|starting|ending|leaving|arriving|called|named|titled|valid|opening|closing|within|over|moved)\b|\{@\}"
)
_LAST = re.compile(r"(?:saying|that says|limited to)\b|and give me\b")
_INVERTED = re.compile(r" as (?:the )?|\bset to\b|\bof \{\}")
"""Wordings that do not go into a list: "with A as the title"."""


def say(spec: Spec, args: dict[str, Any], scene: Scene, *, only_do: bool = False, skip: str = "") -> Said:
    """Word a request that mentions every argument of a call.

    Each once; `skip` is not mentioned.

    Raises:
        ValueError: No phrase goes with these arguments.
    """
    form, phrase = _phrase(spec, set(args), scene, only_do, skip)
    scene.used.append(phrase)
    body, _ = g.render(phrase, spec, args, scene)
    rest = [p for p in spec.params if p.name in args and p.name not in slots(phrase) and p.name != skip]
    flags = [p for p in rest if p.type.name == "boolean"]
    rest = [p for p in rest if p.type.name != "boolean"]
    withs = sum(p.clauses[0].startswith("with ") for p in rest)
    first, listed, last, tails = list[str](), list[str](), list[str](), list[str]()
    for p in rest:
        if p.also and not only_do and withs < 2 and scene.rng.random() < g.IN_OWN_SENTENCE:
            alone = g.render(scene.choose(p.also) + ".", spec, args, scene, own=p.name)[0]
            tails.append(g.capital(alone))
            continue
        template = scene.choose(_options(p, withs))
        words = g.render(template, spec, args, scene, own=p.name)[0]
        if template.startswith("with ") and len(words) <= g.LONG * 2:
            listed.append(words)
        else:
            (first if _FIRST.match(template) else last).append(words)
    parts = [*first, *_as_one(listed), *last]
    body += "".join(f" {part}" for part in parts)
    for p in flags:
        clause = scene.choose(tuple(s.adverb for s in p.type.say(args[p.name], scene.today)))
        if spec.description.split(" ")[0] in CHANGING:
            clause = re.sub(r"^, and ", "so that ", clause)
        body += clause if clause.startswith(",") else f" {clause}"
    return Said(form, body, " ".join(tails), ())


def _phrase(spec: Spec, names: set[str], scene: Scene, only_do: bool, skip: str) -> tuple[str, str]:
    """Choose a phrase that holds no other parameter than these, with its form."""

    def sayable(phrase: str) -> bool:
        return slots(phrase) <= names and skip not in slots(phrase)

    if not (usable := g.usable_phrases(spec, scene, only_do, sayable)):
        raise ValueError(f"tool {spec.name!r} has no phrase that can be said with {sorted(names)}")
    return usable[int(scene.rng.random() * len(usable))]


def _options(p: Param, withs: int) -> tuple[str, ...]:
    """The wordings of a parameter; in a list of several only those that go into one."""
    plain = tuple(dict.fromkeys(c for c in p.clauses if c.startswith("with ") and not _INVERTED.search(c)))
    return plain if withs > 1 and plain and p.clauses[0].startswith("with ") else p.clauses


def _as_one(clauses: list[str]) -> list[str]:
    """ "with a", "with b" -> "with a and b"."""
    if len(clauses) < 2:
        return clauses
    return [g.listed([clauses[0], *(c.removeprefix("with ") for c in clauses[1:])])]
