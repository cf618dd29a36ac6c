"""A request for one call in words: a phrase, and what the phrase does not say.

What belongs to the verb comes first ("to", "for", "on Friday"), then what is true or false. Details stand in
one list with their names: one or two of them behind "with", more in a sentence of their own ("Weight: 3 kg,
service level: express."), or in brackets where the request is one of two.
"""

from __future__ import annotations

import re
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.values import Group, Many
from looptool_kit.stages.seed.templates.verbs import MAKING
from looptool_kit.text.words import STOP, alike, stem, stems
from looptool_kit.world import grammar as g
from looptool_kit.world.grammar import Said, Scene
from looptool_kit.world.moments import DATE, DATETIME, TIME
from looptool_kit.world.spec import Param, Spec, slots

_FIRST = re.compile(
    r"(?:matching|to|from|for|on|at|by|in|until|since|after|before|born|due|starting|ending|leaving"
    r"|arriving|called"
    r"|named|titled|valid|effective|not before|not after|opening|closing"
    r"|within|over|moved|checking|returning|as of|\w+ed)\b|\{@\}"
)
_WITH_ANOTHER = lex.word_set("""
    associate combine compare connect exchange fill link match merge pair replace share swap sync synchronise
    synchronize tag trade
    """)
"""Verbs whose "with" says something else."""
MAX_WITH, MAX_WITH_LETTERS = 2, 30
"""Details that are said behind "with", and how long each of them is at most."""
WITH_SHARE = 0.5
"""Share of the requests that say one or two details behind "with", where both ways read well."""
_MOMENTS = (DATE.question, DATETIME.question, TIME.question)


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
    flags = [p for p in rest if _is_clause(p, args, scene, spec.description.split(" ")[0])]
    details = [p for p in rest if p.also and p not in flags]
    first, last, tails, wishes = list[str](), list[str](), list[str](), list[str]()
    for p in (p for p in rest if p not in flags and p not in details):
        template = scene.choose(p.clauses)
        words = g.render(template, spec, args, scene, own=p.name)[0]
        (first if _FIRST.match(template) else last).append(words)
    for p in flags:
        clause = scene.choose(tuple(s.adverb for s in p.type.say(args[p.name], scene.today) if s.adverb))
        if clause.startswith(", and "):  # a statement: "the queen was seen"
            tails.append(clause.removeprefix(", and "))
        else:
            wishes.append(clause)
    if details and (behind := _behind_with(spec, details, args, scene, f"{phrase} {' '.join(last)}")):
        first.append(behind)
    elif details:
        tails.append(_listed(spec, details, args, scene))
    body = " ".join([body, *first, *last, *wishes])
    if tails and only_do:
        return Said(form, f"{body} ({'; '.join(tails)})", "", ())
    return Said(form, body, " ".join(f"{g.capital(t)}." for t in tails), ())


def _is_clause(p: Param, args: dict[str, Any], scene: Scene, verb: str) -> bool:
    """Whether it is true or false, and its description says so in a clause.

    A statement ("the queen was seen") tells of something that is made or noted; of what is looked up it
    does not say what is wanted.
    """
    if p.type.name != "boolean":
        return False
    clauses = [s.adverb for s in p.type.say(args[p.name], scene.today) if s.adverb]
    return bool(clauses) and (verb in MAKING or not clauses[0].startswith(", and "))


def _phrase(spec: Spec, names: set[str], scene: Scene, only_do: bool, skip: str) -> tuple[str, str]:
    """Choose a phrase that holds no other parameter than these, with its form."""

    def sayable(phrase: str) -> bool:
        return slots(phrase) <= names and skip not in slots(phrase)

    if not (usable := g.usable_phrases(spec, scene, only_do, sayable)):
        raise ValueError(f"tool {spec.name!r} has no phrase that can be said with {sorted(names)}")
    return usable[int(scene.rng.random() * len(usable))]


def _behind_with(spec: Spec, details: list[Param], args: dict[str, Any], scene: Scene, before: str) -> str:
    """A few short details behind "with"; empty where that does not read well.

    It does not where what comes before speaks of the same thing ("reconcile an account with account A"), has
    a "with" already, or has a verb that goes with another one.
    """
    verb = spec.description.split(" ")[0]
    said = {w for w in stems(re.sub(r"\{[^}]*\}", " ", before)) if w not in STOP}
    if len(details) > MAX_WITH or verb in _WITH_ANOTHER or re.search(r"\bwith\b", before):
        return ""
    parts = []
    for p in details:
        heads = [w for w in stems(p.also[0].split(":")[0]) if w not in STOP and w != "id"]
        if isinstance(p.type, Group | Many) or p.type.name == "boolean":
            return ""
        if any(alike(h, w) for h in heads for w in said):
            return ""
        template = scene.choose(p.clauses)
        words = (
            template.replace("{}", _plainly(p, args[p.name], scene))
            if "{}" in template
            else g.render(template, spec, args, scene, own=p.name)[0]
        )
        if len(words) > MAX_WITH_LETTERS + len("with") or not words.startswith("with "):
            return ""
        parts.append(words)
    if verb not in MAKING and scene.rng.random() >= WITH_SHARE:
        return ""
    return g.listed([parts[0], *(part.removeprefix("with ") for part in parts[1:])])


def _listed(spec: Spec, details: list[Param], args: dict[str, Any], scene: Scene) -> str:
    """The details with their names: "weight: 3 kg, service level: express"."""
    parts = [p.also[0].replace("{}", _plainly(p, args[p.name], scene)) for p in details]
    inside = any(re.search(r", | and ", part.split(": ", 1)[1]) for part in parts)
    return ("; " if inside else ", ").join(parts)


def _plainly(p: Param, value: Any, scene: Scene) -> str:
    """A value as it stands in a list: numbers in digits, marked as a value."""
    ways = [s.text for s in p.type.say(value, scene.today) if s.text and not s.implicit]
    free = len(ways) if p.type.question in _MOMENTS else 1
    said = ways[int(scene.rng.random() * free)]
    if (counted := re.fullmatch(r"([\d.,]+) ([a-z]+)", said)) and stem(counted[2]) in stems(p.also[0]):
        said = counted[1]  # "minimum days: 13"
    return f"{g.OPEN}{said}{g.CLOSE}"
